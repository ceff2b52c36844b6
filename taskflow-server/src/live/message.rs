use std::sync::Arc;

use poem_openapi::types::ToJSON;
use serde_json::{Value, json};
use taskflow_core::ports::ReminderSent;
use taskflow_core::{Entity, FeedEntry, Timestamp};

use super::topics::Topic;
use crate::api::{Change, Wire};

/// What a connection is told, as it travels. Made once for everybody who gets it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Up to which sequence everything is known with it; absent: it says nothing of that.
    pub(crate) seq: Option<u64>,
    /// What it is about; absent: the conversation itself.
    pub(crate) topic: Option<Topic>,
    pub(crate) json: Arc<str>,
}

impl Message {
    /// An entry of the feed.
    pub(crate) fn entry(entry: &FeedEntry) -> Self {
        let topic = topic(entry.event.entity);
        Self { seq: Some(entry.seq), topic, json: Change::from(entry).to_json_string().into() }
    }

    /// A reminder has left. It has no place in the feed.
    pub(crate) fn reminder(reminder: &ReminderSent) -> Self {
        let data = match reminder.about {
            Entity::Task(id) => json!({ "task_id": id }),
            Entity::Meeting(id) => json!({ "meeting_id": id }),
            _ => json!({}),
        };
        let json = json!({ "type": "reminder_sent", "at": reminder.at.write(), "data": data });
        Self { seq: None, topic: Some(Topic::Reminders), json: json.to_string().into() }
    }

    /// What follows `seq` comes next; everything before is to be read anew.
    pub(crate) fn resync(seq: u64) -> Self {
        Self::about_itself(Some(seq), json!({ "type": "resync", "seq": seq }))
    }

    /// What follows `seq` comes next, as long as the token is good.
    pub(crate) fn ready(seq: u64, expires_at: Timestamp, topics: &[&str]) -> Self {
        let json = json!({ "type": "ready", "seq": seq, "expires_at": expires_at.write(), "topics": topics });
        Self::about_itself(Some(seq), json)
    }

    /// The connection is alive, and everything up to `seq` has been said.
    pub(super) fn pong(seq: u64, at: Timestamp) -> Self {
        Self::about_itself(None, json!({ "type": "pong", "seq": seq, "at": at.write() }))
    }

    /// What the connection is told of from now on.
    pub(super) fn topics(topics: &[&str]) -> Self {
        Self::about_itself(None, json!({ "type": "topics", "topics": topics }))
    }

    /// What a client said makes no sense; the conversation goes on.
    pub(super) fn error(detail: &str) -> Self {
        Self::about_itself(None, json!({ "type": "error", "detail": detail }))
    }

    /// Why nothing more comes, where there are no close frames.
    pub(crate) fn closed(code: u16, reason: &str) -> Self {
        Self::about_itself(None, json!({ "type": "closed", "code": code, "reason": reason }))
    }

    fn about_itself(seq: Option<u64>, json: Value) -> Self {
        Self { seq, topic: None, json: json.to_string().into() }
    }
}

fn topic(entity: Entity) -> Option<Topic> {
    match entity {
        Entity::Task(_) => Some(Topic::Tasks),
        Entity::Meeting(_) => Some(Topic::Meetings),
        _ => None,
    }
}
