//! Handlers that run when an operation of a step has finished.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::{IN_DOUBT, Sender, Sent, Step};
use crate::app::delivery::channel::{Channel, FollowUp, Ready, SendError};
use crate::app::delivery::claim::{ClaimedBatch, warn_when_discarded};
use crate::error::StoreError;
use crate::ports::{Accepted, Settled};
use crate::{Delivery, DeliveryId, Outcome, Settlement};

/// After the channel failed, the message that met it waits this long, so that others have their turn.
const RELAY_PAUSE: Duration = Duration::from_secs(5);
/// And this long at most.
const LONGEST_RELAY_PAUSE: Duration = Duration::from_secs(60);

/// The longest wait of a delivery that is put off for a reason of its own.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Returns the pause before the next try of a message that has been failing for `tried_for`. It grows with that time,
/// up to `longest`, so that others can be sent.
fn pause(tried_for: Duration, longest: Duration) -> Duration {
    (tried_for / 4).clamp(RELAY_PAUSE, longest)
}

impl<'a, C: Channel> Sender<'a, C> {
    pub(super) fn take(&mut self, step: Step<'a, C::Message>) {
        match step {
            Step::Claimed(claimed) => self.take_claimed(claimed),
            Step::Followed(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what follows from a message was not recorded");
            }
            // Somebody may have to be told of it.
            Step::Followed(Ok(())) => self.claim_again(),
            Step::Sent { sent, result } => self.take_sent(*sent, result),
            Step::Settled(Ok(settled)) => self.take_settled(settled),
            Step::Settled(Err(error)) => {
                self.outcomes.append(&mut self.settling);
                self.fail(error);
            }
            Step::Renewed { asked, held_until, result: Ok(held) } => self.take_renewal(asked, held_until, held),
            Step::Renewed { result: Err(error), .. } => {
                self.renewing = false;
                self.fail(error);
            }
        }
    }

    fn take_claimed(&mut self, claimed: ClaimedBatch<'a, C::Message>) {
        let ClaimedBatch { ready, decided, follow_ups, failure } = claimed;
        self.follow(follow_ups);
        self.claiming = false;
        self.exhausted = ready.is_empty() && decided.is_empty() && !self.outdated;
        self.outdated = false;
        self.report.claimed += (ready.len() + decided.len()) as u64;
        // What was ahead of them meanwhile is settled, one way or the other: their turn is to be asked anew.
        let held: HashSet<DeliveryId> = self.held().collect();
        let still_behind = |ready: &Ready<C::Message>| ready.behind.iter().all(|ahead| held.contains(ahead));
        let (ready, outdated): (VecDeque<_>, VecDeque<_>) = ready.into_iter().partition(still_behind);
        self.window.extend(ready);
        self.give_back(outdated);
        self.outcomes.extend(decided.into_iter().map(|settlement| (settlement, false)));
        self.failure = self.failure.take().or(failure);
    }

    fn take_sent(&mut self, sent: Sent<C::Message>, result: Result<Accepted, SendError>) {
        self.sent += 1;
        let outcome = self.outcome(&sent.delivery, &result, sent.refused_before);
        warn_when_discarded(sent.delivery.id, sent.delivery.kind, &outcome);
        for id in &sent.along {
            warn_when_discarded(*id, sent.delivery.kind, &outcome);
            let outcome = outcome.in_the_mail_of(sent.delivery.id);
            self.outcomes.push((self.settlement(*id, sent.lease, outcome), false));
        }
        let channel = self.channel;
        self.follow(channel.follow_ups(&sent.message, &result, &outcome));
        let effect = sent.effect.filter(|_| result.is_ok());
        let settlement = self.settlement(sent.delivery.id, sent.lease, outcome);
        self.outcomes.push((Settlement { effect, ..settlement }, true));
    }

    fn take_settled(&mut self, settled: Vec<Settled>) {
        let mut not_sent = HashSet::new();
        for ((settlement, was_sent), settled) in std::mem::take(&mut self.settling).into_iter().zip(settled) {
            if was_sent && let Some(one) = self.in_doubt.remove(&(settlement.id, settlement.lease)) {
                let left = settled == Settled::Applied && matches!(settlement.outcome, Outcome::Delivered { .. });
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

    fn follow(&mut self, follow_ups: Vec<FollowUp<'a>>) {
        for follow_up in follow_ups {
            self.work.push(Box::pin(async move { Step::Followed(follow_up.await) }));
        }
    }

    fn fail(&mut self, error: StoreError) {
        self.failure.get_or_insert(error);
    }

    fn outcome(&mut self, delivery: &Delivery, result: &Result<Accepted, SendError>, refused_before: u32) -> Outcome {
        let now = self.app.checked_now();
        let tried_for = now.since(delivery.first_claimed_at.unwrap_or(now));
        let gives_up_at = delivery.gives_up_at();
        match result {
            Ok(accepted) => Outcome::Delivered { reply: accepted.reply.clone() },
            Err(SendError::Permanent { reply, .. }) => Outcome::Discarded { error: reply.clone() },
            Err(SendError::Transient(reply)) => match self.sending.retry.next(delivery.id, refused_before + 1, now) {
                Some(next_at) => Outcome::Retry { next_at, error: reply.clone() },
                None => Outcome::Discarded { error: format!("{reply} (no retries left)") },
            },
            Err(SendError::InDoubt(cause)) if gives_up_at.is_some_and(|end| end <= now) => {
                Outcome::Expired { reason: format!("it could not be sent in time: {cause}") }
            }
            Err(SendError::InDoubt(cause)) => {
                let scheduled = self.sending.retry.next(delivery.id, delivery.attempts + 1, now);
                let next_at = now + pause(tried_for, LONGEST_PAUSE);
                let next_at = scheduled.map_or(next_at, |at| at.min(next_at));
                Outcome::Retry { next_at, error: format!("{cause}{IN_DOUBT}") }
            }
            Err(SendError::Deferred(cause)) => match gives_up_at {
                Some(end) if end <= now => {
                    Outcome::Expired { reason: format!("it could not be sent in time: {cause}") }
                }
                Some(_) | None => {
                    Outcome::Released { next_at: now + pause(tried_for, LONGEST_PAUSE), error: Some(cause.clone()) }
                }
            },
            Err(SendError::Unavailable(cause)) => {
                self.report.relay.get_or_insert_with(|| cause.clone());
                Outcome::Released { next_at: now + pause(tried_for, LONGEST_RELAY_PAUSE), error: Some(cause.clone()) }
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
