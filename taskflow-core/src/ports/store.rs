use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use crate::error::{CorruptRow, StoreError};
use crate::{
    Answer, CapturedMail, Changes, DeliveryId, EmailAddress, Entity, Event, FeedEntry, Follower, IdempotencyKey,
    Meeting, MeetingId, MeetingQuery, NoticeKind, Page, Participant, ParticipantId, Revision, Suppression, Task,
    TaskId, TaskQuery, TaskSummary, Timestamp, User, UserId,
};

/// Rows found by their ids. A row that cannot be read is an error of its own and does not spoil the others.
pub type Lookup<Id, T> = HashMap<Id, Result<T, CorruptRow>>;

/// For whom meetings are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// For the service itself, which acts for everybody.
    Anyone,
    /// Only where this person is [in](Participant::is_in).
    Participant(UserId),
    /// Only what this person called.
    Organizer(UserId),
}

/// Where a sweep over meetings goes on: after this start and, at the same start, this id.
pub type MeetingCursor = (Timestamp, MeetingId);

/// Keeps users, tasks, history and feeds, and applies [`Changes`].
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
pub trait Store: Send + Sync {
    /// Applies all of `changes`, or nothing.
    ///
    /// * An update whose row is gone or has another version than one less is `Stale`, and so is a row for a person who is
    ///   gone; a unique value that exists is `Taken`. Both name the index of a write that failed.
    /// * Deliveries are planned by key: a new key is inserted as `scheduled`; a `cancelled` one is revived under its
    ///   old id as if it were new, its failed attempts forgotten; a `claimed` one that was marked loses the mark and
    ///   takes the new reason and `planned_at`; any other stays as it is.
    /// * Each event is appended once to the history of its entity, and to the feed of everybody in its audience under
    ///   that person's next sequence, in the order given. An event for a user who does not exist is not kept in a feed.
    /// * Empty changes are `Ok`.
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Whether the store answers and can be written, as far as that shows without writing much. `Unavailable` when it
    /// cannot: it only reads, its disk was full at the last write, or its file is another one.
    async fn ping(&self) -> Result<(), StoreError>;

    /// A person.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Several people at once; unknown ids are left out.
    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError>;

    /// Up to `size` people after `after` by id, all of them from the beginning when it is `None`.
    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError>;

    /// A task of `owner`, also from the trash.
    async fn task(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Several tasks at once, also from the trash; unknown ids are left out, and those of others than `owner` when one is
    /// given. Without an owner it is for the sender, which acts for everybody.
    async fn tasks_by_id(&self, ids: &[TaskId], owner: Option<UserId>) -> Result<Lookup<TaskId, Task>, StoreError>;

    /// A page of the tasks of `owner`; overdue is what is open and due before `now`. Without a sort the newest come
    /// first.
    async fn tasks(&self, owner: UserId, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError>;

    /// Counts the tasks of `owner` outside the trash; overdue is what is open and due before `now`.
    async fn task_summary(&self, owner: UserId, now: Timestamp) -> Result<TaskSummary, StoreError>;

    /// People by their addresses, in any case: only those who have shown that the address is theirs.
    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError>;

    /// Several meetings at once, also cancelled ones; unknown ids are left out, and those that are not for `viewer`.
    async fn meetings_by_id(&self, ids: &[MeetingId], viewer: Viewer)
    -> Result<Lookup<MeetingId, Meeting>, StoreError>;

    /// A page of the meetings that `viewer` is in. What lies ahead, goes on or is over is as of `now`. Without a sort those
    /// that begin last come first.
    async fn meetings(&self, viewer: UserId, query: &MeetingQuery, now: Timestamp)
    -> Result<Page<Meeting>, StoreError>;

    /// Everybody who was ever invited to these meetings, also who was removed, by meeting and then by id. Callers have
    /// made sure that they may be seen.
    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError>;

    /// Several participants at once; unknown ids are left out.
    async fn participants_by_id(&self, ids: &[ParticipantId])
    -> Result<Lookup<ParticipantId, Participant>, StoreError>;

    /// Up to `limit` meetings that are not cancelled and that [`LinkGuests`](crate::Write::LinkGuests) would bring into the
    /// lists of `user`: this address, in any case, is in them as a guest without an account, and the person is not. Those
    /// that were called last come first, by their ids.
    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// What meetings were like at these versions: of each the newest revision that is not later. Unknown ones are left
    /// out.
    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError>;

    /// Up to `limit` meetings in the order of their start and id after `after` that are on, begin after `now` and not
    /// later than `until`, and ask for a reminder due after `due_after` of which the ledger has no trace. What is planned
    /// is found by [key](crate::meeting_reminder_key) alone.
    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Up to `limit` meetings that are on, begin after `now`, and whose start was found with a version of the time zone
    /// database that sorts before `tzdb`; the cost does not depend on the others.
    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError>;

    /// Returns the suppressions of these addresses, by their keys.
    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError>;

    /// What was ended for these addresses as those of guests: the key of the address and the kind.
    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError>;

    /// Up to `limit` meetings, those created last first, in which somebody has a participant of their own beside a guest of
    /// this address who stands for themselves, and at least one of the two is in it.
    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Up to `size` suppressions after `after` by the keys of their addresses (bytes).
    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError>;

    /// What happened to an entity, oldest first. Callers have made sure that it may be seen.
    async fn history(&self, entity: Entity) -> Result<Vec<Event>, StoreError>;

    /// Up to `limit` entries of each of these feeds after what its follower knows, in order within each feed. Each owner is
    /// named once; somebody who does not exist has no entries.
    async fn feeds(&self, followers: &[Follower], limit: u32) -> Result<Vec<(UserId, FeedEntry)>, StoreError>;

    /// The last sequence of these people's feeds, also when its entry is no longer kept. Whose feed never had an entry is
    /// left out.
    async fn feed_heads(&self, owners: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError>;

    /// Up to `limit` entries of the feed of `owner` after sequence `after`.
    async fn feed(&self, owner: UserId, after: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
        let entries = self.feeds(&[Follower { owner, after }], limit).await?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The answer that `owner` got for a key, however old.
    async fn answer(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<Answer>, StoreError>;

    /// Up to `limit` mails of the dev mailbox, newest first.
    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError>;

    /// One mail of the dev mailbox.
    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError>;
}
