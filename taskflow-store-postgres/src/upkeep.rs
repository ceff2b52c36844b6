//! Maintenance of the service's own data: implements the port [`Maintenance`].

mod counts;
mod feed;
mod purge;
mod totals;

use async_trait::async_trait;
use taskflow_core::ports::{CountedPage, CountedPerson, Expired, Maintenance, UnreadableRow};
use taskflow_core::{
    DeliveryId, MailTally, MeetingId, Scope, StoreError, Task, TaskCounts, TaskStatistics, Timestamp, UserId,
};
use taskflow_store_sql::{Stored, read_all, unreadable_rows};

use crate::error::Instant;
use crate::rows::Statement;
use crate::statistics;
use crate::store::PgStore;

#[async_trait]
impl Maintenance for PgStore {
    fn unreadable_rows(&self) -> Vec<UnreadableRow> {
        unreadable_rows()
    }

    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError> {
        let query = || sqlx::query_as(COMPLETED_BEFORE.text()).bind(Instant::from(before)).bind(i64::from(limit));
        let rows: Vec<Stored<Task>> = self.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        Ok(read_all(rows))
    }

    async fn count_completed_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        purge::counted(self, COUNT_COMPLETED_BEFORE, before, limit).await
    }

    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        self.write(move |conn| Box::pin(purge::purge(conn, expired, limit))).await
    }

    async fn count_expired(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        purge::count(self, expired, limit).await
    }

    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        feed::changed_since(self, since, after, size).await
    }

    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError> {
        counts::task_counts(self, owners, now).await
    }

    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        counts::completions(self, owners, since).await
    }

    async fn statistics(&self, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
        statistics::statistics(self, scope).await
    }

    async fn counted_people(&self, after: Option<UserId>, size: u32) -> Result<Vec<CountedPerson>, StoreError> {
        totals::people(self, after, size).await
    }

    async fn count_meetings(&self, after: Option<MeetingId>, size: u32) -> Result<CountedPage<MeetingId>, StoreError> {
        totals::meetings(self, after, size).await
    }

    async fn count_deliveries(
        &self,
        after: Option<DeliveryId>,
        size: u32,
    ) -> Result<CountedPage<DeliveryId>, StoreError> {
        totals::deliveries(self, after, size).await
    }

    async fn count_purged_deliveries(&self) -> Result<u64, StoreError> {
        totals::purged_deliveries(self).await
    }

    async fn recent_mail(&self, since: Option<Timestamp>, limit: u32) -> Result<MailTally, StoreError> {
        counts::recent_mail(self, since, limit).await
    }
}

static COMPLETED_BEFORE: Statement<Task> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.tasks
    WHERE completed_at < $1 AND deleted_at IS NULL
    ORDER BY completed_at, id
    LIMIT $2",
);

const COUNT_COMPLETED_BEFORE: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow.tasks WHERE completed_at < $1 AND deleted_at IS NULL LIMIT $2) AS t";
