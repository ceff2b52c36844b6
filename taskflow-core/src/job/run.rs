use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JobName;
use crate::{InvalidValue, LeaseToken, RunId, Timestamp};

/// The origin of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// An administrator, for one scheduled time.
    Slot,
    /// An administrator, for now: where local time decides, for everybody who has not had theirs today.
    Now,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 3] = [Self::Schedule, Self::Slot, Self::Now];

    /// Returns its name on the wire and in stores.
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

/// The counts of a run so far, by words of the job, for example `examined` and `planned`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds to one of the counts; adding 0 does not create it.
    pub fn add(&mut self, what: &str, count: u64) {
        if count > 0 {
            *self.0.entry(what.to_owned()).or_default() += count;
        }
    }

    /// Returns one of the counts.
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Returns all counts, by name.
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
    /// Identifier; later runs have greater ones.
    pub id: RunId,
    /// The job that is run.
    pub job: JobName,
    /// The scheduled time that the run is for. Each one comes once per job, dry runs aside.
    pub slot: Timestamp,
    /// The run covers what was due after this time and up to `slot`.
    pub since: Timestamp,
    /// The origin of the run.
    pub trigger: Trigger,
    /// Whether the run only counts and changes nothing.
    pub dry_run: bool,
    /// The time at which the run was requested.
    pub created_at: Timestamp,
    /// The time at which the run started; absent while it waits.
    pub started_at: Option<Timestamp>,
    /// The time at which the run ended; absent before.
    pub finished_at: Option<Timestamp>,
    /// The node that works on it, or did last.
    pub node: Option<String>,
    /// The number of times that the run was started: more than one when a node crashed during it.
    pub tries: u32,
    /// The progress of the run; only the job itself reads it.
    pub cursor: Option<String>,
    /// The counts of the run so far.
    pub counts: Counts,
    /// The error with which the run failed.
    pub error: Option<String>,
}

/// The lease under which a node holds a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLease {
    /// Fences the writes of the holder.
    pub token: LeaseToken,
    /// The duration of the lease by the store's clock, unless it is renewed.
    pub lasts: Duration,
    /// The node that holds it.
    pub node: String,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Not started.
    Waiting,
    /// Started and not ended.
    Running,
    /// Ended without an error.
    Finished,
    /// Ended with an error.
    Failed,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Finished, Self::Failed];

    /// Returns its name on the wire.
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
    /// Returns the state of the run.
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

/// The state of a job in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// The job.
    pub job: JobName,
    /// The job is done for all scheduled times up to here.
    pub slot: Timestamp,
    /// The time since which the job is paused.
    pub paused_at: Option<Timestamp>,
    /// The memo that its last run left for the next; only the job itself reads it.
    pub memo: Option<String>,
    /// The oldest run that has not ended.
    pub open: Option<RunId>,
    /// True if a run is held under a lease that has not lapsed.
    pub busy: bool,
}
