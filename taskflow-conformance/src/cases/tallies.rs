//! Counting: who changed something, what people have done, and what became of the mail.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{ClaimRequest, CountedPage, CountedPerson, TaskTally};
use taskflow_core::{
    Changes, ChannelKind, Event, FeedEvent, MailTally, Meeting, NoticeKind, Outcome, Scope, Settlement,
    StatisticsWrite, StoreError, Task, TaskCounts, TaskStatistics, TaskStatus, TaskWrite, Timestamp, User, UserId,
    UserWrite,
};

use super::sweeps::{MICRO, add_meeting, add_tasks, done, trashed};
use crate::OpenStore;
use crate::sample::{delivery_id, event, lease, meeting, meeting_id, noon, task, user, user_id, users, welcome};

/// That many seconds after noon.
fn after(seconds: u64) -> Timestamp {
    noon() + Duration::from_secs(seconds)
}

pub(super) async fn who_changed_something_is_told_by_their_feeds(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=6)).await.expect("users");
    for (n, seconds, owners) in
        [(1, 0, &[1, 2][..]), (2, 10, &[3]), (3, 11, &[5, 3]), (4, 5, &[3, 4]), (5, 99, &[6, 77])]
    {
        let told = event(n, &task(n, 1), owners);
        let told = FeedEvent { event: Event { at: after(seconds), ..told.event }, ..told };
        store.commit(&Changes::new().announce(told)).await.expect("an event");
    }
    let changed = async |since, from: Option<u64>, size| {
        store.changed_since(after(since), from.map(user_id), size).await.expect("a page")
    };
    assert_eq!(changed(10, None, 100).await, [3, 5, 6].map(user_id));
    assert_eq!(changed(0, None, 2).await, [1, 2].map(user_id));
    assert_eq!(changed(0, Some(2), 2).await, [3, 4].map(user_id));
    assert_eq!(changed(0, Some(4), 2).await, [5, 6].map(user_id));
    assert_eq!(changed(0, Some(6), 2).await, []);
    assert_eq!(changed(11, None, 100).await, [3, 5, 6].map(user_id));
    assert_eq!(changed(12, None, 100).await, [user_id(6)]);
    assert_eq!(changed(100, None, 100).await, []);
    let delete = UserWrite::Delete { id: user_id(5), at: noon() };
    store.commit(&Changes::new().write(delete)).await.expect("deleted");
    assert_eq!(changed(10, None, 100).await, [3, 6].map(user_id));
}

pub(super) async fn tasks_are_counted_by_owner_outside_the_trash(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=3)).await.expect("users");
    let due = |n, due_at| Task { due_at: Some(due_at), ..task(n, 1) };
    let rows = [
        due(1, noon()),
        due(2, noon() - MICRO),
        Task { status: TaskStatus::InProgress, ..due(3, noon() - MICRO) },
        Task { due_at: Some(noon() - MICRO), ..done(4, 1, after(90)) },
        done(5, 1, after(10)),
        // The clock of the node that completed it was behind.
        done(6, 1, noon() - Duration::from_secs(1000)),
        trashed(done(7, 1, after(500))),
        trashed(due(8, noon() - MICRO)),
        task(9, 2),
    ];
    add_tasks(&store, rows).await;
    let first = TaskCounts { total: 6, pending: 2, in_progress: 1, completed: 3, overdue: 2, lead_seconds: 100 };
    let second = TaskCounts { total: 1, pending: 1, ..TaskCounts::default() };
    let none = TaskCounts::default();
    let counts = async |owners: &[u64], now| {
        let owners: Vec<UserId> = owners.iter().map(|n| user_id(*n)).collect();
        store.task_counts(&owners, now).await.expect("counts")
    };
    assert_eq!(counts(&[2, 9, 1, 3], noon()).await, [second, none, first, none]);
    assert_eq!(counts(&[1], noon() + MICRO).await, [TaskCounts { overdue: 3, ..first }]);
    assert_eq!(counts(&[], noon()).await, []);
}

