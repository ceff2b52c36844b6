//! Notices to one reader about one thing leave in the order in which they were made, and several at once are one mail.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Asked, ClaimRequest, MailError, Reply};
use taskflow_core::{
    Actor, App, ChannelKind, Delivery, DeliveryState, MeetingId, NewMeeting, NewTask, NoticeKind, Precondition,
    Preferences, Recipient, ReminderMinutes, StartsAt, TaskChange, TaskId, TaskStatus,
};

use super::app::{World, due_at_two};
use super::invitations::Meanwhile;
use super::preferences::{quiet, set};
use super::reminders::{NOBODY, board};
use crate::OpenStore;
use crate::sample::{at, lease, noon};

const SECOND: Duration = Duration::from_secs(1);

fn later() -> MailError {
    MailError::Transient(Reply::new(Asked::Recipient, 450, "4.2.0 greylisted"))
}

/// In twenty minutes, with a reminder an hour before: both mails are due at once. The organizer is not reminded.
async fn soon(world: &World) -> (Actor, MeetingId) {
    let ada = Actor::User(world.verified("ada").await);
    set(world, ada, Preferences::default().without(NoticeKind::MeetingReminder)).await;
    let starts_at = StartsAt::Instant(noon() + SECOND * 1200);
    let reminder_minutes = ReminderMinutes::new(60).expect("fits");
    let new = NewMeeting { starts_at, reminder_minutes, ..board(&["eve"]) };
    (ada, world.app.meetings().create(ada, new).await.expect("a meeting").meeting.id)
}

/// The first words of what Eve has got, in the order in which she got it.
fn to_eve(world: &World) -> Vec<String> {
    let theirs = world.mailer.take().into_iter().filter(|mail| mail.to.address.as_str().starts_with("eve"));
    theirs.map(|mail| mail.content.subject.split(':').next().unwrap_or_default().to_owned()).collect()
}

async fn one(world: &World, prefix: &str) -> Delivery {
    world.storage.deliveries_with_key(prefix, 9).await.expect("a list").remove(0)
}

pub(super) async fn a_reminder_leaves_behind_the_invitation_it_comes_with(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    soon(&world).await;
    world.deliver().await;
    assert_eq!(to_eve(&world), ["Invitation", "Soon"]);
}

pub(super) async fn a_reminder_waits_for_an_invitation_that_is_tried_again(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (_, id) = soon(&world).await;
    world.mailer.fail_next(later());
    world.deliver().await;
    assert_eq!(to_eve(&world), NOBODY);
    let invitation = one(&world, &format!("meeting-invite/{id}/")).await;
    assert_eq!((invitation.state, invitation.attempts), (DeliveryState::Scheduled, 1));
    world.clock.advance(SECOND * 2);
    world.deliver().await;
    assert_eq!(to_eve(&world), NOBODY, "it waits still");
    world.clock.set(invitation.next_at);
    world.deliver().await;
    assert_eq!(to_eve(&world), ["Invitation", "Soon"]);
    assert!(world.app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn what_has_been_given_up_keeps_nothing_waiting(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    soon(&world).await;
    world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Content, 554, "5.6.0 malformed")));
    world.deliver().await;
    assert_eq!(to_eve(&world), ["Soon"]);
}

