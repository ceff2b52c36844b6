//! The last look: what a claimed delivery is about now, and whether that is still worth a mail.

mod facts;
mod hold;
mod links;
mod meeting;

use uuid::Uuid;

use super::super::verification::token_link;
use super::App;
use crate::error::CorruptRow;
use crate::ports::{Link, LinkPurpose};
use crate::{
    CustomEmail, Delivery, Entity, Headers, JobName, Letter, Locale, Mail, Mailbox, Notice, NoticeContent, NoticeKind,
    Outcome, ParticipantId, Preferences, Recipient, Schedule, Task, TaskId, TaskStatus, Timestamp, TokenId,
    TokenPurpose, Told, UserId, Zone,
};

pub(super) use facts::BatchContext;
pub(in crate::app) use links::respond_link;

/// What a delivery becomes.
pub(super) struct PreparedMail {
    pub(super) mail: Mail,
    /// What a participant knows once it has left.
    pub(super) told: Option<(ParticipantId, Told)>,
    /// Whose screens show that it has left, and what of they are reminded.
    pub(super) reminds: Vec<(UserId, Entity)>,
    /// Whether its address is suppressed, and it leaves because its reader asked for it.
    pub(super) overrides: bool,
    /// Whether mail about its meeting did not reach the participant before.
    pub(super) had_problem: bool,
}

impl App {
    /// The mail of a delivery, or what becomes of it instead.
    /// `others` are tasks that the mail reminds of beside its own.
    pub(super) fn mail(
        &self,
        delivery: &Delivery,
        others: Vec<Task>,
        facts: &BatchContext,
        now: Timestamp,
    ) -> Result<PreparedMail, Outcome> {
        if delivery.cancel_requested {
            return Err(cancelled(&delivery.reason));
        }
        let notice = delivery.notice.as_ref().map_err(|error| Outcome::Discarded { error: error.clone() })?;
        let mut reader = reader(&delivery.recipient, facts)?;
        let could_leave_at = hold::could_leave_at(delivery, &reader.preferences, &reader.zone);
        if notice.expires_at(could_leave_at).is_some_and(|expires_at| expires_at <= now) {
            return Err(expired("it was too late to be of use"));
        }
        let mut headers = Headers::default();
        let (topic, told) = match notice {
            Notice::Letter(letter) => {
                headers = written_headers(letter);
                (NoticeContent::Letter(letter.clone()), None)
            }
            Notice::Sample { of } => match NoticeContent::sample(*of, now) {
                Some(topic) => (topic, None),
                None => return Err(cancelled("there is no sample of it")),
            },
            Notice::TaskStatus { task, was, is } => (task_status(*task, *was, *is, facts)?, None),
            Notice::Welcome { token } => (self.welcome(delivery, *token, facts)?, None),
            Notice::VerifyEmail { token, expires_at } => {
                let url = self.token_url(TokenPurpose::VerifyEmail, *token, *expires_at)?;
                (NoticeContent::VerifyEmail { url, expires_at: *expires_at }, None)
            }
            Notice::PasswordReset { token, expires_at } => {
                let url = self.token_url(TokenPurpose::ResetPassword, *token, *expires_at)?;
                (NoticeContent::PasswordReset { url, expires_at: *expires_at }, None)
            }
            Notice::PasswordChanged { at } => (NoticeContent::PasswordChanged { at: *at }, None),
            Notice::TaskDue { task, due_at } => (task_due(*task, *due_at, others, facts)?, None),
            Notice::TaskReminder { .. } if self.a_later_reminder_is_due(delivery, &reader.zone, now) => {
                return Err(expired("a later reminder lists what is open"));
            }
            Notice::TaskReminder { .. } => (task_reminder(delivery, facts)?, None),
            Notice::DailySummary { .. } => (daily_summary(delivery, facts)?, None),
            Notice::ServerAlert { since, problems, areas } => {
                (NoticeContent::ServerAlert { since: *since, problems: problems.clone(), areas: areas.clone() }, None)
            }
            Notice::ServerRecovery { since, until, problems } => {
                (NoticeContent::ServerRecovery { since: *since, until: *until, problems: problems.clone() }, None)
            }
            Notice::MeetingInvite { .. }
            | Notice::MeetingChange { .. }
            | Notice::MeetingCancel { .. }
            | Notice::MeetingReminder { .. }
            | Notice::MeetingLeft { .. }
            | Notice::MeetingProposal { .. }
            | Notice::MeetingUndelivered { .. } => {
                // Whoever claimed it before, if anybody, has not said what came of it.
                let lost = delivery.first_claimed_at.is_some_and(|at| at < now) && delivery.last_error.is_none();
                self.meeting_topic(delivery, notice, lost || delivery.attempts > 0, facts, &mut reader, now)?
            }
        };
        let overrides = wanted(notice, &reader, facts)?;
        hold::held(notice, &topic, &reader, facts, now)?;
        if notice.kind().is_recurring() {
            headers.unsubscribe_url = self.unsubscribe_url(notice.kind(), &reader);
        }
        let reminds = reminds(notice).and_then(|about| Some((reader.user?, about))).into_iter().collect();
        headers.thread = thread(&topic);
        if headers.reply_to.is_none() {
            headers.reply_to = answers_go_to(&topic, &reader.mailbox, facts);
        }
        let calendar = self.calendar_part(&topic, &reader.mailbox.address);
        // The first claim's time, or the end of the quiet hours that held the mail then: nobody reads a mail of last night in
        // the morning. Both follow from what is stored, so that a repeat is the same mail.
        let claimed_at = delivery.first_claimed_at.unwrap_or(now);
        let date = hold::end(notice, &topic, &reader, facts, claimed_at).map_or(claimed_at, |end| end.min(now));
        let letter = Letter {
            unsubscribe_url: headers.unsubscribe_url.clone(),
            links: self.letter_links(&topic, reader.user, delivery.due_at),
            name: reader.name,
            locale: reader.locale,
            zone: reader.zone,
            date,
            public_url: self.public_url.clone(),
            topic,
        };
        let content = self.renderer.render(&letter).map_err(|error| Outcome::Discarded { error: error.to_string() })?;
        let mail = Mail { id: delivery.id, date, to: reader.mailbox, content, calendar, headers };
        let participant =
            notice.participant().and_then(|id| facts.participants.get(&id)).and_then(|one| one.as_ref().ok());
        let had_problem = participant.is_some_and(|one| one.delivery_problem.is_some());
        Ok(PreparedMail { mail, told, reminds, overrides, had_problem })
    }
}

