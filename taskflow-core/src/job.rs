//! The recurring duties: which there are, when each is due, and what one run of it is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
use crate::{InvalidValue, LeaseToken, LocalMinute, RunId, Timestamp, Zone};

/// One of the duties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobName {
    /// Tells people of their open tasks.
    TaskReminders,
    /// Plans reminders of meetings that no commit could plan.
    MeetingReminders,
    /// Tells people of their day.
    DailySummaries,
    /// Looks after the service itself.
    ServerMonitoring,
    /// Removes what has served its time.
    DataCleanup,
    /// Counts what people have done.
    Statistics,
}

impl JobName {
    /// Every job.
    pub const ALL: [Self; 6] = [
        Self::TaskReminders,
        Self::MeetingReminders,
        Self::DailySummaries,
        Self::ServerMonitoring,
        Self::DataCleanup,
        Self::Statistics,
    ];

    /// Its word on the wire, in stores and in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskReminders => "task_reminders",
            Self::MeetingReminders => "meeting_reminders",
            Self::DailySummaries => "daily_summaries",
            Self::ServerMonitoring => "server_monitoring",
            Self::DataCleanup => "data_cleanup",
            Self::Statistics => "statistics",
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobName {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|job| job.as_str() == word);
        let words = || Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| InvalidValue::new(format!("must be one of {}", words())))
    }
}

/// What becomes of slots that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They stay missed, and are counted by the next run.
    Skip,
    /// One run makes up for all of them.
    Latest,
    /// Each gets a run of its own, the oldest first, up to [`MOST_CAUGHT_UP`].
    All,
}

impl CatchUp {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Latest, Self::All];

    /// Its word on the wire and in settings.
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

/// Most slots that [`CatchUp::All`] makes up for; older ones stay missed.
pub const MOST_CAUGHT_UP: u32 = 100;

/// How far a slot may lie ahead of the clock: those of nodes differ, and what one has passed is taken care of, whichever of
/// them was wrong. What lies more than a day ahead would keep everything from being due for too long.
const FARTHEST_AHEAD: Duration = Duration::from_hours(26);

/// How long a slot counts as met by who does not catch up.
const FRESH: Duration = Duration::from_secs(60);

/// When a job is due, and what becomes of what was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlan {
    /// When it is due.
    pub schedule: Schedule,
    /// What becomes of slots that nobody was there for.
    pub catch_up: CatchUp,
}

/// A slot that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueSlot {
    /// It is to be run; so many before it get no run of their own.
    Run {
        /// Which.
        slot: Timestamp,
        /// How many are missed.
        missed: u64,
    },
    /// It is too late for it: it stays missed.
    Pass {
        /// Which.
        slot: Timestamp,
    },
    /// What is taken care of lies ahead, by a clock that was wrong once: no more than up to here is.
    SetBack {
        /// Which.
        slot: Timestamp,
    },
}

impl JobPlan {
    /// How a job is planned unless the host says otherwise.
    #[must_use]
    pub fn of(job: JobName) -> Self {
        let minute = |hour: u16| LocalMinute::new(hour * 60).unwrap_or_default();
        let every = |minutes| Schedule::Every(Duration::from_mins(minutes));
        let (schedule, catch_up) = match job {
            JobName::TaskReminders => (Schedule::Local(vec![minute(8), minute(20)]), CatchUp::Latest),
            JobName::MeetingReminders => (every(5), CatchUp::Latest),
            JobName::DailySummaries => (Schedule::Own, CatchUp::Latest),
            JobName::ServerMonitoring => (every(5), CatchUp::Skip),
            JobName::DataCleanup => (Schedule::Daily { at: minute(2), zone: Zone::utc() }, CatchUp::Latest),
            JobName::Statistics => (every(60), CatchUp::Latest),
        };
        Self { schedule, catch_up }
    }

    /// Reads a schedule, with how to catch up behind it if it shall be other than the job's own way: `every 5m`,
    /// `daily 02:00 UTC latest`; `off` is none.
    pub fn parse(job: JobName, text: &str) -> Result<Option<Self>, InvalidValue> {
        if text.trim() == "off" {
            return Ok(None);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let asked = words.last().and_then(|last| CatchUp::ALL.into_iter().find(|way| way.as_str() == *last));
        let schedule: Schedule = words[..words.len() - usize::from(asked.is_some())].join(" ").parse()?;
        let is_for_people = matches!(job, JobName::TaskReminders | JobName::DailySummaries);
        if schedule.is_local() && !is_for_people {
            return Err(InvalidValue::new("must be a schedule by one clock, such as every 5m or daily 02:00 UTC"));
        }
        if schedule == Schedule::Own && job == JobName::TaskReminders {
            return Err(InvalidValue::new("must name times, as in local 08:00,20:00: people choose none for this"));
        }
        Ok(Some(Self { schedule, catch_up: asked.unwrap_or(Self::of(job).catch_up) }))
    }

    /// As [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn written(&self, job: JobName) -> String {
        match self.catch_up == Self::of(job).catch_up {
            true => self.schedule.to_string(),
            false => format!("{} {}", self.schedule, self.catch_up.as_str()),
        }
    }

