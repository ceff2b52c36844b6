use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskflow_core::Timestamp;
use taskflow_core::ports::{Clock, Ids};
use uuid::Uuid;

/// A clock that stands still until it is turned. Its monotonic side moves with it, but never back.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// Shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new((now, Duration::ZERO)) }
    }

    /// Turns it forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        *state = (state.0 + by, state.1 + by);
    }

    /// Turns it to `now`; turning back leaves the monotonic side where it is.
    pub fn set(&self, now: Timestamp) {
        let mut state = self.state();
        *state = (now, state.1 + now.since(state.0));
    }

    /// Turns its wall side alone, as somebody does who sets a clock.
    pub fn jump_to(&self, now: Timestamp) {
        self.state().0 = now;
    }

    fn state(&self) -> MutexGuard<'_, (Timestamp, Duration)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state().0
    }

    fn monotonic(&self) -> Duration {
        self.state().1
    }
}

/// Ids that count up from one, the same in every run.
#[derive(Debug, Default)]
pub struct SequentialIds {
    last: AtomicU64,
}

impl SequentialIds {
    /// Begins with one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Ids for SequentialIds {
    fn next(&self, _now: Timestamp) -> Uuid {
        let count = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // Version 7 and the variant of RFC 9562 in their places; the time is the count, so that ids sort as made.
        Uuid::from_u128(u128::from(count) << 80 | 0x7000 << 64 | 0x8000_0000_0000_0000)
    }
}
