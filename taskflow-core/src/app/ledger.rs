//! The ledger for administrators: every delivery and its attempts, retries and cancellations; and custom emails.

mod bulk;
mod list;

use std::collections::HashSet;

use super::{App, MailUseCases};
use crate::error::{Error, FieldError};
use crate::notice::SampleNotice;
use crate::{
    Actor, Changes, CustomEmail, DedupeKey, Delivery, DeliveryId, DeliveryState, DeliveryWrite, EmailAddress,
    FailedAttempt, Idempotency, Idempotent, NewDelivery, Notice, NoticeKind, Recipient,
};

pub use bulk::{BulkReport, DeliveryFilter};
pub(super) use list::first_id;
pub use list::{LedgerPage, LedgerQuery, LedgerRow};

/// The reason of deliveries that an administrator has cancelled.
const CANCELLED_BY_HAND: &str = "cancelled by who runs the service";

/// A letter that somebody writes by hand, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomEmail {
    /// The content of the mail, and the user it names.
    pub letter: CustomEmail,
    /// Every address it goes to, the hidden ones too; each once, each as a delivery of its own.
    pub addresses: Vec<EmailAddress>,
}

use_cases! {
    /// Use cases of the ledger: every notice that was ever planned, and its outcome.
    DeliveryUseCases,
    /// Returns the use cases of the ledger.
    deliveries
}

impl DeliveryUseCases<'_> {
    /// Returns up to `size` bare deliveries after `after` by id, oldest first; for administrators.
    /// [`DeliveryUseCases::page`] also names their recipients.
    pub async fn list_after(self, actor: Actor, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, Error> {
        self.app.admit_admin(actor).await?;
        Ok(self.app.store.deliveries_after(after, size).await?)
    }

    /// Returns a delivery with its failed attempts; for administrators.
    pub async fn get(self, actor: Actor, id: DeliveryId) -> Result<(Delivery, Vec<FailedAttempt>), Error> {
        self.app.admit_admin(actor).await?;
        self.app.store.delivery(id).await?.ok_or(Error::NotFound("delivery"))
    }

    /// Returns a row of the ledger with the failed attempts of its delivery, oldest first; for administrators.
    pub async fn row(self, actor: Actor, id: DeliveryId) -> Result<(LedgerRow, Vec<FailedAttempt>), Error> {
        let (delivery, failed) = self.get(actor, id).await?;
        let row = self.app.ledger_rows(vec![delivery]).await?.pop().ok_or(Error::NotFound("delivery"))?;
        Ok((row, failed))
    }

    /// Plans a delivery again that was given up, cancelled or expired, and makes it due now; for administrators. The
    /// pre-send check decides whether it is still worth a mail.
    pub async fn retry(self, actor: Actor, id: DeliveryId) -> Result<Delivery, Error> {
        self.get(actor, id).await?;
        let retry = Changes::new().write(DeliveryWrite::Retry { id, at: self.app.clock.now() });
        match self.app.commit(&retry).await {
            Err(Error::Stale) => {
                Err(FieldError::new("state", "must be discarded, cancelled or expired to be tried again").into())
            }
            result => {
                result?;
                actor.acted("retry delivery", format_args!("delivery {id}"));
                self.app.outbox().nudge();
                Ok(self.get(actor, id).await?.0)
            }
        }
    }

    /// Cancels a delivery that was not sent yet; for administrators. One that is being sent is only marked.
    pub async fn cancel(self, actor: Actor, id: DeliveryId) -> Result<Delivery, Error> {
        let (delivery, _) = self.get(actor, id).await?;
        if !matches!(delivery.state, DeliveryState::Scheduled | DeliveryState::Claimed) {
            return Err(FieldError::new("state", "must be scheduled or claimed to be cancelled").into());
        }
        let (key, at) = (delivery.dedupe_key, self.app.clock.now());
        let reason = CANCELLED_BY_HAND.to_owned();
        self.app.commit(&Changes::new().write(DeliveryWrite::Cancel { key, reason, at })).await?;
        actor.acted("cancel delivery", format_args!("delivery {id}"));
        Ok(self.get(actor, id).await?.0)
    }
}

