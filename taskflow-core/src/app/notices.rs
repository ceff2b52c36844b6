//! Notices that a host defines.

use super::App;
use crate::error::Error;
use crate::notice::CustomNotice;
use crate::{Changes, DedupeKey, Notice, Recipient, StoreError, Timestamp};

impl App {
    /// Plans a notice of the host, to be sent at `due_at`. With a `key` that was planned before, nothing is sent again.
    ///
    /// A host that writes in a transaction of its own passes a [`NewDelivery`](crate::NewDelivery) with [`Notice::custom`] to
    /// [`Changes::deliver`] instead.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store is, and `Internal` when the notice is not serialized as a map of its fields.
    pub async fn notify<N: CustomNotice>(
        &self,
        recipient: Recipient,
        notice: &N,
        due_at: Timestamp,
        key: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let key = DedupeKey::new(format!("{}/{key}", N::KIND));
        let notice = Notice::custom(notice).map_err(|error| StoreError::Internal(error.into()))?;
        let delivery = self.new_delivery(key, notice, recipient, now).due(due_at).because("the host planned it");
        self.commit(&Changes::new().deliver([delivery])).await
    }
}
