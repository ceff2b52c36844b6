//! The processes that share one store, and how they share one rate of mail.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{InvalidValue, Timestamp};

/// The name of a process among those that share its store: 1 to 64 ASCII letters, digits, '.', '_' or '-'.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if !plain || !(1..=Self::MAX_LENGTH).contains(&text.len()) {
            let most = Self::MAX_LENGTH;
            return Err(InvalidValue::new(format!("must have 1 to {most} letters, digits, '.', '_' or '-'")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The heartbeat of a node, which it repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// The name of the node.
    pub id: NodeId,
    /// The software version that the node runs.
    pub version: String,
    /// The time at which the process was started, by its own clock. It distinguishes processes of one name.
    pub started_at: Timestamp,
    /// Whether the node sends mail.
    pub sends_mail: bool,
    /// Number of mails per second that it claims from a rate that all nodes share; it never begins more than that.
    /// `None` if it knows of no such rate.
    pub mail_rate: Option<f64>,
    /// Microseconds by which its clock is ahead of the store's; negative if it is behind. `None` if they were not
    /// compared.
    pub clock_ahead: Option<i64>,
}

/// A node as the others know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its last heartbeat.
    pub said: Heartbeat,
    /// Time since its last heartbeat, by the store's clock.
    pub silent_for: Duration,
    /// Whether the node is live: its last heartbeat has not lapsed.
    pub is_live: bool,
}

/// The share of one node in the mails per second that all nodes together may begin.
///
/// A fair share is the same for every node that sends. Nodes do not rely on each other for that. A node **uses** no
/// more than it has claimed in a heartbeat. It takes more into use only if, after that heartbeat, the claims of all
/// live nodes together are within the rate. Heartbeats are written before the others are read, so of two nodes that
/// want more at the same time at least one sees the claim of the other. So the sum never exceeds the rate, whichever
/// node comes, leaves, sleeps or dies; until the nodes agree it is less.
///
/// Shares are fractions of mails, not rounded: however many nodes there are, each gets something, and nothing is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    cluster: f64,
    claim: f64,
    used: f64,
}

/// Largest rounding error of a sum of fractions.
const ROUNDING: f64 = 1e-9;

impl Share {
    /// Creates the share of a rate in mails per second. It starts with nothing and claims all of it, which a node that
    /// is alone gets at once.
    #[must_use]
    pub fn of(cluster: f64) -> Self {
        Self { cluster, claim: cluster, used: 0.0 }
    }

    /// Returns the number of mails per second that the next heartbeat is to claim.
    #[must_use]
    pub fn claim(&self) -> f64 {
        self.claim
    }

    /// Returns the number of mails per second that may begin now; 0 means none.
    #[must_use]
    pub fn used(&self) -> f64 {
        self.used
    }

    /// Lets go of it: the others no longer count on the claim.
    pub fn lapse(&mut self) {
        self.used = 0.0;
    }

    /// Decides again after the heartbeat `said`, by the `nodes` that were live then.
    pub fn decide(&mut self, said: &Heartbeat, nodes: &[Node]) {
        if !nodes.iter().any(|node| said.is_of_process(node) && node.is_live) {
            // The answer took too long, or somebody else goes by this name: nobody respects what was claimed.
            *self = Self::of(self.cluster);
            return;
        }
        let senders = || nodes.iter().filter(|node| node.is_live && node.said.sends_mail);
        let claimed: f64 = senders().filter_map(|node| node.said.mail_rate).sum();
        let fair = self.cluster / senders().count().max(1) as f64;
        let agreed = claimed <= self.cluster * (1.0 + ROUNDING);
        let allowed = if agreed { said.mail_rate.unwrap_or(0.0) } else { self.used };
        self.used = allowed.min(fair);
        self.claim = fair;
    }
}

impl Heartbeat {
    /// Returns whether these nodes include the process that sends this heartbeat, rather than another process of its
    /// name.
    #[must_use]
    pub fn is_among(&self, nodes: &[Node]) -> bool {
        nodes.iter().any(|node| self.is_of_process(node))
    }

    fn is_of_process(&self, node: &Node) -> bool {
        node.said.id == self.id && node.said.started_at == self.started_at
    }
}

#[cfg(test)]
mod tests;
