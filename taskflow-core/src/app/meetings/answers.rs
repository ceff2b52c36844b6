//! Answers to invitations: in the service, by a link in a mail, and by calendars.

use super::super::{App, Race};
use super::changes::people;
use super::people::still_on;
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::ports::{CalendarReply, LinkPurpose, UnreadableReply, Viewer};
use crate::{
    Actor, Announcement, Comment, Expect, Invitation, MeetingId, MeetingResponse, Participant, ParticipantId,
    Timestamp, Write,
};

/// What became of an answer that a calendar sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTaken {
    /// It was written down.
    Recorded,
    /// It was not, and why.
    Ignored(&'static str),
}

/// An answer as it was given.
struct Given {
    response: MeetingResponse,
    comment: Option<Comment>,
    /// When, as far as it is not now.
    at: Option<Timestamp>,
}

impl App {
    /// The actor's answer to an invitation.
    pub async fn respond(
        &self,
        actor: Actor,
        id: MeetingId,
        response: MeetingResponse,
        comment: Option<Comment>,
    ) -> Result<Participant, Error> {
        let owner = actor.owner()?;
        let mine = |participants: &[Participant]| {
            participants.iter().find(|one| one.user_id == Some(owner) && one.is_in()).cloned()
        };
        self.answer(actor, Viewer::Participant(owner), id, mine, Given { response, comment, at: None }).await
    }

    /// What a link in a mail invites to; `NotFound` when it was not made here, has expired, or its reader is no longer in
    /// the meeting.
    pub async fn invitation(&self, token: &str) -> Result<Invitation, Error> {
        let no_such = || Error::NotFound("invitation");
        let links = self.links.as_ref().ok_or_else(no_such)?;
        let answers = MeetingResponse::ALL.into_iter().map(LinkPurpose::RespondWith);
        let purposes = std::iter::once(LinkPurpose::Respond).chain(answers);
        let link = purposes.into_iter().find_map(|purpose| links.open(purpose, token)).ok_or_else(no_such)?;
        if link.expires_at <= self.clock.now() {
            return Err(no_such());
        }
        let id = ParticipantId::from_uuid(link.id);
        let found = self.store.participants_by_id(&[id]).await?.remove(&id).ok_or_else(no_such)?;
        let participant = found.map_err(|bad| Error::Internal(bad.into()))?;
        if !participant.is_in() {
            return Err(no_such());
        }
        let meeting_id = participant.meeting_id;
        let found = self.store.meetings_by_id(&[meeting_id], Viewer::Anyone).await?.remove(&meeting_id);
        let meeting = found.ok_or_else(no_such)?.map_err(|bad| Error::Internal(bad.into()))?;
        Ok(Invitation { meeting, participant, respond_url: Some(links.url(&link)) })
    }

    /// The answer of whoever holds a link out of a mail.
    pub async fn respond_by_link(
        &self,
        token: &str,
        response: MeetingResponse,
        comment: Option<Comment>,
    ) -> Result<Participant, Error> {
        let Invitation { participant, .. } = self.invitation(token).await?;
        let actor = participant.user_id.map_or(Actor::System, Actor::User);
        let this = |participants: &[Participant]| {
            participants.iter().find(|one| one.id == participant.id && one.is_in()).cloned()
        };
        self.answer(actor, Viewer::Anyone, participant.meeting_id, this, Given { response, comment, at: None }).await
    }

    /// Reads the answer out of a message that somebody's calendar sent, and writes it down.
    ///
    /// Answers to an older sequence, older ones than that which counts, and those of people who were not invited are
    /// ignored. Fails with `Invalid` (`message`) when it holds no answer.
    pub async fn take_reply(&self, message: &[u8]) -> Result<ReplyTaken, Error> {
        let calendar = self.calendar.as_ref().ok_or(Error::NotFound("calendar"))?;
        let unreadable = |UnreadableReply(why)| Error::from(FieldError::new("message", why));
        let reply = calendar.read_reply(message).map_err(unreadable)?;
        let details = match self.meeting_details(Viewer::Anyone, reply.meeting).await {
            Err(Error::NotFound(_)) => return Ok(ReplyTaken::Ignored("there is no such meeting")),
            details => details?,
        };
        let who = match self.who_replies(&details, &reply).await? {
            Ok(who) => who,
            Err(why) => return Ok(ReplyTaken::Ignored(why)),
        };
        let comment = reply.comment.as_deref().and_then(|comment| comment.parse().ok());
        let actor = who.user_id.map_or(Actor::System, Actor::User);
        let this =
            |participants: &[Participant]| participants.iter().find(|one| one.id == who.id && one.is_in()).cloned();
        let given = Given { response: reply.response, comment, at: Some(reply.at) };
        match self.answer(actor, Viewer::Anyone, details.meeting.id, this, given).await {
            Err(Error::Invalid(_)) => Ok(ReplyTaken::Ignored("the meeting does not take place any more")),
            Err(Error::NotFound(_)) => Ok(ReplyTaken::Ignored("the participant is no longer in the meeting")),
            result => result.map(|_| ReplyTaken::Recorded),
        }
    }

