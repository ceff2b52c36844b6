use std::str::FromStr;
use std::time::Duration;

use crate::schedule::Schedule;
use crate::{InvalidValue, Timestamp};

/// The treatment of scheduled times that no node was running for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Missed runs stay missed, and the next run counts them.
    Skip,
    /// One run makes up for all of them.
    Latest,
    /// Each gets a run of its own, the oldest first, up to [`MOST_CAUGHT_UP`].
    All,
}

impl CatchUp {
    /// Every way to catch up.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Latest, Self::All];

    /// Returns its name on the wire and in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Latest => "latest",
            Self::All => "all",
        }
    }
}

impl FromStr for CatchUp {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be skip, latest or all"))
    }
}

/// Most scheduled times that [`CatchUp::All`] makes up for; older ones stay missed.
pub const MOST_CAUGHT_UP: u32 = 100;

/// The farthest that a scheduled time may lie ahead of the clock. The clocks of nodes differ, and a time that one node
/// has passed is done, whichever clock was wrong. A time more than a day ahead would keep everything from being due for
/// too long.
const FARTHEST_AHEAD: Duration = Duration::from_hours(26);

/// The latest that a run of a job that skips missed times may start.
const FRESH: Duration = Duration::from_secs(60);

/// The schedules that a job can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedSchedules {
    /// Schedules by one clock: [`Schedule::Every`] and [`Schedule::Daily`].
    OneClock,
    /// Those, and times of day in each user's time zone: [`Schedule::Local`].
    LocalTimes,
    /// Those, and the time of day that each user has chosen: [`Schedule::Own`].
    ChosenTimes,
}

impl AcceptedSchedules {
    /// Returns the forms of these schedules, for the help of a setting.
    #[must_use]
    pub fn forms(self) -> &'static str {
        match self {
            Self::OneClock => "every SPAN, daily TIME ZONE",
            Self::LocalTimes => "local TIMES (in each person's time zone), every SPAN, daily TIME ZONE",
            Self::ChosenTimes => {
                "own (the time each person has chosen, 09:00 by default), local TIMES, every SPAN, daily TIME ZONE"
            }
        }
    }

    /// Returns an example of each of these schedules, for messages.
    #[must_use]
    pub fn examples(self) -> &'static str {
        match self {
            Self::OneClock => "every 5m or daily 02:00 UTC",
            Self::LocalTimes => "local 08:00,20:00, every 5m or daily 02:00 UTC",
            Self::ChosenTimes => "own, local 08:00,20:00, every 5m or daily 02:00 UTC",
        }
    }

    /// Checks that a job with these schedules can follow `schedule`.
    pub fn check(self, schedule: &Schedule) -> Result<(), InvalidValue> {
        match (self, schedule) {
            (Self::OneClock, Schedule::Local(_) | Schedule::Own) => {
                Err(InvalidValue::new("must be a schedule by one clock, such as every 5m or daily 02:00 UTC"))
            }
            (Self::LocalTimes, Schedule::Own) => {
                Err(InvalidValue::new("must name times, as in local 08:00,20:00: people choose none for this"))
            }
            _ => Ok(()),
        }
    }
}

/// The schedule of a job, and the treatment of scheduled times that were missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// The schedule of the job.
    pub schedule: Schedule,
    /// The treatment of scheduled times that no node was running for.
    pub catch_up: CatchUp,
}

/// The action for a scheduled time that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueAction {
    /// A run for it begins; some times before it get no run of their own.
    Run {
        /// The scheduled time.
        slot: Timestamp,
        /// The number of scheduled times before it that are missed.
        missed: u64,
    },
    /// It is too late for a run: it stays missed.
    Pass {
        /// The scheduled time.
        slot: Timestamp,
    },
    /// The job is marked as done for a time ahead, by a clock that was wrong; it is done no further than up to here.
    SetBack {
        /// The scheduled time.
        slot: Timestamp,
    },
}

impl JobPlan {
    /// Reads a schedule that `accepted` allows, optionally followed by a way to catch up other than the `usual` one:
    /// `every 5m`, `daily 02:00 UTC latest`. `off` is no plan.
    pub fn parse(text: &str, usual: CatchUp, accepted: AcceptedSchedules) -> Result<Option<Self>, InvalidValue> {
        if text.trim() == "off" {
            return Ok(None);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let asked = words.last().and_then(|last| CatchUp::ALL.into_iter().find(|way| way.as_str() == *last));
        let schedule: Schedule = words[..words.len() - usize::from(asked.is_some())].join(" ").parse()?;
        accepted.check(&schedule)?;
        Ok(Some(Self { schedule, catch_up: asked.unwrap_or(usual) }))
    }

    /// Writes the plan as [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn written(&self, usual: CatchUp) -> String {
        match self.catch_up == usual {
            true => self.schedule.to_string(),
            false => format!("{} {}", self.schedule, self.catch_up.as_str()),
        }
    }

    /// Returns the due scheduled time at `now` if the job is done up to `done`.
    #[must_use]
    pub fn due(&self, done: Timestamp, now: Timestamp) -> Option<DueAction> {
        let latest = self.schedule.latest(now);
        if done > now + FARTHEST_AHEAD {
            return Some(DueAction::SetBack { slot: latest });
        }
        if latest <= done {
            return None;
        }
        if self.catch_up == CatchUp::Skip && self.schedule.is_local() {
            // The scheduled times of local schedules are minutes, and a run covers all since the one before.
            let too_late = self.schedule.latest(now - FRESH);
            if too_late > done {
                return Some(DueAction::Pass { slot: too_late });
            }
        }
        let slot = match self.catch_up {
            CatchUp::Skip if now.since(latest) > FRESH => return Some(DueAction::Pass { slot: latest }),
            CatchUp::Skip | CatchUp::Latest => latest,
            CatchUp::All => {
                let behind = self.schedule.count(done, latest);
                (0..behind.min(u64::from(MOST_CAUGHT_UP))).fold(latest + Duration::from_micros(1), |slot, _| {
                    self.schedule.latest(slot - Duration::from_micros(1))
                })
            }
        };
        // Where local time decides, one run covers everything since the one before.
        let missed = if self.schedule.is_local() { 0 } else { self.schedule.count(done, slot).saturating_sub(1) };
        Some(DueAction::Run { slot, missed })
    }

