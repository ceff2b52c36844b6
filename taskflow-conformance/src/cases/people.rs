//! The people in meetings as rows: guests and accounts, and what they were told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{ClaimRequest, Settled, Storage};
use taskflow_core::{
    Changes, ChannelKind, Effect, EmailAddress, LastNotified, LeaseToken, MeetingQuery, MeetingResponse, MeetingRole,
    MeetingWrite, NewUser, NoticeKind, Outcome, OwnReminders, Participant, ParticipantWrite, ReminderMinutes, Scope,
    Settlement, StoreError, User, UserWrite, Viewer,
};

use crate::OpenStore;
use crate::sample::{
    called, delivery_id, guest, lease, meeting, meeting_id, member, new_user, noon, participant_id, user, user_id,
    users, welcome,
};

pub(super) async fn stored(store: &Arc<dyn Storage>, n: u64) -> Option<Participant> {
    let id = participant_id(n);
    let mut found = store.participants_by_id(&[id]).await.expect("a read");
    found.remove(&id).map(|row| row.expect("a readable row"))
}

fn minutes(minutes: &[u32]) -> OwnReminders {
    OwnReminders::new(minutes.iter().map(|n| ReminderMinutes::new(*n).expect("fits"))).expect("up to five")
}

fn everything(n: u64) -> Participant {
    Participant {
        name: Some("Zo\u{eb} \"Z\" \u{1F600}".parse().expect("a name")),
        role: MeetingRole::Optional,
        response: MeetingResponse::Tentative,
        comment: Some("later\r\nperhaps; \u{4e2d}".parse().expect("a comment")),
        responded_at: Some(noon() + Duration::from_micros(1)),
        reminders: Some(minutes(&[0, 15, 60, 1440, 40_320])),
        answered_version: Some(6),
        reset_response: Some(MeetingResponse::Declined),
        proposed_start: Some(noon() + Duration::from_micros(3)),
        locale: Some("de-CH".parse().expect("a locale")),
        time_zone: Some("America/New_York".parse().expect("a zone")),
        delivery_problem: taskflow_core::DeliveryProblem::from_text("550 5.1.1\r\n no \"such\" user \u{1F600}"),
        removed_at: Some(noon() + Duration::from_micros(2)),
        merged_into: Some(participant_id(2)),
        version: 7,
        ..member(n, 1, 2)
    }
}

pub(super) async fn a_participant_round_trips_with_all_and_no_optional_fields(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let silent = Participant { reminders: Some(OwnReminders::default()), ..guest(3, 1) };
    let organizer = Participant { role: MeetingRole::Organizer, ..member(4, 1, 1) };
    let rows = [everything(1), guest(2, 1), silent, organizer];
    store.commit(&users([1, 2]).and(called(meeting(1, 1), rows.clone()))).await.expect("a meeting");
    for (n, row) in (1..).zip(rows) {
        assert_eq!(stored(&store, n).await, Some(row));
    }
    // And the other way round by updates; the address never changes.
    let emptied = Participant { id: participant_id(1), version: 8, email: user(2).email, ..guest(1, 1) };
    let filled = Participant { version: 2, user_id: None, email: guest(2, 1).email, ..everything(2) };
    let swap = [emptied.clone(), filled.clone()].map(ParticipantWrite::Update);
    store.commit(&swap.into_iter().fold(Changes::new(), Changes::write)).await.expect("an update");
    assert_eq!(stored(&store, 1).await, Some(emptied));
    assert_eq!(stored(&store, 2).await, Some(filled));
}