pub(super) async fn a_reminder_does_not_wait_until_it_is_of_no_use(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (_, id) = soon(&world).await;
    let starts_at = noon() + SECOND * 1200;
    let (mut tries, mut got) = (0, Vec::new());
    // The next try after each failure, until the one that would come when the meeting has begun.
    while got.is_empty() {
        let invitation = one(&world, &format!("meeting-invite/{id}/")).await;
        assert!(invitation.next_at < starts_at, "it was waited for: {invitation:?}");
        world.clock.set(invitation.next_at);
        world.mailer.fail_next(later());
        world.deliver().await;
        tries += 1;
        got = to_eve(&world);
    }
    assert_eq!((tries, got), (3, vec!["Soon".to_owned()]));
    assert!(world.clock_now() < starts_at);
    // The invitation is tried on, and nothing is left behind it.
    let invitation = one(&world, &format!("meeting-invite/{id}/")).await;
    assert_eq!((invitation.state, invitation.attempts), (DeliveryState::Scheduled, 3));
    assert!(invitation.next_at >= starts_at);
    let rows = world.storage.deliveries_with_key(&format!("meeting-reminder/{id}/"), 9).await.expect("a list");
    let mut hers = rows.iter().filter(|row| matches!(row.recipient, Recipient::Address(_)));
    assert!(hers.next().is_some_and(|row| row.state == DeliveryState::Delivered), "{rows:?}");
    assert!(world.app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn what_nobody_comes_back_for_is_waited_for_no_longer_than_of_use(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    soon(&world).await;
    // A node claims the invitation and is never heard of again; its claim does not lapse here.
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        now: noon(),
        limit: 1,
        kinds: vec![NoticeKind::MeetingInvite],
        lease: lease(1),
        lease_for: SECOND * 3600,
    };
    assert_eq!(world.storage.claim(&request).await.expect("a claim").len(), 1);
    world.deliver().await;
    assert_eq!(to_eve(&world), NOBODY);
    world.clock.advance(SECOND * 1190);
    world.deliver().await;
    assert_eq!(to_eve(&world), NOBODY, "it may still be on its way");
    world.clock.advance(SECOND * 5);
    world.deliver().await;
    assert_eq!(to_eve(&world), ["Soon"]);
}

pub(super) async fn of_a_cancelled_meeting_neither_its_invitation_nor_its_reminder_leaves(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, id) = soon(&world).await;
    world.mailer.fail_next(later());
    world.deliver().await;
    assert_eq!(to_eve(&world), NOBODY);
    world.app.meetings().cancel(ada, id, Precondition::Any).await.expect("cancelled");
    for _ in 0..3 {
        world.deliver().await;
        world.clock.advance(SECOND * 400);
    }
    assert!(!to_eve(&world).contains(&"Soon".to_owned()));
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.due, ledger.balances()), (0, true));
}

pub(super) async fn what_is_held_keeps_nothing_waiting(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    // Until 15:00, and the task is due at 14:00.
    set(&world, ada, quiet("12:00", "16:00")).await;
    let new = NewTask { due_at: Some(at("2026-11-23T18:00:00Z")), ..due(0) };
    let id = world.app.tasks().create(ada, new).await.expect("a task").id;
    let begun = TaskChange { status: Some(TaskStatus::InProgress), ..TaskChange::default() };
    world.app.tasks().update(ada, id, begun, Precondition::Any).await.expect("begun");
    assert_eq!(subjects(&world).await, NOBODY, "its status is told when they end");
    world.clock.advance(SECOND);
    let moved = TaskChange { due_at: Some(due(0).due_at), ..TaskChange::default() };
    world.app.tasks().update(ada, id, moved, Precondition::Any).await.expect("moved");
    world.clock.set(at("2026-11-22T13:45:00Z"));
    assert_eq!(subjects(&world).await, ["Due soon: task 0"]);
    world.clock.set(at("2026-11-22T15:00:00Z"));
    assert_eq!(subjects(&world).await.len(), 1);
}

pub(super) async fn what_was_held_leaves_in_order(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (Actor::User(world.verified("ada").await), Actor::User(world.verified("bob").await));
    set(&world, bob, quiet("12:00", "16:00")).await;
    let reminder_minutes = ReminderMinutes::new(60).expect("fits");
    let starts_at = StartsAt::Instant(at("2026-11-22T15:30:00Z"));
    let new = NewMeeting { starts_at, reminder_minutes, ..board(&["bob"]) };
    world.app.meetings().create(ada, new).await.expect("a meeting");
    assert_eq!(world.told().await, NOBODY);
    assert_eq!(world.told_at("2026-11-22T14:30:00Z").await, ["ada: Soon"]);
    world.clock.set(at("2026-11-22T15:00:00Z"));
    assert_eq!(subjects(&world).await, ["Invitation: Board", "Soon: Board"]);
}