    /// Returns up to where a job counts as done when it is resumed at `now` and was done up to `done` before.
    #[must_use]
    pub fn resumed(&self, done: Timestamp, now: Timestamp) -> Timestamp {
        let latest = self.schedule.latest(now);
        if done > now + FARTHEST_AHEAD { latest } else { latest.max(done) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn plan(catch_up: CatchUp) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_mins(5)), catch_up }
    }

    #[test]
    fn nothing_is_due_before_the_next_scheduled_time() {
        for catch_up in [CatchUp::Skip, CatchUp::Latest, CatchUp::All] {
            assert_eq!(plan(catch_up).due(at("2026-01-01T10:00:00Z"), at("2026-01-01T10:04:59Z")), None);
        }
    }

    #[test]
    fn missed_times_are_skipped_made_up_for_at_once_or_one_by_one() {
        let (done, now) = (at("2026-01-01T09:30:00Z"), at("2026-01-01T10:02:00Z"));
        let ten = at("2026-01-01T10:00:00Z");
        assert_eq!(plan(CatchUp::Skip).due(done, now), Some(DueAction::Pass { slot: ten }));
        let fresh = plan(CatchUp::Skip).due(done, at("2026-01-01T10:00:30Z"));
        assert_eq!(fresh, Some(DueAction::Run { slot: ten, missed: 5 }));
        assert_eq!(plan(CatchUp::Latest).due(done, now), Some(DueAction::Run { slot: ten, missed: 5 }));
        let first = at("2026-01-01T09:35:00Z");
        assert_eq!(plan(CatchUp::All).due(done, now), Some(DueAction::Run { slot: first, missed: 0 }));
    }

    #[test]
    fn skipping_by_local_time_leaves_out_the_minutes_that_no_node_was_running_for() {
        let own = JobPlan { schedule: Schedule::Own, catch_up: CatchUp::Skip };
        let (done, now) = (at("2026-01-01T07:25:00Z"), at("2026-01-01T07:29:20Z"));
        let passed = at("2026-01-01T07:28:00Z");
        assert_eq!(own.due(done, now), Some(DueAction::Pass { slot: passed }));
        let last = at("2026-01-01T07:29:00Z");
        assert_eq!(own.due(passed, now), Some(DueAction::Run { slot: last, missed: 0 }));
        let late = JobPlan { catch_up: CatchUp::Latest, ..own };
        assert_eq!(late.due(done, now), Some(DueAction::Run { slot: last, missed: 0 }));
    }

    #[test]
    fn a_time_far_ahead_of_the_clock_is_set_back() {
        let (now, ten) = (at("2026-01-01T10:02:00Z"), at("2026-01-01T10:00:00Z"));
        for catch_up in CatchUp::ALL {
            let plan = plan(catch_up);
            let ahead = at("2099-01-01T00:00:00Z");
            assert_eq!(plan.due(ahead, now), Some(DueAction::SetBack { slot: ten }));
            assert_eq!(plan.resumed(ahead, now), ten);
            let close = at("2026-01-02T12:02:00Z");
            assert_eq!((plan.due(close, now), plan.resumed(close, now)), (None, close), "clocks differ");
            assert_eq!(plan.resumed(at("2026-01-01T09:00:00Z"), now), ten);
        }
    }

    #[test]
    fn one_by_one_has_a_bound() {
        let (done, now) = (at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
        let Some(DueAction::Run { slot, missed }) = plan(CatchUp::All).due(done, now) else { panic!("due") };
        assert_eq!(slot, now - Duration::from_mins(5 * 99));
        assert_eq!(missed, 365 * 24 * 12 - 100);
    }

    #[test]
    fn plans_are_read_with_and_without_a_way_to_catch_up() {
        use AcceptedSchedules::{ChosenTimes, LocalTimes, OneClock};
        let read = |text, accepted| JobPlan::parse(text, CatchUp::Latest, accepted).expect("a plan").expect("not off");
        let hourly = JobPlan { schedule: Schedule::Every(Duration::from_hours(1)), catch_up: CatchUp::Latest };
        assert_eq!(read("every 1h", OneClock), hourly);
        assert_eq!(read(" every  1h ", ChosenTimes).written(CatchUp::Latest), "every 1h");
        assert_eq!(read("every 1h all", OneClock), JobPlan { catch_up: CatchUp::All, ..hourly });
        assert_eq!(read("every 1h all", OneClock).written(CatchUp::Latest), "every 1h all");
        assert_eq!(read("own", ChosenTimes).schedule, Schedule::Own);
        assert_eq!(read("local 08:00", LocalTimes).written(CatchUp::Skip), "local 08:00 latest");
        assert_eq!(JobPlan::parse("off", CatchUp::Latest, OneClock), Ok(None));
        for (text, accepted) in
            [("own", OneClock), ("local 08:00", OneClock), ("own", LocalTimes), ("skip", OneClock), ("", OneClock)]
        {
            assert!(JobPlan::parse(text, CatchUp::Latest, accepted).is_err(), "{text} {accepted:?}");
        }
    }
}
