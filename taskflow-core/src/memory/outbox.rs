use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;

use super::{Lease, MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
use crate::{
    Delivery, DeliveryId, DeliveryState, FailedAttempt, LeaseToken, MOST_TOGETHER, NoticeKind, Outcome, Priority,
    Recipient, Settlement, Timestamp, UserId,
};

impl State {
    /// Scheduled deliveries whose time has come, in the order they leave.
    fn due(&self, now: Timestamp, kinds: &[NoticeKind]) -> Vec<DeliveryId> {
        let last = DeliveryId::from_uuid(uuid::Uuid::max());
        let of = |priority: Priority| {
            let rank = priority.rank();
            let range = (rank, Timestamp::MIN, DeliveryId::from_uuid(uuid::Uuid::nil()))..=(rank, now, last);
            self.scheduled.range(range).map(|(_, _, id)| *id)
        };
        let known = |id: &DeliveryId| kinds.contains(&self.deliveries[id].delivery.kind);
        Priority::ALL.into_iter().flat_map(of).filter(known).collect()
    }

    /// Of those that are claimed together only the first.
    fn without_followers(&self, due: Vec<DeliveryId>) -> Vec<DeliveryId> {
        let mut seen = HashSet::new();
        let first = |id: &DeliveryId| together(&self.deliveries[id].delivery).is_none_or(|one| seen.insert(one));
        due.into_iter().filter(first).collect()
    }

    /// What is claimed together with one that was scheduled until now.
    fn followers(&self, leader: &Delivery, until: Timestamp) -> Vec<DeliveryId> {
        let Some(group) = together(leader) else { return Vec::new() };
        let rows = self.scheduled.iter().map(|(_, _, id)| &self.deliveries[id].delivery);
        let theirs =
            rows.filter(|one| one.id != leader.id && together(one).as_ref() == Some(&group) && one.next_at < until);
        theirs.map(|one| one.id).take(MOST_TOGETHER - 1).collect()
    }

    /// Claims whose holder has not come back in time.
    fn lapsed(&self, at: Duration, kinds: &[NoticeKind]) -> Vec<DeliveryId> {
        let rows = self.claimed.iter().map(|id| &self.deliveries[id]);
        let lapsed = rows.filter(|row| {
            row.lease.as_ref().is_some_and(|lease| lease.until <= at) && kinds.contains(&row.delivery.kind)
        });
        lapsed.map(|row| row.delivery.id).collect()
    }

    fn settle(&mut self, settlement: &Settlement) -> Settled {
        let Some(row) = self.deliveries.get_mut(&settlement.id) else { return Settled::LeaseLost };
        if row.lease.as_ref().is_none_or(|lease| lease.token != settlement.lease) {
            return Settled::LeaseLost;
        }
        row.lease = None;
        self.claimed.remove(&settlement.id);
        let delivery = &mut row.delivery;
        let failed = match &settlement.outcome {
            Outcome::Retry { error, .. } | Outcome::Discarded { error } => Some(error),
            _ => None,
        };
        if let Some(error) = failed {
            delivery.attempts += 1;
            delivery.last_error = Some(error.clone());
            row.failed.push(FailedAttempt { attempt: delivery.attempts, at: settlement.at, error: error.clone() });
        }
        delivery.state = match &settlement.outcome {
            Outcome::Delivered { reply, .. } => {
                delivery.reply = Some(reply.clone());
                DeliveryState::Delivered
            }
            _ if delivery.cancel_requested => DeliveryState::Cancelled,
            Outcome::Cancelled { .. } | Outcome::Expired { .. } if delivery.planned_at > settlement.at => {
                DeliveryState::Scheduled
            }
            Outcome::Retry { next_at, .. } => {
                delivery.next_at = *next_at;
                DeliveryState::Scheduled
            }
            Outcome::Released { next_at, error } => {
                delivery.next_at = *next_at;
                if error.is_some() {
                    delivery.last_error.clone_from(error);
                }
                DeliveryState::Scheduled
            }
            Outcome::Held { until } => {
                delivery.next_at = *until;
                delivery.last_error = None;
                DeliveryState::Scheduled
            }
            Outcome::Discarded { .. } => DeliveryState::Discarded,
            Outcome::Cancelled { reason } => {
                delivery.reason.clone_from(reason);
                DeliveryState::Cancelled
            }
            Outcome::Expired { reason } => {
                delivery.reason.clone_from(reason);
                DeliveryState::Expired
            }
        };
        delivery.cancel_requested = false;
        if delivery.state == DeliveryState::Scheduled {
            self.scheduled.insert((delivery.kind.priority().rank(), delivery.next_at, delivery.id));
        } else {
            delivery.settled_at = Some(settlement.at);
        }
        if let Outcome::Delivered { told: Some((participant, told)), .. } = &settlement.outcome
            && let Some(participant) = self.participants.get_mut(participant)
        {
            let newest = participant.told.filter(|known| known.version > told.version);
            participant.told = newest.or(Some(*told));
        }
        Settled::Applied
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let at = self.started.elapsed();
        let mut state = self.state();
        let due = state.due(request.now, &request.kinds);
        let mut ids = state.without_followers(due);
        let scheduled: HashSet<_> = ids.iter().copied().collect();
        ids.extend(state.lapsed(at, &request.kinds));
        ids.truncate(request.limit as usize);
        let leaders: Vec<_> = ids.iter().filter(|id| scheduled.contains(id)).collect();
        let followers = leaders.iter().flat_map(|id| {
            let leader = &state.deliveries[id].delivery;
            state.followers(leader, request.minute_ends())
        });
        let mut followers: Vec<_> = followers.collect();
        followers.sort_by_key(|id| (state.deliveries[id].delivery.next_at, *id));
        ids.extend(followers);
        let mut claim = |id: DeliveryId| {
            let row = state.deliveries.get_mut(&id)?;
            let delivery = &mut row.delivery;
            delivery.state = DeliveryState::Claimed;
            delivery.first_claimed_at.get_or_insert(request.now);
            row.lease = Some(Lease { token: request.lease, until: at + request.lease_for });
            let claimed = Claimed { delivery: delivery.clone(), lease: request.lease };
            state.claimed.insert(id);
            state.scheduled.remove(&(claimed.delivery.kind.priority().rank(), claimed.delivery.next_at, id));
            Some(claimed)
        };
        Ok(ids.into_iter().filter_map(&mut claim).collect())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        let mut state = self.state();
        Ok(settlements.iter().map(|settlement| state.settle(settlement)).collect())
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        let until = self.started.elapsed() + lease_for;
        let mut state = self.state();
        let mut renew = |(id, token): &(DeliveryId, LeaseToken)| {
            let lease = state.deliveries.get_mut(id)?.lease.as_mut().filter(|lease| lease.token == *token)?;
            lease.until = until;
            Some(*id)
        };
        Ok(held.iter().filter_map(&mut renew).collect())
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let state = self.state();
        let due = state.due(now, &NoticeKind::known()).into_iter().map(|id| &state.deliveries[&id].delivery);
        let scheduled = state.scheduled.iter().map(|(_, _, id)| &state.deliveries[id].delivery);
        let was_tried = |one: &&Delivery| one.last_error.is_some() && one.first_claimed_at.is_some();
        let failed = scheduled.filter(was_tried).filter(|delivery| delivery.due_at <= now);
        let waiting = due.map(|delivery| delivery.next_at).chain(failed.map(|delivery| delivery.due_at));
        let first = |priority: Priority| {
            let from = (priority.rank(), Timestamp::MIN, DeliveryId::from_uuid(uuid::Uuid::nil()));
            state.scheduled.range(from..).next().filter(|(rank, ..)| *rank == priority.rank())
        };
        let next_at = Priority::ALL.into_iter().filter_map(first).map(|(_, next_at, _)| *next_at).min();
        Ok(Backlog { oldest_due_at: waiting.min(), next_at })
    }
}

/// The key of deliveries that are claimed together.
#[derive(PartialEq, Eq, Hash)]
struct Together {
    kind: NoticeKind,
    reader: UserId,
    /// The next try and the number of refusals; `None`: they were not refused.
    failed: Option<(Timestamp, u32)>,
}

/// Returns what a delivery is claimed together by, if its kind is gathered.
fn together(delivery: &Delivery) -> Option<Together> {
    let Recipient::User(reader) = delivery.recipient else { return None };
    let kind = delivery.kind;
    let has_failed = delivery.attempts > 0 || delivery.last_error.is_some();
    let failed = has_failed.then_some((delivery.next_at, delivery.attempts));
    kind.is_gathered().then_some(Together { kind, reader, failed })
}
