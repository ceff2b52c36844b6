//! For tests: a clock you can turn, a mailer that remembers, the conformance suite that every store passes, random
//! histories that leave every store equal to [`MemoryStore`], and what the tests of one store need beside them.
//!
//! A store of your own joins by a [`Fixture`]:
//!
//! ```
//! # use std::sync::Arc;
//! # use taskflow_core::{MemoryStore, testing::{Fixture, OpenStore, conformance}};
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
//! for case in conformance::cases() {
//!     (case.run)(Mine.open().await).await;
//! }
//! # });
//! ```

pub mod conformance;
pub mod history;
pub mod sql;
pub mod workbench;
pub mod year;

mod clock;
mod links;
mod mailer;
mod sample;

use std::sync::Arc;

use async_trait::async_trait;

pub use clock::{ManualClock, SequentialIds};
pub use links::PlainLinks;
pub use mailer::RecordingMailer;

use crate::MemoryStore;
use crate::ports::Storage;

/// A store that the suite may do with as it likes.
#[async_trait]
pub trait OpenStore: Send + Sync {
    /// The store.
    fn storage(&self) -> Arc<dyn Storage>;

    /// Lets every lease lapse now, as if its time had passed by the store's clock.
    async fn lapse_leases(&self);
}

/// Makes empty stores.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A new, empty store that nobody else uses.
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
