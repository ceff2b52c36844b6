//! The checks of a delivery before it is sent on a channel other than mail.

use super::App;
use super::letter::hold;
use crate::notice::{Addressee, BatchContext, Checked, PreSendCheck, cancelled, expired, held_aside, unreadable};
use crate::{Content, Delivery, JobName, Notice, Outcome, RenderInput, Timestamp, UserId};

/// A notice that is due, for a channel to put into a message.
#[derive(Debug)]
pub struct DueNotice {
    /// The account of its reader; `None` for a delivery to a bare address.
    pub user: Option<UserId>,
    /// The input of the renderer: the reader's name, language and time zone, and the content.
    pub input: RenderInput,
    /// Its words, as the [renderer](crate::ports::Renderer) finds them: a subject, text and HTML.
    pub content: Content,
}

impl App {
    /// Checks whether the reader may be sent a notice, on whatever channel: they have not opted out of it, and their account
    /// has verified its address where that is required. Nothing holds what is for security.
    pub(super) fn admit_reader(
        &self,
        notice: &Notice,
        reader: &Addressee,
        batch: &BatchContext,
    ) -> Result<(), Outcome> {
        let kind = notice.kind();
        if kind.is_security() {
            return Ok(());
        }
        let key = reader.mailbox.address.key();
        // Whoever verifies an address takes over what was ended for it, and can change that.
        let ended = !reader.is_verified && batch.unsubscribed.contains(&(key.clone(), kind));
        let switched_off = || batch.owners.get(&key).is_some_and(|preferences| !preferences.wants(kind));
        if ended || !reader.preferences.wants(kind) || switched_off() {
            return Err(cancelled("the reader has switched it off"));
        }
        let is_own = |id| matches!(batch.users.get(&id), Some(Ok(user)) if user.email.key() == key);
        if self.require_verified_email && !reader.is_verified && reader.user.is_some_and(is_own) {
            return Err(cancelled("the address of the account is not verified"));
        }
        Ok(())
    }

    /// Returns what a delivery tells its reader, or what becomes of it instead.
    pub(super) fn due_notice(
        &self,
        delivery: &Delivery,
        batch: &BatchContext,
        now: Timestamp,
    ) -> Result<DueNotice, Outcome> {
        self.try_due_notice(delivery, batch, now).map_err(|outcome| held_aside(outcome, delivery, now))
    }

    fn try_due_notice(&self, delivery: &Delivery, batch: &BatchContext, now: Timestamp) -> Result<DueNotice, Outcome> {
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
        let others = Vec::new();
        let mut check = PreSendCheck { delivery, batch, addressee, others, urls: self, task_reminders, now };
        let Checked { content, .. } = notice.check(&mut check)?;
        let reader = check.addressee;
        self.admit_reader(notice, &reader, batch)?;
        if let Some(until) = hold::end(notice.kind(), &*content, &reader, now) {
            return Err(Outcome::Held { until });
        }
        let input = RenderInput {
            unsubscribe_url: None,
            links: self.mail_links(&*content, reader.user, delivery.due_at, batch),
            name: reader.name,
            locale: reader.locale,
            zone: reader.zone,
            date: delivery.first_claimed_at.unwrap_or(now),
            public_url: self.public_url.clone(),
            content,
        };
        let content = self.renderer.render(&input).map_err(|error| Outcome::Discarded { error: error.to_string() })?;
        Ok(DueNotice { user: reader.user, input, content })
    }
}
