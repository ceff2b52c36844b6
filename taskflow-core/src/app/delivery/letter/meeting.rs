//! The last look at what is to be told of a meeting.

use super::super::super::meetings::SAME_PERSON;
use super::super::App;
use super::super::claim::A_MOMENT;
use super::facts::MAY_HAVE_ARRIVED;
use super::links::respond_link;
use super::{BatchContext, Reader, cancelled, expired, found, reader};
use crate::ports::CalendarEntry;
use crate::{
    CalendarMethod, CalendarPart, Delivery, EmailAddress, Invitation, Mailbox, Meeting, MeetingResponse, News, Notice,
    NoticeContent, NoticeKind, Outcome, Participant, ParticipantId, Timestamp, Told, User, news, reminder_minutes,
};

impl App {
    /// What a notice of a meeting says now, and what the participant knows once it is told.
    pub(super) fn meeting_topic(
        &self,
        delivery: &Delivery,
        notice: &Notice,
        offered_before: bool,
        facts: &BatchContext,
        reads: &mut Reader,
        now: Timestamp,
    ) -> Result<(NoticeContent, Option<(ParticipantId, Told)>), Outcome> {
        let (meeting, participant) = match notice {
            Notice::MeetingInvite { meeting, participant, .. }
            | Notice::MeetingChange { meeting, participant, .. }
            | Notice::MeetingCancel { meeting, participant }
            | Notice::MeetingReminder { meeting, participant, .. }
            | Notice::MeetingLeft { meeting, participant }
            | Notice::MeetingProposal { meeting, participant, .. }
            | Notice::MeetingUndelivered { meeting, participant } => (meeting, participant),
            _ => {
                return Err(cancelled("it is about no meeting"));
            }
        };
        let Some(meeting) = found(facts.meetings.get(meeting))? else { return Err(cancelled("the meeting is gone")) };
        let Some(participant) = found(facts.participants.get(participant))? else {
            return Err(cancelled("the participant is gone"));
        };
        if participant.merged_into.is_some() {
            return Err(cancelled(SAME_PERSON));
        }
        let invitation = || Box::new(self.addressed(meeting, participant));
        match notice {
            Notice::MeetingLeft { .. } => Ok((NoticeContent::MeetingLeft(invitation()), None)),
            Notice::MeetingProposal { starts_at, .. } => {
                still_proposes(meeting, participant, *starts_at, now)?;
                Ok((NoticeContent::MeetingProposal { invitation: invitation(), starts_at: *starts_at }, None))
            }
            Notice::MeetingUndelivered { .. } => {
                still_unreachable(meeting, participant, now)?;
                Ok((NoticeContent::MeetingUndelivered(invitation()), None))
            }
            Notice::MeetingReminder { starts_at, minutes, message, .. } => {
                *reads = who_reads(meeting, participant, facts)?;
                still_reminds(meeting, participant, *starts_at)?;
                // Whatever minutes the organizer writes into one that is sent by hand, it is one of its own.
                let asked = minutes.filter(|_| !delivery.dedupe_key.is_by_hand());
                if asked.is_some_and(|minutes| a_nearer_one_is_due(meeting, participant, minutes, now)) {
                    return Err(expired("a later reminder of the meeting has come due"));
                }
                Ok((NoticeContent::MeetingReminder { invitation: invitation(), message: message.clone() }, None))
            }
            _ => {
                *reads = who_reads(meeting, participant, facts)?;
                let known = participant.told.and_then(|told| facts.revisions.get(&(meeting.id, told.version)));
                let known = found(known)?.map(|revision| &revision.facts);
                let known = match participant.answered_since_told() {
                    // They answered something that they were not told by mail, and are asked again.
                    Some(version) if known.is_some_and(|known| *known == meeting.facts()) => {
                        let answered = found(facts.revisions.get(&(meeting.id, version)))?;
                        answered.map(|revision| &revision.facts).or(known)
                    }
                    Some(_) | None => known,
                };
                let news = news(meeting, participant, known);
                let before = match notice {
                    Notice::MeetingInvite { .. } => NoticeKind::MeetingCancel,
                    _ => NoticeKind::MeetingInvite,
                };
                let in_flight = facts.in_flight.contains(&(before, participant.id));
                let maybe_invited = facts.maybe_invited.contains(&participant.id);
                let news = match (notice, news) {
                    // Better once too often that it is off than never.
                    (Notice::MeetingCancel { .. }, None)
                        if maybe_invited && !in_flight && !is_on(meeting, participant) =>
                    {
                        News::Cancelled
                    }
                    (Notice::MeetingInvite { .. }, None) if offered_before && !is_on(meeting, participant) => {
                        return Err(expired(MAY_HAVE_ARRIVED));
                    }
                    // The invitation waits for quiet hours to end, or never left: this tells what it would have told.
                    (Notice::MeetingChange { version, .. }, Some(News::Invited))
                        if !facts.awaits_invitation.contains(&participant.id)
                            && meeting.burst.is_none_or(|burst| burst.version <= *version)
                            && meeting.ends_at() > now =>
                    {
                        News::Invited
                    }
                    (notice, news) => still_tells(notice, news, meeting, in_flight, now)?,
                };
                let on = news != News::Cancelled;
                let topic = match news {
                    News::Invited => NoticeContent::MeetingInvite(invitation()),
                    News::Changed(was) => NoticeContent::MeetingChange { invitation: invitation(), was },
                    News::Cancelled => {
                        // What is off is what they know, not what it became since.
                        let mut invitation = invitation();
                        if let Some(known) = known {
                            invitation.meeting = invitation.meeting.with_facts(known);
                        }
                        NoticeContent::MeetingCancel(invitation)
                    }
                };
                Ok((topic, Some((participant.id, Told { version: meeting.version, on }))))
            }
        }
    }

