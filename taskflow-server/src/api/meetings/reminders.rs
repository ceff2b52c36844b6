//! Reminders of meetings as JSON: everybody's own, by hand, and the ledger of them.

use std::collections::HashMap;

use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Type;
use serde_json::{Value, json};
use taskflow_core::{
    Comment, Delivery, DeliveryId, DeliveryState, EmailAddress, Notice, OwnReminders, Participant, ParticipantId,
    Reminded, ReminderMinutes, Timestamp,
};

use super::people::Remark;
use crate::api::{ApiError, Field, Findings, Val, Wire};

/// When I am reminded of a meeting.
#[derive(Debug, Object)]
#[oai(rename = "MyReminders")]
pub(super) struct MyRemindersBody {
    /// How many minutes before it begins, ascending.
    minutes: Vec<Val<ReminderMinutes>>,
}

/// When I want to be reminded of a meeting.
#[derive(Debug, Object)]
#[oai(rename = "MyRemindersChange")]
pub(super) struct OwnBody {
    /// How many minutes before it begins: up to five different numbers. None of them means no reminder, and `null` what
    /// the meeting says.
    #[oai(nullable)]
    minutes: Field<Minutes, true>,
}

/// A reminder by hand.
#[derive(Debug, Object)]
#[oai(rename = "ReminderByHand")]
pub(super) struct ByHandBody {
    /// How many minutes before the meeting it says that it is.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
    /// What it adds.
    #[oai(nullable)]
    message: Field<Remark>,
}

/// What came of a reminder by hand.
#[derive(Debug, Object)]
#[oai(rename = "Reminded")]
pub(super) struct RemindedBody {
    /// The same, for people.
    message: String,
    /// How many people are in the meeting.
    #[oai(validator(minimum(value = "0")))]
    total_participants: u64,
    /// How many mails were taken into the outbox: whoever declined gets none.
    #[oai(validator(minimum(value = "0")))]
    emails_sent: u64,
}

/// Reminders as the ledger has them, the earliest due first.
#[derive(Debug, Object)]
#[oai(rename = "ReminderLedger", skip_serializing_if_is_none)]
pub(super) struct LedgerBody {
    /// One page of them.
    items: Vec<RowBody>,
    /// The `cursor` of the next page, if there is one.
    next: Option<Val<DeliveryId>>,
}

/// One reminder for one person.
#[derive(Debug, Object)]
#[oai(rename = "MeetingReminder", skip_serializing_if_is_none)]
struct RowBody {
    /// Never changes; the Message-ID of its mail carries it.
    id: Val<DeliveryId>,
    /// Whose it is.
    participant_id: Option<Val<ParticipantId>>,
    /// The address they were invited by.
    email: Option<Val<EmailAddress>>,
    /// How many minutes before the meeting; absent: the organizer sent it by hand.
    minutes: Option<Val<ReminderMinutes>>,
    /// When it was decided.
    planned_at: Val<Timestamp>,
    /// When it should leave.
    due_at: Val<Timestamp>,
    /// When it is tried next.
    next_at: Val<Timestamp>,
    /// When the relay took it.
    sent_at: Option<Val<Timestamp>>,
    /// Where it is on its way.
    state: Val<DeliveryState>,
    /// How often the relay was offered it and answered.
    #[oai(validator(minimum(value = "0")))]
    attempts: u32,
    /// What went wrong last.
    last_error: Option<String>,
    /// What the relay answered when it took the mail.
    reply: Option<String>,
    /// Why it was planned, or why it was cancelled or expired.
    reason: String,
}

/// Numbers of minutes.
#[derive(Debug)]
pub(super) struct Minutes(OwnReminders);

impl OwnBody {
    /// `None`: as the meeting says.
    pub(super) fn read(self) -> Result<Option<OwnReminders>, ApiError> {
        let mut findings = Findings::default();
        let own = match self.minutes {
            Field::Null => Some(None),
            minutes => findings.required("minutes", minutes).map(|Minutes(own)| Some(own)),
        };
        findings.finish(own)
    }
}

