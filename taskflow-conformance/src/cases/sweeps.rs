//! Whom a sweep finds, page by page, and what there is to tell them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, Weekday};
use taskflow_core::ports::{CohortPosition, CohortQuery, Storage};
use taskflow_core::{
    Changes, CohortTime, Day, LocalMinute, LocalTimeCohort, Meeting, MeetingResponse, NoticeKind, Participant,
    Preferences, Task, TaskStatus, TaskWrite, Timestamp, User, UserWrite, Weekdays, all_zones, cohorts_due,
};

use crate::OpenStore;
use crate::sample::{at, called, guest, meeting, member, noon, task, user, user_id, zone};

pub(super) const MICRO: Duration = Duration::from_micros(1);

pub(super) fn minute(text: &str) -> LocalMinute {
    text.parse().expect("a minute")
}

/// A Sunday on which the clocks of Berlin went back: it had 25 hours.
pub(super) fn sunday() -> NaiveDate {
    "2026-10-25".parse().expect("a date")
}

pub(super) fn long_day() -> Day {
    Day::of(sunday(), &zone("Europe/Berlin"))
}

fn cohort(place: &str, first: &str, last: &str) -> LocalTimeCohort {
    LocalTimeCohort {
        zone: zone(place),
        date: sunday(),
        chosen: (minute(first), minute(last)),
        when: CohortTime::Chosen,
    }
}

/// Everybody in Berlin on that Sunday.
fn berlin(kind: NoticeKind, weekday: Option<Weekday>, day: Option<Day>) -> CohortQuery {
    CohortQuery { cohort: cohort("Europe/Berlin", "00:00", "23:59"), kind, weekday, day }
}

fn summaries() -> CohortQuery {
    berlin(NoticeKind::DailySummary, Some(Weekday::Sun), Some(long_day()))
}

fn reminders() -> CohortQuery {
    berlin(NoticeKind::TaskReminder, None, None)
}

/// The user number `n` there, who chose that minute.
pub(super) fn person(n: u64, place: &str, summary_at: &str) -> User {
    let preferences = Preferences { summary_at: minute(summary_at), ..Preferences::default() };
    User { time_zone: zone(place), preferences, ..user(n) }
}

pub(super) fn done(n: u64, owner: u64, at: Timestamp) -> Task {
    Task { status: TaskStatus::Completed, completed_at: Some(at), ..task(n, owner) }
}

pub(super) fn trashed(task: Task) -> Task {
    Task { deleted_at: Some(noon()), ..task }
}

pub(super) async fn add_users(store: &Arc<dyn Storage>, users: impl IntoIterator<Item = User>) {
    let changes = users.into_iter().fold(Changes::new(), |changes, user| changes.write(UserWrite::Insert(user)));
    store.commit(&changes).await.expect("users");
}

pub(super) async fn add_tasks(store: &Arc<dyn Storage>, tasks: impl IntoIterator<Item = Task>) {
    let changes = tasks.into_iter().fold(Changes::new(), |changes, task| changes.write(TaskWrite::Insert(task)));
    store.commit(&changes).await.expect("tasks");
}

pub(super) async fn add_meeting(store: &Arc<dyn Storage>, meeting: Meeting, people: Vec<Participant>) {
    store.commit(&called(meeting, people)).await.expect("a meeting");
}

/// Walks a sweep to its end: who was found, in order, and how many were looked at.
async fn walk(store: &Arc<dyn Storage>, query: &CohortQuery, size: u32) -> (Vec<CohortPosition>, u32) {
    let (mut found, mut examined, mut after) = (Vec::new(), 0, None);
    loop {
        let page = store.recipients(query, after, size).await.expect("a page");
        assert!(page.examined <= size && page.people.len() <= page.examined as usize, "{page:?}");
        assert!(page.examined == size || page.next.is_none(), "{page:?}");
        found.extend(page.people);
        examined += page.examined;
        match page.next {
            Some(next) => {
                assert!(after < Some(next), "it goes on");
                after = Some(next);
            }
            None => return (found, examined),
        }
    }
}

