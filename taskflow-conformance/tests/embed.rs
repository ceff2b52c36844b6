//! An application that implements only the ports every application needs: [`Store`] with its nouns, and [`Outbox`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_conformance::{ManualClock, RecordingMailer};
use taskflow_core::ports::{
    Backlog, ClaimRequest, Claimed, Deliveries, DeliveryQuery, Feeds, HeldLease, Lookup, MeetingCursor, Meetings,
    Outbox, Settled, Store, Suppressions, Tasks, Users,
};
use taskflow_core::{
    Actor, App, BulkAction, BulkSelection, CapturedMail, Changes, ChannelKind, Delivery, DeliveryId, DeliveryState,
    EmailAddress, Entity, Error, Event, EventId, FailedAttempt, FeedEntry, Follower, IdempotencyKey, Ledger, Meeting,
    MeetingId, MeetingQuery, MemoryStore, NewTask, NewUser, NoticeKind, Page, Participant, ParticipantId,
    ReminderMinutes, Revision, Scope, Settlement, StoreError, StoredResponse, Suppression, Task, TaskId, TaskQuery,
    TaskSummary, Timestamp, User, UserId, Viewer,
};

/// A store of the application's own; it neither knows passwords nor jobs.
struct Embedded(MemoryStore);

#[tokio::test]
async fn a_task_with_a_reminder_needs_only_the_store_and_the_outbox() {
    let store = Arc::new(Embedded(MemoryStore::new()));
    let clock = Arc::new(ManualClock::at("2026-03-27T09:00:00Z".parse().expect("a time")));
    let mailer = Arc::new(RecordingMailer::new());
    let app = App::embed(store.clone(), store).clock(clock.clone()).mailer(mailer.clone()).build();
    let ada = NewUser {
        username: "ada".parse().expect("a name"),
        email: "ada@example.org".parse().expect("an address"),
        time_zone: None,
        locale: None,
        is_admin: false,
    };
    let ada = app.accounts().register(ada, None).await.expect("an account");
    let task = NewTask {
        due_at: Some("2026-03-29T08:00:00Z".parse().expect("a time")),
        reminder_minutes: Some(ReminderMinutes::new(15).expect("minutes")),
        ..NewTask::titled("Change the clocks".parse().expect("a title"))
    };
    app.tasks().create(Actor::User(ada.id), task).await.expect("a task");
    app.outbox().deliver_due().await.expect("the welcome leaves");
    clock.set("2026-03-29T07:45:00Z".parse().expect("a time"));
    app.outbox().deliver_due().await.expect("the reminder leaves");
    let subjects: Vec<_> = mailer.mails().into_iter().map(|mail| mail.content.subject).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[1].contains("Change the clocks"), "{subjects:?}");
    let ledger = app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered, ledger.balances()), (2, 2, true), "{ledger:?}");
}

#[tokio::test]
async fn a_use_case_names_the_port_that_it_misses() {
    let store = Arc::new(Embedded(MemoryStore::new()));
    let app = App::embed(store.clone(), store).build();
    let missing = app.accounts().forgot_password(&"ada@example.org".parse().expect("an address")).await;
    assert!(matches!(missing, Err(Error::MissingPort("Accounts"))), "{missing:?}");
    let missing = app.jobs().due().await;
    assert!(matches!(missing, Err(Error::MissingPort("JobStore"))), "{missing:?}");
}

#[async_trait]
impl Users for Embedded {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.user(id).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
        self.0.users(ids).await
    }

    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
        self.0.users_after(after, size).await
    }

    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
        self.0.users_by_email(addresses).await
    }

    async fn deleted_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
        self.0.deleted_users(after, limit).await
    }
}

#[async_trait]
impl Tasks for Embedded {
    async fn task(&self, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.0.task(scope, id).await
    }

    async fn tasks_by_id(&self, ids: &[TaskId], viewer: Viewer) -> Result<Lookup<TaskId, Task>, StoreError> {
        self.0.tasks_by_id(ids, viewer).await
    }

    async fn tasks(&self, scope: Scope, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError> {
        self.0.tasks(scope, query, now).await
    }

    async fn task_summary(&self, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError> {
        self.0.task_summary(scope, now).await
    }
}

#[async_trait]
impl Meetings for Embedded {
    async fn meetings_by_id(
        &self,
        ids: &[MeetingId],
        viewer: Viewer,
    ) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
        self.0.meetings_by_id(ids, viewer).await
    }

    async fn meetings(&self, scope: Scope, query: &MeetingQuery, now: Timestamp) -> Result<Page<Meeting>, StoreError> {
        self.0.meetings(scope, query, now).await
    }

    async fn meetings_to_leave(
        &self,
        user: UserId,
        now: Timestamp,
        after: Option<MeetingId>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        self.0.meetings_to_leave(user, now, after, limit).await
    }

    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError> {
        self.0.participants(meetings).await
    }

    async fn participants_by_id(
        &self,
        ids: &[ParticipantId],
    ) -> Result<Lookup<ParticipantId, Participant>, StoreError> {
        self.0.participants_by_id(ids).await
    }

    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        self.0.guest_meetings(email, user, limit).await
    }

    async fn accepted_before(
        &self,
        organizer: UserId,
        addresses: &[EmailAddress],
    ) -> Result<HashSet<String>, StoreError> {
        self.0.accepted_before(organizer, addresses).await
    }

    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        self.0.meetings_with_two(email, user, limit).await
    }

    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
        self.0.revisions(wanted).await
    }

    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError> {
        self.0.meetings_unplanned(now, until, due_after, after, limit).await
    }

    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError> {
        self.0.meetings_before_tzdb(tzdb, now, limit).await
    }
}

#[async_trait]
impl Suppressions for Embedded {
    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError> {
        self.0.suppressed(addresses).await
    }

    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
        self.0.suppressions_after(after, size).await
    }

    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
        self.0.unsubscribed(addresses).await
    }
}

#[async_trait]
impl Feeds for Embedded {
    async fn history_before(
        &self,
        entity: Entity,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.0.history_before(entity, before, limit).await
    }

    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
        self.0.feeds(followers, limit).await
    }

    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        self.0.feed_heads(owners).await
    }
}

#[async_trait]
impl Deliveries for Embedded {
    async fn ledgers(&self) -> Result<BTreeMap<ChannelKind, Ledger>, StoreError> {
        self.0.ledgers().await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<FailedAttempt>)>, StoreError> {
        self.0.delivery(id).await
    }

    async fn deliveries_with_key(&self, prefix: &str, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.0.deliveries_with_key(prefix, limit).await
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.0.deliveries(query, before, size).await
    }

    async fn delivery_counts(
        &self,
        query: &DeliveryQuery,
        most: u32,
    ) -> Result<HashMap<DeliveryState, u64>, StoreError> {
        self.0.delivery_counts(query, most).await
    }

    async fn deliveries_after(&self, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, StoreError> {
        self.0.deliveries_after(after, size).await
    }
}

#[async_trait]
impl Store for Embedded {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        self.0.commit(changes).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }

    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError> {
        self.0.response(owner, key).await
    }

    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
        self.0.kept_mails(limit).await
    }

    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
        self.0.kept_mail(id).await
    }
}

#[async_trait]
impl Outbox for Embedded {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.0.claim(request).await
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        self.0.claim_these(request, ids).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.0.settle(settlements).await
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        self.0.renew(held, lease_for).await
    }

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.0.change_selected(action, selection, ids).await
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        self.0.backlog(channel, now).await
    }
}
