//! The ledger for who runs the service: found by what is asked, tried again, and cancelled.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Asked, ClaimRequest, DeliveryQuery, MailError, Reply, Storage};
use taskflow_core::{
    Actor, Changes, ChannelKind, CustomEmail, DedupeKey, Delivery, DeliveryId, DeliveryState, DeliveryWrite,
    EmailAddress, Error, LedgerQuery, NewCustomEmail, NewDelivery, NewTask, NoticeKind, Outcome, Recipient, Settlement,
    StoreError, TaskQuery, Timestamp,
};

use super::app::{World, due_at_two};
use super::reminders::NOBODY;
use crate::OpenStore;
use crate::sample::{delivery_id, lease, new_user, noon, task_due, user_id, users, welcome};

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

fn later() -> Timestamp {
    noon() + Duration::from_hours(1)
}

/// A welcome to an address as it is.
fn welcome_at(n: u64, email: &str) -> NewDelivery {
    let dedupe_key = DedupeKey::new(format!("welcome-at/{n}"));
    NewDelivery { dedupe_key, recipient: Recipient::Address(address(email)), ..welcome(n) }
}

/// 1 to 3: welcomes to the users of these numbers; 4: user 1 is reminded of a task; 5 and 6: welcomes to one address.
async fn six(open: &dyn OpenStore) -> Arc<dyn Storage> {
    let store = open.storage();
    let reminder = NewDelivery { recipient: Recipient::User(user_id(1)), ..task_due(4, later()) };
    let to_address = [welcome_at(5, "Eve@example.org"), welcome_at(6, "eve@EXAMPLE.org")];
    let all = (1..=3).map(welcome).chain([reminder]).chain(to_address);
    store.commit(&users(1..=3).deliver(all)).await.expect("deliveries");
    store
}

async fn found(store: &Arc<dyn Storage>, query: DeliveryQuery, before: Option<u64>, size: u32) -> Vec<DeliveryId> {
    let found = store.deliveries(&query, before.map(delivery_id), size).await.expect("a page");
    found.iter().map(|delivery| delivery.id).collect()
}

fn ids(numbers: &[u64]) -> Vec<DeliveryId> {
    numbers.iter().map(|n| delivery_id(*n)).collect()
}

async fn delivery(store: &Arc<dyn Storage>, n: u64) -> Delivery {
    store.delivery(delivery_id(n)).await.expect("a read").expect("a delivery").0
}

async fn claim(store: &Arc<dyn Storage>) {
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 100,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_secs(600),
    };
    store.claim(&request).await.expect("a claim");
}

async fn settle(store: &Arc<dyn Storage>, n: u64, outcome: Outcome) {
    let settlement = Settlement { id: delivery_id(n), lease: lease(1), at: noon(), outcome, effect: None };
    store.settle(&[settlement]).await.expect("settled");
}

fn retry(n: u64, at: Timestamp) -> Changes {
    Changes::new().write(DeliveryWrite::Retry { id: delivery_id(n), at })
}

