//! Claiming a batch and deciding for each delivery whether it is still worth a mail.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::App;
use super::letter::{PreparedMail, SUPPRESSED};
use super::order::{Queue, Turn, put_in_order};
use crate::error::StoreError;
use crate::notice::{A_MOMENT, BatchContext, Thread};
use crate::ports::{ClaimRequest, Claimed};
use crate::{
    Delivery, DeliveryId, Entity, LeaseToken, MOST_TOGETHER, Mail, Notice, NoticeKind, Outcome, ParticipantId,
    Recipient, Settlement, Timestamp, Told, UserId,
};

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
    pub(super) reminds: Vec<(UserId, Entity)>,
    /// Whether its address is suppressed, and it leaves because its reader asked for it.
    pub(super) overrides: bool,
    /// Whether mail about its meeting did not reach the participant before.
    pub(super) had_problem: bool,
    /// What it is about: it leaves when nothing of the same threads is on its way.
    pub(super) threads: Vec<Thread>,
    /// More deliveries that this mail is, held under the same lease: what becomes of it becomes of them.
    pub(super) along: Vec<DeliveryId>,
    /// What was ahead of it in the hands of this step as it was claimed.
    pub(super) behind: Vec<DeliveryId>,
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
    /// Claims what is due and decides for each whether it is still worth sending, and whether its turn has come behind
    /// `own`, which this step holds already.
    pub(super) async fn claim_letters(&self, limit: usize, own: HashSet<DeliveryId>) -> Batch {
        let now = self.clock.now();
        let lease_for = self.sending.held_for();
        let held_until = self.clock.monotonic() + lease_for;
        let request = ClaimRequest {
            kinds: self.notices.clone(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            now,
            lease: LeaseToken::from_uuid(self.ids.next(now)),
            lease_for,
        };
        let mut batch = Batch::default();
        let (claims, facts) = match self.outbox.claim(&request).await {
            Err(error) => return Batch { failure: Some(error), ..batch },
            Ok(mut claims) => {
                put_in_order(&mut claims);
                let facts = match self.load(&claims, now).await {
                    Ok(facts) => self.queue(&claims, &facts, own).await.map(|queue| (facts, queue)),
                    Err(error) => Err(error),
                };
                (claims, facts)
            }
        };
        let (facts, mut queue) = match facts {
            Ok((facts, queue)) => (Some(facts), queue),
            Err(error) => {
                batch.failure = Some(error);
                (None, Queue::default())
            }
        };
        let mut told_now = HashSet::new();
        for Claimed { delivery, lease } in claims {
            let mail = match &facts {
                Some(facts) => self.prepare_mail(&delivery, Vec::new(), facts, now),
                None => Err(Outcome::Released { next_at: delivery.next_at, error: None }),
            };
            // Of two that tell the same person news of the same meeting the second waits for what the first has told.
            let mail = match mail {
                Ok(PreparedMail { told: Some((participant, _)), .. }) if !told_now.insert(participant) => {
                    Err(Outcome::Released { next_at: now + A_MOMENT, error: None })
                }
                mail => mail,
            };
            let mut behind = Vec::new();
            let mail = mail.and_then(|mail| match queue.turn(&delivery, now) {
                Turn::Now => Ok(mail),
                Turn::Behind(ids) => {
                    behind = ids;
                    Ok(mail)
                }
                Turn::Later(next_at) => Err(Outcome::Released { next_at, error: None }),
            });
            if let Err(outcome) = &mail {
                queue.passed(delivery.id, tried_again_at(outcome));
            }
            match mail {
                Ok(PreparedMail { mail, told, reminds, overrides, had_problem }) => {
                    let threads = super::order::thread_of(&delivery).into_iter().collect();
                    batch.ready.push(Ready {
                        delivery,
                        lease,
                        held_until,
                        mail,
                        told,
                        reminds,
                        overrides,
                        had_problem,
                        threads,
                        along: Vec::new(),
                        behind,
                    });
                }
                Err(outcome) => {
                    warn_when_discarded(delivery.id, delivery.kind, &outcome);
                    let suppressed = matches!(&outcome, Outcome::Cancelled { reason } if reason == SUPPRESSED);
                    let participant = delivery.notice.as_ref().ok().and_then(Notice::participant);
                    batch.unreachable.extend(participant.filter(|_| suppressed));
                    batch.decided.push(Settlement { id: delivery.id, lease, at: now, outcome });
                }
            }
            // Finding words takes processor time: mails on their way must not wait for those of the whole batch.
            let_others().await;
        }
        if let Some(facts) = &facts {
            batch.ready = self.put_together(std::mem::take(&mut batch.ready), facts, now);
        }
        batch
    }

    /// Makes one mail of reminders of tasks that were claimed together.
    fn put_together(&self, ready: Vec<Ready>, facts: &BatchContext, now: Timestamp) -> Vec<Ready> {
        let mut groups: Vec<Vec<Ready>> = Vec::new();
        let mut places = HashMap::new();
        for one in ready {
            let key = together(&one.delivery);
            match key.as_ref().and_then(|key| places.get(key).copied()).and_then(|place: usize| groups.get_mut(place)) {
                Some(group) => group.push(one),
                None => {
                    places.extend(key.map(|key| (key, groups.len())));
                    groups.push(vec![one]);
                }
            }
        }
        let mails = groups.into_iter().flat_map(|mut group| {
            // In the order in which stores claim them, so that several mails are the same mails again.
            group.sort_by_key(|one| (one.delivery.next_at, one.delivery.id));
            let mut mails = Vec::new();
            while group.len() > MOST_TOGETHER {
                let rest = group.split_off(MOST_TOGETHER);
                mails.push(std::mem::replace(&mut group, rest));
            }
            mails.push(group);
            mails
        });
        mails.flat_map(|group| self.one_mail(group, facts, now)).collect()
    }

    /// The first of them, by which the mail goes, speaks for all. Where that fails each speaks for itself.
    fn one_mail(&self, mut group: Vec<Ready>, facts: &BatchContext, now: Timestamp) -> Vec<Ready> {
        if group.len() < 2 {
            return group;
        }
        // The same tasks are the same mail, however they were claimed.
        let due = |one: &Ready| facts.gathered_task(&one.delivery).map(|task| (task.due_at, task.id));
        group.sort_by_key(|one| (due(one), one.delivery.id));
        let others = group[1..].iter().filter_map(|one| facts.gathered_task(&one.delivery).cloned()).collect();
        let Ok(PreparedMail { mail, .. }) = self.prepare_mail(&group[0].delivery, others, facts, now) else {
            return group;
        };
        let mut all = group.into_iter();
        let Some(first) = all.next() else { return Vec::new() };
        vec![all.fold(Ready { mail, ..first }, |mut whole, one| {
            whole.along.push(one.delivery.id);
            whole.threads.extend(one.threads);
            whole.behind.extend(one.behind);
            whole.reminds.extend(one.reminds);
            whole
        })]
    }
}

