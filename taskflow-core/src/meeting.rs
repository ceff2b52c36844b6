//! A meeting of participants at a time: its state and its legal transitions. No input or output here.

mod kind;
mod merge;
mod participant;
mod pending_update;
mod standing;
mod write;

use std::time::Duration;

use chrono::NaiveDateTime;

use crate::error::FieldError;
use crate::{
    Description, DurationMinutes, Location, Mailbox, MeetingId, MeetingTitle, MeetingUrl, ReminderMinutes,
    TZDB_VERSION, Timestamp, UserId, Zone,
};

pub use kind::{MeetingStatus, MeetingType};
pub(crate) use merge::merge_guest;
pub use pending_update::{LastNotified, MeetingFacts, PendingUpdate, Revision, pending_update};
pub(crate) use standing::{keep_what_stands, versions_in_question};

pub use participant::{Invitee, MeetingResponse, MeetingRole, OwnReminders, Participant, ParticipantWrite};
pub use standing::OutdatedAnswer;
pub use write::MeetingWrite;

/// The start of a meeting, as a client gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartsAt {
    /// This instant.
    Instant(Timestamp),
    /// This local time in the meeting's zone; see [`Zone::instant`] for times that are skipped or come twice.
    Local(NaiveDateTime),
}

/// A meeting of participants at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The id; never changes. Also the UID of the calendar entry (RFC 5545 §3.8.4.7).
    pub id: MeetingId,
    /// The organizer, who alone may change it; `None` once that account is gone.
    pub created_by: Option<UserId>,
    /// The organizer as calendars know them. Never changes, because calendars accept no update from anybody else (RFC
    /// 5546 §3.2.2).
    pub organizer: Mailbox,
    /// The title of the meeting.
    pub title: MeetingTitle,
    /// Optional description of the meeting.
    pub description: Option<Description>,
    /// The start of the meeting.
    pub starts_at: Timestamp,
    /// The start as local time in `time_zone`. Participants agreed on this time: when the rules of the zone change,
    /// `starts_at` follows.
    pub local_start: NaiveDateTime,
    /// The zone it was agreed on in.
    pub time_zone: Zone,
    /// The version of the time zone database that `starts_at` was found with.
    pub tzdb: String,
    /// The duration of the meeting.
    pub duration: DurationMinutes,
    /// The place of the meeting.
    pub location: Option<Location>,
    /// The URL of the online meeting.
    pub meeting_url: Option<MeetingUrl>,
    /// The type of the meeting: in person, online or both.
    pub meeting_type: MeetingType,
    /// The reminder time for participants who have not chosen their own, in minutes before the start.
    pub reminder_minutes: ReminderMinutes,
    /// The time at which the organizer ended it early.
    pub ended_at: Option<Timestamp>,
    /// The time at which it was cancelled. A cancelled meeting is in no list by default, and can be restored until it
    /// begins.
    pub cancelled_at: Option<Timestamp>,
    /// Grows by one with each change that calendars must apply (RFC 5546 §2.1.4).
    pub sequence: u32,
    /// The recent changes that participants are notified of together.
    pub burst: Option<DebounceWindow>,
    /// Version for optimistic locking; grows by one with each change.
    pub version: u64,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// A meeting and who comes. The participants stand in the order of their ids; readers outside see only those
/// [in](Participant::is_in) it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingDetails {
    /// The meeting.
    pub meeting: Meeting,
    /// Everybody who was invited, in the order of their ids.
    pub participants: Vec<Participant>,
}

/// Changes that follow each other closely and become one mail: it waits for quiet, but not for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebounceWindow {
    /// The time of the first change.
    pub since: Timestamp,
    /// The time at which participants are notified.
    pub due_at: Timestamp,
    /// The version of the meeting after the last of them; its mail covers all of them.
    pub version: u64,
}

impl DebounceWindow {
    /// Maximum time for which a notification waits.
    pub const LONGEST: Duration = Duration::from_mins(5);

    /// Returns the window that the change to `version` belongs to: the present one, or a new one if participants have
    /// already been notified.
    #[must_use]
    pub fn after(before: Option<Self>, version: u64, now: Timestamp, quiet: Duration) -> Self {
        let since = before.filter(|burst| now < burst.due_at).map_or(now, |burst| burst.since);
        Self { since, due_at: (now + quiet).min(since + Self::LONGEST).max(now), version }
    }
}

/// The data of a new meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMeeting {
    /// The title of the meeting.
    pub title: MeetingTitle,
    /// Optional description of the meeting.
    pub description: Option<Description>,
    /// The start of the meeting; must lie ahead.
    pub starts_at: StartsAt,
    /// The organizer's own when absent.
    pub time_zone: Option<Zone>,
    /// The duration; default one hour.
    pub duration: DurationMinutes,
    /// The place of the meeting.
    pub location: Option<Location>,
    /// The URL of the online meeting.
    pub meeting_url: Option<MeetingUrl>,
    /// The type of the meeting; default in person.
    pub meeting_type: MeetingType,
    /// The reminder time; default 15 minutes before the start.
    pub reminder_minutes: ReminderMinutes,
    /// The invitees, besides the organizer.
    pub invitees: Vec<Invitee>,
}

