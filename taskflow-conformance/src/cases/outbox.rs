use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{ClaimRequest, Claimed, Settled, Storage};
use taskflow_core::{
    Changes, ChannelKind, DedupeKey, Delivery, DeliveryId, DeliveryState, DeliveryWrite, FailedAttempt, LeaseToken,
    Ledger, NewDelivery, NoticeKind, Outcome, Settlement, Timestamp,
};

use crate::sample::{self, delivery_id, lease, noon, users};
use crate::{OpenStore, PushChannel};

const LEASE: Duration = Duration::from_secs(600);

fn after(seconds: u64) -> Timestamp {
    noon() + Duration::from_secs(seconds)
}

/// The channel that a case is about: every case holds for mail and for any other.
pub(super) trait OnChannel {
    const KIND: ChannelKind;
}

pub(super) struct Mail;

impl OnChannel for Mail {
    const KIND: ChannelKind = ChannelKind::MAIL;
}

pub(super) struct Push;

impl OnChannel for Push {
    const KIND: ChannelKind = PushChannel::KIND;
}

fn welcome<C: OnChannel>(n: u64) -> NewDelivery {
    sample::welcome(n).on(C::KIND)
}

fn task_due<C: OnChannel>(n: u64, due_at: Timestamp) -> NewDelivery {
    sample::task_due(n, due_at).on(C::KIND)
}

async fn planned(open: &dyn OpenStore, deliveries: impl IntoIterator<Item = NewDelivery>) -> Arc<dyn Storage> {
    let store = open.storage();
    store.commit(&users(1..=9).deliver(deliveries)).await.expect("deliveries");
    store
}

fn request<C: OnChannel>(now: Timestamp, limit: u32, token: LeaseToken) -> ClaimRequest {
    ClaimRequest { channel: C::KIND, kinds: NoticeKind::ALL.to_vec(), limit, now, lease: token, lease_for: LEASE }
}

async fn claim<C: OnChannel>(store: &Arc<dyn Storage>, now: Timestamp, token: LeaseToken) -> Vec<DeliveryId> {
    let claims = store.claim(&request::<C>(now, 100, token)).await.expect("a claim");
    assert!(claims.iter().all(|claim| claim.lease == token && claim.delivery.state == DeliveryState::Claimed));
    claims.iter().map(|claim| claim.delivery.id).collect()
}

async fn settle(store: &Arc<dyn Storage>, n: u64, token: LeaseToken, outcome: Outcome) -> Settled {
    let settlement = Settlement { id: delivery_id(n), lease: token, at: after(7), outcome, effect: None };
    store.settle(&[settlement]).await.expect("an answer")[0]
}

async fn delivery(store: &Arc<dyn Storage>, n: u64) -> Delivery {
    store.delivery(delivery_id(n)).await.expect("a read").expect("a delivery").0
}

fn delivered() -> Outcome {
    Outcome::Delivered { reply: "250 2.0.0 queued".to_owned() }
}

fn cancel(key: &DedupeKey) -> Changes {
    Changes::new().write(DeliveryWrite::Cancel { key: key.clone(), reason: "changed".to_owned(), at: after(3) })
}

pub(super) async fn planning_a_key_twice_plans_it_once<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let again = NewDelivery { id: delivery_id(2), due_at: after(60), reason: "again".to_owned(), ..welcome::<C>(1) };
    let store = planned(&*open, [welcome::<C>(1)]).await;
    store.commit(&Changes::new().deliver([again])).await.expect("no error");
    assert_eq!(store.deliveries_after(None, 10).await.expect("a list").len(), 1);
    let kept = delivery(&store, 1).await;
    assert_eq!((kept.due_at, kept.reason.as_str()), (noon(), "a case"));
}

