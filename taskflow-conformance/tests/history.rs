//! Random histories over the store in memory: nothing panics, and the same history is the same twice.

use proptest::prelude::*;
use taskflow_conformance::history;
use taskflow_core::MemoryStore;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_is_the_same_twice(steps in history::steps(60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let told = || runtime.block_on(history::play(&steps, &MemoryStore::new()));
        prop_assert_eq!(told(), told());
    }
}
