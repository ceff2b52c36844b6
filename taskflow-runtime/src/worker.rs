//! The delivery loop: decides when core's delivery step runs, and logs what it did.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use taskflow_core::ports::{Clock, EventBus, Signal};
use taskflow_core::{App, ChannelKind, DeliveryReport, Error, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The first wait after a failure; it doubles from one failure to the next.
const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Runs the delivery step of each channel when the bus signals that something was planned, when a planned time arrives, and at
/// least every `tick`. Each channel has a loop of its own, so that a pause of one delays no other.
pub struct Worker {
    app: Arc<App>,
    clock: Arc<dyn Clock>,
    tick: Duration,
    may_send: Option<watch::Receiver<bool>>,
}

impl Worker {
    /// Creates a loop around the delivery step of `app`.
    #[must_use]
    pub fn new(app: Arc<App>, clock: Arc<dyn Clock>, tick: Duration) -> Self {
        Self { app, clock, tick, may_send: None }
    }

    /// Begins steps only while `may_send` is true. Steps under way go on.
    #[must_use]
    pub fn while_allowed(self, may_send: watch::Receiver<bool>) -> Self {
        Self { may_send: Some(may_send), ..self }
    }

    /// Runs until `stop` is cancelled, and waits for the steps under way; [`OutboxUseCases::drain`] makes those short.
    ///
    /// [`OutboxUseCases::drain`]: taskflow_core::use_cases::OutboxUseCases::drain
    pub async fn run(self, bus: Arc<dyn EventBus>, stop: CancellationToken) {
        let lanes = self.app.outbox().channels().into_iter().map(|channel| Lane {
            app: Arc::clone(&self.app),
            clock: Arc::clone(&self.clock),
            tick: self.tick,
            may_send: self.may_send.clone(),
            channel,
            health: Health::default(),
        });
        join_all(lanes.map(|lane| lane.run(bus.subscribe(), &stop))).await;
        stop.cancelled().await;
    }
}

/// The loop of one channel.
struct Lane {
    app: Arc<App>,
    clock: Arc<dyn Clock>,
    tick: Duration,
    may_send: Option<watch::Receiver<bool>>,
    channel: ChannelKind,
    health: Health,
}

impl Lane {
    async fn run(mut self, mut signals: BoxStream<'static, Signal>, stop: &CancellationToken) {
        while self.is_allowed(stop).await {
            let outcome = self.step().await;
            let change = self.health.after(&outcome);
            log(self.channel, &outcome, change);
            let wait = match self.health.backoff {
                Some(backoff) => Wait { longest: backoff, planned_before: None },
                None => self.next_look().await,
            };
            wait.over(&mut signals, stop).await;
        }
    }

    /// Waits until a step may begin. Returns false when the loop has to end instead.
    async fn is_allowed(&mut self, stop: &CancellationToken) -> bool {
        if let Some(may_send) = &mut self.may_send {
            tokio::select! {
                () = stop.cancelled() => {}
                // The sender is gone, so nobody can allow it any more.
                gone = async { may_send.wait_for(|may| *may).await.is_err() } => if gone { stop.cancelled().await },
            }
        }
        !stop.is_cancelled()
    }

    /// Runs one step in a task of its own, so that a panic ends the step and not the loop.
    async fn step(&self) -> Outcome {
        let (app, channel) = (Arc::clone(&self.app), self.channel);
        let mut step = tokio::spawn(async move { app.outbox().deliver_due_on(channel).await });
        // A slow message must not delay what has come due meanwhile.
        let ended = loop {
            match tokio::time::timeout(self.tick, &mut step).await {
                Ok(ended) => break ended,
                Err(_) => self.app.outbox().nudge(),
            }
        };
        match ended {
            Ok(Ok(report)) => Outcome::Ran(report),
            Ok(Err(error)) => Outcome::StoreFailed(error),
            Err(_) => Outcome::Panicked,
        }
    }

    /// Waits as long as nothing can become due without a signal. What is due already and still there is not for this
    /// build, or held by another node: it must not keep this loop busy.
    async fn next_look(&self) -> Wait {
        let next_at = match self.app.outbox().backlog_on(self.channel).await {
            Ok(backlog) => backlog.next_at,
            Err(_) => None,
        };
        let now = self.clock.now();
        let until = next_at.map(|at| at.since(now)).filter(|wait| !wait.is_zero());
        let longest = until.map_or(self.tick, |wait| wait.min(self.tick));
        Wait { longest, planned_before: Some(now + longest) }
    }
}

/// The result of one step.
#[derive(Debug)]
enum Outcome {
    Ran(DeliveryReport),
    StoreFailed(Error),
    Panicked,
}

/// A fault that keeps mail from leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Relay,
    Store,
    Panic,
}

