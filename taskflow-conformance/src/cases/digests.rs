//! Contents of daily summaries: the tasks and meetings, their order, and the number of further ones.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{DigestQuery, Storage};
use taskflow_core::{
    Day, Digest, Excerpt, Meeting, MeetingId, MeetingResponse, Participant, Task, TaskId, TaskPriority, Timestamp,
};

use super::sweeps::{MICRO, add_meeting, add_tasks, done, long_day, sunday, trashed};
use crate::OpenStore;
use crate::sample::{guest, meeting, meeting_id, member, noon, task, task_id, user_id, users};

/// Of that Sunday, at noon of some later day.
fn of(n: u64) -> DigestQuery {
    DigestQuery { user_id: user_id(n), date: sunday(), now: noon(), day: long_day(), whole: true }
}

async fn digests(store: &Arc<dyn Storage>, queries: &[DigestQuery]) -> Vec<Digest> {
    let digests = store.digests(queries).await.expect("an answer");
    digests.into_iter().map(|digest| digest.expect("rows that can be read")).collect()
}

async fn digest(store: &Arc<dyn Storage>, query: DigestQuery) -> Digest {
    let mut digests = digests(store, &[query]).await;
    assert_eq!(digests.len(), 1);
    digests.remove(0)
}

fn tasks(excerpt: &Excerpt<Task>) -> Vec<TaskId> {
    assert_eq!(excerpt.total, excerpt.items.len() as u64);
    excerpt.items.iter().map(|task| task.id).collect()
}

fn meetings(excerpt: &Excerpt<Meeting>) -> Vec<MeetingId> {
    assert_eq!(excerpt.total, excerpt.items.len() as u64);
    excerpt.items.iter().map(|meeting| meeting.id).collect()
}

fn due(n: u64, due_at: Timestamp) -> Task {
    Task { due_at: Some(due_at), ..task(n, 1) }
}

/// A store with two people.
async fn two(open: &dyn OpenStore) -> Arc<dyn Storage> {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    store
}

pub(super) async fn what_was_done_last_comes_first(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let (begins, ends) = long_day().yesterday;
    let hour = begins + Duration::from_hours(1);
    let rows = [
        done(1, 1, begins),
        done(2, 1, ends - MICRO),
        done(3, 1, ends),
        done(4, 1, begins - MICRO),
        done(7, 1, hour),
        done(5, 1, hour),
        trashed(done(6, 1, hour)),
        done(8, 2, hour),
    ];
    add_tasks(&store, rows.clone()).await;
    let found = digest(&store, of(1)).await;
    assert_eq!(tasks(&found.done), [2, 5, 7, 1].map(task_id));
    assert_eq!(found.done.items[0], rows[1], "each as it is kept");
    assert_eq!((found.date, found.open()), (sunday(), 0));
}

pub(super) async fn the_longest_overdue_comes_first(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let hour = noon() - Duration::from_hours(1);
    let rows = [
        due(1, noon() - MICRO),
        due(2, noon()),
        due(9, hour),
        Task { priority: TaskPriority::Low, ..due(4, hour) },
        due(3, hour + MICRO),
        trashed(due(5, hour)),
        Task { due_at: Some(hour), ..done(6, 1, hour) },
        Task { due_at: Some(hour), ..task(7, 2) },
    ];
    add_tasks(&store, rows).await;
    let found = digest(&store, of(1)).await;
    assert_eq!(tasks(&found.overdue), [4, 9, 3, 1].map(task_id));
    assert_eq!(found.open(), 5, "due now is not overdue");
}

