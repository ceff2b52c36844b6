//! Changes of many deliveries at once, selected by what they have in common.

use std::fmt;
use std::str::FromStr;

use crate::{ChannelKind, Delivery, DeliveryState, InvalidValue, NoticeKind, Recipient, Timestamp};

/// A reply code of a relay (RFC 5321 §4.2), such as `550`, or a status (RFC 3463), such as `5.7.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyCode(String);

impl ReplyCode {
    /// Longest text, in characters.
    pub const MAX_LENGTH: usize = 9;

    /// Returns the code as a relay writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReplyCode {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = text.split('.').collect();
        let is_code = match parts.as_slice() {
            [code] => code.len() == 3 && is_number(code) && code.starts_with(['4', '5']),
            [class, subject, detail] => matches!(*class, "4" | "5") && is_number(subject) && is_number(detail),
            _ => false,
        };
        let wrong = || InvalidValue::new("must be a reply code such as 550 or a status such as 5.7.1");
        is_code.then(|| Self(text.to_owned())).ok_or_else(wrong)
    }
}

/// The change that is made to each of many deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkAction {
    /// Schedules deliveries that were discarded, cancelled or have expired again, as if they were due at this time and had
    /// never been tried.
    Retry {
        /// The time of the next attempt.
        at: Timestamp,
    },
    /// Cancels scheduled deliveries and marks claimed ones, whose settlement decides.
    Cancel {
        /// The reason that the ledger shows to people.
        reason: String,
        /// The time at which they count as settled.
        at: Timestamp,
    },
}

impl BulkAction {
    /// Returns the states in which a delivery can be changed so.
    #[must_use]
    pub fn states(&self) -> &'static [DeliveryState] {
        match self {
            Self::Retry { .. } => &[DeliveryState::Discarded, DeliveryState::Cancelled, DeliveryState::Expired],
            Self::Cancel { .. } => &[DeliveryState::Scheduled, DeliveryState::Claimed],
        }
    }
}

/// Selects deliveries that are changed together. A delivery that was cancelled while claimed is not selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkSelection {
    /// Only in these states; none: no delivery. What was delivered is never selected.
    pub states: Vec<DeliveryState>,
    /// Only these kinds; empty: all kinds.
    pub kinds: Vec<NoticeKind>,
    /// Only on this channel.
    pub channel: Option<ChannelKind>,
    /// Only to one of these recipients.
    pub recipients: Option<Vec<Recipient>>,
    /// Only those whose last error contains this text; letters of ASCII match in either case.
    pub error: Option<String>,
    /// Only those whose last error contains this code as a word.
    pub code: Option<ReplyCode>,
    /// Only those that were due at this time or later.
    pub due_from: Option<Timestamp>,
    /// Only those that were due before this time.
    pub due_before: Option<Timestamp>,
    /// Only those that were settled by this time or, while they are open, planned by this time: what reaches a state later
    /// is not meant.
    pub as_of: Timestamp,
}

impl BulkSelection {
    /// Returns whether a delivery is selected. Stores select alike.
    #[must_use]
    pub fn selects(&self, delivery: &Delivery) -> bool {
        let error = delivery.last_error.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.states.contains(&delivery.state)
            && delivery.state != DeliveryState::Delivered
            && !delivery.cancel_requested
            && (self.kinds.is_empty() || self.kinds.contains(&delivery.kind))
            && self.channel.is_none_or(|channel| delivery.channel == channel)
            && self.recipients.as_ref().is_none_or(|them| them.iter().any(|one| one.is_same(&delivery.recipient)))
            && self.error.as_ref().is_none_or(|text| error.contains(&text.to_ascii_lowercase()))
            && self.code.as_ref().is_none_or(|code| format!(" {error} ").contains(&format!(" {code} ")))
            && self.due_from.is_none_or(|from| delivery.due_at >= from)
            && self.due_before.is_none_or(|before| delivery.due_at < before)
            && delivery.settled_at.unwrap_or(delivery.planned_at) <= self.as_of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_code_is_one_of_a_refusal() {
        for text in ["421", "550", "4.7.1", "5.7.509"] {
            assert_eq!(text.parse::<ReplyCode>().map(|code| code.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "250", "55", "5500", "5.7", "2.0.0", "5.7.1.1", "5..1", "5.7.1234", "550 no"] {
            assert!(text.parse::<ReplyCode>().is_err(), "{text}");
        }
    }
}
