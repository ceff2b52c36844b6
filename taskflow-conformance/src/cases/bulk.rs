//! Many deliveries are retried or cancelled together, selected by what they have in common.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Asked, ClaimRequest, MailError, Reply, Storage};
use taskflow_core::{
    Actor, BulkAction, BulkSelection, ChannelKind, DedupeKey, DeliveryFilter, DeliveryId, DeliveryState, EmailAddress,
    Error, NewDelivery, NoticeKind, Outcome, Recipient, Settlement, Timestamp,
};

use super::app::{World, due_at_two};
use super::reminders::NOBODY;
use crate::OpenStore;
use crate::sample::{delivery_id, lease, new_user, noon, task_due, user_id, users, welcome};

const QUOTA: &str = "552 5.2.2 Quota Exceeded";
const GONE: &str = "550 5.1.1 no such user";

fn hour(n: u64) -> Timestamp {
    noon() + Duration::from_hours(n)
}

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

/// 1 to 3: discarded welcomes to the users of these numbers; 4: an expired one to an address; 5: cancelled; 6: delivered;
/// 7: claimed; 8: a reminder that is scheduled for one o'clock; 9: scheduled on another channel.
async fn nine(open: &dyn OpenStore) -> Arc<dyn Storage> {
    let store = open.storage();
    let eve = Recipient::Address(address("Eve@example.org"));
    let welcomes = (1..=7).map(|n| match n {
        4 => NewDelivery { recipient: eve.clone(), ..welcome(n) },
        n => welcome(n),
    });
    let push = NewDelivery { dedupe_key: DedupeKey::new("welcome/9"), ..welcome(9) }.on(ChannelKind::new("push"));
    let reminder = NewDelivery { recipient: Recipient::User(user_id(1)), ..task_due(8, hour(1)) };
    let planned = users(1..=9).deliver(welcomes.chain([reminder, push]));
    store.commit(&planned).await.expect("deliveries");
    claim(&store, 100).await;
    let error = |text: &str| text.to_owned();
    for (n, outcome) in [
        (1, Outcome::Discarded { error: error(QUOTA) }),
        (2, Outcome::Discarded { error: error(GONE) }),
        (3, Outcome::Discarded { error: error("smtp.example.org:25: 421 4.7.0 5501 errors") }),
        (4, Outcome::Expired { reason: error("late") }),
        (5, Outcome::Cancelled { reason: error("unwanted") }),
        (6, Outcome::Delivered { reply: error("250 ok") }),
    ] {
        settle(&store, n, outcome, noon()).await;
    }
    store
}

async fn claim(store: &Arc<dyn Storage>, limit: u32) {
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_secs(600),
    };
    store.claim(&request).await.expect("a claim");
}

async fn settle(store: &Arc<dyn Storage>, n: u64, outcome: Outcome, at: Timestamp) {
    let settlement = Settlement { id: delivery_id(n), lease: lease(1), at, outcome, effect: None };
    store.settle(&[settlement]).await.expect("settled");
}

/// Selects everything in these states that was so at one o'clock.
fn of(states: &[DeliveryState]) -> BulkSelection {
    BulkSelection {
        states: states.to_vec(),
        kinds: Vec::new(),
        channel: None,
        recipients: None,
        error: None,
        code: None,
        due_from: None,
        due_before: None,
        as_of: hour(1),
    }
}

async fn selected(store: &Arc<dyn Storage>, selection: &BulkSelection) -> BTreeSet<DeliveryId> {
    store.selected(selection, 100).await.expect("a read").into_iter().collect()
}

fn ids<const N: usize>(numbers: [u64; N]) -> BTreeSet<DeliveryId> {
    numbers.into_iter().map(delivery_id).collect()
}

