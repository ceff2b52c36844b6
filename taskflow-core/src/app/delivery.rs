//! Sending of due deliveries: settings, the delivery step and its report.

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
    /// Number of connections of the mailer; default 16. Up to twice as many mails are handed to it at once, so that
    /// each connection knows its next mail. After a crash, at most as many are sent again.
    pub connections: usize,
    /// Most deliveries claimed and held in memory at once.
    pub batch: usize,
    /// Duration of a claim that is not renewed; default 120 seconds. At least 1.5 times `mail_timeout`: a smaller value
    /// counts as that, because no mail starts that could outlive its claim.
    pub lease: Duration,
    /// Maximum time that the mailer takes for one mail; default 30 seconds.
    pub mail_timeout: Duration,
    /// The schedule on which a refused mail is tried again.
    pub retry: RetrySchedule,
}

impl Default for Sending {
    /// Returns 16 connections, batches of 500, a lease of 120 seconds and 30 seconds per mail.
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
    /// Returns the time for which leases are claimed and renewed.
    fn held_for(&self) -> Duration {
        self.lease.max(self.mail_timeout * 3 / 2)
    }
}

/// The result of one delivery step.
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
    /// Outcomes that came after another sender had taken over.
    pub lease_lost: u64,
    /// The reason the relay could not be used, in which case the step ended early.
    pub relay: Option<String>,
}

/// The trouble of a channel, such as the mail relay, that cannot be used, as far as this process knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTrouble {
    /// The time at which the trouble was first noticed.
    pub since: Timestamp,
    /// The latest failure, for the operator of the service: it may contain host names.
    pub cause: String,
}

use_cases! {
    /// Use cases of the outbox: sending due deliveries, step by step.
    OutboxUseCases,
    /// Returns the use cases of the outbox.
    outbox
}

impl OutboxUseCases<'_> {
    /// Sends due deliveries on every channel, until none is left, the channel fails or the host [drains](Self::drain).
    /// Channels are sent side by side and do not wait for each other; the report is their sum.
    ///
    /// Fails with `Unavailable` when the store does. Outcomes that were known by then are kept, and written first by
    /// the next step. Several steps, also on several nodes, share the work.
    pub async fn deliver_due(self) -> Result<DeliveryReport, Error> {
        Ok(self.app.step_all().await?)
    }

    /// Does the same for one channel. Does nothing if this process does not send on it.
    pub async fn deliver_due_on(self, channel: ChannelKind) -> Result<DeliveryReport, Error> {
        Ok(self.app.step(channel).await?)
    }

    /// Returns the channels on which this process sends: mail with a mailer, and those that the host has registered.
    #[must_use]
    pub fn channels(self) -> Vec<ChannelKind> {
        self.app.sending_channels()
    }

    /// Returns the reason no mail is sent, if the relay was unavailable when it was last needed.
    #[must_use]
    pub fn relay_trouble(self) -> Option<RelayTrouble> {
        self.trouble_on(ChannelKind::MAIL)
    }

    /// Returns the reason nothing is sent on a channel, if it could not be used when it was last needed.
    #[must_use]
    pub fn trouble_on(self, channel: ChannelKind) -> Option<RelayTrouble> {
        self.app.lane(channel, |lane| lane.trouble.clone())
    }

    /// Makes running and later steps start no more mail, release what they hold and end.
    pub fn drain(self) {
        self.app.draining.store(true, std::sync::atomic::Ordering::Relaxed);
        self.nudge();
    }

    /// Wakes running steps because more may be due, so that a slow mail does not delay others. Use cases that plan mail
    /// do so themselves; a host calls it when its clock says that a planned delivery has become due.
    pub fn nudge(self) {
        self.app.nudges.nudge();
    }

    /// Returns the backlog of mail that waits to be sent.
    pub async fn backlog(self) -> Result<Backlog, Error> {
        self.backlog_on(ChannelKind::MAIL).await
    }

    /// Returns the backlog of a channel.
    pub async fn backlog_on(self, channel: ChannelKind) -> Result<Backlog, Error> {
        Ok(self.app.outbox.backlog(channel, self.app.clock.now()).await?)
    }

    /// Returns how long the oldest due mail has been waiting; `None` if no mail is due.
    pub async fn age(self) -> Result<Option<Duration>, Error> {
        let now = self.app.clock.now();
        let backlog = self.app.outbox.backlog(ChannelKind::MAIL, now).await?;
        Ok(backlog.oldest_due_at.filter(|due| *due <= now).map(|due| now.since(due)))
    }
}

impl DeliveryUseCases<'_> {
    /// Returns the totals of all deliveries ever planned, on all channels, by outcome. Reads the whole ledger.
    pub async fn ledger(self) -> Result<Ledger, Error> {
        Ok(self.app.store.ledger().await?)
    }

    /// Returns the totals of all deliveries ever planned by outcome, for each channel. Reads the whole ledger.
    pub async fn ledgers(self) -> Result<BTreeMap<ChannelKind, Ledger>, Error> {
        Ok(self.app.store.ledgers().await?)
    }
}
