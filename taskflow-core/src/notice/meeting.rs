//! Shared parts of the notices about a meeting.

use super::{
    A_MOMENT, Addressee, BatchContext, Checked, Needs, NoticeKind, PreSendCheck, Thread, cancelled, expired, found,
};
use super::{MeetingCancelContent, MeetingChangeContent, MeetingInviteContent};
use crate::{
    Description, Invitation, LastNotified, LinkTargets, Location, Mailbox, Meeting, MeetingFacts, MeetingId,
    MeetingResponse, MeetingUrl, NoticeContent, OpenTarget, Outcome, Participant, ParticipantId, PendingUpdate,
    PersonName, PlainText, RenderInput, Timestamp, User, Variable, Variables, pending_update,
};

/// The reason nothing is sent to a participant who was merged into another one.
pub(crate) const SAME_PERSON: &str = "the same person is in the meeting under another address";

/// The reason an invitation expires that is no longer needed and may have arrived all the same.
pub(crate) const MAY_HAVE_ARRIVED: &str = "it may have arrived, and the meeting is off";

/// The meeting and the participant that a notice is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject(pub(super) MeetingId, pub(super) ParticipantId);

impl Subject {
    pub(super) fn needs(self) -> Needs {
        Needs::meeting(self.0, self.1)
    }

    /// Returns what must be loaded for a notice of an update to the participant.
    pub(super) fn needs_of_news(self, teller: UpdateNotice) -> Needs {
        Needs { after: Some(teller.after()), ..self.needs() }
    }

    /// Returns the thread of the notifications of the participant about the meeting.
    pub(super) fn thread(self) -> Thread {
        Thread::Meeting(self.0, self.1)
    }

    /// Returns both as they are now, if they are still there.
    pub(super) fn find(self, batch: &BatchContext) -> Result<(&Meeting, &Participant), Outcome> {
        let Some(meeting) = found(batch.meetings.get(&self.0))? else { return Err(cancelled("the meeting is gone")) };
        let Some(participant) = found(batch.participants.get(&self.1))? else {
            return Err(cancelled("the participant is gone"));
        };
        if participant.merged_into.is_some() {
            return Err(cancelled(SAME_PERSON));
        }
        Ok((meeting, participant))
    }
}

/// Returns a participant with the meeting and the link that shows it to them.
pub(super) fn invitation(check: &PreSendCheck<'_>, meeting: &Meeting, participant: &Participant) -> Invitation {
    let respond_url = check.urls.respond(meeting, participant);
    Invitation { meeting: meeting.clone(), participant: participant.clone(), respond_url }
}

/// A notice that notifies a participant of the present state of a meeting.
#[derive(Debug, Clone, Copy)]
pub(super) enum UpdateNotice {
    Invite {
        /// Whether they had left the meeting by themselves.
        again: bool,
    },
    Change {
        /// The version that brought the change.
        version: u64,
    },
    Cancel,
}

impl UpdateNotice {
    /// Returns the kind of notice that must not be sent to the participant at the same time, because it changes what
    /// they know.
    fn after(self) -> NoticeKind {
        match self {
            Self::Invite { .. } => NoticeKind::MeetingCancel,
            Self::Change { .. } | Self::Cancel => NoticeKind::MeetingInvite,
        }
    }
}

/// Checks a notice that notifies a participant of the difference between their last notification and the present
/// meeting.
pub(super) fn tell_news(
    subject: Subject,
    teller: UpdateNotice,
    check: &mut PreSendCheck<'_>,
) -> Result<Checked, Outcome> {
    let (batch, now) = (check.batch, check.now);
    let (meeting, participant) = subject.find(batch)?;
    check.addressee = participant_reads(meeting, participant, batch)?;
    let known = participant.told.and_then(|told| batch.revisions.get(&(meeting.id, told.version)));
    let known = found(known)?.map(|revision| &revision.facts);
    let known = match participant.answered_since_told() {
        // They answered something that they were not told by mail, and are asked again.
        Some(version) if known.is_some_and(|known| *known == meeting.facts()) => {
            let answered = found(batch.revisions.get(&(meeting.id, version)))?;
            answered.map(|revision| &revision.facts).or(known)
        }
        Some(_) | None => known,
    };
    let in_flight = batch.in_flight.contains(&(teller.after(), participant.id));
    let news = match (teller, pending_update(meeting, participant, known)) {
        // Better once too often that it is off than never.
        (UpdateNotice::Cancel, None)
            if batch.maybe_invited.contains(&participant.id) && !in_flight && !is_on(meeting, participant) =>
        {
            PendingUpdate::Cancelled
        }
        (UpdateNotice::Invite { .. }, None) if was_offered_before(check) && !is_on(meeting, participant) => {
            return Err(expired(MAY_HAVE_ARRIVED));
        }
        // The invitation waits for quiet hours to end, or never left: this tells what it would have told.
        (UpdateNotice::Change { version }, Some(PendingUpdate::Invited))
            if !batch.awaits_invitation.contains(&participant.id)
                && meeting.burst.is_none_or(|burst| burst.version <= version)
                && meeting.ends_at() > now =>
        {
            PendingUpdate::Invited
        }
        (teller, news) => still_tells(teller, news, meeting, in_flight, now)?,
    };
    let on = news != PendingUpdate::Cancelled;
    let mut invitation = invitation(check, meeting, participant);
    let content: Box<dyn NoticeContent> = match news {
        PendingUpdate::Invited => Box::new(MeetingInviteContent(invitation)),
        PendingUpdate::Changed(was) => Box::new(MeetingChangeContent { invitation, was }),
        PendingUpdate::Cancelled => {
            // What is off is what they know, not what it became since.
            if let Some(known) = known {
                invitation.meeting = invitation.meeting.with_facts(known);
            }
            Box::new(MeetingCancelContent { invitation, last_planned: span(meeting) })
        }
    };
    Ok(Checked { content, told: Some((participant.id, LastNotified { version: meeting.version, on })) })
}

