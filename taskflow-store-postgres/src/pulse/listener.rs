//! Hears what other nodes tell.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Acquire, Connection, PgPool};
use taskflow_core::ports::{EventBus, Signal};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::{ANSWER, CHANNEL, REST, Target, closed, no_answer, payload};

/// Delay before the next attempt to connect: the initial and the maximum value.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Passes on to a bus what other nodes tell.
pub(super) struct Listener {
    target: Target,
    own: Uuid,
    bus: Arc<dyn EventBus>,
    /// Delay before reconnecting after the next loss of the connection.
    pause: Duration,
    failing: bool,
}

impl Listener {
    pub(super) fn new(target: Target, own: Uuid, bus: Arc<dyn EventBus>) -> Self {
        Self { target, own, bus, pause: PAUSE.0, failing: false }
    }

    /// Listens until `closes`.
    pub(super) async fn run(mut self, mut closes: watch::Receiver<bool>) {
        loop {
            // A new one each time: that of a connection which has died without a word would wait for it.
            let pool = self.pool();
            let lost = tokio::select! {
                biased;
                () = closed(&mut closes) => {
                    // By now nobody listens any more, which it would wait for.
                    let _ = timeout(ANSWER, pool.close()).await;
                    return;
                }
                lost = self.listen(&pool) => lost,
            };
            let Err(error) = lost;
            if !std::mem::replace(&mut self.failing, true) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "other nodes cannot be heard; what happens there is found by looking");
            }
            tokio::select! {
                () = closed(&mut closes) => return,
                () = tokio::time::sleep(self.pause) => {}
            }
            self.pause = PAUSE.1.min(2 * self.pause);
        }
    }

    fn pool(&self) -> PgPool {
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER);
        // It is not for the pool to end a connection that listens.
        let one = one.max_lifetime(None).idle_timeout(None).test_before_acquire(false);
        one.connect_lazy_with(self.target.options("taskflow listens"))
    }

    /// Connects, and passes on what is heard until the connection is lost.
    async fn listen(&mut self, pool: &PgPool) -> sqlx::Result<Infallible> {
        let connect = async {
            let mut listener = PgListener::connect_with(pool).await?;
            // Connecting again is done here, where it is known that something may have been missed meanwhile.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        let mut listener = timeout(ANSWER, connect).await.unwrap_or_else(|_| Err(no_answer()))?;
        if std::mem::take(&mut self.failing) {
            tracing::info!("other nodes can be heard again");
        }
        // What was said before is lost.
        self.bus.publish(&[Signal::Missed]);
        let lost = self.hear(&mut listener).await;
        self.bus.publish(&[Signal::Missed]);
        lost
    }

    async fn hear(&mut self, listener: &mut PgListener) -> sqlx::Result<Infallible> {
        loop {
            match timeout(REST, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => {
                    let signals = payload::signals(self.own, notification.payload());
                    if !signals.is_empty() {
                        self.bus.publish(&signals);
                    }
                }
                Ok(Ok(None)) => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let conn = listener.acquire().await?;
                    timeout(ANSWER, conn.ping()).await.unwrap_or_else(|_| Err(no_answer()))?;
                    // It is a connection that lasts.
                    self.pause = PAUSE.0;
                }
            }
        }
    }
}