impl App {
    /// A welcome asks to verify the address as long as it is not.
    fn welcome(
        &self,
        delivery: &Delivery,
        token: Option<TokenId>,
        facts: &BatchContext,
    ) -> Result<NoticeContent, Outcome> {
        let Recipient::User(id) = delivery.recipient else { return Ok(NoticeContent::Welcome { verify_url: None }) };
        let verified = found(facts.users.get(&id))?.is_none_or(|user| user.email_verified);
        let expires_at = delivery.planned_at + TokenPurpose::VerifyEmail.lifetime();
        let url = |token| self.token_url(TokenPurpose::VerifyEmail, token, expires_at).ok();
        Ok(NoticeContent::Welcome { verify_url: token.filter(|_| !verified).and_then(url) })
    }

    /// Whether the reader's clock has shown another of the minutes at which they are reminded since this was due, as after a
    /// hold or downtime.
    fn a_later_reminder_is_due(&self, delivery: &Delivery, zone: &Zone, now: Timestamp) -> bool {
        let plan = self.jobs.plans.get(&JobName::TaskReminders);
        let Some(Schedule::Local(minutes)) = plan.map(|plan| &plan.schedule) else { return false };
        let date = |at| zone.wall_clock(at).at.date();
        let dates = date(delivery.due_at).iter_days().take_while(|day| *day <= date(now)).take(3);
        let mut shown = dates
            .filter(|day| zone.has_date(*day))
            .flat_map(|day| minutes.iter().map(move |minute| zone.instant(day.and_time(minute.time()))));
        shown.any(|at| at > delivery.due_at && at <= now)
    }

