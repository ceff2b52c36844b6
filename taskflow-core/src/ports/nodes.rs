use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Heartbeat, Node, NodeId, Timestamp};

/// The processes that share the store.
///
/// # Contract
///
/// * Ages and lapses are **by the store's own clock**, because those of nodes differ.
/// * [`beat`](Nodes::beat) reads the nodes after its heartbeat was written: of two nodes that beat at the same time, at
///   least one sees the other.
/// * A name belongs to the process of that name that was started last, until it lapses; heartbeats of an earlier one
///   change nothing meanwhile.
/// * The cost depends only on the number of nodes within the last days.
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
