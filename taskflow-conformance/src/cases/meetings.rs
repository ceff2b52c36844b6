//! Meetings as rows: what is stored, who sees it, how lists are narrowed and what a commit expects.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::Storage;
use taskflow_core::{
    Changes, DebounceWindow, DurationMinutes, Meeting, MeetingId, MeetingQuery, MeetingSort, MeetingStatus,
    MeetingType, MeetingWrite, PageRequest, ReminderMinutes, Revision, Scope, StartsAt, StoreError, Timestamp, Viewer,
};

use crate::OpenStore;
use crate::sample::{called, guest, meeting, meeting_id, member, noon, tomorrow, user_id, users, zone};

const HOUR: Duration = Duration::from_hours(1);

async fn stored(store: &Arc<dyn Storage>, id: MeetingId, viewer: Viewer) -> Option<Meeting> {
    let mut found = store.meetings_by_id(&[id], viewer).await.expect("a read");
    found.remove(&id).map(|row| row.expect("a readable row"))
}

/// A store with the users 1 to 3 and these meetings, each with its organizer and the user number 2 in it.
async fn with(open: &dyn OpenStore, meetings: impl IntoIterator<Item = Meeting>) -> Arc<dyn Storage> {
    let store = open.storage();
    let mut changes = users([1, 2, 3]);
    for (n, meeting) in (1_u64..).zip(meetings) {
        let of = |participant: taskflow_core::Participant| taskflow_core::Participant {
            meeting_id: meeting.id,
            ..participant
        };
        let people = [of(member(n * 10, 1, 1)), of(member(n * 10 + 1, 1, 2))];
        changes = changes.and(called(meeting.clone(), people));
    }
    store.commit(&changes).await.expect("meetings");
    store
}

fn everything() -> Meeting {
    let local = "2027-10-31T02:30:00.123456".parse().expect("a local time");
    let starts_at = zone("Europe/Berlin").instant(local) + HOUR;
    Meeting {
        title: "Board \u{1F600} \u{c4}nderung; \"quoted\", 100 % _".parse().expect("a title"),
        description: Some("one\r\n\ttwo \u{4e2d}".parse().expect("a description")),
        starts_at,
        // The second of the two half past twos of that night.
        local_start: local,
        tzdb: "2020a".to_owned(),
        duration: DurationMinutes::new(1440).expect("fits"),
        location: Some("Room \u{2192} 7".parse().expect("a place")),
        meeting_url: Some("https://meet.example.org/room?x=1".parse().expect("a URL")),
        meeting_type: MeetingType::Hybrid,
        reminder_minutes: ReminderMinutes::new(0).expect("fits"),
        ended_at: Some(noon() + Duration::from_micros(1)),
        cancelled_at: Some(noon() + Duration::from_micros(2)),
        sequence: 7,
        burst: Some(DebounceWindow {
            since: noon() + Duration::from_micros(3),
            due_at: noon() + Duration::from_micros(4),
            version: 11,
        }),
        version: 12,
        updated_at: noon() + Duration::from_micros(5),
        ..meeting(1, 1)
    }
}

pub(super) async fn a_meeting_round_trips_with_all_and_no_optional_fields(open: Arc<dyn OpenStore>) {
    let mut bare = Meeting { id: meeting_id(2), ..meeting(2, 1) };
    bare.organizer.name = None;
    let store = with(&*open, [everything(), bare.clone()]).await;
    assert_eq!(stored(&store, meeting_id(1), Viewer::Service).await, Some(everything()));
    assert_eq!(stored(&store, meeting_id(2), Viewer::Service).await, Some(bare.clone()));
    // And the other way round by an update.
    let emptied = Meeting { version: 13, id: meeting_id(1), ..bare.clone() };
    let filled = Meeting { version: 2, id: meeting_id(2), ..everything() };
    let swap = [emptied.clone(), filled.clone()].map(MeetingWrite::Update);
    store.commit(&swap.into_iter().fold(Changes::new(), Changes::write)).await.expect("an update");
    assert_eq!(stored(&store, meeting_id(1), Viewer::Service).await, Some(emptied));
    assert_eq!(stored(&store, meeting_id(2), Viewer::Service).await, Some(filled));
}

