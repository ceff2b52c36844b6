use async_trait::async_trait;
use chrono::{NaiveDate, Weekday};

use crate::error::{CorruptRow, StoreError};
use crate::{Day, Digest, LocalMinute, LocalTimeCohort, NoticeKind, Timestamp, UserId};

/// A query for the users of a cohort who get a mail.
#[derive(Debug, Clone, PartialEq)]
pub struct CohortQuery {
    /// The cohort to scan: the zone of the users and the minutes they chose.
    pub cohort: LocalTimeCohort,
    /// The kind of mail that they want.
    pub kind: NoticeKind,
    /// The day of the week on which they want it; `None` for any day.
    pub weekday: Option<Weekday>,
    /// The day whose content counts besides open tasks; `None` if only open tasks count.
    pub day: Option<Day>,
}

/// The position of a scan of a cohort: this chosen minute and, among the users who chose it, this user.
pub type CohortPosition = (LocalMinute, UserId);

/// A page of users found by a cohort scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CohortPage {
    /// The users and the minutes they chose, in the order of both.
    pub people: Vec<CohortPosition>,
    /// Number of users examined.
    pub examined: u32,
    /// The position at which the scan continues; `None` if all users were examined.
    pub next: Option<CohortPosition>,
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

/// Reads for many users at once.
///
/// # Contract
///
/// * The cost of a call depends on the users that it returns or examines, not on the total number of users.
/// * No user is left out who exists from the first call of a scan to its last.
#[async_trait]
pub trait CohortScan: Send + Sync {
    /// Returns the indexes of the cohorts that have users, locked or not, in the order of the list.
    async fn with_users(&self, moments: &[LocalTimeCohort]) -> Result<Vec<usize>, StoreError>;

    /// Examines up to `size` users of the cohort after `after`, in the order of the minute they chose and their id.
    /// Returns those with an active account who want the mail and have something to be notified of. That is an open
    /// task or, if a day is given, a task done within `day.yesterday` or a meeting that takes place and begins within
    /// `day.today`. Tasks in the trash, and meetings that they left or declined, do not count.
    async fn recipients(
        &self,
        query: &CohortQuery,
        after: Option<CohortPosition>,
        size: u32,
    ) -> Result<CohortPage, StoreError>;

    /// Returns the digest of each query, in their order: of each list the first [`Excerpt::MOST`](crate::Excerpt::MOST)
    /// items and their total. A row that cannot be read only fails the digest it belongs to.
    ///
    /// * overdue: open tasks due before `now`, the longest overdue first;
    /// * today: other open tasks due before `day.today` ends, by due time and then by priority;
    /// * meetings: those that take place and begin within `day.today`, in the order of their start, without those that
    ///   the user left or declined;
    /// * week: other open tasks due before `day.week` ends, by due time and then by priority;
    /// * later: the other open tasks, by priority, then by due time with those without one last, then the oldest first;
    ///   only their number if any of the lists above has a task or a meeting;
    /// * done: tasks done within `day.yesterday`, the last one first.
    ///
    /// Ties are in the order of ids.
    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError>;
}
