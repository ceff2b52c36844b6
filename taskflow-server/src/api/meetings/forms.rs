//! Meetings as JSON.

use poem_openapi::Object;
use taskflow_core::{
    Description, DurationMinutes, Location, MeetingChange, MeetingDetails, MeetingId, MeetingStatus, MeetingTitle,
    MeetingType, MeetingUrl, NewMeeting, Page, ReminderMinutes, StartsAt, Timestamp, UserId, Zone,
};

use super::people::{Addresses, ParticipantBody, People, invitees};
use crate::api::answer::PageJson;
use crate::api::{ApiError, Field, Required, Val, ValidationErrors};

/// A meeting.
#[derive(Debug, Object)]
#[oai(rename = "Meeting", skip_serializing_if_is_none)]
pub(super) struct MeetingBody {
    /// Identifier; never changes.
    id: Val<MeetingId>,
    /// Title.
    title: Val<MeetingTitle>,
    /// Description.
    description: Option<Val<Description>>,
    /// When it begins.
    meeting_date: Val<Timestamp>,
    /// Duration in minutes.
    duration_minutes: Val<DurationMinutes>,
    /// Place of the meeting.
    location: Option<Val<Location>>,
    /// Web address of the meeting.
    meeting_url: Option<Val<MeetingUrl>>,
    /// Whether people meet in person, online or both.
    meeting_type: Val<MeetingType>,
    /// The time zone in which the meeting was agreed on.
    time_zone: Val<Zone>,
    /// Minutes before the start at which participants are reminded who have not chosen their own.
    reminder_minutes: Val<ReminderMinutes>,
    /// Status; follows from the clock unless the meeting was cancelled or ended early.
    status: Val<MeetingStatus>,
    /// `false` once the meeting is cancelled. Cancelled meetings are listed only on request.
    is_active: bool,
    /// The account that created it; absent when that account was deleted.
    created_by: Option<Val<UserId>>,
    /// The participants.
    participants: Vec<ParticipantBody>,
    /// Grows by one with each change that calendars take over (RFC 5546).
    #[oai(validator(minimum(value = "0")))]
    sequence: u32,
    /// Grows by one with each change of the meeting, but not with answers to it.
    #[oai(validator(minimum(value = "1")))]
    version: u64,
    /// When it was created.
    created_at: Val<Timestamp>,
    /// When it last changed.
    updated_at: Val<Timestamp>,
}

/// A page of meetings.
#[derive(Debug, Object)]
#[oai(rename = "MeetingPage")]
pub(super) struct MeetingPageBody {
    /// The meetings on this page.
    items: Vec<MeetingBody>,
    /// Number of items on all pages.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Number of this page, counted from 1.
    #[oai(validator(minimum(value = "1")))]
    page: u32,
    /// Maximum number of items on a page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    size: u32,
}

/// A meeting to create.
#[derive(Debug, Object)]
#[oai(rename = "NewMeeting")]
pub(super) struct NewMeetingBody {
    /// Title, on one line.
    title: Required<MeetingTitle>,
    /// Description.
    #[oai(nullable)]
    description: Field<Description>,
    /// When it begins; must lie ahead. Without an offset, as in `2030-03-29T09:00:00`, it is what the clock on the wall
    /// of `time_zone` shows then.
    meeting_date: Required<StartsAt>,
    /// The time zone in which the meeting is agreed on; default: that of the account.
    #[oai(nullable)]
    time_zone: Field<Zone>,
    /// Duration in minutes; default 60.
    #[oai(nullable)]
    duration_minutes: Field<DurationMinutes>,
    /// Place of the meeting.
    #[oai(nullable)]
    location: Field<Location>,
    /// Web address of the meeting.
    #[oai(nullable)]
    meeting_url: Field<MeetingUrl>,
    /// Whether people meet in person, online or both; default `in_person`.
    #[oai(nullable)]
    meeting_type: Field<MeetingType>,
    /// Minutes before the start at which participants are reminded; default 15.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
    /// Participants, by email address alone.
    #[oai(nullable)]
    participant_emails: Field<Addresses>,
    /// Participants. A person without an account is invited as a guest.
    #[oai(nullable)]
    participants: Field<People>,
}

