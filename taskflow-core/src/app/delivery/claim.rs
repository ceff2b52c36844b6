//! Claiming a batch and deciding for each delivery whether it is still worth a mail.

use std::collections::HashSet;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::App;
use super::letter::{SUPPRESSED, Worded};
use crate::error::StoreError;
use crate::ports::{ClaimRequest, Claimed};
use crate::{Delivery, Entity, LeaseToken, Mail, Notice, NoticeKind, Outcome, ParticipantId, Settlement, Told, UserId};

/// Until something on its way has arrived.
pub(super) const A_MOMENT: Duration = Duration::from_secs(5);

/// A mail in the window.
pub(super) struct Ready {
    pub(super) delivery: Delivery,
    pub(super) lease: LeaseToken,
    /// Until when, by the monotonic clock, nobody else can have claimed it.
    pub(super) held_until: Duration,
    pub(super) mail: Mail,
    /// What a participant knows once this mail has left.
    pub(super) told: Option<(ParticipantId, Told)>,
    /// Whose screens show that it has left, and what of they are reminded.
    pub(super) reminds: Option<(UserId, Entity)>,
    /// Whether its address is suppressed, and it leaves because its reader asked for it.
    pub(super) overrides: bool,
    /// Whether mail about its meeting did not reach the participant before.
    pub(super) had_problem: bool,
}

/// A batch that was claimed: what to send, and what to settle without sending.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) ready: Vec<Ready>,
    pub(super) decided: Vec<Settlement>,
    /// Participants whose mail does not leave because their address gets none.
    pub(super) unreachable: Vec<ParticipantId>,
    /// What was claimed could not be looked up; all of it is given back.
    pub(super) failure: Option<StoreError>,
}

impl App {
    /// Claims what is due and decides for each whether it is still worth sending.
    pub(super) async fn claim_letters(&self, limit: usize) -> Batch {
        let now = self.clock.now();
        let lease_for = self.sending.held_for();
        let held_until = self.clock.monotonic() + lease_for;
        let request = ClaimRequest {
            kinds: NoticeKind::ALL.to_vec(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            now,
            lease: LeaseToken::from_uuid(self.ids.next(now)),
            lease_for,
        };
        let mut batch = Batch::default();
        let (claims, facts) = match self.outbox.claim(&request).await {
            Err(error) => return Batch { failure: Some(error), ..batch },
            Ok(claims) => {
                let facts = self.load(&claims, now).await;
                (claims, facts)
            }
        };
        let facts = facts.map_err(|error| batch.failure = Some(error)).ok();
        let mut told_now = HashSet::new();
        for Claimed { delivery, lease } in claims {
            let mail = match &facts {
                Some(facts) => self.mail(&delivery, facts, now),
                None => Err(Outcome::Released { next_at: delivery.next_at, error: None }),
            };
            // Of two that tell the same person news of the same meeting the second waits for what the first has told.
            let mail = match mail {
                Ok(Worded { told: Some((participant, _)), .. }) if !told_now.insert(participant) => {
                    Err(Outcome::Released { next_at: now + A_MOMENT, error: None })
                }
                mail => mail,
            };
            match mail {
                Ok(Worded { mail, told, reminds, overrides, had_problem }) => {
                    batch.ready.push(Ready {
                        delivery,
                        lease,
                        held_until,
                        mail,
                        told,
                        reminds,
                        overrides,
                        had_problem,
                    });
                }
                Err(outcome) => {
                    warn_when_discarded(&delivery, &outcome);
                    let suppressed = matches!(&outcome, Outcome::Cancelled { reason } if reason == SUPPRESSED);
                    let participant = delivery.notice.as_ref().ok().and_then(Notice::participant);
                    batch.unreachable.extend(participant.filter(|_| suppressed));
                    batch.decided.push(Settlement { id: delivery.id, lease, at: now, outcome });
                }
            }
            // Finding words takes processor time: mails on their way must not wait for those of the whole batch.
            let_others().await;
        }
        batch
    }
}

/// Lets the rest of the step have its turn.
async fn let_others() {
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

/// Tells the log of a mail that is given up: which, of what kind and why, without any address.
pub(super) fn warn_when_discarded(delivery: &Delivery, outcome: &Outcome) {
    if let Outcome::Discarded { error } = outcome {
        let (id, kind) = (delivery.id, delivery.kind);
        tracing::warn!(delivery = %id, %kind, reason = without_addresses(error), "a mail was discarded");
    }
}

/// Relays like to repeat the address that they refuse.
fn without_addresses(reason: &str) -> String {
    let words = reason.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_address() {
        let reason = "550 5.1.1 <ada@example.org>: user unknown (ada@example.org)";
        assert_eq!(without_addresses(reason), "550 5.1.1 (address) user unknown (address)");
    }
}
