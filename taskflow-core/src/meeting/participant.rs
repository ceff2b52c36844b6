//! Participants: people who were invited to a meeting, as users or as guests who are known by their address only.

use std::fmt;
use std::str::FromStr;

use super::LastNotified;
use crate::{
    Comment, DeliveryProblem, EmailAddress, InvalidValue, Locale, MeetingId, ParticipantId, PersonName, Recipient,
    ReminderMinutes, Timestamp, User, UserId, Zone,
};

/// The role of a participant in a meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeetingRole {
    /// Called it.
    Organizer,
    /// Should come.
    #[default]
    Attendee,
    /// May come.
    Optional,
}

/// The response of a participant to an invitation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeetingResponse {
    /// Nothing yet.
    #[default]
    Pending,
    /// Will come.
    Accepted,
    /// Will not come.
    Declined,
    /// May come.
    Tentative,
}

impl MeetingRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Organizer, Self::Attendee, Self::Optional];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organizer => "organizer",
            Self::Attendee => "attendee",
            Self::Optional => "optional",
        }
    }
}

impl MeetingResponse {
    /// Every response.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::Declined, Self::Tentative];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Tentative => "tentative",
        }
    }
}

impl fmt::Display for MeetingRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for MeetingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MeetingRole {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be organizer, attendee or optional"))
    }
}

impl FromStr for MeetingResponse {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|response| response.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be pending, accepted, declined or tentative"))
    }
}

/// A person to invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitee {
    /// Their address.
    pub email: EmailAddress,
    /// The name of the invitee.
    pub name: Option<PersonName>,
    /// Attendee or optional; an organizer is not invited.
    pub role: MeetingRole,
    /// The language of mail and pages for a guest; `None`: the organizer's.
    pub locale: Option<Locale>,
    /// The zone in which a guest reads times; `None`: the meeting's, which is the organizer's unless they chose another.
    pub time_zone: Option<Zone>,
}

impl Invitee {
    /// Returns an attendee of whom only the address is known.
    #[must_use]
    pub fn new(email: EmailAddress) -> Self {
        Self { email, name: None, role: MeetingRole::Attendee, locale: None, time_zone: None }
    }
}

/// The minutes before meetings at which a user wants to be reminded: up to five different ones, ascending; none means
/// no reminder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnReminders(Vec<ReminderMinutes>);

impl OwnReminders {
    /// Most of them.
    pub const MOST: usize = 5;

    /// Sorts the minutes and drops duplicates.
    pub fn new(minutes: impl IntoIterator<Item = ReminderMinutes>) -> Result<Self, InvalidValue> {
        let mut minutes: Vec<_> = minutes.into_iter().collect();
        minutes.sort_unstable();
        minutes.dedup();
        if minutes.len() > Self::MOST {
            return Err(InvalidValue::new(format!("must be at most {} different numbers", Self::MOST)));
        }
        Ok(Self(minutes))
    }

    /// Returns the minutes, ascending.
    #[must_use]
    pub fn minutes(&self) -> &[ReminderMinutes] {
        &self.0
    }
}

/// A person who was invited to a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The id; never changes.
    pub id: ParticipantId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Their account, if the address is verified to be theirs; a guest has none.
    pub user_id: Option<UserId>,
    /// The address they were invited by; never changes, and comes once in a meeting.
    pub email: EmailAddress,
    /// The name of the participant.
    pub name: Option<PersonName>,
    /// The role in the meeting.
    pub role: MeetingRole,
    /// The response to the invitation.
    pub response: MeetingResponse,
    /// The comment on the response.
    pub comment: Option<Comment>,
    /// The time of the last response; kept when the response is reset.
    pub responded_at: Option<Timestamp>,
    /// The version of the meeting that they last responded to; `None` also for responses from before versions were
    /// kept.
    pub answered_version: Option<u64>,
    /// The response that a later change of the meeting made void (RFC 6638 §3.2.8); `None` unless they are asked again.
    pub reset_response: Option<MeetingResponse>,
    /// The start they proposed instead (COUNTER, RFC 5546 §3.2.7).
    pub proposed_start: Option<Timestamp>,
    /// The language of mail and pages for a guest; `None`: the organizer's.
    pub locale: Option<Locale>,
    /// The zone in which a guest reads times; `None`: the meeting's, which is the organizer's unless they chose another.
    pub time_zone: Option<Zone>,
    /// The reason mail about the meeting does not reach them.
    pub delivery_problem: Option<DeliveryProblem>,
    /// Their own reminders; `None` for those of the meeting.
    pub reminders: Option<OwnReminders>,
    /// The last notification by mail. Written by settlements only: an update leaves it as it is stored.
    pub told: Option<LastNotified>,
    /// The time at which they were removed from the meeting or left it.
    pub removed_at: Option<Timestamp>,
    /// The participant who turned out to be the same person, and represents this one; comes with `removed_at`.
    pub merged_into: Option<ParticipantId>,
    /// Grows by one with each change (optimistic lock); settlements do not count.
    pub version: u64,
}

impl Participant {
    /// Creates a newly invited participant.
    #[must_use]
    pub fn invited(id: ParticipantId, meeting_id: MeetingId, invitee: Invitee, user_id: Option<UserId>) -> Self {
        Self {
            id,
            meeting_id,
            user_id,
            email: invitee.email,
            name: invitee.name,
            role: invitee.role,
            response: MeetingResponse::Pending,
            comment: None,
            responded_at: None,
            answered_version: None,
            reset_response: None,
            proposed_start: None,
            locale: invitee.locale,
            time_zone: invitee.time_zone,
            delivery_problem: None,
            reminders: None,
            told: None,
            removed_at: None,
            merged_into: None,
            version: 1,
        }
    }