pub(super) async fn when_the_relay_is_back_mail_leaves_in_order(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    soon(&world).await;
    world.mailer.fail_next(MailError::Unavailable("connection refused".to_owned()));
    for _ in 0..20 {
        world.deliver().await;
        world.clock.advance(SECOND);
    }
    assert_eq!(to_eve(&world), ["Invitation", "Soon"]);
}

pub(super) async fn another_node_sends_no_reminder_while_the_invitation_is_on_its_way(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    soon(&world).await;
    let mailer = Arc::new(Meanwhile::default());
    let sending = taskflow_core::Sending { batch: 1, connections: 1, ..taskflow_core::Sending::default() };
    let app = App::builder(open.storage()).clock(world.clock.clone()).mailer(mailer.clone()).sending(sending).build();
    let other = World::new(&*open);
    mailer.meanwhile(async move {
        assert_eq!(other.told().await, NOBODY);
    });
    for _ in 0..3 {
        app.outbox().deliver_due().await.expect("a step");
        world.clock.advance(SECOND * 2);
    }
    assert_eq!(mailer.taken(), ["Invitation: Board", "Soon: Board"]);
}

pub(super) async fn a_change_is_told_no_later_than_people_are_reminded_of_its_new_time(open: Arc<dyn OpenStore>) {
    let this = super::reminders::Board::new(&*open).await;
    let change = taskflow_core::MeetingChange {
        starts_at: Some(StartsAt::Instant(noon() + SECOND * 600)),
        ..taskflow_core::MeetingChange::default()
    };
    this.change(change).await;
    let world = &this.world;
    world.deliver().await;
    assert_eq!(to_eve(world), ["Changed", "Soon"]);
}

fn due(n: u64) -> NewTask {
    let title = format!("task {n}").parse().expect("a title");
    NewTask { title, due_at: Some(at("2026-11-22T14:00:00Z") + SECOND * n as u32), ..due_at_two() }
}

async fn tasks(world: &World, owner: Actor, numbers: std::ops::RangeInclusive<u64>) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for n in numbers {
        ids.push(world.app.tasks().create(owner, due(n)).await.expect("a task").id);
    }
    ids
}

async fn subjects(world: &World) -> Vec<String> {
    world.deliver().await;
    world.mailer.take().into_iter().map(|mail| mail.content.subject).collect()
}

pub(super) async fn tasks_due_in_one_minute_are_one_mail_to_each_person(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (Actor::User(world.somebody("ada").await), Actor::User(world.somebody("bob").await));
    tasks(&world, ada, 0..=3).await;
    tasks(&world, ada, 60..=60).await;
    tasks(&world, bob, 0..=1).await;
    let done = tasks(&world, ada, 4..=5).await;
    world.app.tasks().complete(ada, done[0]).await.expect("completed");
    let moved = TaskChange { due_at: Some(Some(at("2026-11-22T15:00:00Z"))), ..TaskChange::default() };
    world.app.tasks().update(ada, done[1], moved, Precondition::Any).await.expect("moved");
    let _status = subjects(&world).await;
    world.clock.set(at("2026-11-22T13:45:00Z"));
    let mut sent = subjects(&world).await;
    sent.sort_unstable();
    assert_eq!(sent, ["Due soon: 2 tasks", "Due soon: 4 tasks"]);
    // One that is noted now, for the same minute, is a mail of its own.
    world.clock.set(at("2026-11-22T13:45:06Z"));
    tasks(&world, ada, 6..=6).await;
    assert_eq!(subjects(&world).await, ["Due soon: task 6"]);
    world.clock.set(at("2026-11-22T13:46:00Z"));
    assert_eq!(subjects(&world).await, ["Due soon: task 60"]);
    world.clock.set(at("2026-11-22T14:45:00Z"));
    assert_eq!(subjects(&world).await.len(), 1);
    let rows = world.storage.deliveries_with_key("task-due/", 99).await.expect("a list");
    let delivered: Vec<_> = rows.iter().filter(|row| row.state == DeliveryState::Delivered).collect();
    // The ledger names the mail of each.
    let mails: std::collections::HashSet<_> = delivered.iter().map(|row| row.mail_id()).collect();
    assert_eq!((delivered.len(), mails.len()), (9, 5));
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.due, ledger.balances()), (0, true));
}