pub(super) async fn a_cancelled_delivery_is_revived_under_its_old_id<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    let refused = Outcome::Retry { next_at: after(60), error: "450 later".to_owned() };
    settle(&store, 1, lease(1), refused).await;
    store.commit(&cancel(&welcome::<C>(1).dedupe_key)).await.expect("cancelled");
    let cancelled = delivery(&store, 1).await;
    assert_eq!((cancelled.state, cancelled.settled_at), (DeliveryState::Cancelled, Some(after(3))));
    assert_eq!(cancelled.reason, "changed");
    assert_eq!(claim::<C>(&store, after(999), lease(2)).await, []);

    let again = NewDelivery { id: delivery_id(2), due_at: after(60), planned_at: after(5), ..welcome::<C>(1) };
    store.commit(&Changes::new().deliver([again])).await.expect("revived");
    let (revived, failed) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!(failed, []);
    let expected = Delivery {
        state: DeliveryState::Scheduled,
        planned_at: after(5),
        due_at: after(60),
        next_at: after(60),
        attempts: 0,
        first_claimed_at: None,
        settled_at: None,
        last_error: None,
        reason: "a case".to_owned(),
        ..cancelled
    };
    assert_eq!(revived, expected);
    assert_eq!(claim::<C>(&store, after(60), lease(3)).await, [delivery_id(1)]);
}

pub(super) async fn what_was_delivered_is_never_planned_again<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    settle(&store, 1, lease(1), delivered()).await;
    store
        .commit(&Changes::new().deliver([NewDelivery { due_at: after(60), ..welcome::<C>(1) }]))
        .await
        .expect("no error");
    assert_eq!(delivery(&store, 1).await.state, DeliveryState::Delivered);
    assert_eq!(claim::<C>(&store, after(999), lease(2)).await, []);
}

pub(super) async fn only_what_is_due_is_claimed<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let due = |n, at| NewDelivery { due_at: at, ..welcome::<C>(n) };
    let micro = Duration::from_micros(1);
    let store = planned(&*open, [due(1, noon() - micro), due(2, noon()), due(3, noon() + micro)]).await;
    assert_eq!(claim::<C>(&store, noon(), lease(1)).await, [delivery_id(1), delivery_id(2)]);
    assert_eq!(claim::<C>(&store, noon() + micro, lease(2)).await, [delivery_id(3)]);
}

pub(super) async fn the_higher_priority_leaves_first_and_then_the_earlier<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let security = |n, at| NewDelivery { due_at: at, ..welcome::<C>(n) };
    let store = planned(
        &*open,
        [task_due::<C>(1, after(0)), security(2, after(9)), task_due::<C>(3, after(1)), security(4, after(8))],
    )
    .await;
    let order = claim::<C>(&store, after(10), lease(1)).await;
    assert_eq!(order, [4, 2, 1, 3].map(delivery_id));
}

pub(super) async fn a_limit_bounds_a_claim<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=5).map(welcome::<C>)).await;
    for (limit, expected) in [(2, 2), (2, 2), (2, 1), (2, 0)] {
        let claims = store.claim(&request::<C>(noon(), limit, lease(1))).await.expect("a claim");
        assert_eq!(claims.len(), expected);
    }
    open.lapse_leases().await;
    assert_eq!(store.claim(&request::<C>(noon(), 3, lease(2))).await.expect("a claim").len(), 3);
}

pub(super) async fn kinds_that_were_not_asked_for_stay<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1), task_due::<C>(2, noon())]).await;
    let only = |kinds: &[NoticeKind]| ClaimRequest {
        channel: C::KIND,
        kinds: kinds.to_vec(),
        ..request::<C>(noon(), 10, lease(1))
    };
    let ids = |claims: Vec<Claimed>| claims.iter().map(|claim| claim.delivery.id).collect::<Vec<_>>();
    assert_eq!(ids(store.claim(&only(&[])).await.expect("a claim")), []);
    assert_eq!(ids(store.claim(&only(&[NoticeKind::TaskDue])).await.expect("a claim")), [delivery_id(2)]);
    open.lapse_leases().await;
    assert_eq!(ids(store.claim(&only(&[NoticeKind::Welcome])).await.expect("a claim")), [delivery_id(1)]);
}

