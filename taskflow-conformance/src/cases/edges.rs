//! Edge cases of databases: unusual texts, the same row twice in one call, deleted accounts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use taskflow_core::ports::{ClaimRequest, Settled, Storage};
use taskflow_core::{
    Changes, ChannelKind, Entity, LeaseToken, Login, NoticeKind, Outcome, Scope, Settlement, StoreError, TaskQuery,
    TaskWrite, UniqueField, User, UserWrite,
};

use crate::OpenStore;
use crate::sample::{delivery_id, event, lease, new_user, noon, task, user_id, users, welcome};

/// Claims everything under a lease of that number, which it tells.
async fn claim(store: &Arc<dyn Storage>, n: u64) -> LeaseToken {
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 100,
        now: noon(),
        lease: lease(n),
        lease_for: Duration::from_secs(600),
    };
    assert_eq!(store.claim(&request).await.expect("a claim").len(), 1);
    lease(n)
}

/// The relay has refused delivery 1 for now, in these words.
fn refused(lease: LeaseToken, words: &str) -> Settlement {
    let outcome = Outcome::Retry { next_at: noon(), error: words.to_owned() };
    Settlement { id: delivery_id(1), lease, at: noon(), outcome, effect: None }
}

pub(super) async fn somebody_who_leaves_makes_no_gap_in_the_feed_of_others(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let shared = |changes: Changes, (n, owner)| {
        let task = task(n, owner);
        changes.announce(event(n, &task, &[1, 2])).write(TaskWrite::Insert(task))
    };
    store.commit(&[(1, 2), (2, 1), (3, 2)].into_iter().fold(users([1, 2]), shared)).await.expect("shared events");
    let before = store.feed(Scope::own(user_id(2)), 0, 10).await.expect("a feed");
    let entity = before[1].event.entity;
    assert_eq!(store.history(entity).await.expect("a history").len(), 1);
    let gone = UserWrite::Delete { id: user_id(1), at: noon() };
    store.commit(&Changes::new().write(gone)).await.expect("gone");
    assert_eq!(store.feed(Scope::own(user_id(2)), 0, 10).await.expect("a feed"), before);
    assert_eq!(store.history(entity).await.expect("a history"), []);
}

pub(super) async fn the_data_of_an_event_is_kept_as_it_was_written(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let mut told = event(1, &task(1, 1), &[1]);
    told.event.data = json!({
        "z": u64::MAX, "a": i64::MIN, "float": 0.1, "small": 5e-324, "text": "a\u{1}\\u0000\u{1f600}", "": [null, {}],
    });
    let expected = told.event.clone();
    store.commit(&users([1]).write(TaskWrite::Insert(task(1, 1))).announce(told)).await.expect("an event");
    assert_eq!(store.history(Entity::Task(task(1, 1).id)).await.expect("a history"), [expected]);
}

pub(super) async fn whatever_a_relay_says_is_kept(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    let words = ["", "\u{1f600} \u{7f} \\ \\u0000 \" ' \r\n", "NaN", "null", "1e400", "[1]", "007"];
    for (n, said) in (1..).zip(words) {
        let lease = claim(&store, n).await;
        assert_eq!(store.settle(&[refused(lease, said)]).await.expect("settled"), [Settled::Applied]);
        let (delivery, attempts) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
        assert_eq!(delivery.last_error.as_deref(), Some(said));
        assert_eq!(attempts.last().map(|attempt| attempt.error.as_str()), Some(said));
    }
}

pub(super) async fn settling_twice_in_one_call_counts_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    let held = claim(&store, 1).await;
    let settlements = [lease(2), held, held].map(|lease| refused(lease, "later"));
    let settled = store.settle(&settlements).await.expect("settled");
    assert_eq!(settled, [Settled::LeaseLost, Settled::Applied, Settled::LeaseLost]);
    let (delivery, attempts) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((delivery.attempts, attempts.len()), (1, 1));
}

pub(super) async fn settling_and_renewing_nothing_is_fine(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.settle(&[]).await.expect("nothing"), []);
    assert_eq!(store.renew(&[], Duration::from_secs(1)).await.expect("nothing"), []);
}

pub(super) async fn of_many_new_people_the_one_whose_name_is_taken_is_named(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([8])).await.expect("a user");
    let called = |n: u64, name: &str| UserWrite::Insert(User::new(user_id(n), new_user(name), noon()));
    let people = (1..=12).fold(Changes::new(), |changes, n| changes.write(called(100 + n, &format!("user-{n}"))));
    let error = store.commit(&people).await.expect_err("taken");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Username, write: 7 }), "{error:?}");
    let twins = Changes::new().write(called(21, "new")).write(called(22, "other")).write(called(23, "NEW"));
    let error = store.commit(&twins).await.expect_err("taken by each other");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Username, write: 2 }), "{error:?}");
}

pub(super) async fn words_and_names_with_the_character_nul_find_nothing(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).write(TaskWrite::Insert(task(1, 1)))).await.expect("a task");
    let query = TaskQuery { words: TaskQuery::words("task\0-1"), ..TaskQuery::default() };
    assert_eq!(store.tasks(Scope::own(user_id(1)), &query, noon()).await.expect("a page").total, 0);
    assert_eq!(store.account(&Login::parse("user\0-1")).await.expect("a read"), None);
}