    /// What is due at `now` when everything up to `done` was taken care of.
    #[must_use]
    pub fn due(&self, done: Timestamp, now: Timestamp) -> Option<DueSlot> {
        let latest = self.schedule.latest(now);
        if done > now + FARTHEST_AHEAD {
            return Some(DueSlot::SetBack { slot: latest });
        }
        if latest <= done {
            return None;
        }
        if self.catch_up == CatchUp::Skip && self.schedule.is_local() {
            // The slots of everybody's own clock are minutes, and a run sweeps all since the one before.
            let too_late = self.schedule.latest(now - FRESH);
            if too_late > done {
                return Some(DueSlot::Pass { slot: too_late });
            }
        }
        let slot = match self.catch_up {
            CatchUp::Skip if now.since(latest) > FRESH => return Some(DueSlot::Pass { slot: latest }),
            CatchUp::Skip | CatchUp::Latest => latest,
            CatchUp::All => {
                let behind = self.schedule.count(done, latest);
                (0..behind.min(u64::from(MOST_CAUGHT_UP))).fold(latest + Duration::from_micros(1), |slot, _| {
                    self.schedule.latest(slot - Duration::from_micros(1))
                })
            }
        };
        // Where everybody's own clock decides, one run sweeps everything since the one before.
        let missed = if self.schedule.is_local() { 0 } else { self.schedule.count(done, slot).saturating_sub(1) };
        Some(DueSlot::Run { slot, missed })
    }

    /// Up to where everything counts as taken care of when a job that was paused is followed again at `now`, and was
    /// taken care of up to `done` before.
    #[must_use]
    pub fn resumed(&self, done: Timestamp, now: Timestamp) -> Timestamp {
        let latest = self.schedule.latest(now);
        if done > now + FARTHEST_AHEAD { latest } else { latest.max(done) }
    }
}

/// Who asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// Somebody by hand, for one slot.
    Slot,
    /// Somebody by hand, now: where people's own clocks decide, everybody who has not had theirs today.
    Now,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 3] = [Self::Schedule, Self::Slot, Self::Now];

    /// Its word on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Slot => "slot",
            Self::Now => "now",
        }
    }
}

impl FromStr for Trigger {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|trigger| trigger.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be what asked for a run"))
    }
}

/// What a run has counted so far, by words of its own, for example `examined` and `planned`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds to one of them; adding nothing leaves no trace.
    pub fn add(&mut self, what: &str, count: u64) {
        if count > 0 {
            *self.0.entry(what.to_owned()).or_default() += count;
        }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        others.iter().for_each(|(what, count)| self.add(what, count));
    }
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// Its id; later runs have greater ones.
    pub id: RunId,
    /// Of which job.
    pub job: JobName,
    /// The instant it is for. Of each job it comes once, dry runs aside.
    pub slot: Timestamp,
    /// It takes care of what came due after this and up to the slot.
    pub since: Timestamp,
    /// Who asked for it.
    pub trigger: Trigger,
    /// It counts what it would do and does nothing.
    pub dry_run: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began; absent while it waits.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The node that has it, or had it last.
    pub node: Option<String>,
    /// How often it was begun: more than once when a node died over it.
    pub tries: u32,
    /// How far it has come; only the job itself reads it.
    pub cursor: Option<String>,
    /// What it has counted.
    pub counts: Counts,
    /// Why it failed.
    pub error: Option<String>,
}

/// How a node holds a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLease {
    /// Fences what the holder writes.
    pub token: LeaseToken,
    /// How long it holds, by the store's own clock, unless it is renewed.
    pub lasts: Duration,
    /// Who holds it.
    pub node: String,
}

/// Where a run is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Nobody has begun it.
    Waiting,
    /// Begun and not ended.
    Running,
    /// Ended well.
    Finished,
    /// Ended with an error.
    Failed,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Finished, Self::Failed];

    /// Its word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for RunState {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a state of a run"))
    }
}

