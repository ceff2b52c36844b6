//! The processes that share the work: how one takes part, and who is there.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use crate::error::{Error, StoreError};
use crate::ports::{Clock, Nodes};
use crate::{Actor, ClockCheck, Heartbeat, Node, NodeId, Share};

use_cases! {
    /// Use cases of the processes that share a store.
    NodeUseCases,
    /// Returns the use cases of the processes that share a store.
    nodes
}

impl NodeUseCases<'_> {
    /// Returns up to `size` nodes after `after` by their ids, of those with a heartbeat within [a
    /// day](App::NODE_MEMORY); for administrators.
    pub async fn list_after(self, actor: Actor, after: Option<&NodeId>, size: u32) -> Result<Vec<Node>, Error> {
        self.app.admit_admin(actor).await?;
        let mut nodes = self.app.known_nodes().await?;
        nodes.retain(|node| node.is_live || node.silent_for < App::NODE_MEMORY);
        nodes.retain(|node| after.is_none_or(|after| node.said.id > *after));
        nodes.truncate(size as usize);
        Ok(nodes)
    }
}

impl App {
    /// Time for which a node that is gone is still listed.
    pub const NODE_MEMORY: Duration = Duration::from_hours(24);
}

/// The membership of a process in a cluster of nodes that share the work. Its step [`beat`](Self::beat) is taken about
/// once a second.
pub struct Membership {
    nodes: Arc<dyn Nodes>,
    clock: Arc<dyn Clock>,
    said: Heartbeat,
    lapse: Duration,
    share: Option<Share>,
    /// The time, by the monotonic clock, until which the others respect the last claim.
    until: Duration,
    joined: bool,
    clock_check: Option<Arc<ClockCheck>>,
}

/// The state of a node after a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct MembershipStatus {
    /// Number of live nodes, including this one.
    pub live: usize,
    /// Number of mails per second that this node may begin; 0 means none, `None` means no limit.
    pub mail_rate: Option<f64>,
    /// Time for which the rate holds if no other heartbeat succeeds: then the others take it over.
    pub holds_for: Duration,
    /// Whether the claimed rate has to change: the sooner the next heartbeat, the sooner all nodes agree.
    pub is_unsettled: bool,
    /// Whether another process of the same name was started later. Then this one is not counted.
    pub is_displaced: bool,
}

impl Membership {
    /// Creates the membership of `node`, which counts as live for `lapse` after each heartbeat. `mail_rate` is in mails
    /// per second and for all nodes together; 0 means unlimited. The rate in `node` is ignored.
    pub fn new(nodes: Arc<dyn Nodes>, clock: Arc<dyn Clock>, node: Heartbeat, lapse: Duration, mail_rate: f64) -> Self {
        let share = (node.sends_mail && mail_rate > 0.0).then(|| Share::of(mail_rate));
        Self { nodes, clock, said: node, lapse, share, until: Duration::ZERO, joined: false, clock_check: None }
    }

    /// Compares the clock with the store's before each heartbeat, which tells the others how far it is ahead.
    #[must_use]
    pub fn with_clock_check(self, check: Arc<ClockCheck>) -> Self {
        Self { clock_check: Some(check), ..self }
    }

    /// Sends a heartbeat, reads the other nodes and decides this node's share.
    ///
    /// Fails as the store does; the previous share holds for as long as it was granted.
    pub async fn beat(&mut self) -> Result<MembershipStatus, StoreError> {
        if !self.joined {
            // Names may be new at each start, so that there is something to forget whenever somebody joins.
            self.nodes.forget_nodes(App::NODE_MEMORY).await?;
        }
        if let Some(check) = &self.clock_check {
            check.measure(&*self.nodes).await?;
            self.said.clock_ahead = check.ahead();
        }
        let began = self.clock.monotonic();
        self.said.mail_rate = self.share.as_ref().map(Share::claim);
        let nodes = self.nodes.beat(&self.said, self.lapse).await?;
        let ended = self.clock.monotonic();
        self.joined = true;
        if let Some(share) = &mut self.share {
            if ended >= self.until {
                share.lapse();
            }
            share.decide(&self.said, &nodes);
        }
        self.until = began + self.lapse;
        Ok(MembershipStatus {
            live: nodes.iter().filter(|node| node.is_live).count(),
            mail_rate: self.share.as_ref().map(Share::used),
            holds_for: self.until.saturating_sub(ended),
            is_unsettled: self.share.as_ref().map(Share::claim) != self.said.mail_rate,
            is_displaced: !self.said.is_among(&nodes),
        })
    }

    /// Says good-bye, so that the others need not wait for this node to lapse. It must have stopped sending.
    pub async fn leave(&self) -> Result<(), StoreError> {
        self.nodes.leave(&self.said.id, self.said.started_at).await
    }
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("said", &self.said).field("share", &self.share).finish_non_exhaustive()
    }
}
