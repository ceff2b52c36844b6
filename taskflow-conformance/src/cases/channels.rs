//! Channels beside mail: each with a lane, a circuit and suppressions of its own, over one ledger.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};
use taskflow_core::notice::{CustomKind, CustomNotice, NoticePolicy, NoticeType};
use taskflow_core::ports::{ClaimRequest, Expired, MailError, Settled, Storage};
use taskflow_core::{
    Actor, AppBuilder, Changes, ChannelKind, DeliveryState, DeliveryWrite, Effect, LastNotified, Ledger, NoticeKind,
    Outcome, Precondition, PreferencesChange, Priority, Recipient, SendError, Settlement, Suppression,
    SuppressionCause, SuppressionWrite, Timestamp, UserId,
};

use super::app::World;
use super::people::stored;
use crate::sample::{called, delivery_id, guest, lease, meeting, noon, participant_id, users, welcome};
use crate::{OpenStore, Push, PushChannel};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parcel {
    number: u32,
}

impl NoticeType for Parcel {
    const KIND: &'static str = "parcel_arrived";
    const POLICY: NoticePolicy = NoticePolicy::recurring(Priority::Task);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(1))
    }
}

impl CustomNotice for Parcel {
    fn subject(&self) -> String {
        format!("Parcel {}", self.number)
    }

    fn text(&self) -> String {
        "It is here.".to_owned()
    }
}

const PUSH: ChannelKind = PushChannel::KIND;
const BOTH: [ChannelKind; 2] = [ChannelKind::MAIL, PUSH];

fn world(open: &dyn OpenStore) -> (World, PushChannel) {
    let push = PushChannel::new();
    (World::building(open, |builder| builder.notice::<Parcel>().channel(push.clone())), push)
}

async fn plan(world: &World, channel: ChannelKind, user: UserId, number: u32) {
    let (to, key) = (Recipient::User(user), number.to_string());
    world.app.notify_on(channel, to, &Parcel { number }, noon(), &key).await.expect("planned");
}

fn parcel(name: &str, number: u32) -> Push {
    Push { name: name.to_owned(), text: format!("Parcel {number}") }
}

async fn ledger_on(storage: &Arc<dyn Storage>, channel: ChannelKind) -> Ledger {
    storage.ledgers().await.expect("counts").get(&channel).copied().unwrap_or_default()
}

pub(super) async fn each_channel_tells_a_person_once_of_the_same_thing(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let ada = world.somebody("ada").await;
    for channel in [BOTH, BOTH].concat() {
        plan(&world, channel, ada, 1).await;
    }
    assert_eq!(world.app.outbox().channels(), BOTH);
    assert_eq!(world.told().await, ["ada: Parcel 1"]);
    assert_eq!(push.take(), [parcel("ada", 1)]);
    for channel in BOTH {
        plan(&world, channel, ada, 1).await;
    }
    assert_eq!(world.told().await, [""; 0]);
    assert_eq!(push.take(), []);
    let rows = world.storage.deliveries_with_key("parcel_arrived/1", 9).await.expect("rows");
    let rows: Vec<_> = rows.iter().map(|row| (row.dedupe_key.as_str(), row.channel, row.state)).collect();
    let delivered = DeliveryState::Delivered;
    assert_eq!(rows, [("parcel_arrived/1", ChannelKind::MAIL, delivered), ("parcel_arrived/1@push", PUSH, delivered)]);
}

pub(super) async fn what_is_found_by_the_beginning_of_its_key_is_cancelled_on_both_channels(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let ada = world.somebody("ada").await;
    for channel in BOTH {
        plan(&world, channel, ada, 1).await;
    }
    let open = world.storage.open_with_keys(&["parcel_arrived/1".to_owned()]).await.expect("rows");
    let cancel = |key| DeliveryWrite::Cancel { key, reason: "it went back".to_owned(), at: noon() };
    let changes = open.into_iter().map(|row| cancel(row.dedupe_key)).fold(Changes::new(), Changes::write);
    world.storage.commit(&changes).await.expect("cancelled");
    assert_eq!(world.told().await, [""; 0]);
    assert_eq!(push.take(), []);
    assert_eq!(ledger_on(&world.storage, PUSH).await, Ledger { planned: 1, cancelled: 1, ..Ledger::default() });
}

