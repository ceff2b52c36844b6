//! Claims are fair between those who caused what is due, and what the clock makes due never waits for what somebody causes by
//! hand.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::notice::{MeetingReminderNotice, TaskReminderNotice};
use taskflow_core::ports::{ClaimRequest, Storage};
use taskflow_core::{
    Actor, Changes, ChannelKind, CustomEmail, DedupeKey, DeliveryId, DeliveryWrite, LeaseToken, NewDelivery,
    NewMeeting, NewTask, Notice, NoticeKind, Outcome, Precondition, Recipient, ReminderMinutes, Sending, Settlement,
    StartsAt, TaskChange, TaskStatus, Timestamp, UserId,
};

use super::app::{World, due_at_two};
use super::reminders::board;
use crate::OpenStore;
use crate::sample::{at, delivery_id, lease, meeting_id, noon, participant_id, user_id, users, welcome};

const MINUTE: Duration = Duration::from_secs(60);

fn to(n: u64) -> Recipient {
    Recipient::Address(format!("guest-{n}@example.org").parse().expect("an address"))
}

/// A mail that an account writes by hand, due at noon.
fn letter(n: u64, causer: u64) -> NewDelivery {
    let letter = CustomEmail {
        subject: "News".to_owned(),
        text: Some("There is news.".to_owned()),
        html: None,
        to: Vec::new(),
        cc: Vec::new(),
        reply_to: None,
    };
    NewDelivery {
        dedupe_key: DedupeKey::new(format!("by-hand/{n}")),
        notice: Notice::Letter(letter),
        ..reminder(n, causer)
    }
}

/// A reminder of a meeting that an account organizes, due at noon.
fn reminder(n: u64, causer: u64) -> NewDelivery {
    let notice = MeetingReminderNotice {
        meeting: meeting_id(n),
        participant: participant_id(n),
        starts_at: noon() + MINUTE,
        minutes: Some(1),
        message: None,
    };
    NewDelivery {
        dedupe_key: DedupeKey::new(format!("meeting-reminder/{n}")),
        notice: Notice::MeetingReminder(notice),
        recipient: to(n),
        ..welcome(n)
    }
    .caused_by(user_id(causer))
}

/// A summary, which the service plans by itself.
fn summary(n: u64) -> NewDelivery {
    let notice = TaskReminderNotice { date: "2026-11-22".parse().expect("a day") };
    NewDelivery {
        dedupe_key: DedupeKey::new(format!("task-reminder/{n}")),
        notice: Notice::TaskReminder(notice),
        recipient: to(n),
        ..welcome(n)
    }
}

async fn planned(open: &dyn OpenStore, deliveries: impl IntoIterator<Item = NewDelivery>) -> Arc<dyn Storage> {
    let store = open.storage();
    store.commit(&users(1..=9).deliver(deliveries)).await.expect("deliveries");
    store
}

fn request(now: Timestamp, limit: u32, token: LeaseToken) -> ClaimRequest {
    let kinds = NoticeKind::ALL.to_vec();
    ClaimRequest { channel: ChannelKind::MAIL, kinds, limit, now, lease: token, lease_for: MINUTE * 10 }
}

/// Returns the ids of the next claim at noon.
async fn claimed(store: &Arc<dyn Storage>, limit: u32) -> Vec<DeliveryId> {
    claimed_at(store, noon(), limit).await
}

async fn claimed_at(store: &Arc<dyn Storage>, now: Timestamp, limit: u32) -> Vec<DeliveryId> {
    let claims = store.claim(&request(now, limit, lease(1))).await.expect("a claim");
    claims.iter().map(|claim| claim.delivery.id).collect()
}

fn has_all(claimed: &[DeliveryId], numbers: impl IntoIterator<Item = u64>) -> bool {
    numbers.into_iter().all(|n| claimed.contains(&delivery_id(n)))
}