/// Returns the numbers of the users that a sweep finds, and the number of users it examined.
async fn found(store: &Arc<dyn Storage>, query: &CohortQuery) -> (Vec<u64>, u32) {
    let (people, examined) = walk(store, query, 100).await;
    let number = |id| (1..100).find(|n| user_id(*n) == id).expect("one of ours");
    (people.into_iter().map(|(_, id)| number(id)).collect(), examined)
}

pub(super) async fn moments_are_somebodys_by_zone_and_minute(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    for asked in [Vec::new(), all_zones(noon())] {
        assert_eq!(store.with_users(&asked).await.expect("an answer"), [0_usize; 0]);
    }
    let locked = User { is_active: false, ..person(3, "Asia/Kathmandu", "23:59") };
    add_users(&store, [person(1, "Europe/Berlin", "09:00"), person(2, "Asia/Tokyo", "00:00"), locked]).await;
    let asked = [
        cohort("Europe/Berlin", "09:01", "23:59"),
        cohort("Asia/Kathmandu", "23:59", "23:59"),
        cohort("Europe/Berlin", "00:00", "08:59"),
        cohort("Europe/Berlin", "00:00", "09:00"),
        cohort("Asia/Tokyo", "00:00", "00:00"),
        cohort("UTC", "00:00", "23:59"),
        cohort("Europe/Berlin", "09:00", "09:00"),
        LocalTimeCohort { when: CohortTime::Shown(minute("20:00")), ..cohort("Europe/Berlin", "00:00", "23:59") },
        cohort("Europe/Vienna", "00:00", "23:59"),
    ];
    assert_eq!(store.with_users(&asked).await.expect("an answer"), [1, 3, 4, 6, 7]);
    let all = cohorts_due(None, noon() - Duration::from_hours(26), noon());
    assert!(all.len() > 1000, "two days of every zone");
    let theirs = store.with_users(&all).await.expect("an answer");
    let places: Vec<_> = theirs.iter().map(|index| all[*index].zone.name()).collect();
    for place in ["Europe/Berlin", "Asia/Tokyo", "Asia/Kathmandu"] {
        assert!(places.contains(&place), "{places:?}");
    }
    assert!(theirs.is_sorted() && theirs.len() < 10, "{places:?}");
}

pub(super) async fn recipients_come_by_minute_and_id_page_by_page(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let minutes = ["09:00", "08:30", "09:00", "08:30", "10:00", "08:29", "09:59", "09:00"];
    let people = (1..).zip(minutes).map(|(n, at)| person(n, "Europe/Berlin", at));
    add_users(&store, people.chain([person(9, "Europe/Vienna", "09:00")])).await;
    add_tasks(&store, (1..=9).filter(|n| *n != 3).map(|n| task(n, n))).await;
    let query = CohortQuery { cohort: cohort("Europe/Berlin", "08:30", "09:59"), ..summaries() };
    let expected: Vec<_> = [("08:30", 2), ("08:30", 4), ("09:00", 1), ("09:00", 8), ("09:59", 7)]
        .map(|(at, n)| (minute(at), user_id(n)))
        .to_vec();
    for size in [1, 2, 3, 6, 7, 100] {
        assert_eq!(walk(&store, &query, size).await, (expected.clone(), 6), "{size}");
    }
    let page = store.recipients(&query, None, 4).await.expect("a page");
    assert_eq!((page.people, page.examined), (expected[..3].to_vec(), 4));
    assert_eq!(page.next, Some((minute("09:00"), user_id(3))), "who has nothing to hear was looked at, too");
    // Whoever it went on after may be gone meanwhile, or have chosen another minute.
    let rest = store.recipients(&query, Some((minute("08:45"), user_id(77))), 100).await.expect("a page");
    assert_eq!((rest.people, rest.examined, rest.next), (expected[2..].to_vec(), 4, None));
    let end = store.recipients(&query, Some((minute("09:59"), user_id(7))), 100).await.expect("a page");
    assert_eq!((end.people, end.examined, end.next), (Vec::new(), 0, None));
}

