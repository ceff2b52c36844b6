//! Use cases of the feed.

use std::collections::HashMap;

use crate::error::Error;
use crate::{Actor, FeedEntry, FeedPage, Follower, UserId};

use_cases! {
    /// Use cases of the feed of changes.
    FeedUseCases,
    /// Returns the use cases of the feed of changes.
    feed
}

impl FeedUseCases<'_> {
    /// Returns up to `limit` (at least one) entries of the actor's feed after the sequence `since`; without one, from
    /// the oldest that is kept. Fails with `Invalid` for the service itself, which has no feed, and with `Unavailable`
    /// when the store does.
    ///
    /// Whoever asks again with the last sequence they know misses nothing, however long they were away:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use taskflow_core::{Actor, App, FeedPage, MemoryStore, NewTask, NewUser};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let app = App::builder(Arc::new(MemoryStore::new())).build();
    /// # let (username, email) = ("ada".parse()?, "ada@example.org".parse()?);
    /// # let ada = NewUser { username, email, time_zone: None, locale: None, is_admin: false };
    /// # let ada = Actor::User(app.accounts().register(ada, None).await?.id);
    /// app.tasks().create(ada, NewTask::titled("Water the plants".parse()?)).await?;
    /// let mut known = 0;
    /// match app.feed().page(ada, Some(known), 100).await? {
    ///     FeedPage::Entries { entries, .. } => {
    ///         for entry in entries {
    ///             println!("{}: {}", entry.seq, entry.event.kind);
    ///             known = entry.seq;
    ///         }
    ///     }
    ///     // Too much has happened since: read everything anew.
    ///     FeedPage::Resync { head } => known = head,
    /// }
    /// assert_eq!(known, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn page(self, actor: Actor, since: Option<u64>, limit: u32) -> Result<FeedPage, Error> {
        let scope = actor.scope()?;
        // First, so that what is committed meanwhile cannot look like something that is gone.
        let head = self.app.store.feed_heads(&[scope.owner()]).await?.remove(&scope.owner()).unwrap_or(0);
        let entries = self.app.store.feed(scope, since.unwrap_or(0), limit.max(1)).await?;
        let since = since.unwrap_or_else(|| entries.first().map_or(head, |oldest| oldest.seq - 1));
        Ok(FeedPage::after(since, head, entries))
    }

    /// Returns the last sequence of the feed of each of these users, for a host that follows the feeds on their behalf;
    /// 0 for a feed without entries.
    pub async fn heads(self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, Error> {
        let mut heads = self.app.store.feed_heads(owners).await?;
        for owner in owners {
            heads.entry(*owner).or_insert(0);
        }
        Ok(heads)
    }

    /// Returns up to `limit` entries for each of these followers at once, for a host that follows feeds on behalf of
    /// their owners.
    pub async fn follow(self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, Error> {
        Ok(self.app.store.feeds(followers, limit).await?)
    }
}
