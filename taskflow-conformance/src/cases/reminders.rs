//! Reminders of meetings as people get them: once each, in their minute, whatever becomes of the meeting meanwhile.

use std::sync::Arc;

use taskflow_core::{
    Actor, Changes, Comment, Error, Ledger, Meeting, MeetingChange, MeetingDetails, MeetingId, MeetingResponse,
    NewMeeting, OwnReminders, Participant, Precondition, ReminderMinutes, StartsAt,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{at, invitee, reminders_of};

pub(super) const NOBODY: [&str; 0] = [];

/// Tomorrow at ten, reminding a quarter of an hour before.
pub(super) fn board(people: &[&str]) -> NewMeeting {
    let new = NewMeeting::titled("Board".parse().expect("a title"), StartsAt::Instant(at("2026-11-23T10:00:00Z")));
    NewMeeting { invitees: people.iter().map(|name| invitee(name)).collect(), ..new }
}

pub(super) fn move_to(starts_at: &str) -> MeetingChange {
    MeetingChange { starts_at: Some(StartsAt::Instant(at(starts_at))), ..MeetingChange::default() }
}

pub(super) fn own(minutes: &[u32]) -> Option<OwnReminders> {
    let minutes = minutes.iter().map(|n| ReminderMinutes::new(*n).expect("fits"));
    Some(OwnReminders::new(minutes).expect("up to five"))
}

/// Returns the participant of this name.
pub(super) fn person<'a>(details: &'a MeetingDetails, name: &str) -> &'a Participant {
    let email = invitee(name).email;
    details.participants.iter().find(|one| one.email == email).expect("is in the meeting")
}

/// Ada's board meeting with Bob, who has an account, and Eve, a guest; both are invited.
pub(super) struct Board {
    pub(super) world: World,
    pub(super) ada: Actor,
    pub(super) bob: Actor,
    pub(super) id: MeetingId,
}

impl Board {
    pub(super) async fn new(open: &dyn OpenStore) -> Self {
        Self::calling(World::new(open), board(&["bob", "eve"])).await
    }

    pub(super) async fn calling(world: World, new: NewMeeting) -> Self {
        let ada = Actor::User(world.verified("ada").await);
        let bob = Actor::User(world.verified("bob").await);
        let details = world.app.meetings().create(ada, new).await.expect("a meeting");
        assert_eq!(world.told().await, ["bob: Invitation", "eve: Invitation"]);
        Self { world, ada, bob, id: details.meeting.id }
    }

    pub(super) async fn change(&self, change: MeetingChange) -> MeetingDetails {
        self.world.app.meetings().update(self.ada, self.id, change, Precondition::Any).await.expect("changed")
    }

    pub(super) async fn details(&self) -> MeetingDetails {
        self.world.app.meetings().get(self.ada, self.id).await.expect("a meeting")
    }

    pub(super) async fn respond(&self, who: Actor, response: MeetingResponse) {
        self.world.app.participants().respond(who, self.id, response, None, None).await.expect("an answer");
    }

    pub(super) async fn ledger(&self) -> Ledger {
        let ledger = self.world.app.deliveries().ledger().await.expect("a ledger");
        assert!(ledger.balances(), "{ledger:?}");
        ledger
    }
}

pub(super) async fn everybody_is_reminded_once_in_their_minute(open: Arc<dyn OpenStore>) {
    let Board { world, ada, id, .. } = Board::new(&*open).await;
    assert_eq!(world.told_at("2026-11-23T09:44:59.999999Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00.000001Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-24T09:45:00Z").await, NOBODY);
    let (rows, people) = world.app.meetings().ledger(ada, id).await.expect("a ledger");
    assert_eq!((rows.len(), people.len()), (3, 3));
    assert!(rows.iter().all(|row| row.due_at == at("2026-11-23T09:45:00Z") && row.reason.starts_with("15 minutes")));
}

pub(super) async fn own_reminders_leave_each_in_its_minute(open: Arc<dyn OpenStore>) {
    let Board { world, bob, id, ada } = Board::new(&*open).await;
    let mine = world.app.meetings().set_own_reminders(bob, id, own(&[0, 1, 15, 60, 1260])).await.expect("five");
    assert_eq!(mine.len(), 5);
    world.app.meetings().set_own_reminders(ada, id, own(&[])).await.expect("none");
    for (now, told) in [
        ("2026-11-22T12:59:59Z", vec![]),
        ("2026-11-22T13:00:00Z", vec!["bob: Soon"]),
        ("2026-11-23T09:00:00Z", vec!["bob: Soon"]),
        ("2026-11-23T09:45:00Z", vec!["bob: Soon", "eve: Soon"]),
        ("2026-11-23T09:59:00Z", vec!["bob: Soon"]),
        ("2026-11-23T09:59:59Z", vec![]),
        ("2026-11-23T10:00:00Z", vec!["bob: Soon"]),
        ("2026-11-23T12:00:00Z", vec![]),
    ] {
        assert_eq!(world.told_at(now).await, told, "{now}");
    }
}

