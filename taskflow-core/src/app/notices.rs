//! Notices that a host defines.

use super::{App, AppBuilder};
use crate::error::Error;
use crate::notice::{CustomKind, CustomNotice};
use crate::{Changes, ChannelKind, DedupeKey, Notice, Recipient, StoreError, Timestamp};

impl AppBuilder {
    /// Sends notices of this type, which the host defines.
    ///
    /// Without it they are kept in the store for a process that does, and counted.
    pub fn notice<N: CustomNotice>(mut self) -> Self {
        let kind = CustomKind::register::<N>().into();
        if !self.app.notices.contains(&kind) {
            self.app.notices.push(kind);
        }
        self
    }
}

impl App {
    /// Plans a notice of the host, to be sent at `due_at`. With a `key` that was planned before, nothing is sent again. It takes
    /// turns with what its reader causes.
    ///
    /// A host that writes in a transaction of its own passes a [`NewDelivery`](crate::NewDelivery) with [`Notice::custom`] to
    /// [`Changes::deliver`] instead, and says who [caused](crate::NewDelivery::caused_by) it.
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
        self.notify_on(ChannelKind::MAIL, recipient, notice, due_at, key).await
    }

    /// Does the same on another channel than mail. With the same `key` a user is notified once on each channel.
    ///
    /// # Errors
    ///
    /// As [`notify`](Self::notify).
    pub async fn notify_on<N: CustomNotice>(
        &self,
        channel: ChannelKind,
        recipient: Recipient,
        notice: &N,
        due_at: Timestamp,
        key: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let key = DedupeKey::new(format!("{}/{key}", N::KIND));
        let notice = Notice::custom(notice).map_err(|error| StoreError::Internal(error.into()))?;
        let reader = match recipient {
            Recipient::User(reader) => Some(reader),
            Recipient::Address(_) => None,
        };
        let delivery =
            self.new_delivery(key, notice, recipient, now).due(due_at).because("the host planned it").on(channel);
        self.commit(&Changes::new().deliver([delivery]).caused_by(reader)).await
    }
}
