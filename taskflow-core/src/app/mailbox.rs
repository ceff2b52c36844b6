//! The dev mailbox: what would have been sent.

use super::App;
use crate::error::Error;
use crate::{Actor, CapturedMail, DeliveryId};

impl App {
    /// Up to `limit` mails, newest first; for those who run the service.
    pub async fn kept_mails(&self, actor: Actor, limit: u32) -> Result<Vec<CapturedMail>, Error> {
        self.admit_admin(actor).await?;
        Ok(self.store.kept_mails(limit).await?)
    }

    /// One mail; for those who run the service.
    pub async fn kept_mail(&self, actor: Actor, id: DeliveryId) -> Result<CapturedMail, Error> {
        self.admit_admin(actor).await?;
        self.store.kept_mail(id).await?.ok_or(Error::NotFound("mail"))
    }
}
