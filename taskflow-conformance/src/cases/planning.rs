//! Reminders in the ledger: found by their keys, missed when they are not there, and planned in bulk.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{MeetingCursor, Storage};
use taskflow_core::{
    Changes, DedupeKey, DeliveryState, DeliveryWrite, EventId, FeedEvent, Meeting, MeetingId, MeetingResponse,
    MeetingWrite, NewDelivery, OwnReminders, Participant, ParticipantWrite, ReminderMinutes, Revision, Scope,
    Timestamp, meeting_reminder_key,
};

use crate::OpenStore;
use crate::sample::{
    called, delivery_id, guest, meeting, meeting_id, member, noon, participant_id, reminders_of, tomorrow, users,
    welcome,
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn own(minutes: &[u32]) -> Option<OwnReminders> {
    let minutes = minutes.iter().map(|n| ReminderMinutes::new(*n).expect("fits"));
    Some(OwnReminders::new(minutes).expect("up to five"))
}

fn keyed(n: u64, key: &str) -> NewDelivery {
    NewDelivery { dedupe_key: DedupeKey::new(key), ..welcome(n) }
}

pub(super) async fn deliveries_are_found_by_the_beginning_of_their_keys_in_byte_order(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let keys = ["a/10", "a/9", "a/B", "a/b", "a_b", "a", "b/1", "a%/x", "a/b/1", "a\u{7f}", "A/1"];
    let deliveries = (1..).zip(keys).map(|(n, key)| keyed(n, key));
    store.commit(&users([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).deliver(deliveries)).await.expect("deliveries");
    let found = async |prefix: &str, limit| {
        let found = store.deliveries_with_key(prefix, limit).await.expect("a read");
        found.into_iter().map(|one| one.dedupe_key.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("a/", 100).await, ["a/10", "a/9", "a/B", "a/b", "a/b/1"]);
    assert_eq!(found("a/", 2).await, ["a/10", "a/9"]);
    assert_eq!(found("a/b", 100).await, ["a/b", "a/b/1"]);
    assert_eq!(found("a", 100).await, ["a", "a%/x", "a/10", "a/9", "a/B", "a/b", "a/b/1", "a_b", "a\u{7f}"]);
    assert_eq!((found("a_", 100).await, found("a%", 100).await), (vec!["a_b".to_owned()], vec!["a%/x".to_owned()]));
    assert_eq!((found("c", 100).await.len(), found("", 100).await.len(), found("a/", 0).await.len()), (0, 11, 0));
    let cancel = DeliveryWrite::Cancel { key: DedupeKey::new("a/9"), reason: "no".to_owned(), at: noon() };
    store.commit(&Changes::new().write(cancel)).await.expect("cancelled");
    let nine = store.deliveries_with_key("a/9", 10).await.expect("a read");
    assert_eq!((nine[0].id, nine[0].state), (delivery_id(2), DeliveryState::Cancelled));
}

/// Returns the meetings that a sweep at noon finds for the next two days, with reminders due after noon.
async fn unplanned(store: &Arc<dyn Storage>) -> Vec<MeetingId> {
    let until = noon() + HOUR * 48;
    store.meetings_unplanned(noon(), until, noon(), None, 100).await.expect("a read")
}

pub(super) async fn a_meeting_is_unplanned_while_one_of_its_keys_is_missing(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let people = [
        member(1, 1, 1),
        Participant { reminders: own(&[0, 5, 60, 120, 180]), ..guest(2, 1) },
        Participant { reminders: own(&[7]), response: MeetingResponse::Tentative, ..guest(3, 1) },
    ];
    store.commit(&users([1]).and(called(meeting(1, 1), people.clone()))).await.expect("a meeting");
    let reminders: Vec<_> = reminders_of(&meeting(1, 1), &people, 100).collect();
    assert_eq!(reminders.len(), 7);
    for (missing, reminder) in reminders.iter().enumerate() {
        assert_eq!(unplanned(&store).await, [meeting_id(1)], "{} of 7 are missing", 7 - missing);
        store.commit(&Changes::new().deliver([reminder.clone()])).await.expect("planned");
    }
    assert_eq!(unplanned(&store).await, []);
    // Whatever became of them, they were planned.
    let cancel = reminders[3].dedupe_key.clone();
    let cancel = DeliveryWrite::Cancel { key: cancel, reason: "by hand".to_owned(), at: noon() };
    store.commit(&Changes::new().write(cancel)).await.expect("cancelled");
    assert_eq!(unplanned(&store).await, []);
    // Another start, or another default, makes another key.
    let moved = Meeting { version: 2, starts_at: tomorrow() + Duration::from_micros(1), ..meeting(1, 1) };
    store.commit(&Changes::new().write(MeetingWrite::Update(moved))).await.expect("moved");
    assert_eq!(unplanned(&store).await, [meeting_id(1)]);
    let back = Meeting { version: 3, ..meeting(1, 1) };
    store.commit(&Changes::new().write(MeetingWrite::Update(back.clone()))).await.expect("moved back");
    assert_eq!(unplanned(&store).await, []);
    let fourteen = ReminderMinutes::new(14).expect("fits");
    let other = Meeting { version: 4, reminder_minutes: fourteen, ..back };
    store.commit(&Changes::new().write(MeetingWrite::Update(other.clone()))).await.expect("another default");
    assert_eq!(unplanned(&store).await, [meeting_id(1)]);
    let key = meeting_reminder_key(&other, participant_id(1), fourteen);
    store.commit(&Changes::new().deliver([NewDelivery { dedupe_key: key, ..welcome(1) }])).await.expect("planned");
    assert_eq!(unplanned(&store).await, []);
}

pub(super) async fn what_asks_for_no_reminder_is_not_unplanned(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let asks_nothing = [
        Participant { response: MeetingResponse::Declined, ..guest(1, 1) },
        Participant { removed_at: Some(noon()), ..guest(2, 1) },
        Participant { reminders: own(&[]), ..guest(3, 1) },
        // Due at noon and before, and not after it.
        Participant { reminders: own(&[24 * 60, 24 * 60 + 1, 40_320]), ..guest(4, 1) },
    ];
    let asking = |n: u64| [guest(10 + n, n)];
    let changes = users([1])
        .and(called(meeting(1, 1), asks_nothing))
        .and(called(Meeting { cancelled_at: Some(noon()), ..meeting(2, 1) }, asking(2)))
        .and(called(Meeting { ended_at: Some(noon()), ..meeting(3, 1) }, asking(3)))
        .and(called(Meeting { starts_at: noon(), ..meeting(4, 1) }, asking(4)))
        .and(called(Meeting { starts_at: noon() + HOUR * 48 + Duration::from_micros(1), ..meeting(5, 1) }, asking(5)))
        .and(called(meeting(6, 1), []));
    store.commit(&changes).await.expect("meetings");
    assert_eq!(unplanned(&store).await, []);
    let earlier = noon() - Duration::from_micros(1);
    let until = noon() + HOUR * 48 + Duration::from_micros(1);
    let found =
        async |now, until, due_after| store.meetings_unplanned(now, until, due_after, None, 100).await.expect("a read");
    assert_eq!(found(noon(), noon() + HOUR * 48, earlier).await, [meeting_id(1)]);
    assert_eq!(found(earlier, noon() + HOUR, earlier - HOUR).await, [meeting_id(4)]);
    assert_eq!(found(noon(), until, noon()).await, [meeting_id(5)]);
}

pub(super) async fn sweeps_go_on_where_they_were(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let mut changes = users([1]);
    let mut all: Vec<MeetingCursor> = Vec::new();
    for n in 1..=7 {
        // Some begin together.
        let starts_at = tomorrow() + HOUR * (8 - n as u32) / 2 * 2;
        all.push((starts_at, meeting_id(n)));
        changes = changes.and(called(Meeting { starts_at, ..meeting(n, 1) }, [guest(n, n)]));
    }
    all.sort_unstable();
    store.commit(&changes).await.expect("meetings");
    let page = async |after| {
        let until: Timestamp = noon() + HOUR * 48;
        store.meetings_unplanned(noon(), until, noon(), after, 2).await.expect("a read")
    };
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let ids = page(after).await;
        let Some(last) = ids.last() else { break };
        after = all.iter().find(|(_, id)| id == last).copied();
        found.extend(ids);
    }
    assert_eq!(found, all.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    // A cursor need not be a meeting.
    let between = Some((all[2].0, meeting_id(0)));
    let expected: Vec<_> = all.iter().filter(|one| Some(**one) > between).map(|(_, id)| *id).take(2).collect();
    assert_eq!(page(between).await, expected);
}

/// Returns the writes that create a large meeting. Half of its 500 participants have accounts, whose order differs from
/// meeting to meeting.
fn large(n: u64) -> Changes {
    let mine = meeting(n, 1);
    let first = n * 1000;
    let mut people: Vec<_> = (0..500)
        .map(|k| match k < 40 {
            true => member(first + k, n, k + 1),
            false => guest(first + k, n),
        })
        .collect();
    let reminders: Vec<_> = reminders_of(&mine, &people, first).collect();
    if n.is_multiple_of(2) {
        people.reverse();
    }
    let mut audience: Vec<_> = people.iter().filter_map(|one| one.user_id).collect();
    audience.sort_unstable();
    let event = EventId::from_uuid(participant_id(first).as_uuid());
    let details = taskflow_core::MeetingDetails { meeting: mine.clone(), participants: people.clone() };
    let announcement = FeedEvent::meeting(event, taskflow_core::Actor::System, None, &details, audience);
    let revision = Revision { meeting_id: mine.id, version: 1, sequence: Some(0), facts: mine.facts() };
    called(mine, people).write(MeetingWrite::InsertRevision(revision)).deliver(reminders).announce(announcement)
}

pub(super) async fn five_hundred_people_fit_one_commit(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=40)).await.expect("users");
    store.commit(&large(1)).await.expect("a large meeting");
    let people = store.participants(&[meeting_id(1)]).await.expect("a read");
    assert_eq!(people.len(), 500);
    assert_eq!(store.ledger().await.expect("a read").due, 500);
    assert_eq!(unplanned(&store).await, []);
    // Moving it rewrites every row and plans everybody anew.
    let moved = Meeting { version: 2, starts_at: tomorrow() + MINUTE, ..meeting(1, 1) };
    let mut changes = Changes::new()
        .write(MeetingWrite::Update(moved.clone()))
        .write(ParticipantWrite::ExpectVersions { meeting: meeting_id(1), versions: 500 })
        .deliver(reminders_of(&moved, &people, 9000));
    for old in reminders_of(&meeting(1, 1), &people, 1) {
        let reason = "moved".to_owned();
        changes = changes.write(DeliveryWrite::Cancel { key: old.dedupe_key, reason, at: noon() });
    }
    let touched = people.iter().map(|one| Participant { version: 2, ..one.clone() });
    let changes = touched.fold(changes, |changes, one| changes.write(ParticipantWrite::Update(one)));
    store.commit(&changes).await.expect("moved");
    let ledger = store.ledger().await.expect("a read");
    assert_eq!((ledger.due, ledger.cancelled, ledger.balances()), (500, 500, true));
    assert_eq!(unplanned(&store).await, []);
    assert!(store.participants(&[meeting_id(1)]).await.expect("a read").iter().all(|one| one.version == 2));
}

pub(super) async fn fifty_large_meetings_at_once_are_all_called(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=40)).await.expect("users");
    let calls = (1..=50).map(|n| {
        let store = store.clone();
        async move { store.commit(&large(n)).await }
    });
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok), "{:?}", results.iter().find(|result| result.is_err()));
    assert_eq!(store.ledger().await.expect("a read").due, 25_000);
    for owner in [1, 40] {
        let (scope, mut seqs) = (Scope::own(crate::sample::user_id(owner)), Vec::new());
        loop {
            let page = store.feed(scope, seqs.last().copied().unwrap_or(0), 100).await.expect("a read");
            if page.is_empty() {
                break;
            }
            seqs.extend(page.iter().map(|entry| entry.seq));
        }
        assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    }
}
