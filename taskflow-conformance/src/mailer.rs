use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use taskflow_core::Mail;
use taskflow_core::ports::{Accepted, MailError, Mailer};

/// Sends nothing, remembers everything, and fails when told to.
#[derive(Debug, Default)]
pub struct RecordingMailer {
    state: Mutex<(Vec<Mail>, VecDeque<MailError>)>,
    failing: Mutex<Option<MailError>>,
}

impl RecordingMailer {
    /// Takes every mail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next mail fails like this; called twice, the one after it as well.
    pub fn fail_next(&self, error: MailError) {
        self.state().1.push_back(error);
    }

    /// Every mail fails like this, until it is called with `None`.
    pub fn fail_always(&self, error: Option<MailError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Every mail taken so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.state().0.clone()
    }

    /// Every mail taken since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.state().0)
    }

    fn state(&self) -> MutexGuard<'_, (Vec<Mail>, VecDeque<MailError>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for RecordingMailer {
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut state = self.state();
        match failing.or_else(|| state.1.pop_front()) {
            Some(error) => Err(error),
            None => {
                state.0.push(mail.clone());
                Ok(Accepted { reply: "250 remembered".to_owned() })
            }
        }
    }
}
