//! The beat of the job runner. Nothing depends on it but the moment of a look: core finds in the database what is due,
//! who runs it and what was missed, because a timer in a process knows nothing about other nodes, its own downtime and
//! clocks that change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every second, the finest interval of the scheduler.
const EVERY_SECOND: &str = "* * * * * *";
const SECOND: Duration = Duration::from_secs(1);

/// A source of beats.
pub(super) enum Ticker {
    /// The scheduler, for intervals of at least a second.
    Scheduled { scheduler: JobScheduler, beat: Arc<Notify>, every: Duration, last: Option<Instant> },
    /// A plain interval, for fractions of a second and when the scheduler does not start.
    Plain(tokio::time::Interval),
}

impl Ticker {
    pub(super) async fn start(every: Duration) -> Self {
        if every >= SECOND {
            let beat = Arc::new(Notify::new());
            match scheduler(Arc::clone(&beat)).await {
                Ok(scheduler) => return Self::Scheduled { scheduler, beat, every, last: None },
                Err(error) => tracing::warn!(%error, "no scheduler; an interval beats in its place"),
            }
        }
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Plain(interval)
    }

    /// Waits for the next beat; the first comes at once. Cancel safe.
    pub(super) async fn next(&mut self) {
        match self {
            Self::Plain(interval) => {
                interval.tick().await;
            }
            Self::Scheduled { beat, every, last, .. } => {
                while let Some(last) = *last {
                    beat.notified().await;
                    // A beat may come a little early after a late one.
                    if last.elapsed() + SECOND / 2 >= *every {
                        break;
                    }
                }
                *last = Some(Instant::now());
            }
        }
    }

    pub(super) async fn stop(self) {
        if let Self::Scheduled { mut scheduler, .. } = self
            && let Err(error) = scheduler.shutdown().await
        {
            tracing::debug!(%error, "the scheduler did not stop");
        }
    }
}

async fn scheduler(beat: Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new(EVERY_SECOND, move |_, _| beat.notify_one())?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
