//! The last look: what a claimed delivery is about now, and whether that is still worth a mail.

mod facts;
mod meeting;

use super::super::verification::token_link;
use super::App;
use crate::error::BadRow;
use crate::{
    Delivery, Letter, Locale, Mail, Mailbox, Notice, Outcome, ParticipantId, Recipient, Timestamp, TokenId,
    TokenPurpose, Told, Topic, Zone,
};

pub(super) use facts::Facts;

/// What a delivery becomes: a mail, and what a participant knows once it has left.
type Worded = (Mail, Option<(ParticipantId, Told)>);

impl App {
    /// The mail of a delivery, or what becomes of it instead.
    pub(super) fn mail(&self, delivery: &Delivery, facts: &Facts, now: Timestamp) -> Result<Worded, Outcome> {
        if delivery.cancel_requested {
            return Err(cancelled(&delivery.reason));
        }
        let notice = delivery.notice.as_ref().map_err(|error| Outcome::Discarded { error: error.clone() })?;
        if notice.expires_at(delivery.due_at).is_some_and(|expires_at| expires_at <= now) {
            return Err(expired("it was too late to be of use"));
        }
        let mut reader = reader(&delivery.recipient, facts)?;
        let (topic, told) = match notice {
            Notice::Welcome { token } => (self.welcome(delivery, *token, facts)?, None),
            Notice::VerifyEmail { token, expires_at } => {
                let url = self.token_url(TokenPurpose::VerifyEmail, *token, *expires_at)?;
                (Topic::VerifyEmail { url, expires_at: *expires_at }, None)
            }
            Notice::PasswordReset { token, expires_at } => {
                let url = self.token_url(TokenPurpose::ResetPassword, *token, *expires_at)?;
                (Topic::PasswordReset { url, expires_at: *expires_at }, None)
            }
            Notice::PasswordChanged { at } => (Topic::PasswordChanged { at: *at }, None),
            Notice::TaskDue { task, due_at } => (task_due(*task, *due_at, facts)?, None),
            Notice::MeetingInvite { .. }
            | Notice::MeetingChange { .. }
            | Notice::MeetingCancel { .. }
            | Notice::MeetingReminder { .. }
            | Notice::MeetingLeft { .. } => {
                // Whoever claimed it before, if anybody, has not said what came of it.
                let lost = delivery.first_claimed_at.is_some_and(|at| at < now) && delivery.last_error.is_none();
                self.meeting_topic(notice, lost || delivery.attempts > 0, facts, &mut reader, now)?
            }
        };
        let calendar = self.calendar_part(&topic);
        let letter = Letter {
            name: reader.name,
            locale: reader.locale,
            zone: reader.zone,
            public_url: self.public_url.clone(),
            topic,
        };
        let content = self.renderer.render(&letter).map_err(|error| Outcome::Discarded { error: error.to_string() })?;
        let date = delivery.first_claimed_at.unwrap_or(now);
        Ok((Mail { id: delivery.id, date, to: reader.mailbox, content, calendar }, told))
    }
}

impl App {
    /// A welcome asks to verify the address as long as it is not.
    fn welcome(&self, delivery: &Delivery, token: Option<TokenId>, facts: &Facts) -> Result<Topic, Outcome> {
        let Recipient::User(id) = delivery.recipient else { return Ok(Topic::Welcome { verify_url: None }) };
        let verified = found(facts.users.get(&id))?.is_none_or(|user| user.email_verified);
        let expires_at = delivery.planned_at + TokenPurpose::VerifyEmail.lifetime();
        let url = |token| self.token_url(TokenPurpose::VerifyEmail, token, expires_at).ok();
        Ok(Topic::Welcome { verify_url: token.filter(|_| !verified).and_then(url) })
    }

    fn token_url(&self, purpose: TokenPurpose, token: TokenId, expires_at: Timestamp) -> Result<String, Outcome> {
        let links = self.links.as_ref().ok_or_else(|| cancelled("nobody makes links here any more"))?;
        Ok(links.url(&token_link(purpose, token, expires_at)))
    }
}

/// Who reads the letter.
struct Reader {
    name: String,
    mailbox: Mailbox,
    locale: Locale,
    zone: Zone,
}

fn reader(recipient: &Recipient, facts: &Facts) -> Result<Reader, Outcome> {
    match recipient {
        Recipient::User(id) => match found(facts.users.get(id))? {
            Some(user) if user.is_active => Ok(Reader {
                name: user.username.to_string(),
                mailbox: Mailbox { name: Some(user.username.to_string()), address: user.email.clone() },
                locale: user.locale.clone(),
                zone: user.time_zone.clone(),
            }),
            Some(_) => Err(cancelled("the account is locked")),
            None => Err(cancelled("the account is gone")),
        },
        Recipient::Address(address) => Ok(Reader {
            name: address.to_string(),
            mailbox: Mailbox { name: None, address: address.clone() },
            locale: Locale::en(),
            zone: Zone::utc(),
        }),
    }
}

fn task_due(task: crate::TaskId, due_at: Timestamp, facts: &Facts) -> Result<Topic, Outcome> {
    match found(facts.tasks.get(&task))? {
        Some(task) if !task.is_open() => Err(cancelled("the task is no longer open")),
        Some(task) if task.due_at != Some(due_at) => Err(cancelled("the task is due at another time")),
        Some(task) => Ok(Topic::TaskDue { task: task.clone(), due_at }),
        None => Err(cancelled("the task is gone")),
    }
}

/// A row that cannot be read discards its own delivery and no other.
fn found<T>(row: Option<&Result<T, BadRow>>) -> Result<Option<&T>, Outcome> {
    row.map(Result::as_ref).transpose().map_err(|bad| Outcome::Discarded { error: bad.to_string() })
}

fn cancelled(reason: &str) -> Outcome {
    Outcome::Cancelled { reason: reason.to_owned() }
}

fn expired(reason: &str) -> Outcome {
    Outcome::Expired { reason: reason.to_owned() }
}
