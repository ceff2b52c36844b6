//! How this process takes part as one of several: it says every second that it is there, and keeps to its share of the
//! rate of mail.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Clock, Nodes};
use taskflow_core::{Membership, Standing, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// From one heartbeat to the next, and how long one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    interval: Duration,
    lapse: Duration,
}

impl HeartbeatConfig {
    /// For processes that share something: others take over after five seconds.
    pub const LIVELY: Self = Self { interval: Duration::from_secs(1), lapse: Duration::from_secs(5) };

    /// For a process that is alone with its disk, which need not write every second to say that it is there.
    pub const CALM: Self = Self { interval: Duration::from_secs(15), lapse: Duration::from_secs(60) };
}

/// As long as nodes do not agree yet what is whose.
const SOON: Duration = Duration::from_millis(100);
/// How long a heartbeat may take; a connection that hangs must not cost the share.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the share goes: mails per second, and for how long.
pub type Lend = Box<dyn Fn(f64, Duration) + Send + Sync>;

/// Beats until it is told to stop, and says good-bye then.
pub struct ClusterMember {
    membership: Membership,
    rhythm: HeartbeatConfig,
    lend: Lend,
    may_send: watch::Sender<bool>,
    clock: Arc<dyn Clock>,
    /// Until when the share holds, by the monotonic clock.
    holds_until: Duration,
    health: Health,
}

/// What the log was told last.
#[derive(Debug, Default)]
struct Health {
    live: usize,
    is_displaced: bool,
    is_failing: bool,
}

impl ClusterMember {
    /// Takes part as `node`. `lend` is told the share of `mail_rate` (for all nodes together; 0: unlimited) whenever it
    /// holds on, and at once that there is none yet.
    #[must_use]
    pub fn new(
        nodes: Arc<dyn Nodes>,
        clock: Arc<dyn Clock>,
        node: taskflow_core::Heartbeat,
        rhythm: HeartbeatConfig,
        mail_rate: f64,
        lend: Lend,
    ) -> Self {
        let limited = mail_rate > 0.0;
        if limited {
            lend(0.0, Duration::ZERO);
        }
        Self {
            membership: Membership::new(nodes, Arc::clone(&clock), node, rhythm.lapse, mail_rate),
            rhythm,
            lend,
            may_send: watch::Sender::new(!limited),
            clock,
            holds_until: Duration::ZERO,
            health: Health::default(),
        }
    }

    /// Whether this node has a share at present; those who send wait for it, instead of claiming mail that cannot leave.
    #[must_use]
    pub fn may_send(&self) -> watch::Receiver<bool> {
        self.may_send.subscribe()
    }

    /// Beats until `stop`; by then this node must have stopped sending, because its share goes to the others.
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
            // The others find out by themselves.
            Ok(Err(_)) | Err(_) => tracing::debug!("could not say good-bye to the other nodes"),
        }
    }

    /// One heartbeat; tells how long to wait for the next.
    async fn beat(&mut self) -> Duration {
        let beat = tokio::time::timeout(PATIENCE, self.membership.beat()).await;
        match beat.unwrap_or_else(|elapsed| Err(StoreError::Unavailable(elapsed.into()))) {
            Ok(standing) => {
                self.keep_to(&standing);
                self.health.after(&standing);
                if standing.is_unsettled { SOON } else { self.rhythm.interval }
            }
            Err(error) => {
                self.health.failed(&error);
                // The share ends by itself where it was lent to; nobody should go on claiming for it.
                if self.clock.monotonic() >= self.holds_until && !self.holds_until.is_zero() {
                    self.may_send.send_replace(false);
                }
                self.rhythm.interval
            }
        }
    }

    fn keep_to(&mut self, standing: &Standing) {
        let Some(rate) = standing.mail_rate else { return };
        (self.lend)(rate, standing.holds_for);
        self.holds_until = self.clock.monotonic() + standing.holds_for;
        self.may_send.send_if_modified(|may| std::mem::replace(may, rate > 0.0) != (rate > 0.0));
    }
}

impl Health {
    fn after(&mut self, standing: &Standing) {
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

    /// What was lent.
    type Lent = Arc<Mutex<Vec<f64>>>;

    fn presence(store: &MemoryStore, name: &str, mail_rate: f64) -> (ClusterMember, Lent) {
        let lent = Lent::default();
        let log = Arc::clone(&lent);
        let node = Heartbeat {
            id: name.parse().expect("a name"),
            version: "1".to_owned(),
            started_at: Timestamp::from_micros(0),
            sends_mail: true,
            mail_rate: None,
        };
        let lend: Lend = Box::new(move |rate, _| log.lock().unwrap_or_else(PoisonError::into_inner).push(rate));
        let clock = Arc::new(SystemClock::new());
        (ClusterMember::new(Arc::new(store.clone()), clock, node, HeartbeatConfig::LIVELY, mail_rate, lend), lent)
    }

    #[tokio::test]
    async fn a_node_begins_with_nothing_and_hands_on_what_becomes_its_share() {
        let store = MemoryStore::new();
        let (mut one, lent) = presence(&store, "one", 30.0);
        assert!(!*one.may_send().borrow());
        assert_eq!(one.beat().await, HeartbeatConfig::LIVELY.interval);
        assert!(*one.may_send().borrow());
        let (mut two, _) = presence(&store, "two", 30.0);
        assert_eq!(two.beat().await, SOON);
        assert!(!*two.may_send().borrow());
        assert_eq!(one.beat().await, SOON);
        assert_eq!(*lent.lock().expect("no panic"), [0.0, 30.0, 15.0]);
    }

    #[tokio::test]
    async fn without_a_limit_nobody_waits_for_a_share_and_a_node_says_good_bye() {
        let store = MemoryStore::new();
        let (one, lent) = presence(&store, "one", 0.0);
        assert!(*one.may_send().borrow());
        let stop = CancellationToken::new();
        stop.cancel();
        one.run(stop).await;
        assert_eq!(*lent.lock().expect("no panic"), [0.0; 0]);
        assert_eq!(store.nodes().await.expect("a list"), []);
    }
}
