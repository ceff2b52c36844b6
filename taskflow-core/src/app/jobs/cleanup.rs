//! Removing what has served its time, a slice at a time.

use std::time::Duration;

use super::{App, PageOfWork};
use crate::error::Error;
use crate::ports::Expired;
use crate::{ANSWER_LIFETIME, Actor, Changes, FeedEvent, JobRun, Task, Timestamp, Write};

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// A completed task, before it goes to the trash.
    pub completed: Duration,
    /// What is in the trash, and cancelled meetings.
    pub trash: Duration,
    /// Deliveries that are settled, those two days at least, and finished runs of jobs.
    pub ledger: Duration,
    /// Entries of feeds.
    pub feed: Duration,
}

impl Default for RetentionPolicy {
    /// 30 days each, feeds 14.
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self { completed: days(30), trash: days(30), ledger: days(30), feed: days(14) }
    }
}

/// Deliveries that are settled stay at least this long: their keys keep what was sent from being planned again by who looks
/// back, which the repair of reminders does for a day, and sweeps a little longer.
const SHORTEST_LEDGER: Duration = Duration::from_hours(48);

/// Sessions and tokens that are over stay this long, so that a late request learns why it is refused.
const SHORTLY: Duration = Duration::from_hours(48);

impl RetentionPolicy {
    /// What has served its time at `now`, in the order in which it is removed.
    fn expired(&self, now: Timestamp) -> [Expired; 8] {
        [
            Expired::TrashedTasks(now - self.trash),
            Expired::CancelledMeetings(now - self.trash),
            Expired::Feed(now - self.feed),
            Expired::Deliveries(now - self.ledger.max(SHORTEST_LEDGER)),
            Expired::Runs(now - self.ledger),
            Expired::Sessions(now - SHORTLY),
            Expired::Tokens(now - SHORTLY),
            Expired::Answers(now - ANSWER_LIFETIME),
        ]
    }
}

/// What a run counts tasks under that it put into the trash.
const TRASHED: &str = "tasks_trashed";

/// Where a dry run stops counting a kind: what it would remove is for people to judge, and nobody waits for a whole table.
const MOST_COUNTED: u32 = 20_000;

impl App {
    /// First completed tasks go to the trash, where their owners still find them; then each kind in its turn is removed. The
    /// cursor is the number of kinds that are done.
    ///
    /// What goes to the trash in a run stays there until the next one at least, however short it is kept there: it got
    /// there after the run's slot. So a dry run, which puts nothing there, counts what a run would remove.
    pub(super) async fn cleanup_page(&self, run: &JobRun, size: u32) -> Result<PageOfWork, Error> {
        let mut page = PageOfWork::default();
        let keeping = &self.jobs.keeping;
        // A slot of next year, from a clock that was wrong, finds that everything there is has served its time.
        let as_of = run.slot.min(self.clock.now());
        let Some(done) = run.cursor.as_deref().and_then(|cursor| cursor.parse::<usize>().ok()) else {
            let before = as_of - keeping.completed;
            if run.dry_run {
                let count = self.upkeep.count_completed_before(before, MOST_COUNTED).await?;
                add_counted(&mut page, TRASHED, count);
                page.cursor = Some("0".to_owned());
                return Ok(page);
            }
            let tasks = self.upkeep.tasks_completed_before(before, size).await?;
            page.counts.add(TRASHED, tasks.len() as u64);
            page.is_last_of_its_kind = tasks.len() < size as usize;
            page.cursor = Some(if page.is_last_of_its_kind { "0".to_owned() } else { String::new() });
            page.changes = tasks.iter().fold(Changes::new(), |changes, task| changes.and(self.tidied_away(task)));
            return Ok(page);
        };
        let all = keeping.expired(as_of);
        let Some(expired) = all.get(done) else { return Ok(page) };
        page.is_last_of_its_kind = match run.dry_run {
            true => {
                let count = self.upkeep.count_expired(*expired, MOST_COUNTED).await?;
                add_counted(&mut page, expired.as_str(), count);
                true
            }
            false => {
                let began = self.clock.monotonic();
                let removed = self.upkeep.purge(*expired, size).await?;
                page.held = self.clock.monotonic().saturating_sub(began);
                page.counts.add(expired.as_str(), removed);
                removed == 0
            }
        };
        let next = done + usize::from(page.is_last_of_its_kind);
        page.cursor = (next < all.len()).then(|| next.to_string());
        Ok(page)
    }

    fn tidied_away(&self, task: &Task) -> Changes {
        let now = self.clock.now();
        let after = task.trash(now);
        let announcement = FeedEvent::task(self.event_id(now), Actor::System, Some(task), &after);
        Changes::new().write(Write::UpdateTask(after)).announce(announcement)
    }
}

/// What a dry run counted; where it stopped, the word says that there are at least so many.
fn add_counted(page: &mut PageOfWork, what: &str, count: u64) {
    match count < u64::from(MOST_COUNTED) {
        true => page.counts.add(what, count),
        false => page.counts.add(&format!("{what}_at_least"), count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_dry_run_stopped_counting_it_says_so() {
        let mut page = PageOfWork::default();
        add_counted(&mut page, "answers_purged", 19_999);
        add_counted(&mut page, "tokens_purged", 20_000);
        let counts: Vec<_> = page.counts.iter().collect();
        assert_eq!(counts, [("answers_purged", 19_999), ("tokens_purged_at_least", 20_000)]);
    }
}