pub(super) async fn nobody_else_can_claim_what_is_claimed<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    assert_eq!(claim::<C>(&store, noon(), lease(1)).await.len(), 1);
    // However late it is by the caller's clock: leases lapse by the store's.
    assert_eq!(claim::<C>(&store, after(100_000), lease(2)).await, []);
    assert_eq!(settle(&store, 1, lease(2), delivered()).await, Settled::LeaseLost);
    assert_eq!(settle(&store, 1, lease(1), delivered()).await, Settled::Applied);
}

pub(super) async fn claims_at_once_never_share_a_delivery<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=60).map(welcome::<C>)).await;
    let claims = (1..=8).map(|token| {
        let store = store.clone();
        async move { store.claim(&request::<C>(noon(), 10, lease(token))).await.expect("a claim") }
    });
    let mut ids: Vec<DeliveryId> =
        futures_util::future::join_all(claims).await.into_iter().flatten().map(|claim| claim.delivery.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 60);
}

pub(super) async fn a_lapsed_claim_is_taken_over_and_the_sleeper_changes_nothing<C: OnChannel>(
    open: Arc<dyn OpenStore>,
) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    open.lapse_leases().await;
    assert_eq!(claim::<C>(&store, after(1), lease(2)).await, [delivery_id(1)]);
    assert_eq!(settle(&store, 1, lease(1), delivered()).await, Settled::LeaseLost);
    assert_eq!(delivery(&store, 1).await.state, DeliveryState::Claimed);
    assert_eq!(settle(&store, 1, lease(2), delivered()).await, Settled::Applied);

    // Lapsed, but nobody took over: the result still counts.
    let store = open.storage();
    store.commit(&Changes::new().deliver([welcome::<C>(2)])).await.expect("a delivery");
    claim::<C>(&store, noon(), lease(3)).await;
    open.lapse_leases().await;
    assert_eq!(settle(&store, 2, lease(3), delivered()).await, Settled::Applied);
}

pub(super) async fn the_first_claim_dates_the_mail_and_later_ones_do_not<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, after(1), lease(1)).await;
    open.lapse_leases().await;
    let again = store.claim(&request::<C>(after(99), 10, lease(2))).await.expect("a claim");
    assert_eq!(again[0].delivery.first_claimed_at, Some(after(1)));
    settle(&store, 1, lease(2), Outcome::Retry { next_at: after(100), error: "450".to_owned() }).await;
    let again = store.claim(&request::<C>(after(100), 10, lease(3))).await.expect("a claim");
    assert_eq!(again[0].delivery.first_claimed_at, Some(after(1)));
}

pub(super) async fn every_outcome_leaves_its_state_and_traces<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=6).map(welcome::<C>)).await;
    claim::<C>(&store, noon(), lease(1)).await;
    let error = || "550 no".to_owned();
    let reason = || "why".to_owned();
    let outcomes = [
        delivered(),
        Outcome::Retry { next_at: after(60), error: error() },
        Outcome::Released { next_at: after(30), error: Some(error()) },
        Outcome::Discarded { error: error() },
        Outcome::Cancelled { reason: reason() },
        Outcome::Expired { reason: reason() },
    ];
    let numbered = (1..).zip(outcomes);
    let settlements: Vec<_> = numbered
        .map(|(n, outcome)| Settlement { id: delivery_id(n), lease: lease(1), at: after(7), outcome, effect: None })
        .collect();
    assert_eq!(store.settle(&settlements).await.expect("an answer"), [Settled::Applied; 6]);
    type Expected = (DeliveryState, u32, Option<&'static str>, Option<&'static str>, &'static str, u64);
    let expected: [Expected; 6] = [
        (DeliveryState::Delivered, 0, None, Some("250 2.0.0 queued"), "a case", 0),
        (DeliveryState::Scheduled, 1, Some("550 no"), None, "a case", 60),
        (DeliveryState::Scheduled, 0, Some("550 no"), None, "a case", 30),
        (DeliveryState::Discarded, 1, Some("550 no"), None, "a case", 0),
        (DeliveryState::Cancelled, 0, None, None, "why", 0),
        (DeliveryState::Expired, 0, None, None, "why", 0),
    ];
    for (n, (state, attempts, last_error, reply, reason, next)) in (1..).zip(expected) {
        let found = delivery(&store, n).await;
        let traces = (found.state, found.attempts, found.last_error.as_deref(), found.reply.as_deref());
        assert_eq!(traces, (state, attempts, last_error, reply), "{n}");
        assert_eq!((found.reason.as_str(), found.next_at, found.due_at), (reason, after(next), noon()), "{n}");
        assert_eq!(found.settled_at, (state != DeliveryState::Scheduled).then_some(after(7)), "{n}");
    }
    assert_eq!(store.settle(&[]).await.expect("an answer"), []);
}

