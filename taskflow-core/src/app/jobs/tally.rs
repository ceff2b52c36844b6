//! Counting what people have done: those whose feed says that something changed since the last time.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::totals::{Count, Counting};
use super::{App, PageOfWork};
use crate::error::Error;
use crate::{Changes, JobRun, LONGEST_STREAK, TaskStatistics, Timestamp, Trigger, UserId, Write, streak};

/// What was committed later than it says it happened: the clocks of nodes differ, and commits take their time.
const OVERLAP: Duration = Duration::from_mins(5);

/// Most people of a page: each brings up to a year of completions.
const PAGE: u32 = 100;

/// Where a run goes on.
#[derive(Debug, Serialize, Deserialize)]
enum Cursor {
    /// With whoever comes after this person.
    People(UserId),
    /// With the whole service.
    Totals(Box<Count>),
}

impl App {
    /// Counts the next people, and then the service.
    pub(super) async fn tally_page(&self, run: &JobRun, size: u32) -> Result<PageOfWork, Error> {
        let cursor = run.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
        let after = match cursor {
            Some(Cursor::Totals(count)) => return self.totals_page(*count, size).await,
            Some(Cursor::People(after)) => Some(after),
            None => None,
        };
        let size = size.min(PAGE);
        let owners = match run.trigger {
            Trigger::Now => self.store.users_after(after, size).await?.into_iter().map(|user| user.id).collect(),
            Trigger::Schedule | Trigger::Slot => self.upkeep.changed_since(run.since - OVERLAP, after, size).await?,
        };
        let counted = self.count(&owners, self.clock.now()).await?;
        let next = match owners.last().filter(|_| owners.len() == size as usize) {
            Some(last) => Cursor::People(*last),
            None => Cursor::Totals(Box::default()),
        };
        Ok(tallied(counted, Some(&next)))
    }

    async fn totals_page(&self, count: Count, size: u32) -> Result<PageOfWork, Error> {
        let (standing, counted) = self.count_on(count, size, self.clock.now()).await?;
        Ok(match standing {
            Counting::GoesOn(count) => tallied(counted, Some(&Cursor::Totals(Box::new(count)))),
            Counting::Over(totals) => {
                PageOfWork { memo: serde_json::to_string(&totals).ok(), ..tallied(counted, None) }
            }
        })
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

/// A page that writes down what was counted of people.
fn tallied(counted: Vec<TaskStatistics>, next: Option<&Cursor>) -> PageOfWork {
    let mut page = PageOfWork::default();
    page.counts.add("counted", counted.len() as u64);
    page.changes = counted.into_iter().map(Write::SetStatistics).fold(Changes::new(), Changes::write);
    page.cursor = next.and_then(|cursor| serde_json::to_string(cursor).ok());
    page
}
