//! The sender: a step that sends everything that is due on one channel.
//!
//! It keeps a window of claimed messages and claims again when the window is half empty. The channel checks each once
//! more before it is sent. Messages are sent without holding a transaction, and outcomes are written as they arrive. No
//! message starts before the outcome of the one two before it is durable, so a crash repeats at most two messages per
//! connection.
//!
//! A message starts only while its lease outlives the time that it may take, and held leases are renewed: nobody else
//! claims a message that waits in the window, is being sent, or has an outcome that is not durable yet.

mod leases;
mod steps;

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;

use super::channel::{Channel, Ready, SendError};
use super::claim::{ClaimedBatch, claim};
use super::{App, DeliveryReport, Sending};
use crate::error::{Error, StoreError};
use crate::notice::Thread;
use crate::ports::{Accepted, HeldLease, Settled};
use crate::{Delivery, DeliveryId, Effect, LeaseToken, Outcome, Settlement};

/// The longest time that the messages of a window take.
const LONGEST_WINDOW: Duration = Duration::from_secs(2);

/// The end of the error of an attempt whose result is not known. Such attempts are recorded, and do not count against a
/// delivery.
const IN_DOUBT: &str = " (in doubt)";

/// Returns how many earlier attempts were refused because of the recipient.
async fn refused_before(app: &App, delivery: &Delivery) -> u32 {
    if delivery.attempts == 0 {
        return 0;
    }
    match app.store.delivery(delivery.id).await {
        Ok(Some((_, failed))) => failed.iter().filter(|one| !one.error.ends_with(IN_DOUBT)).count() as u32,
        // Counting none is another attempt at most.
        Ok(None) | Err(_) => 0,
    }
}

/// Something that came to its end.
enum Step<'a, M> {
    Claimed(ClaimedBatch<'a, M>),
    Followed(Result<(), Error>),
    Sent { sent: Box<Sent<M>>, result: Result<Accepted, SendError> },
    Settled(Result<Vec<Settled>, StoreError>),
    Renewed { asked: Vec<HeldLease>, held_until: Duration, result: Result<Vec<DeliveryId>, StoreError> },
}

/// A message that was offered to its channel.
struct Sent<M> {
    delivery: Delivery,
    lease: LeaseToken,
    message: M,
    effect: Option<Effect>,
    along: Vec<DeliveryId>,
    /// Number of earlier refusals of its recipient, if it was refused for now this time.
    refused_before: u32,
}

/// A message that was started and whose outcome is not durable yet.
struct InDoubt {
    /// The time, by the monotonic clock, until which it is held.
    held_until: Duration,
    threads: Vec<Thread>,
    /// The other deliveries that it is.
    along: Vec<DeliveryId>,
}

/// One step of a channel under way.
pub(super) struct Sender<'a, C: Channel> {
    app: &'a App,
    channel: &'a C,
    sending: Sending,
    work: FuturesUnordered<BoxFuture<'a, Step<'a, C::Message>>>,
    window: VecDeque<Ready<C::Message>>,
    /// Outcomes to write, and whether a message was sent for them.
    outcomes: Vec<(Settlement, bool)>,
    /// The ones that are being written.
    settling: Vec<(Settlement, bool)>,
    claiming: bool,
    renewing: bool,
    /// There was less to claim than asked for.
    exhausted: bool,
    /// There is more than the claim under way can have seen.
    outdated: bool,
    /// Messages that were started and whose outcome is not durable yet.
    in_doubt: HashMap<HeldLease, InDoubt>,
    began: Duration,
    sent: u32,
    failure: Option<StoreError>,
    report: DeliveryReport,
}

