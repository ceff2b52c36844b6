//! Sending what is due: settings, the step, and what it reports.

mod claim;
mod letter;
mod nudge;
mod order;
mod sender;

use std::sync::PoisonError;
use std::time::Duration;

pub(super) use letter::respond_link;
pub(super) use nudge::Nudges;
use sender::Sender;

use super::{App, DeliveryUseCases};
use crate::error::Error;
use crate::ports::Backlog;
use crate::{Ledger, RetrySchedule, Timestamp};

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// How many connections the mailer has. Up to twice as many mails are handed to it at once, so that each connection
    /// knows its next mail; as many are repeated at most after a crash.
    pub connections: usize,
    /// Most deliveries claimed and held in memory at once.
    pub batch: usize,
    /// How long a claim holds, if it is not renewed. At least one and a half `mail_timeout`: less counts as that, since no
    /// mail starts that could outlive its claim.
    pub lease: Duration,
    /// How long the mailer takes for one mail at most.
    pub mail_timeout: Duration,
    /// When a refused mail is tried again.
    pub retry: RetrySchedule,
}

impl Default for Sending {
    /// 16 connections, 500 claims, 120 s lease, 30 s a mail.
    fn default() -> Self {
        Self {
            connections: 16,
            batch: 500,
            lease: Duration::from_secs(120),
            mail_timeout: Duration::from_secs(30),
            retry: RetrySchedule::default(),
        }
    }
}

impl Sending {
    /// How long claims are made and renewed for.
    fn held_for(&self) -> Duration {
        self.lease.max(self.mail_timeout * 3 / 2)
    }
}

/// What one step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Taken over for sending.
    pub claimed: u64,
    /// Taken by the relay.
    pub delivered: u64,
    /// Refused for now.
    pub retried: u64,
    /// Given back without an attempt.
    pub released: u64,
    /// Given up.
    pub discarded: u64,
    /// Too late or nothing to say.
    pub expired: u64,
    /// No longer wanted.
    pub cancelled: u64,
    /// Outcomes that came after somebody else had taken over.
    pub lease_lost: u64,
    /// Why the relay could not be used; the step ended early then.
    pub relay: Option<String>,
}

/// That the relay cannot be used, as far as this process knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTrouble {
    /// When it was first found out.
    pub since: Timestamp,
    /// What happened last, for who runs the service: it may name hosts.
    pub cause: String,
}

use_cases! {
    /// Use cases of the outbox: what is due is sent, step by step.
    OutboxUseCases,
    /// Returns the use cases of the outbox.
    outbox
}

impl OutboxUseCases<'_> {
    /// Sends what is due, until nothing is, the relay fails or the host [drains](Self::drain).
    ///
    /// Fails with `Unavailable` when the store does; what was sent until then is remembered, and written first by the
    /// next step. Several steps, also on several nodes, share the work.
    pub async fn deliver_due(self) -> Result<DeliveryReport, Error> {
        let Some(mailer) = &self.app.mailer else { return Ok(DeliveryReport::default()) };
        let report = Sender::new(self.app, mailer.as_ref()).run().await?;
        self.app.note_relay(&report);
        Ok(report)
    }

    /// Why no mail leaves, if the relay was away when it was last needed.
    #[must_use]
    pub fn relay_trouble(self) -> Option<RelayTrouble> {
        self.app.relay_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes running and later steps start no more mail, give back what they hold and end.
    pub fn drain(self) {
        self.app.draining.store(true, std::sync::atomic::Ordering::Relaxed);
        self.nudge();
    }

    /// Tells running steps that more may be due, so that a mail that takes long does not keep others waiting. Use cases
    /// that plan mail do so themselves; a host does it when its clock says that something planned has come due.
    pub fn nudge(self) {
        self.app.nudges.nudge();
    }

    /// What waits to be sent.
    pub async fn backlog(self) -> Result<Backlog, Error> {
        Ok(self.app.outbox.backlog(self.app.clock.now()).await?)
    }

    /// How long the oldest mail that is due has been waiting; `None`: no mail is due.
    pub async fn age(self) -> Result<Option<Duration>, Error> {
        let now = self.app.clock.now();
        let backlog = self.app.outbox.backlog(now).await?;
        Ok(backlog.oldest_due_at.filter(|due| *due <= now).map(|due| now.since(due)))
    }
}

impl DeliveryUseCases<'_> {
    /// What became of all mail; reads the whole ledger.
    pub async fn ledger(self) -> Result<Ledger, Error> {
        Ok(self.app.store.ledger().await?)
    }
}

impl App {
    /// Only an answer of the relay shows that it is back; a step with nothing to send shows nothing about it.
    fn note_relay(&self, report: &DeliveryReport) {
        let mut trouble = self.relay_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &report.relay {
            Some(cause) => {
                let since = trouble.as_ref().map_or_else(|| self.clock.now(), |known| known.since);
                *trouble = Some(RelayTrouble { since, cause: cause.clone() });
            }
            None if report.delivered + report.retried + report.discarded > 0 => *trouble = None,
            None => {}
        }
    }
}
