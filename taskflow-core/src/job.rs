//! Scheduled jobs: their names, when each is due, and what one run of a job is. What a job does is in `app/jobs`.

mod name;
mod plan;
mod run;
mod write;

pub use name::JobName;
pub use plan::{AcceptedSchedules, CatchUp, DueSlot, JobPlan, MOST_CAUGHT_UP};
pub use run::{Counts, JobRun, JobState, RunLease, RunState, Trigger};
pub use write::JobWrite;
