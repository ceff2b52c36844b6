use std::collections::HashMap;

use async_trait::async_trait;

use super::{Deliveries, Feeds, Meetings, Suppressions, Tasks, Users};
use crate::error::{CorruptRow, StoreError};
use crate::{CapturedMail, Changes, DeliveryId, IdempotencyKey, StoredResponse, UserId};

/// Rows found by their ids. A row that cannot be read is an error of its own and does not affect the others.
pub type Lookup<Id, T> = HashMap<Id, Result<T, CorruptRow>>;

/// Stores everything that the use cases need, and applies [`Changes`]. Its reads are a trait for each noun.
///
/// # Contract
///
/// * [`commit`](Store::commit) is atomic and durable: after `Ok` all changes are stored and survive a crash, after an
///   error none of them are. The exception is `Unavailable` after a lost acknowledgement: then it is one or the other.
/// * Reads see every commit that returned before they began.
/// * An absent row is `Ok(None)`. Reads by an owner are scoped in the query itself: another owner's row is absent.
/// * Time never comes from the store; every stored instant was given to it, to the microsecond.
/// * Every method may be called from many tasks at once, and a call may be dropped at any await point without harm.
#[async_trait]
pub trait Store: Users + Tasks + Meetings + Suppressions + Feeds + Deliveries {
    /// Applies all of `changes`, or nothing.
    ///
    /// * An update fails with `Stale` if its row is gone or the stored version is not one less, and so does a row for a
    ///   user who is gone. A unique value that exists fails with `Taken`, and more than a quota allows with
    ///   `OverQuota`, whatever else is committed at the same time. All errors name the index of a write that failed.
    /// * Deliveries are planned by key. A new key is inserted as `scheduled`. A `cancelled` one is revived under its
    ///   old id as if it were new, without its failed attempts. A `claimed` one that was marked loses the mark and gets
    ///   the new reason and `planned_at`. Any other stays as it is.
    /// * Each event is appended once to the history of its entity, and to the feed of each user in its audience under
    ///   that feed's next sequence, in the order given. An event for a user who does not exist is not kept in a feed.
    /// * Empty changes are `Ok`.
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Checks that the store responds and can be written, as far as that shows by writing very little. Fails with
    /// `Unavailable` if it cannot be written: it is read-only, its disk is full, or its file was replaced.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Returns the response that was stored for a key of `owner`, however old.
    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError>;

    /// Returns up to `limit` mails of the dev mailbox, newest first.
    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError>;

    /// Returns one mail of the dev mailbox.
    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError>;
}
