//! What is measured: a store behind its port.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::types::Uuid;
use taskflow::notice::WelcomeNotice;
use taskflow::ports::{ClaimRequest, Clock, Ids, RandomIds, Settled, Storage, SystemClock};
use taskflow::store::MemoryStore;
use taskflow::{
    Actor, Changes, ChannelKind, DedupeKey, DeliveryId, EventId, FeedEvent, LeaseToken, NewDelivery, NewTask, NewUser,
    Notice, NoticeKind, Outcome, PageRequest, Recipient, Settlement, Task, TaskId, TaskQuery, TaskWrite, User, UserId,
    UserWrite,
};

use super::{BATCH, BarePostgres, BareSqlite, Held, PAGE, READER, Subject, TASKS, WRITER};

/// Where a store keeps its rows, for what no port can do: forgetting them.
pub(crate) enum Tables {
    Memory,
    Sqlite(BareSqlite),
    Postgres(BarePostgres),
}

pub(crate) struct Ours {
    storage: Arc<dyn Storage>,
    /// Where deliveries go; they refer to nobody, so that in memory a fresh one will do.
    outbox: Mutex<Arc<dyn Storage>>,
    tables: Tables,
    clock: SystemClock,
    ids: RandomIds,
}

impl Ours {
    /// With two people, and the tasks of the one whose list is read.
    pub(crate) async fn new(storage: Arc<dyn Storage>, tables: Tables) -> Self {
        let outbox = Mutex::new(storage.clone());
        let ours = Self { storage, outbox, tables, clock: SystemClock::new(), ids: RandomIds::new() };
        let people =
            [("reader", READER), ("writer", WRITER)].into_iter().fold(Changes::new(), |changes, (name, id)| {
                let new = NewUser {
                    username: name.parse().expect("a name"),
                    email: format!("{name}@example.org").parse().expect("an address"),
                    time_zone: None,
                    locale: None,
                    is_admin: false,
                };
                changes.write(UserWrite::Insert(User::new(UserId::from_uuid(id), new, ours.clock.now())))
            });
        ours.storage.commit(&people).await.expect("people");
        let tasks = (0..TASKS).fold(Changes::new(), |changes, _| changes.and(ours.task(READER)));
        ours.storage.commit(&tasks).await.expect("tasks");
        ours
    }

    fn task(&self, owner: Uuid) -> Changes {
        let now = self.clock.now();
        let new = NewTask::titled("Water the plants".parse().expect("a title"));
        let id = TaskId::from_uuid(self.ids.next(now));
        let task = Task::new(id, UserId::from_uuid(owner), new, now).expect("a task");
        let event = EventId::from_uuid(self.ids.next(now));
        let told = FeedEvent::task(event, Actor::User(task.user_id), None, &task);
        Changes::new().write(TaskWrite::Insert(task)).announce(told)
    }

    fn outbox(&self) -> Arc<dyn Storage> {
        self.outbox.lock().expect("nobody panicked").clone()
    }
}

#[async_trait]
impl Subject for Ours {
    async fn commit(&self) {
        self.storage.commit(&self.task(WRITER)).await.expect("a commit");
    }

    async fn list(&self) {
        let query = TaskQuery { page: PageRequest::new(1, PAGE).expect("a page"), ..TaskQuery::default() };
        let page = self
            .storage
            .tasks(taskflow_core::Scope::own(UserId::from_uuid(READER)), &query, self.clock.now())
            .await
            .expect("a page");
        assert_eq!((page.items.len(), page.total), (PAGE as usize, TASKS.into()));
    }

    async fn plan(&self) {
        let now = self.clock.now();
        let deliveries = (0..BATCH).map(|_| {
            let id = self.ids.next(now);
            NewDelivery::new(
                DeliveryId::from_uuid(id),
                DedupeKey::new(format!("bench/{id}")),
                Notice::Welcome(WelcomeNotice { token: None }),
                Recipient::User(UserId::from_uuid(READER)),
                now,
            )
            .because("a bench")
        });
        self.outbox().commit(&Changes::new().deliver(deliveries)).await.expect("planned");
    }

    async fn claim(&self) -> Held {
        let now = self.clock.now();
        let lease = self.ids.next(now);
        let request = ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: BATCH,
            now,
            lease: LeaseToken::from_uuid(lease),
            lease_for: Duration::from_secs(120),
        };
        let claims = self.outbox().claim(&request).await.expect("claimed");
        (lease, claims.into_iter().map(|claim| claim.delivery.id.as_uuid()).collect())
    }

    async fn settle(&self, (lease, ids): Held) {
        let at = self.clock.now();
        let settled = |id| Settlement {
            id: DeliveryId::from_uuid(id),
            lease: LeaseToken::from_uuid(lease),
            at,
            outcome: Outcome::Delivered { reply: "250 2.0.0 queued".to_owned() },
            effect: None,
        };
        let settlements: Vec<_> = ids.into_iter().map(settled).collect();
        let settled = self.outbox().settle(&settlements).await.expect("settled");
        assert!(settled.iter().all(|settled| *settled == Settled::Applied));
    }

    async fn reset(&self) {
        match &self.tables {
            Tables::Memory => *self.outbox.lock().expect("nobody panicked") = Arc::new(MemoryStore::new()),
            Tables::Sqlite(tables) => tables.reset().await,
            Tables::Postgres(tables) => tables.reset().await,
        }
    }
}