    /// What calendars take over from a letter. Only the reader is named beside the organizer: guests are not told each
    /// other's addresses, and a mail to one of 500 is no longer than a mail to one of two.
    /// The reader is named by the address that the mail goes to, so that the calendar behind it finds itself.
    pub(super) fn calendar_part(&self, topic: &NoticeContent, reader: &EmailAddress) -> Option<CalendarPart> {
        let (method, invitation) = match topic {
            NoticeContent::MeetingInvite(invitation) | NoticeContent::MeetingChange { invitation, .. } => {
                (CalendarMethod::Request, invitation)
            }
            NoticeContent::MeetingCancel(invitation) => (CalendarMethod::Cancel, invitation),
            _ => return None,
        };
        let attendee = Participant { email: reader.clone(), ..invitation.participant.clone() };
        let attendees = std::slice::from_ref(&attendee);
        Some(self.calendar.as_ref()?.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees }))
    }

    fn addressed(&self, meeting: &Meeting, participant: &Participant) -> Invitation {
        let respond_url = self.links.as_ref().map(|links| links.url(&respond_link(meeting, participant)));
        Invitation { meeting: meeting.clone(), participant: participant.clone(), respond_url }
    }
}

/// Whether somebody who was told of a meeting should think that it takes place, with them.
fn is_on(meeting: &Meeting, participant: &Participant) -> bool {
    meeting.cancelled_at.is_none() && participant.is_in()
}

/// The account of a participant, if there is one by now. A guest reads in their own language and zone if they were given,
/// else in the organizer's language and the meeting's zone, which is the organizer's unless they chose another.
fn who_reads(meeting: &Meeting, participant: &Participant, facts: &BatchContext) -> Result<Reader, Outcome> {
    let read = reader(&participant.recipient(), facts)?;
    if let Some(id) = participant.user_id {
        // Another address counts once it is shown to be theirs; until then the one they were invited by does.
        return Ok(match found(facts.users.get(&id))? {
            Some(user) if !user.email_verified && !participant.is_organizer() => {
                let mailbox = crate::Mailbox { address: participant.email.clone(), ..read.mailbox };
                Reader { mailbox, ..read }
            }
            Some(_) | None => read,
        });
    }
    let organizer = organizer(meeting, facts);
    let locale = participant.locale.as_ref().or(organizer.map(|user| &user.locale)).unwrap_or(&read.locale).clone();
    let zone = participant.time_zone.as_ref().unwrap_or(&meeting.time_zone).clone();
    let guest = Reader { id: Some(participant.id.as_uuid()), locale, zone, ..read };
    Ok(match participant.name.as_ref().map(ToString::to_string) {
        None => guest,
        Some(name) => {
            let mailbox = crate::Mailbox { name: Some(name.clone()), ..guest.mailbox };
            Reader { name, mailbox, ..guest }
        }
    })
}

