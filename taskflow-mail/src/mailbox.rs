//! Mail that stays at home.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use taskflow_core::ports::{Accepted, Clock, MailError, Mailer, Reply, Store};
use taskflow_core::{CapturedMail, Changes, Mail, Mailbox, MailboxWrite};

use crate::message::Message;

/// The dev mailbox: captures every mail in the store, and sends none.
pub struct DevMailbox {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    from: Mailbox,
}

impl DevMailbox {
    /// Captures mails in `store` as messages from `from`, with the time of `clock`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, from: Mailbox) -> Self {
        Self { store, clock, from }
    }
}

impl fmt::Debug for DevMailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevMailbox").field("from", &self.from).finish_non_exhaustive()
    }
}

#[async_trait]
impl Mailer for DevMailbox {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        let message = Message::write(&self.from, mail)?;
        let kept = CapturedMail {
            id: mail.id,
            kept_at: self.clock.now(),
            to: message.to,
            content: mail.content.clone(),
            source: message.source,
        };
        match self.store.commit(&Changes::new().write(MailboxWrite::Capture(kept))).await {
            Ok(()) => Ok(Accepted { reply: CapturedMail::REPLY.to_owned() }),
            Err(taskflow_core::StoreError::Unavailable(cause)) => {
                Err(MailError::Unavailable(format!("the dev mailbox cannot be written: {cause}")))
            }
            Err(error) => Err(MailError::Transient(Reply::none(format!("dev mailbox: {error}")))),
        }
    }
}
