//! Notifications of a participant about a meeting: the difference between what they were last notified of and the
//! present meeting.

use serde::{Deserialize, Serialize};

use super::{Meeting, MeetingType, Participant};
use crate::{DurationMinutes, MeetingId, Timestamp};

/// The facts of a meeting at one of its versions. A stored format: fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingFacts {
    /// The title of the meeting.
    pub title: String,
    /// Optional description of the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The start of the meeting.
    pub starts_at: Timestamp,
    /// The duration in minutes.
    pub duration_minutes: u32,
    /// The place of the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The URL of the online meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting_url: Option<String>,
    /// The type of the meeting: in person, online or both.
    pub meeting_type: MeetingType,
}

impl MeetingFacts {
    /// Returns the end of the meeting.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at + std::time::Duration::from_secs(u64::from(self.duration_minutes) * 60)
    }

    /// Returns the facts whose change raises the sequence (RFC 5546 §2.1.4); responses to other values no longer count.
    pub(super) fn place_and_time(&self) -> (Timestamp, u32, Option<&str>, Option<&str>, MeetingType) {
        let (location, url) = (self.location.as_deref(), self.meeting_url.as_deref());
        (self.starts_at, self.duration_minutes, location, url, self.meeting_type)
    }
}

/// The facts of a meeting as they were from one of its versions on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// The version of the meeting that brought them.
    pub version: u64,
    /// The SEQUENCE in calendars for these facts (RFC 5545 §3.8.7.4); `None` in rows from before it was kept.
    pub sequence: Option<u32>,
    /// The facts at that version.
    pub facts: MeetingFacts,
}

/// The last notification of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastNotified {
    /// The version of the meeting as it was then.
    pub version: u64,
    /// Whether they were invited; false if the notification was a cancellation.
    pub on: bool,
}

/// The kind of update that a participant is still to be notified of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingUpdate {
    /// Please come: they know of no such meeting, or think it is off.
    Invited,
    /// The meeting differs from the facts they know, which are these.
    Changed(MeetingFacts),
    /// The meeting is cancelled for them, and they think that it takes place.
    Cancelled,
}

impl Meeting {
    /// Returns the facts of the meeting.
    #[must_use]
    pub fn facts(&self) -> MeetingFacts {
        MeetingFacts {
            title: self.title.to_string(),
            description: self.description.as_ref().map(ToString::to_string),
            starts_at: self.starts_at,
            duration_minutes: self.duration.get(),
            location: self.location.as_ref().map(ToString::to_string),
            meeting_url: self.meeting_url.as_ref().map(ToString::to_string),
            meeting_type: self.meeting_type,
        }
    }
}

impl Meeting {
    /// Returns the meeting with other facts.
    #[must_use]
    pub fn with_facts(&self, facts: &MeetingFacts) -> Self {
        // Facts were values once; one that no longer fits is left as it is now.
        let (title, duration) = (facts.title.parse(), DurationMinutes::new(facts.duration_minutes));
        Self {
            title: title.unwrap_or_else(|_| self.title.clone()),
            description: facts.description.as_deref().and_then(|text| text.parse().ok()),
            starts_at: facts.starts_at,
            duration: duration.unwrap_or(self.duration),
            location: facts.location.as_deref().and_then(|text| text.parse().ok()),
            meeting_url: facts.meeting_url.as_deref().and_then(|text| text.parse().ok()),
            meeting_type: facts.meeting_type,
            ..self.clone()
        }
    }
}

/// Returns the update that `participant` is still to be notified of; `None` if there is none. `known` are the facts of
/// their last notification, at [`Participant::told`].
#[must_use]
pub fn pending_update(
    meeting: &Meeting,
    participant: &Participant,
    known: Option<&MeetingFacts>,
) -> Option<PendingUpdate> {
    let is_on = meeting.cancelled_at.is_none() && participant.removed_at.is_none();
    match (participant.told, is_on) {
        (None, true) | (Some(LastNotified { on: false, .. }), true) => Some(PendingUpdate::Invited),
        (None, false) | (Some(LastNotified { on: false, .. }), false) => None,
        (Some(LastNotified { on: true, .. }), false) => Some(PendingUpdate::Cancelled),
        (Some(LastNotified { on: true, .. }), true) => match known {
            Some(known) if *known == meeting.facts() => None,
            Some(known) => Some(PendingUpdate::Changed(known.clone())),
            None => Some(PendingUpdate::Invited),
        },
    }
}
