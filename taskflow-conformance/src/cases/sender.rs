//! Behaviour of the sender towards the relay and the store.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{Accepted, Asked, ClaimRequest, MailError, Mailer, Reply};
use taskflow_core::{
    App, Changes, ChannelKind, DeliveryState, Mail, NewDelivery, NoticeKind, Recipient, RetrySchedule, Sending,
};

use super::app::World;
use super::watched::Watched;
use crate::sample::{delivery_id, lease, new_user, noon, users, welcome};
use crate::{ManualClock, OpenStore};

fn refusal(code: u16) -> Reply {
    Reply::new(Asked::Recipient, code, if code < 500 { "no" } else { "5.1.1 no such user" })
}

pub(super) async fn a_refusal_for_now_is_tried_again_on_schedule_and_then_given_up(open: Arc<dyn OpenStore>) {
    let retry = RetrySchedule::new(vec![Duration::from_secs(60)], 2);
    let world = World::sending(&*open, Sending { retry, ..Sending::default() });
    world.storage.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    for _ in 0..3 {
        world.mailer.fail_next(MailError::Transient(refusal(450)));
        world.deliver().await;
        // Nothing more happens before the wait is over.
        assert_eq!(world.app.outbox().deliver_due().await.expect("a step").claimed, 0);
        world.clock.advance(Duration::from_secs(72));
    }
    let (found, failed) = world.storage.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((found.state, found.attempts, failed.len()), (DeliveryState::Discarded, 3, 3));
    assert_eq!(found.last_error.as_deref(), Some("450 no (no retries left)"));
    assert_eq!(found.due_at, noon());
}

pub(super) async fn a_refusal_for_good_is_given_up_at_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users([1, 2]).deliver([welcome(1), welcome(2)])).await.expect("deliveries");
    world.mailer.fail_next(MailError::Permanent(refusal(550)));
    let report = world.app.outbox().deliver_due().await.expect("a step");
    assert_eq!((report.claimed, report.delivered, report.discarded), (2, 1, 1));
    assert!(world.app.deliveries().ledger().await.expect("a ledger").balances());
}

pub(super) async fn a_relay_that_is_away_costs_no_attempt(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let deliveries = (1..=100).map(welcome);
    world.storage.commit(&users(1..=100).deliver(deliveries)).await.expect("deliveries");
    for _ in 0..20 {
        (0..32).for_each(|_| world.mailer.fail_next(MailError::Unavailable("connection refused".to_owned())));
        let report = world.app.outbox().deliver_due().await.expect("a step");
        assert_eq!(report.relay.as_deref(), Some("connection refused"));
        assert_eq!(report.released, report.claimed);
        let trouble = world.app.outbox().relay_trouble().expect("it is known");
        assert_eq!((trouble.since, trouble.cause.as_str()), (noon(), "connection refused"));
        world.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(world.mailer.take(), []);
    world.deliver().await;
    assert_eq!(world.app.outbox().relay_trouble(), None);
    assert_eq!(world.mailer.take().len(), 100);
    let all = world.storage.deliveries_after(None, 200).await.expect("a list");
    assert!(all.iter().all(|delivery| delivery.attempts == 0 && delivery.state == DeliveryState::Delivered));
}

/// Answers of a relay about itself, our account or our standing.
const ABOUT_US: [(Asked, u16, &str); 10] = [
    (Asked::Sender, 550, "5.7.1 sender address rejected: not owned by user"),
    (Asked::Sender, 452, "4.2.2 the sender is over quota"),
    (Asked::Sender, 451, "4.3.0 temporary failure"),
    (Asked::Recipient, 451, "4.7.1 greylisted, try again in five minutes"),
    (Asked::Recipient, 550, "5.4.5 daily sending quota exceeded"),
    (Asked::Recipient, 554, "5.7.1 service unavailable; client host blocked"),
    (Asked::Recipient, 550, "5.7.1 administrative prohibition"),
    (Asked::Recipient, 554, "no"),
    (Asked::Content, 554, "5.7.26 unauthenticated mail is not accepted"),
    (Asked::Content, 452, "4.3.1 insufficient system storage"),
];

pub(super) async fn what_a_relay_says_about_itself_for_an_hour_costs_no_mail_and_no_attempt(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users(1..=40).deliver((1..=40).map(welcome))).await.expect("deliveries");
    for (asked, code, text) in ABOUT_US {
        let reply = Reply::new(asked, code, text);
        let error = if code < 500 { MailError::Transient(reply) } else { MailError::Permanent(reply) };
        world.mailer.fail_always(Some(error));
        // Ten seconds, and then an hour.
        for wait in std::iter::repeat_n(1, 10).chain(std::iter::repeat_n(360, 10)) {
            let report = world.app.outbox().deliver_due().await.expect("a step");
            assert_eq!((report.delivered, report.retried, report.discarded, report.expired), (0, 0, 0, 0), "{text}");
            world.clock.advance(Duration::from_secs(wait));
        }
        assert!(world.app.outbox().relay_trouble().is_some(), "{text}");
    }
    world.mailer.fail_always(None);
    world.clock.advance(Duration::from_secs(600));
    world.deliver().await;
    assert_eq!(world.mailer.take().len(), 40);
    let all = world.storage.deliveries_after(None, 200).await.expect("a list");
    assert!(all.iter().all(|delivery| delivery.attempts == 0 && delivery.state == DeliveryState::Delivered));
}

