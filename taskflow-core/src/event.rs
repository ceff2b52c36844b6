//! Committed events, for the history of an entity and for the feeds that clients follow.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::{
    Actor, EventId, InvalidValue, Meeting, MeetingDetails, MeetingId, Participant, ReminderMinutes, Task, TaskId,
    Timestamp, UserId,
};

/// The kind of change of an entity; also the `type` of a live message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A task was created.
    TaskCreated,
    /// A task was changed.
    TaskUpdated,
    /// A task went to the trash.
    TaskDeleted,
    /// A task came back from the trash.
    TaskRestored,
    /// A meeting was created.
    MeetingCreated,
    /// A meeting or its participants were changed, or a cancelled meeting was restored.
    MeetingUpdated,
    /// A meeting was cancelled.
    MeetingCancelled,
    /// A participant responded to an invitation.
    ParticipantResponded,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::TaskCreated,
        Self::TaskUpdated,
        Self::TaskDeleted,
        Self::TaskRestored,
        Self::MeetingCreated,
        Self::MeetingUpdated,
        Self::MeetingCancelled,
        Self::ParticipantResponded,
    ];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskCreated => "task_created",
            Self::TaskUpdated => "task_updated",
            Self::TaskDeleted => "task_deleted",
            Self::TaskRestored => "task_restored",
            Self::MeetingCreated => "meeting_created",
            Self::MeetingUpdated => "meeting_updated",
            Self::MeetingCancelled => "meeting_cancelled",
            Self::ParticipantResponded => "participant_responded",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a kind of event"))
    }
}

/// The entity that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Entity {
    /// A task.
    Task(TaskId),
    /// A meeting with its participants.
    Meeting(MeetingId),
}

/// A fact: this was committed. Kept as long as its entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The id; never changes and sorts by time.
    pub id: EventId,
    /// The time of the event.
    pub at: Timestamp,
    /// The user who made the change; `None` for the service itself.
    pub actor: Option<UserId>,
    /// The entity that the event is about.
    pub entity: Entity,
    /// The kind of change.
    pub kind: EventKind,
    /// `{"id": …, "version": …, "changes": {field: {"was": …, "is": …}}}`: only fields that differ, and of participants only
    /// those who do; no addresses. A stored format.
    pub data: Value,
}

impl Event {
    /// Returns kind and data that stand for a change which this build cannot read: its entity changed, nobody knows how.
    #[must_use]
    pub fn unknown_change(entity: Entity) -> (EventKind, Value) {
        let (kind, id) = match entity {
            Entity::Task(id) => (EventKind::TaskUpdated, id.to_string()),
            Entity::Meeting(id) => (EventKind::MeetingUpdated, id.to_string()),
        };
        (kind, json!({ "id": id, "version": 0, "changes": {} }))
    }
}

/// An event and the people whose feed it enters.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEvent {
    /// The committed event.
    pub event: Event,
    /// The users whose feeds it enters, each once.
    pub audience: Vec<UserId>,
}

impl FeedEvent {
    /// Returns the event of a task for its owner: created (`before` is `None`), changed, trashed or restored.
    #[must_use]
    pub fn task(id: EventId, actor: Actor, before: Option<&Task>, after: &Task) -> Self {
        let kind = match before {
            None => EventKind::TaskCreated,
            Some(before) => match (before.deleted_at, after.deleted_at) {
                (None, Some(_)) => EventKind::TaskDeleted,
                (Some(_), None) => EventKind::TaskRestored,
                (None, None) | (Some(_), Some(_)) => EventKind::TaskUpdated,
            },
        };
        let event = Event {
            id,
            at: after.updated_at,
            actor: actor.user_id(),
            entity: Entity::Task(after.id),
            kind,
            data: json!({
                "id": after.id,
                "version": after.version,
                "changes": differences(before.map(fields), fields(after)),
            }),
        };
        Self { event, audience: vec![after.user_id] }
    }

    /// Returns the event of a meeting for its participants: created (`before` is `None`), changed, cancelled or
    /// restored.
    #[must_use]
    pub fn meeting(
        id: EventId,
        actor: Actor,
        before: Option<&MeetingDetails>,
        after: &MeetingDetails,
        audience: Vec<UserId>,
    ) -> Self {
        let meeting = &after.meeting;
        let kind = match before.map(|before| &before.meeting) {
            None => EventKind::MeetingCreated,
            Some(before) if before.cancelled_at.is_none() && meeting.cancelled_at.is_some() => {
                EventKind::MeetingCancelled
            }
            Some(_) => EventKind::MeetingUpdated,
        };
        let at = meeting.updated_at;
        let fields = |details: &MeetingDetails| meeting_fields(&details.meeting, at);
        let mut changes = differences(before.map(fields), fields(after));
        let people = |details: &MeetingDetails| details.participants.iter().filter_map(participant_row).collect();
        changes.extend(different_people(before.map(people), people(after)));
        let event = Event {
            id,
            at,
            actor: actor.user_id(),
            entity: Entity::Meeting(meeting.id),
            kind,
            data: json!({ "id": meeting.id, "version": meeting.version, "changes": changes }),
        };
        Self { event, audience }
    }

