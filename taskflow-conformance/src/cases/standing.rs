//! An answer belongs to what was shown: which answers a change of the meeting leaves standing, and which come too late.

use std::sync::Arc;

use MeetingResponse::{Accepted, Declined, Pending, Tentative};
use taskflow_core::ports::{Link, LinkPurpose, Links};
use taskflow_core::{DurationMinutes, Error, MeetingChange, MeetingResponse, Participant, Precondition, StartsAt};

use super::app::World;
use super::invitations::{SECOND, called};
use super::reminders::{Board, NOBODY, board, move_to, own, person};
use crate::sample::{at, invitee};
use crate::{OpenStore, PlainLinks};

const AWAY: &str = "2026-11-24T10:00:00Z";
const BACK: &str = "2026-11-23T10:00:00Z";

/// Ada's board meeting, which Bob has accepted and Eve, a guest, declined.
async fn answered(open: &dyn OpenStore) -> (Board, String) {
    let world = World::building(open, |builder| builder.links(Arc::new(PlainLinks)));
    let board = Board::calling(world, board(&["bob", "eve"])).await;
    let eve = link(&board, "eve", Some(1)).await;
    let comment = "a comment".parse().ok();
    board
        .world
        .app
        .participants()
        .respond(board.bob, board.id, Accepted, comment.clone(), Some(1))
        .await
        .expect("an answer");
    board.world.app.links().respond(&eve, Declined, comment, None).await.expect("an answer");
    (board, eve)
}

async fn link(board: &Board, name: &str, version: Option<u64>) -> String {
    let id = person(&board.details().await, name).id.as_uuid();
    PlainLinks.url(&Link { purpose: LinkPurpose::Respond, id, expires_at: at("2027-01-01T00:00:00Z"), version })
}

impl Board {
    /// Returns the responses of Bob and Eve.
    async fn answers(&self) -> [MeetingResponse; 2] {
        let details = self.details().await;
        assert_eq!(person(&details, "ada").response, Accepted);
        ["bob", "eve"].map(|name| person(&details, name).response)
    }

    async fn quiet(&self) -> Vec<String> {
        self.world.clock.advance(SECOND * 60);
        self.world.told().await
    }
}

pub(super) async fn an_answer_to_a_version_that_never_was_does_not_count(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    board.change(move_to(AWAY)).await;
    let eve = link(&board, "eve", Some(999)).await;
    let outdated =
        |result: Result<Participant, Error>| assert!(matches!(result, Err(Error::Outdated(_))), "{result:?}");
    outdated(board.world.app.participants().respond(board.bob, board.id, Accepted, None, Some(999)).await);
    outdated(board.world.app.links().respond(&eve, Accepted, None, None).await);
    outdated(board.world.app.links().respond(&eve, Accepted, None, Some(999)).await);
    assert_eq!(board.answers().await, [Pending, Pending]);
}