pub(super) async fn a_meeting_is_there_for_who_is_in_it_and_for_its_organizer(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let removed = taskflow_core::Participant { removed_at: Some(noon()), ..member(3, 1, 3) };
    let people = [member(1, 1, 1), member(2, 1, 2), removed, guest(4, 1)];
    store.commit(&users([1, 2, 3]).and(called(meeting(1, 1), people))).await.expect("a meeting");
    let sees = async |viewer| stored(&store, meeting_id(1), viewer).await.is_some();
    assert!(sees(Viewer::Service).await);
    assert!(
        sees(Viewer::Person(Scope::own(user_id(1)).reading())).await
            && sees(Viewer::Person(Scope::own(user_id(2)).reading())).await
    );
    assert!(
        !sees(Viewer::Person(Scope::own(user_id(3)).reading())).await
            && !sees(Viewer::Person(Scope::own(user_id(9)).reading())).await
    );
    assert!(sees(Viewer::Person(Scope::own(user_id(1)))).await && !sees(Viewer::Person(Scope::own(user_id(2)))).await);
    for (viewer, count) in [(1, 1), (2, 1), (3, 0), (9, 0)] {
        let page = store.meetings(Scope::own(user_id(viewer)), &MeetingQuery::default(), noon()).await.expect("a page");
        assert_eq!((page.total, page.items.len()), (count, count as usize), "{viewer}");
    }
}

pub(super) async fn meetings_are_loaded_at_once_and_unknown_ids_are_left_out(open: Arc<dyn OpenStore>) {
    let store = with(&*open, [meeting(1, 1), meeting(2, 1), meeting(3, 1)]).await;
    let ids = [meeting_id(3), meeting_id(9), meeting_id(1), meeting_id(1)];
    let found = store.meetings_by_id(&ids, Viewer::Person(Scope::own(user_id(2)).reading())).await.expect("a read");
    assert_eq!(found.len(), 2);
    assert!(found.contains_key(&meeting_id(1)) && found.contains_key(&meeting_id(3)));
    assert!(store.meetings_by_id(&[], Viewer::Service).await.expect("a read").is_empty());
}

async fn listed(store: &Arc<dyn Storage>, query: MeetingQuery, now: Timestamp) -> Vec<u64> {
    let page = store.meetings(Scope::own(user_id(2)), &query, now).await.expect("a page");
    assert_eq!(page.total, page.items.len() as u64);
    let number = |meeting: &Meeting| (1..20).find(|n| meeting_id(*n) == meeting.id).expect("one of ours");
    page.items.iter().map(number).collect()
}