/// Returns whether the notice was offered to the relay before, with an unknown result.
fn was_offered_before(check: &PreSendCheck<'_>) -> bool {
    let delivery = check.delivery;
    let lost = delivery.first_claimed_at.is_some_and(|at| at < check.now) && delivery.last_error.is_none();
    lost || delivery.attempts > 0
}

/// Returns the update, if this notice is the one to send it.
fn still_tells(
    teller: UpdateNotice,
    news: Option<PendingUpdate>,
    meeting: &Meeting,
    in_flight: bool,
    now: Timestamp,
) -> Result<PendingUpdate, Outcome> {
    // What an invitation or a cancellation that is on its way has told is known once it is settled.
    let wait = || Outcome::Released { next_at: now + A_MOMENT, error: None };
    match (teller, news) {
        (UpdateNotice::Cancel, Some(PendingUpdate::Cancelled)) => Ok(PendingUpdate::Cancelled),
        _ if in_flight => Err(wait()),
        (UpdateNotice::Invite { again: true }, None) if meeting.cancelled_at.is_none() => Ok(PendingUpdate::Invited),
        (_, None) => Err(expired("there is nothing new to tell")),
        (UpdateNotice::Cancel, Some(_)) => Err(cancelled("the meeting is on again")),
        (_, Some(PendingUpdate::Cancelled)) => Err(cancelled("the meeting is off")),
        _ if meeting.ends_at() <= now => Err(expired("the meeting is over")),
        (UpdateNotice::Change { version }, _) if meeting.burst.is_some_and(|burst| burst.version > version) => {
            Err(cancelled("a later change tells of it"))
        }
        (UpdateNotice::Change { .. }, Some(PendingUpdate::Invited)) => Err(expired("the invitation tells of it")),
        (_, Some(news)) => Ok(news),
    }
}

/// Returns whether a participant who was notified of a meeting should think that it takes place, with them.
pub(super) fn is_on(meeting: &Meeting, participant: &Participant) -> bool {
    meeting.cancelled_at.is_none() && participant.is_in()
}

/// Returns the account of a participant, if there is one by now. A guest reads in their own language and zone if they
/// were given, else in the organizer's language and the meeting's zone, which is the organizer's unless they chose
/// another.
pub(super) fn participant_reads(
    meeting: &Meeting,
    participant: &Participant,
    batch: &BatchContext,
) -> Result<Addressee, Outcome> {
    let reads = Addressee::of(&participant.recipient(), batch)?;
    if let Some(id) = participant.user_id {
        // Another address counts once it is shown to be theirs; until then the one they were invited by does.
        return Ok(match found(batch.users.get(&id))? {
            Some(user) if !user.email_verified && !participant.is_organizer() => {
                let mailbox = Mailbox { address: participant.email.clone(), ..reads.mailbox };
                Addressee { mailbox, ..reads }
            }
            Some(_) | None => reads,
        });
    }
    let organizer = organizer(meeting, batch);
    let locale = participant.locale.as_ref().or(organizer.map(|user| &user.locale)).unwrap_or(&reads.locale).clone();
    let zone = participant.time_zone.as_ref().unwrap_or(&meeting.time_zone).clone();
    let guest = Addressee { id: Some(participant.id.as_uuid()), locale, zone, ..reads };
    Ok(match participant.name.as_ref().map(ToString::to_string) {
        None => guest,
        Some(name) => {
            let mailbox = Mailbox { name: Some(name.clone()), ..guest.mailbox };
            Addressee { name, mailbox, ..guest }
        }
    })
}

