//! One person is one participant, by whatever addresses they were invited.

use std::sync::Arc;

use taskflow_core::ports::{Link, LinkPurpose, Links};
use taskflow_core::{
    Actor, Changes, DeliveryState, Error, Invitee, MeetingResponse, MeetingRole, NewMeeting, Participant,
    ParticipantWrite, Precondition, ProfileChange, StoreError, User, UserWrite,
};

use super::app::World;
use super::invitations::SECOND;
use super::reminders::{Board, NOBODY, board, own, person};
use crate::sample::{at, called, guest, invitee, meeting, meeting_id, member, noon, user, user_id, users};
use crate::{OpenStore, PlainLinks};

/// Ada's board meeting with Bob, who has an account, and with Robert, a guest.
async fn with_robert(open: &dyn OpenStore) -> Board {
    let world = World::building(open, |builder| builder.links(Arc::new(PlainLinks)));
    let bob = Invitee { role: MeetingRole::Optional, ..invitee("bob") };
    let new = NewMeeting { invitees: vec![bob, invitee("robert")], ..board(&[]) };
    let ada = Actor::User(world.verified("ada").await);
    let bob = Actor::User(world.verified("bob").await);
    let id = world.app.meetings().create(ada, new).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["bob: Invitation", "robert: Invitation"]);
    Board { world, ada, bob, id }
}

impl Board {
    fn link(&self, participant: &Participant) -> String {
        let (purpose, id) = (LinkPurpose::Respond, participant.id.as_uuid());
        PlainLinks.url(&Link { purpose, id, expires_at: at("2027-01-01T00:00:00Z"), version: None })
    }

    /// Somebody moves their account to another address and shows that it is theirs.
    async fn moves(&self, who: Actor, name: &str) {
        let id = who.user_id().expect("a person");
        let change = ProfileChange { email: Some(invitee(name).email), ..ProfileChange::default() };
        self.world.app.accounts().update_profile(who, id, change, Precondition::Any).await.expect("moved");
        self.world.deliver().await;
        let _mail = self.world.mailer.take();
        self.world.app.accounts().mark_email_verified(Actor::System, id).await.expect("verified");
    }

    async fn names(&self) -> Vec<String> {
        let details = self.details().await;
        details.participants.iter().map(|one| one.email.as_str().replace("@example.org", "")).collect()
    }
}

pub(super) async fn the_guest_of_a_verified_address_merges_with_the_persons_own_participant(open: Arc<dyn OpenStore>) {
    let board = with_robert(&*open).await;
    let Board { world, ada, bob, id } = &board;
    let details = board.details().await;
    let (bobs, roberts) = (person(&details, "bob").clone(), person(&details, "robert").clone());
    world
        .app
        .participants()
        .respond(*bob, *id, MeetingResponse::Accepted, "first".parse().ok(), None)
        .await
        .expect("an answer");
    world.app.meetings().set_own_reminders(*bob, *id, own(&[5, 30])).await.expect("set");
    world.clock.advance(SECOND);
    let answer = MeetingResponse::Tentative;
    world.app.links().respond(&board.link(&roberts), answer, "second".parse().ok(), None).await.expect("an answer");
    board.moves(*bob, "robert").await;

    assert_eq!(board.names().await, ["ada", "bob"]);
    let details = board.details().await;
    let one = person(&details, "bob");
    assert_eq!((one.id, one.response, one.role), (bobs.id, MeetingResponse::Tentative, MeetingRole::Attendee));
    assert_eq!(one.comment.as_ref().map(taskflow_core::Comment::as_str), Some("second"));
    // Nobody is told that it is off: the calendar there gets the updates of the other.
    assert_eq!(world.told().await, NOBODY);
    let (rows, _) = world.app.meetings().ledger(*ada, *id).await.expect("a ledger");
    let of = |participant: &Participant, state| {
        let key = participant.id.to_string();
        let theirs = rows.iter().filter(|row| row.dedupe_key.as_str().contains(&key) && row.state == state);
        theirs.map(|row| row.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(&roberts, DeliveryState::Cancelled), ["the same person is in the meeting under another address"]);
    assert_eq!(of(&roberts, DeliveryState::Scheduled), [""; 0]);
    assert_eq!(of(&bobs, DeliveryState::Scheduled).len(), 2);

    // The links of both lead to the one.
    for (who, response) in [(&roberts, MeetingResponse::Declined), (&bobs, MeetingResponse::Accepted)] {
        let answered = world.app.links().respond(&board.link(who), response, None, None).await.expect("an answer");
        assert_eq!(answered.id, bobs.id);
    }
    assert_eq!(world.app.meetings().remind_now(*ada, *id, None, None).await.expect("planned").planned, 2);
    assert_eq!(world.told().await, ["ada: Soon", "robert: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:30:00Z").await, ["robert: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:55:00Z").await, ["robert: Soon"]);
    assert!(board.ledger().await.balances());
}

pub(super) async fn no_door_lets_a_person_in_twice(open: Arc<dyn OpenStore>) {
    let board = with_robert(&*open).await;
    let Board { world, ada, bob, id } = &board;
    board.moves(*bob, "robert").await;
    let invite = async |name: &str| {
        world.app.participants().add(*ada, *id, vec![invitee(name)], Precondition::Any).await.expect("invited");
        board.names().await
    };
    // By the address before and by the one since.
    assert_eq!(invite("bob").await, ["ada", "bob"]);
    assert_eq!(invite("ROBERT").await, ["ada", "bob"]);
    let bobs = person(&board.details().await, "bob").id;
    world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
    assert_eq!(invite("robert").await, ["ada", "bob"]);
    assert_eq!(invite("bob").await, ["ada", "bob"]);
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    world.app.meetings().restore(*ada, *id).await.expect("on again");
    assert_eq!(board.names().await, ["ada", "bob"]);
    // Another address of the organizer, known before it is verified and after.
    assert_eq!(invite("lovelace").await, ["ada", "bob", "lovelace"]);
    board.moves(*ada, "lovelace").await;
    assert_eq!(board.names().await, ["ada", "bob"]);
    let details = board.details().await;
    let organizer = person(&details, "ada");
    assert_eq!((organizer.role, organizer.response), (MeetingRole::Organizer, MeetingResponse::Accepted));
    assert_eq!(invite("lovelace").await, ["ada", "bob"]);
    assert_eq!(invite("ada").await, ["ada", "bob"]);
    // All at once, and the organizer among them.
    let new = NewMeeting {
        invitees: ["ada", "lovelace", "robert", "Robert"].map(invitee).into(),
        ..super::reminders::board(&[])
    };
    let other = world.app.meetings().create(*ada, new).await.expect("a meeting");
    let emails: Vec<_> = other.participants.iter().map(|one| one.email.as_str()).collect();
    assert_eq!(emails, ["lovelace@example.org", "ada@example.org", "robert@example.org"]);
}

pub(super) async fn of_two_participants_the_one_in_the_meeting_stands_for_both(open: Arc<dyn OpenStore>) {
    let board = with_robert(&*open).await;
    let Board { world, ada, bob, id } = &board;
    let details = board.details().await;
    let (bobs, roberts) = (person(&details, "bob").id, person(&details, "robert").clone());
    world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
    assert_eq!(world.told().await, ["bob: Cancelled"]);
    assert!(matches!(world.app.meetings().get(*bob, *id).await, Err(Error::NotFound(_))));
    board.moves(*bob, "robert").await;
    assert_eq!(board.names().await, ["ada", "robert"]);
    let answered = world
        .app
        .participants()
        .respond(*bob, *id, MeetingResponse::Accepted, None, None)
        .await
        .expect("their meeting");
    assert_eq!(answered.id, roberts.id);
    let link = Participant { id: bobs, ..roberts };
    assert_eq!(
        world.app.links().invitation(&board.link(&link)).await.expect("the same").invitation.participant.id,
        roberts.id
    );
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "robert: Soon"]);
}

