//! Replies that calendars send, and the participants they belong to.

use super::super::super::{App, ParticipantUseCases};
use super::{GivenResponse, Shown};
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::ports::{CalendarReply, ReplyAttendee, UnreadableReply};
use crate::{Actor, EmailAddress, MeetingResponse, Participant, Viewer};

/// The result of a calendar reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTaken {
    /// The response was recorded.
    Recorded,
    /// The response was not recorded, for this reason.
    Ignored(&'static str),
}

/// Domains at which anybody can have an address: two addresses at one of them may belong to strangers.
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

/// Returns whether an assistant may respond for an attendee because the mail says so (SENT-BY): only if both addresses
/// belong to one organization. Anybody else could name themselves.
fn may_act_for(assistant: &EmailAddress, attendee: &EmailAddress) -> bool {
    let domain = assistant.domain().to_ascii_lowercase();
    domain.eq_ignore_ascii_case(attendee.domain()) && !PUBLIC_DOMAINS.contains(&domain.as_str())
}

impl ParticipantUseCases<'_> {
    /// Reads the replies in a message from a calendar, and records them. The message is a whole mail, or a calendar
    /// object by itself with its `content_type`.
    ///
    /// Ignored are replies to an older sequence, replies older than the one that counts, and those of people who were
    /// not invited. A proposal of another time counts as a tentative response. Fails with `Invalid` (`message`) if the
    /// message contains no reply.
    pub async fn ingest_reply(self, message: &[u8], content_type: Option<&str>) -> Result<ReplyTaken, Error> {
        let calendar = self.app.calendar.as_ref().ok_or(Error::NotFound("calendar"))?;
        let unreadable = |UnreadableReply(why)| Error::from(FieldError::new("message", why));
        let replies = calendar.read_reply(message, content_type).map_err(unreadable)?;
        let (mut recorded, mut ignored) = (false, None);
        for reply in &replies {
            match self.app.take_one(reply).await? {
                ReplyTaken::Recorded => recorded = true,
                ReplyTaken::Ignored(why) => ignored = ignored.or(Some(why)),
            }
        }
        match recorded {
            true => Ok(ReplyTaken::Recorded),
            false => Ok(ReplyTaken::Ignored(ignored.unwrap_or("it answers nothing"))),
        }
    }
}

impl App {
    async fn take_one(&self, reply: &CalendarReply) -> Result<ReplyTaken, Error> {
        let details = match self.meeting_details(Viewer::Service, reply.meeting).await {
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
        let given = GivenResponse {
            response,
            comment,
            at: reply.at,
            shown: Shown::Sequence(reply.sequence),
            counter: reply.counter,
        };
        match self.answer(actor, Viewer::Service, details.meeting.id, this, given).await {
            Err(Error::Outdated(_)) => Ok(ReplyTaken::Ignored("it answers to the meeting as it was before")),
            Err(Error::Invalid(_)) => Ok(ReplyTaken::Ignored("the meeting does not take place any more")),
            Err(Error::NotFound(_)) => Ok(ReplyTaken::Ignored("the participant is no longer in the meeting")),
            result => result.map(|_| ReplyTaken::Recorded),
        }
    }

    /// Returns the participant that a reply belongs to, and the response; or the reason it does not count. The reply
    /// names them by the address they were invited by, or by the present, verified address of their account.
    async fn who_replies(
        &self,
        details: &MeetingDetails,
        reply: &CalendarReply,
    ) -> Result<Result<(Participant, MeetingResponse), &'static str>, Error> {
        let named = reply.attendees.iter().map(|attendee| &attendee.email);
        let addresses: Vec<_> = named.chain(&reply.sender).cloned().collect();
        let accounts = self.store.users_by_email(&addresses).await?;
        let accounts: Vec<_> = accounts.into_iter().map(|user| (user.email.key(), user.id)).collect();
        let is_of = |one: &Participant, key: &str| {
            // The address may have been another account's when that one was invited by it.
            match accounts.iter().find(|(theirs, _)| theirs == key) {
                Some((_, id)) if one.user_id.is_some() => one.user_id == Some(*id),
                Some(_) | None => one.email.key() == key,
            }
        };
        // Whoever turned out to be the same person answers for the one who stands for both.
        let stands = |one: &Participant, key: &str| {
            let merged = |other: &&Participant| other.merged_into == Some(one.id);
            is_of(one, key) || details.participants.iter().filter(merged).any(|other| is_of(other, key))
        };
        let named = |attendee: &ReplyAttendee| {
            let key = attendee.email.key();
            details.participants.iter().find(|one| one.is_in() && stands(one, &key))
        };
        let named: Vec<_> = reply.attendees.iter().filter_map(|one| Some((one, named(one)?))).collect();
        let is_theirs = |(attendee, participant): &(&ReplyAttendee, &Participant)| {
            reply.sender.as_ref().is_none_or(|sender| {
                let key = sender.key();
                stands(participant, &key)
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
        let later = participant.responded_at.zip(reply.at).is_some_and(|(answered, at)| answered > at);
        Ok(match () {
            () if !is_theirs(one) => Err("somebody else sent it"),
            () if response == MeetingResponse::Pending => Err("it answers nothing"),
            () if later => Err("a later answer counts"),
            () => Ok((participant.clone(), response)),
        })
    }
}
