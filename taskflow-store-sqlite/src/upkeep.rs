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
use taskflow_store_sql::unreadable_rows;

use crate::store::SqliteStore;
use crate::{statistics, tasks};

#[async_trait]
impl Maintenance for SqliteStore {
    fn unreadable_rows(&self) -> Vec<UnreadableRow> {
        unreadable_rows()
    }

    async fn tasks_completed_before(&self, before: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError> {
        tasks::completed_before(&self.reader()?, before, limit).await
    }

    async fn count_completed_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        tasks::count_completed_before(&self.reader()?, before, limit).await
    }

    async fn purge(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        purge::purge(self, expired, limit).await
    }

    async fn count_expired(&self, expired: Expired, limit: u32) -> Result<u64, StoreError> {
        purge::count(&self.reader()?, expired, limit).await
    }

    async fn changed_since(
        &self,
        since: Timestamp,
        after: Option<UserId>,
        size: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        feed::changed_since(&self.reader()?, since, after, size).await
    }

    async fn task_counts(&self, owners: &[UserId], now: Timestamp) -> Result<Vec<TaskCounts>, StoreError> {
        counts::task_counts(&self.reader()?, owners, now).await
    }

    async fn completions(&self, owners: &[UserId], since: Timestamp) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        counts::completions(&self.reader()?, owners, since).await
    }

    async fn statistics(&self, scope: Scope) -> Result<Option<TaskStatistics>, StoreError> {
        statistics::statistics(&self.reader()?, scope).await
    }

    async fn counted_people(&self, after: Option<UserId>, size: u32) -> Result<Vec<CountedPerson>, StoreError> {
        totals::people(&self.reader()?, after, size).await
    }

    async fn count_meetings(&self, after: Option<MeetingId>, size: u32) -> Result<CountedPage<MeetingId>, StoreError> {
        totals::meetings(&self.reader()?, after, size).await
    }

    async fn count_deliveries(
        &self,
        after: Option<DeliveryId>,
        size: u32,
    ) -> Result<CountedPage<DeliveryId>, StoreError> {
        totals::deliveries(&self.reader()?, after, size).await
    }

    async fn count_purged_deliveries(&self) -> Result<u64, StoreError> {
        totals::purged_deliveries(&self.reader()?).await
    }

    async fn recent_mail(&self, since: Option<Timestamp>, limit: u32) -> Result<MailTally, StoreError> {
        counts::recent_mail(&self.reader()?, since, limit).await
    }
}
