//! Answers to invitations: in the service, by a link in a mail, and by calendars.

use super::super::{App, Race};
use super::changes::people;
use super::people::still_on;
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::ports::{CalendarReply, LinkPurpose, Loaded, ReplyAttendee, UnreadableReply, Viewer};
use crate::{
    Actor, Announcement, Comment, EmailAddress, Expect, Invitation, MeetingId, MeetingResponse, Participant,
    ParticipantId, Timestamp, Write,
};

/// What became of an answer that a calendar sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTaken {
    /// It was written down.
    Recorded,
    /// It was not, and why.
    Ignored(&'static str),
}

/// Domains at which anybody can have an address: that two are at the same one says nothing about them.
const PUBLIC_DOMAINS: [&str; 24] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "msn.com",
    "yahoo.com",
    "ymail.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "gmx.com",
    "web.de",
    "t-online.de",
    "mail.com",
    "mail.ru",
    "yandex.ru",
    "qq.com",
    "163.com",
    "proton.me",
    "protonmail.com",
];

/// Whether somebody may answer in another's place, as assistants do, because their mail says so (SENT-BY): only where one
/// organization has given both their addresses. Anybody else could name themselves.
fn may_act_for(assistant: &EmailAddress, attendee: &EmailAddress) -> bool {
    let domain = assistant.domain().to_ascii_lowercase();
    domain.eq_ignore_ascii_case(attendee.domain()) && !PUBLIC_DOMAINS.contains(&domain.as_str())
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

    /// Reads the answers in a message that somebody's calendar sent, and records them: a whole mail, or a calendar object by
    /// itself with its `content_type`.
    ///
    /// Answers to an older sequence, older ones than that which counts, and those of people who were not invited are
    /// ignored. Who proposes another time has answered tentatively. Fails with `Invalid` (`message`) when there is no
    /// answer in it.
    pub async fn take_reply(&self, message: &[u8], content_type: Option<&str>) -> Result<ReplyTaken, Error> {
        let calendar = self.calendar.as_ref().ok_or(Error::NotFound("calendar"))?;
        let unreadable = |UnreadableReply(why)| Error::from(FieldError::new("message", why));
        let replies = calendar.read_reply(message, content_type).map_err(unreadable)?;
        let (mut recorded, mut ignored) = (false, None);
        for reply in &replies {
            match self.take_one(reply).await? {
                ReplyTaken::Recorded => recorded = true,
                ReplyTaken::Ignored(why) => ignored = ignored.or(Some(why)),
            }
        }
        match recorded {
            true => Ok(ReplyTaken::Recorded),
            false => Ok(ReplyTaken::Ignored(ignored.unwrap_or("it answers nothing"))),
        }
    }

    async fn take_one(&self, reply: &CalendarReply) -> Result<ReplyTaken, Error> {
        let details = match self.meeting_details(Viewer::Anyone, reply.meeting).await {
            Err(Error::NotFound(_)) => return Ok(ReplyTaken::Ignored("there is no such meeting")),
            details => details?,
        };
        let (who, response) = match self.who_replies(&details, reply).await? {
            Ok(who) => who,
            Err(why) => return Ok(ReplyTaken::Ignored(why)),
        };
        let comment = reply.comment.as_deref().and_then(|comment| comment.parse().ok());
        let actor = who.user_id.map_or(Actor::System, Actor::User);
        let this =
            |participants: &[Participant]| participants.iter().find(|one| one.id == who.id && one.is_in()).cloned();
        let given = Given { response, comment, at: reply.at };
        match self.answer(actor, Viewer::Anyone, details.meeting.id, this, given).await {
            Err(Error::Invalid(_)) => Ok(ReplyTaken::Ignored("the meeting does not take place any more")),
            Err(Error::NotFound(_)) => Ok(ReplyTaken::Ignored("the participant is no longer in the meeting")),
            result => result.map(|_| ReplyTaken::Recorded),
        }
    }

    /// The participant whose answer a reply is, and the answer; or why it does not count.
    async fn who_replies(
        &self,
        details: &MeetingDetails,
        reply: &CalendarReply,
    ) -> Result<Result<(Participant, MeetingResponse), &'static str>, Error> {
        let named = |attendee: &ReplyAttendee| {
            let key = attendee.email.key();
            details.participants.iter().find(|one| one.email.key() == key && one.is_in())
        };
        let named: Vec<_> = reply.attendees.iter().filter_map(|one| Some((one, named(one)?))).collect();
        let accounts: Vec<_> = named.iter().filter_map(|(_, participant)| participant.user_id).collect();
        let accounts = match accounts.is_empty() {
            true => Loaded::new(),
            false => self.store.users(&accounts).await?,
        };
        let is_theirs = |(attendee, participant): &(&ReplyAttendee, &Participant)| {
            let account = participant.user_id.and_then(|id| accounts.get(&id)).and_then(|user| user.as_ref().ok());
            reply.sender.as_ref().is_none_or(|sender| {
                let key = sender.key();
                key == participant.email.key()
                    || account.is_some_and(|user| user.email.key() == key)
                    || attendee.sent_by.as_ref().is_some_and(|by| by.key() == key && may_act_for(by, &attendee.email))
            })
        };
        // Of several attendees it is the sender's answer, else that of the only one who was invited.
        let theirs = named.iter().find(|one| reply.sender.is_some() && is_theirs(one));
        let mut guests = named.iter().filter(|(_, participant)| !participant.is_organizer());
        let only = || match (named.as_slice(), guests.next(), guests.next()) {
            ([one], ..) | (_, Some(one), None) => Ok(one),
            ([], ..) => Err("the attendee is not in the meeting"),
            _ => Err("it answers for several people"),
        };
        let one = match theirs.map_or_else(only, Ok) {
            Ok(one) => one,
            Err(why) => return Ok(Err(why)),
        };
        let (attendee, participant) = *one;
        let response = match reply.counter {
            Some(_) => MeetingResponse::Tentative,
            None => attendee.response,
        };
        let stale = reply.sequence < details.meeting.sequence && !self.knows_it_as_it_is(details, participant).await?;
        let later = participant.responded_at.zip(reply.at).is_some_and(|(answered, at)| answered > at);
        Ok(match () {
            () if !is_theirs(one) => Err("somebody else sent it"),
            () if response == MeetingResponse::Pending => Err("it answers nothing"),
            () if stale => Err("it answers to the meeting as it was before"),
            () if later => Err("a later answer counts"),
            () => Ok((participant.clone(), response)),
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
