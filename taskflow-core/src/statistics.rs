//! Statistics of what users have done.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId, Zone};

/// Counts of the tasks of a user outside the trash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// All of them.
    pub total: u64,
    /// Not begun.
    pub pending: u64,
    /// Begun.
    pub in_progress: u64,
    /// Done.
    pub completed: u64,
    /// Open, and their time has passed.
    pub overdue: u64,
    /// Seconds from making to completing, of all that are done together.
    pub lead_seconds: u64,
}

/// The task statistics of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatistics {
    /// The user.
    pub user_id: UserId,
    /// The time of the count.
    pub counted_at: Timestamp,
    /// Their tasks.
    pub counts: TaskCounts,
    /// Number of consecutive days on which they completed a task, up to today or, as long as nothing was completed
    /// today, up to yesterday.
    pub streak_days: u32,
}

/// Longest period in which a streak is looked for; longer streaks count as this long.
pub const LONGEST_STREAK: Duration = Duration::from_hours(24 * 366);

impl TaskStatistics {
    /// Returns the completed share of all tasks, from 0 to 1; `None` without tasks.
    #[must_use]
    pub fn completion_rate(&self) -> Option<f64> {
        (self.counts.total > 0).then(|| self.counts.completed as f64 / self.counts.total as f64)
    }

    /// Returns the average time from creating a task to completing it; `None` if no task is completed.
    #[must_use]
    pub fn lead_time(&self) -> Option<Duration> {
        self.counts.lead_seconds.checked_div(self.counts.completed).map(Duration::from_secs)
    }
}

/// Returns the number of consecutive days with a completed task, by the dates of a zone; see
/// [`TaskStatistics::streak_days`].
#[must_use]
pub fn streak(completions: &[Timestamp], zone: &Zone, now: Timestamp) -> u32 {
    let date = |at: Timestamp| zone.wall_clock(at).at.date();
    let days: BTreeSet<NaiveDate> = completions.iter().filter(|at| **at <= now).map(|at| date(*at)).collect();
    let today = date(now);
    let before = |day: &NaiveDate| day.checked_sub_days(Days::new(1));
    let last = if days.contains(&today) { Some(today) } else { before(&today) };
    let row = std::iter::successors(last, before).take_while(|day| days.contains(day)).count();
    u32::try_from(row).unwrap_or(u32::MAX)
}

/// The whole service, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// The time at which the count was complete; `None` while it is incomplete, in which case the numbers are lower
    /// bounds.
    pub counted_at: Option<Timestamp>,
    /// Accounts.
    pub users: u64,
    /// Accounts that are not locked.
    pub active_users: u64,
    /// Tasks outside the trash.
    pub tasks: u64,
    /// Tasks outside the trash that are completed.
    pub completed_tasks: u64,
    /// Meetings that are not cancelled.
    pub meetings: u64,
    /// Deliveries ever planned.
    pub deliveries: u64,
}

/// The outcomes of some deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailTally {
    /// Taken by the relay.
    pub delivered: u64,
    /// Given up.
    pub discarded: u64,
    /// Expired because they were not sent in time: more than a minute after they were to be tried, or after an attempt
    /// that failed.
    pub expired: u64,
}

/// A write of statistics.
#[derive(Debug, Clone, PartialEq)]
pub enum StatisticsWrite {
    /// Replaces the statistics of a user; does nothing if that user is gone.
    Set(TaskStatistics),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_streak_counts_days_of_the_persons_clock_and_forgives_today() {
        let tokyo: Zone = "Asia/Tokyo".parse().expect("a zone");
        // 30 May, 31 May, 1 June and nothing yet on 2 June, as clocks in Tokyo have it.
        let done = [at("2026-05-29T20:00:00Z"), at("2026-05-31T01:00:00Z"), at("2026-05-31T16:00:00Z")];
        assert_eq!(streak(&done, &tokyo, at("2026-06-02T03:00:00Z")), 3);
        assert_eq!(streak(&done, &tokyo, at("2026-06-02T15:00:00Z")), 0);
        assert_eq!(streak(&[], &tokyo, at("2026-06-02T03:00:00Z")), 0);
    }

    #[test]
    fn without_tasks_there_are_no_rates() {
        let none = TaskStatistics {
            user_id: UserId::from_uuid(uuid::Uuid::nil()),
            counted_at: Timestamp::MIN,
            counts: TaskCounts::default(),
            streak_days: 0,
        };
        assert_eq!((none.completion_rate(), none.lead_time()), (None, None));
    }
}
