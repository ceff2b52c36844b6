//! The queue side of the ledger: the port [`Outbox`].

mod claim;
mod settle;

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use taskflow_core::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
use taskflow_core::{
    BulkAction, BulkSelection, ChannelKind, CorruptRow, DeliveryId, Rank, Settlement, StoreError, Timestamp,
};

use self::claim::Claim;
use crate::deliveries::bulk;
use crate::error::{Table, store_error};
use crate::store::SqliteStore;

const TABLE: Table = Table("taskflow_deliveries");

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let claim = Claim::new(request)?;
        self.write(move |conn| Box::pin(async move { claim.run(conn).await })).await
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        let claim = Claim::new(request)?;
        let ids = json(&ids)?;
        self.write(move |conn| Box::pin(async move { claim.these(conn, ids).await })).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let batch = settle::Batch::new(settlements);
        self.write(|conn| Box::pin(async move { batch.run(conn).await })).await
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let held: Vec<HeldLease> = held.to_vec();
        let held_json = json(&held)?;
        let lease_for = micros(lease_for);
        self.write(move |conn| {
            Box::pin(async move {
                let query = sqlx::query_as(RENEW).bind(held_json).bind(lease_for);
                let kept: Vec<(String, String)> = query.fetch_all(conn).await.map_err(store_error)?;
                let kept = kept.iter().map(|(id, lease)| Ok((TABLE.value("id", id)?, TABLE.value("lease", lease)?)));
                let kept: HashSet<HeldLease> = kept.collect::<Result<_, CorruptRow>>()?;
                Ok(held.into_iter().filter(|lease| kept.contains(lease)).map(|(id, _)| id).collect())
            })
        })
        .await
    }

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let (action, selection) = (action.clone(), bulk::Selection::new(selection)?);
        let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
        self.write(move |conn| Box::pin(async move { bulk::change(conn, &action, selection, &ids).await })).await
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        let statement = if channel.is_mail() { BACKLOG } else { BACKLOG_ON };
        let (oldest_due_at, next_at): (Option<i64>, Option<i64>) = sqlx::query_as(statement)
            .bind(now.as_micros())
            .bind(ranks(&Rank::in_order(channel))?)
            .bind(channel.as_str())
            .fetch_one(&self.reader()?)
            .await
            .map_err(store_error)?;
        Ok(Backlog {
            oldest_due_at: oldest_due_at.map(Timestamp::from_micros),
            next_at: next_at.map(Timestamp::from_micros),
        })
    }
}

/// Microseconds to add to an instant.
pub(crate) fn micros(span: Duration) -> i64 {
    // A thousand years are for ever and leave room to add.
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX).min(31_557_600_000_000_000)
}

/// Ranks as a JSON array of pairs, the priority and the lap.
fn ranks(ranks: &[Rank]) -> Result<String, StoreError> {
    json(&ranks.iter().map(|rank| (rank.priority, rank.lap)).collect::<Vec<_>>())
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(error.into()))
}

const RENEW: &str = "
    UPDATE taskflow_deliveries
    SET lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.id = j.value ->> 0 AND state = 'claimed' AND lease = j.value ->> 1
    RETURNING id, lease";

/// Returns the due time of the mail that has waited longest, and the next time at which mail is to be sent.
///
/// Mail that failed waits since it was due. Other mail waits since the time at which it was to leave, which a hold
/// postpones. Mail that was requeued by hand keeps its earlier error but has not been claimed since, so it counts as
/// other mail.
const BACKLOG: &str = "
    SELECT min(due_at), min(next_at)
    FROM (
        SELECT
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = j.value ->> 0 AND d.lap = j.value ->> 1
                    AND d.next_at <= ?1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = j.value ->> 0 AND d.lap = j.value ->> 1) AS next_at
        FROM json_each(?2) AS j
        UNION ALL
        SELECT min(due_at), NULL
        FROM taskflow_deliveries
        WHERE state = 'scheduled' AND last_error IS NOT NULL AND first_claimed_at IS NOT NULL AND due_at <= ?1
            AND channel = ?3)";

/// The same for another channel than mail.
const BACKLOG_ON: &str = "
    SELECT min(due_at), min(next_at)
    FROM (
        SELECT
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d INDEXED BY taskflow_idx_deliveries_channel_lap
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = ?3
                    AND d.priority = j.value ->> 0 AND d.lap = j.value ->> 1
                    AND d.next_at <= ?1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d INDEXED BY taskflow_idx_deliveries_channel_lap
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = ?3
                    AND d.priority = j.value ->> 0 AND d.lap = j.value ->> 1) AS next_at
        FROM json_each(?2) AS j
        UNION ALL
        SELECT min(due_at), NULL
        FROM taskflow_deliveries
        WHERE state = 'scheduled' AND last_error IS NOT NULL AND first_claimed_at IS NOT NULL AND due_at <= ?1
            AND channel = ?3)";