/// A change of a meeting. Members that are left out stay as they are.
#[derive(Debug, Object)]
#[oai(rename = "MeetingChange")]
pub(super) struct ChangeBody {
    /// Another title.
    title: Field<MeetingTitle>,
    /// Another description; `null` removes it.
    #[oai(nullable)]
    description: Field<Description>,
    /// Another start; must lie ahead.
    meeting_date: Field<StartsAt>,
    /// Another time zone. By itself it does not change the instant at which the meeting begins.
    time_zone: Field<Zone>,
    /// Another duration in minutes.
    duration_minutes: Field<DurationMinutes>,
    /// Another place; `null` removes it.
    #[oai(nullable)]
    location: Field<Location>,
    /// Another web address; `null` removes it.
    #[oai(nullable)]
    meeting_url: Field<MeetingUrl>,
    /// Another way to meet.
    meeting_type: Field<MeetingType>,
    /// Another default reminder, in minutes before the start.
    reminder_minutes: Field<ReminderMinutes>,
    /// `completed` ends the meeting early, `cancelled` cancels it. Other values follow from the clock.
    status: Field<MeetingStatus>,
}

impl NewMeetingBody {
    pub(super) fn read(self) -> Result<NewMeeting, ApiError> {
        let mut findings = ValidationErrors::default();
        let title = findings.required("title", self.title);
        let description = findings.optional("description", self.description);
        let starts_at = findings.required("meeting_date", self.meeting_date);
        let time_zone = findings.optional("time_zone", self.time_zone);
        let duration = findings.optional("duration_minutes", self.duration_minutes).unwrap_or_default();
        let location = findings.optional("location", self.location);
        let meeting_url = findings.optional("meeting_url", self.meeting_url);
        let meeting_type = findings.optional("meeting_type", self.meeting_type).unwrap_or_default();
        let reminder_minutes = findings.optional("reminder_minutes", self.reminder_minutes).unwrap_or_default();
        let invitees = invitees(&mut findings, self.participant_emails, self.participants);
        let new = title.zip(starts_at).map(|(title, starts_at)| NewMeeting {
            title,
            description,
            starts_at,
            time_zone,
            duration,
            location,
            meeting_url,
            meeting_type,
            reminder_minutes,
            invitees,
        });
        findings.finish(new)
    }
}

impl ChangeBody {
    pub(super) fn read(self) -> Result<MeetingChange, ApiError> {
        let mut findings = ValidationErrors::default();
        let change = MeetingChange {
            title: findings.kept("title", self.title),
            description: findings.clearable("description", self.description),
            starts_at: findings.kept("meeting_date", self.meeting_date),
            time_zone: findings.kept("time_zone", self.time_zone),
            duration: findings.kept("duration_minutes", self.duration_minutes),
            location: findings.clearable("location", self.location),
            meeting_url: findings.clearable("meeting_url", self.meeting_url),
            meeting_type: findings.kept("meeting_type", self.meeting_type),
            reminder_minutes: findings.kept("reminder_minutes", self.reminder_minutes),
            status: findings.kept("status", self.status),
        };
        findings.finish(Some(change))
    }
}

impl MeetingBody {
    /// The meeting as it is at `now`.
    pub(super) fn new(MeetingDetails { meeting, participants }: MeetingDetails, now: Timestamp) -> Self {
        Self {
            id: Val(meeting.id),
            status: Val(meeting.status(now)),
            is_active: meeting.cancelled_at.is_none(),
            title: Val(meeting.title),
            description: meeting.description.map(Val),
            meeting_date: Val(meeting.starts_at),
            duration_minutes: Val(meeting.duration),
            location: meeting.location.map(Val),
            meeting_url: meeting.meeting_url.map(Val),
            meeting_type: Val(meeting.meeting_type),
            time_zone: Val(meeting.time_zone),
            reminder_minutes: Val(meeting.reminder_minutes),
            created_by: meeting.created_by.map(Val),
            participants: participants.into_iter().map(ParticipantBody::from).collect(),
            sequence: meeting.sequence,
            version: meeting.version,
            created_at: Val(meeting.created_at),
            updated_at: Val(meeting.updated_at),
        }
    }
}

impl MeetingPageBody {
    /// A page as JSON, with the meetings as they are at `now`.
    pub(super) async fn of(page: Page<MeetingDetails>, now: Timestamp) -> PageJson<Self> {
        let (total, request) = (page.total, page.request);
        let envelope = Self { items: Vec::new(), total, page: request.page(), size: request.size() };
        PageJson::new(envelope, page.items.into_iter().map(|details| MeetingBody::new(details, now))).await
    }
}
