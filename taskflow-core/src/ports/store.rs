use std::collections::HashMap;

use async_trait::async_trait;

use super::{Deliveries, Feeds, Meetings, Suppressions, Tasks, Users};
use crate::error::{CorruptRow, StoreError};
use crate::{CapturedMail, Changes, DeliveryId, IdempotencyKey, StoredResponse, UserId};

/// Rows found by their ids. A row that cannot be read is an error of its own and does not spoil the others.
pub type Lookup<Id, T> = HashMap<Id, Result<T, CorruptRow>>;

/// Keeps everything that the use cases need, and applies [`Changes`]. What it reads is a trait for each noun.
///
/// # Contract
///
/// * [`commit`](Store::commit) is atomic and durable: after `Ok` everything is there and survives a crash, after an
///   error nothing of it is (`Unavailable` after a lost acknowledgement excepted: then it is one or the other).
/// * Reads see every commit that returned before they began.
/// * Absent is `Ok(None)`. What is read by an owner is scoped in the query itself: another owner's row is absent.
/// * Time never comes from the store; every instant it keeps was given to it, to the microsecond.
/// * Every method may be called from many tasks at once, and a call may be dropped at any await point without harm.
#[async_trait]
pub trait Store: Users + Tasks + Meetings + Suppressions + Feeds + Deliveries {
    /// Applies all of `changes`, or nothing.
    ///
    /// * An update whose row is gone or has another version than one less is `Stale`, and so is a row for a person who is
    ///   gone; a unique value that exists is `Taken`; more than a quota allows is `OverQuota`, whatever else is committed at
    ///   the same time. All name the index of a write that failed.
    /// * Deliveries are planned by key: a new key is inserted as `scheduled`; a `cancelled` one is revived under its
    ///   old id as if it were new, its failed attempts forgotten; a `claimed` one that was marked loses the mark and
    ///   takes the new reason and `planned_at`; any other stays as it is.
    /// * Each event is appended once to the history of its entity, and to the feed of everybody in its audience under
    ///   that person's next sequence, in the order given. An event for a user who does not exist is not kept in a feed.
    /// * Empty changes are `Ok`.
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Whether the store answers and can be written, as far as that shows by writing very little. `Unavailable` when it
    /// cannot: it only reads, its disk is full, or its file is another one.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Returns the response that was stored for a key of `owner`, however old.
    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError>;

    /// Returns up to `limit` mails of the dev mailbox, newest first.
    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError>;

    /// Returns one mail of the dev mailbox.
    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError>;
}
