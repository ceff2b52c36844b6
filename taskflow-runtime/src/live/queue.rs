use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::Message;

/// Most messages that wait for one connection.
const MESSAGES: usize = 256;
/// Most bytes that wait for one connection. A longer message may wait alone.
const BYTES: usize = 1024 * 1024;

/// The sending half of a connection's queue.
pub(super) struct Sender {
    messages: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The receiving half.
pub(super) struct Receiver {
    messages: mpsc::Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// Creates the queue of one connection.
pub(super) fn queue() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Sender { messages: sender, waiting: Arc::clone(&waiting) }, Receiver { messages: receiver, waiting })
}

impl Sender {
    /// Adds a message. Returns false if too much waits already: the connection has fallen behind.
    #[must_use]
    pub(super) fn send(&self, message: &Message) -> bool {
        let length = message.text.len();
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        (before == 0 || before + length <= BYTES) && self.messages.try_send(message.clone()).is_ok()
    }
}

impl Receiver {
    /// Waits for the next message; `None` when the sender is gone.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.waiting.fetch_sub(message.text.len(), Ordering::Relaxed);
        Some(message)
    }

    /// Returns whether the sender is gone.
    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    /// Returns the next message if one is waiting.
    pub(super) fn next_now(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        self.waiting.fetch_sub(message.text.len(), Ordering::Relaxed);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Message {
        Message { seq: None, topic: None, text: "x".repeat(length).into() }
    }

    #[tokio::test]
    async fn no_more_waits_than_may() {
        let (sender, mut receiver) = queue();
        assert!((0..MESSAGES).all(|_| sender.send(&message(1))));
        assert!(!sender.send(&message(1)));
        drop(sender);
        for _ in 0..MESSAGES {
            assert!(receiver.next().await.is_some());
        }
        assert!(receiver.next().await.is_none());
    }

    #[tokio::test]
    async fn a_long_message_waits_alone() {
        let (sender, mut receiver) = queue();
        assert!(sender.send(&message(2 * BYTES)));
        assert!(receiver.next_now().is_some() && receiver.next_now().is_none());
        assert!(sender.send(&message(BYTES - 1)) && sender.send(&message(1)));
        assert!(!sender.send(&message(1)));
    }
}
