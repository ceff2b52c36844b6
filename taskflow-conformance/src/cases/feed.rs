use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{EVENT_BYTES, Expired};
use taskflow_core::{Actor, App, Changes, Entity, Event, FeedEvent, FeedPage, Follower, Scope};

use crate::OpenStore;
use crate::sample::{event, task, task_id, user_id, users};

pub(super) async fn each_owner_has_a_feed_without_gaps(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    for (n, audience) in [(1, &[1][..]), (2, &[1, 2]), (3, &[2]), (4, &[2, 1])] {
        store.commit(&Changes::new().announce(event(n, &task(n, 1), audience))).await.expect("an event");
    }
    for (owner, expected) in [(1, [1, 2, 4]), (2, [2, 3, 4])] {
        let feed = store.feed(Scope::own(user_id(owner)), 0, 10).await.expect("a feed");
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
            let feed = store.feed(Scope::own(user_id(1)), after, limit).await.expect("a feed");
            feed.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        }
    };
    assert_eq!(seqs(0, 2).await, [1, 2]);
    assert_eq!(seqs(2, 10).await, [3, 4, 5]);
    assert_eq!(seqs(5, 10).await, [0; 0]);
}

pub(super) async fn several_feeds_are_read_at_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let audience = |n| if n % 2 == 0 { &[1, 2][..] } else { &[1] };
    let changes = (1..=9).fold(users([1, 2, 3]), |changes, n| changes.announce(event(n, &task(n, 1), audience(n))));
    store.commit(&changes).await.expect("nine events");
    let follower = |owner, after| Follower { owner: user_id(owner), after };
    let read = |followers: Vec<Follower>, limit| {
        let store = store.clone();
        async move {
            let entries = store.feeds(&followers, limit).await.expect("entries");
            let of = |n: u64| {
                let theirs = entries.iter().filter(move |(owner, _)| *owner == user_id(n));
                theirs.map(|(_, entry)| (entry.seq, entry.event.entity)).collect::<Vec<_>>()
            };
            assert_eq!(of(1).len() + of(2).len(), entries.len());
            (of(1), of(2))
        }
    };
    let entry = |seq, n| (seq, Entity::Task(task_id(n)));
    let (ones, twos) = read(vec![follower(2, 1), follower(1, 4), follower(3, 0), follower(9, 0)], 3).await;
    assert_eq!(ones, [entry(5, 5), entry(6, 6), entry(7, 7)]);
    assert_eq!(twos, [entry(2, 4), entry(3, 6), entry(4, 8)]);
    let (ones, twos) = read(vec![follower(1, 9), follower(2, u64::MAX)], 3).await;
    assert_eq!((ones, twos), (vec![], vec![]));
    assert_eq!(read(vec![follower(1, 0)], 100).await.0.len(), 9);
    assert_eq!(store.feeds(&[], 3).await.expect("nobody's").len(), 0);
}

pub(super) async fn heads_tell_where_feeds_end_whatever_is_left_of_them(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let changes = (1..=5).fold(users([1, 2, 3]), |changes, n| changes.announce(event(n, &task(n, 1), &[1])));
    store.commit(&changes.announce(event(6, &task(6, 2), &[2]))).await.expect("six events");
    let owners = [1, 2, 3, 9].map(user_id);
    let heads = HashMap::from([(user_id(1), 5), (user_id(2), 1)]);
    assert_eq!(store.feed_heads(&owners).await.expect("heads"), heads);
    let late = event(1, &task(1, 1), &[1]).event.at + Duration::from_hours(1);
    assert_eq!(store.purge(Expired::Feed(late), 100).await.expect("purged"), 6);
    assert_eq!(store.feed_heads(&owners).await.expect("heads"), heads);
    store.commit(&Changes::new().announce(event(7, &task(7, 1), &[1]))).await.expect("an event");
    let entries = store.feeds(&[Follower { owner: user_id(1), after: 0 }], 3).await.expect("an entry");
    assert_eq!(entries.iter().map(|(_, entry)| entry.seq).collect::<Vec<_>>(), [6]);
    assert_eq!(store.feed_heads(&owners[..1]).await.expect("a head"), HashMap::from([(user_id(1), 6)]));
}

