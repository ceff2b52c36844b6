use std::collections::HashMap;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Entity, Event, EventId, FeedEntry, Follower, Scope, UserId};

/// Bytes of [`data`](Event::data), as JSON, from which on a page of events is full: events hold whole texts, and one reader
/// must not have megabytes of them read at once.
pub const EVENT_BYTES: usize = 64 * 1024;

/// Events of a history that are read at once by [`history`](Feeds::history).
const HISTORY_PAGE: u32 = 100;

/// Reads the history of entities and the feeds of users. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Feeds: Send + Sync {
    /// Returns up to `limit` events of an entity that come before one of them, newest first; the newest when `before` is
    /// `None`. Fewer when those have [`EVENT_BYTES`]. Callers have made sure that the entity may be seen.
    async fn history_before(
        &self,
        entity: Entity,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;

    /// Returns all events of an entity, oldest first.
    async fn history(&self, entity: Entity) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let page = self.history_before(entity, events.last().map(|event| event.id), HISTORY_PAGE).await?;
            if page.is_empty() {
                events.reverse();
                return Ok(events);
            }
            events.extend(page);
        }
    }

    /// Returns up to `limit` entries of each of these feeds after the follower's position, in order within each feed.
    /// Returns fewer of a feed when those have [`EVENT_BYTES`]. Each owner is named once; a user who does not exist has
    /// no entries.
    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError>;

    /// Returns the last sequence of these users' feeds, even if its entry is no longer kept. A feed that never had an
    /// entry is left out.
    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError>;

    /// Returns up to `limit` entries of the feed in `scope` after sequence `after`.
    async fn feed(&self, scope: Scope, after: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
        let entries = self.feeds(&[Follower { owner: scope.owner(), after }], limit).await?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }
}