pub(super) async fn failed_attempts_are_kept_one_by_one<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1), welcome::<C>(2)]).await;
    for (n, error) in [(1, "450 one"), (2, "451 two")] {
        claim::<C>(&store, after(100), lease(n)).await;
        let outcome = Outcome::Retry { next_at: after(n), error: error.to_owned() };
        assert_eq!(settle(&store, 1, lease(n), outcome).await, Settled::Applied);
    }
    claim::<C>(&store, after(100), lease(3)).await;
    settle(&store, 1, lease(3), Outcome::Discarded { error: "550 three".to_owned() }).await;
    let (found, failed) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((found.attempts, found.last_error.as_deref()), (3, Some("550 three")));
    let errors = [(1, "450 one"), (2, "451 two"), (3, "550 three")];
    let expected = errors.map(|(attempt, error)| FailedAttempt { attempt, at: after(7), error: error.to_owned() });
    assert_eq!(failed, expected);
    assert_eq!(store.delivery(delivery_id(2)).await.expect("a read").expect("a delivery").1, []);
}

pub(super) async fn a_released_delivery_has_used_no_attempt<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    settle(&store, 1, lease(1), Outcome::Released { next_at: noon(), error: None }).await;
    let (found, failed) = store.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((found.state, found.attempts, found.last_error, failed.len()), (DeliveryState::Scheduled, 0, None, 0));
    assert_eq!(claim::<C>(&store, noon(), lease(2)).await, [delivery_id(1)]);
}

pub(super) async fn a_settled_delivery_cannot_be_settled_again<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    assert_eq!(settle(&store, 1, lease(1), delivered()).await, Settled::Applied);
    let late = Outcome::Discarded { error: "late".to_owned() };
    assert_eq!(settle(&store, 1, lease(1), late).await, Settled::LeaseLost);
    assert_eq!(settle(&store, 9, lease(1), delivered()).await, Settled::LeaseLost);
    let found = delivery(&store, 1).await;
    assert_eq!((found.state, found.attempts), (DeliveryState::Delivered, 0));
}

pub(super) async fn cancelled_while_claimed_is_delivered_when_it_was_sent<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    store.commit(&cancel(&welcome::<C>(1).dedupe_key)).await.expect("marked");
    let marked = delivery(&store, 1).await;
    assert_eq!((marked.state, marked.cancel_requested), (DeliveryState::Claimed, true));
    assert_eq!(settle(&store, 1, lease(1), delivered()).await, Settled::Applied);
    let found = delivery(&store, 1).await;
    assert_eq!((found.state, found.cancel_requested), (DeliveryState::Delivered, false));
}

