//! What was committed, for people who look back (history) and screens that follow along (feed).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::{
    Actor, EventId, InvalidValue, Meeting, MeetingId, Participant, ReminderMinutes, Task, TaskId, Timestamp, UserId,
};

/// What happened to an entity; also the `type` of a live message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A task was made.
    TaskCreated,
    /// A task was changed.
    TaskUpdated,
    /// A task went to the trash.
    TaskDeleted,
    /// A task came back from the trash.
    TaskRestored,
    /// A meeting was called.
    MeetingCreated,
    /// A meeting was changed, or who comes; also when it is on again.
    MeetingUpdated,
    /// A meeting is off.
    MeetingCancelled,
    /// Somebody answered to an invitation.
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

    /// Its word on the wire and in stores.
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

/// What an event is about.
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
    /// Never changes; sorts by time.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who did it; `None`: the service itself.
    pub actor: Option<UserId>,
    /// What it is about.
    pub entity: Entity,
    /// What happened.
    pub kind: EventKind,
    /// `{"id": …, "changes": {field: {"was": …, "is": …}}}`: only fields that differ. A stored format.
    pub data: Value,
}

/// An event and the people whose feed it enters.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// What was committed.
    pub event: Event,
    /// Whose feed it enters, each once.
    pub audience: Vec<UserId>,
}

/// One event in the feed of one person. Sequences begin at 1 and have no gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Its place in the feed.
    pub seq: u64,
    /// What was committed.
    pub event: Event,
}

impl Announcement {
    /// Tells the owner of a task what became of it: made (`before` is `None`), changed, trashed or restored.
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
            data: json!({ "id": after.id, "changes": differences(before.map(fields), fields(after)) }),
        };
        Self { event, audience: vec![after.user_id] }
    }

    /// Tells the people of a meeting what became of it: called (`before` is `None`), changed, cancelled or on again.
    #[must_use]
    pub fn meeting(
        id: EventId,
        actor: Actor,
        before: Option<&Meeting>,
        after: &Meeting,
        audience: Vec<UserId>,
    ) -> Self {
        let kind = match before {
            None => EventKind::MeetingCreated,
            Some(before) if before.cancelled_at.is_none() && after.cancelled_at.is_some() => {
                EventKind::MeetingCancelled
            }
            Some(_) => EventKind::MeetingUpdated,
        };
        let event = Event {
            id,
            at: after.updated_at,
            actor: actor.user_id(),
            entity: Entity::Meeting(after.id),
            kind,
            data: json!({ "id": after.id, "changes": differences(before.map(meeting_fields), meeting_fields(after)) }),
        };
        Self { event, audience }
    }

    /// Tells the people of a meeting that somebody answered.
    #[must_use]
    pub fn response(
        id: EventId,
        actor: Actor,
        before: &Participant,
        after: &Participant,
        at: Timestamp,
        audience: Vec<UserId>,
    ) -> Self {
        let (was, is) = (before.response.as_str(), after.response.as_str());
        let event = Event {
            id,
            at,
            actor: actor.user_id(),
            entity: Entity::Meeting(after.meeting_id),
            kind: EventKind::ParticipantResponded,
            data: json!({
                "id": after.meeting_id,
                "participant_id": after.id,
                "changes": { "response_status": { "was": was, "is": is } },
            }),
        };
        Self { event, audience }
    }
}

fn meeting_fields(meeting: &Meeting) -> Vec<(&'static str, Value)> {
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
        ("ended_at", json!(meeting.ended_at)),
        ("is_active", json!(meeting.cancelled_at.is_none())),
    ]
}

fn fields(task: &Task) -> Vec<(&'static str, Value)> {
    vec![
        ("title", json!(task.title.as_str())),
        ("description", json!(task.description.as_ref().map(super::values::Description::as_str))),
        ("status", json!(task.status)),
        ("priority", json!(task.priority)),
        ("due_at", json!(task.due_at)),
        ("reminder_minutes", json!(task.reminder_minutes.map(ReminderMinutes::get))),
    ]
}

fn differences(was: Option<Vec<(&'static str, Value)>>, is: Vec<(&'static str, Value)>) -> Map<String, Value> {
    let was = was.unwrap_or_else(|| is.iter().map(|(field, _)| (*field, Value::Null)).collect());
    let pairs = was.into_iter().zip(is).filter(|((_, was), (_, is))| was != is);
    pairs.map(|((field, was), (_, is))| (field.to_owned(), json!({ "was": was, "is": is }))).collect()
}