/// A transition that is worth a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Began(Trouble),
    Ended(Trouble),
}

/// The state of sending, judged by the steps so far.
#[derive(Debug, Default)]
struct Health {
    trouble: Option<Trouble>,
    /// The wait before the next step, after a failure.
    backoff: Option<Duration>,
    /// The last such wait, to double it.
    last_backoff: Option<Duration>,
}

impl Health {
    fn after(&mut self, outcome: &Outcome) -> Option<Change> {
        let trouble = match outcome {
            Outcome::Ran(report) if report.relay.is_some() => Trouble::Relay,
            Outcome::Ran(report) => return self.ran(report),
            Outcome::StoreFailed(_) => Trouble::Store,
            Outcome::Panicked => Trouble::Panic,
        };
        // A relay that accepts some mail is there: what it refuses concerns that mail alone and delays no other.
        if matches!(outcome, Outcome::Ran(report) if report.delivered > 0) {
            self.last_backoff = None;
        }
        let backoff = self.last_backoff.map_or(SHORTEST_BACKOFF, |last| (last * 2).min(LONGEST_BACKOFF));
        (self.backoff, self.last_backoff) = (Some(backoff), Some(backoff));
        let news = self.trouble != Some(trouble);
        self.trouble = Some(trouble);
        news.then_some(Change::Began(trouble))
    }

    /// Only a reply shows that the relay is back: a step without mail to send says nothing about it.
    fn ran(&mut self, report: &DeliveryReport) -> Option<Change> {
        self.backoff = None;
        let answered = report.delivered + report.retried + report.discarded > 0;
        if self.trouble == Some(Trouble::Relay) && !answered {
            return None;
        }
        self.last_backoff = None;
        self.trouble.take().map(Change::Ended)
    }
}

fn log(channel: ChannelKind, outcome: &Outcome, change: Option<Change>) {
    match (change, outcome) {
        (Some(Change::Began(Trouble::Relay)), Outcome::Ran(DeliveryReport { relay: Some(cause), .. })) => {
            if channel.is_mail() {
                tracing::warn!(cause, "the mail relay is unavailable; mail waits in the outbox");
            } else {
                tracing::warn!(%channel, cause, "a channel is unavailable; its messages wait in the outbox");
            }
        }
        (Some(Change::Began(_)), Outcome::StoreFailed(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, "the store failed; mail waits until it is back");
        }
        (Some(Change::Began(_)), _) => tracing::error!("the delivery step panicked; it is tried again"),
        (Some(Change::Ended(Trouble::Relay)), _) if channel.is_mail() => tracing::info!("the mail relay is back"),
        (Some(Change::Ended(Trouble::Relay)), _) => tracing::info!(%channel, "a channel is back"),
        (Some(Change::Ended(Trouble::Store)), _) => tracing::info!("the store is back; mail goes on"),
        (Some(Change::Ended(Trouble::Panic)), _) => tracing::info!("the delivery step works again"),
        (None, _) => {}
    }
    if let Outcome::Ran(report) = outcome
        && (DeliveryReport { relay: None, released: 0, claimed: 0, ..report.clone() }) != DeliveryReport::default()
    {
        let DeliveryReport { delivered, retried, discarded, expired, cancelled, lease_lost, .. } = report;
        if channel.is_mail() {
            tracing::info!(delivered, retried, discarded, expired, cancelled, lease_lost, "mail was processed");
        } else {
            tracing::info!(%channel, delivered, retried, discarded, expired, cancelled, "messages were processed");
        }
    }
}

/// The wait before the next step.
struct Wait {
    longest: Duration,
    /// Newly planned mail that is due before this time ends the wait; `None` after a failure, when none does.
    planned_before: Option<Timestamp>,
}

impl Wait {
    async fn over(self, signals: &mut BoxStream<'static, Signal>, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(self.longest) => {}
            () = planned(signals, self.planned_before) => {}
        }
        // One step serves all that were planned meanwhile.
        while let Some(Some(_)) = signals.next().now_or_never() {}
    }
}

/// Returns when a delivery was planned that is due before this; never when the bus is gone, so that only the tick is left.
async fn planned(signals: &mut BoxStream<'static, Signal>, before: Option<Timestamp>) {
    loop {
        match signals.next().await {
            Some(Signal::Planned { earliest }) if before.is_some_and(|before| earliest < before) => return,
            Some(_) => {}
            None => return std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