pub(super) async fn many_are_selected_by_what_they_have_in_common(open: Arc<dyn OpenStore>) {
    use DeliveryState::{Cancelled, Claimed, Delivered, Discarded, Expired, Scheduled};
    let store = nine(&*open).await;
    let eve = vec![Recipient::Address(address("EVE@example.org")), Recipient::User(user_id(2))];
    let lost = of(&[Discarded, Expired]);
    let open = of(&[Scheduled, Claimed]);
    let error = |text: &str| BulkSelection { error: Some(text.to_owned()), ..lost.clone() };
    let code = |text: &str| BulkSelection { code: Some(text.parse().expect("a code")), ..lost.clone() };
    for (selection, expected) in [
        (of(&[]), ids([])),
        (of(&[Discarded]), ids([1, 2, 3])),
        (of(&[Discarded, Expired, Cancelled, Expired]), ids([1, 2, 3, 4, 5])),
        (of(&[Delivered]), ids([])),
        (open.clone(), ids([7, 8, 9])),
        (of(&[Claimed]), ids([7])),
        (BulkSelection { kinds: vec![NoticeKind::TaskDue], ..open.clone() }, ids([8])),
        (BulkSelection { channel: Some(ChannelKind::new("push")), ..open.clone() }, ids([9])),
        (BulkSelection { channel: Some(ChannelKind::MAIL), ..open.clone() }, ids([7, 8])),
        (BulkSelection { recipients: Some(eve), ..lost.clone() }, ids([2, 4])),
        (BulkSelection { recipients: Some(Vec::new()), ..lost.clone() }, ids([])),
        (error("quota exceeded"), ids([1])),
        (error("550"), ids([2, 3])),
        (error("100%"), ids([])),
        (code("550"), ids([2])),
        (code("5.2.2"), ids([1])),
        (code("421"), ids([3])),
        (BulkSelection { error: Some("NO SUCH".to_owned()), ..code("5.1.1") }, ids([2])),
        (BulkSelection { due_from: Some(hour(1)), ..open.clone() }, ids([8])),
        (BulkSelection { due_before: Some(hour(1)), ..open.clone() }, ids([7, 9])),
        (BulkSelection { due_from: Some(noon()), due_before: Some(noon()), ..lost.clone() }, ids([])),
    ] {
        assert_eq!(selected(&store, &selection).await, expected, "{selection:?}");
    }
    assert_eq!(store.selected(&lost, 2).await.expect("a read").len(), 2);
}

pub(super) async fn what_reaches_a_state_later_is_not_selected(open: Arc<dyn OpenStore>) {
    let store = nine(&*open).await;
    settle(&store, 7, Outcome::Discarded { error: GONE.to_owned() }, hour(2)).await;
    let later = NewDelivery { planned_at: hour(2), ..task_due(10, hour(3)) };
    store.commit(&users([10]).deliver([later])).await.expect("a delivery");
    let (lost, open) = (of(&[DeliveryState::Discarded]), of(&[DeliveryState::Scheduled]));
    assert_eq!(selected(&store, &lost).await, ids([1, 2, 3]));
    assert_eq!(selected(&store, &open).await, ids([8, 9]));
    assert_eq!(selected(&store, &BulkSelection { as_of: hour(2), ..lost }).await, ids([1, 2, 3, 7]));
    assert_eq!(selected(&store, &BulkSelection { as_of: hour(2), ..open }).await, ids([8, 9, 10]));
}

