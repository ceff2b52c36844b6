use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{Lease, MemoryStore, State};
use crate::error::{StoreError, UniqueField};
use crate::ports::{JobStore, RunLease};
use crate::{Counts, JobName, JobRun, JobState, JobWrite, LeaseToken, RunId, Timestamp};

/// The stored state of a job.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) slot: Timestamp,
    pub(super) paused_at: Option<Timestamp>,
    pub(super) memo: Option<String>,
}

/// A run as it is kept.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) run: JobRun,
    pub(super) lease: Option<Lease>,
}

impl MemoryWrite for JobWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::InsertRun(run) => {
                check.require_free(UniqueField::Slot, !run.dry_run && check.state.has_run(run.job, run.slot))
            }
            Self::AdvanceRun { id, lease, .. } => check.require(check.state.holds_run(*id, lease.token)),
            Self::FinishRun { id, lease, .. } | Self::ReleaseRun { id, lease } => {
                check.require(check.state.holds_run(*id, *lease))
            }
            Self::Pause { .. } | Self::Resume { .. } => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, at: Duration) {
        match self {
            Self::InsertRun(run) => state.insert_run(run),
            Self::AdvanceRun { id, lease, cursor, counts } => state.advance_run(*id, lease, at, cursor, counts),
            Self::FinishRun { id, at, counts, error, memo, .. } => {
                state.finish_run(*id, *at, counts, error.as_ref(), memo.as_ref());
            }
            Self::ReleaseRun { id, .. } => {
                if let Some(row) = state.runs.get_mut(id) {
                    row.lease = None;
                }
            }
            Self::Pause { job, at } => {
                let row = state.jobs.entry(*job).or_insert(JobRow { slot: *at, paused_at: None, memo: None });
                row.paused_at.get_or_insert(*at);
            }
            Self::Resume { job, slot } => {
                let paused = state.jobs.get_mut(job).filter(|row| row.paused_at.is_some());
                if let Some(row) = paused {
                    (row.paused_at, row.slot) = (None, *slot);
                }
            }
        }
    }
}

impl State {
    /// Returns whether the job has a run for that scheduled time that is not a dry run.
    fn has_run(&self, job: JobName, slot: Timestamp) -> bool {
        self.runs.values().any(|row| row.run.job == job && row.run.slot == slot && !row.run.dry_run)
    }

    /// Returns whether a run is held under that lease, lapsed or not: nobody else has claimed it.
    fn holds_run(&self, id: RunId, lease: LeaseToken) -> bool {
        self.runs.get(&id).and_then(|row| row.lease.as_ref()).is_some_and(|held| held.token == lease)
    }

    fn insert_run(&mut self, run: &JobRun) {
        self.jobs.entry(run.job).or_insert(JobRow { slot: run.created_at, paused_at: None, memo: None });
        self.runs.insert(run.id, RunRow { run: run.clone(), lease: None });
    }

    fn advance_run(&mut self, id: RunId, lease: &RunLease, at: Duration, cursor: &str, counts: &Counts) {
        let Some(row) = self.runs.get_mut(&id) else { return };
        row.lease = Some(Lease { token: lease.token, until: at + lease.lasts });
        row.run.cursor = Some(cursor.to_owned());
        row.run.counts = counts.clone();
    }

    fn finish_run(&mut self, id: RunId, at: Timestamp, counts: &Counts, error: Option<&String>, memo: Option<&String>) {
        let Some(row) = self.runs.get_mut(&id) else { return };
        row.lease = None;
        row.run.finished_at = Some(at);
        row.run.counts = counts.clone();
        row.run.error = error.cloned();
        if let (Some(memo), Some(job)) = (memo, self.jobs.get_mut(&row.run.job)) {
            job.memo = Some(memo.clone());
        }
    }

    /// Returns the oldest run of a job that has not ended, and whether one of them is held.
    fn open_run(&self, job: JobName, at: Duration) -> (Option<RunId>, bool) {
        let open = || self.runs.values().filter(|row| row.run.job == job && row.run.finished_at.is_none());
        let busy = open().any(|row| row.lease.as_ref().is_some_and(|lease| lease.until > at));
        (open().map(|row| row.run.id).next(), busy)
    }
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError> {
        let (state, at) = (self.state(), self.started.elapsed());
        let job = |(job, row): (&JobName, &JobRow)| {
            let (open, busy) = state.open_run(*job, at);
            JobState { job: *job, slot: row.slot, paused_at: row.paused_at, memo: row.memo.clone(), open, busy }
        };
        Ok(state.jobs.iter().map(job).collect())
    }

    async fn advance_to(&self, job: JobName, done: Option<Timestamp>, slot: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        match (state.jobs.get_mut(&job), done) {
            (None, None) => {
                state.jobs.insert(job, JobRow { slot, paused_at: None, memo: None });
                Ok(true)
            }
            (Some(row), Some(done)) if row.slot == done && row.paused_at.is_none() => {
                row.slot = slot;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn claim_slot(&self, run: &JobRun, lease: &RunLease) -> Result<bool, StoreError> {
        let at = self.started.elapsed();
        let mut state = self.state();
        let open = state.open_run(run.job, at).0.is_some();
        let was_run = state.has_run(run.job, run.slot);
        let Some(job) = state.jobs.get_mut(&run.job) else { return Ok(false) };
        if open || job.slot != run.since || job.paused_at.is_some() {
            return Ok(false);
        }
        job.slot = run.slot;
        if was_run {
            return Ok(false);
        }
        let lease = Some(Lease { token: lease.token, until: at + lease.lasts });
        state.runs.insert(run.id, RunRow { run: run.clone(), lease });
        Ok(true)
    }

    async fn claim_run(&self, id: RunId, lease: &RunLease, now: Timestamp) -> Result<Option<JobRun>, StoreError> {
        let at = self.started.elapsed();
        let mut state = self.state();
        let Some(job) = state.runs.get(&id).filter(|row| row.run.finished_at.is_none()).map(|row| row.run.job) else {
            return Ok(None);
        };
        if state.open_run(job, at).1 {
            return Ok(None);
        }
        let Some(row) = state.runs.get_mut(&id) else { return Ok(None) };
        row.lease = Some(Lease { token: lease.token, until: at + lease.lasts });
        row.run.tries += 1;
        row.run.node = Some(lease.node.clone());
        row.run.started_at.get_or_insert(now);
        Ok(Some(row.run.clone()))
    }

    async fn run(&self, id: RunId) -> Result<Option<JobRun>, StoreError> {
        Ok(self.state().runs.get(&id).map(|row| row.run.clone()))
    }

    async fn runs(&self, job: JobName, before: Option<RunId>, size: u32) -> Result<Vec<JobRun>, StoreError> {
        let state = self.state();
        let runs = state.runs.values().rev().map(|row| &row.run).filter(|run| run.job == job);
        let older = runs.filter(|run| before.is_none_or(|before| run.id < before));
        Ok(older.take(size as usize).cloned().collect())
    }
}
