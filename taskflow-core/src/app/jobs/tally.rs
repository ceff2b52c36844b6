//! Counting what people have done: those whose feed says that something changed since the last time.

use std::collections::HashMap;
use std::time::Duration;

use super::{App, PageOfWork};
use crate::error::Error;
use crate::{Changes, JobRun, LONGEST_STREAK, TaskStatistics, Timestamp, Trigger, UserId, Write, streak};

/// What was committed later than it says it happened: the clocks of nodes differ, and commits take their time.
const OVERLAP: Duration = Duration::from_mins(5);

/// Most people of a page: each brings up to a year of completions.
const PAGE: u32 = 100;

impl App {
    /// Counts the next people. The last page counts the service.
    pub(super) async fn tally_page(&self, run: &JobRun, size: u32) -> Result<PageOfWork, Error> {
        let mut page = PageOfWork::default();
        let size = size.min(PAGE);
        let after: Option<UserId> = run.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let owners = match run.trigger {
            Trigger::Now => self.store.users_after(after, size).await?.into_iter().map(|user| user.id).collect(),
            Trigger::Schedule | Trigger::Slot => self.upkeep.changed_since(run.since - OVERLAP, after, size).await?,
        };
        let counted = self.count(&owners, self.clock.now()).await?;
        page.counts.add("counted", counted.len() as u64);
        page.changes = counted.into_iter().map(Write::SetStatistics).fold(Changes::new(), Changes::write);
        page.cursor = owners.last().filter(|_| owners.len() == size as usize).map(ToString::to_string);
        if page.cursor.is_none() {
            let totals = self.upkeep.totals().await?;
            page.memo = serde_json::to_string(&totals).ok();
        }
        Ok(page)
    }

    /// Counts the tasks of people; who is gone is left out.
    pub(in super::super) async fn count(
        &self,
        owners: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<TaskStatistics>, Error> {
        let users = self.store.users(owners).await?;
        let counts = self.upkeep.task_counts(owners, now).await?;
        let mut completions: HashMap<UserId, Vec<Timestamp>> = HashMap::new();
        for (owner, at) in self.upkeep.completions(owners, now - LONGEST_STREAK).await? {
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