    /// A link that ends mail of a kind. It never expires: who gets tired of a mail clicks in an old one, too.
    fn unsubscribe_url(&self, kind: NoticeKind, reader: &Reader) -> Option<String> {
        let purpose = LinkPurpose::Unsubscribe(kind);
        Some(self.links.as_ref()?.url(&Link { purpose, id: reader.id?, expires_at: Timestamp::MAX, version: None }))
    }

    fn token_url(&self, purpose: TokenPurpose, token: TokenId, expires_at: Timestamp) -> Result<String, Outcome> {
        let links = self.links.as_ref().ok_or_else(|| cancelled("nobody makes links here any more"))?;
        Ok(links.url(&token_link(purpose, token, expires_at)))
    }
}

/// Why a mail does not leave whose reader gets none.
pub(super) const SUPPRESSED: &str = "mail to the address comes back";

/// Whether the reader wants this mail at all. Returns whether it leaves although their address is suppressed.
fn wanted(notice: &Notice, reader: &Reader, facts: &BatchContext) -> Result<bool, Outcome> {
    let suppression = facts.suppressed.get(&reader.mailbox.address.key());
    if suppression.is_some_and(|suppression| !suppression.admits(notice)) {
        return Err(cancelled(SUPPRESSED));
    }
    let kind = notice.kind();
    let ended = || facts.unsubscribed.contains(&(reader.mailbox.address.key(), kind));
    if !reader.preferences.wants(kind) || (reader.user.is_none() && kind.can_be_switched_off() && ended()) {
        return Err(cancelled("the reader has switched it off"));
    }
    Ok(suppression.is_some())
}

/// What a notice reminds of, if it was asked for.
fn reminds(notice: &Notice) -> Option<Entity> {
    match notice {
        Notice::TaskDue { task, .. } => Some(Entity::Task(*task)),
        Notice::MeetingReminder { meeting, .. } => Some(Entity::Meeting(*meeting)),
        _ => None,
    }
}

/// What mail of the same thing has in common.
fn thread(topic: &NoticeContent) -> Option<String> {
    match topic {
        NoticeContent::TaskDue { task, .. } | NoticeContent::TaskStatus { task, .. } => {
            Some(format!("task-{}", task.id))
        }
        NoticeContent::MeetingInvite(invitation)
        | NoticeContent::MeetingChange { invitation, .. }
        | NoticeContent::MeetingCancel(invitation)
        | NoticeContent::MeetingReminder { invitation, .. }
        | NoticeContent::MeetingProposal { invitation, .. }
        | NoticeContent::MeetingUndelivered(invitation)
        | NoticeContent::MeetingLeft(invitation) => Some(format!("meeting-{}", invitation.meeting.id)),
        _ => None,
    }
}

/// Mail about a meeting is answered to whom it is from in the reader's eyes, not to the service: the organizer, or to an
/// organizer the one who left.
fn answers_go_to(topic: &NoticeContent, reader: &Mailbox, facts: &BatchContext) -> Option<Mailbox> {
    let other = match topic {
        NoticeContent::MeetingInvite(invitation)
        | NoticeContent::MeetingChange { invitation, .. }
        | NoticeContent::MeetingCancel(invitation)
        | NoticeContent::MeetingReminder { invitation, .. } => meeting::organizer_mailbox(&invitation.meeting, facts),
        NoticeContent::MeetingLeft(invitation) | NoticeContent::MeetingProposal { invitation, .. } => Mailbox {
            name: invitation.participant.name.as_ref().map(ToString::to_string),
            address: invitation.participant.email.clone(),
        },
        _ => return None,
    };
    Some(other).filter(|other| other.address.key() != reader.address.key())
}