pub(super) async fn cancelled_while_claimed_is_cancelled_when_it_was_not_sent<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=4).map(welcome::<C>)).await;
    claim::<C>(&store, noon(), lease(1)).await;
    let error = || "450 later".to_owned();
    let outcomes = [
        Outcome::Retry { next_at: after(60), error: error() },
        Outcome::Released { next_at: after(60), error: None },
        Outcome::Discarded { error: error() },
        Outcome::Expired { reason: "late".to_owned() },
    ];
    for (n, outcome) in (1..).zip(outcomes) {
        store.commit(&cancel(&welcome::<C>(n).dedupe_key)).await.expect("marked");
        assert_eq!(settle(&store, n, lease(1), outcome).await, Settled::Applied);
        let found = delivery(&store, n).await;
        assert_eq!((found.state, found.cancel_requested), (DeliveryState::Cancelled, false), "{n}");
        assert_eq!((found.reason.as_str(), found.settled_at), ("changed", Some(after(7))), "{n}");
        assert_eq!(found.next_at, noon(), "{n}");
    }
}

pub(super) async fn planning_again_takes_back_a_cancel_mark<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    store.commit(&cancel(&welcome::<C>(1).dedupe_key)).await.expect("marked");
    let again = NewDelivery { reason: "moved back".to_owned(), ..welcome::<C>(1) };
    store.commit(&Changes::new().deliver([again])).await.expect("unmarked");
    let found = delivery(&store, 1).await;
    assert_eq!(
        (found.state, found.cancel_requested, found.reason.as_str()),
        (DeliveryState::Claimed, false, "moved back")
    );
    settle(&store, 1, lease(1), Outcome::Released { next_at: noon(), error: None }).await;
    assert_eq!(delivery(&store, 1).await.state, DeliveryState::Scheduled);
}

pub(super) async fn what_is_planned_again_after_the_look_that_dropped_it_is_scheduled_once_more<C: OnChannel>(
    open: Arc<dyn OpenStore>,
) {
    let store = planned(&*open, (1..=4).map(welcome::<C>)).await;
    claim::<C>(&store, noon(), lease(1)).await;
    let drop = |n| match n % 2 {
        0 => Outcome::Cancelled { reason: "declined".to_owned() },
        _ => Outcome::Expired { reason: "declined".to_owned() },
    };
    // Of the first two somebody declines, a sender looks, and they accept after all.
    for n in [1, 2] {
        store.commit(&cancel(&welcome::<C>(n).dedupe_key)).await.expect("marked");
        let again = NewDelivery { planned_at: after(1), reason: "accepted".to_owned(), ..welcome::<C>(n) };
        store.commit(&Changes::new().deliver([again])).await.expect("unmarked");
    }
    let looked = |n| Settlement { id: delivery_id(n), lease: lease(1), at: noon(), outcome: drop(n), effect: None };
    let looks: Vec<_> = (1..=4).map(looked).collect();
    assert_eq!(store.settle(&looks).await.expect("settled"), [Settled::Applied; 4]);
    for n in [1, 2] {
        let found = delivery(&store, n).await;
        assert_eq!((found.state, found.settled_at), (DeliveryState::Scheduled, None));
        assert_eq!((found.reason.as_str(), found.planned_at), ("accepted", after(1)));
    }
    assert_eq!(delivery(&store, 3).await.state, DeliveryState::Expired);
    assert_eq!(delivery(&store, 4).await.state, DeliveryState::Cancelled);
}

pub(super) async fn cancelling_what_is_done_or_unknown_changes_nothing<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(1)]).await;
    claim::<C>(&store, noon(), lease(1)).await;
    settle(&store, 1, lease(1), delivered()).await;
    let before = delivery(&store, 1).await;
    store.commit(&cancel(&welcome::<C>(1).dedupe_key)).await.expect("no error");
    store.commit(&cancel(&DedupeKey::new("unknown"))).await.expect("no error");
    assert_eq!(delivery(&store, 1).await, before);
}