pub(super) async fn completions_are_read_also_from_the_trash(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=3)).await.expect("users");
    let rows = [
        done(1, 1, after(10)),
        done(2, 1, after(10) - MICRO),
        trashed(done(3, 1, after(20))),
        done(4, 2, after(30)),
        done(5, 3, after(30)),
        done(6, 1, after(20)),
        task(7, 1),
    ];
    add_tasks(&store, rows).await;
    let mut found = store.completions(&[user_id(2), user_id(1)], after(10)).await.expect("a list");
    found.sort_unstable();
    let expected = [(1, 10), (1, 20), (1, 20), (2, 30)].map(|(n, seconds)| (user_id(n), after(seconds)));
    assert_eq!(found, expected);
    assert_eq!(store.completions(&[], noon()).await.expect("a list"), []);
}

pub(super) async fn what_was_counted_replaces_what_was_counted_before_and_goes_with_its_owner(
    open: Arc<dyn OpenStore>,
) {
    let store = open.storage();
    store.commit(&users(1..=2)).await.expect("users");
    let counted = |n, total| {
        let counts = TaskCounts { total, pending: 1, in_progress: 2, completed: 3, overdue: 4, lead_seconds: 5 };
        TaskStatistics { user_id: user_id(n), counted_at: after(total) + MICRO, counts, streak_days: 366 }
    };
    let read = async |n| store.statistics(Scope::own(user_id(n))).await.expect("a read");
    assert_eq!(read(1).await, None);
    let set = |rows: &[TaskStatistics]| {
        rows.iter().cloned().fold(Changes::new(), |changes, row| changes.write(StatisticsWrite::Set(row)))
    };
    store.commit(&set(&[counted(1, 10), counted(9, 11), counted(2, 12)])).await.expect("who is gone is left out");
    assert_eq!((read(1).await, read(9).await, read(2).await), (Some(counted(1, 10)), None, Some(counted(2, 12))));
    let large = TaskStatistics { streak_days: 0, ..counted(1, 1 << 40) };
    store.commit(&set(std::slice::from_ref(&large))).await.expect("replaced");
    assert_eq!((read(1).await, read(2).await), (Some(large.clone()), Some(counted(2, 12))));
    let stale = TaskWrite::Update(Task { version: 2, ..task(1, 1) });
    let error = store.commit(&set(&[counted(1, 13)]).write(stale)).await.expect_err("no such task");
    assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    assert_eq!(read(1).await, Some(large), "all or nothing");
    let delete = UserWrite::Delete { id: user_id(1), at: noon() };
    store.commit(&Changes::new().write(delete)).await.expect("deleted");
    assert_eq!((read(1).await, read(2).await), (None, Some(counted(2, 12))));
}

pub(super) async fn people_are_listed_with_what_was_counted_of_them(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.counted_people(None, 10).await.expect("a page"), []);
    let locked = Changes::new().write(UserWrite::Insert(User { is_active: false, ..user(3) }));
    store.commit(&users(1..=2).and(locked)).await.expect("users");
    add_tasks(&store, [task(1, 1), task(2, 2)]).await;
    let counts = TaskCounts { total: 1 << 40, completed: 7, ..TaskCounts::default() };
    let counted = TaskStatistics { user_id: user_id(2), counted_at: noon(), counts, streak_days: 0 };
    store.commit(&Changes::new().write(StatisticsWrite::Set(counted))).await.expect("counted");
    let person = |n, tasks| CountedPerson { user_id: user_id(n), is_active: n != 3, tasks };
    let expected = [person(1, None), person(2, Some(TaskTally { total: 1 << 40, completed: 7 })), person(3, None)];
    let page = async |from: Option<u64>, size| store.counted_people(from.map(user_id), size).await.expect("a page");
    assert_eq!(page(None, 10).await, expected);
    assert_eq!(page(None, 2).await, expected[..2]);
    assert_eq!(page(Some(1), 1).await, expected[1..2]);
    assert_eq!(page(Some(3), 10).await, []);
}