pub(super) async fn whoever_floods_delays_nobody_elses_reminder(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (0..5_000).map(|n| letter(n, 1))).await;
    for page in 0..10 {
        let theirs = (0..1_000).map(|n| reminder(10_000 + page * 1_000 + n, 1));
        store.commit(&Changes::new().deliver(theirs)).await.expect("reminders");
    }
    // Of 200 others, who are due last and have planned last, each has one.
    let late = noon() + Duration::from_secs(59);
    let others = (0..200).map(|n| NewDelivery { due_at: late, ..reminder(50_000 + n, 100 + n) });
    store.commit(&Changes::new().deliver(others)).await.expect("reminders");
    let first = claimed_at(&store, late, 201).await;
    assert!(has_all(&first, 50_000..50_200), "all others leave with the first one of who floods: {first:?}");
    // Of the next hundred thousand nobody waits either, also who has three.
    let three = (0..3).map(|n| NewDelivery { due_at: late, ..reminder(60_000 + n, 9) });
    store.commit(&Changes::new().deliver(three)).await.expect("reminders");
    let next = claimed_at(&store, late, 6).await;
    assert!(has_all(&next, 60_000..60_003), "{next:?}");
    // And no letter leaves before the last reminder.
    let rest = claimed_at(&store, late, 10_000).await;
    assert_eq!(rest.iter().position(|id| *id < delivery_id(5_000)), Some(9_996));
}

pub(super) async fn what_the_clock_makes_due_never_waits_for_what_is_caused_by_hand(open: Arc<dyn OpenStore>) {
    let late = noon() + Duration::from_secs(30);
    let by_hand =
        [reminder(3, 2)].map(|new| NewDelivery { dedupe_key: DedupeKey::new("meeting-reminder-by-hand/1/2/3"), ..new });
    let due = [summary(1), reminder(2, 2), welcome(4)].map(|new| NewDelivery { due_at: late, ..new });
    let store = planned(&*open, (10..2_000).map(|n| letter(n, n)).chain(by_hand).chain(due)).await;
    let order = claimed_at(&store, late, 2_000).await;
    assert_eq!(order[..3], [4, 2, 1].map(delivery_id), "security, a reminder, a summary");
    assert_eq!(order.len(), 1_994);
}

pub(super) async fn what_several_accounts_cause_by_hand_interleaves(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1_000..3_000).map(|n| letter(n, 1))).await;
    for first in [3_000, 4_000] {
        let theirs = (first..first + 5).map(|n| letter(n, first));
        store.commit(&Changes::new().deliver(theirs)).await.expect("letters");
    }
    let first = claimed(&store, 3).await;
    assert!(has_all(&first, [1_000, 3_000, 4_000]), "the first of each: {first:?}");
    let next = claimed(&store, 14).await;
    assert!(has_all(&next, (3_001..3_005).chain(4_001..4_005)), "{next:?}");
    // Two who cause as much as each other share what leaves, whoever was first.
    store.commit(&Changes::new().deliver((5_000..7_000).map(|n| letter(n, 5)))).await.expect("letters");
    let next = claimed(&store, 1_500).await;
    let theirs = next.iter().filter(|id| **id >= delivery_id(5_000)).count();
    assert!((500..=1_000).contains(&theirs), "{theirs} of 1,500");
}

pub(super) async fn many_small_commits_and_many_kinds_are_no_way_around_it(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, []).await;
    for n in 0..20 {
        store.commit(&Changes::new().deliver([letter(n, 1)])).await.expect("a letter");
        let by_hand = DedupeKey::new(format!("meeting-reminder-by-hand/1/2/{n}"));
        let reminder = NewDelivery { dedupe_key: by_hand, ..reminder(100 + n, 1) };
        store.commit(&Changes::new().deliver([reminder])).await.expect("a reminder");
    }
    let theirs = (200..204).map(|n| letter(n, 2));
    store.commit(&Changes::new().deliver(theirs)).await.expect("letters");
    let first = claimed(&store, 12).await;
    assert!(has_all(&first, 200..204), "{first:?}");
}

pub(super) async fn commits_of_one_account_at_once_all_succeed_and_take_turns(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, []).await;
    let commits = (0..16).map(|page| {
        let store = store.clone();
        async move {
            let letters = (page * 100..page * 100 + 50).map(|n| letter(n, 1));
            store.commit(&Changes::new().deliver(letters)).await.expect("letters");
        }
    });
    futures_util::future::join_all(commits).await;
    store.commit(&Changes::new().deliver([letter(5_000, 2)])).await.expect("a letter");
    let first = claimed(&store, 17).await;
    assert!(has_all(&first, [5_000]), "at most as many first ones as commits at once: {first:?}");
}