impl ByHandBody {
    pub(super) fn read(self) -> Result<(Option<ReminderMinutes>, Option<Comment>), ApiError> {
        let mut findings = Findings::default();
        let minutes = findings.optional("reminder_minutes", self.reminder_minutes);
        let message = findings.optional("message", self.message).and_then(|Remark(message)| message);
        findings.finish(Some((minutes, message)))
    }
}

impl LedgerBody {
    /// The page of `size` rows that follows the row `cursor`.
    pub(super) fn new(
        rows: Vec<Delivery>,
        participants: &[Participant],
        cursor: Option<DeliveryId>,
        size: usize,
    ) -> Self {
        let people: HashMap<_, _> = participants.iter().map(|one| (one.id, &one.email)).collect();
        let mut rows = rows.into_iter().peekable();
        if let Some(cursor) = cursor {
            rows.by_ref().find(|row| row.id == cursor);
        }
        let items: Vec<RowBody> = rows.by_ref().take(size).map(|row| RowBody::new(row, &people)).collect();
        let next = items.last().map(|last| Val(last.id.0)).filter(|_| rows.peek().is_some());
        Self { items, next }
    }
}

impl RowBody {
    fn new(row: Delivery, people: &HashMap<ParticipantId, &EmailAddress>) -> Self {
        let (participant, minutes) = match row.notice {
            Ok(Notice::MeetingReminder { participant, minutes, .. }) => (Some(participant), minutes),
            Ok(_) | Err(_) => (None, None),
        };
        let email = participant.and_then(|id| people.get(&id)).map(|email| Val((*email).clone()));
        Self {
            id: Val(row.id),
            participant_id: participant.map(Val),
            email,
            minutes: minutes.and_then(|minutes| ReminderMinutes::new(minutes).ok()).map(Val),
            planned_at: Val(row.planned_at),
            due_at: Val(row.due_at),
            next_at: Val(row.next_at),
            sent_at: row.settled_at.filter(|_| row.state == DeliveryState::Delivered).map(Val),
            state: Val(row.state),
            // The one that the relay took counts, too.
            attempts: row.attempts + u32::from(row.state == DeliveryState::Delivered),
            last_error: row.last_error,
            reply: row.reply,
            reason: row.reason,
        }
    }
}

impl From<Reminded> for RemindedBody {
    fn from(Reminded { participants, planned }: Reminded) -> Self {
        Self {
            message: format!("{planned} of {participants} people are reminded now"),
            total_participants: participants as u64,
            emails_sent: planned as u64,
        }
    }
}

impl From<Vec<ReminderMinutes>> for MyRemindersBody {
    fn from(minutes: Vec<ReminderMinutes>) -> Self {
        Self { minutes: minutes.into_iter().map(Val).collect() }
    }
}

impl Wire for Minutes {
    fn schema() -> MetaSchema {
        MetaSchema {
            items: Some(Box::new(Val::<ReminderMinutes>::schema_ref())),
            max_items: Some(OwnReminders::MOST),
            example: Some(json!([15, 60])),
            ..MetaSchema::new("array")
        }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let items = value.as_array().ok_or("must be a list of numbers of minutes")?;
        let minutes: Result<Vec<_>, _> =
            items.iter().take(OwnReminders::MOST + 1).map(ReminderMinutes::parse).collect();
        let minutes = minutes.map_err(|message| format!("must hold only numbers of minutes: each {message}"))?;
        if items.len() > OwnReminders::MOST {
            return Err(format!("must be at most {} numbers", OwnReminders::MOST));
        }
        OwnReminders::new(minutes).map(Self).map_err(|error| error.to_string())
    }

    fn write(&self) -> Value {
        json!(self.0.minutes().iter().map(|minutes| minutes.get()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_five_numbers_of_minutes_are_ones_own_reminders() {
        let read = |value: Value| Minutes::parse(&value);
        assert_eq!(read(json!([60, 15, 15])).expect("minutes").write(), json!([15, 60]));
        assert_eq!(read(json!([])).expect("none").write(), json!([]));
        for bad in [json!([1, 2, 3, 4, 5, 6]), json!([-1]), json!([40321]), json!("15"), json!(["15"]), json!(15)] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
