use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{
    BulkAction, BulkSelection, ChannelKind, Delivery, DeliveryId, LeaseToken, NoticeKind, Settlement, Timestamp,
};

/// The request of a sender for deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The channel whose deliveries are claimed; those of other channels do not count and cost nothing.
    pub channel: ChannelKind,
    /// The kinds this build can send; others are left for nodes that know them.
    pub kinds: Vec<NoticeKind>,
    /// Maximum number of deliveries to claim.
    pub limit: u32,
    /// The current time: deliveries due by then are claimed.
    pub now: Timestamp,
    /// Fences the results of the claim.
    pub lease: LeaseToken,
    /// Duration of the lease, by the store's own clock.
    pub lease_for: Duration,
}

impl ClaimRequest {
    /// Returns the end of the minute of [`now`](Self::now): deliveries due before that are claimed together.
    #[must_use]
    pub fn minute_ends(&self) -> Timestamp {
        const MINUTE: i64 = 60_000_000;
        Timestamp::from_micros((self.now.as_micros().div_euclid(MINUTE) + 1) * MINUTE)
    }
}

/// A claimed delivery and the lease it is held under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery to send.
    pub delivery: Delivery,
    /// The lease.
    pub lease: LeaseToken,
}

/// A claimed delivery that a sender wants to hold on to.
pub type HeldLease = (DeliveryId, LeaseToken);

/// The result of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The settlement counted.
    Applied,
    /// The lease was lost to another sender, or the delivery is settled already: nothing was changed.
    LeaseLost,
}

/// The backlog of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The time since which the longest waiting of the due deliveries has been waiting. Deliveries that failed and wait
    /// for their next attempt are included. One that is held until its reader's quiet hours end is not late before
    /// that, and waits since then.
    pub oldest_due_at: Option<Timestamp>,
    /// The time at which the next scheduled delivery is to be tried, due or not.
    pub next_at: Option<Timestamp>,
}

/// The queue of deliveries. They are planned and cancelled by [`Store::commit`](super::Store::commit) and read through
/// [`Deliveries`](super::Deliveries).
///
/// # Contract
///
/// * A delivery is claimed by one lease at a time. A claim can be taken over once its lease has lapsed **by the store's
///   clock**; the time given with a request decides only what is due.
/// * A settlement counts only while its lease holds the delivery, which is until somebody else claims it.
/// * The ledger balances at any time: see [`Ledger::balances`](crate::Ledger::balances).
/// * Cost depends on what is due, not on how many deliveries there are. A claim costs the same however much is due.
/// * A delivery keeps its [turn](crate::Turns) when it is tried again. One that is held or rescheduled takes a turn anew, among
///   what its causer has in the minute that it moves to.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims up to `limit` deliveries of one channel: scheduled ones whose `next_at` has come, by [rank](crate::Rank) and then
    /// `next_at`, and claimed ones whose lease has lapsed. The first claim of a delivery sets `first_claimed_at`.
    ///
    /// Scheduled ones that are [gathered](Delivery::is_gathered) are claimed together, also beyond `limit`. The group
    /// is the first one of a user and up to [`MOST_TOGETHER`](crate::MOST_TOGETHER) with it of those that are due in
    /// the minute of `now`. Like the first, they have never failed, or else failed with it (as often, and with the same
    /// `next_at`). None of them is claimed without those before it.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError>;

    /// Claims those of some deliveries of the channel that are scheduled and due, whatever their rank and the limit, in the order
    /// of their ids: what has to leave before something that is claimed already.
    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError>;

    /// Writes outcomes, durably, and says for each whether it counted, in the order given.
    ///
    /// The [effect](crate::Effect) of a settlement is written in the same transaction, exactly when the settlement
    /// counts.
    ///
    /// A delivery that was planned again after the check that found it `Cancelled` or `Expired` (`planned_at` later
    /// than the settlement's `at`) is scheduled once more instead: that check is outdated.
    ///
    /// A delivery that was cancelled while claimed becomes `delivered` when it was sent and else `cancelled`. `Retry`
    /// and `Discarded` count one attempt and leave a [`FailedAttempt`](crate::FailedAttempt). `Held` removes
    /// `last_error`.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError>;

    /// Holds claims for another `lease_for` from now and returns those that are still held.
    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError>;

    /// Changes those of these deliveries that are still selected, in one transaction, and returns them in any order. The
    /// others stay as they are.
    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError>;

    /// Returns the backlog of a channel.
    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError>;
}
