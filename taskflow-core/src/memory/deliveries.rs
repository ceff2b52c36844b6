use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, Row, State};
use crate::error::StoreError;
use crate::ports::{Deliveries, DeliveryQuery};
use crate::{
    BulkAction, BulkSelection, ChannelKind, DedupeKey, Delivery, DeliveryId, DeliveryState, DeliveryWrite,
    FailedAttempt, Ledger, NewDelivery, Timestamp, TurnGroup, Turns,
};

impl MemoryWrite for DeliveryWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Cancel { .. } | Self::Reschedule { .. } => Ok(()),
            Self::Retry { id, .. } => {
                use DeliveryState::{Cancelled, Discarded, Expired};
                let state = check.state.deliveries.get(id).map(|row| row.delivery.state);
                check.require(matches!(state, Some(Discarded | Cancelled | Expired)))
            }
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Cancel { key, reason, at } => state.cancel(key, reason, *at),
            Self::Reschedule { key, due_at, next_at } => state.reschedule(key, *due_at, *next_at),
            Self::Retry { id, at } => state.retry(*id, *at),
        }
    }
}

impl State {
    pub(super) fn cancel(&mut self, key: &DedupeKey, reason: &str, at: Timestamp) {
        let Some(row) = self.by_key.get(key).and_then(|id| self.deliveries.get_mut(id)) else { return };
        let delivery = &mut row.delivery;
        match delivery.state {
            DeliveryState::Scheduled => {
                delivery.state = DeliveryState::Cancelled;
                delivery.settled_at = Some(at);
                delivery.reason = reason.to_owned();
                let id = delivery.id;
                self.unschedule(id);
            }
            DeliveryState::Claimed => {
                delivery.cancel_requested = true;
                delivery.reason = reason.to_owned();
            }
            DeliveryState::Delivered | DeliveryState::Discarded | DeliveryState::Cancelled | DeliveryState::Expired => {
            }
        }
    }

    /// Returns the turns behind those that are scheduled.
    pub(super) fn turns(&self, groups: impl IntoIterator<Item = TurnGroup>) -> Turns {
        let of = |group: TurnGroup| {
            let first = DeliveryId::from_uuid(uuid::Uuid::nil());
            let range = (group, group.begins, first)..(group, group.ends(), first);
            self.turns.range(range).next_back().map(|(group, last, _)| (*group, *last))
        };
        Turns::behind(Turns::groups(groups).into_iter().filter_map(of))
    }

    /// Lets a delivery leave when its time comes.
    pub(super) fn schedule(&mut self, id: DeliveryId) {
        let Some(Row { delivery, rank, turn, .. }) = self.deliveries.get(&id) else { return };
        self.scheduled.insert((delivery.channel, *rank, delivery.next_at, id));
        self.turns.extend(turn.map(|(group, at)| (group, at, id)));
    }

    /// Keeps a delivery from leaving: call it before its next attempt moves.
    pub(super) fn unschedule(&mut self, id: DeliveryId) {
        let Some(Row { delivery, rank, turn, .. }) = self.deliveries.get(&id) else { return };
        self.scheduled.remove(&(delivery.channel, *rank, delivery.next_at, id));
        if let Some((group, at)) = turn {
            self.turns.remove(&(*group, *at, id));
        }
    }

    /// Gives turns among what is due then to deliveries that were moved.
    pub(super) fn take_turns_again(&mut self, moved: &[DeliveryId]) {
        let group = |id: &DeliveryId| {
            let row = self.deliveries.get(id).filter(|row| row.delivery.state == DeliveryState::Scheduled)?;
            let (was, _) = row.turn?;
            let group = TurnGroup::of_stored(was.causer, row.rank, row.delivery.next_at);
            (group != was).then_some((*id, group))
        };
        let moved: Vec<_> = moved.iter().filter_map(group).collect();
        let mut turns = self.turns(moved.iter().map(|(_, group)| *group));
        for (id, group) in moved {
            self.unschedule(id);
            if let Some(row) = self.deliveries.get_mut(&id) {
                let turn = turns.take(group);
                (row.rank.lap, row.turn) = (turn.lap, Some((group, turn.at)));
            }
            self.schedule(id);
        }
    }

    pub(super) fn plan(&mut self, new: &NewDelivery, turns: &mut Turns) {
        let group = new.turn_group();
        let turn = group.map(|group| turns.take(group));
        let id = match self.by_key.get(&new.dedupe_key).and_then(|id| self.deliveries.get_mut(id)) {
            None => new.id,
            Some(row) if row.delivery.state == DeliveryState::Cancelled => row.delivery.id,
            Some(row) => {
                if row.delivery.cancel_requested {
                    row.delivery.cancel_requested = false;
                    row.delivery.reason.clone_from(&new.reason);
                    row.delivery.planned_at = new.planned_at;
                }
                return;
            }
        };
        let delivery = Delivery {
            id,
            dedupe_key: new.dedupe_key.clone(),
            kind: new.notice.kind(),
            notice: Ok(new.notice.clone()),
            recipient: new.recipient.clone(),
            state: DeliveryState::Scheduled,
            planned_at: new.planned_at,
            due_at: new.due_at,
            next_at: new.due_at,
            attempts: 0,
            first_claimed_at: None,
            settled_at: None,
            cancel_requested: false,
            last_error: None,
            reply: None,
            reason: new.reason.clone(),
            channel: new.channel,
        };
        self.by_key.insert(new.dedupe_key.clone(), id);
        let rank = new.rank(turn);
        let turn = group.zip(turn.map(|turn| turn.at));
        self.deliveries.insert(id, Row { delivery, rank, turn, lease: None, failed: Vec::new() });
        self.schedule(id);
    }

