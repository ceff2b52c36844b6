//! Totals of the whole service, counted a page of rows at a time, so that no statement takes long.

use serde::{Deserialize, Serialize};

use super::App;
use crate::error::Error;
use crate::ports::CountedPage;
use crate::{DeliveryId, MeetingId, TaskStatistics, Timestamp, Totals, UserId};

/// A count of the whole service under way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::app) struct Count {
    so_far: Totals,
    next: Next,
}

/// The rows of the next page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Next {
    People(Option<UserId>),
    Meetings(Option<MeetingId>),
    Deliveries(Option<DeliveryId>),
}

impl Default for Next {
    fn default() -> Self {
        Self::People(None)
    }
}

/// A count after a page.
pub(in crate::app) enum Counting {
    /// There is more to count.
    GoesOn(Count),
    /// Everything is counted.
    Over(Totals),
}

/// Factor by which pages of rows that are only counted are larger than pages of users.
const ROWS: u32 = 10;

/// Maximum number of users in a page whose tasks were never counted before.
const NEW_PEOPLE: usize = 100;

impl Count {
    /// Returns the count so far; it may be incomplete.
    pub(in crate::app) fn so_far(&self) -> &Totals {
        &self.so_far
    }
}

impl App {
    /// Counts the next page of the service: about `size` users, or more of other rows. Also counts the tasks of users
    /// whose tasks were never counted, and returns these statistics to be stored.
    ///
    /// The number of tasks is the sum of the statistics of users, which the job updates for every user with a change.
    /// While deliveries are purged some may be missed until the next count, but none counts twice.
    pub(in crate::app) async fn count_on(
        &self,
        count: Count,
        size: u32,
        now: Timestamp,
    ) -> Result<(Counting, Vec<TaskStatistics>), Error> {
        let Count { so_far: mut totals, next } = count;
        let rows = size.saturating_mul(ROWS);
        let (next, counted) = match next {
            Next::People(after) => {
                let (next, counted) = self.count_people(&mut totals, after, size, now).await?;
                (Some(next.map_or(Next::Meetings(None), |last| Next::People(Some(last)))), counted)
            }
            Next::Meetings(after) => {
                let CountedPage { count, next } = self.maintenance_port()?.count_meetings(after, rows).await?;
                totals.meetings += count;
                if next.is_none() {
                    // Before deliveries are looked at: what is purged meanwhile must not count twice.
                    totals.deliveries = self.maintenance_port()?.count_purged_deliveries().await?;
                }
                (Some(next.map_or(Next::Deliveries(None), |last| Next::Meetings(Some(last)))), Vec::new())
            }
            Next::Deliveries(after) => {
                let CountedPage { count, next } = self.maintenance_port()?.count_deliveries(after, rows).await?;
                totals.deliveries += count;
                (next.map(|last| Next::Deliveries(Some(last))), Vec::new())
            }
        };
        let standing = match next {
            Some(next) => Counting::GoesOn(Count { so_far: totals, next }),
            None => Counting::Over(Totals { counted_at: Some(now), ..totals }),
        };
        Ok((standing, counted))
    }

    /// Counts a page of users, cut off after [`NEW_PEOPLE`] new ones, and returns the user after whom the next page
    /// begins.
    async fn count_people(
        &self,
        totals: &mut Totals,
        after: Option<UserId>,
        size: u32,
        now: Timestamp,
    ) -> Result<(Option<UserId>, Vec<TaskStatistics>), Error> {
        let mut people = self.maintenance_port()?.counted_people(after, size).await?;
        let mut new = people.iter().enumerate().filter(|(_, person)| person.tasks.is_none());
        let cut = new.nth(NEW_PEOPLE).map(|(place, _)| place);
        let is_last = cut.is_none() && people.len() < size as usize;
        people.truncate(cut.unwrap_or(people.len()));
        for person in &people {
            totals.users += 1;
            totals.active_users += u64::from(person.is_active);
            let known = person.tasks.unwrap_or_default();
            totals.tasks += known.total;
            totals.completed_tasks += known.completed;
        }
        let new: Vec<UserId> =
            people.iter().filter(|person| person.tasks.is_none()).map(|person| person.user_id).collect();
        let counted = if new.is_empty() { Vec::new() } else { self.count(&new, now).await? };
        for statistics in &counted {
            totals.tasks += statistics.counts.total;
            totals.completed_tasks += statistics.counts.completed;
        }
        Ok((people.last().filter(|_| !is_last).map(|person| person.user_id), counted))
    }
}
