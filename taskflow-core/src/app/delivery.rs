//! Sending what is due: settings, the step, and what it reports.

mod channel;
mod check;
mod claim;
mod lanes;
mod letter;
mod mail_channel;
mod nudge;
mod order;
mod sender;

use std::collections::BTreeMap;
use std::time::Duration;

pub use channel::{Channel, ChannelBatch, FollowUp, PreparedBatch, SendError};
pub use check::DueNotice;
pub(super) use lanes::{Lane, LaneStates};
pub(super) use letter::respond_link;
pub(super) use nudge::Nudges;

use super::{App, DeliveryUseCases};
use crate::error::Error;
use crate::ports::Backlog;
use crate::{ChannelKind, Ledger, RetrySchedule, Timestamp};

/// The settings with which a channel sends.
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

/// That a channel, such as the relay of mail, cannot be used, as far as this process knows.
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
    /// Sends what is due on every channel, until nothing is, the channel fails or the host [drains](Self::drain). Channels are
    /// sent side by side and do not wait for each other; the report is their sum.
    ///
    /// Fails with `Unavailable` when the store does; what was sent until then is remembered, and written first by the
    /// next step. Several steps, also on several nodes, share the work.
    pub async fn deliver_due(self) -> Result<DeliveryReport, Error> {
        Ok(self.app.step_all().await?)
    }

    /// Does the same for one channel; nothing if this process does not send on it.
    pub async fn deliver_due_on(self, channel: ChannelKind) -> Result<DeliveryReport, Error> {
        Ok(self.app.step(channel).await?)
    }

    /// Returns the channels on which this process sends: mail with a mailer, and those that the host has registered.
    #[must_use]
    pub fn channels(self) -> Vec<ChannelKind> {
        self.app.sending_channels()
    }

    /// Why no mail leaves, if the relay was away when it was last needed.
    #[must_use]
    pub fn relay_trouble(self) -> Option<RelayTrouble> {
        self.trouble_on(ChannelKind::MAIL)
    }

    /// Returns why nothing leaves on a channel, if it could not be used when it was last needed.
    #[must_use]
    pub fn trouble_on(self, channel: ChannelKind) -> Option<RelayTrouble> {
        self.app.lane(channel, |lane| lane.trouble.clone())
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

    /// What mail waits to be sent.
    pub async fn backlog(self) -> Result<Backlog, Error> {
        self.backlog_on(ChannelKind::MAIL).await
    }

    /// Returns what waits to be sent on a channel.
    pub async fn backlog_on(self, channel: ChannelKind) -> Result<Backlog, Error> {
        Ok(self.app.outbox.backlog(channel, self.app.clock.now()).await?)
    }

    /// How long the oldest mail that is due has been waiting; `None`: no mail is due.
    pub async fn age(self) -> Result<Option<Duration>, Error> {
        let now = self.app.clock.now();
        let backlog = self.app.outbox.backlog(ChannelKind::MAIL, now).await?;
        Ok(backlog.oldest_due_at.filter(|due| *due <= now).map(|due| now.since(due)))
    }
}

impl DeliveryUseCases<'_> {
    /// What became of everything that was ever planned, on all channels; reads the whole ledger.
    pub async fn ledger(self) -> Result<Ledger, Error> {
        Ok(self.app.store.ledger().await?)
    }

    /// Returns what became of everything that was ever planned, channel by channel; reads the whole ledger.
    pub async fn ledgers(self) -> Result<BTreeMap<ChannelKind, Ledger>, Error> {
        Ok(self.app.store.ledgers().await?)
    }
}
