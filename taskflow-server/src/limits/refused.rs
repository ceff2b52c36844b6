//! Counts the requests that limits refused, for monitoring.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time for which refused requests are remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The part of it that is forgotten at once.
const SLOT: Duration = Duration::from_mins(5);

/// Counts the requests that limits refused on this node within the last hour, by limit. Times are those of a monotonic clock.
#[derive(Default)]
pub struct RefusedRequests {
    /// The counts of each five minutes, and when those began.
    slots: Mutex<VecDeque<(Duration, BTreeMap<String, u64>)>>,
}

impl RefusedRequests {
    /// Counts a request that this limit refused.
    pub fn count(&self, limit: &str, now: Duration) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.back().is_none_or(|(began, _)| now.saturating_sub(*began) >= SLOT) {
            slots.retain(|(began, _)| now.saturating_sub(*began) < REMEMBERED);
            slots.push_back((now, BTreeMap::new()));
        }
        if let Some((_, counts)) = slots.back_mut() {
            *counts.entry(limit.to_owned()).or_default() += 1;
        }
    }

    /// Returns the counts of the last hour, to five minutes.
    #[must_use]
    pub fn within_the_hour(&self, now: Duration) -> BTreeMap<String, u64> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = BTreeMap::new();
        let recent = slots.iter().filter(|(began, _)| now.saturating_sub(*began) < REMEMBERED);
        for (limit, count) in recent.flat_map(|(_, counts)| counts) {
            *sum.entry(limit.clone()).or_default() += count;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_requests_count_for_an_hour_by_limit() {
        let refused = RefusedRequests::default();
        let minute = |minute: u64| Duration::from_mins(minute);
        assert!(refused.within_the_hour(minute(0)).is_empty());
        for n in 0..90 {
            refused.count("sign-in", minute(n));
            if n % 30 == 0 {
                refused.count("register", minute(n));
            }
        }
        let counts = refused.within_the_hour(minute(90));
        assert!((55..=60).contains(&counts["sign-in"]) && counts["register"] <= 2, "{counts:?}");
        assert!(refused.slots.lock().expect("a lock").len() <= 13);
        assert!(refused.within_the_hour(minute(150)).is_empty());
    }
}
