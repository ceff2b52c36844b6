//! The retry schedule. Pure and repeatable: the jitter is derived from the delivery, not from chance.

use std::time::Duration;

use crate::{DeliveryId, Timestamp};

/// The number of retries of a refused mail, and the waits before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    waits: Vec<Duration>,
    max_retries: u32,
}

impl RetrySchedule {
    /// Waits one after the other; the last one serves for all further retries. No waits or no retries: never again.
    #[must_use]
    pub fn new(waits: Vec<Duration>, max_retries: u32) -> Self {
        Self { waits, max_retries }
    }

    /// Returns the time of the next attempt after that many failed attempts, or `None` to give up.
    ///
    /// The wait is up to 20 % shorter or longer, so that mails that failed together do not come back together.
    #[must_use]
    pub fn next(&self, id: DeliveryId, failed_attempts: u32, now: Timestamp) -> Option<Timestamp> {
        if failed_attempts == 0 || failed_attempts > self.max_retries {
            return None;
        }
        let wait = self.waits.get(failed_attempts as usize - 1).or(self.waits.last())?;
        Some(now + wait.mul_f64(0.8 + 0.4 * fraction(id, failed_attempts)))
    }
}

impl Default for RetrySchedule {
    /// Returns waits of 1, 5 and 30 minutes, then 2, 6, 12 and 12 hours: more than a day in total.
    fn default() -> Self {
        Self::new([1, 5, 30, 120, 360, 720].map(Duration::from_mins).to_vec(), 7)
    }
}

/// Returns a value evenly spread over 0..1, the same for the same input (FNV-1a).
fn fraction(id: DeliveryId, attempt: u32) -> f64 {
    let bytes = id.as_uuid().into_bytes().into_iter().chain(attempt.to_be_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> DeliveryId {
        DeliveryId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn waits_follow_the_schedule_within_a_fifth_and_then_end() {
        let now = Timestamp::from_micros(0);
        let schedule = RetrySchedule::default();
        for n in 0..1000 {
            for (failed, minutes) in [(1, 1.0), (2, 5.0), (3, 30.0), (4, 120.0), (5, 360.0), (6, 720.0), (7, 720.0)] {
                let wait = schedule.next(id(n), failed, now).expect("another try").since(now).as_secs_f64() / 60.0;
                assert!((0.8 * minutes..=1.2 * minutes).contains(&wait), "{wait}");
            }
            assert_eq!(schedule.next(id(n), 8, now), None);
        }
    }

    #[test]
    fn the_default_schedule_reaches_a_day() {
        let (schedule, began) = (RetrySchedule::default(), Timestamp::from_micros(0));
        for n in 0..1000 {
            let last = (1..=7).fold(began, |now, failed| schedule.next(id(n), failed, now).expect("another try"));
            assert!(last.since(began) > Duration::from_hours(24), "{last}");
            assert_eq!(schedule.next(id(n), 8, last), None);
        }
    }

    #[test]
    fn what_fails_together_does_not_come_back_together() {
        let now = Timestamp::from_micros(0);
        let tries: std::collections::BTreeSet<_> =
            (0..100).map(|n| RetrySchedule::default().next(id(n), 1, now)).collect();
        assert!(tries.len() > 90);
    }

    #[test]
    fn the_last_wait_serves_for_all_further_retries() {
        let schedule = RetrySchedule::new(vec![Duration::from_secs(10)], 5);
        assert!(schedule.next(id(1), 5, Timestamp::MIN).is_some());
        assert_eq!(RetrySchedule::new(vec![], 5).next(id(1), 1, Timestamp::MIN), None);
    }
}