pub(super) async fn deliveries_are_found_by_kinds_and_states_newest_first(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    let kinds = |kinds: &[NoticeKind]| DeliveryQuery { kinds: kinds.to_vec(), ..DeliveryQuery::default() };
    assert_eq!(found(&store, kinds(&[]), None, 9).await, ids(&[6, 5, 4, 3, 2, 1]));
    assert_eq!(found(&store, kinds(&[]), Some(5), 2).await, ids(&[4, 3]));
    assert_eq!(found(&store, kinds(&[NoticeKind::TaskDue]), None, 9).await, ids(&[4]));
    assert_eq!(found(&store, kinds(&[NoticeKind::Welcome]), Some(6), 3).await, ids(&[5, 3, 2]));
    let either = kinds(&[NoticeKind::TaskDue, NoticeKind::Welcome, NoticeKind::Welcome]);
    assert_eq!(found(&store, either, Some(6), 3).await, ids(&[5, 4, 3]));
    let rare = kinds(&[NoticeKind::Letter, NoticeKind::Welcome]);
    assert_eq!(found(&store, rare, None, 9).await, ids(&[6, 5, 3, 2, 1]));
    assert_eq!(found(&store, kinds(&[NoticeKind::Letter]), None, 9).await, []);
    claim(&store).await;
    settle(&store, 2, Outcome::Delivered { reply: "250".to_owned() }).await;
    settle(&store, 3, Outcome::Expired { reason: "late".to_owned() }).await;
    settle(&store, 5, Outcome::Discarded { error: "550".to_owned() }).await;
    let states = |states: &[DeliveryState]| DeliveryQuery { states: states.to_vec(), ..DeliveryQuery::default() };
    assert_eq!(found(&store, states(&[DeliveryState::Delivered]), None, 9).await, ids(&[2]));
    assert_eq!(found(&store, states(&[DeliveryState::Claimed]), None, 9).await, ids(&[6, 1]));
    assert_eq!(found(&store, states(&[DeliveryState::Scheduled]), Some(5), 9).await, ids(&[4]));
    let open_or_not = states(&[DeliveryState::Scheduled, DeliveryState::Claimed, DeliveryState::Expired]);
    assert_eq!(found(&store, open_or_not, None, 3).await, ids(&[6, 4, 3]));
    let ended = states(&[DeliveryState::Discarded, DeliveryState::Expired, DeliveryState::Delivered]);
    assert_eq!(found(&store, ended, None, 9).await, ids(&[5, 3, 2]));
    let given_up = states(&[DeliveryState::Discarded, DeliveryState::Expired, DeliveryState::Expired]);
    assert_eq!(found(&store, given_up.clone(), None, 1).await, ids(&[5]));
    assert_eq!(found(&store, given_up, Some(5), 9).await, ids(&[3]));
    let both = DeliveryQuery { kinds: vec![NoticeKind::Welcome], ..states(&[DeliveryState::Expired]) };
    assert_eq!(found(&store, both, None, 9).await, ids(&[3]));
}

pub(super) async fn deliveries_are_found_from_an_id_on(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    let from = |n| DeliveryQuery { from: Some(delivery_id(n)), ..DeliveryQuery::default() };
    assert_eq!(found(&store, from(4), None, 9).await, ids(&[6, 5, 4]));
    assert_eq!(found(&store, from(3), Some(5), 9).await, ids(&[4, 3]));
    let welcomes = DeliveryQuery { kinds: vec![NoticeKind::Welcome], ..from(3) };
    assert_eq!(found(&store, welcomes, None, 9).await, ids(&[6, 5, 3]));
    let scheduled = DeliveryQuery { states: vec![DeliveryState::Scheduled], ..from(5) };
    assert_eq!(found(&store, scheduled, None, 9).await, ids(&[6, 5]));
    let hers = DeliveryQuery { recipients: Some(vec![Recipient::User(user_id(1))]), ..from(2) };
    assert_eq!(found(&store, hers, None, 9).await, ids(&[4]));
}

