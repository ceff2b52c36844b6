//! The ports that read, a trait for each noun.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use taskflow_core::ports::{Feeds, Lookup, MeetingCursor, Meetings, Suppressions, Tasks, Users};
use taskflow_core::{
    EmailAddress, Entity, Event, EventId, FeedEntry, Follower, Meeting, MeetingId, MeetingQuery, NoticeKind, Page,
    Participant, ParticipantId, Revision, Scope, StoreError, Suppression, Task, TaskId, TaskQuery, TaskSummary,
    Timestamp, User, UserId, Viewer,
};

use crate::store::SqliteStore;
use crate::{feed, meetings, suppressions, tasks, unsubscribes, users};

#[async_trait]
impl Users for SqliteStore {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        users::user(&self.reader()?, id).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
        users::users(&self.reader()?, ids).await
    }

    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
        users::users_after(&self.reader()?, after, size).await
    }

    async fn deleted_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
        users::deleted_users(&self.reader()?, after, limit).await
    }

    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
        users::users_by_email(&self.reader()?, addresses).await
    }
}

#[async_trait]
impl Tasks for SqliteStore {
    async fn task(&self, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
        tasks::task(&self.reader()?, scope, id).await
    }

    async fn tasks_by_id(&self, ids: &[TaskId], viewer: Viewer) -> Result<Lookup<TaskId, Task>, StoreError> {
        tasks::tasks_by_id(&self.reader()?, ids, viewer).await
    }

    async fn tasks(&self, scope: Scope, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError> {
        tasks::tasks(&self.reader()?, scope, query, now).await
    }

    async fn task_summary(&self, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError> {
        tasks::summary(&self.reader()?, scope, now).await
    }
}

#[async_trait]
impl Meetings for SqliteStore {
    async fn meetings_by_id(
        &self,
        ids: &[MeetingId],
        viewer: Viewer,
    ) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
        meetings::meetings_by_id(&self.reader()?, ids, viewer).await
    }

    async fn meetings(&self, scope: Scope, query: &MeetingQuery, now: Timestamp) -> Result<Page<Meeting>, StoreError> {
        meetings::meetings(&self.reader()?, scope, query, now).await
    }

    async fn meetings_to_leave(
        &self,
        user: UserId,
        now: Timestamp,
        after: Option<MeetingId>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        meetings::meetings_to_leave(&self.reader()?, user, now, after, limit).await
    }

    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
        meetings::participants(&self.reader()?, meetings).await
    }

    async fn participants_by_id(
        &self,
        ids: &[ParticipantId],
    ) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
        meetings::participants_by_id(&self.reader()?, ids).await
    }

    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        meetings::guest_meetings(&self.reader()?, email, user, limit).await
    }

    async fn accepted_before(
        &self,
        organizer: UserId,
        addresses: &[EmailAddress],
    ) -> Result<HashSet<String>, StoreError> {
        meetings::accepted_before(&self.reader()?, organizer, addresses).await
    }

    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
        meetings::revisions(&self.reader()?, wanted).await
    }

    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        meetings::unplanned(&self.reader()?, now, until, due_after, after, limit).await
    }

    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError> {
        meetings::before_tzdb(&self.reader()?, tzdb, now, limit).await
    }

    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        meetings::meetings_with_two(&self.reader()?, email, user, limit).await
    }
}

#[async_trait]
impl Suppressions for SqliteStore {
    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError> {
        suppressions::suppressed(&self.reader()?, addresses).await
    }

    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
        unsubscribes::unsubscribed(&self.reader()?, addresses).await
    }

    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
        suppressions::after(&self.reader()?, after, size).await
    }
}

#[async_trait]
impl Feeds for SqliteStore {
    async fn history_before(
        &self,
        entity: Entity,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        feed::history_before(&self.reader()?, entity, before, limit).await
    }

    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
        feed::feeds(&self.reader()?, followers, limit).await
    }

    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        feed::feed_heads(&self.reader()?, owners).await
    }
}
