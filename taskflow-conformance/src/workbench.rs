//! For the tests of what only one store promises: a store and rows for it.

use std::time::Duration;

use taskflow_core::notice::WelcomeNotice;
use taskflow_core::ports::{ClaimRequest, Ids, RandomIds, Storage};
use taskflow_core::{
    Actor, Changes, ChannelKind, DedupeKey, DeliveryId, EventId, FeedEvent, LeaseToken, NewDelivery, NewTask, NewUser,
    Notice, NoticeKind, Recipient, Scope, StoreError, Task, TaskId, TaskQuery, TaskWrite, Timestamp, User, UserId,
    UserWrite,
};

/// A store and rows for it.
#[derive(Debug)]
pub struct TestKit<S> {
    /// The store, with everything its own type offers.
    pub store: S,
    /// Source of the ids of rows.
    pub ids: RandomIds,
}

impl<S> TestKit<S> {
    /// Puts a store on the bench.
    pub fn new(store: S) -> Self {
        Self { store, ids: RandomIds::new() }
    }

    /// A new user of that name, at example.org.
    #[must_use]
    pub fn user(&self, name: &str) -> User {
        let new = NewUser {
            username: name.parse().expect("a name"),
            email: format!("{name}@example.org").parse().expect("an address"),
            time_zone: None,
            locale: None,
            is_admin: false,
        };
        User::new(UserId::from_uuid(self.ids.next(noon())), new, noon())
    }

    /// A new task with its event, as a use case makes them.
    pub fn task(&self, owner: &User) -> Changes {
        let new = NewTask::titled("something".parse().expect("a title"));
        let id = TaskId::from_uuid(self.ids.next(noon()));
        let task = Task::new(id, owner.id, new, noon()).expect("a task");
        let event = EventId::from_uuid(self.ids.next(noon()));
        let told = FeedEvent::task(event, Actor::User(owner.id), None, &task);
        Changes::new().write(TaskWrite::Insert(task)).announce(told)
    }

    /// A welcome to a user, due at once.
    #[must_use]
    pub fn welcome(&self, to: &User) -> NewDelivery {
        NewDelivery::new(
            DeliveryId::from_uuid(self.ids.next(noon())),
            DedupeKey::new(format!("welcome/{}", to.id)),
            Notice::Welcome(WelcomeNotice { token: None }),
            Recipient::User(to.id),
            noon(),
        )
        .because("a test")
    }

    /// Asks for up to a hundred deliveries of any kind, for a minute, under a new lease.
    #[must_use]
    pub fn claim(&self) -> ClaimRequest {
        ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: 100,
            now: noon(),
            lease: LeaseToken::from_uuid(self.ids.next(noon())),
            lease_for: Duration::from_secs(60),
        }
    }
}

impl<S: Storage> TestKit<S> {
    /// A [`user`](Self::user) who is in the store.
    pub async fn somebody(&self, name: &str) -> User {
        let user = self.user(name);
        self.store.commit(&Changes::new().write(UserWrite::Insert(user.clone()))).await.expect("a user");
        user
    }

    /// Returns the number of tasks of a user, and the number of entries in their feed.
    ///
    /// # Panics
    ///
    /// When the feed has a gap.
    pub async fn count(&self, owner: &User) -> (u64, u64) {
        let tasks = self.store.tasks(Scope::own(owner.id), &TaskQuery::default(), noon()).await.expect("a page").total;
        let mut last = 0;
        loop {
            let page = self.store.feed(Scope::own(owner.id), last, 100_000).await.expect("a page of the feed");
            assert!(page.iter().zip(last + 1..).all(|(entry, seq)| entry.seq == seq), "no gaps");
            let Some(entry) = page.last() else { return (tasks, last) };
            last = entry.seq;
        }
    }
}

/// The instant at which everything here happens.
#[must_use]
pub fn noon() -> Timestamp {
    super::sample::noon()
}

/// Returns the message of an error's source.
#[must_use]
pub fn text(error: &StoreError) -> String {
    let (StoreError::Internal(source) | StoreError::Unavailable(source)) = error else { return error.to_string() };
    source.to_string()
}
