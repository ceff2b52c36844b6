//! The conformance suite of TaskFlow: what every store must do, as one list of named cases, and the tools to run it.
//!
//! The three stores that TaskFlow ships pass every case, and a store of your own proves itself in the same way. It takes
//! part through a [`Fixture`]:
//!
//! ```
//! # use std::sync::Arc;
//! # use taskflow_core::MemoryStore;
//! # use taskflow_conformance::{Fixture, OpenStore};
//! struct Mine;
//!
//! #[async_trait::async_trait]
//! impl Fixture for Mine {
//!     async fn open(&self) -> Arc<dyn OpenStore> {
//!         Arc::new(MemoryStore::new())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! for case in taskflow_conformance::cases() {
//!     (case.run)(Mine.open().await).await;
//! }
//! # });
//! ```
//!
//! # Where to find things
//!
//! | file | what it holds |
//! |---|---|
//! | `cases.rs` `cases/` | the cases, one file per subject |
//! | [`history`] | random histories: every store ends up equal to [`MemoryStore`] |
//! | [`year`] | a simulated year of meetings, with each reminder expected in its minute |
//! | [`sql`] | the SQL constants of a store and which of them a run has executed |
//! | [`bystanders`] | two people on one store, for tests that damage a row of one of them |
//! | [`workbench`] | rows for the tests that only one store has |
//! | `clock.rs` `mailer.rs` `links.rs` `push.rs` | [`ManualClock`], [`SequentialIds`], [`RecordingMailer`], [`PlainLinks`], [`PushChannel`] |
//! | `sample.rs` | rows for the cases |
//!
//! # What always holds
//!
//! * No case asks what a store is capable of: a store passes all of them.
//! * Each case gets an empty store of its own, so that cases can run in parallel and in any order.
//! * Nothing sleeps. Time is a [`ManualClock`], and a fixture makes leases lapse.
//! * What is random follows a seed that the caller chooses.

pub mod bystanders;
pub mod history;
pub mod sql;
pub mod workbench;
pub mod year;

mod cases;
mod clock;
mod links;
mod mailer;
mod push;
mod sample;

use std::sync::Arc;

use async_trait::async_trait;

pub use cases::{Case, cases};
pub use clock::{ManualClock, SequentialIds};
pub use links::PlainLinks;
pub use mailer::RecordingMailer;
pub use push::{Push, PushChannel};

use taskflow_core::MemoryStore;
use taskflow_core::ports::Storage;

/// A store for one case or test alone, with the one thing that no port offers.
#[async_trait]
pub trait OpenStore: Send + Sync {
    /// Returns the store.
    fn storage(&self) -> Arc<dyn Storage>;

    /// Makes every lease lapse now, as if its time had passed by the store's clock.
    async fn lapse_leases(&self);
}

/// Opens empty stores.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens a new, empty store that nobody else uses.
    async fn open(&self) -> Arc<dyn OpenStore>;
}

#[async_trait]
impl OpenStore for MemoryStore {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    async fn lapse_leases(&self) {
        Self::lapse_leases(self);
    }
}