impl JobRun {
    /// Where it is on its way.
    #[must_use]
    pub fn state(&self) -> RunState {
        match (self.started_at, self.finished_at, &self.error) {
            (_, Some(_), Some(_)) => RunState::Failed,
            (_, Some(_), None) => RunState::Finished,
            (Some(_), None, _) => RunState::Running,
            (None, None, _) => RunState::Waiting,
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// Which.
    pub job: JobName,
    /// Everything up to here is taken care of.
    pub slot: Timestamp,
    /// Since when its schedule is not followed.
    pub paused_at: Option<Timestamp>,
    /// What its last run left for the next; only the job itself reads it.
    pub memo: Option<String>,
    /// The oldest run that has not ended.
    pub open: Option<RunId>,
    /// Whether a run is held by a node that lives, as far as its lease tells.
    pub busy: bool,
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
    fn nothing_is_due_before_the_next_slot() {
        for catch_up in [CatchUp::Skip, CatchUp::Latest, CatchUp::All] {
            assert_eq!(plan(catch_up).due(at("2026-01-01T10:00:00Z"), at("2026-01-01T10:04:59Z")), None);
        }
    }

    #[test]
    fn missed_slots_are_skipped_made_up_for_at_once_or_one_by_one() {
        let (done, now) = (at("2026-01-01T09:30:00Z"), at("2026-01-01T10:02:00Z"));
        let ten = at("2026-01-01T10:00:00Z");
        assert_eq!(plan(CatchUp::Skip).due(done, now), Some(DueSlot::Pass { slot: ten }));
        let fresh = plan(CatchUp::Skip).due(done, at("2026-01-01T10:00:30Z"));
        assert_eq!(fresh, Some(DueSlot::Run { slot: ten, missed: 5 }));
        assert_eq!(plan(CatchUp::Latest).due(done, now), Some(DueSlot::Run { slot: ten, missed: 5 }));
        let first = at("2026-01-01T09:35:00Z");
        assert_eq!(plan(CatchUp::All).due(done, now), Some(DueSlot::Run { slot: first, missed: 0 }));
    }

    #[test]
    fn by_everybodys_own_clock_skipping_leaves_out_the_minutes_that_nobody_was_there_for() {
        let own = JobPlan { schedule: Schedule::Own, catch_up: CatchUp::Skip };
        let (done, now) = (at("2026-01-01T07:25:00Z"), at("2026-01-01T07:29:20Z"));
        let passed = at("2026-01-01T07:28:00Z");
        assert_eq!(own.due(done, now), Some(DueSlot::Pass { slot: passed }));
        let last = at("2026-01-01T07:29:00Z");
        assert_eq!(own.due(passed, now), Some(DueSlot::Run { slot: last, missed: 0 }));
        let late = JobPlan { catch_up: CatchUp::Latest, ..own };
        assert_eq!(late.due(done, now), Some(DueSlot::Run { slot: last, missed: 0 }));
    }

    #[test]
    fn a_slot_far_ahead_of_the_clock_is_set_back() {
        let (now, ten) = (at("2026-01-01T10:02:00Z"), at("2026-01-01T10:00:00Z"));
        for catch_up in CatchUp::ALL {
            let plan = plan(catch_up);
            let ahead = at("2099-01-01T00:00:00Z");
            assert_eq!(plan.due(ahead, now), Some(DueSlot::SetBack { slot: ten }));
            assert_eq!(plan.resumed(ahead, now), ten);
            let close = at("2026-01-02T12:02:00Z");
            assert_eq!((plan.due(close, now), plan.resumed(close, now)), (None, close), "clocks differ");
            assert_eq!(plan.resumed(at("2026-01-01T09:00:00Z"), now), ten);
        }
    }

    #[test]
    fn one_by_one_has_a_bound() {
        let (done, now) = (at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
        let Some(DueSlot::Run { slot, missed }) = plan(CatchUp::All).due(done, now) else { panic!("due") };
        assert_eq!(slot, now - Duration::from_mins(5 * 99));
        assert_eq!(missed, 365 * 24 * 12 - 100);
    }

    #[test]
    fn plans_are_read_with_and_without_a_way_to_catch_up() {
        let read = |job, text| JobPlan::parse(job, text).expect("a plan").expect("not off");
        assert_eq!(read(JobName::Statistics, "every 1h"), JobPlan::of(JobName::Statistics));
        assert_eq!(read(JobName::ServerMonitoring, "every 5m latest").catch_up, CatchUp::Latest);
        assert_eq!(read(JobName::DailySummaries, "own"), JobPlan::of(JobName::DailySummaries));
        assert_eq!(JobPlan::parse(JobName::Statistics, "off"), Ok(None));
        for (job, text) in [
            (JobName::Statistics, "own"),
            (JobName::Statistics, "local 08:00"),
            (JobName::TaskReminders, "own"),
            (JobName::Statistics, "skip"),
            (JobName::Statistics, ""),
        ] {
            assert!(JobPlan::parse(job, text).is_err(), "{job} {text}");
        }
    }

    #[test]
    fn every_job_is_read_by_its_word() {
        for job in JobName::ALL {
            assert_eq!(job.as_str().parse(), Ok(job));
        }
    }
}
