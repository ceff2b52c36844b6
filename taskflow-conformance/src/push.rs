use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskflow_core::ports::Accepted;
use taskflow_core::{Channel, ChannelBatch, ChannelKind, Outcome, PreparedBatch, SendError, Sending, StoreError};

/// A message of the [`PushChannel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The reader, as the notice names them; empty for a bare address.
    pub name: String,
    /// One line.
    pub text: String,
}

/// A channel beside mail for tests: sends nothing, remembers everything, fails or hangs when told to. Clones share what they
/// remember.
#[derive(Debug, Clone)]
pub struct PushChannel {
    kind: ChannelKind,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Push>,
    failures: VecDeque<SendError>,
    blocked: Vec<String>,
    hangs: bool,
}

impl PushChannel {
    /// The name of the channel that most tests use.
    pub const KIND: ChannelKind = ChannelKind::new("push");

    /// Takes every message.
    #[must_use]
    pub fn new() -> Self {
        Self::named(Self::KIND)
    }

    /// The same under another name.
    #[must_use]
    pub fn named(kind: ChannelKind) -> Self {
        Self { kind, state: Arc::default() }
    }

    /// The next message fails like this; called twice, the one after it as well.
    pub fn fail_next(&self, error: SendError) {
        self.state().failures.push_back(error);
    }

    /// No message to this reader leaves any more: the suppressions of this channel.
    pub fn block(&self, name: &str) {
        self.state().blocked.push(name.to_owned());
    }

    /// Every message from now on is on its way for ever, or no more.
    pub fn hang(&self, hangs: bool) {
        self.state().hangs = hangs;
    }

    /// Returns every message taken since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Push> {
        std::mem::take(&mut self.state().sent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for PushChannel {
    fn default() -> Self {
        Self::new()
    }
}

impl Channel for PushChannel {
    type Message = Push;

    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn sending(&self) -> Sending {
        Sending { connections: 2, ..Sending::default() }
    }

    async fn prepare(&self, batch: ChannelBatch<'_>) -> Result<PreparedBatch<'_, Push>, StoreError> {
        let mut prepared = PreparedBatch::default();
        for (claimed, checked) in batch.check().await? {
            match checked {
                Ok(notice) if self.state().blocked.contains(&notice.input.name) => {
                    prepared.settle(claimed, Outcome::Cancelled { reason: "the reader is blocked".to_owned() });
                }
                Ok(notice) => {
                    let message = Push { name: notice.input.name, text: notice.content.subject };
                    prepared.send(claimed, message);
                }
                Err(outcome) => prepared.settle(claimed, outcome),
            }
        }
        Ok(prepared)
    }

    async fn send(&self, message: &Push) -> Result<Accepted, SendError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        match state.failures.pop_front() {
            Some(error) => Err(error),
            None => {
                state.sent.push(message.clone());
                Ok(Accepted { reply: "remembered".to_owned() })
            }
        }
    }
}