pub(super) async fn other_minutes_replace_the_reminders_that_were_planned(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, bob, id, .. } = &board;
    for minutes in [own(&[30, 60]), own(&[20]), None] {
        world.app.meetings().set_own_reminders(*bob, *id, minutes).await.expect("set");
    }
    let thirty = ReminderMinutes::new(30).expect("fits");
    board.change(MeetingChange { reminder_minutes: Some(thirty), ..MeetingChange::default() }).await;
    // Nobody is told of such a change.
    assert_eq!(world.told_at("2026-11-23T09:29:59Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-23T09:30:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    assert_eq!(world.told_at("2026-11-23T10:00:00Z").await, NOBODY);
    assert_eq!(board.ledger().await.due, 0);
}

pub(super) async fn moving_cancels_and_moving_back_revives_and_nobody_is_reminded_twice(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    for starts_at in ["2026-11-24T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-25T10:00:00Z", "2026-11-23T10:00:00Z"] {
        board.change(move_to(starts_at)).await;
    }
    assert_eq!(board.ledger().await.cancelled, 6);
    let everybody = ["ada: Soon", "bob: Soon", "eve: Soon"];
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, everybody);
    // Away and back again after they were reminded.
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    board.change(move_to("2026-11-23T10:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T09:59:59Z").await, NOBODY);
    // Away for good: another start is another reminder.
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T10:05:00Z").await, ["bob: Changed", "eve: Changed"]);
    assert_eq!(world.told_at("2026-11-24T09:45:00Z").await, everybody);
    assert_eq!(board.ledger().await.due, 0);
}

pub(super) async fn a_cancelled_meeting_reminds_nobody_until_it_is_restored(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, id, .. } = &board;
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, ["bob: Cancelled", "eve: Cancelled"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, NOBODY);
    world.app.meetings().restore(*ada, *id).await.expect("restored");
    // Their minute has come while it was off: at once, after the invitation.
    let told = ["ada: Soon", "bob: Invitation", "bob: Soon", "eve: Invitation", "eve: Soon"];
    assert_eq!(world.told_at("2026-11-23T09:50:00Z").await, told);
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    world.clock.set(at("2026-11-23T10:00:00Z"));
    assert!(matches!(world.app.meetings().restore(*ada, *id).await, Err(Error::Invalid(_))));
}

pub(super) async fn a_reminder_of_another_start_that_was_left_behind_is_not_sent(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let details = board.details().await;
    let old = Meeting { starts_at: at("2026-11-23T09:00:00Z"), ..details.meeting };
    let left_behind = reminders_of(&old, &details.participants, 900);
    board.world.storage.commit(&Changes::new().deliver(left_behind)).await.expect("deliveries");
    assert_eq!(board.world.told_at("2026-11-23T08:45:00Z").await, NOBODY);
    assert_eq!(board.ledger().await.cancelled, 3);
}

pub(super) async fn an_ended_meeting_reminds_nobody(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let ended = MeetingChange { status: Some(taskflow_core::MeetingStatus::Completed), ..MeetingChange::default() };
    board.change(ended).await;
    assert_eq!(board.world.told_at("2026-11-23T09:45:00Z").await, NOBODY);
    assert_eq!(board.ledger().await.cancelled, 3);
}

pub(super) async fn who_declined_is_not_reminded_until_they_accept(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let (world, bob) = (&board.world, board.bob);
    board.respond(bob, MeetingResponse::Declined).await;
    board.respond(bob, MeetingResponse::Tentative).await;
    board.respond(bob, MeetingResponse::Declined).await;
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    board.respond(bob, MeetingResponse::Accepted).await;
    assert_eq!(world.told_at("2026-11-23T09:46:00Z").await, ["bob: Soon"]);
    board.respond(bob, MeetingResponse::Declined).await;
    board.respond(bob, MeetingResponse::Accepted).await;
    assert_eq!(world.told_at("2026-11-23T09:47:00Z").await, NOBODY);
    assert!(matches!(
        world.app.participants().respond(bob, board.id, MeetingResponse::Pending, None, None).await,
        Err(Error::Invalid(_))
    ));
}

