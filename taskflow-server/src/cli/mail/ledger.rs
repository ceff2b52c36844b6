//! Deliveries as `taskflow mail outbox` and `taskflow mail why` print them.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use taskflow_core::{App, DeliveryId, DeliveryState, LedgerRow, Recipient, Timestamp, UserId};

/// A delivery, with the members that it has in the API.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) id: DeliveryId,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) user_id: Option<UserId>,
    /// The address it goes to; absent when the account is gone.
    pub(super) email: Option<String>,
    /// The user name, or the name that a guest was invited by.
    pub(super) name: Option<String>,
    /// Subject of the delivery: the title of a task or meeting, or the subject of a custom email.
    pub(super) subject: Option<String>,
    pub(super) reason: String,
    pub(super) planned_at: Timestamp,
    pub(super) due_at: Timestamp,
    /// The time of the next attempt; only while the delivery is open.
    pub(super) next_at: Option<Timestamp>,
    pub(super) settled_at: Option<Timestamp>,
    pub(super) attempts: u32,
    pub(super) last_error: Option<String>,
    pub(super) reply: Option<String>,
}

impl From<LedgerRow> for Shown {
    fn from(row: LedgerRow) -> Self {
        let LedgerRow { delivery, email, name, subject } = row;
        let open = matches!(delivery.state, DeliveryState::Scheduled | DeliveryState::Claimed);
        Self {
            user_id: match &delivery.recipient {
                Recipient::User(id) => Some(*id),
                Recipient::Address(_) => None,
            },
            id: delivery.id,
            kind: delivery.kind.as_str(),
            state: delivery.state.as_str(),
            email: email.map(|email| email.to_string()),
            name,
            subject,
            reason: delivery.reason,
            planned_at: delivery.planned_at,
            due_at: delivery.due_at,
            next_at: Some(delivery.next_at).filter(|_| open),
            settled_at: delivery.settled_at,
            attempts: delivery.attempts,
            last_error: delivery.last_error,
            reply: delivery.reply,
        }
    }
}

/// Returns the last answer of the relay or of core about a delivery.
pub(super) fn answer(delivery: &Shown) -> String {
    let said = match delivery.state {
        "delivered" => delivery.reply.as_deref(),
        "cancelled" | "expired" => Some(delivery.reason.as_str()),
        _ => delivery.last_error.as_deref(),
    };
    shortened(said.unwrap_or_default(), 60)
}

/// A text on one line of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most - 1).chain(['…']).collect()
}

/// An instant to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}

/// Returns the number of deliveries in each state; all states are present.
pub(super) fn counts(counts: &HashMap<DeliveryState, u64>) -> BTreeMap<&'static str, u64> {
    DeliveryState::ALL.map(|state| (state.as_str(), counts.get(&state).copied().unwrap_or(0))).into()
}

/// Counts as people read them, in the order in which a delivery goes through the states, without zeros.
pub(super) fn counted(counts: &BTreeMap<&'static str, u64>) -> String {
    let shown = DeliveryState::ALL.into_iter().filter_map(|state| {
        let count = counts.get(state.as_str()).copied().filter(|count| *count > 0)?;
        // No count goes further.
        let more = if count >= App::MOST_COUNTED.into() { "+" } else { "" };
        Some(format!("{count}{more} {state}"))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened_to_one_line() {
        assert_eq!(shortened("550\r\n no", 10), "550 no");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }

    #[test]
    fn counts_name_states_that_have_any() {
        let counts = counts(&[(DeliveryState::Delivered, 3), (DeliveryState::Scheduled, 10_000)].into());
        assert_eq!(counts.len(), DeliveryState::ALL.len());
        assert_eq!(counted(&counts), "10000+ scheduled, 3 delivered");
    }
}
