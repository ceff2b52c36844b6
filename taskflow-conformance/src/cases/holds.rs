//! Quiet hours ask what a notice is about: what would come too late afterwards does not wait for their end.

use std::sync::Arc;

use taskflow_core::{
    Actor, DeliveryState, JobName, LocalMinute, NewMeeting, NewTask, Precondition, Preferences, ProfileChange,
    ReminderMinutes, StartsAt, TaskChange, Timestamp,
};

use super::app::{World, due_at_two};
use super::jobs::{doing, tick};
use super::preferences::{quiet, set};
use super::reminders::{Board, NOBODY, board, move_to, own, person};
use crate::OpenStore;
use crate::sample::{at, zone};

/// Quiet in Berlin from 21:00 to 06:00 in UTC.
fn night() -> Preferences {
    quiet("22:00", "07:00")
}

fn starting(starts_at: &str, people: &[&str]) -> NewMeeting {
    NewMeeting { starts_at: StartsAt::Instant(at(starts_at)), ..board(people) }
}

pub(super) async fn what_becomes_of_a_meeting_before_quiet_hours_end_is_told_at_once(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, id } = &board;
    // The meeting begins at 10:00.
    set(world, *bob, quiet("08:00", "12:00")).await;
    world.clock.set(at("2026-11-23T08:00:00Z"));
    board.change(move_to("2026-11-23T10:30:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T08:01:00Z").await, ["bob: Changed", "eve: Changed"], "within them");
    board.change(move_to("2026-11-24T10:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T08:10:00Z").await, ["bob: Changed", "eve: Changed"], "out of them");
    board.change(move_to("2026-11-25T10:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T08:20:00Z").await, ["eve: Changed"], "far from them");
    // What waits is told as soon as it matters.
    board.change(move_to("2026-11-23T11:00:00Z")).await;
    assert_eq!(world.told_at("2026-11-23T08:30:00Z").await, ["bob: Changed", "eve: Changed"], "to their very end");
    world.app.meetings().cancel(*ada, *id, Precondition::Any).await.expect("cancelled");
    assert_eq!(world.told().await, ["bob: Cancelled", "eve: Cancelled"]);
    for (starts_at, told) in [("2026-11-23T10:00:00Z", vec!["bob: Invitation"]), ("2026-11-23T11:00:01Z", vec![])] {
        world.app.meetings().create(*ada, starting(starts_at, &["bob"])).await.expect("a meeting");
        assert_eq!(world.told().await, told, "{starts_at}");
    }
    assert_eq!(world.told_at("2026-11-23T11:00:00Z").await, ["ada: Soon", "bob: Invitation", "bob: Soon"]);
    assert_eq!(board.ledger().await.discarded, 0);
}

pub(super) async fn a_change_of_a_meeting_that_begins_soon_waits_for_no_other(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let world = &board.world;
    let soon = starting("2026-11-23T08:00:30Z", &["bob"]);
    let soon = world.app.meetings().create(board.ada, soon).await.expect("a meeting").meeting.id;
    assert_eq!(world.told().await, ["bob: Invitation"]);
    let _reminders = world.told_at("2026-11-23T08:00:00Z").await;
    let change = super::invitations::called("Another");
    world.app.meetings().update(board.ada, soon, change, Precondition::Any).await.expect("changed");
    assert_eq!(world.told().await, ["bob: Changed"]);
    // People would come at the time they know.
    world
        .app
        .meetings()
        .update(board.ada, soon, move_to("2026-11-24T10:00:00Z"), Precondition::Any)
        .await
        .expect("moved");
    assert_eq!(world.told().await, ["bob: Changed"]);
    world
        .app
        .meetings()
        .update(board.ada, soon, move_to("2026-11-25T10:00:00Z"), Precondition::Any)
        .await
        .expect("moved");
    assert_eq!(world.told().await, NOBODY);
}

pub(super) async fn what_is_overdue_waits_for_quiet_hours_to_end(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    set(&world, ada, quiet("14:30", "17:00")).await;
    let late = NewTask { reminder_minutes: ReminderMinutes::new(0).ok(), ..due_at_two() };
    world.clock.set(at("2026-11-22T13:40:00Z"));
    world.app.tasks().create(ada, late.clone()).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T14:00:00Z").await, ["ada: Due soon"], "in its minute");
    let due_at = Some(at("2026-11-22T14:30:00Z"));
    world.app.tasks().create(ada, NewTask { due_at, ..late }).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T15:00:00Z").await, NOBODY, "as after downtime");
    assert_eq!(world.told_at("2026-11-22T16:00:00Z").await, ["ada: Due soon"]);
}

