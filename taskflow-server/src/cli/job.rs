//! `taskflow job`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use taskflow_core::{Actor, JobName, JobRun, RunId, Schedule, Timestamp, shipped_jobs};

use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::config::Config;
use crate::wiring::{self, Opened};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// List the jobs, when each is due and what its last run did
    List,
    /// Run a job in this process and print what it did
    #[command(
        after_help = "Without --at it runs for now. Each scheduled time is run once, however many servers there are."
    )]
    Run {
        /// The job
        #[arg(value_name = "NAME", value_parser = name())]
        job: JobName,
        /// Run it for this scheduled time, as in 2026-03-29T07:00:00Z; not in the future
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<Timestamp>,
        /// Count what it would do and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the last 20 runs of a job, newest first
    Runs {
        /// The job
        #[arg(value_name = "NAME", value_parser = name())]
        job: JobName,
    },
}

fn name() -> impl TypedValueParser<Value = JobName> {
    let names = shipped_jobs().iter().map(|job| job.name().to_string());
    PossibleValuesParser::new(names).try_map(|word| word.parse::<JobName>())
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Interval at which to check whether another server has finished the run.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Runs that are listed.
const LISTED: u32 = 20;

/// A job, with the members that it has in the API and its last run.
#[derive(Debug, Serialize)]
struct Job {
    name: String,
    /// The schedule, as the setting has it; absent when it is off, and for a job that another release has run.
    schedule: Option<String>,
    /// The time at which the job is next due for anyone; absent while it is paused, off, or due for nobody within a
    /// day.
    next_at: Option<Timestamp>,
    paused_at: Option<Timestamp>,
    running: bool,
    last_run: Option<Run>,
    #[serde(skip)]
    next: String,
    /// Whether this version has the job.
    #[serde(skip)]
    known: bool,
}

#[derive(Debug, Serialize)]
struct Jobs {
    jobs: Vec<Job>,
}

/// A run, with the members that it has in the API.
#[derive(Debug, Serialize)]
struct Run {
    id: RunId,
    job: String,
    slot: Timestamp,
    trigger: &'static str,
    dry_run: bool,
    state: &'static str,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    node: Option<String>,
    counts: BTreeMap<String, u64>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Runs {
    runs: Vec<Run>,
}

impl From<JobRun> for Run {
    fn from(run: JobRun) -> Self {
        Self {
            state: run.state().as_str(),
            id: run.id,
            job: run.job.to_string(),
            slot: run.slot,
            trigger: run.trigger.as_str(),
            dry_run: run.dry_run,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            counts: run.counts.iter().map(|(what, count)| (what.to_owned(), count)).collect(),
            node: run.node,
            error: run.error,
        }
    }
}

impl Report for Run {
    /// Describes the result of the run in one line.
    fn text(&self) -> String {
        let counts = self.counts.iter().map(|(what, count)| format!("{what}={count}"));
        let mut words = vec![self.state.to_owned()];
        words.extend(self.dry_run.then(|| "(dry run)".to_owned()));
        words.extend(counts);
        words.extend(self.error.clone());
        words.join(" ")
    }
}

impl Report for Jobs {
    fn text(&self) -> String {
        let row = |job: &Job| {
            let none = if job.known { "off" } else { "unknown to this version" };
            let schedule = job.schedule.clone().unwrap_or_else(|| none.to_owned());
            let last = job.last_run.as_ref().map_or("-".to_owned(), Run::text);
            [job.name.clone(), schedule, job.next.clone(), last]
        };
        output::table(["NAME", "SCHEDULE", "NEXT", "LAST RUN"], self.jobs.iter().map(row))
    }
}

impl Report for Runs {
    fn text(&self) -> String {
        let row = |run: &Run| {
            let node = run.node.clone().unwrap_or_default();
            [run.slot.to_string(), run.trigger.to_owned(), node, run.text()]
        };
        output::table(["SCHEDULED FOR", "TRIGGER", "NODE", "RESULT"], self.runs.iter().map(row))
    }
}

pub(super) async fn run(command: Command, config: &Arc<Config>, format: Format) -> Result<(), Failure> {
    let opened = wiring::open(config).await?;
    let result = match command {
        Command::List => list(&opened).await.and_then(|jobs| format.print(&jobs)),
        Command::Run { job, at, dry_run } => run_now(&opened, job, at, dry_run, format).await,
        Command::Runs { job } => runs(&opened, job).await.and_then(|runs| format.print(&runs)),
    };
    opened.close().await;
    result
}

async fn list(opened: &Opened) -> Result<Jobs, Failure> {
    let app = &opened.app;
    let states = app.jobs().list(Actor::System).await.map_err(|error| Failure::of("cannot read the jobs", &error))?;
    let mut jobs = Vec::new();
    for state in states {
        let schedule = app.jobs().plan(state.job).map(|plan| plan.schedule.clone());
        let next_at = match state.paused_at {
            None => {
                app.jobs().next_due(state.job).await.map_err(|error| Failure::of("cannot read the jobs", &error))?
            }
            Some(_) => None,
        };
        let last = app.jobs().runs(Actor::System, state.job, None, 1).await;
        let last = last.map_err(|error| Failure::of("cannot read the runs", &error))?;
        jobs.push(Job {
            name: state.job.to_string(),
            known: app.jobs().registered_as(state.job).is_some(),
            next: match (&schedule, state.paused_at) {
                (None, _) => "-".to_owned(),
                (Some(_), Some(since)) => format!("paused since {}", minute(since)),
                (Some(schedule), None) => next(schedule, next_at),
            },
            schedule: schedule.map(|schedule| schedule.to_string()),
            next_at,
            paused_at: state.paused_at,
            running: state.busy,
            last_run: last.into_iter().next().map(Run::from),
        });
    }
    Ok(Jobs { jobs })
}

/// Describes when a job is next due. A job that follows local times is due for each user at a different instant.
fn next(schedule: &Schedule, at: Option<Timestamp>) -> String {
    let local = match schedule {
        Schedule::Local(times) => {
            let times: Vec<_> = times.iter().map(ToString::to_string).collect();
            format!("{} in each person's time zone", times.join(" and "))
        }
        Schedule::Own => "at the time each person has chosen".to_owned(),
        Schedule::Every(_) | Schedule::Daily { .. } => return at.map_or("-".to_owned(), minute),
    };
    match at {
        Some(at) => format!("{local}; first {}", minute(at)),
        None => format!("{local}; nobody within a day"),
    }
}

/// An instant to the minute, in UTC.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}

async fn run_now(
    opened: &Opened,
    job: JobName,
    at: Option<Timestamp>,
    dry_run: bool,
    format: Format,
) -> Result<(), Failure> {
    let app = &opened.app;
    let failed = |error: &taskflow_core::Error| Failure::of("cannot run the job", error);
    let run = match app.jobs().request_run(Actor::System, job, at, dry_run).await {
        Err(taskflow_core::Error::Taken(_)) => {
            return Err(Failure::new(format!("{job} has been run for that time already"))
                .advise(format!("see its runs with: taskflow job runs {job}"))
                .because(Reason::Refused));
        }
        result => result.map_err(|error| failed(&error))?,
    };
    // A server on the same database may have begun it before.
    let run = loop {
        app.jobs().run(job).await.map_err(|error| failed(&error))?;
        let now = app.jobs().get_run(Actor::System, job, run.id).await.map_err(|error| failed(&error))?;
        if now.finished_at.is_some() {
            break now;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    match &run.error {
        Some(error) => Err(Failure::new(format!("the run failed: {error}"))),
        None => format.print(&Run::from(run)),
    }
}

async fn runs(opened: &Opened, job: JobName) -> Result<Runs, Failure> {
    let runs = opened.app.jobs().runs(Actor::System, job, None, LISTED).await;
    let runs = runs.map_err(|error| Failure::of("cannot read the runs", &error))?;
    Ok(Runs { runs: runs.into_iter().map(Run::from).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_of_a_local_schedule_is_told_as_people_live_it() {
        let at = "2026-03-29T07:00:00Z".parse().expect("a time");
        let next = |schedule: &str, at| next(&schedule.parse().expect("a schedule"), at);
        assert_eq!(
            next("local 08:00,20:00", Some(at)),
            "08:00 and 20:00 in each person's time zone; first 2026-03-29T07:00Z"
        );
        assert_eq!(next("own", None), "at the time each person has chosen; nobody within a day");
        assert_eq!(next("every 5m", Some(at)), "2026-03-29T07:00Z");
    }
}
