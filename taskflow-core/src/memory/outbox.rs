use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_trait::async_trait;

use super::{Lease, MemoryStore, Row, State};
use crate::error::StoreError;
use crate::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
use crate::{
    BulkAction, BulkSelection, ChannelKind, Delivery, DeliveryId, DeliveryState, Effect, FailedAttempt, LeaseToken,
    MOST_TOGETHER, NoticeKind, Outcome, Rank, Recipient, Settlement, Timestamp, UserId,
};

impl State {
    /// Returns scheduled deliveries of a channel that are due, in the order in which they are sent.
    fn due(&self, channel: ChannelKind, now: Timestamp, kinds: &[NoticeKind]) -> Vec<DeliveryId> {
        let last = DeliveryId::from_uuid(uuid::Uuid::max());
        let of =
            |rank: Rank| self.scheduled.range(first(channel, rank)..=(channel, rank, now, last)).map(|(.., id)| *id);
        let known = |id: &DeliveryId| kinds.contains(&self.deliveries[id].delivery.kind);
        Rank::in_order(channel).into_iter().flat_map(of).filter(known).collect()
    }

    /// Returns only the first of the deliveries that are claimed together.
    fn without_followers(&self, due: Vec<DeliveryId>) -> Vec<DeliveryId> {
        let mut seen = HashSet::new();
        let first = |id: &DeliveryId| together(&self.deliveries[id].delivery).is_none_or(|one| seen.insert(one));
        due.into_iter().filter(first).collect()
    }

    /// Returns the deliveries that are claimed together with a delivery that was scheduled until now.
    fn followers(&self, leader: &Delivery, until: Timestamp) -> Vec<DeliveryId> {
        let Some(group) = together(leader) else { return Vec::new() };
        let rows = self.scheduled.iter().map(|(.., id)| &self.deliveries[id].delivery);
        let theirs =
            rows.filter(|one| one.id != leader.id && together(one).as_ref() == Some(&group) && one.next_at < until);
        theirs.map(|one| one.id).take(MOST_TOGETHER - 1).collect()
    }

    /// Returns claims whose lease has lapsed.
    fn lapsed(&self, at: Duration, request: &ClaimRequest) -> Vec<DeliveryId> {
        let rows = self.claimed.iter().map(|id| &self.deliveries[id]);
        let lapsed = rows.filter(|row| {
            row.lease.as_ref().is_some_and(|lease| lease.until <= at)
                && row.delivery.channel == request.channel
                && request.kinds.contains(&row.delivery.kind)
        });
        lapsed.map(|row| row.delivery.id).collect()
    }

    /// Holds a delivery under the lease of a request.
    fn claim(&mut self, id: DeliveryId, at: Duration, request: &ClaimRequest) -> Option<Claimed> {
        self.unschedule(id);
        let row = self.deliveries.get_mut(&id)?;
        row.delivery.state = DeliveryState::Claimed;
        row.delivery.first_claimed_at.get_or_insert(request.now);
        row.lease = Some(Lease { token: request.lease, until: at + request.lease_for });
        self.claimed.insert(id);
        Some(Claimed { delivery: row.delivery.clone(), lease: request.lease })
    }

    fn settle(&mut self, settlement: &Settlement) -> Settled {
        let Some(row) = self.deliveries.get_mut(&settlement.id) else { return Settled::LeaseLost };
        if row.lease.as_ref().is_none_or(|lease| lease.token != settlement.lease) {
            return Settled::LeaseLost;
        }
        row.lease = None;
        self.claimed.remove(&settlement.id);
        let delivery = &mut row.delivery;
        let said = settlement.outcome.columns();
        if let Some(error) = said.error {
            delivery.attempts += 1;
            delivery.last_error = Some(error.to_owned());
            row.failed.push(FailedAttempt { attempt: delivery.attempts, at: settlement.at, error: error.to_owned() });
        }
        let is_dropped = matches!(said.state, DeliveryState::Cancelled | DeliveryState::Expired);
        if let Some(reply) = said.reply {
            delivery.reply = Some(reply.to_owned());
            delivery.state = said.state;
        } else if delivery.cancel_requested {
            delivery.state = DeliveryState::Cancelled;
        } else if is_dropped && delivery.planned_at > settlement.at {
            delivery.state = DeliveryState::Scheduled;
        } else {
            delivery.state = said.state;
            delivery.next_at = said.next_at.unwrap_or(delivery.next_at);
            if let Some(reason) = said.reason {
                reason.clone_into(&mut delivery.reason);
            }
            if let Some(error) = said.released_error {
                delivery.last_error = Some(error.to_owned());
            }
            if said.held {
                delivery.last_error = None;
            }
        }
        delivery.cancel_requested = false;
        if delivery.state == DeliveryState::Scheduled {
            self.schedule(settlement.id);
        } else {
            delivery.settled_at = Some(settlement.at);
        }
        if let Some(effect) = settlement.effect {
            self.take_effect(effect);
        }
        Settled::Applied
    }

    fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::LastNotified(participant, told) => {
                let Some(participant) = self.participants.get_mut(&participant) else { return };
                let newest = participant.told.filter(|known| known.version > told.version);
                participant.told = newest.or(Some(told));
            }
        }
    }
}

/// Returns the place before all scheduled deliveries of this rank.
fn first(channel: ChannelKind, rank: Rank) -> (ChannelKind, Rank, Timestamp, DeliveryId) {
    (channel, rank, Timestamp::MIN, DeliveryId::from_uuid(uuid::Uuid::nil()))
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let at = self.started.elapsed();
        let mut state = self.state();
        let due = state.due(request.channel, request.now, &request.kinds);
        let mut ids = state.without_followers(due);
        let scheduled: HashSet<_> = ids.iter().copied().collect();
        ids.extend(state.lapsed(at, request));
        ids.truncate(request.limit as usize);
        let leaders: Vec<_> = ids.iter().filter(|id| scheduled.contains(id)).collect();
        let followers = leaders.iter().flat_map(|id| {
            let leader = &state.deliveries[id].delivery;
            state.followers(leader, request.minute_ends())
        });
        let mut followers: Vec<_> = followers.collect();
        followers.sort_by_key(|id| (state.deliveries[id].delivery.next_at, *id));
        ids.extend(followers);
        Ok(ids.into_iter().filter_map(|id| state.claim(id, at, request)).collect())
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        let at = self.started.elapsed();
        let mut state = self.state();
        let is_due = |state: &State, id: &DeliveryId| {
            state.deliveries.get(id).is_some_and(|Row { delivery, .. }| {
                delivery.state == DeliveryState::Scheduled
                    && delivery.next_at <= request.now
                    && delivery.channel == request.channel
                    && request.kinds.contains(&delivery.kind)
            })
        };
        let due: BTreeSet<_> = ids.iter().copied().filter(|id| is_due(&state, id)).collect();
        Ok(due.into_iter().filter_map(|id| state.claim(id, at, request)).collect())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        let mut state = self.state();
        let settled = settlements.iter().map(|settlement| state.settle(settlement)).collect();
        let held = settlements.iter().filter(|settlement| matches!(settlement.outcome, Outcome::Held { .. }));
        state.take_turns_again(&held.map(|settlement| settlement.id).collect::<Vec<_>>());
        Ok(settled)
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

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        Ok(self.state().change(action, selection, ids))
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        let state = self.state();
        let due = state.due(channel, now, &NoticeKind::known()).into_iter().map(|id| &state.deliveries[&id].delivery);
        let scheduled = state.scheduled.iter().map(|(.., id)| &state.deliveries[id].delivery);
        let was_tried = |one: &&Delivery| one.last_error.is_some() && one.first_claimed_at.is_some();
        let failed = scheduled.filter(|one| one.channel == channel && one.due_at <= now).filter(was_tried);
        let waiting = due.map(|delivery| delivery.next_at).chain(failed.map(|delivery| delivery.due_at));
        let next = |rank: Rank| {
            let from = first(channel, rank);
            state.scheduled.range(from..).next().filter(|next| (next.0, next.1) == (from.0, from.1))
        };
        let next_at = Rank::in_order(channel).into_iter().filter_map(next).map(|(_, _, next_at, _)| *next_at).min();
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

/// Returns the group in which a delivery is claimed, if it is gathered.
fn together(delivery: &Delivery) -> Option<Together> {
    let Recipient::User(reader) = delivery.recipient else { return None };
    let kind = delivery.kind;
    let has_failed = delivery.attempts > 0 || delivery.last_error.is_some();
    let failed = has_failed.then_some((delivery.next_at, delivery.attempts));
    delivery.is_gathered().then_some(Together { kind, reader, failed })
}
