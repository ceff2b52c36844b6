//! Statistics: recounts the tasks of users whose feed has changed, and then the whole service.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::super::totals::{Count, Counting};
use super::super::{App, Job, JobContext, JobPage};
use crate::error::Error;
use crate::{
    CatchUp, Changes, JobName, JobPlan, LONGEST_STREAK, Schedule, StatisticsWrite, TaskStatistics, Timestamp, Trigger,
    UserId, streak,
};

/// Margin for slow commits and for differences between the clocks of nodes: a run looks for changes from this long
/// before the last run.
const OVERLAP: Duration = Duration::from_mins(5);

/// Maximum number of users in a page: each brings up to a year of completions.
const PAGE: u32 = 100;

/// The start of the next page.
#[derive(Debug, Serialize, Deserialize)]
enum Cursor {
    /// The users after this one.
    People(UserId),
    /// With the whole service.
    Totals(Box<Count>),
}

impl JobName {
    /// The job that updates statistics.
    pub const STATISTICS: Self = Self::new("statistics");
}

pub(super) struct Statistics;

#[async_trait]
impl Job for Statistics {
    fn name(&self) -> JobName {
        JobName::STATISTICS
    }

    fn summary(&self) -> &'static str {
        "updates statistics"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_hours(1)), catch_up: CatchUp::Latest }
    }

    /// Counts the tasks of the next users, and finally the whole service.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let JobContext { app, run, size } = *context;
        let cursor = run.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
        let after = match cursor {
            Some(Cursor::Totals(count)) => return totals_page(app, *count, size).await,
            Some(Cursor::People(after)) => Some(after),
            None => None,
        };
        let size = size.min(PAGE);
        let owners = match run.trigger {
            Trigger::Now => app.store.users_after(after, size).await?.into_iter().map(|user| user.id).collect(),
            Trigger::Schedule | Trigger::Slot => {
                app.maintenance_port()?.changed_since(run.since - OVERLAP, after, size).await?
            }
        };
        let statistics = app.count(&owners, context.now()).await?;
        let next = match owners.last().filter(|_| owners.len() == size as usize) {
            Some(last) => Cursor::People(*last),
            None => Cursor::Totals(Box::default()),
        };
        Ok(page_of(statistics, Some(&next)))
    }
}

async fn totals_page(app: &App, count: Count, size: u32) -> Result<JobPage, Error> {
    let (counting, statistics) = app.count_on(count, size, app.clock.now()).await?;
    Ok(match counting {
        Counting::GoesOn(count) => page_of(statistics, Some(&Cursor::Totals(Box::new(count)))),
        Counting::Over(totals) => page_of(statistics, None).leave_memo(serde_json::to_string(&totals).ok()),
    })
}

impl App {
    /// Counts the tasks of users; those who are gone are left out.
    pub(in crate::app) async fn count(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskStatistics>, Error> {
        let users = self.store.users(owners).await?;
        let counts = self.maintenance_port()?.task_counts(owners, now).await?;
        let mut completions: HashMap<UserId, Vec<Timestamp>> = HashMap::new();
        for (owner, at) in self.maintenance_port()?.completions(owners, now - LONGEST_STREAK).await? {
            completions.entry(owner).or_default().push(at);
        }
        let counted = owners.iter().zip(counts).filter_map(|(owner, counts)| {
            let user = users.get(owner)?.as_ref().ok()?;
            let done = completions.remove(owner).unwrap_or_default();
            let streak_days = streak(&done, &user.time_zone, now);
            Some(TaskStatistics { user_id: *owner, counted_at: now, counts, streak_days })
        });
        Ok(counted.collect())
    }
}

/// Creates a page that stores the statistics of users.
fn page_of(statistics: Vec<TaskStatistics>, next: Option<&Cursor>) -> JobPage {
    let page = JobPage::new().count("counted", statistics.len() as u64);
    let changes = statistics.into_iter().map(StatisticsWrite::Set).fold(Changes::new(), Changes::write);
    page.commit(changes).next(next.and_then(|cursor| serde_json::to_string(cursor).ok()))
}