pub(super) async fn the_status_of_a_list_follows_the_clock(open: Arc<dyn OpenStore>) {
    let cancelled = Meeting { cancelled_at: Some(noon()), ..meeting(2, 1) };
    let ended = Meeting { ended_at: Some(noon()), starts_at: tomorrow() + HOUR, ..meeting(3, 1) };
    let both = Meeting { ended_at: Some(noon()), cancelled_at: Some(noon()), ..meeting(4, 1) };
    let store = with(&*open, [meeting(1, 1), cancelled, ended, both]).await;
    let any_of = async |status: Vec<MeetingStatus>, now| {
        listed(&store, MeetingQuery { status, ..MeetingQuery::default() }, now).await
    };
    let of = async |status: Option<MeetingStatus>, now| any_of(status.into_iter().collect(), now).await;
    let (scheduled, begun) = (Some(MeetingStatus::Scheduled), Some(MeetingStatus::InProgress));
    let (completed, cancelled) = (Some(MeetingStatus::Completed), Some(MeetingStatus::Cancelled));
    assert_eq!(of(None, noon()).await, [3, 1]);
    assert_eq!(of(cancelled, noon()).await, [4, 2]);
    assert_eq!(of(scheduled, noon()).await, [1]);
    assert_eq!(of(completed, noon()).await, [3]);
    assert_eq!(any_of(vec![MeetingStatus::Cancelled, MeetingStatus::Scheduled], noon()).await, [4, 2, 1]);
    assert_eq!(any_of(MeetingStatus::ALL.to_vec(), noon()).await, [3, 4, 2, 1]);
    let micro = Duration::from_micros(1);
    // It begins with its first instant and is over with the one after its last.
    assert_eq!(of(scheduled, tomorrow() - micro).await, [1]);
    assert_eq!((of(scheduled, tomorrow()).await, of(begun, tomorrow()).await), (vec![], vec![1]));
    assert_eq!(of(begun, tomorrow() + HOUR - micro).await, [1]);
    assert_eq!((of(begun, tomorrow() + HOUR).await, of(completed, tomorrow() + HOUR).await), (vec![], vec![3, 1]));
}

pub(super) async fn start_bounds_include_the_first_instant_and_exclude_the_last(open: Arc<dyn OpenStore>) {
    let at = |n: u64| Meeting { starts_at: tomorrow() + HOUR * n as u32, ..meeting(n, 1) };
    let store = with(&*open, [at(1), at(2), at(3)]).await;
    let query = |after: u32, before: u32| MeetingQuery {
        starts_after: Some(tomorrow() + HOUR * after),
        starts_before: Some(tomorrow() + HOUR * before),
        ..MeetingQuery::default()
    };
    assert_eq!(listed(&store, query(1, 3), noon()).await, [2, 1]);
    assert_eq!(listed(&store, query(2, 4), noon()).await, [3, 2]);
    assert_eq!(listed(&store, query(3, 3), noon()).await, [0; 0]);
}

pub(super) async fn words_are_found_in_title_description_and_place_in_any_case(open: Arc<dyn OpenStore>) {
    let first = Meeting { title: "Stra\u{df}e 100% fertig".parse().expect("a title"), ..meeting(1, 1) };
    let second = Meeting {
        description: Some("\u{c4}nderung\nder ORDNUNG".parse().expect("a description")),
        location: Some("Raum_7".parse().expect("a place")),
        ..meeting(2, 1)
    };
    let store = with(&*open, [first, second]).await;
    for (text, found) in [
        ("STRASSE", vec![1]),
        ("fertig strasse", vec![1]),
        ("100%", vec![1]),
        ("%", vec![1]),
        ("a\u{308}nderung ordnung raum", vec![2]),
        ("Raum_", vec![2]),
        ("_", vec![2]),
        ("meeting-2", vec![2]),
        ("strasse ordnung", vec![]),
        ("\\", vec![]),
        ("", vec![2, 1]),
    ] {
        let query = MeetingQuery { words: taskflow_core::TaskQuery::words(text), ..MeetingQuery::default() };
        assert_eq!(listed(&store, query, noon()).await, found, "{text}");
    }
}