pub(super) async fn deliveries_are_counted_by_state_up_to_a_limit(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    let count = async |query: &DeliveryQuery, most| {
        let counts = store.delivery_counts(query, most).await.expect("counts");
        DeliveryState::ALL.map(|state| counts.get(&state).copied().unwrap_or(0))
    };
    let all = DeliveryQuery::default();
    assert_eq!(count(&all, 100).await, [6, 0, 0, 0, 0, 0]);
    claim(&store).await;
    settle(&store, 1, Outcome::Delivered { reply: "250".to_owned() }).await;
    settle(&store, 2, Outcome::Discarded { error: "550".to_owned() }).await;
    settle(&store, 3, Outcome::Expired { reason: "late".to_owned() }).await;
    // Scheduled, claimed, delivered, discarded, cancelled, expired.
    assert_eq!(count(&all, 100).await, [1, 2, 1, 1, 0, 1]);
    assert_eq!(count(&all, 1).await, [1, 1, 1, 1, 0, 1]);
    let welcomes = DeliveryQuery { kinds: vec![NoticeKind::Welcome], ..DeliveryQuery::default() };
    assert_eq!(count(&welcomes, 100).await, [0, 2, 1, 1, 0, 1]);
    let late = DeliveryQuery { from: Some(delivery_id(3)), ..DeliveryQuery::default() };
    assert_eq!(count(&late, 100).await, [1, 2, 0, 0, 0, 1]);
    let to = vec![Recipient::User(user_id(1)), Recipient::Address(address("EVE@example.org"))];
    let to_them = DeliveryQuery { recipients: Some(to), ..DeliveryQuery::default() };
    assert_eq!(count(&to_them, 100).await, [1, 2, 1, 0, 0, 0]);
    let ended = DeliveryQuery { states: vec![DeliveryState::Discarded], ..DeliveryQuery::default() };
    assert_eq!(count(&ended, 100).await, [0, 0, 0, 1, 0, 0]);
}

pub(super) async fn deliveries_are_found_by_their_recipients_in_any_case(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    let to =
        |recipients: &[Recipient]| DeliveryQuery { recipients: Some(recipients.to_vec()), ..DeliveryQuery::default() };
    let (one, eve) = (Recipient::User(user_id(1)), Recipient::Address(address("EVE@example.org")));
    assert_eq!(found(&store, to(std::slice::from_ref(&one)), None, 9).await, ids(&[4, 1]));
    assert_eq!(found(&store, to(std::slice::from_ref(&eve)), None, 9).await, ids(&[6, 5]));
    let all = to(&[eve.clone(), one.clone(), Recipient::User(user_id(2)), Recipient::User(user_id(9))]);
    assert_eq!(found(&store, all.clone(), None, 9).await, ids(&[6, 5, 4, 2, 1]));
    assert_eq!(found(&store, all.clone(), None, 2).await, ids(&[6, 5]));
    assert_eq!(found(&store, all.clone(), Some(5), 2).await, ids(&[4, 2]));
    let welcomes = DeliveryQuery { kinds: vec![NoticeKind::Welcome], ..all.clone() };
    assert_eq!(found(&store, welcomes, Some(5), 2).await, ids(&[2, 1]));
    let claimed = DeliveryQuery { states: vec![DeliveryState::Claimed], ..all };
    assert_eq!(found(&store, claimed, None, 9).await, []);
    let twice = to(&[eve.clone(), Recipient::Address(address("eve@example.org")), one.clone(), one]);
    assert_eq!(found(&store, twice, None, 9).await, ids(&[6, 5, 4, 1]));
    assert_eq!(found(&store, to(&[Recipient::Address(address("nobody@example.org"))]), None, 9).await, []);
    assert_eq!(found(&store, to(&[]), None, 9).await, []);
    let full = store.deliveries(&to(&[eve]), None, 1).await.expect("a page");
    assert_eq!(full, [delivery(&store, 6).await]);
}

