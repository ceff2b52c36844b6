//! Events of a task's history as JSON.

use poem_openapi::Object;
use serde_json::{Value, json};
use taskflow_core::{Event, EventId, EventKind, Timestamp, UserId};

use crate::api::Val;
use crate::api::wire::Differences;

/// A page of the history, newest first.
#[derive(Debug, Object)]
#[oai(rename = "TaskHistory", skip_serializing_if_is_none)]
pub(super) struct HistoryBody {
    /// The items on this page.
    items: Vec<EventBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<Val<EventId>>,
}

/// An entry of the history.
#[derive(Debug, Object)]
#[oai(rename = "TaskEvent", skip_serializing_if_is_none)]
struct EventBody {
    /// Identifier; never changes.
    id: Val<EventId>,
    /// When it happened.
    at: Val<Timestamp>,
    /// The account that did it; absent: the service itself.
    actor: Option<Val<UserId>>,
    /// What happened.
    kind: Val<EventKind>,
    /// The fields that changed.
    changes: Val<Differences>,
}

impl HistoryBody {
    /// The page of these events, newest first; `more` follow.
    pub(super) fn new(events: Vec<Event>, more: bool) -> Self {
        let next = events.last().map(|last| Val(last.id)).filter(|_| more);
        Self { items: events.into_iter().map(EventBody::from).collect(), next }
    }
}

impl From<Event> for EventBody {
    fn from(mut event: Event) -> Self {
        Self {
            id: Val(event.id),
            at: Val(event.at),
            actor: event.actor.map(Val),
            kind: Val(event.kind),
            changes: Val(Differences(event.data.get_mut("changes").map_or_else(|| json!({}), Value::take))),
        }
    }
}
