use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::Message;

/// Messages that may wait for one connection.
const MESSAGES: usize = 256;
/// Bytes that may wait for one connection; a message that is longer may wait alone.
const BYTES: usize = 1024 * 1024;

/// Where messages for one connection are put.
pub(super) struct Inlet {
    messages: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// Where the connection takes them.
pub(super) struct Outlet {
    messages: mpsc::Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// A queue for one connection.
pub(super) fn queue() -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Inlet { messages: sender, waiting: Arc::clone(&waiting) }, Outlet { messages: receiver, waiting })
}

impl Inlet {
    /// Puts a message in, unless too much waits already: then the connection has fallen behind.
    #[must_use]
    pub(super) fn put(&self, message: &Message) -> bool {
        let length = message.json.len();
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        (before == 0 || before + length <= BYTES) && self.messages.try_send(message.clone()).is_ok()
    }
}

impl Outlet {
    /// The next message, once there is one; `None`: none will come any more.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.waiting.fetch_sub(message.json.len(), Ordering::Relaxed);
        Some(message)
    }

    /// Whether nothing is put in any more.
    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    /// The next message, if there is one.
    pub(super) fn next_now(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        self.waiting.fetch_sub(message.json.len(), Ordering::Relaxed);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Message {
        Message { seq: None, topic: None, json: "x".repeat(length).into() }
    }

    #[tokio::test]
    async fn no_more_waits_than_may() {
        let (inlet, mut outlet) = queue();
        assert!((0..MESSAGES).all(|_| inlet.put(&message(1))));
        assert!(!inlet.put(&message(1)));
        drop(inlet);
        for _ in 0..MESSAGES {
            assert!(outlet.next().await.is_some());
        }
        assert!(outlet.next().await.is_none());
    }

    #[tokio::test]
    async fn a_long_message_waits_alone() {
        let (inlet, mut outlet) = queue();
        assert!(inlet.put(&message(2 * BYTES)));
        assert!(outlet.next_now().is_some() && outlet.next_now().is_none());
        assert!(inlet.put(&message(BYTES - 1)) && inlet.put(&message(1)));
        assert!(!inlet.put(&message(1)));
    }
}
