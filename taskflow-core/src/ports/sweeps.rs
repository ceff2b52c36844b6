use async_trait::async_trait;
use chrono::{NaiveDate, Weekday};

use crate::error::{CorruptRow, StoreError};
use crate::{Day, Digest, LocalMinute, Moment, NoticeKind, Timestamp, UserId};

/// Whom a sweep is looking for.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepQuery {
    /// The cohort to scan: the zone of the users and the minutes they chose.
    pub moment: Moment,
    /// They want this.
    pub kind: NoticeKind,
    /// They want it on this day of the week; any when it is `None`.
    pub weekday: Option<Weekday>,
    /// There is something to tell them: also something of this day, or open tasks alone when it is `None`.
    pub day: Option<Day>,
}

/// The position of a scan of a cohort: this chosen minute and, among the users who chose it, this user.
pub type SweepPosition = (LocalMinute, UserId);

/// People that a sweep has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepPage {
    /// Them and the minutes they chose, in the order of both.
    pub people: Vec<SweepPosition>,
    /// Number of users examined.
    pub examined: u32,
    /// The position at which the scan continues; `None` if all users were examined.
    pub next: Option<SweepPosition>,
}

/// A query for the digest of a user: their day, or only their open tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestQuery {
    /// The user.
    pub user_id: UserId,
    /// The date to write on it.
    pub date: NaiveDate,
    /// The time as of which tasks are overdue.
    pub now: Timestamp,
    /// The day to look up.
    pub day: Day,
    /// Whether to include completed tasks and meetings; otherwise only open tasks.
    pub whole: bool,
}

/// Reads that serve many people at once.
///
/// # Contract
///
/// * The cost of a call depends on what it returns or examines, not on how many people there are.
/// * Nobody is left out who is there from the first call of a sweep to its last.
#[async_trait]
pub trait CohortScan: Send + Sync {
    /// Returns the indexes of the cohorts that have users, locked or not, in the order of the list.
    async fn with_users(&self, moments: &[Moment]) -> Result<Vec<usize>, StoreError>;

    /// Looks at up to `size` people of the moment after `after`, in the order of the minute they chose and their id, and
    /// finds among them those with an active account who want the mail and whom there is something to tell: an open
    /// task, or with a day a task done within `day.yesterday` or a meeting that is on and begins within `day.today`. What
    /// is in the trash, and meetings that they left or declined, are nothing.
    async fn recipients(
        &self,
        query: &SweepQuery,
        after: Option<SweepPosition>,
        size: u32,
    ) -> Result<SweepPage, StoreError>;

    /// The digest of each query, in their order: of each list the first [`Excerpt::MOST`](crate::Excerpt::MOST) and how many
    /// there are. A row that cannot be read spoils the digest it stands in alone.
    ///
    /// * overdue: open and due before `now`, the longest overdue first;
    /// * today: other open ones due before `day.today` ends, by due time and then by priority;
    /// * meetings: on, begins within `day.today`, in the order of their start, without those that they left or declined;
    /// * week: other open ones due before `day.week` ends, by due time and then by priority;
    /// * later: the other open ones, by priority, then what is due first, then what has no due time, then the oldest; only
    ///   their number where any of the lists above holds a task or a meeting;
    /// * done: done within `day.yesterday`, the last one first.
    ///
    /// Ties are in the order of ids.
    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError>;
}