impl NewMeeting {
    /// Returns a meeting of one hour with only a title and a start.
    #[must_use]
    pub fn titled(title: MeetingTitle, starts_at: StartsAt) -> Self {
        Self {
            title,
            description: None,
            starts_at,
            time_zone: None,
            duration: DurationMinutes::default(),
            location: None,
            meeting_url: None,
            meeting_type: MeetingType::default(),
            reminder_minutes: ReminderMinutes::default(),
            invitees: Vec::new(),
        }
    }
}

/// A change of a meeting. The outer `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingChange {
    /// The new title.
    pub title: Option<MeetingTitle>,
    /// The new description; `Some(None)` removes it.
    pub description: Option<Option<Description>>,
    /// The new start; must lie ahead if it differs.
    pub starts_at: Option<StartsAt>,
    /// The new zone. By itself it leaves the instant at which the meeting begins.
    pub time_zone: Option<Zone>,
    /// The new duration.
    pub duration: Option<DurationMinutes>,
    /// The new place; `Some(None)` removes it.
    pub location: Option<Option<Location>>,
    /// The new URL of the online meeting; `Some(None)` removes it.
    pub meeting_url: Option<Option<MeetingUrl>>,
    /// The new type.
    pub meeting_type: Option<MeetingType>,
    /// The new default reminder time.
    pub reminder_minutes: Option<ReminderMinutes>,
    /// The new status: `completed` ends it, `cancelled` cancels it; any other value than the present one is refused.
    pub status: Option<MeetingStatus>,
}

impl Meeting {
    /// Creates a meeting of `organizer`, whose zone is `zone`.
    pub fn new(
        id: MeetingId,
        created_by: UserId,
        organizer: Mailbox,
        zone: &Zone,
        new: NewMeeting,
        now: Timestamp,
    ) -> Result<Self, FieldError> {
        let time_zone = new.time_zone.unwrap_or_else(|| zone.clone());
        let starts_at = ahead(instant(new.starts_at, &time_zone), now)?;
        Ok(Self {
            id,
            created_by: Some(created_by),
            organizer,
            title: new.title,
            description: new.description,
            starts_at,
            local_start: time_zone.wall_clock(starts_at).at,
            time_zone,
            tzdb: current_tzdb(),
            duration: new.duration,
            location: new.location,
            meeting_url: new.meeting_url,
            meeting_type: new.meeting_type,
            reminder_minutes: new.reminder_minutes,
            ended_at: None,
            cancelled_at: None,
            sequence: 0,
            burst: None,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// Returns the end of the meeting, unless it was ended early.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at + self.duration.duration()
    }

    /// Returns the status of the meeting at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> MeetingStatus {
        match () {
            () if self.cancelled_at.is_some() => MeetingStatus::Cancelled,
            () if self.ended_at.is_some() || self.ends_at() <= now => MeetingStatus::Completed,
            () if self.starts_at <= now => MeetingStatus::InProgress,
            () => MeetingStatus::Scheduled,
        }
    }

    /// Returns whether it goes on, or may begin at `now` or later. One that was ended before it began may be moved.
    #[must_use]
    pub fn may_take_place(&self, now: Timestamp) -> bool {
        self.cancelled_at.is_none() && (self.starts_at >= now || self.ended_at.is_none() && self.ends_at() > now)
    }

    /// Returns whether the meeting takes place or did: it was neither cancelled nor ended early.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.cancelled_at.is_none() && self.ended_at.is_none()
    }

