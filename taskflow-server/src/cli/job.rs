//! `taskflow job`.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{Actor, JobName, JobRun, Timestamp};

use super::failure::Failure;
use super::output;
use crate::config::Config;
use crate::wiring::{self, Opened};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the jobs, when each is due and what its last run did.
    List,
    /// Runs a job in this process, now or for the slot of an instant, and tells what it did. A slot is run once.
    Run {
        /// Which, for example daily_summaries.
        #[arg(value_name = "NAME", value_parser = name)]
        job: JobName,
        /// The instant of the slot, as in 2026-03-29T07:00:00Z; it must not lie ahead.
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<Timestamp>,
        /// Counts what it would do and does nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists the last runs of a job, the newest first.
    Runs {
        /// Which, for example daily_summaries.
        #[arg(value_name = "NAME", value_parser = name)]
        job: JobName,
    },
}

fn name(text: &str) -> Result<JobName, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// How soon to look again whether somebody else is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Runs that are listed.
const LISTED: u32 = 20;

pub(super) async fn run(command: Command, config: &Arc<Config>) -> Result<(), Failure> {
    let opened = wiring::open(config).await?;
    let result = match command {
        Command::List => list(&opened).await,
        Command::Run { job, at, dry_run } => run_now(&opened, job, at, dry_run).await,
        Command::Runs { job } => runs(&opened, job).await,
    };
    opened.close().await;
    result
}

async fn list(opened: &Opened) -> Result<(), Failure> {
    let app = &opened.app;
    let states = app.jobs(Actor::System).await.map_err(|error| Failure::of("cannot read the jobs", &error))?;
    let mut rows = vec![["NAME", "SCHEDULE", "NEXT", "LAST RUN"].map(str::to_owned).to_vec()];
    let now = opened.clock.now();
    for state in states {
        let plan = app.job_plan(state.job);
        let next = match (plan, state.paused_at) {
            (None, _) => "-".to_owned(),
            (_, Some(since)) => format!("paused since {since}"),
            (Some(plan), None) => plan.schedule.next(now).to_string(),
        };
        let last = app.job_runs(Actor::System, state.job, None, 1).await;
        let last = last.map_err(|error| Failure::of("cannot read the runs", &error))?;
        rows.push(vec![
            state.job.to_string(),
            plan.map_or("off".to_owned(), |plan| plan.schedule.to_string()),
            next,
            last.first().map_or("-".to_owned(), summary),
        ]);
    }
    output::line(&output::table(&rows))
}

async fn run_now(opened: &Opened, job: JobName, at: Option<Timestamp>, dry_run: bool) -> Result<(), Failure> {
    let app = &opened.app;
    let failed = |error: &taskflow_core::Error| Failure::of("cannot run the job", error);
    let run = match app.request_run(Actor::System, job, at, dry_run).await {
        Err(taskflow_core::Error::Taken(_)) => {
            return Err(Failure::new(format!("{job} has a run for that slot already"))
                .advise(format!("see it with: taskflow job runs {job}")));
        }
        result => result.map_err(|error| failed(&error))?,
    };
    // A server on the same database may have begun it before.
    let run = loop {
        app.run_job(job).await.map_err(|error| failed(&error))?;
        let now = app.job_run(Actor::System, job, run.id).await.map_err(|error| failed(&error))?;
        if now.finished_at.is_some() {
            break now;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    match &run.error {
        Some(error) => Err(Failure::new(format!("the run failed: {error}"))),
        None => output::line(&summary(&run)),
    }
}

async fn runs(opened: &Opened, job: JobName) -> Result<(), Failure> {
    let runs = opened.app.job_runs(Actor::System, job, None, LISTED).await;
    let runs = runs.map_err(|error| Failure::of("cannot read the runs", &error))?;
    let mut rows = vec![["SLOT", "ASKED BY", "NODE", "RESULT"].map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| {
        let node = run.node.clone().unwrap_or_default();
        vec![run.slot.to_string(), run.trigger.as_str().to_owned(), node, summary(run)]
    }));
    output::line(&output::table(&rows))
}

/// What came of a run, in a line.
fn summary(run: &JobRun) -> String {
    let counts = run.counts.iter().map(|(what, count)| format!("{what}={count}"));
    let mut words = vec![run.state().as_str().to_owned()];
    words.extend(run.dry_run.then(|| "(dry run)".to_owned()));
    words.extend(counts);
    words.extend(run.error.clone());
    words.join(" ")
}
