//! Tells other nodes what happens on this one.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::{ANSWER, Outgoing, REST, Target, closed, no_answer, payload};

/// From one statement to the next: at most twenty a second.
const PACE: Duration = Duration::from_millis(50);
/// Delay after a failure: the initial and the maximum value.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Tells other nodes, over a connection that it opens when there is something to tell.
pub(super) struct Notifier {
    target: Target,
    own: Uuid,
    outgoing: Arc<Outgoing>,
    conn: Option<PgConnection>,
    /// Delay after the next failure.
    pause: Duration,
    failing: bool,
}

impl Notifier {
    pub(super) fn new(target: Target, own: Uuid, outgoing: Arc<Outgoing>) -> Self {
        Self { target, own, outgoing, conn: None, pause: PAUSE.0, failing: false }
    }

    /// Tells what there is to tell until `closes`, and then what is left, if that is possible at once.
    pub(super) async fn run(mut self, mut closes: watch::Receiver<bool>) {
        loop {
            let closing = tokio::select! {
                biased;
                () = closed(&mut closes) => true,
                () = self.outgoing.grown.notified() => false,
                () = tokio::time::sleep(REST), if self.conn.is_some() => {
                    self.check().await;
                    continue;
                }
            };
            let pause = self.tell().await;
            if closing {
                break;
            }
            tokio::select! {
                () = closed(&mut closes) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Some(conn) = self.conn.take() {
            // The server finds out by itself otherwise.
            let _ = timeout(ANSWER, conn.close()).await;
        }
    }

    /// Tells everything there is to tell, and says how long to wait before the next time.
    async fn tell(&mut self) -> Duration {
        let news = self.outgoing.take();
        let payloads = match payload::payloads(self.own, &news) {
            Ok(payloads) if payloads.is_empty() => return Duration::ZERO,
            Ok(payloads) => payloads,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "what happened here has no form in JSON");
                return PACE;
            }
        };
        match timeout(ANSWER, self.notify(&payloads)).await.unwrap_or_else(|_| Err(no_answer())) {
            Ok(()) => {
                self.pause = PAUSE.0;
                if std::mem::take(&mut self.failing) {
                    tracing::info!("other nodes are told at once again what happens here");
                }
                PACE
            }
            Err(error) => {
                self.conn = None;
                self.outgoing.put_back(news);
                if !std::mem::replace(&mut self.failing, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "other nodes cannot be told what happens here; they find it when they look");
                }
                let pause = self.pause;
                self.pause = PAUSE.1.min(2 * pause);
                pause
            }
        }
    }

    async fn notify(&mut self, payloads: &[String]) -> sqlx::Result<()> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => {
                let mut conn = PgConnection::connect_with(&self.target.options("taskflow tells")).await?;
                sqlx::query(IN_NO_HURRY).execute(&mut conn).await?;
                self.conn.insert(conn)
            }
        };
        sqlx::query(TELL).bind(payloads).execute(conn).await.map(drop)
    }

    /// A connection that rested for a while and has died is not kept until it is needed.
    async fn check(&mut self) {
        let Some(conn) = &mut self.conn else { return };
        let answer = timeout(ANSWER, conn.ping()).await.unwrap_or_else(|_| Err(no_answer()));
        if let Err(error) = answer {
            tracing::debug!(error = &error as &dyn std::error::Error, "the connection that tells was lost at rest");
            self.conn = None;
        }
    }
}

/// Nothing is written that would have to survive, so no disk has to be waited for.
const IN_NO_HURRY: &str = "SET synchronous_commit TO off";

const TELL: &str = "SELECT pg_catalog.pg_notify('taskflow', payload) FROM unnest($1::text[]) AS payload";