impl<'a, C: Channel> Sender<'a, C> {
    pub(super) fn new(app: &'a App, channel: &'a C) -> Self {
        let left = app.lane(channel.kind(), |lane| std::mem::take(&mut lane.unsettled));
        Self {
            app,
            channel,
            sending: channel.sending(),
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
                // Something was planned or has come due while messages are on their way.
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
        let (app, channel, limit) = (self.app, self.channel, size - self.window.len());
        let (held, lease_for) = (self.held().collect(), self.sending.held_for());
        self.work.push(Box::pin(async move { Step::Claimed(claim(app, channel, limit, held, lease_for).await) }));
    }

    /// Returns the index of the first message of the window that has nothing of its thread ahead of it.
    fn next_in_turn(&self) -> Option<usize> {
        let mut ahead: HashSet<&Thread> = self.in_doubt.values().flat_map(|one| &one.threads).collect();
        self.window.iter().position(|ready| {
            let is_free = !ready.threads.iter().any(|thread| ahead.contains(thread));
            ahead.extend(&ready.threads);
            is_free
        })
    }

    /// Releases the messages in the window behind one that was not sent, because their order has to be decided again.
    fn give_back_the_rest(&mut self, threads: &HashSet<Thread>) {
        let is_behind = |ready: &Ready<C::Message>| ready.threads.iter().any(|thread| threads.contains(thread));
        let (behind, window) = std::mem::take(&mut self.window).into_iter().partition(is_behind);
        self.window = window;
        self.give_back(behind);
    }

    /// Requests another claim, because a claim under way may not have seen the latest deliveries.
    fn claim_again(&mut self) {
        self.exhausted = false;
        self.outdated = self.claiming;
    }

    /// Releases messages without an attempt. They are claimed again once that is durable and their turn has come.
    fn give_back(&mut self, all: VecDeque<Ready<C::Message>>) {
        for ready in all {
            let outcome = Outcome::Released { next_at: ready.delivery.next_at, error: None };
            for id in std::iter::once(ready.delivery.id).chain(ready.along) {
                self.outcomes.push((self.settlement(id, ready.lease, outcome.clone()), false));
            }
        }
    }

    /// Returns the number of connections worth using now: at least one, so that the window never waits for nothing.
    fn connections(&self) -> usize {
        let all = self.sending.connections;
        self.channel.room().map_or(all, |room| room.min(all)).max(1)
    }

    /// Returns the size of the window: no more than can be sent in half a lease at the rate seen so far, nor in a
    /// moment. No other node can send what this one holds, and where nodes share a rate, the shares of the others would
    /// lie idle.
    fn window_size(&self) -> usize {
        let (batch, lease) = (self.sending.batch, self.sending.held_for());
        let connections = self.connections();
        let elapsed = self.app.clock.monotonic().saturating_sub(self.began).as_secs_f64();
        let seen_enough = self.sent as usize >= connections && elapsed > 0.0;
        let fits = match seen_enough {
            true => (f64::from(self.sent) / elapsed * (lease / 2).min(LONGEST_WINDOW).as_secs_f64()) as usize,
            false if connections < self.sending.connections => 2 * connections,
            false => 4 * connections,
        };
        fits.max(2 * connections).min(batch).max(1)
    }

    fn send_what_fits(&mut self) {
        // The channel is handed the next message of each connection as well, which may ride along with the one before it.
        while self.in_doubt.len() < 2 * self.connections() {
            let Some(next) = self.next_in_turn() else { return };
            if !self.outlives_a_message(self.window[next].held_until) {
                return self.renew();
            }
            let Some(ready) = self.window.remove(next) else { return };
            let Ready { delivery, lease, held_until, message, effect, threads, along, .. } = ready;
            self.in_doubt.insert((delivery.id, lease), InDoubt { held_until, threads, along: along.clone() });
            let (app, channel) = (self.app, self.channel);
            self.work.push(Box::pin(async move {
                let result = channel.send(&message).await;
                let refused_before = match &result {
                    Err(SendError::Transient(_)) => refused_before(app, &delivery).await,
                    Ok(_) | Err(_) => 0,
                };
                Step::Sent { sent: Box::new(Sent { delivery, lease, message, effect, along, refused_before }), result }
            }));
        }
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

    fn settlement(&self, id: DeliveryId, lease: LeaseToken, outcome: Outcome) -> Settlement {
        Settlement { id, lease, at: self.app.checked_now(), outcome, effect: None }
    }
}

impl<C: Channel> Drop for Sender<'_, C> {
    /// Hands unwritten outcomes to the next step, even if the host drops this one half-way.
    fn drop(&mut self) {
        let left = self.settling.drain(..).chain(self.outcomes.drain(..)).map(|(settlement, _)| settlement);
        self.app.lane(self.channel.kind(), |lane| lane.unsettled.extend(left));
    }
}
