//! Remembering whether the database could be written lately: a full disk is found out by no read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskflow_core::StoreError;
use tokio::time::Instant;

use crate::error::{PgStoreError, is_full};

/// The results of the last writes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FullDisk(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    /// The time at which a write last failed because the disk was full, until a commit succeeds.
    full: Option<Instant>,
    /// The time at which a write last succeeded.
    written: Option<Instant>,
}

/// Time for which one failure counts. Without writes the state of the disk is unknown, and a node without requests
/// writes rarely.
const COUNTS_FOR: Duration = Duration::from_secs(10);
/// The time for which one success counts, so that a check writes at most once a second.
const SHOWS_FOR: Duration = Duration::from_secs(1);

impl FullDisk {
    /// Takes note of a write that failed.
    pub(crate) fn note(&self, error: &StoreError) {
        if is_full(error) {
            *self.lock() = Shown { full: Some(Instant::now()), written: None };
        }
    }

    /// A commit succeeded.
    pub(crate) fn clear(&self) {
        *self.lock() = Shown { full: None, written: Some(Instant::now()) };
    }

    /// A check succeeded, which needs less room than a commit.
    pub(crate) fn checked(&self) {
        self.lock().written = Some(Instant::now());
    }

    /// Returns whether a write has succeeded a moment ago.
    pub(crate) fn was_written(&self) -> bool {
        self.lock().written.is_some_and(|at| at.elapsed() < SHOWS_FOR)
    }

    /// `Unavailable` when the disk was full at the last commit, not long ago.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.lock().full {
            Some(at) if at.elapsed() < COUNTS_FOR => Err(PgStoreError::Full.into()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
