use super::{Counts, JobName, JobRun, RunLease};
use crate::{LeaseToken, RunId, Timestamp};

/// A write of a job or of one of its runs.
#[derive(Debug, Clone, PartialEq)]
pub enum JobWrite {
    /// Inserts a run that was requested by hand; `Taken` if the job has a run for that scheduled time that is not a dry
    /// run.
    InsertRun(JobRun),
    /// Saves the progress of a run and holds it for another `lease.lasts`; `Stale` unless it is held under `lease.token`.
    AdvanceRun {
        /// The run.
        id: RunId,
        /// The lease under which it is held.
        lease: RunLease,
        /// The position at which the run continues.
        cursor: String,
        /// The run's counters so far.
        counts: Counts,
    },
    /// Ends a run and gives up its lease; `Stale` unless it is held under this lease.
    FinishRun {
        /// The run.
        id: RunId,
        /// The lease under which it is held.
        lease: LeaseToken,
        /// The time at which it ended.
        at: Timestamp,
        /// The run's counters.
        counts: Counts,
        /// The error that ended it, if it failed.
        error: Option<String>,
        /// The memo for the job's next run; `None` keeps the stored one.
        memo: Option<String>,
    },
    /// Gives up the lease of an unfinished run, so that any node can continue it; `Stale` unless it is held under this
    /// lease.
    ReleaseRun {
        /// The run.
        id: RunId,
        /// The lease under which it is held.
        lease: LeaseToken,
    },
    /// Pauses the schedule of a job; a paused job keeps the time since when it is paused. Open runs go on.
    Pause {
        /// The job.
        job: JobName,
        /// The time since when it is paused.
        at: Timestamp,
    },
    /// Resumes the schedule of a paused job; scheduled times in the meantime are not made up for.
    Resume {
        /// The job.
        job: JobName,
        /// The scheduled time up to which everything counts as done.
        slot: Timestamp,
    },
}