pub(super) async fn every_sort_of_meetings_orders_both_ways_and_ties_by_id(open: Arc<dyn OpenStore>) {
    let row = |n: u64, title: &str, starts: u32, created: u64, updated: u64| Meeting {
        title: title.parse().expect("a title"),
        starts_at: tomorrow() + HOUR * starts,
        created_at: noon() + Duration::from_micros(created),
        updated_at: noon() + Duration::from_micros(updated),
        ..meeting(n, 1)
    };
    let rows = [row(1, "b", 2, 3, 9), row(2, "A", 3, 1, 9), row(3, "\u{c4}c", 1, 2, 9), row(4, "B", 2, 4, 1)];
    let store = with(&*open, rows).await;
    for (sort, order) in [
        ("meeting_date", [3, 4, 1, 2]),
        ("-meeting_date", [2, 4, 1, 3]),
        ("created_at", [2, 3, 1, 4]),
        ("-created_at", [4, 1, 3, 2]),
        ("updated_at", [4, 3, 2, 1]),
        ("-updated_at", [3, 2, 1, 4]),
        ("title", [2, 3, 4, 1]),
        ("-title", [4, 1, 3, 2]),
    ] {
        let sort: MeetingSort = sort.parse().expect("a sort");
        let query = MeetingQuery { sort: vec![sort], ..MeetingQuery::default() };
        assert_eq!(listed(&store, query, noon()).await, order, "{sort}");
    }
    let two = ["title", "-meeting_date"].map(|sort| sort.parse().expect("a sort")).to_vec();
    assert_eq!(listed(&store, MeetingQuery { sort: two, ..MeetingQuery::default() }, noon()).await, [2, 3, 4, 1]);
    // Without a sort those that begin last come first.
    assert_eq!(listed(&store, MeetingQuery::default(), noon()).await, [2, 4, 1, 3]);
}

pub(super) async fn pages_of_meetings_count_everything_and_end_empty(open: Arc<dyn OpenStore>) {
    let store = with(&*open, (1..=5).map(|n| meeting(n, 1))).await;
    for (page, expected) in [(1, vec![5, 4]), (2, vec![3, 2]), (3, vec![1]), (4, vec![])] {
        let request = PageRequest::new(page, 2).expect("fits");
        let query = MeetingQuery { page: request, ..MeetingQuery::default() };
        let found = store.meetings(Scope::own(user_id(2)), &query, noon()).await.expect("a page");
        assert_eq!((found.total, found.request), (5, request));
        let ids: Vec<_> = found.items.iter().map(|meeting| meeting.id).collect();
        assert_eq!(ids, expected.into_iter().map(meeting_id).collect::<Vec<_>>());
    }
}

pub(super) async fn an_update_needs_the_version_before_it(open: Arc<dyn OpenStore>) {
    let store = with(&*open, [meeting(1, 1)]).await;
    let update = |n, version| Changes::new().write(MeetingWrite::Update(Meeting { version, ..meeting(n, 1) }));
    for (n, version) in [(1, 1), (1, 3), (9, 2)] {
        let error = store.commit(&update(n, version)).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    }
    store.commit(&update(1, 2)).await.expect("the next version");
    assert_eq!(stored(&store, meeting_id(1), Viewer::Service).await.map(|row| row.version), Some(2));
}

pub(super) async fn a_meeting_of_somebody_who_is_gone_is_stale(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let error = store.commit(&users([2]).and(called(meeting(1, 1), []))).await.expect_err("nobody calls it");
    assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    store.commit(&called(meeting(1, 1), [member(1, 1, 1)]).and(users([1]))).await.expect("made together, in any order");
    let nobodys = Meeting { created_by: None, ..meeting(2, 1) };
    store.commit(&called(nobodys.clone(), [])).await.expect("a meeting whose organizer left");
    assert_eq!(stored(&store, meeting_id(2), Viewer::Service).await, Some(nobodys));
}

pub(super) async fn a_confirmed_start_changes_the_database_version_alone(open: Arc<dyn OpenStore>) {
    let old = Meeting { tzdb: "2020a".to_owned(), ..meeting(1, 1) };
    let store = with(&*open, [old.clone()]).await;
    let confirm = MeetingWrite::ConfirmStart { id: meeting_id(1), tzdb: "2026f".to_owned() };
    store.commit(&Changes::new().write(confirm)).await.expect("confirmed");
    let expected = Meeting { tzdb: "2026f".to_owned(), ..old };
    assert_eq!(stored(&store, meeting_id(1), Viewer::Service).await, Some(expected));
}

