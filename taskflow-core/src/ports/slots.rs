use async_trait::async_trait;

use crate::error::StoreError;
pub use crate::job::RunLease;
use crate::{JobName, JobRun, JobState, RunId, Timestamp};

/// The state and runs of scheduled jobs, so that each scheduled time is run once, however many nodes there are.
///
/// # Contract
///
/// * One run of a job is held at a time, and a scheduled time occurs once among its runs, except for dry runs.
/// * If several callers claim or advance at the same time, one of them wins.
/// * A run that was begun and not ended can be claimed by anybody once its lease has lapsed **by the store's clock**.
///   It continues from its saved progress.
/// * Progress is written by [`JobWrite::AdvanceRun`](crate::JobWrite::AdvanceRun) and similar writes, in the same
///   commit as the work.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Returns the state of every job that has been created.
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError>;

    /// Compare-and-set: moves the job from scheduled time `done` to `slot`, in either direction. `None` creates the
    /// job. Returns whether it was applied.
    async fn advance_to(&self, job: JobName, done: Option<Timestamp>, slot: Timestamp) -> Result<bool, StoreError>;

    /// Begins the next scheduled run of its job: holds `run` and moves the job's scheduled time from `run.since` to
    /// `run.slot`. Returns false and does nothing if the scheduled time is another one, the job is paused or another
    /// run of it is open. Also returns false if that scheduled time was run by hand already, and then advances past it.
    async fn claim_slot(&self, run: &JobRun, lease: &RunLease) -> Result<bool, StoreError>;

    /// Holds a run that has not ended, if nobody holds it and no other run of its job is held. Counts one more try,
    /// begun at `now` if it was not begun before. Returns `None` if the run is held or has ended.
    async fn claim_run(&self, id: RunId, lease: &RunLease, now: Timestamp) -> Result<Option<JobRun>, StoreError>;

    /// Returns one run.
    async fn run(&self, id: RunId) -> Result<Option<JobRun>, StoreError>;

    /// Returns up to `size` runs of a job before `before` by id, newest first; from the newest on if it is `None`.
    async fn runs(&self, job: JobName, before: Option<RunId>, size: u32) -> Result<Vec<JobRun>, StoreError>;
}