/// A later answer or another time of the meeting takes a proposal back.
fn still_proposes(
    meeting: &Meeting,
    participant: &Participant,
    starts_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Outcome> {
    match () {
        () if !is_on(meeting, participant) => Err(cancelled("the meeting is off, or they are no longer in it")),
        () if participant.response != MeetingResponse::Tentative || participant.proposed_start != starts_at => {
            Err(cancelled("the proposal no longer stands"))
        }
        () if meeting.ends_at() <= now => Err(expired("the meeting is over")),
        () => Ok(()),
    }
}

fn still_unreachable(meeting: &Meeting, participant: &Participant, now: Timestamp) -> Result<(), Outcome> {
    match () {
        () if participant.delivery_problem.is_none() => Err(cancelled("mail reaches them again")),
        () if meeting.ends_at() <= now => Err(expired("the meeting is over")),
        () => Ok(()),
    }
}

/// The account that created the meeting; `None` once it is gone.
fn organizer<'a>(meeting: &Meeting, facts: &'a BatchContext) -> Option<&'a User> {
    meeting.created_by.and_then(|id| facts.users.get(&id)?.as_ref().ok())
}

/// Where answers to the organizer go: to the present address of the account when it is verified, else to the one that
/// calendars know.
pub(super) fn organizer_mailbox(meeting: &Meeting, facts: &BatchContext) -> Mailbox {
    let user = organizer(meeting, facts).filter(|user| user.email_verified);
    user.map_or_else(
        || meeting.organizer.clone(),
        |user| Mailbox { address: user.email.clone(), ..meeting.organizer.clone() },
    )
}

fn still_reminds(meeting: &Meeting, participant: &Participant, starts_at: Timestamp) -> Result<(), Outcome> {
    match () {
        () if meeting.cancelled_at.is_some() => Err(cancelled("the meeting is cancelled")),
        () if meeting.ended_at.is_some() => Err(cancelled("the meeting was ended")),
        () if meeting.starts_at != starts_at => Err(cancelled("the meeting begins at another time")),
        () if !participant.is_in() => Err(cancelled("the participant is no longer in the meeting")),
        () if participant.response == MeetingResponse::Declined => Err(cancelled("the participant declined")),
        () => Ok(()),
    }
}

/// Whether another reminder that a participant asks for, nearer to the meeting, has come due: it says all that this one does.
fn a_nearer_one_is_due(meeting: &Meeting, participant: &Participant, minutes: u32, now: Timestamp) -> bool {
    let mut nearer = reminder_minutes(meeting, participant).iter().filter(|other| other.get() < minutes);
    nearer.any(|other| meeting.starts_at - other.duration() <= now)
}

/// The news, if this notice is the one to tell them.
fn still_tells(
    notice: &Notice,
    news: Option<News>,
    meeting: &Meeting,
    in_flight: bool,
    now: Timestamp,
) -> Result<News, Outcome> {
    // What an invitation or a cancellation that is on its way has told is known once it is settled.
    let wait = || Outcome::Released { next_at: now + A_MOMENT, error: None };
    match (notice, news) {
        (Notice::MeetingCancel { .. }, Some(News::Cancelled)) => Ok(News::Cancelled),
        _ if in_flight => Err(wait()),
        (Notice::MeetingInvite { again: true, .. }, None) if meeting.cancelled_at.is_none() => Ok(News::Invited),
        (_, None) => Err(expired("there is nothing new to tell")),
        (Notice::MeetingCancel { .. }, Some(_)) => Err(cancelled("the meeting is on again")),
        (_, Some(News::Cancelled)) => Err(cancelled("the meeting is off")),
        _ if meeting.ends_at() <= now => Err(expired("the meeting is over")),
        (Notice::MeetingChange { version, .. }, _) if meeting.burst.is_some_and(|burst| burst.version > *version) => {
            Err(cancelled("a later change tells of it"))
        }
        (Notice::MeetingChange { .. }, Some(News::Invited)) => Err(expired("the invitation tells of it")),
        (_, Some(news)) => Ok(news),
    }
}