pub(super) async fn what_is_due_first_comes_before_what_matters_more(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let Day { today: (begins, ends), week: (_, week_ends), .. } = long_day();
    let now = begins + Duration::from_hours(9);
    let at = |hours| begins + Duration::from_hours(hours);
    let high = |task: Task| Task { priority: TaskPriority::High, ..task };
    let low = |task: Task| Task { priority: TaskPriority::Low, ..task };
    let rows = [
        low(due(1, at(8))),
        due(2, at(20)),
        high(due(3, at(21))),
        low(due(4, at(10))),
        high(due(5, at(10))),
        due(6, now),
        due(7, ends - MICRO),
        high(due(8, ends)),
        low(due(9, ends)),
        due(10, week_ends - MICRO),
        high(due(11, week_ends)),
        high(due(12, week_ends + Duration::from_hours(30_000))),
        task(13, 1),
        high(due(14, at(12))),
        trashed(due(15, at(12))),
    ];
    add_tasks(&store, rows.clone()).await;
    let found = digest(&store, DigestQuery { now, ..of(1) }).await;
    assert_eq!(tasks(&found.overdue), [1].map(task_id));
    assert_eq!(tasks(&found.today), [6, 5, 4, 14, 2, 3, 7].map(task_id));
    assert_eq!(tasks(&found.week), [8, 9, 10].map(task_id));
    assert_eq!((found.later.total, found.later.items.len()), (3, 0), "the rest is a number");
    assert_eq!((found.open(), found.first_task().map(|task| task.id)), (14, Some(task_id(1))));
    // A day later the day is over; what was due on it is overdue, and nothing is in two lists.
    let now = ends + Duration::from_hours(1);
    let found = digest(&store, DigestQuery { now, whole: false, ..of(1) }).await;
    assert_eq!((found.overdue.total, found.today.total, found.week.total, found.open()), (10, 0, 1, 14));
}

pub(super) async fn where_nothing_is_due_soon_the_rest_comes_by_priority(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let ahead = |days: u64| long_day().week.1.max(noon()) + Duration::from_hours(24 * days);
    let high = |task: Task| Task { priority: TaskPriority::High, ..task };
    let low = |task: Task| Task { priority: TaskPriority::Low, ..task };
    let made = |task: Task, created_at| Task { created_at, ..task };
    let rows = [
        low(due(1, ahead(1))),
        task(2, 1),
        due(3, ahead(2)),
        due(4, ahead(1)),
        high(task(5, 1)),
        high(due(6, ahead(9))),
        made(task(7, 1), noon() - MICRO),
        made(due(8, ahead(2)), noon() - MICRO),
        task(9, 1),
        due(10, ahead(2)),
        high(task(11, 2)),
    ];
    add_tasks(&store, rows).await;
    for whole in [true, false] {
        let found = digest(&store, DigestQuery { whole, ..of(1) }).await;
        assert_eq!(tasks(&found.later), [6, 5, 4, 8, 3, 10, 7, 2, 9, 1].map(task_id));
    }
    // A meeting is something else to tell of, also where it is the only one.
    let today = long_day().today.0;
    add_meeting(&store, Meeting { starts_at: today, ..meeting(1, 1) }, vec![member(1, 1, 1)]).await;
    let found = digest(&store, of(1)).await;
    assert_eq!((found.later.total, found.later.items.len(), found.meetings.total), (10, 0, 1));
}

pub(super) async fn the_meetings_of_a_day_come_by_their_start(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let (begins, ends) = long_day().today;
    let starting = |n, starts_at| Meeting { starts_at, ..meeting(n, 2) };
    let mine = |n| vec![member(n, n, 1)];
    add_meeting(&store, starting(1, ends - MICRO), mine(1)).await;
    add_meeting(&store, starting(3, begins), mine(3)).await;
    let both = vec![member(2, 2, 1), member(12, 2, 2), guest(22, 2)];
    add_meeting(&store, starting(2, begins), both).await;
    add_meeting(&store, starting(4, begins - MICRO), mine(4)).await;
    add_meeting(&store, starting(5, ends), mine(5)).await;
    let declined = Participant { response: MeetingResponse::Declined, ..member(6, 6, 1) };
    add_meeting(&store, starting(6, begins), vec![declined]).await;
    let left = Participant { removed_at: Some(noon()), ..member(7, 7, 1) };
    add_meeting(&store, starting(7, begins), vec![left]).await;
    add_meeting(&store, Meeting { cancelled_at: Some(noon()), ..starting(8, begins) }, mine(8)).await;
    add_meeting(&store, Meeting { ended_at: Some(noon()), ..starting(9, begins) }, mine(9)).await;
    add_meeting(&store, starting(10, begins), vec![guest(10, 10)]).await;
    let found = digest(&store, of(1)).await;
    assert_eq!(meetings(&found.meetings), [2, 3, 1].map(meeting_id));
    assert_eq!(found.meetings.items[0], starting(2, begins), "each as it is kept");
    assert_eq!(meetings(&digest(&store, of(2)).await.meetings), [meeting_id(2)]);
}