pub(super) async fn of_reminders_by_hand_that_say_the_same_one_leaves_after_quiet_hours(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, id } = &board;
    set(world, *bob, quiet("09:00", "10:00")).await;
    world.clock.set(at("2026-11-23T08:00:00Z"));
    for message in [None, "bring cake".parse().ok(), None, "bring tea".parse().ok()] {
        world.app.meetings().remind_now(*ada, *id, None, message).await.expect("planned");
        let told = world.told().await;
        assert!(!told.iter().any(|line| line.starts_with("bob")), "{told:?}");
    }
    // Each that says something of its own leaves.
    assert_eq!(world.told_at("2026-11-23T09:00:00Z").await, ["bob: Soon", "bob: Soon"]);
    assert!(board.ledger().await.balances());
}

pub(super) async fn an_organizer_learns_in_quiet_hours_who_left_a_meeting_within_them(open: Arc<dyn OpenStore>) {
    let board = Board::new(&*open).await;
    let Board { world, ada, bob, .. } = &board;
    set(world, *ada, quiet("08:00", "12:00")).await;
    world.clock.set(at("2026-11-23T08:00:00Z"));
    let later = world.app.meetings().create(*ada, starting("2026-11-23T12:00:00Z", &["bob"])).await.expect("a meeting");
    assert_eq!(world.told().await, ["bob: Invitation"]);
    for (meeting, told) in [(board.details().await, vec!["ada: bob@example.org can't make it"]), (later, vec![])] {
        let bobs = person(&meeting, "bob").id;
        world.app.participants().remove(*bob, meeting.meeting.id, bobs, Precondition::Any).await.expect("left");
        assert_eq!(world.told().await, told);
    }
    assert_eq!(world.told_at("2026-11-23T11:00:00Z").await, ["ada: bob@example.org can't make it"]);
}

pub(super) async fn a_meeting_that_moves_into_quiet_hours_is_told_though_its_invitation_waits(
    open: Arc<dyn OpenStore>,
) {
    let world = World::new(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let bob = Actor::User(world.verified("bob").await);
    set(&world, bob, quiet("13:00", "16:00")).await;
    let board = world.app.meetings().create(ada, board(&["bob"])).await.expect("a meeting");
    assert_eq!(world.told().await, NOBODY);
    world.app.meetings().set_own_reminders(bob, board.meeting.id, own(&[10])).await.expect("set");
    world
        .app
        .meetings()
        .update(ada, board.meeting.id, move_to("2026-11-22T14:00:00Z"), Precondition::Any)
        .await
        .expect("moved");
    assert_eq!(world.told_at("2026-11-22T12:02:00Z").await, ["bob: Invitation"]);
    assert_eq!(world.told_at("2026-11-22T13:50:00Z").await, ["ada: Soon", "bob: Soon"]);
    assert_eq!(world.told_at("2026-11-22T15:00:00Z").await, NOBODY);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.due == 0, "{ledger:?}");
}

pub(super) async fn a_summary_that_was_held_is_of_use_from_the_end_of_the_hold(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, NewTask::titled("open".parse().expect("a title"))).await.expect("a task");
    let summary_at: LocalMinute = "23:00".parse().expect("a minute");
    set(&world, ada, Preferences { summary_at, ..night() }).await;
    tick(&world, at("2026-11-22T22:00:00Z")).await;
    assert_eq!(world.mailer.take(), []);
    // Seven hours are more than a summary is of use, but it could not leave before.
    let subjects = world.subjects_at(at("2026-11-23T06:00:00Z")).await;
    assert_eq!(subjects, ["Your day: 2026-11-23"], "the day on which it is read");
    // Held again, and then the service is down for the time that a summary is of use.
    tick(&world, at("2026-11-23T22:00:00Z")).await;
    assert_eq!(world.subjects_at(at("2026-11-24T12:00:00Z")).await, NOBODY);
    tick(&world, at("2026-11-24T22:00:00Z")).await;
    assert_eq!(world.subjects_at(at("2026-11-25T11:59:59Z")).await.len(), 1);
    let rows = world.storage.deliveries_with_key("daily-summary/", 9).await.expect("a list");
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.attempts)).collect();
    let (delivered, expired) = ((DeliveryState::Delivered, 0), (DeliveryState::Expired, 0));
    assert_eq!(states, [delivered, expired, delivered]);
}

pub(super) async fn of_reminders_of_open_tasks_that_were_held_the_last_leaves(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::TASK_REMINDERS]).await;
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, NewTask::titled("open".parse().expect("a title"))).await.expect("a task");
    // Over both the evening's and the morning's.
    set(&world, ada, quiet("19:30", "08:30")).await;
    for now in ["2026-11-22T19:00:00Z", "2026-11-23T07:00:00Z"] {
        tick(&world, at(now)).await;
    }
    assert_eq!(world.subjects_at(at("2026-11-23T07:30:00Z")).await, ["1 open tasks"]);
    let rows = world.storage.deliveries_with_key("task-reminder/", 9).await.expect("a list");
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Expired, DeliveryState::Delivered]);
}

