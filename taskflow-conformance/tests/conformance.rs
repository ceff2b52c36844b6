//! The suite over the store in memory, each case a test of its own.

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use taskflow_core::MemoryStore;

fn main() {
    let trials = taskflow_conformance::cases().into_iter().map(|case| {
        Trial::test(format!("memory::{}", case.name), move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on((case.run)(Arc::new(MemoryStore::new())));
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
