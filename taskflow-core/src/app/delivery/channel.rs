//! Channels to users: how a channel prepares due deliveries, and how it sends them.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::check::DueNotice;
use super::{App, Sending};
use crate::error::{Error, StoreError};
use crate::notice::Thread;
use crate::ports::{Accepted, ClaimRequest, Claimed};
use crate::{ChannelKind, Delivery, DeliveryId, Effect, LeaseToken, NoticeKind, Outcome, Timestamp};

/// A channel to users, such as push messages or a chat. Mail is the first one. A host registers others with
/// [`AppBuilder::channel`](crate::AppBuilder::channel) and plans deliveries with
/// [`NewDelivery::on`](crate::NewDelivery::on).
///
/// Each channel is sent by a sender of its own, with its own claims, concurrency, rate and circuit. What happens to one
/// never delays another. Window, leases, settlements and retries are the sender's; suppressions are the channel's.
///
/// # Contract
///
/// * `prepare` returns every delivery of the batch, to be sent or to be settled. One that it leaves out stays claimed
///   until its lease lapses.
/// * `send` returns `Ok` only if another system took responsibility for exactly this message. An unclear result is an
///   error, and the message may be sent again. Calls run side by side, and each ends by itself within
///   [`Sending::mail_timeout`].
pub trait Channel: Send + Sync {
    /// The message that this channel sends.
    type Message: Send + Sync;

    /// Returns its name.
    fn kind(&self) -> ChannelKind;

    /// Returns how it is sent: concurrency, batches, leases and retries.
    fn sending(&self) -> Sending {
        Sending::default()
    }

    /// Returns the number of messages worth sending side by side at the moment, if that changes, as it does with a
    /// rate. `None` means [`Sending::connections`].
    fn room(&self) -> Option<usize> {
        None
    }

    /// Decides for each delivery of a batch whether it is sent, and as which message.
    ///
    /// # Errors
    ///
    /// Fails when the subjects of the deliveries cannot be looked up. Then all of them are released, and the step ends.
    fn prepare(
        &self,
        batch: ChannelBatch<'_>,
    ) -> impl Future<Output = Result<PreparedBatch<'_, Self::Message>, StoreError>> + Send;

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// Says whether the message, its recipient or the whole channel is at fault.
    fn send(&self, message: &Self::Message) -> impl Future<Output = Result<Accepted, SendError>> + Send;

    /// Returns the follow-ups of the result of a message, besides its settlement.
    fn follow_ups(
        &self,
        message: &Self::Message,
        result: &Result<Accepted, SendError>,
        outcome: &Outcome,
    ) -> Vec<FollowUp<'_>> {
        let _ = (message, result, outcome);
        Vec::new()
    }
}

/// Something that a channel does beside sending, at the same time. A failure is logged, and costs nothing else.
pub type FollowUp<'a> = BoxFuture<'a, Result<(), Error>>;

/// The reason a message was not sent, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Its recipient refuses it for now, with this reply: it uses an attempt and is tried again later.
    #[error("the message was refused for now: {0}")]
    Transient(String),
    /// It was refused for now for a reason that does not concern its recipient: it is tried again later, without using
    /// an attempt, as long as it is of use. Other messages go on.
    #[error("the message was refused for a reason that does not concern its recipient: {0}")]
    Deferred(String),
    /// There was no reply after it was offered, so that it may have arrived. It uses an attempt, which never ends it.
    #[error("nobody knows what became of the message: {0}")]
    InDoubt(String),
    /// It was refused for good, or cannot be written: it is never tried again.
    #[error("the message was refused for good: {reply}")]
    Permanent {
        /// The reply.
        reply: String,
        /// Whether the recipient cannot be reached on this channel any more, whatever the message.
        is_gone: bool,
    },
    /// The channel cannot be used. That says nothing about this message and uses no attempt.
    #[error("the channel is unavailable: {0}")]
    Unavailable(String),
}

/// Deliveries of one channel that were claimed together.
#[derive(Debug)]
pub struct ChannelBatch<'a> {
    pub(super) app: &'a App,
    pub(super) claims: Vec<Claimed>,
    /// Deliveries that this step holds already.
    pub(super) held: HashSet<DeliveryId>,
    pub(super) now: Timestamp,
    /// The request that they were claimed by.
    pub(super) request: &'a ClaimRequest,
}