pub(super) async fn a_reminder_whose_minute_passed_leaves_at_once_unless_the_meeting_has_begun(
    open: Arc<dyn OpenStore>,
) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    world.clock.set(at("2026-11-23T09:50:00Z"));
    let id = world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["ada: Soon", "eve: Invitation", "eve: Soon"]);
    // Somebody who is invited late is reminded at once, somebody who comes after the start not at all.
    world.app.participants().add(ada, id, vec![invitee("kim")], Precondition::Any).await.expect("invited");
    assert_eq!(world.told_at("2026-11-23T09:59:59Z").await, ["kim: Invitation", "kim: Soon"]);
    world.clock.set(at("2026-11-23T10:00:00Z"));
    world.app.participants().add(ada, id, vec![invitee("lou")], Precondition::Any).await.expect("invited");
    assert_eq!(world.told().await, ["lou: Invitation"]);
    // What is of no use is not even planned.
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.expired, ledger.due, ledger.balances()), (0, 0, true));
}

pub(super) async fn after_downtime_what_has_not_begun_is_reminded_and_the_rest_expires(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    for starts_at in ["2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T12:10:00Z", "2026-11-23T14:00:00Z"] {
        let new = NewMeeting { starts_at: StartsAt::Instant(at(starts_at)), ..board(&["eve"]) };
        world.app.meetings().create(ada, new).await.expect("a meeting");
    }
    assert_eq!(world.told().await, ["eve: Invitation"; 4]);
    // Nothing ran from before 09:45 until 12:00.
    assert_eq!(world.told_at("2026-11-23T12:00:00Z").await, ["ada: Soon", "eve: Soon"]);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.expired, ledger.due, ledger.balances()), (4, 2, true));
    assert_eq!(world.told_at("2026-11-23T13:45:00Z").await, ["ada: Soon", "eve: Soon"]);
}