/// Eight reminders of one account, each in a minute of its own, and one of somebody else in the last of these minutes.
async fn eight_minutes(open: &dyn OpenStore) -> (Arc<dyn Storage>, Timestamp) {
    let at = |n: u64| noon() + MINUTE * u32::try_from(n).expect("fits");
    let theirs = (0..8).map(|n| NewDelivery { due_at: at(n), ..reminder(n, 1) });
    let store = planned(open, theirs.chain([NewDelivery { due_at: at(9), ..reminder(9, 2) }])).await;
    (store, at(9))
}

pub(super) async fn what_is_moved_into_one_minute_takes_turns_there(open: Arc<dyn OpenStore>) {
    let (store, at) = eight_minutes(&*open).await;
    let key = |n: u64| reminder(n, 1).dedupe_key;
    let moves = (0..8).map(|n| DeliveryWrite::Reschedule { key: key(n), due_at: at, next_at: at });
    store.commit(&moves.fold(Changes::new(), Changes::write)).await.expect("moved");
    let first = claimed_at(&store, at, 2).await;
    assert!(has_all(&first, [9]), "{first:?}");
}

pub(super) async fn what_is_held_until_one_minute_takes_turns_there(open: Arc<dyn OpenStore>) {
    let (store, at) = eight_minutes(&*open).await;
    assert_eq!(claimed_at(&store, noon() + MINUTE * 7, 9).await.len(), 8);
    let held = (0..8).map(|n| Settlement {
        id: delivery_id(n),
        lease: lease(1),
        at: noon(),
        outcome: Outcome::Held { until: at },
        effect: None,
    });
    store.settle(&held.collect::<Vec<_>>()).await.expect("held");
    let first = claimed_at(&store, at, 2).await;
    assert!(has_all(&first, [9]), "{first:?}");
}

pub(super) async fn what_is_tried_again_keeps_its_turn(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (0..40).map(|n| reminder(n, 1))).await;
    let all = claimed(&store, 40).await;
    let again = all.iter().map(|id| Settlement {
        id: *id,
        lease: lease(1),
        at: noon(),
        outcome: Outcome::Retry { next_at: noon() + MINUTE * 5, error: "450 later".to_owned() },
        effect: None,
    });
    store.settle(&again.collect::<Vec<_>>()).await.expect("refused");
    let at = noon() + MINUTE * 5;
    let other = NewDelivery { due_at: at + MINUTE / 2, ..reminder(50, 2) };
    store.commit(&Changes::new().deliver([other])).await.expect("a reminder");
    let order = claimed_at(&store, at + MINUTE, 41).await;
    assert_eq!(order.iter().position(|id| *id == delivery_id(50)), Some(1), "{order:?}");
}

pub(super) async fn the_service_itself_takes_no_turns(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (0..500).map(summary)).await;
    let mine = (600..700).map(|n| NewDelivery { causer: Some(user_id(3)), ..summary(n) });
    store.commit(&Changes::new().deliver(mine)).await.expect("summaries");
    let first = claimed(&store, 501).await;
    assert!(has_all(&first, (0..500).chain([600])), "{first:?}");
}