fn written_headers(letter: &CustomEmail) -> Headers {
    let mailbox = |address: &String| Some(Mailbox { name: None, address: address.parse().ok()? });
    Headers {
        shown_to: letter.to.iter().filter_map(mailbox).collect(),
        cc: letter.cc.iter().filter_map(mailbox).collect(),
        reply_to: letter.reply_to.as_ref().and_then(mailbox),
        ..Headers::default()
    }
}

/// Who reads the letter.
struct Reader {
    /// The person, or the participant without an account.
    id: Option<Uuid>,
    /// Their account.
    user: Option<UserId>,
    preferences: Preferences,
    name: String,
    mailbox: Mailbox,
    locale: Locale,
    zone: Zone,
}

fn reader(recipient: &Recipient, facts: &BatchContext) -> Result<Reader, Outcome> {
    match recipient {
        Recipient::User(id) => match found(facts.users.get(id))? {
            Some(user) if user.is_active => Ok(Reader {
                id: Some(user.id.as_uuid()),
                user: Some(user.id),
                preferences: user.preferences.clone(),
                name: user.username.to_string(),
                mailbox: Mailbox { name: Some(user.username.to_string()), address: user.email.clone() },
                locale: user.locale.clone(),
                zone: user.time_zone.clone(),
            }),
            Some(_) => Err(cancelled("the account is locked")),
            None => Err(cancelled("the account is gone")),
        },
        Recipient::Address(address) => Ok(Reader {
            id: None,
            user: None,
            preferences: Preferences::default(),
            name: String::new(),
            mailbox: Mailbox { name: None, address: address.clone() },
            locale: Locale::en(),
            zone: Zone::utc(),
        }),
    }
}

fn task_due(
    task: TaskId,
    due_at: Timestamp,
    others: Vec<Task>,
    facts: &BatchContext,
) -> Result<NoticeContent, Outcome> {
    match found(facts.tasks.get(&task))? {
        Some(task) if !task.is_open() => Err(cancelled("the task is no longer open")),
        Some(task) if task.due_at != Some(due_at) => Err(cancelled("the task is due at another time")),
        Some(task) => Ok(NoticeContent::TaskDue { task: task.clone(), due_at, others }),
        None => Err(cancelled("the task is gone")),
    }
}

fn task_reminder(delivery: &Delivery, facts: &BatchContext) -> Result<NoticeContent, Outcome> {
    match found(facts.digests.get(&delivery.id))? {
        Some(digest) if digest.open() > 0 => Ok(NoticeContent::TaskReminder(Box::new(digest.clone()))),
        Some(_) | None => Err(expired("nothing is open any more")),
    }
}

fn daily_summary(delivery: &Delivery, facts: &BatchContext) -> Result<NoticeContent, Outcome> {
    match found(facts.digests.get(&delivery.id))? {
        Some(digest) if !digest.is_empty() => Ok(NoticeContent::DailySummary(Box::new(digest.clone()))),
        Some(_) | None => Err(expired("there is nothing to say of the day")),
    }
}

fn task_status(task: TaskId, was: TaskStatus, is: TaskStatus, facts: &BatchContext) -> Result<NoticeContent, Outcome> {
    match found(facts.tasks.get(&task))? {
        Some(task) if task.deleted_at.is_some() => Err(cancelled("the task is in the trash")),
        Some(task) if task.status != is => Err(expired("the status is another one by now")),
        Some(task) => Ok(NoticeContent::TaskStatus { task: task.clone(), was, is }),
        None => Err(cancelled("the task is gone")),
    }
}

/// A row that cannot be read discards its own delivery and no other.
fn found<T>(row: Option<&Result<T, CorruptRow>>) -> Result<Option<&T>, Outcome> {
    row.map(Result::as_ref).transpose().map_err(|bad| Outcome::Discarded { error: bad.to_string() })
}

fn cancelled(reason: &str) -> Outcome {
    Outcome::Cancelled { reason: reason.to_owned() }
}

fn expired(reason: &str) -> Outcome {
    Outcome::Expired { reason: reason.to_owned() }
}