    /// Returns the meeting after `change`; the same version if nothing differs. Notifications of changes wait for
    /// `quiet`.
    pub fn apply(&self, change: MeetingChange, now: Timestamp, quiet: Duration) -> Result<Self, FieldError> {
        if self.cancelled_at.is_some() {
            return Err(FieldError::new("status", "is cancelled; restore the meeting before changing it"));
        }
        let time_zone = change.time_zone.unwrap_or_else(|| self.time_zone.clone());
        // The rules of the zone may be others than those that the start was found with, and the sweep yet to come.
        let agreed = if self.starts_at > now { self.agreed_start() } else { self.starts_at };
        let starts_at = match change.starts_at.map(|at| instant(at, &time_zone)) {
            Some(at) if at != self.starts_at && at != agreed => ahead(at, now)?,
            _ => agreed,
        };
        let moved = starts_at != agreed;
        let (mut ended_at, mut cancelled_at) = (self.ended_at.filter(|_| !moved), None);
        match change.status {
            None => {}
            Some(MeetingStatus::Cancelled) => cancelled_at = Some(now),
            Some(MeetingStatus::Completed) => {
                let over = self.status(now) == MeetingStatus::Completed;
                ended_at = if over { ended_at } else { Some(now) };
            }
            // Clients send back what they were shown.
            Some(same) if same == self.status(now) => {}
            Some(MeetingStatus::Scheduled) if moved => {}
            Some(_) => {
                return Err(FieldError::new(
                    "status",
                    "follows from the clock: only completed and cancelled can be set",
                ));
            }
        }
        let after = Self {
            title: change.title.unwrap_or_else(|| self.title.clone()),
            description: change.description.unwrap_or_else(|| self.description.clone()),
            starts_at,
            local_start: time_zone.wall_clock(starts_at).at,
            time_zone,
            tzdb: current_tzdb(),
            duration: change.duration.unwrap_or(self.duration),
            location: change.location.unwrap_or_else(|| self.location.clone()),
            meeting_url: change.meeting_url.unwrap_or_else(|| self.meeting_url.clone()),
            meeting_type: change.meeting_type.unwrap_or(self.meeting_type),
            reminder_minutes: change.reminder_minutes.unwrap_or(self.reminder_minutes),
            ended_at,
            cancelled_at,
            ..self.clone()
        };
        Ok(self.next_version(after, now, quiet))
    }

    /// Returns the meeting cancelled at `now`; a cancelled meeting stays as it is.
    #[must_use]
    pub fn cancel(&self, now: Timestamp) -> Self {
        let after = Self { cancelled_at: self.cancelled_at.or(Some(now)), ..self.clone() };
        self.next_version(after, now, Duration::ZERO)
    }

    /// Restores a cancelled meeting, as long as it lies ahead; one that is not cancelled stays as it is.
    pub fn restore(&self, now: Timestamp) -> Result<Self, FieldError> {
        if self.cancelled_at.is_some() && self.starts_at <= now {
            return Err(FieldError::new("meeting_date", "has passed: only a meeting that lies ahead can be restored"));
        }
        Ok(self.next_version(Self { cancelled_at: None, ..self.clone() }, now, Duration::ZERO))
    }

    /// Returns the next version of the meeting with no other difference, because its participants changed.
    #[must_use]
    pub fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now.max(self.updated_at), ..self.clone() }
    }

    /// Returns the meeting by the zone rules of this build: it begins at the agreed local time. The same value if that
    /// is the same instant.
    #[must_use]
    pub fn by_current_rules(&self, now: Timestamp, quiet: Duration) -> Self {
        let starts_at = self.agreed_start();
        if starts_at == self.starts_at {
            return self.clone();
        }
        let local_start = self.time_zone.wall_clock(starts_at).at;
        self.next_version(Self { starts_at, local_start, tzdb: current_tzdb(), ..self.clone() }, now, quiet)
    }

    /// Returns the instant of the agreed local time by the current rules. For a local time that comes twice in a night,
    /// the second occurrence stays the second.
    fn agreed_start(&self) -> Timestamp {
        // Nobody knows what the clock on the wall of an unknown zone shows.
        match !self.time_zone.is_known() || self.time_zone.wall_clock(self.starts_at).at == self.local_start {
            true => self.starts_at,
            false => self.time_zone.instant(self.local_start),
        }
    }

    fn next_version(&self, after: Self, now: Timestamp, quiet: Duration) -> Self {
        if after == (Self { tzdb: after.tzdb.clone(), ..self.clone() }) {
            return self.clone();
        }
        let (was, is) = (self.facts(), after.facts());
        let on_and_off = self.cancelled_at.is_some() != after.cancelled_at.is_some();
        let must_be_taken_over = on_and_off || was.place_and_time() != is.place_and_time();
        Self {
            sequence: self.sequence + u32::from(must_be_taken_over),
            burst: if was == is {
                self.burst
            } else {
                Some(DebounceWindow::after(self.burst, self.version + 1, now, quiet))
            },
            version: self.version + 1,
            // Calendars order what they are sent by it; the clock may have been set back.
            updated_at: now.max(self.updated_at),
            ..after
        }
    }
}

/// The end of the year 9998, so that everything around a meeting has a date.
const LATEST_START: i64 = 253_370_764_799_999_999;

/// Returns the version of the time zone database in this build, for example `2026a`.
pub(crate) fn current_tzdb() -> String {
    TZDB_VERSION.unwrap_or_default().to_owned()
}

fn instant(at: StartsAt, zone: &Zone) -> Timestamp {
    match at {
        StartsAt::Instant(at) => at,
        StartsAt::Local(at) => zone.instant(at),
    }
}

fn ahead(at: Timestamp, now: Timestamp) -> Result<Timestamp, FieldError> {
    match () {
        () if at <= now => Err(FieldError::new("meeting_date", "must lie ahead")),
        () if at > Timestamp::from_micros(LATEST_START) => {
            Err(FieldError::new("meeting_date", "must lie before the year 9999"))
        }
        () => Ok(at),
    }
}

#[cfg(test)]
mod tests;
