//! Optimistic locking: read, decide, commit, and retry after a concurrent change.

mod queues;

use std::time::Duration;

pub(super) use queues::WriterQueues;
use uuid::Uuid;

use super::App;
use crate::error::Error;
use crate::{Changes, Precondition};

/// The time after which a use case stops retrying and fails with `Stale`.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
/// The number of decisions after which it gives up in any case. Among n writers each is beaten n - 1 times at most.
pub(super) const MOST_ATTEMPTS: u32 = 256;

/// The result of one attempt of a use case.
pub(super) enum Attempt<T> {
    /// Nothing is to be written.
    Unchanged(T),
    /// These changes are to be committed; the use case returns the value once they are.
    Commit(Changes, T),
}

impl App {
    /// Reads, decides and commits. All of it is repeated if the commit was `Stale`, for ten seconds at most; then that
    /// error is returned.
    ///
    /// `row` is the id of the contended row. A writer that lost once waits in the queue of the row, and writers that
    /// come while there is a queue join it. So the writers of a row take turns on one node, and none loses for ever.
    pub(super) async fn retry<T, F>(&self, row: Uuid, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Attempt<T>, Error>>,
    {
        let began = self.clock.now();
        let mut attempts = 0;
        let mut place = self.queues.join_existing(row);
        loop {
            if let Some(place) = &place {
                place.first().await;
            }
            let (changes, value) = match attempt().await? {
                Attempt::Unchanged(value) => return Ok(value),
                Attempt::Commit(changes, value) => (changes, value),
            };
            attempts += 1;
            match self.commit(&changes).await {
                Err(Error::Stale) if attempts < MOST_ATTEMPTS && self.clock.now().since(began) < LONGEST => {
                    place.get_or_insert_with(|| self.queues.join(row));
                }
                result => return result.map(|()| value),
            }
        }
    }
}

impl Precondition {
    /// Fails with `Stale` unless the caller accepts this version.
    pub(super) fn check(&self, version: u64) -> Result<(), Error> {
        let holds = match self {
            Self::Any => true,
            Self::Version(expected) => *expected == version,
            Self::OneOf(expected) => expected.contains(&version),
        };
        if holds { Ok(()) } else { Err(Error::Stale) }
    }
}