    /// Returns the deliveries that a selection selects.
    pub(super) fn selected(&self, selection: &BulkSelection) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values().map(|row| &row.delivery).filter(|delivery| selection.selects(delivery))
    }

    /// Changes those of these deliveries that a selection still selects, and returns them.
    pub(super) fn change(
        &mut self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Vec<DeliveryId> {
        let found = ids.iter().filter_map(|id| self.deliveries.get(id)).map(|row| &row.delivery);
        let found = found.filter(|one| action.states().contains(&one.state) && selection.selects(one));
        let found: Vec<_> = found.map(|delivery| (delivery.id, delivery.dedupe_key.clone())).collect();
        for (id, key) in &found {
            match action {
                BulkAction::Retry { at } => self.retry(*id, *at),
                BulkAction::Cancel { reason, at } => self.cancel(key, reason, *at),
            }
        }
        found.into_iter().map(|(id, _)| id).collect()
    }

    fn reschedule(&mut self, key: &DedupeKey, due_at: Timestamp, next_at: Timestamp) {
        let Some(id) = self.by_key.get(key).copied() else { return };
        let is_scheduled = |row: &Row| row.delivery.state == DeliveryState::Scheduled;
        if !self.deliveries.get(&id).is_some_and(is_scheduled) {
            return;
        }
        self.unschedule(id);
        if let Some(row) = self.deliveries.get_mut(&id) {
            (row.delivery.due_at, row.delivery.next_at) = (due_at, next_at);
        }
        self.schedule(id);
        self.take_turns_again(&[id]);
    }

    pub(super) fn retry(&mut self, id: DeliveryId, at: Timestamp) {
        let Some(row) = self.deliveries.get_mut(&id) else { return };
        let delivery = &mut row.delivery;
        delivery.state = DeliveryState::Scheduled;
        delivery.next_at = at;
        delivery.attempts = 0;
        delivery.first_claimed_at = None;
        delivery.settled_at = None;
        row.failed.clear();
        self.schedule(id);
    }
}

#[async_trait]
impl Deliveries for MemoryStore {
    async fn ledgers(&self) -> Result<BTreeMap<ChannelKind, Ledger>, StoreError> {
        let state = self.state();
        let mut ledgers = state.purged.clone();
        for Row { delivery, .. } in state.deliveries.values() {
            ledgers.entry(delivery.channel).or_default().count(delivery.state, 1);
        }
        Ok(ledgers)
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<FailedAttempt>)>, StoreError> {
        Ok(self.state().deliveries.get(&id).map(|row| (row.delivery.clone(), row.failed.clone())))
    }

    async fn deliveries_with_key(&self, prefix: &str, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let state = self.state();
        let from = state.by_key.range(DedupeKey::new(prefix)..);
        let keys = from.take_while(|(key, _)| key.as_str().starts_with(prefix));
        Ok(keys.take(limit as usize).map(|(_, id)| state.deliveries[id].delivery.clone()).collect())
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let state = self.state();
        let rows = state.deliveries.values().rev().map(|row| &row.delivery);
        let earlier = rows.filter(|delivery| before.is_none_or(|before| delivery.id < before));
        Ok(earlier.filter(|delivery| matches(query, delivery)).take(size as usize).cloned().collect())
    }

    async fn delivery_counts(
        &self,
        query: &DeliveryQuery,
        most: u32,
    ) -> Result<HashMap<DeliveryState, u64>, StoreError> {
        let (state, mut counts) = (self.state(), HashMap::new());
        for row in state.deliveries.values().filter(|row| matches(query, &row.delivery)) {
            let count = counts.entry(row.delivery.state).or_insert(0);
            *count = u64::from(most).min(*count + 1);
        }
        Ok(counts)
    }

    async fn selected(&self, selection: &BulkSelection, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        Ok(self.state().selected(selection).map(|delivery| delivery.id).take(limit as usize).collect())
    }

    async fn deliveries_after(&self, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, StoreError> {
        let state = self.state();
        let rows = state.deliveries.values().map(|row| &row.delivery);
        let later = rows.filter(|delivery| after.is_none_or(|after| delivery.id > after));
        Ok(later.take(size as usize).cloned().collect())
    }
}

/// Returns whether a delivery is among those that a query selects.
fn matches(query: &DeliveryQuery, delivery: &Delivery) -> bool {
    (query.kinds.is_empty() || query.kinds.contains(&delivery.kind))
        && (query.states.is_empty() || query.states.contains(&delivery.state))
        && query.from.is_none_or(|from| delivery.id >= from)
        && query.recipients.as_ref().is_none_or(|them| them.iter().any(|one| one.is_same(&delivery.recipient)))
}
