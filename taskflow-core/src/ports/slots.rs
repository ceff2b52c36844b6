use async_trait::async_trait;

use crate::error::StoreError;
pub use crate::job::RunLease;
use crate::{JobName, JobRun, JobState, RunId, Timestamp};

/// The state and runs of scheduled jobs, so that each scheduled time is run once, however many nodes there are.
///
/// # Contract
///
/// * Of a job one run at a time is held, and a slot comes once among its runs, dry runs aside.
/// * Whoever claims, takes or passes at the same time: one of them wins.
/// * A run that was begun and not ended can be taken by anybody once its lease has lapsed **by the store's clock**; what it
///   had saved goes on from there.
/// * Progress is written by [`JobWrite::AdvanceRun`](crate::JobWrite::AdvanceRun) and its like, in the commit of what it is about.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Every job that somebody has begun to look after.
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError>;

    /// Says that everything up to `slot` is taken care of, and nothing later, if `done` is what was so far, before it or
    /// after it; `None`: the job is new. Whether it was so.
    async fn advance_to(&self, job: JobName, done: Option<Timestamp>, slot: Timestamp) -> Result<bool, StoreError>;

    /// Begins a scheduled run as the store's next one of its job: holds `run` and moves the job's slot from `run.since` to
    /// `run.slot`. False, and nothing is done, when the slot was not there, the job is paused or another run of it is
    /// open; false as well when that slot was run by hand already, and then it is passed.
    async fn claim_slot(&self, run: &JobRun, lease: &RunLease) -> Result<bool, StoreError>;

    /// Holds a run that is not over, if nobody holds it and no other run of its job is held: one try more, begun at `now` if
    /// it was not. `None` when somebody does, or it is over.
    async fn claim_run(&self, id: RunId, lease: &RunLease, now: Timestamp) -> Result<Option<JobRun>, StoreError>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<JobRun>, StoreError>;

    /// Up to `size` runs of a job before `before` by id, the newest first; from the newest on when it is `None`.
    async fn runs(&self, job: JobName, before: Option<RunId>, size: u32) -> Result<Vec<JobRun>, StoreError>;
}
