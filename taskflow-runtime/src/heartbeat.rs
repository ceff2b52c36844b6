//! Membership in a cluster: this process writes heartbeats and keeps to its share of the mail rate.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Clock, Nodes};
use taskflow_core::{ClockCheck, Membership, MembershipStatus, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The interval between heartbeats, and how long one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    interval: Duration,
    lapse: Duration,
}

impl HeartbeatConfig {
    /// For processes that share work: others take over after five seconds.
    pub const LIVELY: Self = Self { interval: Duration::from_secs(1), lapse: Duration::from_secs(5) };

    /// For a process that is alone on its store and need not write every second.
    pub const CALM: Self = Self { interval: Duration::from_secs(15), lapse: Duration::from_secs(60) };
}

/// The interval while nodes do not agree on their shares yet.
const SOON: Duration = Duration::from_millis(100);
/// The longest time that a heartbeat may take: a connection that hangs must not cost the share.
const PATIENCE: Duration = Duration::from_secs(2);

/// Receives this node's share of the mail rate: mails per second, and how long the grant holds.
pub type GrantRate = Box<dyn Fn(f64, Duration) + Send + Sync>;

/// Writes heartbeats until it is stopped, and leaves the cluster then.
pub struct ClusterMember {
    membership: Membership,
    config: HeartbeatConfig,
    grant_rate: GrantRate,
    may_send: watch::Sender<bool>,
    clock: Arc<dyn Clock>,
    /// The end of the share, by the monotonic clock.
    holds_until: Duration,
    health: Health,
}

/// The state that was logged last.
#[derive(Debug, Default)]
struct Health {
    live: usize,
    is_displaced: bool,
    is_failing: bool,
}

impl ClusterMember {
    /// Joins as `node`. `grant_rate` receives this node's share of `mail_rate` (mails per second of all nodes together; 0
    /// means unlimited) with every heartbeat, and a share of zero at once.
    #[must_use]
    pub fn new(
        nodes: Arc<dyn Nodes>,
        clock: Arc<dyn Clock>,
        node: taskflow_core::Heartbeat,
        config: HeartbeatConfig,
        mail_rate: f64,
        grant_rate: GrantRate,
    ) -> Self {
        let limited = mail_rate > 0.0;
        if limited {
            grant_rate(0.0, Duration::ZERO);
        }
        Self {
            membership: Membership::new(nodes, Arc::clone(&clock), node, config.lapse, mail_rate),
            config,
            grant_rate,
            may_send: watch::Sender::new(!limited),
            clock,
            holds_until: Duration::ZERO,
            health: Health::default(),
        }
    }

    /// Compares the clock with the store's before each heartbeat.
    #[must_use]
    pub fn with_clock_check(self, check: Arc<ClockCheck>) -> Self {
        Self { membership: self.membership.with_clock_check(check), ..self }
    }

    /// Returns whether this node has a share at present. Senders wait for one instead of claiming mail that cannot leave.
    #[must_use]
    pub fn may_send(&self) -> watch::Receiver<bool> {
        self.may_send.subscribe()
    }

    /// Writes heartbeats until `stop` is cancelled. By then this node must have stopped sending, because its share goes to
    /// the others.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let pause = self.beat().await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        match tokio::time::timeout(PATIENCE, self.membership.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                tracing::debug!("could not leave the cluster; its share is free once the heartbeat lapses");
            }
        }
    }

    /// Writes one heartbeat and returns how long to wait for the next.
    async fn beat(&mut self) -> Duration {
        let beat = tokio::time::timeout(PATIENCE, self.membership.beat()).await;
        match beat.unwrap_or_else(|elapsed| Err(StoreError::Unavailable(elapsed.into()))) {
            Ok(standing) => {
                self.keep_to(&standing);
                self.health.after(&standing);
                if standing.is_unsettled { SOON } else { self.config.interval }
            }
            Err(error) => {
                self.health.failed(&error);
                // The grant ends by itself; nobody should go on claiming for it.
                if self.clock.monotonic() >= self.holds_until && !self.holds_until.is_zero() {
                    self.may_send.send_replace(false);
                }
                self.config.interval
            }
        }
    }

    fn keep_to(&mut self, standing: &MembershipStatus) {
        let Some(rate) = standing.mail_rate else { return };
        (self.grant_rate)(rate, standing.holds_for);
        self.holds_until = self.clock.monotonic() + standing.holds_for;
        self.may_send.send_if_modified(|may| std::mem::replace(may, rate > 0.0) != (rate > 0.0));
    }
}

impl Health {
    fn after(&mut self, standing: &MembershipStatus) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the other nodes can be heard again");
        }
        if standing.is_displaced && !self.is_displaced {
            tracing::error!("another process goes by the name of this node: give each its own NODE_ID");
        }
        if standing.live != self.live && (standing.live, self.live) != (1, 0) {
            let (live, mails_per_second) = (standing.live, standing.mail_rate);
            tracing::info!(live, mails_per_second, "nodes came or went");
        }
        (self.live, self.is_displaced) = (standing.live, standing.is_displaced);
    }

    fn failed(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the other nodes cannot be heard; this one's share of mail ends soon");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use taskflow_core::ports::SystemClock;
    use taskflow_core::{Heartbeat, MemoryStore, Timestamp};

    use super::*;

    /// The shares that were granted.
    type Granted = Arc<Mutex<Vec<f64>>>;

    fn member(store: &MemoryStore, name: &str, mail_rate: f64) -> (ClusterMember, Granted) {
        let granted = Granted::default();
        let log = Arc::clone(&granted);
        let node = Heartbeat {
            id: name.parse().expect("a name"),
            version: "1".to_owned(),
            started_at: Timestamp::from_micros(0),
            sends_mail: true,
            mail_rate: None,
            clock_ahead: None,
        };
        let grant_rate: GrantRate =
            Box::new(move |rate, _| log.lock().unwrap_or_else(PoisonError::into_inner).push(rate));
        let clock = Arc::new(SystemClock::new());
        (
            ClusterMember::new(Arc::new(store.clone()), clock, node, HeartbeatConfig::LIVELY, mail_rate, grant_rate),
            granted,
        )
    }

    #[tokio::test]
    async fn a_node_begins_with_nothing_and_hands_on_what_becomes_its_share() {
        let store = MemoryStore::new();
        let (mut one, granted) = member(&store, "one", 30.0);
        assert!(!*one.may_send().borrow());
        assert_eq!(one.beat().await, HeartbeatConfig::LIVELY.interval);
        assert!(*one.may_send().borrow());
        let (mut two, _) = member(&store, "two", 30.0);
        assert_eq!(two.beat().await, SOON);
        assert!(!*two.may_send().borrow());
        assert_eq!(one.beat().await, SOON);
        assert_eq!(*granted.lock().expect("no panic"), [0.0, 30.0, 15.0]);
    }

    #[tokio::test]
    async fn without_a_limit_nobody_waits_for_a_share_and_a_node_says_good_bye() {
        let store = MemoryStore::new();
        let (one, granted) = member(&store, "one", 0.0);
        assert!(*one.may_send().borrow());
        let stop = CancellationToken::new();
        stop.cancel();
        one.run(stop).await;
        assert_eq!(*granted.lock().expect("no panic"), [0.0; 0]);
        assert_eq!(store.nodes().await.expect("a list"), []);
    }
}
