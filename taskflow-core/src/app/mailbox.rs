//! The dev mailbox: what would have been sent.

use super::App;
use crate::error::Error;
use crate::{DeliveryId, KeptMail};

impl App {
    /// Up to `limit` mails, newest first.
    pub async fn kept_mails(&self, limit: u32) -> Result<Vec<KeptMail>, Error> {
        Ok(self.store.kept_mails(limit).await?)
    }

    /// One mail.
    pub async fn kept_mail(&self, id: DeliveryId) -> Result<KeptMail, Error> {
        self.store.kept_mail(id).await?.ok_or(Error::NotFound("mail"))
    }
}
