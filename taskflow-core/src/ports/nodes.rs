use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Heartbeat, Node, NodeId, Timestamp};

/// The processes that share the store.
///
/// # Contract
///
/// * How long ago something was, and until when a node counts, is **by the store's own clock**: those of nodes differ.
/// * What [`beat`](Nodes::beat) tells was read after its heartbeat was written: of two that beat at the same time at least
///   one hears of the other.
/// * A name belongs to whoever of that name was started last, until they lapse; heartbeats of an earlier one change
///   nothing meanwhile.
/// * Cost depends on how many nodes there are and were within days, on nothing else.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Writes a heartbeat, which makes its node live for `lapse` from now, and returns all nodes by their ids.
    async fn beat(&self, beat: &Heartbeat, lapse: Duration) -> Result<Vec<Node>, StoreError>;

    /// Removes a node that leaves; one of the same name that was started at another time stays.
    async fn leave(&self, id: &NodeId, started_at: Timestamp) -> Result<(), StoreError>;

    /// Returns all nodes by their ids (bytes), including those that lapsed.
    async fn nodes(&self) -> Result<Vec<Node>, StoreError>;

    /// Returns the time by the store's own clock; `None` when the store has the clock of this process.
    async fn store_time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Removes lapsed nodes that have been silent for so long, and tells how many.
    async fn forget_nodes(&self, silent_for: Duration) -> Result<u64, StoreError>;
}
