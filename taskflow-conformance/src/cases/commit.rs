use std::sync::Arc;

use taskflow_core::{AccessWrite, Changes, Scope, StoreError, Task, TaskQuery, TaskWrite, UserWrite, Write};

use crate::OpenStore;
use crate::sample::{credential, delivery_id, event, noon, task, task_due, task_id, user, user_id, users, welcome};

pub(super) async fn empty_changes_are_fine(open: Arc<dyn OpenStore>) {
    open.storage().commit(&Changes::new()).await.expect("nothing to do");
}

pub(super) async fn the_store_answers_a_ping(open: Arc<dyn OpenStore>) {
    open.storage().ping().await.expect("an answer");
}

pub(super) async fn a_failing_write_leaves_nothing_of_the_whole(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let never_stored = Task { version: 2, ..task(9, 1) };
    let changes = Changes::new()
        .write(UserWrite::Insert(user(2)))
        .write(TaskWrite::Insert(task(1, 1)))
        .write(TaskWrite::Update(never_stored))
        .deliver([welcome(1)])
        .announce(event(1, &task(1, 1), &[1]));
    let error = store.commit(&changes).await.expect_err("one write is stale");
    assert!(matches!(error, StoreError::Stale { write: 2 }), "{error:?}");
    assert_eq!(store.user(user_id(2)).await.expect("a read"), None);
    assert_eq!(store.task(Scope::own(user_id(1)), task_id(1)).await.expect("a read"), None);
    assert_eq!(store.delivery(delivery_id(1)).await.expect("a read"), None);
    assert_eq!(store.feed(Scope::own(user_id(1)), 0, 10).await.expect("a read"), vec![]);
}

pub(super) async fn two_changes_of_one_version_have_one_winner(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).write(TaskWrite::Insert(task(1, 1)))).await.expect("a task");
    let titled = |title: &str| Task { title: title.parse().expect("a title"), version: 2, ..task(1, 1) };
    let attempts = (0..8).map(|n| {
        let store = store.clone();
        async move { store.commit(&Changes::new().write(TaskWrite::Update(titled(&format!("try-{n}"))))).await }
    });
    let results = futures_util::future::join_all(attempts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Stale { write: 0 }))), "{results:?}");
}

pub(super) async fn hundreds_of_rows_of_every_kind_fit_one_commit(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let mut changes = users(1..=300);
    for n in 1..=300 {
        let owned = task(n, n % 3 + 1);
        changes = changes.announce(event(n, &owned, &[n % 3 + 1])).write(TaskWrite::Insert(owned));
        changes = changes.deliver([welcome(n)]);
    }
    store.commit(&changes).await.expect("one large commit");
    assert_eq!(store.users_after(None, 1000).await.expect("a read").len(), 300);
    assert_eq!(store.ledger().await.expect("a read").due, 300);
    for owner in 1..=3 {
        let page = store.tasks(Scope::own(user_id(owner)), &TaskQuery::default(), noon()).await.expect("a read");
        assert_eq!(page.total, 100);
        assert_eq!(store.feed(Scope::own(user_id(owner)), 0, 1000).await.expect("a read").len(), 100);
    }
    let mut update = Changes::new();
    for n in 1..=300 {
        update = update.write(TaskWrite::Update(Task { version: 2, ..task(n, n % 3 + 1) }));
        update = update.deliver([task_due(1000 + n, noon())]);
    }
    store.commit(&update).await.expect("one large update");
    assert_eq!(store.ledger().await.expect("a read").due, 600);
}

pub(super) async fn a_loser_is_named_by_the_index_of_its_write(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let tasks = (1..=3).fold(users([1]), |changes, n| changes.write(TaskWrite::Insert(task(n, 1))));
    store.commit(&tasks).await.expect("three tasks");
    let with_version = |n, version| TaskWrite::Update(Task { version, ..task(n, 1) });
    let changes = Changes::new().write(with_version(1, 2)).write(with_version(2, 5)).write(with_version(3, 2));
    let error = store.commit(&changes).await.expect_err("the second is stale");
    assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
}

pub(super) async fn a_row_for_somebody_who_is_gone_is_stale(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    for write in [Write::Task(TaskWrite::Insert(task(1, 1))), credential(1, "hash").into()] {
        let error = store.commit(&users([2]).write(write)).await.expect_err("nobody to own it");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    let both = Changes::new().write(TaskWrite::Insert(task(1, 1))).write(UserWrite::Insert(user(1)));
    store.commit(&both).await.expect("made together, in any order");
}

pub(super) async fn a_commit_under_a_scope_that_does_not_hold_is_stale_and_leaves_nothing(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let own = Scope::own(user_id(1));
    let under = |scope| Changes::new().write(TaskWrite::Insert(task(1, 2))).write(AccessWrite::Require(scope));
    for scope in [own.of(user_id(2)), own.of(user_id(2)).reading()] {
        let error = store.commit(&under(scope)).await.expect_err("nobody has a right over the rows of others");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    assert_eq!(store.task(Scope::own(user_id(2)), task_id(1)).await.expect("a read"), None);
    store.commit(&under(Scope::own(user_id(2)))).await.expect("a task of their own");
    assert_eq!(store.task(Scope::own(user_id(2)), task_id(1)).await.expect("a read"), Some(task(1, 2)));
    assert_eq!(store.task(own, task_id(1)).await.expect("a read"), None);
}
