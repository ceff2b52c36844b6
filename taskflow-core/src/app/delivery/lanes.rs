//! The channels of an application, each with a lane of its own.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;

use super::channel::Channel;
use super::mail_channel::MailChannel;
use super::sender::Sender;
use super::{App, DeliveryReport, RelayTrouble};
use crate::AppBuilder;
use crate::error::StoreError;
use crate::relay::RelayWatch;
use crate::{ChannelKind, Settlement};

/// A channel that a host registered, whatever its messages are.
pub(in crate::app) trait Lane: Send + Sync {
    fn channel(&self) -> ChannelKind;

    fn step<'a>(&'a self, app: &'a App) -> BoxFuture<'a, Result<DeliveryReport, StoreError>>;
}

impl<C: Channel> Lane for C {
    fn channel(&self) -> ChannelKind {
        self.kind()
    }

    fn step<'a>(&'a self, app: &'a App) -> BoxFuture<'a, Result<DeliveryReport, StoreError>> {
        Box::pin(Sender::new(app, self).run())
    }
}

/// The state of a channel that outlives its steps.
#[derive(Debug, Default)]
pub(in crate::app) struct LaneState {
    /// Outcomes that a failing store has not taken yet; the next step writes them first.
    pub(super) unsettled: Vec<Settlement>,
    /// The trouble that the last step on this channel reported, if any.
    pub(super) trouble: Option<RelayTrouble>,
    /// The latest responses of the mail relay.
    pub(super) relay: RelayWatch,
}

/// The states of all channels, which outlive their steps.
#[derive(Debug, Default)]
pub(in crate::app) struct LaneStates(Mutex<HashMap<ChannelKind, LaneState>>);

impl AppBuilder {
    /// Registers a channel of the host. Deliveries on a channel that is not registered wait in the store. Register it
    /// only once every process that shares the store runs a release that knows channels. A channel with the name of a
    /// registered one replaces it; one with the name `mail` replaces the mailer.
    pub fn channel(mut self, channel: impl Channel + 'static) -> Self {
        let kind = channel.kind();
        self.app.channels.retain(|known| known.channel() != kind);
        self.app.channels.push(Box::new(channel));
        self
    }
}

impl App {
    pub(super) fn lane<T>(&self, channel: ChannelKind, with: impl FnOnce(&mut LaneState) -> T) -> T {
        with(self.lanes.0.lock().unwrap_or_else(PoisonError::into_inner).entry(channel).or_default())
    }

    /// Returns the channels on which this process sends.
    pub(super) fn sending_channels(&self) -> Vec<ChannelKind> {
        let mail = self.mailer.as_ref().map(|_| ChannelKind::MAIL);
        let mut channels: Vec<_> = mail.into_iter().chain(self.channels.iter().map(|lane| lane.channel())).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// Takes the step of one channel.
    pub(super) async fn step(&self, channel: ChannelKind) -> Result<DeliveryReport, StoreError> {
        let report = match (self.channels.iter().find(|lane| lane.channel() == channel), &self.mailer) {
            (Some(lane), _) => lane.step(self).await?,
            (None, Some(mailer)) if channel.is_mail() => {
                MailChannel { app: self, mailer: mailer.as_ref() }.step(self).await?
            }
            (None, _) => return Ok(DeliveryReport::default()),
        };
        self.note_relay(channel, &report);
        Ok(report)
    }

    /// Takes the steps of all channels side by side. Deliveries that are planned while one is still sending are sent on
    /// the others.
    pub(super) async fn step_all(&self) -> Result<DeliveryReport, StoreError> {
        let step = |channel| async move { (channel, self.step(channel).await) };
        let mut steps: FuturesUnordered<_> = self.sending_channels().into_iter().map(step).collect();
        let mut listener = self.nudges.listen();
        let (mut sum, mut failure, mut idle) = (DeliveryReport::default(), None, Vec::new());
        while !steps.is_empty() {
            match select(steps.next(), pin!(listener.nudged())).await {
                Either::Left((Some((channel, Ok(report))), _)) => {
                    if report.relay.is_none() {
                        idle.push(channel);
                    }
                    sum.add(channel, report);
                }
                Either::Left((Some((_, Err(error))), _)) => failure = failure.or(Some(error)),
                Either::Left((None, _)) => {}
                Either::Right(_) if failure.is_none() && !self.draining() => steps.extend(idle.drain(..).map(step)),
                Either::Right(_) => {}
            }
        }
        failure.map_or(Ok(sum), Err)
    }

    /// Records what a step learned about the relay. Only a reply shows that a channel works again; a step with nothing
    /// to send shows nothing.
    fn note_relay(&self, channel: ChannelKind, report: &DeliveryReport) {
        let now = self.clock.now();
        self.lane(channel, |lane| match &report.relay {
            Some(cause) => {
                let since = lane.trouble.as_ref().map_or(now, |known| known.since);
                lane.trouble = Some(RelayTrouble { since, cause: cause.clone() });
            }
            None if report.delivered + report.retried + report.discarded > 0 => lane.trouble = None,
            None => {}
        });
    }
}

impl DeliveryReport {
    /// Adds the result of a channel. If several channels cannot be used, mail is named.
    fn add(&mut self, channel: ChannelKind, other: Self) {
        self.claimed += other.claimed;
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.released += other.released;
        self.discarded += other.discarded;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.lease_lost += other.lease_lost;
        self.relay =
            if channel.is_mail() { other.relay.or(self.relay.take()) } else { self.relay.take().or(other.relay) };
    }
}
