use std::time::Duration;

use async_trait::async_trait;

use crate::RateLimit;
use crate::error::StoreError;

/// A request of one from a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTake {
    /// The key of the bucket, at most 64 characters of ASCII: a keyed hash, so that the store holds neither names nor
    /// addresses.
    pub key: String,
    /// The limit that the bucket follows.
    pub limit: RateLimit,
}

/// The buckets of rate limits that all nodes share.
///
/// # Contract
///
/// * Time is **by the store's own clock**, because those of nodes differ.
/// * A take is from all buckets or from none, and takes that run at the same time never exceed a burst in sum.
/// * Every later take on any node sees the earlier takes. They need not outlive a crash of the database.
#[async_trait]
pub trait SharedLimits: Send + Sync {
    /// Takes one from each of a few buckets with different keys, or from none if one is empty. Returns the longest time
    /// until all of them admit a request; `None` if it is admitted.
    async fn take(&self, takes: &[BucketTake]) -> Result<Option<Duration>, StoreError>;

    /// Gives back taken requests.
    async fn give_back(&self, takes: &[BucketTake]) -> Result<(), StoreError>;
}

/// Decides about a take from buckets with these debts, one for each: the debts afterwards, or the longest time to wait.
///
/// # Errors
///
/// The time to wait when a bucket is empty.
pub fn take_all(takes: &[BucketTake], debts: &[Duration]) -> Result<Vec<Duration>, Duration> {
    let mut after = Vec::with_capacity(takes.len());
    let mut wait = None;
    for (take, debt) in takes.iter().zip(debts) {
        match take.limit.take(*debt) {
            Ok(admitted) => after.push(admitted.debt),
            Err(refused) => wait = wait.max(Some(refused.retry_after)),
        }
    }
    wait.map_or(Ok(after), Err)
}
