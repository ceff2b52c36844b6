//! Optimistic locking: read, decide, commit, and again when somebody else was faster.

use super::App;
use crate::error::Error;
use crate::{Changes, Precondition};

/// The number of decisions after which a use case gives up with `Stale`.
const MOST_ATTEMPTS: u32 = 3;

/// The result of one attempt of a use case.
pub(super) enum Attempt<T> {
    /// Nothing is to be written.
    Unchanged(T),
    /// These changes are to be committed; the use case returns the value once they are.
    Commit(Changes, T),
}

impl App {
    /// Reads, decides and commits. Everything is read and decided anew when the commit was `Stale`, three times at most;
    /// the last attempt's error is returned.
    pub(super) async fn retry<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Attempt<T>, Error>>,
    {
        let mut attempts = 0;
        loop {
            let (changes, value) = match attempt().await? {
                Attempt::Unchanged(value) => return Ok(value),
                Attempt::Commit(changes, value) => (changes, value),
            };
            attempts += 1;
            match self.commit(&changes).await {
                Err(Error::Stale) if attempts < MOST_ATTEMPTS => {}
                result => return result.map(|()| value),
            }
        }
    }
}

impl Precondition {
    /// `Stale` unless the caller wants to change this version.
    pub(super) fn check(&self, version: u64) -> Result<(), Error> {
        let holds = match self {
            Self::Any => true,
            Self::Version(expected) => *expected == version,
            Self::OneOf(expected) => expected.contains(&version),
        };
        if holds { Ok(()) } else { Err(Error::Stale) }
    }
}