pub(super) async fn a_guest_is_not_added_for_an_address_that_was_verified_meanwhile(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let known = User { email_verified: true, ..user(2) };
    let setup = users([1]).write(UserWrite::Insert(known)).and(called(meeting(1, 1), []));
    store.commit(&setup).await.expect("a meeting");
    let add = |participant| Changes::new().write(ParticipantWrite::Insert(participant));
    let email = "USER-2@example.org".parse().expect("an address");
    let error = store.commit(&add(Participant { email, ..guest(1, 1) })).await.expect_err("they have an account");
    assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    store.commit(&add(member(1, 1, 2))).await.expect("as who they are");
    // An address that nobody has shown to be theirs is a guest's.
    store.commit(&add(Participant { email: user(1).email, ..guest(2, 1) })).await.expect("a guest");
}

pub(super) async fn meetings_with_a_person_and_a_guest_of_their_address_are_found(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let eve = |n, meeting| Participant { email: "Eve@Example.ORG".parse().expect("an address"), ..guest(n, meeting) };
    let removed = |one| Participant { removed_at: Some(noon()), ..one };
    let merged = Participant { merged_into: Some(member(7, 4, 2).id), ..removed(eve(8, 4)) };
    let setup = users([1, 2, 3])
        .and(called(meeting(1, 1), [eve(1, 1), member(2, 1, 2)]))
        .and(called(meeting(2, 1), [removed(eve(3, 2)), member(4, 2, 2)]))
        .and(called(meeting(3, 1), [eve(5, 3), removed(member(6, 3, 2))]))
        .and(called(meeting(4, 1), [merged, member(7, 4, 2)]))
        .and(called(meeting(5, 1), [removed(eve(9, 5)), removed(member(10, 5, 2))]))
        .and(called(meeting(6, 1), [eve(11, 6), member(12, 6, 3)]))
        .and(called(meeting(7, 1), [guest(13, 7), member(14, 7, 2)]));
    store.commit(&setup).await.expect("meetings");
    let email = "eve@example.org".parse().expect("an address");
    let found = async |user, limit| store.meetings_with_two(&email, user_id(user), limit).await.expect("a read");
    assert_eq!(found(2, 10).await, [3, 2, 1].map(meeting_id));
    assert_eq!(found(2, 2).await, [3, 2].map(meeting_id));
    assert_eq!(found(3, 10).await, [6].map(meeting_id));
    assert_eq!(found(9, 10).await, []);
    // A guest for whom another one stands is nobody's any more.
    let link = ParticipantWrite::LinkGuests { email: email.clone(), user_id: user_id(1) };
    store.commit(&Changes::new().write(link)).await.expect("linked");
    let people = store.participants(&[meeting_id(4)]).await.expect("a read");
    assert!(people.iter().all(|one| one.user_id != Some(user_id(1))), "{people:?}");
}
