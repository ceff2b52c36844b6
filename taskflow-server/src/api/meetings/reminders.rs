//! Reminders of meetings as JSON: everybody's own, by hand, and the ledger of them.

use std::collections::HashMap;

use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Type;
use serde_json::{Value, json};
use taskflow_core::notice::MeetingReminderNotice;
use taskflow_core::{
    Comment, Delivery, DeliveryId, DeliveryState, EmailAddress, Notice, OwnReminders, Participant, ParticipantId,
    PersonName, Reminded, ReminderMinutes, Timestamp, search_key,
};

use super::people::Remark;
use crate::api::deliveries::CountsBody;
use crate::api::{ApiError, Field, Val, ValidationErrors, Wire};

/// Own reminders of a meeting.
#[derive(Debug, Object)]
#[oai(rename = "MyReminders")]
pub(super) struct MyRemindersBody {
    /// Minutes before the start, ascending.
    minutes: Vec<Val<ReminderMinutes>>,
}

/// Own reminders to set.
#[derive(Debug, Object)]
#[oai(rename = "MyRemindersChange")]
pub(super) struct OwnBody {
    /// Up to five different numbers of minutes before the start. An empty list means no reminder; `null` follows the
    /// meeting.
    #[oai(nullable)]
    minutes: Field<Minutes, true>,
}

/// A reminder to send now.
#[derive(Debug, Object)]
#[oai(rename = "ReminderByHand")]
pub(super) struct ByHandBody {
    /// Minutes until the meeting, as the reminder says them.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
    /// A message to add.
    #[oai(nullable)]
    message: Field<Remark>,
}

/// The result of a reminder sent by hand.
#[derive(Debug, Object)]
#[oai(rename = "Reminded")]
pub(super) struct RemindedBody {
    /// The result in words.
    message: String,
    /// Number of participants.
    #[oai(validator(minimum(value = "0")))]
    total_participants: u64,
    /// Number of emails that were added to the outbox. Participants who declined get none.
    #[oai(validator(minimum(value = "0")))]
    emails_sent: u64,
}

/// A page of the reminders of a meeting, the latest due first.
#[derive(Debug, Object)]
#[oai(rename = "ReminderLedger", skip_serializing_if_is_none)]
pub(super) struct LedgerBody {
    /// The reminders on this page.
    items: Vec<RowBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<Val<DeliveryId>>,
    /// How many reminders there are in each state under the other filters.
    counts: CountsBody,
}

/// Selects reminders of a meeting.
#[derive(Debug, Default)]
pub(super) struct LedgerFilter {
    pub(super) states: Vec<DeliveryState>,
    pub(super) since: Option<Timestamp>,
    /// Words to look for in address and name, as [`search_key`] has them.
    pub(super) words: Vec<String>,
}

/// One reminder for one person.
#[derive(Debug, Object)]
#[oai(rename = "MeetingReminder", skip_serializing_if_is_none)]
struct RowBody {
    /// Identifier; the `Message-ID` of its mail contains it.
    id: Val<DeliveryId>,
    /// The participant who is reminded.
    participant_id: Option<Val<ParticipantId>>,
    /// The address that they were invited by.
    email: Option<Val<EmailAddress>>,
    /// The name that they were invited by.
    name: Option<Val<PersonName>>,
    /// Minutes before the meeting; absent when the organizer sent it by hand.
    minutes: Option<Val<ReminderMinutes>>,
    /// When it was planned.
    planned_at: Val<Timestamp>,
    /// When it should leave.
    due_at: Val<Timestamp>,
    /// When it is tried next.
    next_at: Val<Timestamp>,
    /// When the relay accepted it.
    sent_at: Option<Val<Timestamp>>,
    /// Its state.
    state: Val<DeliveryState>,
    /// How often the relay was offered it and answered.
    #[oai(validator(minimum(value = "0")))]
    attempts: u32,
    /// The last error.
    last_error: Option<String>,
    /// What the relay answered when it accepted the mail.
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
        let mut findings = ValidationErrors::default();
        let own = match self.minutes {
            Field::Null => Some(None),
            minutes => findings.required("minutes", minutes).map(|Minutes(own)| Some(own)),
        };
        findings.finish(own)
    }
}

impl ByHandBody {
    pub(super) fn read(self) -> Result<(Option<ReminderMinutes>, Option<Comment>), ApiError> {
        let mut findings = ValidationErrors::default();
        let minutes = findings.optional("reminder_minutes", self.reminder_minutes);
        let message = findings.optional("message", self.message).and_then(|Remark(message)| message);
        findings.finish(Some((minutes, message)))
    }
}

impl LedgerBody {
    /// The page of `size` rows that follows the row `cursor` among those that `filter` selects. `rows` come with the
    /// earliest due first.
    pub(super) fn new(
        rows: Vec<Delivery>,
        participants: &[Participant],
        filter: &LedgerFilter,
        cursor: Option<DeliveryId>,
        size: usize,
    ) -> Self {
        let people: HashMap<_, _> = participants.iter().map(|one| (one.id, one)).collect();
        let rows = rows.into_iter().rev().filter(|row| filter.since.is_none_or(|since| row.planned_at >= since));
        let rows: Vec<_> =
            rows.map(|row| RowBody::new(row, &people)).filter(|row| row.mentions(&filter.words)).collect();
        let mut counts = HashMap::new();
        for row in &rows {
            *counts.entry(row.state.0).or_insert(0) += 1;
        }
        let mut rows = rows.into_iter().skip_while(|row| cursor.is_some_and(|cursor| row.id.0 != cursor));
        if cursor.is_some() {
            rows.next();
        }
        let asked = |row: &RowBody| filter.states.is_empty() || filter.states.contains(&row.state.0);
        let mut rows = rows.filter(asked).peekable();
        let items: Vec<RowBody> = rows.by_ref().take(size).collect();
        let next = items.last().map(|last| Val(last.id.0)).filter(|_| rows.peek().is_some());
        Self { items, next, counts: CountsBody::from(&counts) }
    }
}

impl RowBody {
    fn mentions(&self, words: &[String]) -> bool {
        let email = self.email.as_ref().map(|Val(email)| email.as_str());
        let name = self.name.as_ref().map(|Val(name)| name.as_str());
        let text = search_key(&[email, name].map(Option::unwrap_or_default).join("\n"));
        words.iter().all(|word| text.contains(word.as_str()))
    }

    fn new(row: Delivery, people: &HashMap<ParticipantId, &Participant>) -> Self {
        let (participant, minutes) = match row.notice {
            Ok(Notice::MeetingReminder(MeetingReminderNotice { participant, minutes, .. })) => {
                (Some(participant), minutes)
            }
            Ok(_) | Err(_) => (None, None),
        };
        let whose = participant.and_then(|id| people.get(&id));
        Self {
            id: Val(row.id),
            participant_id: participant.map(Val),
            email: whose.map(|one| Val(one.email.clone())),
            name: whose.and_then(|one| one.name.clone()).map(Val),
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
