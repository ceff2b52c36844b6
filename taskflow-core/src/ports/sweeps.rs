use async_trait::async_trait;
use chrono::{NaiveDate, Weekday};

use crate::error::{CorruptRow, StoreError};
use crate::{Day, Digest, LocalMinute, Moment, NoticeKind, Timestamp, UserId};

/// Whom a sweep is looking for.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepQuery {
    /// Where their clocks are, and which minute they chose.
    pub moment: Moment,
    /// They want this.
    pub kind: NoticeKind,
    /// They want it on this day of the week; any when it is `None`.
    pub weekday: Option<Weekday>,
    /// There is something to tell them: also something of this day, or open tasks alone when it is `None`.
    pub day: Option<Day>,
}

/// How far a sweep has come among the people of a moment: this chosen minute and, of those who chose it, this person.
pub type SweepPosition = (LocalMinute, UserId);

/// People that a sweep has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepPage {
    /// Them and the minutes they chose, in the order of both.
    pub people: Vec<SweepPosition>,
    /// How many were looked at.
    pub examined: u32,
    /// Where to go on; `None`: there is nobody left.
    pub next: Option<SweepPosition>,
}

/// Whose day, or whose open tasks, to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestQuery {
    /// Whose.
    pub user_id: UserId,
    /// The date to write on it.
    pub date: NaiveDate,
    /// What is overdue is so then.
    pub now: Timestamp,
    /// Which day.
    pub day: Day,
    /// Whether what was done and the meetings are looked up, too; else only open tasks.
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
    /// Which of these moments are anybody's, locked or not, by their place in the list, in its order.
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
    /// What ties is in the order of ids.
    async fn digests(&self, queries: &[DigestQuery]) -> Result<Vec<Result<Digest, CorruptRow>>, StoreError>;
}