pub(super) async fn of_many_the_first_are_shown_and_all_are_counted(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    const MANY: u64 = Excerpt::<Task>::MOST as u64 + 5;
    let (hour, yesterday, today) = (Duration::from_hours(1), long_day().yesterday.0, long_day().today.0);
    for n in 1..=MANY {
        let three = [task(n, 1), due(100 + n, noon() - hour), done(200 + n, 1, yesterday)];
        add_tasks(&store, three).await;
        add_meeting(&store, Meeting { starts_at: today, ..meeting(n, 2) }, vec![member(n, n, 1)]).await;
    }
    add_tasks(&store, (301..301 + Excerpt::<Task>::MOST as u64).map(|n| task(n, 2))).await;
    let found = digest(&store, of(1)).await;
    assert_eq!((found.later.total, found.later.items.len()), (MANY, 0));
    for (excerpt, first) in [(&found.overdue, 101), (&found.done, 201)] {
        let shown: Vec<_> = excerpt.items.iter().map(|task| task.id).collect();
        let expected: Vec<_> = (first..first + Excerpt::<Task>::MOST as u64).map(task_id).collect();
        assert_eq!((shown, excerpt.total, excerpt.more()), (expected, MANY, 5));
    }
    let shown: Vec<_> = found.meetings.items.iter().map(|meeting| meeting.id).collect();
    let expected: Vec<_> = (1..=Excerpt::<Meeting>::MOST as u64).map(meeting_id).collect();
    assert_eq!((shown, found.meetings.total), (expected, MANY));
    let full = digest(&store, DigestQuery { whole: false, ..of(2) }).await.later;
    assert_eq!((full.items.len(), full.more()), (Excerpt::<Task>::MOST, 0));
}

pub(super) async fn each_question_has_its_own_digest(open: Arc<dyn OpenStore>) {
    let store = two(&*open).await;
    let (yesterday, today) = (long_day().yesterday.0, long_day().today.0);
    let late = due(2, noon() - MICRO);
    add_tasks(&store, [task(1, 1), late.clone(), done(3, 1, yesterday), task(4, 2)]).await;
    add_meeting(&store, Meeting { starts_at: today, ..meeting(1, 1) }, vec![member(1, 1, 1)]).await;
    let other_day = sunday().succ_opt().expect("a Monday");
    let monday = Day::of(other_day, &crate::sample::zone("Europe/Berlin"));
    let queries = [
        of(2),
        DigestQuery { whole: false, ..of(1) },
        of(1),
        of(99),
        DigestQuery { date: other_day, day: monday, now: noon() - Duration::from_hours(1), ..of(1) },
        of(1),
    ];
    let found = digests(&store, &queries).await;
    assert_eq!(digests(&store, &[]).await, []);
    let empty = Digest::of(sunday());
    let only = |task: Task| Excerpt { items: vec![task], total: 1 };
    let counted = || Excerpt { items: Vec::new(), total: 1 };
    let bare = Digest { later: counted(), overdue: only(late.clone()), ..empty.clone() };
    let whole = Digest {
        done: only(done(3, 1, yesterday)),
        meetings: Excerpt { items: vec![Meeting { starts_at: today, ..meeting(1, 1) }], total: 1 },
        ..bare.clone()
    };
    let next =
        Digest { date: other_day, later: Excerpt { items: vec![late, task(1, 1)], total: 2 }, ..Digest::of(other_day) };
    let expected =
        [Digest { later: only(task(4, 2)), ..empty.clone() }, bare, whole.clone(), empty.clone(), next, whole];
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "{index}");
    }
    assert!(empty.is_empty() && !found[0].is_empty());
}