impl MailUseCases<'_> {
    /// Sends a custom email; for administrators. Returns the ids of its deliveries, in the order of its addresses.
    pub async fn send(self, actor: Actor, new: NewCustomEmail) -> Result<Vec<DeliveryId>, Error> {
        let letters = self.app.letters(actor, new).await?;
        self.app.plan_by_hand(actor, letters).await
    }

    /// Does the same, but only once for an idempotency key.
    pub async fn send_once(
        self,
        actor: Actor,
        new: NewCustomEmail,
        idempotency: Idempotency<'_, [DeliveryId]>,
    ) -> Result<Idempotent<Vec<DeliveryId>>, Error> {
        let letters = self.app.letters(actor, new).await?;
        self.app.plan_by_hand_once(actor, letters, idempotency).await
    }

    /// Sends a sample of a notice to an address, or to the actor if there is none.
    pub async fn send_sample(
        self,
        actor: Actor,
        of: NoticeKind,
        to: Option<EmailAddress>,
    ) -> Result<Vec<DeliveryId>, Error> {
        self.app.plan_by_hand(actor, self.app.sample(actor, of, to)?).await
    }

    /// Does the same, but only once for an idempotency key.
    pub async fn send_sample_once(
        self,
        actor: Actor,
        of: NoticeKind,
        to: Option<EmailAddress>,
        idempotency: Idempotency<'_, [DeliveryId]>,
    ) -> Result<Idempotent<Vec<DeliveryId>>, Error> {
        self.app.plan_by_hand_once(actor, self.app.sample(actor, of, to)?, idempotency).await
    }
}

impl App {
    /// Maximum number of addresses of one custom email.
    pub const MOST_ADDRESSES: usize = 100;

    /// Returns a delivery for each address of a custom email.
    async fn letters(&self, actor: Actor, new: NewCustomEmail) -> Result<Vec<NewDelivery>, Error> {
        self.admit_admin(actor).await?;
        let NewCustomEmail { letter, mut addresses } = new;
        let mut seen = HashSet::new();
        addresses.retain(|address| seen.insert(address.key()));
        if addresses.is_empty() || addresses.len() > Self::MOST_ADDRESSES {
            let message = format!("must name 1 to {} different addresses with cc and bcc", Self::MOST_ADDRESSES);
            return Err(FieldError::new("to", message).into());
        }
        if letter.text.is_none() && letter.html.is_none() {
            return Err(FieldError::new("html_content", "or text_content must be there").into());
        }
        let letters = addresses.into_iter().map(|to| {
            let notice = Notice::Letter(letter.clone());
            self.by_hand(notice, Recipient::Address(to), "written by hand")
        });
        Ok(letters.collect())
    }

    fn sample(&self, actor: Actor, of: NoticeKind, to: Option<EmailAddress>) -> Result<Vec<NewDelivery>, Error> {
        let recipient = match to {
            Some(address) => Recipient::Address(address),
            None => Recipient::User(actor.scope()?.person()),
        };
        Ok(vec![self.by_hand(Notice::Sample(SampleNotice { of }), recipient, "a sample was asked for")])
    }

    fn by_hand(&self, notice: Notice, recipient: Recipient, reason: &str) -> NewDelivery {
        let now = self.clock.now();
        let id = DeliveryId::from_uuid(self.ids.next(now));
        NewDelivery::new(id, DedupeKey::new(format!("by-hand/{id}")), notice, recipient, now).because(reason)
    }

    async fn plan_by_hand(&self, actor: Actor, deliveries: Vec<NewDelivery>) -> Result<Vec<DeliveryId>, Error> {
        let ids = ids(&deliveries);
        self.commit(&Changes::new().deliver(deliveries).caused_by(actor.user_id())).await?;
        Ok(ids)
    }

    async fn plan_by_hand_once(
        &self,
        actor: Actor,
        deliveries: Vec<NewDelivery>,
        idempotency: Idempotency<'_, [DeliveryId]>,
    ) -> Result<Idempotent<Vec<DeliveryId>>, Error> {
        let owner = actor.scope()?.person();
        let idempotency = Some(&idempotency);
        self.idempotent(owner, idempotency, async {
            let ids = ids(&deliveries);
            let changes = Changes::new().deliver(deliveries).caused_by(Some(owner));
            self.commit(&changes.respond(owner, idempotency, ids.as_slice(), self.clock.now())).await?;
            Ok(ids)
        })
        .await
    }
}

fn ids(deliveries: &[NewDelivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}