pub(super) async fn renewed_claims_hold_and_lost_ones_are_not_renewed<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=3).map(welcome::<C>)).await;
    claim::<C>(&store, noon(), lease(1)).await;
    settle(&store, 3, lease(1), delivered()).await;
    open.lapse_leases().await;
    let held = [
        (delivery_id(1), lease(1)),
        (delivery_id(2), lease(2)),
        (delivery_id(3), lease(1)),
        (delivery_id(9), lease(1)),
    ];
    assert_eq!(store.renew(&held, LEASE).await.expect("an answer"), [delivery_id(1)]);
    assert_eq!(claim::<C>(&store, noon(), lease(4)).await, [delivery_id(2)]);
    assert_eq!(store.renew(&[], LEASE).await.expect("an answer"), []);
}

pub(super) async fn the_backlog_tells_the_oldest_due_and_the_next_try<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let backlog = store.backlog(C::KIND, noon()).await.expect("a read");
    assert_eq!((backlog.oldest_due_at, backlog.next_at), (None, None));
    let store = planned(&*open, [task_due::<C>(1, after(5)), task_due::<C>(2, after(9)), welcome::<C>(3)]).await;
    let backlog = store.backlog(C::KIND, after(6)).await.expect("a read");
    assert_eq!((backlog.oldest_due_at, backlog.next_at), (Some(noon()), Some(noon())));
    claim::<C>(&store, noon(), lease(1)).await;
    let backlog = store.backlog(C::KIND, after(4)).await.expect("a read");
    assert_eq!((backlog.oldest_due_at, backlog.next_at), (None, Some(after(5))));
    let retry = Outcome::Retry { next_at: after(2), error: "450".to_owned() };
    settle(&store, 3, lease(1), retry).await;
    let backlog = store.backlog(C::KIND, after(4)).await.expect("a read");
    assert_eq!((backlog.oldest_due_at, backlog.next_at), (Some(noon()), Some(after(2))));
}

pub(super) async fn what_could_not_be_sent_is_late_while_it_waits_for_its_next_try<C: OnChannel>(
    open: Arc<dyn OpenStore>,
) {
    let store = planned(&*open, [welcome::<C>(1), welcome::<C>(2), task_due::<C>(3, after(1))]).await;
    let oldest = async |now| store.backlog(C::KIND, now).await.expect("a read").oldest_due_at;
    claim::<C>(&store, after(1), lease(1)).await;
    assert_eq!(oldest(after(5)).await, None, "it is on its way");
    let later = after(60);
    settle(&store, 2, lease(1), Outcome::Released { next_at: later, error: None }).await;
    assert_eq!(oldest(after(5)).await, None, "its reader sleeps");
    let away = || Outcome::Released { next_at: later, error: Some("connection refused".to_owned()) };
    settle(&store, 3, lease(1), away()).await;
    assert_eq!(oldest(after(5)).await, Some(after(1)));
    settle(&store, 1, lease(1), Outcome::Retry { next_at: later, error: "450".to_owned() }).await;
    assert_eq!(oldest(after(5)).await, Some(noon()));
    assert_eq!(oldest(noon() - Duration::from_micros(1)).await, None, "nothing is late before it is due");
    assert_eq!(oldest(later).await, Some(noon()), "what could not be sent waits since it was due");
    assert_eq!(claim::<C>(&store, later, lease(2)).await.len(), 3);
    assert_eq!(oldest(later).await, None);
    for n in 1..=3 {
        settle(&store, n, lease(2), delivered()).await;
    }
    assert_eq!(oldest(later).await, None);
}

