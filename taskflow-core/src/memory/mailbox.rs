use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::error::StoreError;
use crate::{CapturedMail, MAILBOX_SIZE, MailboxWrite};

impl MemoryWrite for MailboxWrite {
    fn check(&self, _check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Capture(_) => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Capture(mail) => state.capture(mail),
        }
    }
}

impl State {
    fn capture(&mut self, mail: &CapturedMail) {
        if self.mailbox.values().any(|kept| kept.id == mail.id) {
            return;
        }
        self.mailbox.insert((mail.kept_at, mail.id), mail.clone());
        while self.mailbox.len() > MAILBOX_SIZE {
            self.mailbox.pop_first();
        }
    }
}
