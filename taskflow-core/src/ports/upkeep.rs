use async_trait::async_trait;

use crate::error::StoreError;
use crate::{DeliveryId, MailTally, MeetingId, Scope, Task, TaskCounts, TaskStatistics, Timestamp, UserId};

/// A kind of expired data to purge. Each instant is the first that is still kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Tasks put into the trash before this.
    TrashedTasks(Timestamp),
    /// Meetings cancelled before this, with everybody in them.
    CancelledMeetings(Timestamp),
    /// Deliveries settled before this, which [`Ledger`](crate::Ledger)s go on counting; but no cancelled reminder of a
    /// meeting that would be due at this instant or later: its key keeps it from being planned again.
    Deliveries(Timestamp),
    /// Feed entries of events before this, and events that only a feed still had.
    Feed(Timestamp),
    /// Sessions that ended or expired before this.
    Sessions(Timestamp),
    /// Tokens that were used or expired before this.
    Tokens(Timestamp),
    /// Answers given before this.
    Answers(Timestamp),
    /// Runs of jobs finished before this, but never the last scheduled one of a job.
    Runs(Timestamp),
    /// Buckets of rate limits that are full, by the store's own clock.
    FullBuckets,
}

impl Expired {
    /// Returns the name under which job runs count the purged rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrashedTasks(_) => "tasks_purged",
            Self::CancelledMeetings(_) => "meetings_purged",
            Self::Deliveries(_) => "deliveries_purged",
            Self::Feed(_) => "feed_entries_purged",
            Self::Sessions(_) => "sessions_purged",
            Self::Tokens(_) => "tokens_purged",
            Self::Answers(_) => "answers_purged",
            Self::Runs(_) => "runs_purged",
            Self::FullBuckets => "limits_purged",
        }
    }
}

/// A stored row that this process could not read, or not as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The table as the store names it.
    pub table: &'static str,
    /// The id of the row; empty if it has none, or another key than an id.
    pub id: String,
    /// The column.
    pub column: &'static str,
    /// The defect of its value; never the value itself.
    pub message: String,
}

/// A user, and the number of their tasks outside the trash at the last count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedPerson {
    /// The user.
    pub user_id: UserId,
    /// Whether the account is active, that is, not locked.
    pub is_active: bool,
    /// Their tasks; `None` if they were not counted yet.
    pub tasks: Option<TaskTally>,
}

/// Tasks outside the trash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskTally {
    /// All of them.
    pub total: u64,
    /// Done.
    pub completed: u64,
}

/// The count of a page of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedPage<Id> {
    /// Number of rows of the page that count.
    pub count: u64,
    /// The last of the page, after which the next one begins; `None`: there is no other row.
    pub next: Option<Id>,
}

/// Operations for the maintenance of the service: cleanup and statistics.
///
/// # Contract
///
/// * A purge leaves nothing that names the purged rows, and no gap in a feed that anybody still reads.
/// * The ledger balances at any time, whatever was purged.
/// * The cost of a call depends on its limit or size, not on the amount of data.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Returns the rows that this process met lately and could not read, a thousand at most. A row that was mended is
    /// dropped when it is read again, any other after it was not met for twelve calls.
    fn unreadable_rows(&self) -> Vec<UnreadableRow> {
        Vec::new()
    }

    /// Up to `limit` tasks that were completed before `before` and are not in the trash, in the order of their completion
    /// and id.
    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError>;

    /// Returns the number of such tasks, counted up to `limit`.
    async fn count_completed_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Removes up to `limit` expired rows in one transaction, and returns the number of removed rows; 0 means that
    /// there are no more. Rows that bring many others along, such as a large meeting, may be removed in smaller pieces
    /// than `limit`.
    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError>;

    /// Returns the number of rows that [`purge`](Self::purge) would remove, counted up to `limit`.
    async fn count_expired(&self, expired: Expired, limit: u32) -> Result<u64, StoreError>;

    /// Returns up to `size` users after `after` by id whose feed has an event of `since` or later.
    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError>;

    /// Counts the tasks of these users outside the trash, in their order; overdue is as of `now`.
    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError>;

    /// Returns the times from `since` on at which these users completed tasks, including tasks in the trash.
    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError>;

    /// Returns the last counted statistics of a user.
    async fn statistics(&self, scope: Scope) -> Result<Option<TaskStatistics>, StoreError>;

    /// Returns up to `size` users after `after` by id, each with their last count.
    async fn counted_people(&self, after: Option<UserId>, size: u32) -> Result<Vec<CountedPerson>, StoreError>;

    /// Looks at up to `size` meetings after `after` by id and counts those that are not cancelled.
    async fn count_meetings(&self, after: Option<MeetingId>, size: u32) -> Result<CountedPage<MeetingId>, StoreError>;

    /// Counts up to `size` deliveries after `after` by id.
    async fn count_deliveries(
        &self,
        after: Option<DeliveryId>,
        size: u32,
    ) -> Result<CountedPage<DeliveryId>, StoreError>;

    /// Returns the number of deliveries purged so far; reads a row for each day, kind and state.
    async fn count_purged_deliveries(&self) -> Result<u64, StoreError>;

    /// Counts what became of the last `limit` deliveries that were settled, at `since` or later.
    async fn recent_mail(&self, since: Option<Timestamp>, limit: u32) -> Result<MailTally, StoreError>;
}
