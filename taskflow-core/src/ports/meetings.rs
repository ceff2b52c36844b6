use std::collections::HashSet;

use async_trait::async_trait;

use super::Lookup;
use crate::error::StoreError;
use crate::{
    EmailAddress, Meeting, MeetingId, MeetingQuery, Page, Participant, ParticipantId, Revision, Scope, Timestamp,
    UserId, Viewer,
};

/// The position at which a scan of meetings continues: after this start and, at the same start, after this id.
pub type MeetingCursor = (Timestamp, MeetingId);

/// Reads meetings and their participants. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Meetings: Send + Sync {
    /// Returns several meetings at once, also cancelled ones. Unknown ids are left out, and so are meetings that
    /// `viewer` may not see. A user reads meetings that they participate [in](Participant::is_in) or, if the scope asks
    /// for [`Role::Owner`](crate::Role::Owner), those that they organize.
    async fn meetings_by_id(&self, ids: &[MeetingId], viewer: Viewer)
    -> Result<Lookup<MeetingId, Meeting>, StoreError>;

    /// Returns a page of the meetings in `scope`, in which its owner participates. Statuses are as of `now`. Without a
    /// sort, those that begin last come first.
    async fn meetings(&self, scope: Scope, query: &MeetingQuery, now: Timestamp) -> Result<Page<Meeting>, StoreError>;

    /// Returns up to `limit` meetings after `after` by id in which a user participates, that are not cancelled, and
    /// that go on or begin after `now`; also for a deleted account.
    async fn meetings_to_leave(
        &self,
        user: UserId,
        now: Timestamp,
        after: Option<MeetingId>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Returns everybody who was ever invited to these meetings, including those who were removed, by meeting and then
    /// by id. Callers have made sure that they may be seen.
    async fn participants(&self, meetings: &[MeetingId]) -> Result<Vec<Participant>, StoreError>;

    /// Returns several participants at once; unknown ids are left out.
    async fn participants_by_id(&self, ids: &[ParticipantId])
    -> Result<Lookup<ParticipantId, Participant>, StoreError>;

    /// Returns up to `limit` meetings that are not cancelled and that
    /// [`LinkGuests`](crate::ParticipantWrite::LinkGuests) would bring into the lists of `user`: this address, in any
    /// case, is in them as a guest without an account, and the user does not participate. The last created come first,
    /// by their ids.
    async fn guest_meetings(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Returns up to `limit` meetings, the last created first, in which a user has a participant besides a guest of
    /// this address who was not merged, and at least one of the two participates.
    async fn meetings_with_two(
        &self,
        email: &EmailAddress,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Returns the keys of those addresses by which somebody has accepted an invitation of `organizer`, also tentatively; an
    /// answer that a later change of the meeting made void counts as well.
    async fn accepted_before(
        &self,
        organizer: UserId,
        addresses: &[EmailAddress],
    ) -> Result<HashSet<String>, StoreError>;

    /// Returns the revisions that were current at these versions: for each, the newest revision that is not later.
    /// Unknown ones are left out.
    async fn revisions(&self, wanted: &[(MeetingId, u64)]) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError>;

    /// Returns up to `limit` meetings after `after`, in the order of their start and id, that take place, begin after
    /// `now` and not later than `until`, and ask for a reminder due after `due_after` of which the ledger has no trace.
    /// Planned reminders are found by [key](crate::meeting_reminder_key) alone.
    async fn meetings_unplanned(
        &self,
        now: Timestamp,
        until: Timestamp,
        due_after: Timestamp,
        after: Option<MeetingCursor>,
        limit: u32,
    ) -> Result<Vec<MeetingId>, StoreError>;

    /// Returns up to `limit` meetings that take place, begin after `now`, and whose start was found with a version of
    /// the time zone database that sorts before `tzdb`. The cost does not depend on the other meetings.
    async fn meetings_before_tzdb(&self, tzdb: &str, now: Timestamp, limit: u32) -> Result<Vec<MeetingId>, StoreError>;
}