pub(super) async fn only_what_is_due_and_free_of_some_deliveries_is_claimed(open: Arc<dyn OpenStore>) {
    let later = NewDelivery { due_at: noon() + MINUTE, ..letter(3, 1) };
    let push = NewDelivery { dedupe_key: DedupeKey::new("push/4"), ..letter(4, 1) }.on(ChannelKind::new("push"));
    let store = planned(&*open, [letter(1, 1), letter(2, 1), later, push, letter(5, 1)]).await;
    let some = [1, 3, 4, 5, 6].map(delivery_id);
    let these = |token| {
        let (store, some) = (store.clone(), some);
        async move {
            let claims = store.claim_these(&request(noon(), 1, lease(token)), &some).await.expect("a claim");
            assert!(claims.iter().all(|claim| claim.lease == lease(token)));
            claims.iter().map(|claim| claim.delivery.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(these(1).await, [1, 5].map(delivery_id));
    assert_eq!(these(2).await, []);
    assert_eq!(claimed(&store, 9).await, [delivery_id(2)]);
}

/// The first words of the mails that have left, in their order, with whom they are for.
fn sent(world: &World) -> Vec<String> {
    let line = |mail: taskflow_core::Mail| {
        let name = mail.to.address.as_str().split('@').next().unwrap_or_default().to_owned();
        format!("{name}: {}", mail.content.subject.split(':').next().unwrap_or_default())
    };
    world.mailer.take().into_iter().map(line).collect()
}

async fn flood(world: &World, causer: UserId) {
    let letters = (0..500).map(|n| letter(n, 0).caused_by(causer));
    world.storage.commit(&Changes::new().deliver(letters)).await.expect("letters");
}

pub(super) async fn a_reminder_brings_along_the_invitation_that_waits_for_its_turn(open: Arc<dyn OpenStore>) {
    let sending = Sending { batch: 4, connections: 1, ..Sending::default() };
    let world = World::sending(&*open, sending);
    let ada = world.verified("ada").await;
    world.deliver().await;
    let _welcome = world.mailer.take();
    flood(&world, ada).await;
    // In twenty minutes, with a reminder an hour before.
    let starts_at = StartsAt::Instant(noon() + MINUTE * 20);
    let reminder_minutes = ReminderMinutes::new(60).expect("fits");
    let new = NewMeeting { starts_at, reminder_minutes, ..board(&["eve"]) };
    let actor = Actor::User(ada);
    world.app.meetings().create(actor, new).await.expect("a meeting");
    world.deliver().await;
    let sent = sent(&world);
    assert_eq!(sent.len(), 503);
    let eve: Vec<_> = (0..).zip(&sent).filter(|(_, line)| line.starts_with("eve")).collect();
    assert_eq!(eve.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["eve: Invitation", "eve: Soon"]);
    assert!(eve.iter().all(|(place, _)| *place < 5), "{eve:?}");
    assert!(world.app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn a_reminder_of_a_task_brings_along_its_status(open: Arc<dyn OpenStore>) {
    let sending = Sending { batch: 4, connections: 1, ..Sending::default() };
    let world = World::sending(&*open, sending);
    let ada = world.verified("ada").await;
    world.deliver().await;
    let _welcome = world.mailer.take();
    let actor = Actor::User(ada);
    let new = NewTask { due_at: Some(at("2026-11-23T18:00:00Z")), ..due_at_two() };
    let id = world.app.tasks().create(actor, new).await.expect("a task").id;
    world.clock.set(at("2026-11-22T13:44:00Z"));
    let now = world.clock_now();
    let letters = (0..500).map(|n| NewDelivery { due_at: now, ..letter(n, 0).caused_by(ada) });
    world.storage.commit(&Changes::new().deliver(letters)).await.expect("letters");
    let begun = TaskChange { status: Some(TaskStatus::InProgress), ..TaskChange::default() };
    world.app.tasks().update(actor, id, begun, Precondition::Any).await.expect("begun");
    // Its reminder is made after that.
    let moved = TaskChange { due_at: Some(due_at_two().due_at), ..TaskChange::default() };
    world.app.tasks().update(actor, id, moved, Precondition::Any).await.expect("moved");
    world.clock.set(at("2026-11-22T13:45:00Z"));
    world.deliver().await;
    let mails: Vec<_> = world.mailer.take().into_iter().map(|mail| mail.id).collect();
    let mut places = Vec::new();
    for key in ["task-status/", "task-due/"] {
        let rows = world.storage.deliveries_with_key(&format!("{key}{id}"), 9).await.expect("a list");
        places.extend(rows.iter().filter_map(|row| mails.iter().position(|mail| *mail == row.id)));
    }
    assert_eq!(mails.len(), 502);
    let [status, reminder] = places[..] else { panic!("{places:?}") };
    assert!(status < reminder && reminder < 4, "both leave with the first claim: {places:?}");
}