/// Returns the account that created the meeting; `None` once it is gone.
fn organizer<'a>(meeting: &Meeting, batch: &'a BatchContext) -> Option<&'a User> {
    meeting.created_by.and_then(|id| batch.users.get(&id)?.as_ref().ok())
}

/// Returns where replies to the organizer go: to the present address of the account when it is verified, else to the
/// one that calendars know.
pub(crate) fn organizer_mailbox(meeting: &Meeting, batch: &BatchContext) -> Mailbox {
    let user = organizer(meeting, batch).filter(|user| user.email_verified);
    user.map_or_else(
        || meeting.organizer.clone(),
        |user| Mailbox { address: user.email.clone(), ..meeting.organizer.clone() },
    )
}

/// Returns the words of a mail about a meeting without templates.
pub(super) fn plain(input: &RenderInput, invitation: &Invitation, subject: &str, line: &str) -> PlainText {
    let meeting = &invitation.meeting;
    let when = input.plain_time(meeting.starts_at);
    PlainText {
        subject: format!("{subject}: {}", meeting.title),
        text: format!("{line} \"{}\" on {when}.", meeting.title),
    }
}

/// Returns the variables that the templates of every mail about a meeting have; `was` is what the reader knows.
pub(super) fn variables<'a>(invitation: &'a Invitation, was: Option<&'a MeetingFacts>) -> Variables<'a> {
    let Invitation { meeting, participant, respond_url } = invitation;
    // The organizer comes without being asked.
    let is_asked = !participant.is_organizer();
    let answer = Some(participant.response).filter(|response| is_asked && *response != MeetingResponse::Pending);
    Variables::new()
        .with("changes", Variable::MeetingChanges(meeting, was))
        .with("rows", Variable::MeetingFacts(meeting, was))
        .with("title", meeting.title.as_str())
        .with("description", meeting.description.as_ref().map(Description::as_str))
        .with("when", meeting.starts_at)
        .with("when_briefly", Variable::BriefTime(meeting.starts_at))
        .with("relative", Variable::RelativeTime(meeting.starts_at))
        .with("lasts", Variable::Minutes(meeting.duration.get()))
        .with("how", Variable::Words(format!("how.{}", meeting.meeting_type.as_str()).into()))
        .with("location", meeting.location.as_ref().map(Location::as_str))
        .with("meeting_url", meeting.meeting_url.as_ref().map(MeetingUrl::as_str))
        .with("organizer", meeting.organizer.label())
        .with("organizer_name", meeting.organizer.name_or_address())
        .with("is_cancelled", meeting.cancelled_at.is_some())
        .with("respond_url", respond_url.as_ref().filter(|_| is_asked))
        .with("answer", answer.map(|answer| Variable::Words(format!("answer.{}", answer.as_str()).into())))
}

/// Returns the variables about the participant that the organizer is notified about.
pub(super) fn participant_variables(participant: &Participant) -> Variables<'_> {
    let email = participant.email.to_unicode();
    let who = participant.name.as_ref().map_or_else(|| email.clone(), ToString::to_string);
    Variables::new().with("who", who).with("email", email)
}

/// Returns the name of a participant, or their address if they have none.
pub(super) fn name_or_address(participant: &Participant) -> &str {
    participant.name.as_ref().map_or(participant.email.as_str(), PersonName::as_str)
}

/// Returns the links of mail to a participant, who can respond unless they are the organizer.
pub(super) fn reader_links(invitation: &Invitation) -> LinkTargets<'_> {
    let answers = Some(invitation).filter(|invitation| !invitation.participant.is_organizer());
    LinkTargets { open: Some(OpenTarget::Invitation(invitation)), answers, ..LinkTargets::default() }
}

/// Returns the links of mail to the organizer about another participant.
pub(super) fn organizer_links(invitation: &Invitation) -> LinkTargets<'_> {
    LinkTargets { open: Some(OpenTarget::Meeting(&invitation.meeting)), ..LinkTargets::default() }
}

/// Returns the name of the thread of mail about a meeting.
pub(super) fn thread(invitation: &Invitation) -> String {
    format!("meeting-{}", invitation.meeting.id)
}

/// Returns the start and the end of a meeting.
pub(super) fn span(meeting: &Meeting) -> (Timestamp, Timestamp) {
    (meeting.starts_at, meeting.ends_at())
}

/// Returns the first start among those spans that are not over.
pub(super) fn ahead(spans: impl IntoIterator<Item = (Timestamp, Timestamp)>, now: Timestamp) -> Option<Timestamp> {
    spans.into_iter().filter(|(_, ends_at)| *ends_at > now).map(|(starts_at, _)| starts_at).min()
}
