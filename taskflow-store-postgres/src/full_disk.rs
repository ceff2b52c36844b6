//! Remembering that the disk of the server was full, which no read finds out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskflow_core::StoreError;
use tokio::time::Instant;

use crate::error::{PgStoreError, is_full};

/// When a write last failed because the disk was full, until a commit succeeds. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FullDisk(Arc<Mutex<Option<Instant>>>);

/// How long one failure counts: without any write nobody knows, and a node that gets no requests makes few.
const COUNTS_FOR: Duration = Duration::from_secs(10);

impl FullDisk {
    /// Takes note of a write that failed.
    pub(crate) fn note(&self, error: &StoreError) {
        if is_full(error) {
            *self.lock() = Some(Instant::now());
        }
    }

    /// A commit succeeded.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// `Unavailable` when the disk was full at the last commit, not long ago.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match *self.lock() {
            Some(at) if at.elapsed() < COUNTS_FOR => Err(PgStoreError::Full.into()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
