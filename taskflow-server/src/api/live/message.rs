//! Messages to clients as JSON; docs/live.md describes them.

use std::sync::Arc;

use poem_openapi::types::ToJSON;
use serde_json::{Value, json};
use taskflow_core::ports::ReminderSent;
use taskflow_core::{Entity, FeedEntry, Timestamp};
use taskflow_runtime::live::{Encoder, Message};

use crate::api::Wire;
use crate::api::feed::Change;

/// Encodes what enters feeds as JSON, in the form that `GET /api/changes` has.
pub(crate) struct JsonEncoder;

impl Encoder for JsonEncoder {
    fn entry(&self, entry: &FeedEntry) -> Arc<str> {
        Change::from(entry).to_json_string().into()
    }

    fn reminder(&self, reminder: &ReminderSent) -> Arc<str> {
        let data = match reminder.about {
            Entity::Task(id) => json!({ "task_id": id }),
            Entity::Meeting(id) => json!({ "meeting_id": id }),
            _ => json!({}),
        };
        text(&json!({ "type": "reminder_sent", "at": reminder.at.write(), "data": data }))
    }

    fn resync(&self, seq: u64) -> Arc<str> {
        text(&json!({ "type": "resync", "seq": seq }))
    }
}

/// Says that what follows `seq` comes next, as long as the token is valid.
pub(super) fn ready(seq: u64, expires_at: Timestamp, topics: &[&str]) -> Message {
    let json = json!({ "type": "ready", "seq": seq, "expires_at": expires_at.write(), "topics": topics });
    Message { seq: Some(seq), ..control(&json) }
}

/// Answers a ping: the connection is alive, and everything up to `seq` was sent.
pub(super) fn pong(seq: u64, at: Timestamp) -> Message {
    control(&json!({ "type": "pong", "seq": seq, "at": at.write() }))
}

/// Confirms the topics of the connection.
pub(super) fn topics(topics: &[&str]) -> Message {
    control(&json!({ "type": "topics", "topics": topics }))
}

/// Says what is wrong with a message of the client; the connection stays open.
pub(super) fn error(detail: &str) -> Message {
    control(&json!({ "type": "error", "detail": detail }))
}

/// Says why a stream ends, where there are no close frames.
pub(super) fn closed(code: u16, reason: &str) -> Message {
    control(&json!({ "type": "closed", "code": code, "reason": reason }))
}

/// A message about the connection itself.
fn control(json: &Value) -> Message {
    Message { seq: None, topic: None, text: text(json) }
}

fn text(json: &Value) -> Arc<str> {
    json.to_string().into()
}
