//! A claimed delivery becomes a mail, if it is still worth one.

mod batch;
mod calendar;
pub(super) mod hold;
mod links;

use super::super::verification::token_link;
use super::App;
use crate::notice::{
    Addressee, BatchContext, Checked, PreSendCheck, Urls, cancelled, expired, held_aside, organizer_mailbox, unreadable,
};
use crate::ports::{Link, LinkPurpose};
use crate::{
    Delivery, Entity, Headers, JobName, LastNotified, Mail, Mailbox, Meeting, Notice, NoticeContent, NoticeKind,
    Outcome, Participant, ParticipantId, RenderInput, ReplyTo, ShownRecipients, Task, Timestamp, TokenId, TokenPurpose,
    UserId,
};

pub(in crate::app) use links::respond_link;

/// The mail of a delivery, and the effects of sending it.
pub(super) struct PreparedMail {
    pub(super) mail: Mail,
    /// The participant that it notifies, and the version they know once it was sent.
    pub(super) told: Option<(ParticipantId, LastNotified)>,
    /// Users to notify that the mail was sent, each with the entity it reminds them of.
    pub(super) reminds: Vec<(UserId, Entity)>,
    /// Whether its address is suppressed and it is sent only because its reader requested it.
    pub(super) overrides: bool,
    /// Whether mail about its meeting did not reach the participant before.
    pub(super) had_problem: bool,
}

impl App {
    /// Returns the mail of a delivery, or its outcome if it is not sent. `others` are tasks that the mail reminds of
    /// besides its own.
    pub(super) fn prepare_mail(
        &self,
        delivery: &Delivery,
        others: Vec<Task>,
        batch: &BatchContext,
        now: Timestamp,
    ) -> Result<PreparedMail, Outcome> {
        self.try_prepare_mail(delivery, others, batch, now).map_err(|outcome| held_aside(outcome, delivery, now))
    }

    fn try_prepare_mail(
        &self,
        delivery: &Delivery,
        others: Vec<Task>,
        batch: &BatchContext,
        now: Timestamp,
    ) -> Result<PreparedMail, Outcome> {
        if delivery.cancel_requested {
            return Err(cancelled(&delivery.reason));
        }
        let notice = delivery.notice.as_ref().map_err(|error| unreadable(error.clone()))?;
        let addressee = Addressee::of(&delivery.recipient, batch)?;
        let could_leave_at = hold::could_leave_at(delivery, &addressee.preferences, &addressee.zone);
        if notice.expires_at(could_leave_at).is_some_and(|expires_at| expires_at <= now) {
            return Err(expired("it was too late to be of use"));
        }
        let task_reminders = self.jobs.plans.get(&JobName::TASK_REMINDERS).map(|plan| &plan.schedule);
        let mut check = PreSendCheck { delivery, batch, addressee, others, urls: self, task_reminders, now };
        let Checked { content, told } = notice.check(&mut check)?;
        let reader = check.addressee;
        if reader.mailbox.address.is_unreadable() {
            return Err(unreadable("the address of its reader cannot be read".to_owned()));
        }
        let overrides = overrides(notice, &reader, batch)?;
        self.admit_reader(notice, &reader, batch)?;
        if let Some(until) = hold::end(notice.kind(), &*content, &reader, now) {
            return Err(Outcome::Held { until });
        }
        let recurring = Some(notice.kind()).filter(|kind| kind.is_recurring());
        let ShownRecipients { to: shown_to, cc } = content.shown_recipients();
        let headers = Headers {
            unsubscribe_url: recurring.and_then(|kind| self.unsubscribe_url(kind, &reader)),
            thread: content.thread(),
            shown_to,
            cc,
            reply_to: reply_to(&*content, &reader.mailbox, batch),
        };
        let reminds = notice.reminds().and_then(|about| Some((reader.user?, about))).into_iter().collect();
        let calendar = self.calendar_part(&*content, &reader.mailbox.address);
        // The first claim's time, or the end of the quiet hours that held the mail then: nobody reads a mail of last night in
        // the morning. Both follow from what is stored, so that a repeat is the same mail.
        let claimed_at = delivery.first_claimed_at.unwrap_or(now);
        let date = hold::end(notice.kind(), &*content, &reader, claimed_at).map_or(claimed_at, |end| end.min(now));
        let input = RenderInput {
            unsubscribe_url: headers.unsubscribe_url.clone(),
            links: self.mail_links(&*content, reader.user, delivery.due_at, batch),
            name: reader.name,
            locale: reader.locale,
            zone: reader.zone,
            date,
            public_url: self.public_url.clone(),
            content,
        };
        let content = self.renderer.render(&input).map_err(|error| Outcome::Discarded { error: error.to_string() })?;
        let mail = Mail { id: delivery.id, date, to: reader.mailbox, content, calendar, headers };
        let participant =
            notice.participant().and_then(|id| batch.participants.get(&id)).and_then(|one| one.as_ref().ok());
        let had_problem = participant.is_some_and(|one| one.delivery_problem.is_some());
        Ok(PreparedMail { mail, told, reminds, overrides, had_problem })
    }

    /// Returns the unsubscribe link for mail of a kind. It never expires, because readers also click it in old mail.
    fn unsubscribe_url(&self, kind: NoticeKind, reader: &Addressee) -> Option<String> {
        let purpose = LinkPurpose::Unsubscribe(kind);
        Some(self.links.as_ref()?.url(&Link { purpose, id: reader.id?, expires_at: Timestamp::MAX, version: None }))
    }
}

impl Urls for App {
    fn token(&self, purpose: TokenPurpose, token: TokenId, expires_at: Timestamp) -> Option<String> {
        Some(self.links.as_ref()?.url(&token_link(purpose, token, expires_at)))
    }

    fn respond(&self, meeting: &Meeting, participant: &Participant) -> Option<String> {
        Some(self.links.as_ref()?.url(&respond_link(meeting, participant)))
    }
}

/// The reason mail to a suppressed address is not sent.
pub(super) const SUPPRESSED: &str = "mail to the address comes back";

/// Checks whether the address takes this mail. Returns whether it leaves although the address is suppressed.
fn overrides(notice: &Notice, reader: &Addressee, batch: &BatchContext) -> Result<bool, Outcome> {
    let suppression = batch.suppressed.get(&reader.mailbox.address.key());
    if suppression.is_some_and(|suppression| !suppression.admits(notice)) {
        return Err(cancelled(SUPPRESSED));
    }
    Ok(suppression.is_some())
}

/// Returns the address for replies to a mail. Replies to mail about a meeting go to the person whom it is from in the
/// reader's eyes, not to the service. Nobody replies to themselves.
fn reply_to(content: &dyn NoticeContent, reader: &Mailbox, batch: &BatchContext) -> Option<Mailbox> {
    let other = match content.reply_to()? {
        ReplyTo::Mailbox(mailbox) => return Some(mailbox),
        ReplyTo::Organizer(meeting) => organizer_mailbox(meeting, batch),
        ReplyTo::Participant(participant) => {
            Mailbox { name: participant.name.as_ref().map(ToString::to_string), address: participant.email.clone() }
        }
    };
    Some(other).filter(|other| other.address.key() != reader.address.key())
}
