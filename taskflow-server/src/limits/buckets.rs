use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use taskflow_core::{Admitted, RateLimit, Refused};

use super::Requester;

/// Buckets of one node, by requester. A full bucket is forgotten; when there is no room for another one, newcomers share
/// one bucket that is `OVERFLOW` times as large.
#[derive(Debug)]
pub struct Buckets {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    capacity: usize,
    overflow: Mutex<Duration>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The time at which each bucket is full again.
    full_at: HashMap<Requester, Duration>,
    swept_at: Duration,
}

/// Shards, so that requests rarely wait for each other.
const SHARDS: usize = 16;
/// Times by which the bucket of those without one of their own is larger.
const OVERFLOW: u32 = 100;
/// Shortest time between two searches of a shard for full buckets.
const SWEEP: Duration = Duration::from_secs(1);

impl Buckets {
    /// Keeps up to `capacity` buckets.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            capacity: capacity / SHARDS,
            overflow: Mutex::default(),
        }
    }

    /// Takes a request out of the bucket of `requester` at `now`, by a clock that only moves forward.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the bucket is empty.
    pub fn take(&self, requester: Requester, limit: RateLimit, now: Duration) -> Result<Admitted, Refused> {
        let index = usize::try_from(self.hasher.hash_one(requester) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(index) else { return take(&mut Duration::default(), limit, now) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if !shard.full_at.contains_key(&requester) && shard.full_at.len() >= self.capacity {
            shard.sweep(now);
            if shard.full_at.len() >= self.capacity {
                drop(shard);
                let larger = RateLimit::new(limit.burst().saturating_mul(OVERFLOW), limit.period()).unwrap_or(limit);
                return take(&mut self.overflow.lock().unwrap_or_else(PoisonError::into_inner), larger, now);
            }
        }
        take(shard.full_at.entry(requester).or_default(), limit, now)
    }

    /// Returns how many buckets are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).full_at.len()).sum()
    }

    /// Returns whether no bucket is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn sweep(&mut self, now: Duration) {
        if now >= self.swept_at + SWEEP || self.swept_at.is_zero() {
            self.swept_at = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
    }
}

fn take(full_at: &mut Duration, limit: RateLimit, now: Duration) -> Result<Admitted, Refused> {
    let admitted = limit.take(full_at.saturating_sub(now))?;
    *full_at = now + admitted.debt;
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn limit(burst: u32) -> RateLimit {
        RateLimit::new(burst, Duration::from_mins(1)).expect("a limit")
    }

    fn address(n: u32) -> Requester {
        Requester::at(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[test]
    fn each_requester_has_a_bucket_that_fills_again() {
        let (buckets, now) = (Buckets::new(1_000), Duration::from_secs(100));
        assert!(buckets.take(address(1), limit(2), now).is_ok());
        assert!(buckets.take(address(1), limit(2), now).is_ok());
        let refused = buckets.take(address(1), limit(2), now).expect_err("empty");
        assert_eq!(refused.retry_after, Duration::from_secs(30));
        assert!(buckets.take(address(2), limit(2), now).is_ok(), "a flood from one address leaves another one alone");
        assert!(buckets.take(address(1), limit(2), now + refused.retry_after).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_newcomers_are_admitted_all_the_same() {
        let (buckets, now) = (Buckets::new(1_600), Duration::from_secs(100));
        for n in 0..20_000 {
            buckets.take(address(n), limit(300), now).expect("room in the shared bucket");
        }
        assert!(buckets.len() <= 1_600);
        let shared = (20_000..100_000).find(|n| buckets.take(address(*n), limit(300), now).is_err());
        assert!(shared.is_some(), "they share one bucket");
        // A bucket is full again after the time that one request costs.
        let later = now + Duration::from_secs(2);
        assert!((0..1_000).all(|n| buckets.take(address(200_000 + n), limit(300), later).is_ok()));
        assert!(buckets.len() <= 1_100, "full buckets have been forgotten");
    }
}
