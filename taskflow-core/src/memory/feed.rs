use std::collections::HashMap;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{EVENT_BYTES, Feeds};
use crate::{Entity, Event, EventId, FeedEntry, FeedEvent, Follower, UserId};

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
    async fn history_before(
        &self,
        entity: Entity,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let mut events: Vec<&Event> = state.events.iter().filter(|event| event.entity == entity).collect();
        events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
        let skipped = match before {
            Some(before) => events.iter().position(|event| event.id == before).map_or(events.len(), |n| n + 1),
            None => 0,
        };
        let page = events.into_iter().skip(skipped).take(limit as usize);
        Ok(until_full(page, |event| event).cloned().collect())
    }

    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError> {
        let state = self.state();
        let next = |follower: &Follower| {
            let feed = state.feeds.get(&follower.owner).map_or(&[][..], Vec::as_slice);
            let known = feed.partition_point(|entry| entry.seq <= follower.after);
            let next = feed[known..].iter().take(limit as usize);
            until_full(next, |entry| &entry.event).map(|entry| (follower.owner, entry.clone())).collect::<Vec<_>>()
        };
        Ok(followers.iter().flat_map(next).collect())
    }

    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        let state = self.state();
        Ok(owners.iter().filter_map(|owner| Some((*owner, *state.heads.get(owner)?))).collect())
    }
}

/// Ends a page with the event that fills it.
fn until_full<'a, T: 'a>(
    events: impl Iterator<Item = &'a T>,
    event: impl Fn(&'a T) -> &'a Event,
) -> impl Iterator<Item = &'a T> {
    let mut bytes = 0;
    events.take_while(move |item| {
        let ahead = bytes;
        bytes += event(item).data.to_string().len();
        ahead < EVENT_BYTES
    })
}
