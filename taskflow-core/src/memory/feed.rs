use std::collections::HashMap;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::Feeds;
use crate::{Entity, Event, FeedEntry, FeedEvent, Follower, UserId};

impl State {
    /// Appends an event to the history and to the feeds of everybody in its audience who exists.
    pub(super) fn publish(&mut self, published: &FeedEvent) {
        let event = &published.event;
        self.events.push(event.clone());
        let users = &self.users;
        let is_there = |owner: &&UserId| users.get(owner).is_some_and(|user| user.deleted_at.is_none());
        for owner in published.audience.iter().filter(is_there) {
            let head = self.heads.entry(*owner).or_default();
            *head += 1;
            self.feeds.entry(*owner).or_default().push(FeedEntry { seq: *head, event: event.clone() });
        }
    }
}

#[async_trait]
impl Feeds for MemoryStore {
    async fn history(&self, entity: Entity) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> =
            self.state().events.iter().filter(|event| event.entity == entity).cloned().collect();
        events.sort_by_key(|event| (event.at, event.id));
        Ok(events)
    }

    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
        let state = self.state();
        let next = |follower: &Follower| {
            let feed = state.feeds.get(&follower.owner).map_or(&[][..], Vec::as_slice);
            let known = feed.partition_point(|entry| entry.seq <= follower.after);
            let next = feed[known..].iter().take(limit as usize);
            next.map(|entry| (follower.owner, entry.clone())).collect::<Vec<_>>()
        };
        Ok(followers.iter().flat_map(next).collect())
    }

    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        let state = self.state();
        Ok(owners.iter().filter_map(|owner| Some((*owner, *state.heads.get(owner)?))).collect())
    }
}