pub(super) async fn what_is_no_longer_selected_stays_as_it_is(open: Arc<dyn OpenStore>) {
    let store = nine(&*open).await;
    let everything: Vec<_> = (1..=9).map(delivery_id).collect();
    let changed = async |action: &BulkAction, selection: &BulkSelection| {
        let changed = store.change_selected(action, selection, &everything).await.expect("changed");
        changed.into_iter().collect::<BTreeSet<_>>()
    };
    let before = store.deliveries_after(None, 100).await.expect("a list");
    let retry = BulkAction::Retry { at: hour(1) };
    let cancel = BulkAction::Cancel { reason: "a test".to_owned(), at: hour(1) };
    // Neither can be done to what is in another state, whatever is selected.
    assert_eq!(changed(&retry, &of(&[DeliveryState::Scheduled, DeliveryState::Delivered])).await, ids([]));
    assert_eq!(changed(&cancel, &of(&[DeliveryState::Delivered, DeliveryState::Discarded])).await, ids([]));
    assert_eq!(store.deliveries_after(None, 100).await.expect("a list"), before);
    let some = BulkSelection { code: Some("5.1.1".parse().expect("a code")), ..of(&[DeliveryState::Discarded]) };
    assert_eq!(changed(&retry, &some).await, ids([2]));
    assert_eq!(changed(&retry, &some).await, ids([]), "it is scheduled");
    let (again, failed) = store.delivery(delivery_id(2)).await.expect("a read").expect("a delivery");
    assert_eq!((again.state, again.attempts, again.next_at), (DeliveryState::Scheduled, 0, hour(1)));
    assert_eq!((again.settled_at, again.first_claimed_at, failed), (None, None, Vec::new()));
    // 7 is being sent.
    let open = of(&[DeliveryState::Scheduled, DeliveryState::Claimed]);
    let mail = BulkSelection { channel: Some(ChannelKind::MAIL), ..open.clone() };
    assert_eq!(changed(&cancel, &mail).await, ids([2, 7, 8]));
    assert_eq!(changed(&cancel, &mail).await, ids([]), "those are cancelled, or marked");
    let state = async |n| store.delivery(delivery_id(n)).await.expect("a read").expect("a delivery").0;
    let (sending, cancelled) = (state(7).await, state(8).await);
    assert_eq!((sending.state, sending.cancel_requested), (DeliveryState::Claimed, true));
    assert_eq!((cancelled.state, cancelled.settled_at), (DeliveryState::Cancelled, Some(hour(1))));
    assert_eq!(cancelled.reason, "a test");
    settle(&store, 7, Outcome::Delivered { reply: "250".to_owned() }, hour(2)).await;
    assert_eq!(state(7).await.state, DeliveryState::Delivered);
    let ledger = store.ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.due, ledger.cancelled, ledger.balances()), (9, 1, 3, true), "{ledger:?}");
}

pub(super) async fn administrators_retry_and_cancel_many_at_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let mut people = Vec::new();
    for name in ["ada", "bob", "cleo"] {
        people.push(world.app.accounts().register(new_user(name), None).await.expect("an account").id);
    }
    for answer in ["5.6.0 malformed", "5.6.0 malformed", "5.1.1 no such user"] {
        world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Recipient, 554, answer)));
    }
    assert_eq!(world.told().await, NOBODY);
    world.clock.advance(Duration::from_secs(1));
    let app = &world.app;
    let malformed = DeliveryFilter { code: Some("5.6.0".parse().expect("a code")), ..DeliveryFilter::default() };
    let dry = app.deliveries().retry_selected(Actor::System, &malformed, true).await.expect("a count");
    assert_eq!((dry.matched, dry.changed, dry.more, dry.as_of), (2, 0, false, world.clock_now()));
    assert_eq!(world.told().await, NOBODY, "a dry run changes nothing");
    let done = app.deliveries().retry_selected(Actor::System, &malformed, false).await.expect("again");
    assert_eq!((done.matched, done.changed), (2, 2));
    assert_eq!(world.told().await.len(), 2);

    app.tasks().create(Actor::User(people[0]), due_at_two()).await.expect("a task");
    let everything = DeliveryFilter {
        recipient: Some(address("ADA@example.org")),
        states: vec![DeliveryState::Scheduled],
        ..DeliveryFilter::default()
    };
    let done = app.deliveries().cancel_selected(Actor::System, &everything, false).await.expect("cancelled");
    assert_eq!((done.matched, done.changed), (1, 1));
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    let earlier = DeliveryFilter { as_of: Some(noon()), ..malformed.clone() };
    let none = app.deliveries().retry_selected(Actor::System, &earlier, false).await.expect("nothing");
    assert_eq!((none.matched, none.as_of), (0, noon()));
    let ledger = app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.delivered, ledger.discarded, ledger.cancelled, ledger.balances()), (2, 1, 1, true));

    let wrong = DeliveryFilter { states: vec![DeliveryState::Delivered], ..DeliveryFilter::default() };
    for refused in [
        app.deliveries().retry_selected(Actor::System, &DeliveryFilter::default(), true).await,
        app.deliveries().cancel_selected(Actor::System, &DeliveryFilter::default(), true).await,
        app.deliveries().retry_selected(Actor::System, &wrong, true).await,
        app.deliveries().cancel_selected(Actor::System, &wrong, true).await,
    ] {
        assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields[0].field == "state"), "{refused:?}");
    }
    for refused in [
        app.deliveries().retry_selected(Actor::User(people[0]), &malformed, false).await,
        app.deliveries().cancel_selected(Actor::User(people[0]), &malformed, true).await,
    ] {
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
}