pub(super) async fn the_ledger_names_recipients_and_subjects_and_is_searched_by_them(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.app.accounts().register(new_user("ada"), None).await.expect("an account").id;
    let bob = world.app.accounts().register(new_user("bob"), None).await.expect("an account").id;
    let title = "Café review".parse().expect("a title");
    world.app.tasks().create(Actor::User(ada), NewTask { title, ..due_at_two() }).await.expect("a task");
    let letter = CustomEmail {
        subject: "News of the week".to_owned(),
        text: Some("x".to_owned()),
        html: None,
        to: Vec::new(),
        cc: Vec::new(),
        reply_to: None,
    };
    let eve = address("eve@example.org");
    let letter = NewCustomEmail { letter, addresses: vec![eve.clone()] };
    world.app.mail().send(Actor::System, letter).await.expect("a letter");

    let ledger = async |query: &LedgerQuery, before, size| {
        world.app.deliveries().page(Actor::System, query, before, size).await.expect("a page")
    };
    let whole = ledger(&LedgerQuery::default(), None, 9).await;
    let shown: Vec<_> = whole.rows.iter().map(|row| (row.name.as_deref(), row.subject.as_deref())).collect();
    assert_eq!(
        shown,
        [
            (None, Some("News of the week")),
            (Some("ada"), Some("Café review")),
            (Some("bob"), None),
            (Some("ada"), None)
        ]
    );
    assert_eq!(whole.next, None);
    assert_eq!(whole.rows[0].email, Some(eve.clone()));
    assert_eq!(whole.rows[1].email, Some(new_user("ada").email));
    let first = ledger(&LedgerQuery::default(), None, 3).await;
    assert_eq!((first.rows.len(), first.next), (3, Some(whole.rows[2].delivery.id)));
    let second = ledger(&LedgerQuery::default(), first.next, 3).await;
    assert_eq!((second.rows.as_slice(), second.next), (&whole.rows[3..], None));

    let about = |text: &str| LedgerQuery { words: TaskQuery::words(text), ..LedgerQuery::default() };
    for (text, rows) in
        [("cafe", vec![1]), ("REVIEW ada", vec![1]), ("week", vec![0]), ("bob", vec![2]), ("ada", vec![1, 3])]
    {
        let found = ledger(&about(text), None, 9).await;
        let expected: Vec<_> = rows.into_iter().map(|n: usize| whole.rows[n].clone()).collect();
        assert_eq!((found.rows, found.next), (expected, None), "{text}");
    }
    assert_eq!(ledger(&about("eve@example.org"), None, 9).await.rows, whole.rows[..1]);
    assert_eq!(ledger(&about("nobody@example.org"), None, 9).await.rows, []);
    let one = ledger(&about("example.org"), None, 1).await;
    assert_eq!((one.rows.len(), one.next), (1, Some(whole.rows[0].delivery.id)));

    let since = |at| LedgerQuery { since: Some(at), ..LedgerQuery::default() };
    assert_eq!(ledger(&since(noon()), None, 9).await.rows.len(), 4);
    assert_eq!(ledger(&since(later()), None, 9).await.rows, []);
    let counts = world.app.deliveries().counts(Actor::System, &since(noon())).await.expect("counts");
    assert_eq!((counts.get(&DeliveryState::Scheduled), counts.len()), (Some(&4), 1));
    let refused = world.app.deliveries().page(Actor::User(bob), &LedgerQuery::default(), None, 9).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
}

pub(super) async fn what_was_given_up_begins_again_when_it_is_tried_again(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    claim(&store).await;
    settle(&store, 1, Outcome::Discarded { error: "550 no".to_owned() }).await;
    settle(&store, 2, Outcome::Cancelled { reason: "gone".to_owned() }).await;
    settle(&store, 3, Outcome::Expired { reason: "late".to_owned() }).await;
    for n in 1..=3 {
        let before = delivery(&store, n).await;
        store.commit(&retry(n, later())).await.expect("taken up again");
        let (after, failed) = store.delivery(delivery_id(n)).await.expect("a read").expect("a delivery");
        let expected = Delivery {
            state: DeliveryState::Scheduled,
            next_at: later(),
            attempts: 0,
            first_claimed_at: None,
            settled_at: None,
            ..before
        };
        assert_eq!((after, failed), (expected, Vec::new()), "{n}");
    }
    let backlog = store.backlog(ChannelKind::MAIL, noon()).await.expect("a read");
    assert_eq!((backlog.oldest_due_at, backlog.next_at), (None, Some(later())));
    let balance = store.ledger().await.expect("a ledger");
    assert_eq!((balance.planned, balance.due, balance.balances()), (6, 6, true));
}

