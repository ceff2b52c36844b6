//! The job runner: decides when core looks for due jobs, and runs each in a task of its own, so that a job over all
//! users delays no other.

mod ticker;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskflow_core::{App, Error, JobName, RunReport};
use ticker::Ticker;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time of the last successful look for due jobs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SchedulerPulse(Arc<Mutex<Option<Instant>>>);

impl SchedulerPulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns how long ago that was; `None` before the first time.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }
}

/// Looks for due jobs at every tick and runs them.
pub struct JobRunner {
    app: Arc<App>,
    tick: Duration,
    pulse: SchedulerPulse,
    /// Jobs that this process is running.
    under_way: HashSet<JobName>,
    /// The last look failed, and the log says so.
    failing: bool,
}

impl JobRunner {
    /// Creates a runner for the jobs of `app` that looks every `tick`.
    #[must_use]
    pub fn new(app: Arc<App>, tick: Duration, pulse: SchedulerPulse) -> Self {
        Self { app, tick, pulse, under_way: HashSet::new(), failing: false }
    }

    /// Runs until `stop` is cancelled, and waits for jobs under way;
    /// [`OutboxUseCases::drain`](taskflow_core::use_cases::OutboxUseCases::drain) makes them end after their page.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = Ticker::start(self.tick).await;
        let mut runs = JoinSet::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = ticks.next() => self.begin_what_is_due(&mut runs).await,
                Some(ended) = runs.join_next() => self.ended(ended),
            }
        }
        ticks.stop().await;
        while let Some(ended) = runs.join_next().await {
            self.ended(ended);
        }
    }

    async fn begin_what_is_due(&mut self, runs: &mut JoinSet<Ended>) {
        let due = match self.app.jobs().due().await {
            Ok(due) => due,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot look for jobs that are due; they wait until the store is back");
                }
                return;
            }
        };
        self.pulse.beat();
        if std::mem::take(&mut self.failing) {
            tracing::info!("jobs go on");
        }
        for job in due {
            if self.under_way.insert(job) {
                let app = Arc::clone(&self.app);
                // In a task within the task, so that a panic is logged with the name of the job.
                runs.spawn(async move {
                    let done = tokio::spawn(async move { app.jobs().run(job).await }).await;
                    Ended { job, done: done.map_err(|_| Panicked) }
                });
            }
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ok(Ended { job, done }) = ended else { return };
        self.under_way.remove(&job);
        match done {
            Ok(Ok(reports)) => reports.iter().for_each(log),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%job, error, "a job broke off; it goes on where it was");
            }
            Err(Panicked) => tracing::error!(%job, "a job panicked; it is begun again when its lease is over"),
        }
    }
}

/// The result of a job that this process ran.
struct Ended {
    job: JobName,
    done: Result<Result<Vec<RunReport>, Error>, Panicked>,
}

struct Panicked;

fn log(report: &RunReport) {
    let RunReport { run, lost } = report;
    let counts: Vec<_> = run.counts.iter().map(|(what, count)| format!("{what}={count}")).collect();
    let (job, id, slot, counts) = (run.job, run.id, run.slot, counts.join(" "));
    match (lost, run.finished_at) {
        (true, _) => tracing::warn!(%job, run = %id, %slot, "another node has taken the run over"),
        (false, None) => tracing::info!(%job, run = %id, %slot, counts, "left the run to whoever takes it"),
        (false, Some(_)) => tracing::info!(%job, run = %id, %slot, counts, error = run.error, "a run is over"),
    }
}