pub(super) async fn participants_are_listed_by_meeting_and_id_also_the_removed(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let removed = Participant { removed_at: Some(noon()), ..guest(2, 1) };
    let first = called(meeting(1, 1), [guest(9, 1), removed, member(5, 1, 1)]);
    let second = called(meeting(2, 1), [guest(3, 2), guest(1, 2)]);
    let third = called(meeting(3, 1), [guest(4, 3)]);
    store.commit(&users([1]).and(second).and(first).and(third)).await.expect("meetings");
    let found = store.participants(&[meeting_id(2), meeting_id(1), meeting_id(8)]).await.expect("a read");
    let ids: Vec<_> = found.iter().map(|one| one.id).collect();
    assert_eq!(ids, [2, 5, 9, 1, 3].map(participant_id));
    assert_eq!(store.participants(&[]).await.expect("a read"), []);
    let some = [participant_id(4), participant_id(77), participant_id(2), participant_id(2)];
    assert_eq!(store.participants_by_id(&some).await.expect("a read").len(), 2);
    assert!(store.participants_by_id(&[]).await.expect("a read").is_empty());
}

pub(super) async fn an_address_comes_once_in_a_meeting(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let removed = Participant { removed_at: Some(noon()), ..guest(2, 1) };
    let setup = users([1]).and(called(meeting(1, 1), [guest(1, 1), removed])).and(called(meeting(2, 1), []));
    store.commit(&setup).await.expect("meetings");
    for taken in ["GUEST-1@Example.org", "guest-2@example.org"] {
        let again = Participant { email: taken.parse().expect("an address"), ..guest(7, 1) };
        let changes =
            Changes::new().write(ParticipantWrite::Insert(guest(5, 1))).write(ParticipantWrite::Insert(again));
        let error = store.commit(&changes).await.expect_err("in the meeting already");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    assert_eq!(stored(&store, 5).await, None);
    let elsewhere = Participant { email: guest(1, 1).email, ..guest(6, 2) };
    store.commit(&Changes::new().write(ParticipantWrite::Insert(elsewhere))).await.expect("another meeting");
}

pub(super) async fn an_update_needs_the_version_before_it(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).and(called(meeting(1, 1), [guest(1, 1), guest(2, 1)]))).await.expect("a meeting");
    let update = |n, version| ParticipantWrite::Update(Participant { version, ..guest(n, 1) });
    for (n, version) in [(1, 1), (1, 3), (9, 2)] {
        let changes = Changes::new().write(update(2, 2)).write(update(n, version));
        let error = store.commit(&changes).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    store.commit(&Changes::new().write(update(2, 2)).write(update(1, 2))).await.expect("the next versions");
}

pub(super) async fn a_participant_whose_account_is_gone_is_stale(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).and(called(meeting(1, 1), [guest(1, 1)]))).await.expect("a meeting");
    let link = ParticipantWrite::LinkGuests { email: user(9).email, user_id: user_id(9) };
    let update = ParticipantWrite::Update(Participant { version: 2, user_id: Some(user_id(9)), ..guest(1, 1) });
    for write in [ParticipantWrite::Insert(member(2, 1, 9)), update, link] {
        let error = store.commit(&users([2]).write(write)).await.expect_err("nobody has that account");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{error:?}");
    }
    let together = users([9]).write(ParticipantWrite::Insert(member(2, 1, 9)));
    store.commit(&together).await.expect("made together");
}

fn verified(n: u64, email: &str) -> User {
    let email = email.parse().expect("an address");
    let new = NewUser { email, ..new_user(&format!("user-{n}")) };
    User { email_verified: true, ..User::new(user_id(n), new, noon()) }
}

pub(super) async fn only_a_verified_address_finds_its_person_in_any_case(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (ada, bob) = (verified(1, "Ada@Example.org"), verified(2, "bob@example.org"));
    let setup = users([3]).write(UserWrite::Insert(ada.clone())).write(UserWrite::Insert(bob.clone()));
    store.commit(&setup).await.expect("users");
    let found = async |addresses: &[&str]| {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        let mut found = store.users_by_email(&addresses).await.expect("a read");
        found.sort_by_key(|user| user.id);
        found
    };
    let one = found(&["aDA@eXAMPLE.ORG", "user-3@example.org", "x@example.org"]).await;
    assert_eq!(one, std::slice::from_ref(&ada));
    assert_eq!(found(&["bob@example.org", "ada@example.org", "ADA@example.org"]).await, [ada, bob.clone()]);
    assert_eq!(found(&["user-3@example.org"]).await, []);
    assert_eq!(found(&[]).await, []);
    let moved = User { email_verified: false, version: 2, ..bob };
    store.commit(&Changes::new().write(UserWrite::Update(moved))).await.expect("an update");
    assert_eq!(found(&["bob@example.org"]).await, []);
}