impl ChannelBatch<'_> {
    /// Returns the deliveries.
    #[must_use]
    pub fn claims(&self) -> &[Claimed] {
        &self.claims
    }

    /// Returns the time at which they were claimed.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Looks up the subjects of the deliveries and makes the same checks for each as for mail. A delivery must not be
    /// cancelled or too late, and its reader must have an active account and not have switched it off. No quiet hours
    /// may hold it, and its notice may check more. Suppressed addresses and the order of notices only concern mail.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub async fn check(self) -> Result<Vec<(Claimed, Result<DueNotice, Outcome>)>, StoreError> {
        let facts = self.app.load(&self.claims, self.now).await?;
        let check = |claimed: Claimed| {
            let checked = self.app.due_notice(&claimed.delivery, &facts, self.now);
            (claimed, checked)
        };
        Ok(self.claims.into_iter().map(check).collect())
    }
}

/// The result of preparing a batch: messages to send and deliveries to settle.
pub struct PreparedBatch<'a, M> {
    pub(super) ready: Vec<Ready<M>>,
    pub(super) decided: Vec<Decided>,
    pub(super) follow_ups: Vec<FollowUp<'a>>,
}

impl<M> Default for PreparedBatch<'_, M> {
    fn default() -> Self {
        Self { ready: Vec::new(), decided: Vec::new(), follow_ups: Vec::new() }
    }
}

impl<M> std::fmt::Debug for PreparedBatch<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ready, decided) = (self.ready.len(), self.decided.len());
        f.debug_struct("PreparedBatch").field("ready", &ready).field("decided", &decided).finish_non_exhaustive()
    }
}

impl<'a, M> PreparedBatch<'a, M> {
    /// Sends a delivery as this message.
    pub fn send(&mut self, claimed: Claimed, message: M) {
        self.ready.push(Ready::new(claimed, message, None));
    }

    /// Sends a delivery as this message, and writes the effect when it was sent.
    pub fn send_with(&mut self, claimed: Claimed, message: M, effect: Effect) {
        self.ready.push(Ready::new(claimed, message, Some(effect)));
    }

    /// Settles a delivery without sending it.
    pub fn settle(&mut self, claimed: Claimed, outcome: Outcome) {
        let Claimed { delivery, lease } = claimed;
        self.decided.push(Decided { id: delivery.id, lease, kind: delivery.kind, outcome });
    }

    /// Adds an operation to run at the same time as sending.
    pub fn follow_up(&mut self, follow_up: FollowUp<'a>) {
        self.follow_ups.push(follow_up);
    }
}

/// A delivery that is settled without being sent.
pub(super) struct Decided {
    pub(super) id: DeliveryId,
    pub(super) lease: LeaseToken,
    pub(super) kind: NoticeKind,
    pub(super) outcome: Outcome,
}

/// A message in the window.
pub(super) struct Ready<M> {
    pub(super) delivery: Delivery,
    pub(super) lease: LeaseToken,
    /// The time, by the monotonic clock, until which no other sender can have claimed it. The sender sets it.
    pub(super) held_until: Duration,
    pub(super) message: M,
    /// The effect that is written once the message was sent.
    pub(super) effect: Option<Effect>,
    /// The threads it belongs to. It is sent only while no other message of the same threads is being sent.
    pub(super) threads: Vec<Thread>,
    /// Further deliveries that this message covers, held under the same lease: they share its outcome.
    pub(super) along: Vec<DeliveryId>,
    /// Deliveries ahead of it that this step held when it was claimed.
    pub(super) behind: Vec<DeliveryId>,
}

impl<M> Ready<M> {
    pub(super) fn new(Claimed { delivery, lease }: Claimed, message: M, effect: Option<Effect>) -> Self {
        Self {
            delivery,
            lease,
            held_until: Duration::ZERO,
            message,
            effect,
            threads: Vec::new(),
            along: Vec::new(),
            behind: Vec::new(),
        }
    }
}
