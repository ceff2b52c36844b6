//! Meetings as JSON.

use poem_openapi::Object;
use taskflow_core::{
    Description, DurationMinutes, Location, MeetingChange, MeetingDetails, MeetingId, MeetingStatus, MeetingTitle,
    MeetingType, MeetingUrl, NewMeeting, Page, ReminderMinutes, StartsAt, Timestamp, UserId, Zone,
};

use super::people::{Addresses, ParticipantBody, People, invitees};
use crate::api::{ApiError, Field, Findings, Required, Val};

/// A gathering of people at a time.
#[derive(Debug, Object)]
#[oai(rename = "Meeting", skip_serializing_if_is_none)]
pub(super) struct MeetingBody {
    /// Never changes.
    id: Val<MeetingId>,
    /// What it is called.
    title: Val<MeetingTitle>,
    /// What it is about.
    description: Option<Val<Description>>,
    /// When it begins.
    meeting_date: Val<Timestamp>,
    /// How long it takes.
    duration_minutes: Val<DurationMinutes>,
    /// Where people meet.
    location: Option<Val<Location>>,
    /// Where they meet on the web.
    meeting_url: Option<Val<MeetingUrl>>,
    /// How they meet.
    meeting_type: Val<MeetingType>,
    /// The zone it was agreed on in.
    time_zone: Val<Zone>,
    /// How many minutes before it begins those are reminded who have not chosen themselves.
    reminder_minutes: Val<ReminderMinutes>,
    /// How far it is: follows from the clock, unless it was cancelled or ended early.
    status: Val<MeetingStatus>,
    /// `false` once it is cancelled: it is in no list then, unless cancelled ones are asked for.
    is_active: bool,
    /// Who called it; absent once that account is gone.
    created_by: Option<Val<UserId>>,
    /// Who is in it.
    participants: Vec<ParticipantBody>,
    /// Grows by one with each change that calendars take over (RFC 5546).
    #[oai(validator(minimum(value = "0")))]
    sequence: u32,
    /// Grows by one with each change of the meeting, and not with answers to it.
    #[oai(validator(minimum(value = "1")))]
    version: u64,
    /// When it was called.
    created_at: Val<Timestamp>,
    /// When it last changed.
    updated_at: Val<Timestamp>,
}

/// One page of meetings.
#[derive(Debug, Object)]
#[oai(rename = "MeetingPage")]
pub(super) struct MeetingPageBody {
    /// What is on it.
    items: Vec<MeetingBody>,
    /// How many all pages have together.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Which page it is, counted from 1.
    #[oai(validator(minimum(value = "1")))]
    page: u32,
    /// How many fit on a page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    size: u32,
}

/// A new meeting.
#[derive(Debug, Object)]
#[oai(rename = "NewMeeting")]
pub(super) struct NewMeetingBody {
    /// What it is called; one line.
    title: Required<MeetingTitle>,
    /// What it is about.
    #[oai(nullable)]
    description: Field<Description>,
    /// When it begins; must lie ahead. Without an offset, as in `2030-03-29T09:00:00`, it is what the clock on the wall
    /// of `time_zone` shows then.
    meeting_date: Required<StartsAt>,
    /// The zone it is agreed on in; my own when left out.
    #[oai(nullable)]
    time_zone: Field<Zone>,
    /// How long it takes; an hour when left out.
    #[oai(nullable)]
    duration_minutes: Field<DurationMinutes>,
    /// Where people meet.
    #[oai(nullable)]
    location: Field<Location>,
    /// Where they meet on the web.
    #[oai(nullable)]
    meeting_url: Field<MeetingUrl>,
    /// How they meet; `in_person` when left out.
    #[oai(nullable)]
    meeting_type: Field<MeetingType>,
    /// How many minutes before it begins to remind; 15 when left out.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
    /// Who else comes, by address alone.
    #[oai(nullable)]
    participant_emails: Field<Addresses>,
    /// Who else comes; whoever has no account here is invited as a guest.
    #[oai(nullable)]
    participants: Field<People>,
}

/// What shall be different; what is left out stays as it is.
#[derive(Debug, Object)]
#[oai(rename = "MeetingChange")]
pub(super) struct ChangeBody {
    /// Another title.
    title: Field<MeetingTitle>,
    /// Another description, or none.
    #[oai(nullable)]
    description: Field<Description>,
    /// Another start; must lie ahead.
    meeting_date: Field<StartsAt>,
    /// Another zone; by itself it leaves the instant at which the meeting begins.
    time_zone: Field<Zone>,
    /// Another length.
    duration_minutes: Field<DurationMinutes>,
    /// Another place, or none.
    #[oai(nullable)]
    location: Field<Location>,
    /// Another place on the web, or none.
    #[oai(nullable)]
    meeting_url: Field<MeetingUrl>,
    /// Another way to meet.
    meeting_type: Field<MeetingType>,
    /// Another reminder.
    reminder_minutes: Field<ReminderMinutes>,
    /// `completed` ends it early, `cancelled` cancels it; all else follows from the clock.
    status: Field<MeetingStatus>,
}

impl NewMeetingBody {
    pub(super) fn read(self) -> Result<NewMeeting, ApiError> {
        let mut findings = Findings::default();
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
        let mut findings = Findings::default();
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
    /// The meetings as they are at `now`.
    pub(super) fn new(page: Page<MeetingDetails>, now: Timestamp) -> Self {
        Self {
            items: page.items.into_iter().map(|details| MeetingBody::new(details, now)).collect(),
            total: page.total,
            page: page.request.page(),
            size: page.request.size(),
        }
    }
}
