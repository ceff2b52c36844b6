use std::collections::HashMap;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Entity, Event, FeedEntry, Follower, Scope, UserId};

/// Reads history and the feeds by which people follow it. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Feeds: Send + Sync {
    /// Returns the events of an entity, oldest first. Callers have made sure that it may be seen.
    async fn history(&self, entity: Entity) -> Result<Vec<Event>, StoreError>;

    /// Up to `limit` entries of each of these feeds after what its follower knows, in order within each feed. Each owner is
    /// named once; somebody who does not exist has no entries.
    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError>;

    /// The last sequence of these people's feeds, also when its entry is no longer kept. Whose feed never had an entry is
    /// left out.
    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError>;

    /// Returns up to `limit` entries of the feed in `scope` after sequence `after`.
    async fn feed(&self, scope: Scope, after: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
        let entries = self.feeds(&[Follower { owner: scope.owner(), after }], limit).await?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }
}
