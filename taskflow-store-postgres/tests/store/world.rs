//! A store on a database of its own, and rows for it.

use std::time::Duration;

use sqlx::PgConnection;
use taskflow_core::ports::{ClaimRequest, Ids, RandomIds, Store};
use taskflow_core::{
    Actor, Announcement, Changes, DedupeKey, DeliveryId, EventId, LeaseToken, NewDelivery, NewTask, NewUser, Notice,
    NoticeKind, Recipient, StoreError, Task, TaskId, TaskQuery, Timestamp, User, UserId, Write,
};
use taskflow_store_postgres::{PgOptions, PgStore};

use crate::postgres::Database;

pub(crate) struct World {
    pub(crate) store: PgStore,
    pub(crate) database: Option<Database>,
    pub(crate) ids: RandomIds,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(PgOptions::default().connections(8)).await
    }

    pub(crate) async fn with(options: PgOptions) -> Self {
        let database = Database::migrated(|url| async move {
            PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
        });
        let database = database.await;
        let mut world = Self::at(&database.url, options.without_migrating()).await;
        world.database = Some(database);
        world
    }

    /// A store in a database somewhere else.
    pub(crate) async fn at(url: &str, options: PgOptions) -> Self {
        let store = PgStore::connect(url, options).await.expect("a store");
        Self { store, database: None, ids: RandomIds::new() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.database.as_ref().expect("a database of its own").url
    }

    /// A connection that is none of the store's.
    pub(crate) async fn connection(&self) -> PgConnection {
        self.database.as_ref().expect("a database of its own").connection().await
    }

    pub(crate) fn user(&self, name: &str) -> User {
        let new = NewUser {
            username: name.parse().expect("a name"),
            email: format!("{name}@example.org").parse().expect("an address"),
            time_zone: None,
            locale: None,
            is_admin: false,
        };
        User::new(UserId::from_uuid(self.ids.next(noon())), new, noon())
    }

    pub(crate) async fn somebody(&self, name: &str) -> User {
        let user = self.user(name);
        self.store.commit(&Changes::new().write(Write::InsertUser(user.clone()))).await.expect("a user");
        user
    }

    /// A new task with its event, as a use case makes them.
    pub(crate) fn task(&self, owner: &User) -> Changes {
        let new = NewTask::titled("something".parse().expect("a title"));
        let task = Task::new(TaskId::from_uuid(self.ids.next(noon())), owner.id, new, noon()).expect("a task");
        let event = EventId::from_uuid(self.ids.next(noon()));
        let told = Announcement::task(event, Actor::User(owner.id), None, &task);
        Changes::new().write(Write::InsertTask(task)).announce(told)
    }

    pub(crate) fn welcome(&self, to: &User) -> NewDelivery {
        NewDelivery {
            id: DeliveryId::from_uuid(self.ids.next(noon())),
            dedupe_key: DedupeKey::new(format!("welcome/{}", to.id)),
            notice: Notice::Welcome { token: None },
            recipient: Recipient::User(to.id),
            planned_at: noon(),
            due_at: noon(),
            reason: "a test".to_owned(),
        }
    }

    pub(crate) fn claim(&self) -> ClaimRequest {
        ClaimRequest {
            kinds: NoticeKind::ALL.to_vec(),
            limit: 100,
            now: noon(),
            lease: LeaseToken::from_uuid(self.ids.next(noon())),
            lease_for: Duration::from_secs(60),
        }
    }

    /// How many tasks and how many entries the feed of somebody has.
    pub(crate) async fn count(&self, owner: &User) -> (u64, u64) {
        let tasks = self.store.tasks(owner.id, &TaskQuery::default(), noon()).await.expect("a page").total;
        let feed = self.store.feed(owner.id, 0, 100_000).await.expect("a feed");
        assert!(feed.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "no gaps");
        (tasks, feed.len() as u64)
    }

    /// Sessions of this store that stand in an open transaction.
    pub(crate) async fn open_transactions(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut self.connection().await)
        .await
        .expect("a count")
    }
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-22T12:00:00.123456Z".parse().expect("a time")
}

pub(crate) fn text(error: &StoreError) -> String {
    let (StoreError::Internal(source) | StoreError::Unavailable(source)) = error else { return error.to_string() };
    source.to_string()
}