pub(super) async fn what_is_held_forgets_what_kept_it_and_is_late_from_the_end_of_the_hold<C: OnChannel>(
    open: Arc<dyn OpenStore>,
) {
    let store = planned(&*open, (1..=2).map(welcome::<C>)).await;
    let oldest = async |now| store.backlog(C::KIND, now).await.expect("a read").oldest_due_at;
    claim::<C>(&store, noon(), lease(1)).await;
    for n in 1..=2 {
        settle(&store, n, lease(1), Outcome::Retry { next_at: after(5), error: "450".to_owned() }).await;
    }
    claim::<C>(&store, after(5), lease(2)).await;
    let cancel = DeliveryWrite::Cancel { key: welcome::<C>(2).dedupe_key, reason: "no".to_owned(), at: after(5) };
    store.commit(&Changes::new().write(cancel)).await.expect("marked");
    for n in 1..=2 {
        settle(&store, n, lease(2), Outcome::Held { until: after(600) }).await;
    }
    let held = delivery(&store, 1).await;
    assert_eq!((held.state, held.attempts, held.last_error), (DeliveryState::Scheduled, 1, None));
    assert_eq!((held.due_at, held.next_at), (noon(), after(600)));
    assert_eq!(oldest(after(599)).await, None);
    assert_eq!(oldest(after(601)).await, Some(after(600)));
    let cancelled = delivery(&store, 2).await;
    assert_eq!((cancelled.state, cancelled.last_error.as_deref()), (DeliveryState::Cancelled, Some("450")));
}

pub(super) async fn only_what_is_scheduled_is_rescheduled<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=3).map(welcome::<C>)).await;
    let reschedule =
        |n| DeliveryWrite::Reschedule { key: welcome::<C>(n).dedupe_key, due_at: after(10), next_at: after(20) };
    let all = (1..=4).map(reschedule).fold(Changes::new(), Changes::write);
    claim::<C>(&store, noon(), lease(1)).await;
    settle(&store, 1, lease(1), delivered()).await;
    settle(&store, 3, lease(1), Outcome::Released { next_at: after(99), error: None }).await;
    store.commit(&all).await.expect("rescheduled");
    let times = async |n| {
        let found = delivery(&store, n).await;
        (found.due_at, found.next_at)
    };
    assert_eq!(times(1).await, (noon(), noon()));
    assert_eq!(times(2).await, (noon(), noon()));
    assert_eq!(times(3).await, (after(10), after(20)));
    assert_eq!(claim::<C>(&store, after(19), lease(2)).await.len(), 0);
    assert_eq!(claim::<C>(&store, after(20), lease(2)).await.len(), 1);
}

pub(super) async fn the_ledger_counts_every_state_and_balances<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, (1..=6).map(welcome::<C>)).await;
    claim::<C>(&store, noon(), lease(1)).await;
    let reason = || "why".to_owned();
    settle(&store, 1, lease(1), delivered()).await;
    settle(&store, 2, lease(1), Outcome::Discarded { error: reason() }).await;
    settle(&store, 3, lease(1), Outcome::Cancelled { reason: reason() }).await;
    settle(&store, 4, lease(1), Outcome::Expired { reason: reason() }).await;
    settle(&store, 5, lease(1), Outcome::Released { next_at: noon(), error: None }).await;
    let ledger = store.ledger().await.expect("a read");
    let expected = Ledger { planned: 6, delivered: 1, cancelled: 1, expired: 1, discarded: 1, due: 2 };
    assert_eq!(ledger, expected);
    assert!(ledger.balances());
}

pub(super) async fn deliveries_are_listed_by_id_page_by_page<C: OnChannel>(open: Arc<dyn OpenStore>) {
    let store = planned(&*open, [welcome::<C>(2), welcome::<C>(1), welcome::<C>(3)]).await;
    let ids = |deliveries: Vec<Delivery>| deliveries.iter().map(|delivery| delivery.id).collect::<Vec<_>>();
    assert_eq!(ids(store.deliveries_after(None, 2).await.expect("a page")), [delivery_id(1), delivery_id(2)]);
    assert_eq!(ids(store.deliveries_after(Some(delivery_id(2)), 2).await.expect("a page")), [delivery_id(3)]);
    let full = delivery(&store, 1).await;
    assert_eq!(full.notice, Ok(welcome::<C>(1).notice));
    assert_eq!((full.recipient, full.planned_at), (welcome::<C>(1).recipient, noon()));
}