pub(super) async fn a_mail_of_several_tasks_is_the_same_when_it_is_tried_again(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    tasks(&world, ada, 0..=2).await;
    world.mailer.fail_next(later());
    world.clock.set(at("2026-11-22T13:45:00Z"));
    assert_eq!(subjects(&world).await, NOBODY);
    let rows = world.storage.deliveries_with_key("task-due/", 9).await.expect("a list");
    let next_at = rows[0].next_at;
    assert!(rows.iter().all(|row| (row.attempts, row.next_at) == (1, next_at)), "{rows:?}");
    // One that comes in between does not change what may have arrived.
    world.clock.set(at("2026-11-22T13:45:07Z"));
    tasks(&world, ada, 7..=7).await;
    assert_eq!(subjects(&world).await, ["Due soon: task 7"]);
    world.clock.set(next_at);
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].content.subject, "Due soon: 3 tasks");
    let first = rows.iter().find(|row| row.id == mails[0].id).expect("one of them");
    assert_eq!(Some(mails[0].date), first.first_claimed_at);
    assert_eq!(world.app.deliveries().ledger().await.expect("a ledger").due, 0);
}

pub(super) async fn after_a_crash_a_mail_of_several_tasks_is_the_same_again(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    tasks(&world, ada, 0..=2).await;
    tasks(&world, ada, 120..=120).await;
    world.clock.set(at("2026-11-22T13:45:00Z"));
    let now = world.clock_now();
    let kinds = NoticeKind::ALL.to_vec();
    let request =
        ClaimRequest { channel: ChannelKind::MAIL, kinds, limit: 9, now, lease: lease(1), lease_for: SECOND * 60 };
    // A sender that died after the relay took the mail and before it could say so.
    let claimed = world.storage.claim(&request).await.expect("a claim");
    assert_eq!(claimed.len(), 3);
    open.lapse_leases().await;
    world.clock.set(at("2026-11-22T13:47:00Z"));
    world.deliver().await;
    let mails = world.mailer.take();
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.content.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["Due soon: 3 tasks", "Due soon: task 120"]);
    let again = mails.iter().find(|mail| mail.content.subject.contains('3')).expect("it");
    let first = claimed.iter().map(|one| &one.delivery).min_by_key(|one| (one.due_at, one.id)).expect("one");
    assert_eq!((again.id, again.date), (first.id, now));
}

pub(super) async fn many_tasks_are_mails_of_fifty(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    for n in 0..60 {
        world.app.tasks().create(ada, due(n % 3)).await.expect("a task");
    }
    world.clock.set(at("2026-11-22T13:45:02Z"));
    let mut sent = subjects(&world).await;
    sent.sort_unstable();
    assert_eq!(sent, ["Due soon: 10 tasks", "Due soon: 50 tasks"]);
}

pub(super) async fn a_status_and_a_reminder_of_a_task_leave_in_order(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let id = tasks(&world, ada, 0..=0).await[0];
    world.clock.set(at("2026-11-22T13:44:00Z"));
    let change = TaskChange { status: Some(TaskStatus::InProgress), ..TaskChange::default() };
    world.mailer.fail_next(later());
    world.app.tasks().update(ada, id, change, Precondition::Any).await.expect("begun");
    assert_eq!(subjects(&world).await, NOBODY);
    // Its reminder was made before, and waits for nothing.
    world.clock.set(at("2026-11-22T13:45:00Z"));
    let sent = subjects(&world).await;
    assert!(sent.contains(&"Due soon: task 0".to_owned()), "{sent:?}");
}
