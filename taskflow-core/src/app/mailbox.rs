//! The dev mailbox: captured mail that would have been sent otherwise.

use super::MailUseCases;
use crate::error::Error;
use crate::{Actor, CapturedMail, DeliveryId};

impl MailUseCases<'_> {
    /// Returns up to `limit` mails, newest first; for administrators.
    pub async fn captured(self, actor: Actor, limit: u32) -> Result<Vec<CapturedMail>, Error> {
        self.app.admit_admin(actor).await?;
        Ok(self.app.store.kept_mails(limit).await?)
    }

    /// Returns one mail; for administrators.
    pub async fn captured_one(self, actor: Actor, id: DeliveryId) -> Result<CapturedMail, Error> {
        self.app.admit_admin(actor).await?;
        self.app.store.kept_mail(id).await?.ok_or(Error::NotFound("mail"))
    }
}