    /// Returns the event that a participant responded or left, for the participants of the meeting.
    #[must_use]
    pub fn response(
        id: EventId,
        actor: Actor,
        before: &Participant,
        after: &Participant,
        at: Timestamp,
        audience: Vec<UserId>,
    ) -> Self {
        let answer = |participant: &Participant| {
            let comment = participant.comment.as_ref().map(ToString::to_string);
            vec![("response_status", json!(participant.response.as_str())), ("comment", json!(comment))]
        };
        let mut changes = differences(Some(answer(before)), answer(after));
        if !after.is_in() {
            let people = |participant| participant_row(participant).into_iter().collect();
            changes.extend(different_people(Some(people(before)), people(after)));
        }
        let event = Event {
            id,
            at,
            actor: actor.user_id(),
            entity: Entity::Meeting(after.meeting_id),
            kind: EventKind::ParticipantResponded,
            data: json!({
                "id": after.meeting_id,
                "participant_id": after.id,
                "changes": changes,
            }),
        };
        Self { event, audience }
    }

    /// Returns an event for one user, who has to read a meeting again: a guest turned out to be them, or data that only
    /// they may see has changed. Nothing else about the meeting changes, so nobody else is notified. The event names no
    /// actor: it stays with the meeting and would reveal that one of the participants has an account.
    #[must_use]
    pub fn changed_for(id: EventId, meeting: MeetingId, user: UserId, at: Timestamp) -> Self {
        let event = Event {
            id,
            at,
            actor: None,
            entity: Entity::Meeting(meeting),
            kind: EventKind::MeetingUpdated,
            data: json!({ "id": meeting, "changes": {} }),
        };
        Self { event, audience: vec![user] }
    }
}

fn meeting_fields(meeting: &Meeting, at: Timestamp) -> Vec<(&'static str, Value)> {
    let facts = meeting.facts();
    vec![
        ("title", json!(facts.title)),
        ("description", json!(facts.description)),
        ("meeting_date", json!(facts.starts_at)),
        ("duration_minutes", json!(facts.duration_minutes)),
        ("location", json!(facts.location)),
        ("meeting_url", json!(facts.meeting_url)),
        ("meeting_type", json!(facts.meeting_type)),
        ("time_zone", json!(meeting.time_zone.name())),
        ("reminder_minutes", json!(meeting.reminder_minutes.get())),
        ("status", json!(meeting.status(at).as_str())),
        ("is_active", json!(meeting.cancelled_at.is_none())),
    ]
}

fn fields(task: &Task) -> Vec<(&'static str, Value)> {
    vec![
        ("title", json!(task.title.as_str())),
        ("description", json!(task.description.as_ref().map(super::values::Description::as_str))),
        ("status", json!(task.status)),
        ("priority", json!(task.priority)),
        ("due_on", json!(task.due_on)),
        ("due_at", json!(task.due_at)),
        ("reminder_minutes", json!(task.reminder_minutes.map(ReminderMinutes::get))),
        ("completed_at", json!(task.completed_at)),
    ]
}

/// Returns a participant in the form that events contain; clients read the meeting to learn the address.
fn participant_row(participant: &Participant) -> Option<Value> {
    let row = json!({
        "id": participant.id,
        "role": participant.role.as_str(),
        "response_status": participant.response.as_str(),
    });
    participant.is_in().then_some(row)
}

/// Returns the participants that differ between two versions of a meeting, if any do.
fn different_people(was: Option<Vec<Value>>, is: Vec<Value>) -> Option<(String, Value)> {
    let not_among = |rows: &[Value], others: &[Value]| -> Vec<Value> {
        let others: HashSet<String> = others.iter().map(Value::to_string).collect();
        rows.iter().filter(|row| !others.contains(&row.to_string())).cloned().collect()
    };
    let (was, is) = match was {
        None => (Value::Null, json!(is)),
        Some(was) if was == is => return None,
        Some(was) => (json!(not_among(&was, &is)), json!(not_among(&is, &was))),
    };
    Some(("participants".to_owned(), json!({ "was": was, "is": is })))
}

fn differences(was: Option<Vec<(&'static str, Value)>>, is: Vec<(&'static str, Value)>) -> Map<String, Value> {
    let was = was.unwrap_or_else(|| is.iter().map(|(field, _)| (*field, Value::Null)).collect());
    let pairs = was.into_iter().zip(is).filter(|((_, was), (_, is))| was != is);
    pairs.map(|((field, was), (_, is))| (field.to_owned(), json!({ "was": was, "is": is }))).collect()
}
