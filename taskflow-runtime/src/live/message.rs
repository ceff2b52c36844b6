use std::sync::Arc;

use taskflow_core::ports::ReminderSent;
use taskflow_core::{Entity, FeedEntry};

use super::Topic;

/// A message for a connection, encoded once for everybody who receives it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The feed sequence that the receiver knows after this message; `None` if it says nothing about that.
    pub seq: Option<u64>,
    /// The subject, by which connections filter; `None` for a message about the connection itself.
    pub topic: Option<Topic>,
    /// The encoded message.
    pub text: Arc<str>,
}

/// Writes messages in the format of a host's protocol.
pub trait Encoder: Send + Sync {
    /// Encodes an entry of a feed.
    fn entry(&self, entry: &FeedEntry) -> Arc<str>;

    /// Encodes that a reminder was sent. It has no place in the feed.
    fn reminder(&self, reminder: &ReminderSent) -> Arc<str>;

    /// Encodes that entries up to `seq` are no longer kept: the client reads everything anew and goes on after `seq`.
    fn resync(&self, seq: u64) -> Arc<str>;
}

impl dyn Encoder {
    pub(super) fn entry_message(&self, entry: &FeedEntry) -> Message {
        let topic = match entry.event.entity {
            Entity::Task(_) => Some(Topic::Tasks),
            Entity::Meeting(_) => Some(Topic::Meetings),
            _ => None,
        };
        Message { seq: Some(entry.seq), topic, text: self.entry(entry) }
    }

    pub(super) fn reminder_message(&self, reminder: &ReminderSent) -> Message {
        Message { seq: None, topic: Some(Topic::Reminders), text: self.reminder(reminder) }
    }

    pub(super) fn resync_message(&self, seq: u64) -> Message {
        Message { seq: Some(seq), topic: None, text: self.resync(seq) }
    }
}