    /// Creates the participant of the organizer, who has accepted.
    #[must_use]
    pub fn organizer(id: ParticipantId, meeting_id: MeetingId, user: &User, now: Timestamp) -> Self {
        let invitee = Invitee {
            name: user.username.as_str().parse().ok(),
            role: MeetingRole::Organizer,
            ..Invitee::new(user.email.clone())
        };
        Self {
            response: MeetingResponse::Accepted,
            responded_at: Some(now),
            ..Self::invited(id, meeting_id, invitee, Some(user.id))
        }
    }

    /// Returns whether they still participate in the meeting.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Returns whether they left by themselves, rather than being removed by the organizer.
    #[must_use]
    pub fn has_left(&self) -> bool {
        !self.is_in() && self.response == MeetingResponse::Declined
    }

    /// Returns whether they have accepted, also tentatively. A response that a later change made void counts as well.
    #[must_use]
    pub fn has_accepted(&self) -> bool {
        let accepts = |answer| matches!(answer, MeetingResponse::Accepted | MeetingResponse::Tentative);
        accepts(self.response) || self.reset_response.is_some_and(accepts)
    }

    /// Returns whether they are the organizer of the meeting.
    #[must_use]
    pub fn is_organizer(&self) -> bool {
        self.role == MeetingRole::Organizer
    }

    /// Returns the recipient of mail to them: their account, otherwise the address they were invited by.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        self.user_id.map_or_else(|| Recipient::Address(self.email.clone()), Recipient::User)
    }

    /// Returns the participant with another response, given now; the same version if the response is the same.
    #[must_use]
    pub fn respond(&self, response: MeetingResponse, comment: Option<Comment>, now: Timestamp) -> Self {
        if (self.response, &self.comment) == (response, &comment) && self.responded_at.is_some() {
            return self.clone();
        }
        Self {
            response,
            comment,
            responded_at: Some(now),
            reset_response: None,
            proposed_start: None,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Returns the participant after they left by themselves.
    #[must_use]
    pub fn leave(&self, now: Timestamp) -> Self {
        let (response, removed_at) = (MeetingResponse::Declined, self.removed_at.or(Some(now)));
        let left = Self { response, reset_response: None, responded_at: Some(now), removed_at, ..self.clone() };
        self.next_version(left)
    }

    /// Returns the participant after the organizer removed them.
    #[must_use]
    pub fn remove(&self, now: Timestamp) -> Self {
        self.next_version(Self { removed_at: self.removed_at.or(Some(now)), ..self.clone() })
    }

    /// Returns the participant invited again after they were removed or left. Comment and chosen reminders stay. The
    /// response is treated as for any change, except that a participant who left is asked again.
    #[must_use]
    pub fn invite_again(&self, invitee: Invitee, user_id: Option<UserId>) -> Self {
        let left = self.has_left();
        self.next_version(Self {
            user_id,
            name: invitee.name.or_else(|| self.name.clone()),
            role: invitee.role,
            locale: invitee.locale.or_else(|| self.locale.clone()),
            time_zone: invitee.time_zone.or_else(|| self.time_zone.clone()),
            response: if left { MeetingResponse::Pending } else { self.response },
            reset_response: self.reset_response.filter(|_| !left),
            proposed_start: None,
            delivery_problem: None,
            removed_at: None,
            merged_into: None,
            ..self.clone()
        })
    }

    /// Returns the participant with another address.
    #[must_use]
    pub(crate) fn with_email(&self, email: EmailAddress) -> Self {
        self.next_version(Self { email, ..self.clone() })
    }

    /// Returns the participant with another role.
    #[must_use]
    pub fn with_role(&self, role: MeetingRole) -> Self {
        self.next_version(Self { role, ..self.clone() })
    }

    /// Returns the participant with other reminders of their own, or none of their own.
    #[must_use]
    pub fn with_reminders(&self, reminders: Option<OwnReminders>) -> Self {
        self.next_version(Self { reminders, ..self.clone() })
    }

    /// Returns the participant with a delivery problem, or without one.
    #[must_use]
    pub fn with_problem(&self, delivery_problem: Option<DeliveryProblem>) -> Self {
        self.next_version(Self { delivery_problem, ..self.clone() })
    }

    fn next_version(&self, after: Self) -> Self {
        if after == *self { after } else { Self { version: self.version + 1, ..after } }
    }
}

/// A write of participants.
#[derive(Debug, Clone, PartialEq)]
pub enum ParticipantWrite {
    /// Inserts a participant; `Stale` when their account is gone, when the address is in the meeting already, and when they
    /// are a guest although the address is by now verified to be an account's.
    Insert(Participant),
    /// Replaces a participant in everything but [`told`](Participant::told). `Stale` unless the stored version is one
    /// less, or if their account is gone.
    Update(Participant),
    /// Changes nothing: `Stale` unless the versions of all participants of the meeting, before this commit, add up to
    /// this. It must come with a write of the meeting itself, on whose row it relies.
    ExpectVersions {
        /// The meeting.
        meeting: MeetingId,
        /// The sum of the versions that the decision was based on.
        versions: u64,
    },
    /// Links all guests with this address to an account, except in meetings where the account has a participant
    /// already. Guests represented by another participant stay as they are.
    LinkGuests {
        /// The address, verified to be theirs.
        email: EmailAddress,
        /// The account; `Stale` when it is gone.
        user_id: UserId,
    },
}
