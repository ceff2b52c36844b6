//! The clock of this process, compared with the store's: a node whose clock is wrong does nothing that depends on the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ports::{Clock, Nodes};
use crate::{StoreError, Timestamp};

/// The difference between two clocks, as the log, `/health` and monitoring judge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClockVerdict {
    /// The clocks agree within [`ClockCheck::WARN`].
    #[default]
    Right,
    /// They differ by more, which is worth a warning.
    Off,
    /// They differ by the limit or more: operations that depend on the time are not done.
    Wrong,
}

impl ClockVerdict {
    /// Judges a difference in microseconds. A `limit` of zero turns the check off.
    #[must_use]
    pub fn of(ahead: i64, limit: Duration) -> Self {
        let off = Duration::from_micros(ahead.unsigned_abs());
        match off {
            _ if limit.is_zero() => Self::Right,
            _ if off >= limit => Self::Wrong,
            _ if off >= ClockCheck::WARN => Self::Off,
            _ => Self::Right,
        }
    }
}

/// Returns how far a clock is ahead of the store's, in microseconds; negative: behind. It showed `asked_at` when the store
/// was asked, and the answer `theirs` arrived `round_trip` later. What the answer took on its way counts in favour of the
/// clock, because nobody knows at which moment of it the store looked at its own.
#[must_use]
pub fn clock_ahead(asked_at: Timestamp, round_trip: Duration, theirs: Timestamp) -> i64 {
    let (earliest, latest) = (asked_at.as_micros(), asked_at.as_micros().saturating_add(micros(round_trip)));
    let theirs = theirs.as_micros();
    if theirs < earliest {
        earliest - theirs
    } else {
        // Negative, or zero within the round trip.
        (latest - theirs).min(0)
    }
}

/// The difference between the wall clock of this process and the store's: measured now and then, and followed in between,
/// so that a clock that jumps is wrong at once.
pub struct ClockCheck {
    clock: Arc<dyn Clock>,
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    measured: Option<Measured>,
    /// The last logged verdict.
    logged: ClockVerdict,
}

/// One measurement, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Measured {
    /// Microseconds by which the wall clock was ahead of the store's.
    ahead: i64,
    /// The wall clock less the monotonic one. What changes of it later is a jump of the wall clock.
    base: i64,
}

impl ClockCheck {
    /// The difference from which on the log warns.
    pub const WARN: Duration = Duration::from_secs(2);

    /// Creates a check of `clock`, which is wrong from a difference of `limit` on; zero turns the check off.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limit: Duration) -> Self {
        Self { clock, limit, state: Mutex::default() }
    }

    /// Returns how far the clock is ahead of the store's now, in microseconds; negative: behind. `None` while nothing was
    /// measured, as with stores that share the clock of this process.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        let measured = self.state.lock().unwrap_or_else(PoisonError::into_inner).measured?;
        Some(measured.ahead.saturating_add(self.base()).saturating_sub(measured.base))
    }

    /// Returns the verdict on the present difference.
    #[must_use]
    pub fn verdict(&self) -> ClockVerdict {
        self.ahead().map_or(ClockVerdict::Right, |ahead| ClockVerdict::of(ahead, self.limit))
    }

    /// Returns whether operations that depend on the time may be done.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.verdict() != ClockVerdict::Wrong
    }

    /// Returns the time: by this clock, or by the store's as far as it is known while this clock is wrong.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        match self.ahead() {
            Some(ahead) if ClockVerdict::of(ahead, self.limit) == ClockVerdict::Wrong => {
                Timestamp::from_micros(now.as_micros().saturating_sub(ahead))
            }
            _ => now,
        }
    }

    /// Asks the store for its time and compares.
    ///
    /// # Errors
    ///
    /// As the store fails; the measurement before still counts.
    pub async fn measure(&self, nodes: &dyn Nodes) -> Result<(), StoreError> {
        let (asked_at, began) = (self.clock.now(), self.clock.monotonic());
        let Some(theirs) = nodes.store_time().await? else { return Ok(()) };
        let ahead = clock_ahead(asked_at, self.clock.monotonic().saturating_sub(began), theirs);
        let base = asked_at.as_micros() - micros(began);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.measured = Some(Measured { ahead, base });
        let verdict = ClockVerdict::of(ahead, self.limit);
        let before = std::mem::replace(&mut state.logged, verdict);
        drop(state);
        if verdict != before {
            log(verdict, ahead);
        }
        Ok(())
    }

    fn base(&self) -> i64 {
        self.clock.now().as_micros() - micros(self.clock.monotonic())
    }
}

impl std::fmt::Debug for ClockCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockCheck").field("limit", &self.limit).field("ahead", &self.ahead()).finish_non_exhaustive()
    }
}

fn log(verdict: ClockVerdict, ahead: i64) {
    let seconds_ahead = ahead as f64 / 1e6;
    match verdict {
        ClockVerdict::Right => tracing::info!(seconds_ahead, "the clock of this node agrees with the database's again"),
        ClockVerdict::Off => {
            tracing::warn!(seconds_ahead, "the clock of this node differs from the database's: check its time service");
        }
        ClockVerdict::Wrong => tracing::error!(
            seconds_ahead,
            "the clock of this node is wrong: it sends no mail, runs no jobs and issues no tokens until it agrees with \
             the database's"
        ),
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_round_trip_counts_in_favour_of_the_clock() {
        let at = |seconds: i64| Timestamp::from_micros(1_800_000_000 * SECOND + seconds * SECOND);
        let trip = Duration::from_secs(3);
        for (theirs, ahead) in [(-4, 4), (-1, 1), (0, 0), (2, 0), (3, 0), (4, -1), (9, -6)] {
            assert_eq!(clock_ahead(at(0), trip, at(theirs)), ahead * SECOND, "{theirs}");
        }
    }

    #[test]
    fn a_clock_is_off_from_two_seconds_on_and_wrong_from_the_limit_on() {
        let limit = Duration::from_secs(5);
        for (ahead, verdict) in [
            (0, ClockVerdict::Right),
            (2 * SECOND - 1, ClockVerdict::Right),
            (-2 * SECOND, ClockVerdict::Off),
            (5 * SECOND - 1, ClockVerdict::Off),
            (5 * SECOND, ClockVerdict::Wrong),
            (-5 * SECOND, ClockVerdict::Wrong),
            (i64::MIN, ClockVerdict::Wrong),
        ] {
            assert_eq!(ClockVerdict::of(ahead, limit), verdict, "{ahead}");
        }
        assert_eq!(ClockVerdict::of(i64::MAX, Duration::ZERO), ClockVerdict::Right);
    }
}
