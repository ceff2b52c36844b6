//! Planning a mail to everybody, as production does it: the job of the daily summaries, run by hand for now.
//!
//! So the figure holds what a morning costs: who there is is found by index, zone by zone and page by page; each page is one
//! commit of its deliveries together with how far the run has come, and its size follows what a commit takes.

use std::time::Duration;

use taskflow_core::{Actor, App, Error, JobName, RunId};
use tokio::time::sleep;

use super::progress::Progress;
use crate::cli::failure::Failure;

/// The job with the most to do for each person: what was done yesterday, what is open, what is overdue, today's meetings.
const JOB: JobName = JobName::DAILY_SUMMARIES;

/// Interval at which a progress bar is updated.
const BEAT: Duration = Duration::from_millis(200);

/// Runs the job over everybody; what is planned is due at the slot of the run, which is now.
pub(super) async fn plan(app: &App, progress: &Progress) -> Result<(), Failure> {
    let failed = |error: &Error| Failure::of("cannot plan mail", error);
    let asked = app.jobs().request_run(Actor::System, JOB, None, false).await.map_err(|error| failed(&error))?;
    tokio::select! {
        done = app.jobs().run(JOB) => done.map(drop).map_err(|error| failed(&error))?,
        never = watch(app, asked.id, progress), if Progress::is_seen() => match never {},
    }
    let run = app.jobs().get_run(Actor::System, JOB, asked.id).await.map_err(|error| failed(&error))?;
    match (&run.error, run.finished_at) {
        (Some(error), _) => Err(Failure::new(format!("cannot plan mail: {error}"))),
        (None, None) => Err(Failure::new("cannot plan mail: the run was not begun or not ended")),
        (None, Some(_)) => Ok(()),
    }
}

/// Moves the bar to how many the run has found so far.
async fn watch(app: &App, run: RunId, progress: &Progress) -> std::convert::Infallible {
    loop {
        sleep(BEAT).await;
        if let Ok(run) = app.jobs().get_run(Actor::System, JOB, run).await {
            progress.at(run.counts.get("found"));
        }
    }
}
