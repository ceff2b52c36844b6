//! Statistics of what users have done, for themselves and for the operator of the service.

use std::time::Duration;

use super::jobs::{Count, Counting};
use crate::error::Error;
use crate::{Actor, JobName, TaskStatistics, Totals};

/// Time for which the counted statistics of a user are shown before they are counted again.
const FRESH: Duration = Duration::from_hours(1);

/// Number of pages of the whole service that are counted while a caller waits.
const PAGES_AT_ONCE: u32 = 20;
/// Approximate number of users in each page; other rows ten times as many.
const PAGE_AT_ONCE: u32 = 500;

use_cases! {
    /// Use cases of statistics.
    StatisticsUseCases,
    /// Returns the use cases of statistics.
    statistics
}

impl StatisticsUseCases<'_> {
    /// Returns the statistics of the actor's tasks, as of the last count. They are counted now if that was longer than
    /// an hour ago or has not happened yet, because streaks end and tasks become overdue without any change that the
    /// job notices.
    pub async fn of_tasks(self, actor: Actor) -> Result<TaskStatistics, Error> {
        let scope = actor.scope()?;
        let now = self.app.clock.now();
        let counted = self.app.maintenance_port()?.statistics(scope).await?;
        if let Some(counted) = counted.filter(|counted| now.since(counted.counted_at) <= FRESH) {
            return Ok(counted);
        }
        let counted = self.app.count(&[scope.owner()], now).await?;
        counted.into_iter().next().ok_or(Error::NotFound("user"))
    }

    /// Returns the totals of the whole service as of the last count. Before the first count they are counted now, as
    /// far as that is possible while the caller waits: [`Totals::counted_at`] says whether the count is complete.
    pub async fn totals(self, actor: Actor) -> Result<Totals, Error> {
        self.app.admit_admin(actor).await?;
        let states = self.app.job_store_port()?.jobs().await?;
        let memo = states.into_iter().find(|state| state.job == JobName::STATISTICS).and_then(|state| state.memo);
        if let Some(totals) = memo.and_then(|memo| serde_json::from_str(&memo).ok()) {
            return Ok(totals);
        }
        let mut count = Count::default();
        for _ in 0..PAGES_AT_ONCE {
            match self.app.count_on(count, PAGE_AT_ONCE, self.app.clock.now()).await? {
                (Counting::Over(totals), _) => return Ok(totals),
                (Counting::GoesOn(next), _) => count = next,
            }
        }
        Ok(count.so_far().clone())
    }
}