pub(super) async fn meetings_of_older_zone_rules_are_found_while_they_matter(open: Arc<dyn OpenStore>) {
    let of = |n: u64, tzdb: &str| Meeting { tzdb: tzdb.to_owned(), ..meeting(n, 1) };
    let cancelled = Meeting { cancelled_at: Some(noon()), ..of(4, "2020a") };
    let ended = Meeting { ended_at: Some(noon()), ..of(5, "2020a") };
    let later = Meeting { starts_at: tomorrow() + HOUR, ..of(6, "") };
    let rows = [of(1, "2025b"), of(2, "2026a"), of(3, "2026b"), cancelled, ended, later];
    let store = with(&*open, rows).await;
    let found = async |tzdb: &str, now, limit| {
        let mut ids = store.meetings_before_tzdb(tzdb, now, limit).await.expect("a read");
        ids.sort_unstable();
        ids
    };
    assert_eq!(found("2026b", noon(), 10).await, [1, 2, 6].map(meeting_id));
    assert_eq!(found("2025b", noon(), 10).await, [meeting_id(6)]);
    assert_eq!(found("2026b", noon(), 2).await.len(), 2);
    assert_eq!(found("2026b", tomorrow(), 10).await, [meeting_id(6)]);
    assert_eq!(found("2026b", tomorrow() + HOUR, 10).await, []);
}

pub(super) async fn the_newest_revision_that_is_not_later_is_found(open: Arc<dyn OpenStore>) {
    let store = with(&*open, [meeting(1, 1), everything_as(2)]).await;
    let revision = |n: u64, version: u64, meeting: &Meeting| Revision {
        meeting_id: meeting_id(n),
        version,
        sequence: (version != 4).then_some(u32::MAX),
        facts: taskflow_core::MeetingFacts { title: format!("version {version}"), ..meeting.facts() },
    };
    let (bare, full) = (meeting(1, 1), everything_as(2));
    let rows = [revision(1, 1, &bare), revision(1, 4, &full), revision(1, 9, &bare), revision(2, 3, &full)];
    let changes = rows.iter().cloned().map(MeetingWrite::InsertRevision).fold(Changes::new(), Changes::write);
    store.commit(&changes).await.expect("revisions");
    let expected = [
        ((1, 1), Some(0)),
        ((1, 3), Some(0)),
        ((1, 4), Some(1)),
        ((1, 8), Some(1)),
        ((1, 99), Some(2)),
        ((2, 2), None),
    ];
    let wanted: Vec<_> = expected.iter().map(|((n, version), _)| (meeting_id(*n), *version)).collect();
    let found = store.revisions(&[&wanted[..], &[(meeting_id(9), 1)]].concat()).await.expect("a read");
    assert_eq!(found.len(), 5);
    for (key, (_, row)) in wanted.iter().zip(expected) {
        let found = found.get(key).map(|row| row.clone().expect("a readable row"));
        assert_eq!(found, row.map(|row: usize| rows[row].clone()), "{key:?}");
    }
    assert!(store.revisions(&[]).await.expect("a read").is_empty());
}

/// Everything a meeting may have, under another number.
fn everything_as(n: u64) -> Meeting {
    Meeting { id: meeting_id(n), ..everything() }
}

pub(super) async fn a_local_start_means_the_zone_of_the_meeting(open: Arc<dyn OpenStore>) {
    let local = "2027-03-28T02:30:00".parse().expect("a local time");
    let new = taskflow_core::NewMeeting::titled("in the gap".parse().expect("a title"), StartsAt::Local(local));
    let row = Meeting::new(meeting_id(1), user_id(1), meeting(1, 1).organizer, &zone("Europe/Berlin"), new, noon())
        .expect("a meeting");
    let store = with(&*open, [row.clone()]).await;
    let found = stored(&store, meeting_id(1), Viewer::Service).await.expect("a meeting");
    assert_eq!((found.starts_at, found.local_start), (row.starts_at, local + HOUR));
}