pub(super) async fn one_channel_that_is_away_delays_no_other(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let ada = world.somebody("ada").await;
    push.fail_next(SendError::Unavailable("no gateway".to_owned()));
    for number in 1..=3 {
        plan(&world, PUSH, ada, number).await;
        plan(&world, ChannelKind::MAIL, ada, number).await;
    }
    assert_eq!(world.told().await, ["ada: Parcel 1", "ada: Parcel 2", "ada: Parcel 3"]);
    assert_eq!(world.app.outbox().relay_trouble(), None, "mail leaves");
    let trouble = world.app.outbox().trouble_on(PUSH).expect("it is known");
    assert_eq!((trouble.since, trouble.cause.as_str()), (noon(), "no gateway"));
    let waits = world.app.outbox().backlog_on(PUSH).await.expect("a backlog").oldest_due_at;
    assert_eq!((waits, world.app.outbox().age().await.expect("no mail waits")), (Some(noon()), None));

    // And the other way round.
    world.mailer.fail_next(MailError::Unavailable("no relay".to_owned()));
    plan(&world, ChannelKind::MAIL, ada, 4).await;
    let later = noon() + Duration::from_mins(2);
    assert_eq!(world.subjects_at(later).await, [""; 0]);
    assert_eq!(ledger_on(&world.storage, PUSH).await, Ledger { planned: 3, delivered: 3, ..Ledger::default() });
    assert_eq!(world.app.outbox().trouble_on(PUSH), None, "it has answered");
    assert_eq!(world.app.outbox().relay_trouble().map(|trouble| trouble.cause).as_deref(), Some("no relay"));
}

pub(super) async fn one_channel_that_hangs_delays_no_other(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let ada = world.somebody("ada").await;
    push.hang(true);
    plan(&world, PUSH, ada, 1).await;
    // What is planned while the push is on its way leaves as well, in the same step.
    let meanwhile = async {
        for number in 1..=3 {
            plan(&world, ChannelKind::MAIL, ada, number).await;
            while world.mailer.mails().len() < number as usize {
                yield_now().await;
            }
        }
    };
    match select(pin!(world.app.outbox().deliver_due()), pin!(meanwhile)).await {
        Either::Left(_) => panic!("the push is on its way"),
        Either::Right(_) => {}
    }
    assert_eq!(ledger_on(&world.storage, PUSH).await.due, 1);
}

