//! Deletion of data past its retention, a page at a time.

use std::time::Duration;

use async_trait::async_trait;

use super::super::{App, Job, JobContext, JobPage, SMALLEST_PAGE};
use crate::error::Error;
use crate::ports::Expired;
use crate::{
    Actor, CatchUp, Changes, FeedEvent, JobName, JobPlan, JobRun, LocalMinute, RESPONSE_LIFETIME, Schedule, Task,
    TaskWrite, Timestamp, Zone,
};

/// The retention of each kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Completed tasks, before they are moved to the trash.
    pub completed: Duration,
    /// Tasks in the trash, and cancelled meetings.
    pub trash: Duration,
    /// Settled deliveries, those two days at least, and finished runs of jobs.
    pub ledger: Duration,
    /// Entries of feeds.
    pub feed: Duration,
}

impl Default for RetentionPolicy {
    /// Returns 30 days for each kind of data, and 14 days for feeds.
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self { completed: days(30), trash: days(30), ledger: days(30), feed: days(14) }
    }
}

/// Shortest retention of settled deliveries. Their keys keep sent mail from being planned again by jobs that look back:
/// the repair of reminders does for a day, a fan-out a little longer.
const SHORTEST_LEDGER: Duration = Duration::from_hours(48);

/// Retention of sessions and tokens that are over, so that a late request learns why it is refused.
const SHORTLY: Duration = Duration::from_hours(48);

impl RetentionPolicy {
    /// Returns the data past its retention at `now`, in the order in which it is deleted.
    fn expired(&self, now: Timestamp) -> [Expired; 9] {
        [
            Expired::TrashedTasks(now - self.trash),
            Expired::CancelledMeetings(now - self.trash),
            Expired::Feed(now - self.feed),
            Expired::Deliveries(now - self.ledger.max(SHORTEST_LEDGER)),
            Expired::Runs(now - self.ledger),
            Expired::Sessions(now - SHORTLY),
            Expired::Tokens(now - SHORTLY),
            Expired::Answers(now - RESPONSE_LIFETIME),
            Expired::FullBuckets,
        ]
    }
}

/// The count of tasks that a run moved to the trash.
const TRASHED: &str = "tasks_trashed";

/// The count at which a dry run stops counting a kind. It is enough to judge what a run would delete, and nobody has to
/// wait for a whole table.
const MOST_COUNTED: u32 = 20_000;

impl JobName {
    /// The job that deletes data past its retention.
    pub const DATA_CLEANUP: Self = Self::new("data_cleanup");
}

pub(super) struct DataCleanup;

#[async_trait]
impl Job for DataCleanup {
    fn name(&self) -> JobName {
        JobName::DATA_CLEANUP
    }

    fn summary(&self) -> &'static str {
        "deletes data past its retention"
    }

    fn default_plan(&self) -> JobPlan {
        let at = LocalMinute::new(2 * 60).unwrap_or_default();
        JobPlan { schedule: Schedule::Daily { at, zone: Zone::utc() }, catch_up: CatchUp::Latest }
    }

    /// Returns the smallest page size, because the cost of a row is unknown at first.
    fn first_page_size(&self) -> u32 {
        SMALLEST_PAGE
    }

    /// Moves completed tasks to the trash first, where their owners still find them, then deletes one kind of data
    /// after the other. The cursor is the number of kinds that are done.
    ///
    /// A task that a run moves to the trash stays there at least until the next run, because it got there after the
    /// run's scheduled time. So a dry run, which moves nothing, counts exactly the rows that a run would delete.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let JobContext { app, run, size } = *context;
        let retention = &app.jobs.keeping;
        // A scheduled time of next year, from a clock that was wrong, would find that everything is past its retention.
        let as_of = run.slot.min(app.clock.now());
        match run.cursor.as_deref().and_then(|cursor| cursor.parse::<usize>().ok()) {
            None => trash(app, run, as_of - retention.completed, size).await,
            Some(done) => purge(app, run, &retention.expired(as_of), done, size).await,
        }
    }
}

/// Moves a page of the tasks that were completed before `before` to the trash.
async fn trash(app: &App, run: &JobRun, before: Timestamp, size: u32) -> Result<JobPage, Error> {
    let first_kind = Some("0".to_owned());
    if run.dry_run {
        let count = app.maintenance_port()?.count_completed_before(before, MOST_COUNTED).await?;
        return Ok(counted(JobPage::new(), TRASHED, count).next(first_kind));
    }
    let tasks = app.maintenance_port()?.tasks_completed_before(before, size).await?;
    let is_last = tasks.len() < size as usize;
    let changes = tasks.iter().fold(Changes::new(), |changes, task| changes.and(move_to_trash(app, task)));
    let page = JobPage { is_last_of_its_kind: is_last, ..JobPage::new() };
    let next = if is_last { first_kind } else { Some(String::new()) };
    Ok(page.count(TRASHED, tasks.len() as u64).commit(changes).next(next))
}

fn move_to_trash(app: &App, task: &Task) -> Changes {
    let now = app.clock.now();
    let after = task.trash(now);
    let event = FeedEvent::task(app.event_id(now), Actor::System, Some(task), &after);
    Changes::new().write(TaskWrite::Update(after)).announce(event)
}

/// Deletes a page of the first kind that is not done.
async fn purge(app: &App, run: &JobRun, all: &[Expired], done: usize, size: u32) -> Result<JobPage, Error> {
    let mut page = JobPage::new();
    let Some(expired) = all.get(done) else { return Ok(page) };
    if run.dry_run {
        let count = app.maintenance_port()?.count_expired(*expired, MOST_COUNTED).await?;
        page = counted(page, expired.as_str(), count);
        page.is_last_of_its_kind = true;
    } else {
        let began = app.clock.monotonic();
        let removed = app.maintenance_port()?.purge(*expired, size).await?;
        page.held = app.clock.monotonic().saturating_sub(began);
        page.is_last_of_its_kind = removed == 0;
        page = page.count(expired.as_str(), removed);
    }
    let next = done + usize::from(page.is_last_of_its_kind);
    Ok(page.next((next < all.len()).then(|| next.to_string())))
}

/// Adds the count of a dry run; if counting stopped early, the name says that there are at least that many.
fn counted(page: JobPage, what: &str, count: u64) -> JobPage {
    match count < u64::from(MOST_COUNTED) {
        true => page.count(what, count),
        false => page.count(&format!("{what}_at_least"), count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_dry_run_stopped_counting_it_says_so() {
        let page = counted(JobPage::new(), "answers_purged", 19_999);
        let page = counted(page, "tokens_purged", 20_000);
        let counts: Vec<_> = page.counts.iter().collect();
        assert_eq!(counts, [("answers_purged", 19_999), ("tokens_purged_at_least", 20_000)]);
    }
}