pub(super) async fn guests_become_the_account_of_their_address_where_it_is_not_in_yet(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let guest_as =
        |n, meeting, email: &str| Participant { email: email.parse().expect("an address"), ..guest(n, meeting) };
    let of_another = Participant { user_id: Some(user_id(3)), ..guest_as(6, 4, "eve@example.org") };
    let setup = users([1, 2, 3])
        .and(called(meeting(1, 1), [guest_as(1, 1, "Eve@Example.ORG"), guest(2, 1)]))
        .and(called(meeting(2, 1), [guest_as(3, 2, "eve@example.org"), member(4, 2, 2)]))
        .and(called(meeting(3, 1), [Participant { removed_at: Some(noon()), ..guest_as(5, 3, "eve@example.org") }]))
        .and(called(meeting(4, 1), [of_another]));
    store.commit(&setup).await.expect("meetings");
    let link =
        ParticipantWrite::LinkGuests { email: "EVE@example.org".parse().expect("an address"), user_id: user_id(2) };
    store.commit(&Changes::new().write(link.clone())).await.expect("linked");
    let now = [(1, Some(2), 2), (2, None, 1), (3, None, 1), (4, Some(2), 1), (5, Some(2), 2), (6, Some(3), 1)];
    for (n, owner, version) in now {
        let one = stored(&store, n).await.expect("a participant");
        assert_eq!((one.user_id, one.version), (owner.map(user_id), version), "{n}");
    }
    assert_eq!(stored(&store, 1).await.map(|one| one.email.to_string()).as_deref(), Some("Eve@Example.ORG"));
    // Linking again finds nobody.
    store.commit(&Changes::new().write(link)).await.expect("nothing to do");
    assert_eq!(stored(&store, 1).await.map(|one| one.version), Some(2));
}

pub(super) async fn a_link_made_meanwhile_is_noticed_by_who_decided_before_it(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2]).and(called(meeting(1, 1), [guest(1, 1)]))).await.expect("a meeting");
    let link = ParticipantWrite::LinkGuests { email: guest(1, 1).email, user_id: user_id(2) };
    store.commit(&Changes::new().write(link)).await.expect("linked");
    let answer = Changes::new()
        .write(ParticipantWrite::Update(guest(1, 1).respond(MeetingResponse::Accepted, None, noon())))
        .write(MeetingWrite::ExpectVersion { id: meeting_id(1), version: 1 });
    assert!(matches!(store.commit(&answer).await, Err(StoreError::Stale { write: 0 })));
    let moved = Changes::new()
        .write(MeetingWrite::Update(taskflow_core::Meeting { version: 2, ..meeting(1, 1) }))
        .write(ParticipantWrite::ExpectVersions { meeting: meeting_id(1), versions: 1 });
    assert!(matches!(store.commit(&moved).await, Err(StoreError::Stale { write: 1 })));
}