pub(super) async fn who_is_not_to_be_told_is_looked_at_and_left_out(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let plain = |n| person(n, "Europe/Berlin", "09:00");
    let off = |n, kind| User { preferences: Preferences::default().without(kind), ..plain(n) };
    let weekdays = Weekdays::new([Weekday::Mon, Weekday::Sat]);
    let not_sundays = Preferences { summary_days: weekdays, ..Preferences::default() };
    let people = [
        plain(1),
        User { is_active: false, ..plain(2) },
        off(3, NoticeKind::DailySummary),
        off(4, NoticeKind::TaskReminder),
        User { preferences: not_sundays, ..plain(5) },
        plain(6),
        plain(7),
        plain(8),
        off(9, NoticeKind::TaskDue),
    ];
    add_users(&store, people).await;
    add_tasks(&store, [1, 2, 3, 4, 5, 9].map(|n| task(n, n))).await;
    let long_ago = long_day().yesterday.0 - MICRO;
    add_tasks(&store, [done(7, 7, long_ago), trashed(task(8, 8))]).await;
    assert_eq!(found(&store, &summaries()).await, (vec![1, 4, 9], 9));
    assert_eq!(found(&store, &reminders()).await, (vec![1, 3, 5, 9], 9));
    let saturday = CohortQuery { weekday: Some(Weekday::Sat), ..summaries() };
    assert_eq!(found(&store, &saturday).await, (vec![1, 4, 5, 9], 9));
}

pub(super) async fn what_was_done_yesterday_is_told_and_nothing_else_that_was_done(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (begins, ends) = long_day().yesterday;
    assert_eq!((begins, ends), (at("2026-10-23T22:00:00Z"), at("2026-10-24T22:00:00Z")));
    add_users(&store, (1..=6).map(|n| person(n, "Europe/Berlin", "09:00"))).await;
    let tasks = [
        done(1, 1, begins - MICRO),
        done(2, 2, begins),
        done(3, 3, ends - MICRO),
        done(4, 4, ends),
        trashed(done(5, 5, begins)),
        Task { status: TaskStatus::InProgress, ..task(6, 6) },
    ];
    add_tasks(&store, tasks).await;
    assert_eq!(found(&store, &summaries()).await, (vec![2, 3, 6], 6));
    assert_eq!(found(&store, &reminders()).await, (vec![6], 6));
}

pub(super) async fn meetings_that_begin_today_are_told_to_who_comes(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (begins, ends) = long_day().today;
    assert_eq!((begins, ends), (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")));
    add_users(&store, (1..=12).map(|n| person(n, "Europe/Berlin", "09:00"))).await;
    let of = |n: u64, starts_at| Meeting { starts_at, ..meeting(n, n) };
    let answered = |n, response| Participant { response, ..member(n, n, n) };
    let cases = [
        (of(1, begins - MICRO), member(1, 1, 1)),
        (of(2, begins), member(2, 2, 2)),
        (of(3, ends - MICRO), answered(3, MeetingResponse::Tentative)),
        (of(4, ends), member(4, 4, 4)),
        (of(5, begins), answered(5, MeetingResponse::Declined)),
        (of(6, begins), Participant { removed_at: Some(noon()), ..member(6, 6, 6) }),
        (Meeting { cancelled_at: Some(noon()), ..of(7, begins) }, member(7, 7, 7)),
        (Meeting { ended_at: Some(noon()), ..of(8, begins) }, member(8, 8, 8)),
        // Called it and is not in it; somebody else is.
        (of(9, begins), guest(9, 9)),
        (of(10, begins), answered(10, MeetingResponse::Accepted)),
    ];
    for (meeting, participant) in cases {
        add_meeting(&store, meeting, vec![participant]).await;
    }
    // Declined one and comes to another.
    let other = Participant { response: MeetingResponse::Declined, ..member(20, 11, 11) };
    add_meeting(&store, of(11, begins), vec![other]).await;
    add_meeting(&store, of(12, begins), vec![member(21, 12, 11)]).await;
    assert_eq!(found(&store, &summaries()).await, (vec![2, 3, 10, 11], 12));
    assert_eq!(found(&store, &reminders()).await, (vec![], 12));
}