/// Lets everything else have its turn.
async fn yield_now() {
    let mut had_turn = false;
    poll_fn(|context| {
        if std::mem::replace(&mut had_turn, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) async fn deliveries_of_a_channel_that_nobody_registered_wait(open: Arc<dyn OpenStore>) {
    let without = World::building(&*open, AppBuilder::notice::<Parcel>);
    let ada = without.somebody("ada").await;
    plan(&without, PUSH, ada, 1).await;
    assert_eq!(without.told().await, [""; 0]);
    assert_eq!(ledger_on(&without.storage, PUSH).await, Ledger { planned: 1, due: 1, ..Ledger::default() });
    let push = PushChannel::new();
    let with = World::building(&*open, |builder| builder.notice::<Parcel>().channel(push.clone()));
    assert_eq!(with.told().await, [""; 0]);
    assert_eq!(push.take(), [parcel("ada", 1)]);
}

pub(super) async fn suppressed_mail_and_a_blocked_push_are_no_concern_of_each_other(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let email = world.storage.user(ada).await.expect("a read").expect("ada").email;
    let bounced = Suppression::new(email, SuppressionCause::Refused, "550 5.1.1 unknown".to_owned(), noon());
    world.storage.commit(&Changes::new().write(SuppressionWrite::Add(bounced))).await.expect("suppressed");
    push.block("bob");
    for channel in BOTH {
        plan(&world, channel, ada, 1).await;
        plan(&world, channel, bob, 2).await;
    }
    assert_eq!(world.told().await, ["bob: Parcel 2"]);
    assert_eq!(push.take(), [parcel("ada", 1)]);
    assert_eq!(ledger_on(&world.storage, PUSH).await.cancelled, 1);
}

pub(super) async fn what_a_reader_does_not_want_or_what_is_late_leaves_on_no_channel(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let off = PreferencesChange::without(NoticeKind::from(CustomKind::register::<Parcel>()));
    world.app.accounts().change_preferences(Actor::User(bob), &off, Precondition::Any).await.expect("switched off");
    plan(&world, PUSH, bob, 1).await;
    world.deliver().await;
    plan(&world, PUSH, ada, 2).await;
    assert_eq!(world.subjects_at(noon() + Duration::from_hours(2)).await, [""; 0]);
    assert_eq!(push.take(), []);
    let expected = Ledger { planned: 2, cancelled: 1, expired: 1, ..Ledger::default() };
    assert_eq!(ledger_on(&world.storage, PUSH).await, expected);
}

pub(super) async fn a_refused_push_is_tried_again_and_given_up_like_a_mail(open: Arc<dyn OpenStore>) {
    let (world, push) = world(&*open);
    let ada = world.somebody("ada").await;
    push.fail_next(SendError::Transient("busy".to_owned()));
    push.fail_next(SendError::Permanent { reply: "unknown device".to_owned(), is_gone: true });
    plan(&world, PUSH, ada, 1).await;
    world.deliver().await;
    let row = async || world.storage.deliveries_with_key("parcel_arrived/1", 9).await.expect("rows").remove(0);
    let refused = row().await;
    assert_eq!(
        (refused.state, refused.attempts, refused.last_error.as_deref()),
        (DeliveryState::Scheduled, 1, Some("busy"))
    );
    world.clock.set(refused.next_at);
    world.deliver().await;
    let given_up = row().await;
    assert_eq!((given_up.state, given_up.last_error.as_deref()), (DeliveryState::Discarded, Some("unknown device")));
    let (_, attempts) = world.storage.delivery(given_up.id).await.expect("a read").expect("a delivery");
    assert_eq!(attempts.len(), 2);
}

/// Claims everything that is due at noon on a channel, under the lease number `n`.
async fn claim(store: &Arc<dyn Storage>, channel: ChannelKind, n: u64) -> usize {
    let kinds = NoticeKind::ALL.to_vec();
    let (token, lease_for) = (lease(n), Duration::from_mins(1));
    let request = ClaimRequest { channel, kinds, limit: 9, now: noon(), lease: token, lease_for };
    store.claim(&request).await.expect("a claim").len()
}

pub(super) async fn an_effect_is_written_exactly_when_its_settlement_counts(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let setup = users([1, 2]).and(called(meeting(1, 1), [guest(1, 1)]));
    store.commit(&setup.deliver([welcome(1), welcome(2).on(PUSH)])).await.expect("planned");
    let known = async || stored(&store, 1).await.expect("the guest").told;
    assert_eq!((claim(&store, ChannelKind::MAIL, 1).await, claim(&store, PUSH, 2).await), (1, 1));
    let told = |version| LastNotified { version, on: true };
    let settle = async |n, token, version| {
        let outcome = Outcome::Delivered { reply: "ok".to_owned() };
        let effect = Some(Effect::LastNotified(participant_id(1), told(version)));
        let settlement = Settlement { id: delivery_id(n), lease: lease(token), at: noon(), outcome, effect };
        store.settle(&[settlement]).await.expect("an answer")[0]
    };
    assert_eq!(settle(2, 1, 5).await, Settled::LeaseLost);
    assert_eq!(known().await, None);
    assert_eq!(settle(2, 2, 3).await, Settled::Applied);
    assert_eq!(known().await, Some(told(3)));
    assert_eq!(settle(2, 2, 7).await, Settled::LeaseLost, "it is settled");
    assert_eq!(settle(1, 1, 4).await, Settled::Applied);
    assert_eq!(known().await, Some(told(4)));
}

pub(super) async fn the_ledger_balances_for_each_channel_and_in_sum_also_after_a_purge(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let push = (1..=4).map(|n| welcome(n).on(PUSH));
    store.commit(&users(1..=6).deliver(push).deliver((5..=6).map(welcome))).await.expect("planned");
    assert_eq!((claim(&store, ChannelKind::MAIL, 1).await, claim(&store, PUSH, 2).await), (2, 4));
    let outcomes = [
        Outcome::Delivered { reply: "ok".to_owned() },
        Outcome::Discarded { error: "no".to_owned() },
        Outcome::Expired { reason: "late".to_owned() },
        Outcome::Released { next_at: noon(), error: None },
        Outcome::Delivered { reply: "250".to_owned() },
        Outcome::Cancelled { reason: "gone".to_owned() },
    ];
    for (n, outcome) in (1..).zip(outcomes) {
        let token = lease(if n < 5 { 2 } else { 1 });
        let settlement = Settlement { id: delivery_id(n), lease: token, at: noon(), outcome, effect: None };
        assert_eq!(store.settle(&[settlement]).await.expect("an answer"), [Settled::Applied]);
    }
    let mail = Ledger { planned: 2, delivered: 1, cancelled: 1, ..Ledger::default() };
    let push = Ledger { planned: 4, delivered: 1, discarded: 1, expired: 1, due: 1, ..Ledger::default() };
    for purged in [0, 5, 0] {
        let ledgers = store.ledgers().await.expect("counts");
        assert_eq!(ledgers, [(ChannelKind::MAIL, mail), (PUSH, push)].into());
        assert!(ledgers.values().all(Ledger::balances));
        let sum = store.ledger().await.expect("counts");
        assert_eq!((sum.planned, sum.due, sum.balances()), (6, 1, true));
        if purged > 0 {
            let old = Expired::Deliveries(noon() + Duration::from_hours(1));
            assert_eq!(store.purge(old, 100).await.expect("purged"), purged);
        }
    }
}
