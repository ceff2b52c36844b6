use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::error::StoreError;
use crate::ports::Nodes;
use crate::{Heartbeat, Node, NodeId, Timestamp};

/// A node as it is kept; times are the store's own.
#[derive(Debug)]
pub(super) struct NodeRow {
    said: Heartbeat,
    seen: Duration,
    live_until: Duration,
}

impl NodeRow {
    fn at(&self, now: Duration) -> Node {
        Node { said: self.said.clone(), silent_for: now.saturating_sub(self.seen), is_live: self.live_until > now }
    }
}

#[async_trait]
impl Nodes for MemoryStore {
    async fn beat(&self, beat: &Heartbeat, lapse: Duration) -> Result<Vec<Node>, StoreError> {
        let mut state = self.state();
        // Read under the lock, so that it does not go back from one beat to the next.
        let now = self.started.elapsed();
        let theirs = state.nodes.get(&beat.id);
        if theirs.is_none_or(|row| row.said.started_at <= beat.started_at || row.live_until <= now) {
            let row = NodeRow { said: beat.clone(), seen: now, live_until: now + lapse };
            state.nodes.insert(beat.id.clone(), row);
        }
        Ok(state.nodes.values().map(|row| row.at(now)).collect())
    }

    async fn leave(&self, id: &NodeId, started_at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.nodes.get(id).is_some_and(|row| row.said.started_at == started_at) {
            state.nodes.remove(id);
        }
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let now = self.started.elapsed();
        Ok(self.state().nodes.values().map(|row| row.at(now)).collect())
    }

    async fn forget_nodes(&self, silent_for: Duration) -> Result<u64, StoreError> {
        let now = self.started.elapsed();
        let mut state = self.state();
        let before = state.nodes.len();
        state.nodes.retain(|_, row| row.live_until > now || now.saturating_sub(row.seen) < silent_for);
        Ok((before - state.nodes.len()) as u64)
    }
}
