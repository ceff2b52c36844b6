use std::sync::Mutex;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::Timestamp;

/// A source of the current time. Every use case reads it once.
///
/// # Contract
///
/// `now` is the wall clock and may jump; `monotonic` only moves forward and says nothing about the date.
pub trait Clock: Send + Sync {
    /// Returns the wall clock time.
    fn now(&self) -> Timestamp;

    /// Returns the time since some fixed moment, for time-outs and lease margins.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts its monotonic side at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A source of new ids.
///
/// # Contract
///
/// Ids are never the same twice, on any node. They are UUIDs of version 7 (RFC 9562 §5.7) whose time is the given one,
/// so that ids sort by it.
pub trait Ids: Send + Sync {
    /// Returns a new id created at `now`.
    fn next(&self, now: Timestamp) -> Uuid;
}

/// Random UUIDs of version 7; those of one millisecond sort in the order they were made (by this value).
#[derive(Debug, Default)]
pub struct RandomIds {
    last: Mutex<(u64, u16)>,
}

impl RandomIds {
    /// Creates a new source of ids.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Ids for RandomIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_micros().div_euclid(1000)).unwrap_or(0);
        let mut bytes = *Uuid::new_v4().as_bytes();
        let counter = {
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // RFC 9562 §6.2 method 1: a counter in the twelve bits after the time; a full one waits for chance.
            *last = if last.0 == millis { (millis, last.1.wrapping_add(1) & 0x0fff) } else { (millis, 0) };
            last.1
        };
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(0x7000 | counter).to_be_bytes());
        Uuid::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_carry_their_time_and_sort() {
        let ids = RandomIds::new();
        let at: Timestamp = "2026-11-22T10:00:00.123456Z".parse().expect("a time");
        let made: Vec<Uuid> = (0..100).map(|_| ids.next(at)).collect();
        assert!(made.is_sorted());
        assert_eq!(made[0].get_version_num(), 7);
        assert_eq!(made[0].get_timestamp().map(|t| t.to_unix()), Some((1_795_341_600, 123_000_000)));
        assert_eq!(made[0].get_variant(), uuid::Variant::RFC4122);
    }
}