pub(super) async fn another_time_asks_everybody_again_and_reminds_who_had_declined(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    board.world.app.meetings().set_own_reminders(board.bob, board.id, own(&[30])).await.expect("set");
    board.change(move_to(AWAY)).await;
    assert_eq!(board.answers().await, [Pending, Pending]);
    let details = board.details().await;
    let bob = person(&details, "bob");
    assert_eq!((bob.comment.is_some(), bob.reminders.clone()), (true, own(&[30])));
    assert_eq!(board.quiet().await, ["bob: Changed", "eve: Changed"]);
    assert_eq!(board.world.told_at("2026-11-24T09:30:00Z").await, ["bob: Soon"]);
    assert_eq!(board.world.told_at("2026-11-24T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    // Who answers is not asked again by what is no other time or place.
    board.respond(board.bob, Tentative).await;
    board.change(called("Another")).await;
    assert_eq!(board.answers().await, [Tentative, Pending]);
}

pub(super) async fn time_place_and_length_count_and_words_do_not(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    let none = MeetingChange::default;
    for (change, stands) in [
        (called("Another"), true),
        (MeetingChange { description: Some("text".parse().ok()), ..none() }, true),
        (MeetingChange { reminder_minutes: taskflow_core::ReminderMinutes::new(5).ok(), ..none() }, true),
        (MeetingChange { time_zone: Some("Asia/Tokyo".parse().expect("a zone")), ..none() }, true),
        (MeetingChange { location: Some("Room 9".parse().ok()), ..none() }, false),
        (MeetingChange { meeting_url: Some("https://meet.example.org/1".parse().ok()), ..none() }, false),
        (MeetingChange { meeting_type: Some(taskflow_core::MeetingType::Virtual), ..none() }, false),
        (MeetingChange { duration: DurationMinutes::new(90).ok(), ..none() }, false),
        (move_to(AWAY), false),
    ] {
        board.change(change.clone()).await;
        let is = board.answers().await;
        assert_eq!(is, if stands { [Accepted, Declined] } else { [Pending; 2] }, "{change:?}");
        board.world.clock.advance(SECOND * 60);
        board.world.deliver().await;
        board.respond(board.bob, Accepted).await;
        let eve = link(&board, "eve", None).await;
        board.world.app.links().respond(&eve, Declined, None, None).await.expect("an answer");
    }
}

pub(super) async fn edits_that_undo_each_other_before_anybody_is_told_lose_no_answer(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    for _ in 0..2 {
        board.change(move_to(AWAY)).await;
        assert_eq!(board.answers().await, [Pending, Pending]);
        board.change(called("Meanwhile")).await;
        board.change(move_to(BACK)).await;
        assert_eq!(board.answers().await, [Accepted, Declined]);
    }
    board.change(called("Board")).await;
    assert_eq!(board.world.told_at("2026-11-22T12:10:00Z").await, NOBODY);
    // Who declined is not reminded, as if nothing had been.
    assert_eq!(board.world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon"]);
}

pub(super) async fn moved_back_after_people_were_told_asks_again(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    board.change(move_to(AWAY)).await;
    assert_eq!(board.quiet().await, ["bob: Changed", "eve: Changed"]);
    board.change(move_to(BACK)).await;
    assert_eq!(board.answers().await, [Pending, Pending]);
    assert_eq!(board.quiet().await, ["bob: Changed", "eve: Changed"]);
}

pub(super) async fn who_answered_what_was_undone_since_is_asked_by_mail(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    board.change(move_to(AWAY)).await;
    // They see it before any mail says so, and answer that.
    board.respond(board.bob, Tentative).await;
    board.change(move_to(BACK)).await;
    assert_eq!(board.answers().await, [Pending, Declined]);
    assert_eq!(board.quiet().await, ["bob: Changed"]);
    assert_eq!(board.world.told_at("2026-11-22T13:00:00Z").await, NOBODY);
}

pub(super) async fn an_answer_to_an_older_version_is_refused_with_what_changed(open: Arc<dyn OpenStore>) {
    let (board, eve) = answered(&*open).await;
    let Board { world, bob, id, .. } = &board;
    let respond = async |version| world.app.participants().respond(*bob, *id, Declined, None, version).await;
    board.change(called("Another")).await;
    // Another title is no other meeting to come to.
    respond(Some(1)).await.expect("an answer");
    board.change(move_to(AWAY)).await;
    let Err(Error::Outdated(outdated)) = respond(Some(2)).await else { panic!("an answer to another time counts") };
    assert_eq!(outdated.was.as_ref().map(|was| was.starts_at), Some(at(BACK)));
    assert_eq!((outdated.now.meeting.starts_at, outdated.now.meeting.version), (at(AWAY), 3));
    let late = world.app.links().respond(&eve, Accepted, None, None).await;
    assert!(matches!(late, Err(Error::Outdated(_))), "{late:?}");
    assert_eq!(board.answers().await, [Pending, Pending]);
    // The page behind the old link shows what changed, and the present version can be answered there.
    let page = world.app.links().invitation(&eve).await.expect("an invitation");
    assert_eq!(page.was.map(|was| was.starts_at), Some(at(BACK)));
    world.app.links().respond(&eve, Accepted, None, Some(3)).await.expect("an answer");
    respond(None).await.expect("old clients name no version");
    assert_eq!(board.answers().await, [Declined, Accepted]);
    // As it was again: the old link shows what is so.
    board.change(move_to(BACK)).await;
    assert_eq!(world.app.links().invitation(&eve).await.expect("an invitation").was, None);
    world.app.links().respond(&eve, Tentative, None, None).await.expect("an answer");
}

pub(super) async fn on_again_asks_whoever_was_told_that_it_is_off(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    let Board { world, ada, id, .. } = &board;
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    world.app.meetings().restore(*ada, *id).await.expect("on again");
    assert_eq!((board.answers().await, world.told().await), ([Accepted, Declined], vec![]));
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, ["bob: Cancelled", "eve: Cancelled"]);
    world.app.meetings().restore(*ada, *id).await.expect("on again");
    assert_eq!(board.answers().await, [Pending, Pending]);
    assert_eq!(world.told().await, ["bob: Invitation", "eve: Invitation"]);
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
}

pub(super) async fn who_is_invited_again_is_asked_by_the_same_rule(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    let Board { world, ada, bob, id } = &board;
    world.app.meetings().set_own_reminders(*bob, *id, own(&[30])).await.expect("set");
    let bobs = person(&board.details().await, "bob").id;
    let off_and_on = async |told: &[&str]| {
        world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
        assert_eq!(&world.told().await, told);
    };
    let again = async || {
        world.app.participants().add(*ada, *id, vec![invitee("bob")], Precondition::Any).await.expect("invited");
        let bob: Participant = person(&board.details().await, "bob").clone();
        assert_eq!((bob.comment.is_some(), bob.reminders), (true, own(&[30])));
        bob.response
    };
    // Nobody heard of it: the answer stands, and nothing is told.
    world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
    assert_eq!((again().await, world.told().await), (Accepted, vec![]));
    // It moved meanwhile.
    world.app.participants().remove(*ada, *id, bobs, Precondition::Any).await.expect("removed");
    board.change(move_to(AWAY)).await;
    assert_eq!(again().await, Pending);
    board.change(move_to(BACK)).await;
    assert_eq!(board.answers().await[0], Accepted);
    off_and_on(&["bob: Cancelled"]).await;
    assert_eq!((again().await, world.told().await), (Pending, vec!["bob: Invitation".to_owned()]));
    assert_eq!(world.told_at("2026-11-23T09:30:00Z").await, ["bob: Soon"]);
}

pub(super) async fn other_rules_of_a_zone_leave_answers_standing(open: Arc<dyn OpenStore>) {
    let (board, _) = answered(&*open).await;
    // People agreed on what the clock on the wall shows, and that is the same.
    let before = board.details().await.meeting;
    let old = taskflow_core::Meeting {
        starts_at: before.starts_at + SECOND * 3600,
        tzdb: "2000a".to_owned(),
        version: before.version + 1,
        ..before.clone()
    };
    board
        .world
        .storage
        .commit(&taskflow_core::Changes::new().write(taskflow_core::MeetingWrite::Update(old)))
        .await
        .expect("older");
    assert_eq!(board.world.app.meetings().repair_reminders().await.expect("a sweep").moved, 1);
    assert_eq!(board.details().await.meeting.starts_at, before.starts_at);
    assert_eq!(board.answers().await, [Accepted, Declined]);
    let moved = StartsAt::Instant(at(AWAY));
    board.change(MeetingChange { starts_at: Some(moved), ..MeetingChange::default() }).await;
    assert_eq!(board.answers().await, [Pending, Pending]);
}
