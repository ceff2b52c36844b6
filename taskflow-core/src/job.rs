//! Scheduled jobs: their names, schedules and runs. The jobs themselves are in `app/jobs`.

mod name;
mod plan;
mod run;
mod write;

pub use name::JobName;
pub use plan::{AcceptedSchedules, CatchUp, DueAction, JobPlan, MOST_CAUGHT_UP};
pub use run::{Counts, JobRun, JobState, RunLease, RunState, Trigger};
pub use write::JobWrite;