/// The key of deliveries that leave as one mail.
#[derive(PartialEq, Eq, Hash)]
struct Together {
    kind: NoticeKind,
    reader: UserId,
    /// The next try and the number of refusals; `None`: they were not refused.
    failed: Option<(Timestamp, u32)>,
    /// The minute in which they were first claimed, or in which a hold ended. After a crash, what may have left as one mail
    /// is the same mail again, whatever else has come due meanwhile.
    minute: i64,
}

fn together(delivery: &Delivery) -> Option<Together> {
    let Recipient::User(reader) = delivery.recipient else { return None };
    let kind = delivery.kind;
    if !kind.is_gathered() {
        return None;
    }
    if delivery.attempts > 0 || delivery.last_error.is_some() {
        return Some(Together { kind, reader, failed: Some((delivery.next_at, delivery.attempts)), minute: 0 });
    }
    let claimed_at = delivery.first_claimed_at.map_or(delivery.next_at, |at| at.max(delivery.next_at));
    Some(Together { kind, reader, failed: None, minute: claimed_at.as_micros().div_euclid(60_000_000) })
}

/// When a delivery that does not leave now keeps others of its thread waiting until; what is held keeps nobody waiting.
fn tried_again_at(outcome: &Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Released { next_at, .. } => Some(*next_at),
        _ => None,
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
pub(super) fn warn_when_discarded(id: DeliveryId, kind: NoticeKind, outcome: &Outcome) {
    if let Outcome::Discarded { error } = outcome {
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