pub(super) async fn the_meetings_that_wait_for_somebody_are_those_that_linking_lists(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let eve = |n, meeting| Participant { email: "Eve@Example.ORG".parse().expect("an address"), ..guest(n, meeting) };
    let off = taskflow_core::Meeting { cancelled_at: Some(noon()), ..meeting(5, 1) };
    let over = taskflow_core::Meeting { ended_at: Some(noon()), ..meeting(7, 1) };
    let setup = users([1, 2, 3])
        .and(called(meeting(1, 1), [eve(1, 1), guest(2, 1)]))
        // Already there, whether in or removed.
        .and(called(meeting(2, 1), [eve(3, 2), member(4, 2, 2)]))
        .and(called(meeting(3, 1), [eve(5, 3), Participant { removed_at: Some(noon()), ..member(6, 3, 2) }]))
        // Was taken off, is off, is of somebody else, is of nobody.
        .and(called(meeting(4, 1), [Participant { removed_at: Some(noon()), ..eve(7, 4) }]))
        .and(called(off, [eve(8, 5)]))
        .and(called(meeting(6, 1), [Participant { user_id: Some(user_id(3)), ..eve(9, 6) }]))
        .and(called(over, [Participant { response: MeetingResponse::Declined, ..eve(10, 7) }]))
        .and(called(meeting(8, 1), [eve(11, 8), member(12, 8, 3)]))
        .and(called(meeting(9, 1), [guest(13, 9)]));
    store.commit(&setup).await.expect("meetings");
    let email: EmailAddress = "eVE@example.org".parse().expect("an address");
    let waiting = async |user, limit| store.guest_meetings(&email, user_id(user), limit).await.expect("a read");
    assert_eq!(waiting(2, 10).await, [8, 7, 1].map(meeting_id));
    assert_eq!(waiting(2, 2).await, [8, 7].map(meeting_id));
    assert_eq!(waiting(2, 0).await, []);
    // It depends on who it is; somebody who does not exist is in none.
    assert_eq!(waiting(3, 10).await, [7, 3, 2, 1].map(meeting_id));
    assert_eq!(waiting(77, 10).await, [8, 7, 3, 2, 1].map(meeting_id));
    let nobody = "nobody@example.org".parse().expect("an address");
    assert_eq!(store.guest_meetings(&nobody, user_id(2), 10).await.expect("a read"), []);
    // What linking adds to the list is just that, and nothing waits any more.
    let mine = async || {
        let page = store.meetings(Scope::own(user_id(2)), &MeetingQuery::default(), noon()).await.expect("a page");
        page.items.into_iter().map(|meeting| meeting.id).collect::<BTreeSet<_>>()
    };
    let before = mine().await;
    let link = ParticipantWrite::LinkGuests { email: email.clone(), user_id: user_id(2) };
    store.commit(&Changes::new().write(link)).await.expect("linked");
    let added: Vec<_> = mine().await.difference(&before).copied().collect();
    assert_eq!(added, [1, 7, 8].map(meeting_id));
    assert_eq!(waiting(2, 10).await, []);
}

pub(super) async fn deleting_a_user_leaves_meetings_and_participants_without_the_id(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let told = Participant { role: MeetingRole::Organizer, ..member(1, 1, 1) };
    let setup = users([1, 2])
        .and(called(meeting(1, 1), [told.clone(), member(2, 1, 2)]))
        .and(called(meeting(2, 2), [member(3, 2, 1), guest(4, 2)]));
    store.commit(&setup).await.expect("meetings");
    store.commit(&Changes::new().write(UserWrite::Delete { id: user_id(1), at: noon() })).await.expect("deleted");
    let found = store.meetings_by_id(&[meeting_id(1), meeting_id(2)], Viewer::Service).await.expect("a read");
    let row = |n| found[&meeting_id(n)].clone().expect("a readable row");
    assert_eq!(row(1), taskflow_core::Meeting { created_by: None, ..meeting(1, 1) });
    assert_eq!(row(2), meeting(2, 2));
    assert_eq!(stored(&store, 1).await, Some(Participant { user_id: None, version: 2, ..told }));
    assert_eq!(stored(&store, 2).await, Some(member(2, 1, 2)));
    assert_eq!(stored(&store, 3).await, Some(Participant { user_id: None, version: 2, ..member(3, 2, 1) }));
    assert_eq!(
        store
            .meetings_by_id(&[meeting_id(2)], Viewer::Person(Scope::own(user_id(1)).reading()))
            .await
            .expect("a read")
            .len(),
        0
    );
}

/// Claims the delivery number `n` and settles it as delivered, with this told to the participant number 1.
async fn tell(store: &Arc<dyn Storage>, n: u64, told: Option<(u64, LastNotified)>) -> Settled {
    store.commit(&Changes::new().deliver([welcome(n)])).await.expect("a delivery");
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 10,
        now: noon(),
        lease: lease(n),
        lease_for: Duration::from_secs(60),
    };
    assert_eq!(store.claim(&request).await.expect("a claim").len(), 1);
    store.settle(&[delivered(n, lease(n), told)]).await.expect("an answer")[0]
}

