use async_trait::async_trait;

use crate::error::StoreError;
use crate::{MailTally, Task, TaskCounts, TaskStatistics, Timestamp, Totals, UserId};

/// What has served its time. Instants are the first that still count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Tasks put into the trash before this.
    TrashedTasks(Timestamp),
    /// Meetings cancelled before this, with everybody in them.
    CancelledMeetings(Timestamp),
    /// Deliveries settled before this, which [`Ledger`](crate::Ledger)s go on counting.
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
}

impl Expired {
    /// What they are, as runs count them.
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
        }
    }
}

/// What the service needs to look after itself.
///
/// # Contract
///
/// * What is purged leaves nothing that names it, and no gap in a feed that anybody still reads.
/// * The ledger balances at any time, whatever was purged.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Up to `limit` tasks that were completed before `before` and are not in the trash, in the order of their completion
    /// and id.
    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError>;

    /// How many such tasks there are.
    async fn count_completed_before(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Removes up to `limit` of what has served its time, and says how many were removed; fewer than `limit`: there are no
    /// more.
    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError>;

    /// How many [`purge`](Self::purge) would remove.
    async fn count_expired(&self, expired: Expired) -> Result<u64, StoreError>;

    /// Up to `size` people after `after` by id whose feed has an event of `since` or later.
    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError>;

    /// Counts the tasks of these people outside the trash, in their order; overdue is as of `now`.
    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError>;

    /// When these people completed tasks, also such as are in the trash, from `since` on.
    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError>;

    /// What was counted of a person last.
    async fn statistics(&self, owner: UserId) -> Result<Option<TaskStatistics>, StoreError>;

    /// Counts the whole service; reads whole tables.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// What became of the last `limit` deliveries by id, of which only those that are settled count.
    async fn recent_mail(&self, limit: u32) -> Result<MailTally, StoreError>;
}