pub(super) async fn only_what_was_given_up_is_tried_again(open: Arc<dyn OpenStore>) {
    let store = six(&*open).await;
    claim(&store).await;
    settle(&store, 2, Outcome::Delivered { reply: "250".to_owned() }).await;
    settle(&store, 3, Outcome::Expired { reason: "late".to_owned() }).await;
    // Claimed, delivered, scheduled, unknown.
    for n in [1, 2, 4, 9] {
        let changes = retry(3, later()).and(retry(n, later()));
        let error = store.commit(&changes).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 1 }), "{n}: {error:?}");
    }
    assert_eq!(delivery(&store, 3).await.state, DeliveryState::Expired, "all or nothing");
    let (first, second) = (retry(3, later()), retry(3, later()));
    let (first, second) = futures_util::future::join(store.commit(&first), store.commit(&second)).await;
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

pub(super) async fn who_runs_the_service_tries_again_and_cancels(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.app.accounts().register(new_user("ada"), None).await.expect("an account").id;
    world.app.tasks().create(Actor::User(ada), due_at_two()).await.expect("a task");
    world.mailer.fail_next(MailError::Permanent(Reply::new(Asked::Content, 554, "5.6.0 malformed")));
    assert_eq!(world.told().await, NOBODY);

    let (app, email) = (&world.app, address("ADA@example.org"));
    let to_ada = async |state: Option<DeliveryState>| {
        let states = state.into_iter().collect();
        let query = LedgerQuery { states, recipient: Some(email.clone()), ..LedgerQuery::default() };
        let page = app.deliveries().page(Actor::System, &query, None, 9).await.expect("a page");
        page.rows.into_iter().map(|row| row.delivery).collect::<Vec<_>>()
    };
    assert_eq!(to_ada(None).await.len(), 2);
    let refused = to_ada(Some(DeliveryState::Discarded)).await.remove(0).id;
    let (full, failed) = app.deliveries().get(Actor::System, refused).await.expect("a delivery");
    assert_eq!((full.attempts, failed.len(), failed[0].error.as_str()), (1, 1, "554 5.6.0 malformed"));
    assert_eq!(app.deliveries().retry(Actor::System, refused).await.expect("again").state, DeliveryState::Scheduled);
    assert_eq!(world.told().await, ["ada: Welcome to TaskFlow"]);
    let done = app.deliveries().retry(Actor::System, refused).await;
    assert!(matches!(&done, Err(Error::Invalid(fields)) if fields[0].field == "state"), "{done:?}");
    let done = app.deliveries().cancel(Actor::System, refused).await;
    assert!(matches!(&done, Err(Error::Invalid(fields)) if fields[0].field == "state"), "{done:?}");

    let planned = to_ada(Some(DeliveryState::Scheduled)).await.remove(0).id;
    let cancelled = app.deliveries().cancel(Actor::System, planned).await.expect("cancelled");
    assert_eq!((cancelled.state, cancelled.settled_at), (DeliveryState::Cancelled, Some(noon())));
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    app.deliveries().retry(Actor::System, planned).await.expect("on second thoughts");
    assert_eq!(world.told().await, ["ada: Due soon"]);

    let unknown = DeliveryId::from_uuid(uuid::Uuid::nil());
    let nobody = Actor::User(ada);
    for refused in [
        app.deliveries().get(Actor::System, unknown).await.map(drop),
        app.deliveries().retry(Actor::System, unknown).await.map(drop),
        app.deliveries().cancel(Actor::System, unknown).await.map(drop),
        app.deliveries().page(nobody, &LedgerQuery::default(), None, 9).await.map(drop),
        app.deliveries().counts(nobody, &LedgerQuery::default()).await.map(drop),
        app.deliveries().retry(nobody, planned).await.map(drop),
        app.deliveries().cancel(nobody, planned).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
}