/// The settlement of a mail that was delivered, and what it told a participant.
fn delivered(n: u64, token: LeaseToken, told: Option<(u64, LastNotified)>) -> Settlement {
    let outcome = Outcome::Delivered { reply: "250 ok".to_owned() };
    let effect = told.map(|(n, told)| Effect::LastNotified(participant_id(n), told));
    Settlement { id: delivery_id(n), lease: token, at: noon(), outcome, effect }
}

pub(super) async fn what_was_told_is_written_by_settlements_alone(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users(1..=5).and(called(meeting(1, 1), [guest(1, 1), guest(2, 1)]))).await.expect("a meeting");
    let first = LastNotified { version: 3, on: true };
    assert_eq!(tell(&store, 1, Some((1, first))).await, Settled::Applied);
    let expected = Participant { told: Some(first), ..guest(1, 1) };
    assert_eq!(stored(&store, 1).await, Some(expected.clone()));
    // Neither an update that knows of nothing told nor one that claims something else touches it.
    let accepted = guest(1, 1).respond(MeetingResponse::Accepted, None, noon());
    store.commit(&Changes::new().write(ParticipantWrite::Update(accepted.clone()))).await.expect("an answer");
    let claimed = Participant { told: Some(LastNotified { version: 99, on: false }), version: 3, ..accepted.clone() };
    store.commit(&Changes::new().write(ParticipantWrite::Update(claimed))).await.expect("an update");
    assert_eq!(stored(&store, 1).await, Some(Participant { told: Some(first), version: 3, ..accepted }));
    let off = LastNotified { version: 4, on: false };
    assert_eq!(tell(&store, 2, Some((1, off))).await, Settled::Applied);
    assert_eq!(tell(&store, 3, None).await, Settled::Applied);
    assert_eq!(stored(&store, 1).await.map(|one| (one.told, one.version)), Some((Some(off), 3)));
    assert_eq!(stored(&store, 2).await, Some(guest(2, 1)));
    // What arrives late does not undo what they know by now.
    assert_eq!(tell(&store, 4, Some((1, first))).await, Settled::Applied);
    assert_eq!(stored(&store, 1).await.map(|one| one.told), Some(Some(off)));
    // Somebody who does not exist is told without harm.
    assert_eq!(tell(&store, 5, Some((77, off))).await, Settled::Applied);
}

pub(super) async fn a_lost_lease_tells_nobody_anything(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let setup = users([1]).and(called(meeting(1, 1), [guest(1, 1)])).deliver([welcome(1)]);
    store.commit(&setup).await.expect("a meeting");
    let settlement = delivered(1, lease(9), Some((1, LastNotified { version: 1, on: true })));
    assert_eq!(store.settle(&[settlement]).await.expect("an answer"), [Settled::LeaseLost]);
    assert_eq!(stored(&store, 1).await, Some(guest(1, 1)));
}

pub(super) async fn many_are_told_at_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let setup =
        users(1..=200).and(called(meeting(1, 1), (1..=200).map(|n| guest(n, 1)))).deliver((1..=200).map(welcome));
    store.commit(&setup).await.expect("a meeting");
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 500,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_secs(60),
    };
    assert_eq!(store.claim(&request).await.expect("a claim").len(), 200);
    let settlements: Vec<_> = (1..=200)
        .map(|n| {
            let told = LastNotified { version: n, on: n % 2 == 0 };
            delivered(n, lease(1), Some((n, told)))
        })
        .collect();
    store.settle(&settlements).await.expect("an answer");
    for one in store.participants(&[meeting_id(1)]).await.expect("a read") {
        let n = (1..=200).find(|n| participant_id(*n) == one.id).expect("one of ours");
        assert_eq!(one.told, Some(LastNotified { version: n, on: n % 2 == 0 }));
    }
}
