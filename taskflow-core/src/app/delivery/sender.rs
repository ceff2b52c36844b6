//! The sender: a step that sends everything that is due.
//!
//! It keeps a window of claimed mails, claims again when the window is half empty, looks once more at what each mail is
//! about, sends without holding a transaction, and writes outcomes as they arrive. No mail starts before the outcome of
//! the one two before it is durable, so a crash repeats at most two mails per connection.
//!
//! A mail starts only while its lease outlives the time that a mail may take, and what is held is renewed as long as it is
//! held: nobody else claims a mail that waits in the window, is on its way, or has an outcome that is not durable yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;

use super::claim::{Batch, Ready, warn_when_discarded};
use super::{App, DeliveryReport};
use crate::error::{Error, StoreError};
use crate::notice::Thread;
use crate::ports::{Accepted, HeldLease, MailError, Mailer, ReminderSent, Settled, Signal};
use crate::{
    Changes, Delivery, DeliveryId, EmailAddress, Entity, LeaseToken, Notice, Outcome, ParticipantId, Settlement,
    SuppressionWrite, Told, UserId,
};

/// After the relay failed, the mail that met it waits this long, so that others have their turn.
const RELAY_PAUSE: Duration = Duration::from_secs(5);
/// And this long at most.
const LONGEST_RELAY_PAUSE: Duration = Duration::from_secs(60);

/// How long the mails of a window take at most.
const LONGEST_WINDOW: Duration = Duration::from_secs(2);

/// Something that came to its end.
enum Step {
    Claimed(Batch),
    Noted(Result<(), Error>),
    Sent { sent: Box<Sent>, result: Result<Accepted, MailError> },
    Settled(Result<Vec<Settled>, StoreError>),
    Renewed { asked: Vec<HeldLease>, held_until: Duration, result: Result<Vec<DeliveryId>, StoreError> },
}

/// A mail that was offered to the relay.
struct Sent {
    delivery: Delivery,
    lease: LeaseToken,
    told: Option<(ParticipantId, Told)>,
    reminds: Vec<(UserId, Entity)>,
    along: Vec<DeliveryId>,
    address: EmailAddress,
    /// Whether mail did not reach the participant before.
    had_problem: bool,
}

/// A mail that was started and whose outcome is not durable.
struct InDoubt {
    /// Until when, by the monotonic clock, it is held.
    held_until: Duration,
    threads: Vec<Thread>,
    /// The other deliveries that it is.
    along: Vec<DeliveryId>,
}

/// One step under way.
pub(super) struct Sender<'a> {
    app: &'a App,
    mailer: &'a dyn Mailer,
    work: FuturesUnordered<BoxFuture<'a, Step>>,
    window: VecDeque<Ready>,
    /// Outcomes to write, and whether a mail was sent for them.
    outcomes: Vec<(Settlement, bool)>,
    /// The ones that are being written.
    settling: Vec<(Settlement, bool)>,
    claiming: bool,
    renewing: bool,
    /// There was less to claim than asked for.
    exhausted: bool,
    /// There is more than the claim under way can have seen.
    outdated: bool,
    /// Mails that were started and whose outcome is not durable.
    in_doubt: HashMap<HeldLease, InDoubt>,
    began: Duration,
    sent: u32,
    failure: Option<StoreError>,
    report: DeliveryReport,
}

impl<'a> Sender<'a> {
    pub(super) fn new(app: &'a App, mailer: &'a dyn Mailer) -> Self {
        let left = std::mem::take(&mut *lock(&app.unsettled));
        Self {
            app,
            mailer,
            work: FuturesUnordered::new(),
            window: VecDeque::new(),
            outcomes: left.into_iter().map(|settlement| (settlement, false)).collect(),
            settling: Vec::new(),
            claiming: false,
            renewing: false,
            exhausted: false,
            outdated: false,
            in_doubt: HashMap::new(),
            began: app.clock.monotonic(),
            sent: 0,
            failure: None,
            report: DeliveryReport::default(),
        }
    }