pub(super) async fn the_organizer_reminds_by_hand_whoever_did_not_decline(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, id } = &board;
    board.respond(*bob, MeetingResponse::Declined).await;
    let message: Comment = "bring cake".parse().expect("a comment");
    let reminded = world.app.meetings().remind_now(*ada, *id, None, Some(message)).await.expect("planned");
    assert_eq!((reminded.participants, reminded.planned), (3, 2));
    assert_eq!(world.told().await, ["ada: Soon", "eve: Soon"]);
    // Twice is twice, and the planned ones come all the same.
    world.app.meetings().remind_now(*ada, *id, ReminderMinutes::new(5).ok(), None).await.expect("planned");
    assert_eq!(world.told().await, ["ada: Soon", "eve: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    assert!(matches!(world.app.meetings().remind_now(*bob, *id, None, None).await, Err(Error::NotFound("meeting"))));
    world.clock.set(at("2026-11-23T10:00:00Z"));
    assert!(matches!(world.app.meetings().remind_now(*ada, *id, None, None).await, Err(Error::Invalid(_))));
    let (all, _) = world.app.meetings().ledger(*ada, *id).await.expect("a ledger");
    let (mine, _) = world.app.meetings().ledger(*bob, *id).await.expect("a ledger");
    assert_eq!((all.len(), mine.len()), (7, 1));
}

pub(super) async fn somebody_elses_meeting_does_not_exist(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let (world, id) = (&board.world, board.id);
    let app = &world.app;
    let eve = Actor::User(world.verified("stranger").await);
    let bobs = person(&board.details().await, "bob").id;
    let absent = [
        app.meetings().get(eve, id).await.map(drop),
        app.meetings().update(eve, id, MeetingChange::default(), Precondition::Any).await.map(drop),
        app.meetings().cancel(eve, id, Precondition::Any).await.map(drop),
        app.meetings().restore(eve, id).await.map(drop),
        app.participants().add(eve, id, vec![], Precondition::Any).await.map(drop),
        app.participants().remove(eve, id, bobs, Precondition::Any).await,
        app.participants().respond(eve, id, MeetingResponse::Accepted, None, None).await.map(drop),
        app.meetings().own_reminders(eve, id).await.map(drop),
        app.meetings().set_own_reminders(eve, id, None).await.map(drop),
        app.meetings().remind_now(eve, id, None, None).await.map(drop),
        app.meetings().ledger(eve, id).await.map(drop),
        // Who is in it sees it and does not change it.
        app.meetings().update(board.bob, id, MeetingChange::default(), Precondition::Any).await.map(drop),
        app.meetings().cancel(board.bob, id, Precondition::Any).await.map(drop),
        app.participants().remove(board.bob, id, person(&board.details().await, "eve").id, Precondition::Any).await,
    ];
    assert!(absent.iter().all(|result| matches!(result, Err(Error::NotFound("meeting")))), "{absent:?}");
    assert_eq!(app.meetings().get(board.bob, id).await.expect("sees it").participants.len(), 3);
}

pub(super) async fn a_reminder_by_hand_and_an_invitation_are_done_once_however_often_they_are_asked_for(
    open: Arc<dyn OpenStore>,
) {
    let Board { world, ada, id, .. } = &Board::new(&*open).await;
    let encode = |reminded: &taskflow_core::Reminded| reminded.planned.to_string();
    let once = |key: &str| taskflow_core::Idempotency {
        key: key.parse().expect("a key"),
        fingerprint: "f".to_owned(),
        encode: &encode,
    };
    let asked = (0..4).map(|_| world.app.meetings().remind_now_once(*ada, *id, None, None, once("remind")));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.told().await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    let another = taskflow_core::Idempotency { fingerprint: "g".to_owned(), ..once("remind") };
    let refused = world.app.meetings().remind_now_once(*ada, *id, None, None, another).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");

    let encode = |details: &MeetingDetails| details.participants.len().to_string();
    let once = || taskflow_core::Idempotency {
        key: "invite".parse().expect("a key"),
        fingerprint: "f".to_owned(),
        encode: &encode,
    };
    for _ in 0..2 {
        let kim = vec![invitee("kim")];
        world.app.participants().add_once(*ada, *id, kim, Precondition::Any, once()).await.expect("invited");
    }
    assert_eq!(world.told().await, ["kim: Invitation"]);
    let kim = person(&world.app.meetings().get(*ada, *id).await.expect("a meeting"), "kim").id;
    world.app.participants().remove(*ada, *id, kim, Precondition::Any).await.expect("taken off");
    // Repeated after all that, it is still the same request: nobody is invited anew.
    world
        .app
        .participants()
        .add_once(*ada, *id, vec![invitee("kim")], Precondition::Any, once())
        .await
        .expect("answered");
    assert_eq!(world.told().await, ["kim: Cancelled"]);
}

pub(super) async fn of_several_reminders_whose_minutes_have_passed_the_nearest_leaves(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, bob, id, .. } = &board;
    // Chosen late.
    world.clock.set(at("2026-11-23T09:30:00Z"));
    world.app.meetings().set_own_reminders(*bob, *id, own(&[1440, 600, 60, 10])).await.expect("set");
    assert_eq!(world.told().await, ["bob: Soon"]);
    assert_eq!(world.told_at("2026-11-23T09:50:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    let (rows, _) = world.app.meetings().ledger(*bob, *id).await.expect("a ledger");
    let expired: Vec<_> = rows.iter().filter(|row| row.state == taskflow_core::DeliveryState::Expired).collect();
    assert_eq!(expired.len(), 2);
    assert!(expired.iter().all(|row| row.reason == "a later reminder of the meeting has come due"));
    // The meeting moves closer, past all but the last.
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    let _changes = world.told_at("2026-11-23T09:55:00Z").await;
    board.change(move_to("2026-11-23T10:25:00Z")).await;
    let told = world.told_at("2026-11-23T09:57:00Z").await;
    assert_eq!(told, ["bob: Changed", "bob: Soon", "eve: Changed"], "an hour before, of three, behind the change");
    // After downtime.
    assert_eq!(world.told_at("2026-11-23T10:20:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
    assert_eq!(board.ledger().await.due, 0);
}

pub(super) async fn a_reminder_by_hand_is_one_of_its_own(open: Arc<dyn OpenStore>) {
    let Board { world, ada, bob, id } = Board::new(&*open).await;
    world.app.meetings().set_own_reminders(bob, id, own(&[30, 10])).await.expect("set");
    world.clock.set(at("2026-11-23T09:55:00Z"));
    let minutes = ReminderMinutes::new(60).expect("fits");
    world.app.meetings().remind_now(ada, id, Some(minutes), None).await.expect("sent");
    let told = world.told().await;
    assert_eq!(told.iter().filter(|one| *one == "bob: Soon").count(), 2, "{told:?}: by hand, and the nearest of two");
}