    /// The participant whose answer a reply is, or why it does not count.
    async fn who_replies(
        &self,
        details: &MeetingDetails,
        reply: &CalendarReply,
    ) -> Result<Result<Participant, &'static str>, Error> {
        let named = details.participants.iter().find(|one| one.email.key() == reply.attendee.key() && one.is_in());
        let Some(participant) = named else { return Ok(Err("the attendee is not in the meeting")) };
        let account = match participant.user_id {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        let is_theirs = |sender: &crate::EmailAddress| {
            let sender = sender.key();
            sender == participant.email.key() || account.as_ref().is_some_and(|user| user.email.key() == sender)
        };
        let stale = reply.sequence < details.meeting.sequence && !self.knows_it_as_it_is(details, participant).await?;
        Ok(match () {
            () if !reply.sender.as_ref().is_none_or(is_theirs) => Err("somebody else sent it"),
            () if reply.response == MeetingResponse::Pending => Err("it answers nothing"),
            () if stale => Err("it answers to the meeting as it was before"),
            () if participant.responded_at.is_some_and(|at| at > reply.at) => Err("a later answer counts"),
            () => Ok(participant.clone()),
        })
    }

    /// Whether what a participant was told last is so still: edits that undid each other raise the sequence, and nobody
    /// hears of them.
    async fn knows_it_as_it_is(&self, details: &MeetingDetails, participant: &Participant) -> Result<bool, Error> {
        let Some(told) = participant.told else { return Ok(false) };
        let known = (details.meeting.id, told.version);
        let found = self.store.revisions(&[known]).await?.remove(&known).transpose();
        let known = found.map_err(|bad| Error::Internal(bad.into()))?;
        Ok(told.on && known.is_some_and(|known| known.facts == details.meeting.facts()))
    }

    /// Writes down an answer, with what it means for the reminders of who gave it.
    async fn answer(
        &self,
        actor: Actor,
        viewer: Viewer,
        id: MeetingId,
        who: impl Fn(&[Participant]) -> Option<Participant> + Send,
        Given { response, comment, at: given_at }: Given,
    ) -> Result<Participant, Error> {
        if response == MeetingResponse::Pending {
            return Err(FieldError::new("response", "must be accepted, declined or tentative").into());
        }
        let mut race = Race::new(Expect::Any);
        loop {
            let details = self.meeting_details(viewer, id).await?;
            let before = who(&details.participants).ok_or(Error::NotFound("participant"))?;
            let now = self.clock.now();
            still_on(&details, now)?;
            // A calendar says when the answer was given, which is not later than it came.
            let at = given_at.map_or(now, |at| at.min(now));
            let after = before.respond(response, comment.clone(), at);
            if after == before {
                return Ok(before);
            }
            let result = self.commit(&self.answer_changes(actor, &details, &before, &after, now)).await;
            if !race.lost(&result) {
                return result.map(|()| after);
            }
        }
    }

    fn answer_changes(
        &self,
        actor: Actor,
        details: &MeetingDetails,
        before: &Participant,
        after: &Participant,
        now: Timestamp,
    ) -> crate::Changes {
        let meeting = &details.meeting;
        let audience = people(&details.participants);
        let was = MeetingDetails { meeting: meeting.clone(), participants: vec![before.clone()] };
        let is = MeetingDetails { meeting: meeting.clone(), participants: vec![after.clone()] };
        self.reminder_changes(Some(&was), &is, now)
            .write(Write::UpdateParticipant(after.clone()))
            .write(Write::ExpectMeeting { id: meeting.id, version: meeting.version })
            .announce(Announcement::response(self.event_id(now), actor, before, after, now, audience))
    }
}