pub(super) async fn what_a_broken_directory_says_of_everybody_costs_two_mails_at_most(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users(1..=40).deliver((1..=40).map(welcome))).await.expect("deliveries");
    world.mailer.fail_always(Some(MailError::Permanent(refusal(550))));
    for wait in std::iter::repeat_n(1, 10).chain(std::iter::repeat_n(360, 10)) {
        world.deliver().await;
        world.clock.advance(Duration::from_secs(wait));
    }
    world.mailer.fail_always(None);
    world.clock.advance(Duration::from_secs(600));
    world.deliver().await;
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.delivered, ledger.discarded, ledger.balances()), (38, 2, true), "{ledger:?}");
}

pub(super) async fn attempts_whose_result_is_not_known_do_not_count_against_a_mail(open: Arc<dyn OpenStore>) {
    let retry = RetrySchedule::new(vec![Duration::from_secs(60)], 2);
    let world = World::sending(&*open, Sending { retry, ..Sending::default() });
    world.storage.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    let delivery = async || world.storage.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    for n in 1..=5 {
        world.mailer.fail_next(MailError::Transient(Reply::none("no answer within 30 s")));
        world.deliver().await;
        world.clock.advance(Duration::from_secs(600));
        let (found, failed) = delivery().await;
        assert_eq!((found.state, found.attempts, failed.len()), (DeliveryState::Scheduled, n, n as usize));
        assert_eq!(failed[0].error, "no answer within 30 s (in doubt)");
    }
    for n in 6..=8 {
        world.mailer.fail_next(MailError::Transient(refusal(450)));
        world.deliver().await;
        let (found, _) = delivery().await;
        let expected = if n < 8 { DeliveryState::Scheduled } else { DeliveryState::Discarded };
        assert_eq!((found.state, found.attempts), (expected, n), "two retries follow the first refusal");
        assert!(n == 8 || found.next_at <= world.clock_now() + Duration::from_secs(72), "{found:?}");
        world.clock.advance(Duration::from_secs(72));
    }
    // One of which nobody ever knows ends all the same, before it fills a mailbox.
    world.storage.commit(&users([2]).deliver([welcome(2)])).await.expect("a delivery");
    world.mailer.fail_always(Some(MailError::Transient(Reply::none("no answer within 30 s"))));
    for _ in 0..9 {
        world.deliver().await;
        world.clock.advance(Duration::from_hours(24));
    }
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.discarded, ledger.expired, ledger.due), (1, 1, 0), "{ledger:?}");
}

pub(super) async fn a_refusal_that_is_unclear_ends_a_mail_only_while_the_relay_takes_others(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users([1, 2]).deliver([welcome(1), welcome(2)])).await.expect("deliveries");
    let unclear = || MailError::Permanent(Reply::new(Asked::Recipient, 550, "5.7.1 not from you"));
    world.mailer.fail_next(unclear());
    let report = world.app.outbox().deliver_due().await.expect("a step");
    assert_eq!((report.delivered, report.released, report.discarded), (1, 1, 0));
    world.clock.advance(Duration::from_secs(60));
    world.mailer.fail_next(unclear());
    let report = world.app.outbox().deliver_due().await.expect("a step");
    assert_eq!((report.delivered, report.released, report.discarded), (0, 0, 1));
}

pub(super) async fn a_large_backlog_is_sent_once_each(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users(1..=700).deliver((1..=700).map(welcome))).await.expect("deliveries");
    let report = world.app.outbox().deliver_due().await.expect("a step");
    assert_eq!((report.claimed, report.delivered, report.lease_lost), (700, 700, 0));
    let mails = world.mailer.take();
    assert_eq!(mails.iter().map(|mail| mail.id).collect::<BTreeSet<_>>().len(), 700);
    assert_eq!(mails.len(), 700);
}

pub(super) async fn two_senders_share_the_work_and_double_nothing(open: Arc<dyn OpenStore>) {
    let (one, two) = (World::new(&*open), World::new(&*open));
    one.storage.commit(&users(1..=300).deliver((1..=300).map(welcome))).await.expect("deliveries");
    let (first, second) =
        futures_util::future::join(one.app.outbox().deliver_due(), two.app.outbox().deliver_due()).await;
    assert_eq!(first.expect("a step").delivered + second.expect("a step").delivered, 300);
    let mails = one.mailer.take().into_iter().chain(two.mailer.take());
    assert_eq!(mails.map(|mail| mail.id).collect::<BTreeSet<_>>().len(), 300);
}

pub(super) async fn a_draining_sender_gives_back_what_it_holds(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    world.app.outbox().drain();
    let report = world.app.outbox().deliver_due().await.expect("a step");
    assert_eq!(report.delivered, 0);
    let (found, _) = world.storage.delivery(delivery_id(1)).await.expect("a read").expect("a delivery");
    assert_eq!((found.state, found.attempts), (DeliveryState::Scheduled, 0));
}