pub(super) async fn whoever_follows_gets_everything_or_is_told_to_begin_anew(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let app = App::builder(store.clone()).build();
    let changes = (1..=5).fold(users([1, 2]), |changes, n| changes.announce(event(n, &task(n, 1), &[1])));
    store.commit(&changes).await.expect("five events");
    let follow = |owner, since, limit| {
        let actor = Actor::User(user_id(owner));
        let page = app.feed().page(actor, since, limit);
        async move {
            match page.await.expect("a page") {
                FeedPage::Entries { entries, head } => {
                    Ok((entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), head))
                }
                FeedPage::Resync { head } => Err(head),
            }
        }
    };
    assert_eq!(follow(1, None, 2).await, Ok((vec![1, 2], 5)));
    assert_eq!(follow(1, Some(3), 0).await, Ok((vec![4], 5)), "none at all would look like a gap");
    assert_eq!(follow(1, Some(3), 10).await, Ok((vec![4, 5], 5)));
    assert_eq!(follow(1, Some(5), 10).await, Ok((vec![], 5)));
    assert_eq!(follow(1, Some(6), 10).await, Err(5));
    assert_eq!(follow(2, None, 10).await, Ok((vec![], 0)));
    assert_eq!(follow(2, Some(1), 10).await, Err(0));
    let late = event(1, &task(1, 1), &[1]).event.at + Duration::from_hours(1);
    assert_eq!(store.purge(Expired::Feed(late), 3).await.expect("purged"), 3);
    assert_eq!(follow(1, None, 10).await, Ok((vec![4, 5], 5)));
    assert_eq!(follow(1, Some(3), 10).await, Ok((vec![4, 5], 5)));
    assert_eq!(follow(1, Some(2), 10).await, Err(5));
    assert_eq!(store.purge(Expired::Feed(late), 3).await.expect("purged"), 2);
    assert_eq!(follow(1, Some(4), 10).await, Err(5));
    assert_eq!(follow(1, Some(5), 10).await, Ok((vec![], 5)));
    assert_eq!(follow(1, None, 10).await, Ok((vec![], 5)));
}

pub(super) async fn events_for_people_who_do_not_exist_reach_the_others(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    store.commit(&Changes::new().announce(event(1, &task(1, 1), &[9, 1]))).await.expect("an event");
    assert_eq!(store.feed(Scope::own(user_id(1)), 0, 10).await.expect("a feed").len(), 1);
    assert_eq!(store.feed(Scope::own(user_id(9)), 0, 10).await.expect("a feed").len(), 0);
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
        let feed = store.feed(Scope::own(user_id(owner)), 0, 100).await.expect("a feed");
        assert_eq!(feed.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    }
}

pub(super) async fn history_tells_an_entity_oldest_first(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    for n in 1..=3 {
        let about = task(if n == 2 { 7 } else { 1 }, 1);
        let told = event(n, &about, &[1]);
        let later = Event { at: told.event.at + Duration::from_secs(n), ..told.event };
        store.commit(&Changes::new().announce(FeedEvent { event: later, ..told })).await.expect("an event");
    }
    let history = store.history(Entity::Task(task_id(1))).await.expect("a history");
    assert_eq!(history.len(), 2);
    assert!(history.is_sorted_by_key(|event| event.at));
}

pub(super) async fn a_page_of_long_events_is_short_and_the_next_one_goes_on(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let long = "\u{fc}".repeat(EVENT_BYTES / 6);
    let events = (1..=9).map(|n| {
        let told = event(n, &task(1, 1), &[1, 2]);
        let at = told.event.at + Duration::from_secs(n % 3);
        FeedEvent { event: Event { at, data: serde_json::json!({ "text": long }), ..told.event }, ..told }
    });
    let events: Vec<_> = events.collect();
    let changes = events.iter().cloned().fold(users([1, 2]), Changes::announce);
    store.commit(&changes).await.expect("nine events");
    let (task, app) = (Entity::Task(task_id(1)), App::builder(store.clone()).build());

    let followers = [1, 2].map(|n| Follower { owner: user_id(n), after: n });
    let read = store.feeds(&followers, 100).await.expect("entries");
    let seqs =
        |n| read.iter().filter(|(owner, _)| *owner == user_id(n)).map(|(_, entry)| entry.seq).collect::<Vec<_>>();
    assert_eq!((seqs(1), seqs(2)), (vec![2, 3, 4], vec![3, 4, 5]), "each feed has a page of its own");
    let FeedPage::Entries { entries, head } =
        app.feed().page(Actor::User(user_id(1)), Some(7), 1).await.expect("a page")
    else {
        panic!("nothing was purged");
    };
    assert_eq!((entries.len(), head), (1, 9));

    let (mut pages, mut seen) = (Vec::new(), Vec::<Event>::new());
    loop {
        let page = store.history_before(task, seen.last().map(|event| event.id), 4).await.expect("a page");
        pages.push(page.len());
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(pages, [3, 3, 3, 0]);
    let mut expected: Vec<_> = events.into_iter().map(|told| told.event).collect();
    expected.sort_by_key(|event| (event.at, event.id));
    assert_eq!(store.history(task).await.expect("a history"), expected);
    expected.reverse();
    assert_eq!(seen, expected);
    let page = |before, limit| store.history_before(task, before, limit);
    assert_eq!(page(None, 2).await.expect("a page").len(), 2);
    assert_eq!(page(Some(expected[8].id), 2).await.expect("a page"), []);
    let other = event(20, &crate::sample::task(7, 1), &[1]).event.id;
    assert_eq!(page(Some(other), 2).await.expect("a page"), [], "no event of this task");
}

pub(super) async fn an_event_round_trips_with_its_data(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let told = event(1, &task(1, 1), &[1]);
    let odd = Event {
        actor: None,
        data: serde_json::json!({ "text": "\u{1F600} \"'\\\n", "number": -9_007_199_254_740_993_i64, "none": null }),
        ..told.event.clone()
    };
    let by_system = FeedEvent { event: odd.clone(), audience: told.audience.clone() };
    store.commit(&users([1]).announce(by_system)).await.expect("an event");
    assert_eq!(store.history(Entity::Task(task_id(1))).await.expect("a history"), [odd]);
}
