use std::sync::Arc;

use crate::testing::OpenStore;
use crate::testing::sample::{event, task, task_id, user_id, users};
use crate::{Announcement, Changes, Entity, Event};

pub(super) async fn each_owner_has_a_feed_without_gaps(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    for (n, audience) in [(1, &[1][..]), (2, &[1, 2]), (3, &[2]), (4, &[2, 1])] {
        store.commit(&Changes::new().announce(event(n, &task(n, 1), audience))).await.expect("an event");
    }
    for (owner, expected) in [(1, [1, 2, 4]), (2, [2, 3, 4])] {
        let feed = store.feed(user_id(owner), 0, 10).await.expect("a feed");
        assert_eq!(feed.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
        let about: Vec<_> = feed.iter().map(|entry| entry.event.entity).collect();
        assert_eq!(about, expected.map(|n| Entity::Task(task_id(n))));
    }
}

pub(super) async fn a_feed_is_read_on_from_a_sequence(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let changes = (1..=5).fold(users([1]), |changes, n| changes.announce(event(n, &task(n, 1), &[1])));
    store.commit(&changes).await.expect("five events");
    let seqs = |after, limit| {
        let store = store.clone();
        async move {
            let feed = store.feed(user_id(1), after, limit).await.expect("a feed");
            feed.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        }
    };
    assert_eq!(seqs(0, 2).await, [1, 2]);
    assert_eq!(seqs(2, 10).await, [3, 4, 5]);
    assert_eq!(seqs(5, 10).await, [0; 0]);
}

pub(super) async fn events_for_people_who_do_not_exist_reach_the_others(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    store.commit(&Changes::new().announce(event(1, &task(1, 1), &[9, 1]))).await.expect("an event");
    assert_eq!(store.feed(user_id(1), 0, 10).await.expect("a feed").len(), 1);
    assert_eq!(store.feed(user_id(9), 0, 10).await.expect("a feed").len(), 0);
}

pub(super) async fn many_at_once_leave_no_gap_in_a_feed(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let commits = (1..=40).map(|n| {
        let store = store.clone();
        let audience = if n % 2 == 0 { [1, 2] } else { [2, 1] };
        async move { store.commit(&Changes::new().announce(event(n, &task(n, 1), &audience))).await }
    });
    for result in futures_util::future::join_all(commits).await {
        result.expect("nobody loses");
    }
    for owner in [1, 2] {
        let feed = store.feed(user_id(owner), 0, 100).await.expect("a feed");
        assert_eq!(feed.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    }
}

pub(super) async fn history_tells_an_entity_oldest_first(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    for n in 1..=3 {
        let about = task(if n == 2 { 7 } else { 1 }, 1);
        let told = event(n, &about, &[1]);
        let later = Event { at: told.event.at + std::time::Duration::from_secs(n), ..told.event };
        store.commit(&Changes::new().announce(Announcement { event: later, ..told })).await.expect("an event");
    }
    let history = store.history(Entity::Task(task_id(1))).await.expect("a history");
    assert_eq!(history.len(), 2);
    assert!(history.is_sorted_by_key(|event| event.at));
}

pub(super) async fn an_event_round_trips_with_its_data(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let told = event(1, &task(1, 1), &[1]);
    let odd = Event {
        actor: None,
        data: serde_json::json!({ "text": "\u{1F600} \"'\\\n", "number": -9_007_199_254_740_993_i64, "none": null }),
        ..told.event.clone()
    };
    let by_system = Announcement { event: odd.clone(), audience: told.audience.clone() };
    store.commit(&users([1]).announce(by_system)).await.expect("an event");
    assert_eq!(store.history(Entity::Task(task_id(1))).await.expect("a history"), [odd]);
}