    /// Works until there is nothing left to do.
    pub(super) async fn run(mut self) -> Result<DeliveryReport, StoreError> {
        let app = self.app;
        let mut listener = app.nudges.listen();
        self.start_what_can_start();
        while !self.work.is_empty() {
            match select(self.work.next(), pin!(listener.nudged())).await {
                Either::Left((Some(step), _)) => self.take(step),
                Either::Left((None, _)) => {}
                // Something was planned or has come due while mails are on their way.
                Either::Right(_) => self.claim_again(),
            }
            self.start_what_can_start();
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut self.report)),
        }
    }

    fn stopped(&self) -> bool {
        self.failure.is_some() || self.report.relay.is_some() || self.app.draining()
    }

    fn start_what_can_start(&mut self) {
        if self.stopped() {
            self.give_back_the_window();
        } else {
            self.claim_when_half_empty();
            self.send_what_fits();
        }
        self.renew_what_is_in_doubt();
        self.settle_what_is_known();
    }

    fn give_back_the_window(&mut self) {
        let window = std::mem::take(&mut self.window);
        self.give_back(window);
    }

    fn claim_when_half_empty(&mut self) {
        let size = self.window_size();
        if self.claiming || self.exhausted || self.window.len() * 2 > size {
            return;
        }
        self.claiming = true;
        let (app, limit, own) = (self.app, size - self.window.len(), self.held().collect());
        self.work.push(Box::pin(async move { Step::Claimed(app.claim_letters(limit, own).await) }));
    }

    /// The mails that wait in the window or were started.
    fn held(&self) -> impl Iterator<Item = DeliveryId> {
        self.leases().map(|(id, _)| id)
    }

    /// The leases of these, and of what goes along with them.
    fn leases(&self) -> impl Iterator<Item = HeldLease> {
        let waiting = self.window.iter().map(|ready| (ready.delivery.id, ready.lease, &ready.along));
        let started = self.in_doubt.iter().map(|((id, lease), one)| (*id, *lease, &one.along));
        waiting
            .chain(started)
            .flat_map(|(id, lease, along)| std::iter::once((id, lease)).chain(along.iter().map(move |id| (*id, lease))))
    }

    /// The first mail of the window that nothing of its thread is ahead of.
    fn next_in_turn(&self) -> Option<usize> {
        let mut ahead: HashSet<&Thread> = self.in_doubt.values().flat_map(|one| &one.threads).collect();
        self.window.iter().position(|ready| {
            let is_free = !ready.threads.iter().any(|thread| ahead.contains(thread));
            ahead.extend(&ready.threads);
            is_free
        })
    }

    /// Gives back what waits in the window behind a mail that has not left: when it is its turn is to be asked anew.
    fn give_back_the_rest(&mut self, threads: &HashSet<Thread>) {
        let is_behind = |ready: &Ready| ready.threads.iter().any(|thread| threads.contains(thread));
        let (behind, window) = std::mem::take(&mut self.window).into_iter().partition(is_behind);
        self.window = window;
        self.give_back(behind);
    }

    /// There is more to claim, which a claim that is under way may not have seen.
    fn claim_again(&mut self) {
        self.exhausted = false;
        self.outdated = self.claiming;
    }

    /// What is given back is claimed again once that is durable, if its turn has come.
    fn give_back(&mut self, all: VecDeque<Ready>) {
        for ready in all {
            let outcome = Outcome::Released { next_at: ready.delivery.next_at, error: None };
            for id in std::iter::once(ready.delivery.id).chain(ready.along) {
                self.outcomes.push((self.settlement(id, ready.lease, outcome.clone()), false));
            }
        }
    }

    /// How many are worth using now. At least one, so that the window never waits for nothing.
    fn connections(&self) -> usize {
        let all = self.app.sending.connections;
        self.mailer.room().map_or(all, |room| room.min(all)).max(1)
    }

    /// No more than can be sent in half a lease at the rate seen so far, nor in a moment: what one node holds no other can
    /// send, and where the rate is shared the others' shares would lie idle.
    fn window_size(&self) -> usize {
        let (batch, lease) = (self.app.sending.batch, self.app.sending.held_for());
        let connections = self.connections();
        let elapsed = self.app.clock.monotonic().saturating_sub(self.began).as_secs_f64();
        let seen_enough = self.sent as usize >= connections && elapsed > 0.0;
        let fits = match seen_enough {
            true => (f64::from(self.sent) / elapsed * (lease / 2).min(LONGEST_WINDOW).as_secs_f64()) as usize,
            false if connections < self.app.sending.connections => 2 * connections,
            false => 4 * connections,
        };
        fits.max(2 * connections).min(batch).max(1)
    }

    fn send_what_fits(&mut self) {
        // The mailer is handed the next mail of each connection as well, which may ride along with the one before it.
        while self.in_doubt.len() < 2 * self.connections() {
            let Some(next) = self.next_in_turn() else { return };
            if !self.outlives_a_mail(self.window[next].held_until) {
                return self.renew();
            }
            let Some(ready) = self.window.remove(next) else { return };
            let Ready { delivery, lease, held_until, mail, told, reminds, overrides, had_problem, .. } = ready;
            let (threads, along) = (ready.threads, ready.along);
            self.in_doubt.insert((delivery.id, lease), InDoubt { held_until, threads, along: along.clone() });
            if overrides {
                self.count_override(mail.to.address.clone());
            }
            let mailer = self.mailer;
            self.work.push(Box::pin(async move {
                let result = mailer.send(&mail).await;
                let address = mail.to.address;
                let sent = Sent { delivery, lease, told, reminds, along, address, had_problem };
                Step::Sent { sent: Box::new(sent), result }
            }));
        }
    }

    fn outlives_a_mail(&self, held_until: Duration) -> bool {
        self.app.clock.monotonic() + self.app.sending.mail_timeout <= held_until
    }

    /// A mail on its way ends before its lease does; what its outcome waits for until it is written may take longer.
    fn renew_what_is_in_doubt(&mut self) {
        if self.failure.is_none() && self.in_doubt.values().any(|one| !self.outlives_a_mail(one.held_until)) {
            self.renew();
        }
    }

    /// Everything at once, so that it is rarely done.
    fn renew(&mut self) {
        if self.renewing {
            return;
        }
        self.renewing = true;
        let app = self.app;
        let held: Vec<HeldLease> = self.leases().collect();
        let lease_for = app.sending.held_for();
        let held_until = app.clock.monotonic() + lease_for;
        self.work.push(Box::pin(async move {
            let result = app.outbox.renew(&held, lease_for).await;
            Step::Renewed { asked: held, held_until, result }
        }));
    }

    fn settle_what_is_known(&mut self) {
        if !self.settling.is_empty() || self.outcomes.is_empty() || self.failure.is_some() {
            return;
        }
        self.settling = std::mem::take(&mut self.outcomes);
        let app = self.app;
        let batch: Vec<_> = self.settling.iter().map(|(settlement, _)| settlement.clone()).collect();
        self.work.push(Box::pin(async move { Step::Settled(app.outbox.settle(&batch).await) }));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Claimed(Batch { ready, decided, unreachable, failure }) => {
                for participant in unreachable {
                    self.record_problem(
                        participant,
                        "no mail is sent to this address, because mail to it came back".to_owned(),
                    );
                }
                self.claiming = false;
                self.exhausted = ready.is_empty() && decided.is_empty() && !self.outdated;
                self.outdated = false;
                self.report.claimed += (ready.len() + decided.len()) as u64;
                // What was ahead of them meanwhile is settled, one way or the other: their turn is to be asked anew.
                let held: HashSet<DeliveryId> = self.held().collect();
                let still_behind = |ready: &Ready| ready.behind.iter().all(|ahead| held.contains(ahead));
                let (ready, outdated): (VecDeque<_>, VecDeque<_>) = ready.into_iter().partition(still_behind);
                self.window.extend(ready);
                self.give_back(outdated);
                self.outcomes.extend(decided.into_iter().map(|settlement| (settlement, false)));
                self.failure = self.failure.take().or(failure);
            }
            // Losing it costs another refusal, nothing else.
            Step::Noted(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "that mail does not reach an address was not recorded");
            }
            // Somebody may have to be told of it.
            Step::Noted(Ok(())) => self.claim_again(),
            Step::Sent { sent, result } => {
                if let Err(MailError::Permanent(reply)) = &result
                    && reply.concerns_the_mailbox()
                {
                    self.suppress(sent.address.clone(), reply.to_string());
                }
                if result.is_ok() {
                    let at = self.app.clock.now();
                    let signal = |(user, about): &(UserId, Entity)| {
                        Signal::ReminderSent(ReminderSent { user: *user, about: *about, at })
                    };
                    let signals: Vec<_> = sent.reminds.iter().map(signal).collect();
                    if !signals.is_empty() {
                        self.app.bus.publish(&signals);
                    }
                }
                self.sent += 1;
                let arrived = result.is_ok();
                let outcome = self.outcome(&sent, result);
                warn_when_discarded(sent.delivery.id, sent.delivery.kind, &outcome);
                for id in &sent.along {
                    warn_when_discarded(*id, sent.delivery.kind, &outcome);
                    let outcome = outcome.in_the_mail_of(sent.delivery.id);
                    self.outcomes.push((self.settlement(*id, sent.lease, outcome), false));
                }
                let participant = sent.delivery.notice.as_ref().ok().and_then(Notice::participant);
                match (&outcome, participant) {
                    (Outcome::Discarded { error }, Some(participant)) => {
                        self.record_problem(participant, error.clone());
                    }
                    (_, Some(participant)) if arrived && sent.had_problem => self.clear_problem(participant),
                    _ => {}
                }
                self.outcomes.push((self.settlement(sent.delivery.id, sent.lease, outcome), true));
            }
            Step::Settled(Ok(settled)) => {
                let mut not_sent = HashSet::new();
                for ((settlement, was_sent), settled) in std::mem::take(&mut self.settling).into_iter().zip(settled) {
                    if was_sent && let Some(one) = self.in_doubt.remove(&(settlement.id, settlement.lease)) {
                        let left =
                            settled == Settled::Applied && matches!(settlement.outcome, Outcome::Delivered { .. });
                        not_sent.extend(one.threads.into_iter().filter(|_| !left));
                    }
                    // What was given back because its turn is to be asked anew is there to be claimed.
                    let asks_anew = matches!(settlement.outcome, Outcome::Released { next_at, error: None }
                        if next_at <= self.app.clock.now());
                    if asks_anew && settled == Settled::Applied {
                        self.claim_again();
                    }
                    self.count(&settlement.outcome, settled);
                }
                self.give_back_the_rest(&not_sent);
            }
            Step::Settled(Err(error)) => {
                self.outcomes.append(&mut self.settling);
                self.fail(error);
            }
            Step::Renewed { asked, held_until, result: Ok(held) } => {
                self.renewing = false;
                // What was claimed while the renewal ran is not concerned.
                let (asked, held): (HashSet<_>, HashSet<_>) = (asked.into_iter().collect(), held.into_iter().collect());
                // Of a mail that was started the settling tells whether the lease was lost: there is nothing to stop.
                for (_, one) in self.in_doubt.iter_mut().filter(|(lease, _)| asked.contains(lease)) {
                    one.held_until = held_until;
                }
                let (before, mut lost) = (self.window.len(), HashSet::new());
                self.window.retain_mut(|ready| {
                    if !asked.contains(&(ready.delivery.id, ready.lease)) {
                        return true;
                    }
                    ready.held_until = held_until;
                    let is_held = held.contains(&ready.delivery.id);
                    lost.extend(ready.threads.iter().filter(|_| !is_held).cloned());
                    is_held
                });
                self.report.lease_lost += (before - self.window.len()) as u64;
                self.give_back_the_rest(&lost);
            }
            Step::Renewed { result: Err(error), .. } => {
                self.renewing = false;
                self.fail(error);
            }
        }
    }

    /// A suppressed address gets one of the few mails that its reader may ask for.
    fn count_override(&mut self, email: EmailAddress) {
        let app = self.app;
        let changes = Changes::new().write(SuppressionWrite::Override(email));
        self.work.push(Box::pin(async move { Step::Noted(app.commit(&changes).await) }));
    }

    /// No more mail to a mailbox that is not there.
    fn suppress(&mut self, email: EmailAddress, said: String) {
        let app = self.app;
        self.work.push(Box::pin(async move { Step::Noted(app.suppress_refused(email, said).await) }));
    }

    /// Mail about a meeting does not reach somebody.
    fn record_problem(&mut self, participant: ParticipantId, said: String) {
        let app = self.app;
        self.work.push(Box::pin(async move { Step::Noted(app.record_problem(participant, &said).await) }));
    }

    /// It does again.
    fn clear_problem(&mut self, participant: ParticipantId) {
        let app = self.app;
        self.work.push(Box::pin(async move { Step::Noted(app.clear_problem(participant).await) }));
    }

    fn fail(&mut self, error: StoreError) {
        self.failure.get_or_insert(error);
    }

    fn settlement(&self, id: DeliveryId, lease: LeaseToken, outcome: Outcome) -> Settlement {
        Settlement { id, lease, at: self.app.clock.now(), outcome }
    }

    fn outcome(&mut self, Sent { delivery, told, .. }: &Sent, result: Result<Accepted, MailError>) -> Outcome {
        match result {
            Ok(accepted) => Outcome::Delivered { reply: accepted.reply, told: *told },
            Err(MailError::Permanent(reply)) => Outcome::Discarded { error: reply.to_string() },
            Err(MailError::Transient(reply)) => {
                let now = self.app.clock.now();
                match self.app.sending.retry.next(delivery.id, delivery.attempts + 1, now) {
                    Some(next_at) => Outcome::Retry { next_at, error: reply.to_string() },
                    None => Outcome::Discarded { error: format!("{reply} (no retries left)") },
                }
            }
            Err(MailError::Unavailable(cause)) => {
                self.report.relay.get_or_insert_with(|| cause.clone());
                let now = self.app.clock.now();
                // A mail that meets this again and again makes room for others more and more.
                let tried_for = now.since(delivery.first_claimed_at.unwrap_or(now));
                let pause = (tried_for / 4).clamp(RELAY_PAUSE, LONGEST_RELAY_PAUSE);
                Outcome::Released { next_at: now + pause, error: Some(cause) }
            }
        }
    }

    fn count(&mut self, outcome: &Outcome, settled: Settled) {
        let report = &mut self.report;
        let counter = match (settled, outcome) {
            (Settled::LeaseLost, _) => &mut report.lease_lost,
            (Settled::Applied, Outcome::Delivered { .. }) => &mut report.delivered,
            (Settled::Applied, Outcome::Retry { .. }) => &mut report.retried,
            (Settled::Applied, Outcome::Released { .. } | Outcome::Held { .. }) => &mut report.released,
            (Settled::Applied, Outcome::Discarded { .. }) => &mut report.discarded,
            (Settled::Applied, Outcome::Cancelled { .. }) => &mut report.cancelled,
            (Settled::Applied, Outcome::Expired { .. }) => &mut report.expired,
        };
        *counter += 1;
    }
}

impl Drop for Sender<'_> {
    /// What is known but not written goes to the next step, also when the host drops this one half-way.
    fn drop(&mut self) {
        let left = self.settling.drain(..).chain(self.outcomes.drain(..));
        lock(&self.app.unsettled).extend(left.map(|(settlement, _)| settlement));
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