async fn due(world: &World, owner: Actor, due_at: &str, minutes: u32) -> taskflow_core::TaskId {
    let reminder_minutes = Some(ReminderMinutes::new(minutes).expect("fits"));
    let new = NewTask { due_at: Some(at(due_at)), reminder_minutes, ..due_at_two() };
    world.app.tasks().create(owner, new).await.expect("a task").id
}

/// Returns the due times of the task reminders that have not been sent.
async fn planned(world: &World) -> Vec<Timestamp> {
    let rows = world.storage.deliveries_with_key("task-due/", 99).await.expect("a list");
    let open = rows.iter().filter(|row| row.state == DeliveryState::Scheduled);
    let mut planned: Vec<_> = open.map(|row| row.due_at).collect();
    planned.sort_unstable();
    planned
}

pub(super) async fn a_task_due_in_quiet_hours_is_reminded_of_before_them(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    set(&world, ada, night()).await;
    due(&world, ada, "2026-11-22T23:00:00Z", 15).await;
    due(&world, ada, "2026-11-23T06:00:00Z", 15).await;
    due(&world, ada, "2026-11-23T06:10:00Z", 15).await;
    let moved = due(&world, ada, "2026-11-25T12:00:00Z", 15).await;
    let change = TaskChange { due_at: Some(Some(at("2026-11-23T02:00:00Z"))), ..TaskChange::default() };
    world.app.tasks().update(ada, moved, change, Precondition::Any).await.expect("moved");
    let before = at("2026-11-22T20:59:00Z");
    assert_eq!(planned(&world).await, [before, before, before, at("2026-11-23T05:55:00Z")]);
    assert_eq!(world.told_at("2026-11-22T20:58:59Z").await, NOBODY);
    assert!(!world.told_at("2026-11-22T20:59:00Z").await.is_empty());
    assert_eq!(world.told_at("2026-11-23T05:59:59Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-23T06:00:00Z").await, ["ada: Due soon"], "it is of use afterwards");
}

pub(super) async fn a_task_made_in_the_quiet_hours_it_is_due_in_is_reminded_of_within_them(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    set(&world, ada, quiet("12:30", "16:00")).await;
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.told_at("2026-11-22T13:44:59Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, ["ada: Due soon"]);
}

pub(super) async fn reminders_follow_quiet_hours_that_are_set_later_and_clocks_that_move(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    due(&world, ada, "2026-11-22T23:00:00Z", 15).await;
    due(&world, ada, "2026-11-24T12:00:00Z", 15).await;
    let (own, other) = (at("2026-11-22T22:45:00Z"), at("2026-11-24T11:45:00Z"));
    assert_eq!(planned(&world).await, [own, other]);
    set(&world, ada, night()).await;
    assert_eq!(planned(&world).await, [at("2026-11-22T20:59:00Z"), other]);
    set(&world, ada, quiet("23:30", "07:00")).await;
    assert_eq!(planned(&world).await, [at("2026-11-22T22:29:00Z"), other]);
    // In London it is an hour earlier, and in Tokyo it is day.
    for (place, expected) in [("Europe/London", own), ("Asia/Kolkata", at("2026-11-22T17:59:00Z")), ("Asia/Tokyo", own)]
    {
        let change = ProfileChange { time_zone: Some(zone(place)), ..ProfileChange::default() };
        let id = ada.user_id().expect("a person");
        world.app.accounts().update_profile(ada, id, change, Precondition::Any).await.expect("moved");
        assert_eq!(planned(&world).await, [expected, other], "{place}");
    }
    set(&world, ada, night()).await;
    set(&world, ada, Preferences::default()).await;
    assert_eq!(planned(&world).await, [own, other]);
}

pub(super) async fn whoever_ends_their_quiet_hours_gets_what_waited(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    set(&world, ada, quiet("14:40", "14:59")).await;
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    set(&world, ada, quiet("14:40", "14:58")).await;
    assert_eq!(world.told_at("2026-11-22T13:46:00Z").await, NOBODY, "it is quiet still");
    set(&world, ada, Preferences::default()).await;
    assert_eq!(world.told().await, ["ada: Due soon"]);
    let kept = world.storage.deliveries_with_key("task-due/", 9).await.expect("a list").remove(0);
    assert_eq!((kept.due_at, kept.attempts), (at("2026-11-22T13:45:00Z"), 0));
    let backlog = world.app.outbox().backlog().await.expect("a backlog");
    assert_eq!(backlog.oldest_due_at, None);
}