pub(super) async fn a_mail_in_doubt_is_repeated_byte_for_byte(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users([1]).deliver([welcome(1)])).await.expect("a delivery");
    let request = ClaimRequest {
        channel: ChannelKind::MAIL,
        kinds: NoticeKind::ALL.to_vec(),
        limit: 1,
        now: noon(),
        lease: lease(1),
        lease_for: Duration::from_secs(60),
    };
    // A sender that died after the relay took the mail and before it could say so.
    assert_eq!(world.storage.claim(&request).await.expect("a claim").len(), 1);
    for _ in 0..2 {
        open.lapse_leases().await;
        world.clock.advance(Duration::from_secs(61));
        world.mailer.fail_next(MailError::Transient(Reply::none("no answer")));
        world.deliver().await;
    }
    world.clock.advance(Duration::from_secs(600));
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].id, mails[0].date), (delivery_id(1), noon()));
}

/// Takes every mail at once but those to one address, which take until they are let go.
#[derive(Default)]
struct SlowMailer {
    state: Mutex<Slow>,
}

#[derive(Default)]
struct Slow {
    begun: u32,
    done: u32,
    let_go: bool,
    waiting: Vec<Waker>,
}

impl SlowMailer {
    /// Waits until `ready` holds.
    async fn until(&self, ready: impl Fn(&Slow) -> bool) {
        poll_fn(|context| {
            let mut state = self.state.lock().expect("nobody panicked");
            if ready(&state) {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn change(&self, change: impl FnOnce(&mut Slow)) {
        let mut state = self.state.lock().expect("nobody panicked");
        change(&mut state);
        state.waiting.drain(..).for_each(Waker::wake);
    }
}

#[async_trait]
impl Mailer for SlowMailer {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        self.change(|slow| slow.begun += 1);
        if mail.to.address.as_str() == "user-1@example.org" {
            self.until(|slow| slow.let_go).await;
        }
        self.change(|slow| slow.done += 1);
        Ok(Accepted { reply: "250 at last".to_owned() })
    }
}

pub(super) async fn a_slow_mail_keeps_no_other_waiting(open: Arc<dyn OpenStore>) {
    let (clock, mailer) = (Arc::new(ManualClock::at(noon())), Arc::new(SlowMailer::default()));
    let app = App::builder(open.storage()).clock(clock.clone()).mailer(mailer.clone()).build();
    app.accounts().register(new_user("user-1"), None).await.expect("an account");
    let meanwhile = async {
        mailer.until(|slow| slow.begun == 1).await;
        app.accounts().register(new_user("user-2"), None).await.expect("an account");
        mailer.until(|slow| slow.done == 1).await;
        // Planned by another node, say: a host nudges when its clock has ticked.
        open.storage().commit(&Changes::new().deliver([welcome_to_address()])).await.expect("a delivery");
        app.outbox().nudge();
        mailer.until(|slow| slow.done == 2).await;
        mailer.change(|slow| slow.let_go = true);
    };
    let (report, ()) = futures_util::future::join(app.outbox().deliver_due(), meanwhile).await;
    assert_eq!(report.expect("a step").delivered, 3);
}

pub(super) async fn nobody_else_claims_a_mail_that_is_on_its_way_for_longer_than_a_lease(open: Arc<dyn OpenStore>) {
    let (clock, mailer) = (Arc::new(ManualClock::at(noon())), Arc::new(SlowMailer::default()));
    let outbox = Arc::new(Watched::new(open.storage()));
    // What is less than the mailer's time limit is not believed.
    let sending = Sending { lease: Duration::from_secs(1), ..Sending::default() };
    let one = App::builder(open.storage()).clock(clock.clone()).mailer(mailer.clone()).outbox(outbox.clone());
    let (one, other) = (one.sending(sending.clone()).build(), World::new(&*open));
    one.accounts().register(new_user("user-1"), None).await.expect("an account");
    let meanwhile = async {
        mailer.until(|slow| slow.begun == 1).await;
        // Longer than 45 seconds in all, which is one and a half times the limit of a mail.
        for renewals in 1..=3 {
            open.lapse_leases().await;
            clock.advance(Duration::from_secs(16));
            one.outbox().nudge();
            outbox.renewals(renewals).await;
            assert_eq!(other.app.outbox().deliver_due().await.expect("a step").claimed, 0, "{renewals}");
            clock.advance(Duration::from_secs(10));
        }
        mailer.change(|slow| slow.let_go = true);
    };
    let (report, ()) = futures_util::future::join(one.outbox().deliver_due(), meanwhile).await;
    let report = report.expect("a step");
    assert_eq!((report.delivered, report.lease_lost), (1, 0));
    assert_eq!(other.mailer.take(), []);
}

fn welcome_to_address() -> NewDelivery {
    NewDelivery { recipient: Recipient::Address("user-3@example.org".parse().expect("an address")), ..welcome(3) }
}