pub(super) async fn meetings_and_deliveries_are_counted_page_by_page(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let none = CountedPage { count: 0, next: None };
    assert_eq!(store.count_meetings(None, 10).await.expect("a page"), none);
    let none = CountedPage { count: 0, next: None };
    assert_eq!(store.count_deliveries(None, 10).await.expect("a page"), none);
    assert_eq!(store.count_purged_deliveries().await.expect("a count"), 0);
    store.commit(&users(1..=4).deliver((1..=4).map(welcome))).await.expect("users");
    add_meeting(&store, Meeting { cancelled_at: Some(noon()), ..meeting(1, 1) }, Vec::new()).await;
    add_meeting(&store, meeting(2, 1), Vec::new()).await;
    add_meeting(&store, Meeting { ended_at: Some(noon()), ..meeting(3, 1) }, Vec::new()).await;
    let meetings = async |after: Option<u64>, size| {
        let page = store.count_meetings(after.map(meeting_id), size).await.expect("a page");
        (page.count, page.next)
    };
    assert_eq!(meetings(None, 10).await, (2, None));
    assert_eq!(meetings(None, 2).await, (1, Some(meeting_id(2))));
    assert_eq!(meetings(Some(2), 1).await, (1, Some(meeting_id(3))), "whether there is another nobody knows yet");
    assert_eq!(meetings(Some(3), 1).await, (0, None));
    let deliveries = async |after: Option<u64>, size| {
        let page = store.count_deliveries(after.map(delivery_id), size).await.expect("a page");
        (page.count, page.next)
    };
    assert_eq!(deliveries(None, 10).await, (4, None));
    assert_eq!(deliveries(None, 3).await, (3, Some(delivery_id(3))));
    assert_eq!(deliveries(Some(3), 3).await, (1, None));
}

pub(super) async fn of_the_last_mails_those_that_were_sent_given_up_or_late_are_told(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    assert_eq!(store.recent_mail(None, 10).await.expect("a tally"), MailTally::default());
    // They are settled in another order than they were planned; those that wait hide nothing.
    store.commit(&users(1..=12).deliver((1..=12).map(welcome))).await.expect("deliveries");
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 8,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_secs(600),
    };
    let claim = async || store.claim(&request).await.expect("a claim");
    let settle = async |n: u64, second: u64, outcome| {
        let at = noon() + Duration::from_secs(second);
        let settlement = Settlement { id: delivery_id(n), lease: lease(1), at, outcome, effect: None };
        store.settle(&[settlement]).await.expect("settled");
    };
    let sent = || Outcome::Delivered { reply: "250".to_owned() };
    let refused = || Outcome::Discarded { error: "550".to_owned() };
    let expired = || Outcome::Expired { reason: "a case".to_owned() };
    claim().await;
    settle(7, 1, Outcome::Released { next_at: noon(), error: Some("away".to_owned()) }).await;
    claim().await;
    settle(1, 10, refused()).await;
    settle(2, 9, refused()).await;
    settle(3, 8, sent()).await;
    settle(4, 7, expired()).await;
    settle(5, 6, sent()).await;
    settle(6, 5, Outcome::Cancelled { reason: "a case".to_owned() }).await;
    settle(7, 4, expired()).await;
    settle(8, 61, expired()).await;
    let tally = async |since: Option<u64>, limit| {
        let since = since.map(|second| noon() + Duration::from_secs(second));
        let MailTally { delivered, discarded, expired } = store.recent_mail(since, limit).await.expect("a tally");
        (delivered, discarded, expired)
    };
    for (limit, expected) in
        [(1, (0, 0, 1)), (2, (0, 1, 1)), (3, (0, 2, 1)), (5, (1, 2, 1)), (7, (2, 2, 1)), (100, (2, 2, 2))]
    {
        assert_eq!(tally(None, limit).await, expected, "{limit}");
    }
    for (second, expected) in [(62, (0, 0, 0)), (61, (0, 0, 1)), (9, (0, 2, 1)), (5, (2, 2, 1)), (4, (2, 2, 2))] {
        assert_eq!(tally(Some(second), 100).await, expected, "since {second}");
    }
}
