//! What happened to a task, as JSON.

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
    /// The page of `size` events, given oldest first, that follows the event `cursor`.
    pub(super) fn new(events: Vec<Event>, cursor: Option<EventId>, size: usize) -> Self {
        let mut newest_first = events.into_iter().rev().peekable();
        if let Some(cursor) = cursor {
            newest_first.by_ref().find(|event| event.id == cursor);
        }
        let items: Vec<EventBody> = newest_first.by_ref().take(size).map(EventBody::from).collect();
        let next = items.last().map(|last| Val(last.id.0)).filter(|_| newest_first.peek().is_some());
        Self { items, next }
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

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON;
    use taskflow_core::{Entity, TaskId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let event = |n: u128| Event {
            id: EventId::from_uuid(Uuid::from_u128(n)),
            at: Timestamp::from_micros(0),
            actor: None,
            entity: Entity::Task(TaskId::from_uuid(Uuid::nil())),
            kind: EventKind::TaskUpdated,
            data: json!({ "changes": {} }),
        };
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let page = HistoryBody::new((1..=5).map(event).collect(), cursor, 2);
            seen.extend(page.items.iter().map(|item| item.id.0));
            cursor = page.next.as_ref().map(|next| next.0);
            if cursor.is_none() {
                assert!(page.to_json().expect("JSON").get("next").is_none());
                break;
            }
        }
        assert_eq!(seen, (1..=5).rev().map(|n| event(n).id).collect::<Vec<_>>());
        assert!(HistoryBody::new((1..=5).map(event).collect(), Some(event(9).id), 2).items.is_empty());
    }
}
