//! Outcomes of a claim, and the columns they write.

use super::IN_THE_MAIL_OF;
use crate::{DeliveryId, DeliveryState, LastNotified, LeaseToken, ParticipantId, Timestamp};

/// The outcome of one claim, fenced by the lease under which it was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The delivery to settle.
    pub id: DeliveryId,
    /// The lease it was claimed under.
    pub lease: LeaseToken,
    /// The time at which the outcome was known.
    pub at: Timestamp,
    /// The outcome of the delivery.
    pub outcome: Outcome,
    /// The effect to write with the settlement, if the settlement counts.
    pub effect: Option<Effect>,
}

/// A write that is applied together with a settlement, exactly when the settlement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The participant was notified of this version of their meeting. A later version that they know already stays; the
    /// participant's own version is not changed.
    LastNotified(ParticipantId, LastNotified),
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The relay accepted the mail with this reply.
    Delivered {
        /// The reply.
        reply: String,
    },
    /// The relay refused it for now: one attempt more, next try then.
    Retry {
        /// Next try.
        next_at: Timestamp,
        /// The relay's reply.
        error: String,
    },
    /// Released: it was not offered to the relay, or the relay was unavailable. No attempt was used.
    Released {
        /// Next try.
        next_at: Timestamp,
        /// The reason it was not sent, if there was one.
        error: Option<String>,
    },
    /// Held until its reader's quiet hours end. No attempt was used, and its last error is cleared, because it is not
    /// late until then.
    Held {
        /// The end of the quiet hours.
        until: Timestamp,
    },
    /// Given up, one attempt more.
    Discarded {
        /// The reason it was given up.
        error: String,
    },
    /// No longer wanted.
    Cancelled {
        /// The reason it was cancelled.
        reason: String,
    },
    /// Too late, or nothing to say any more.
    Expired {
        /// The reason it expired.
        reason: String,
    },
}

impl Outcome {
    /// Returns the outcome of a delivery that was sent in the mail of `first`, given the outcome of `first`.
    #[must_use]
    pub(crate) fn in_the_mail_of(&self, first: DeliveryId) -> Self {
        match self {
            Self::Delivered { reply } => Self::Delivered { reply: format!("{IN_THE_MAIL_OF}{first}: {reply}") },
            other => other.clone(),
        }
    }
}

/// The columns that an outcome writes into its delivery, for stores. A delivery that was cancelled while claimed, and
/// was not sent, becomes cancelled instead. One that was planned again after the check that dropped it is scheduled
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeColumns<'a> {
    /// The next state.
    pub state: DeliveryState,
    /// Whether it used an attempt.
    pub failed: bool,
    /// The next try, if it changes.
    pub next_at: Option<Timestamp>,
    /// The error of the attempt that failed. It is kept in any case.
    pub error: Option<&'a str>,
    /// The reason a released delivery was not sent. It is dropped if the delivery was cancelled.
    pub released_error: Option<&'a str>,
    /// Whether it waits for the end of quiet hours, which clears its last error.
    pub held: bool,
    /// The reply to an accepted message.
    pub reply: Option<&'a str>,
    /// The reason it is not sent.
    pub reason: Option<&'a str>,
}

impl Outcome {
    /// Returns the columns that this outcome writes.
    #[must_use]
    pub fn columns(&self) -> OutcomeColumns<'_> {
        let to = |state| OutcomeColumns {
            state,
            failed: false,
            next_at: None,
            error: None,
            released_error: None,
            held: false,
            reply: None,
            reason: None,
        };
        let again = |at: &Timestamp| OutcomeColumns { next_at: Some(*at), ..to(DeliveryState::Scheduled) };
        match self {
            Self::Delivered { reply } => OutcomeColumns { reply: Some(reply), ..to(DeliveryState::Delivered) },
            Self::Retry { next_at, error } => OutcomeColumns { failed: true, error: Some(error), ..again(next_at) },
            Self::Released { next_at, error } => OutcomeColumns { released_error: error.as_deref(), ..again(next_at) },
            Self::Held { until } => OutcomeColumns { held: true, ..again(until) },
            Self::Discarded { error } => {
                OutcomeColumns { failed: true, error: Some(error), ..to(DeliveryState::Discarded) }
            }
            Self::Cancelled { reason } => OutcomeColumns { reason: Some(reason), ..to(DeliveryState::Cancelled) },
            Self::Expired { reason } => OutcomeColumns { reason: Some(reason), ..to(DeliveryState::Expired) },
        }
    }
}
