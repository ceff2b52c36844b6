//! The queue side of the ledger: the port [`Outbox`].

mod settle;

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use taskflow_core::ports::{Backlog, ClaimRequest, Claimed, HeldLease, Outbox, Settled};
use taskflow_core::{
    BulkAction, BulkSelection, ChannelKind, CorruptRow, Delivery, DeliveryId, LeaseToken, MOST_TOGETHER, Priority,
    Settlement, StoreError, Timestamp,
};
use taskflow_store_sql::readable;

use crate::deliveries::{DeliveryRow, bulk};
use crate::error::{Table, store_error};
use crate::store::SqliteStore;

const TABLE: Table = Table("taskflow_deliveries");

/// The time between two looks at a delivery that cannot be read.
const ASIDE: Duration = Duration::from_mins(10);

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let kinds: Vec<&str> = request.kinds.iter().map(|kind| kind.as_str()).collect();
        let claim = Claim {
            channel: request.channel,
            kinds: serde_json::to_string(&kinds).map_err(|error| StoreError::Internal(error.into()))?,
            now: request.now.as_micros(),
            minute_ends: request.minute_ends().as_micros(),
            lease: request.lease,
            lease_for: micros(request.lease_for),
            limit: request.limit as usize,
        };
        self.write(move |conn| Box::pin(async move { claim.run(conn).await })).await
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
        let json = serde_json::to_string(&held).map_err(|error| StoreError::Internal(error.into()))?;
        let lease_for = micros(lease_for);
        self.write(move |conn| {
            Box::pin(async move {
                let query = sqlx::query_as(RENEW).bind(json).bind(lease_for);
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
            .bind(ranks(channel))
            .bind(channel.as_str())
            .fetch_one(&self.reader()?)
            .await
            .map_err(store_error)?;
        Ok(Backlog {
            oldest_due_at: TABLE.optional_instant("due_at", oldest_due_at)?,
            next_at: TABLE.optional_instant("next_at", next_at)?,
        })
    }
}

/// A [`ClaimRequest`] as the parameters of its statements.
struct Claim {
    channel: ChannelKind,
    kinds: String,
    now: i64,
    minute_ends: i64,
    lease: LeaseToken,
    lease_for: i64,
    limit: usize,
}

impl Claim {
    /// Priority by priority, each one range of an index; then claims whose holder has not come back in time.
    async fn run(&self, conn: &mut SqliteConnection) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = Vec::new();
        for priority in Priority::ALL {
            if claimed.len() < self.limit {
                let statement = if self.channel.is_mail() { CLAIM_SCHEDULED } else { CLAIM_SCHEDULED_ON };
                let scheduled = self.take(conn, statement, self.channel.rank(priority), claimed.len()).await?;
                claimed.extend(in_order(scheduled, |delivery| (delivery.next_at, delivery.id)));
            }
        }
        let followers = self.follow(conn, &claimed).await?;
        if claimed.len() < self.limit {
            let lapsed = self.take(conn, CLAIM_LAPSED, 0, claimed.len()).await?;
            claimed.extend(in_order(lapsed, |delivery| delivery.id));
        }
        claimed.extend(in_order(followers, |delivery| (delivery.next_at, delivery.id)));
        Ok(claimed.into_iter().map(|delivery| Claimed { delivery, lease: self.lease }).collect())
    }

    /// Claims what leaves together with the first of its kind.
    async fn follow(&self, conn: &mut SqliteConnection, claimed: &[Delivery]) -> Result<Vec<Delivery>, StoreError> {
        let leaders: Vec<_> = claimed.iter().filter(|one| one.is_gathered()).map(|one| one.id).collect();
        if leaders.is_empty() {
            return Ok(Vec::new());
        }
        let leaders = serde_json::to_string(&leaders).map_err(|error| StoreError::Internal(error.into()))?;
        let rows: Vec<DeliveryRow> = sqlx::query_as(CLAIM_FOLLOWERS)
            .bind(self.lease.to_string())
            .bind(self.lease_for)
            .bind(self.now)
            .bind(leaders)
            .bind(self.minute_ends)
            .bind(MOST_TOGETHER as i64 - 1)
            .fetch_all(&mut *conn)
            .await
            .map_err(store_error)?;
        self.readable(conn, rows).await
    }

    /// What cannot be read holds up nobody: it stays claimed, so that the ledger balances, and is looked at again later.
    async fn readable(&self, conn: &mut SqliteConnection, rows: Vec<DeliveryRow>) -> Result<Vec<Delivery>, StoreError> {
        let ids: Vec<String> = rows.iter().map(DeliveryRow::id).collect();
        let deliveries: Vec<Delivery> = readable(rows, DeliveryRow::id);
        if deliveries.len() < ids.len() {
            let read: HashSet<String> = deliveries.iter().map(|delivery| delivery.id.to_string()).collect();
            let aside: Vec<_> = ids.into_iter().filter(|id| !read.contains(id)).collect();
            let aside = serde_json::to_string(&aside).map_err(|error| StoreError::Internal(error.into()))?;
            sqlx::query(SET_ASIDE).bind(aside).bind(micros(ASIDE)).execute(conn).await.map_err(store_error)?;
        }
        Ok(deliveries)
    }

    async fn take(
        &self,
        conn: &mut SqliteConnection,
        statement: &'static str,
        rank: i16,
        taken: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let left = i64::try_from(self.limit - taken).unwrap_or(i64::MAX);
        let rows: Vec<DeliveryRow> = sqlx::query_as(statement)
            .bind(self.lease.to_string())
            .bind(self.lease_for)
            .bind(self.now)
            .bind(&self.kinds)
            .bind(left)
            .bind(rank)
            .bind(self.channel.as_str())
            .fetch_all(&mut *conn)
            .await
            .map_err(store_error)?;
        self.readable(conn, rows).await
    }
}

/// SQLite returns the rows of an UPDATE in any order.
fn in_order<K: Ord>(mut deliveries: Vec<Delivery>, key: impl Fn(&Delivery) -> K) -> Vec<Delivery> {
    deliveries.sort_by_key(key);
    deliveries
}

/// Microseconds to add to an instant.
pub(crate) fn micros(span: Duration) -> i64 {
    // A thousand years are for ever and leave room to add.
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX).min(31_557_600_000_000_000)
}

/// The ranks of all priorities on a channel as a JSON array.
fn ranks(channel: ChannelKind) -> String {
    format!("{:?}", Priority::ALL.map(|priority| channel.rank(priority)))
}

const SET_ASIDE: &str = "
    UPDATE taskflow_deliveries
    SET lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2
    WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'claimed'";

/// Claims mail: no other deliveries have these ranks.
const CLAIM_SCHEDULED: &str = "
    UPDATE taskflow_deliveries
    SET state = 'claimed',
        lease = ?1,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2,
        first_claimed_at = coalesce(first_claimed_at, ?3)
    WHERE rowid IN (
        SELECT l.rowid
        FROM taskflow_deliveries AS l
        WHERE l.state = 'scheduled' AND l.priority = ?6 AND l.next_at <= ?3
            AND l.kind IN (SELECT value FROM json_each(?4))
            AND (NOT l.gathered OR NOT EXISTS (
                SELECT 1
                FROM taskflow_deliveries AS o
                WHERE o.recipient_user = l.recipient_user AND o.gathered AND o.kind = l.kind AND o.state = 'scheduled'
                    AND o.next_at <= l.next_at AND (o.next_at, o.id) < (l.next_at, l.id)
                    AND CASE WHEN l.attempts = 0 AND l.last_error IS NULL
                        THEN o.attempts = 0 AND o.last_error IS NULL
                        ELSE o.attempts = l.attempts AND (o.attempts > 0 OR o.last_error IS NOT NULL)
                            AND o.next_at = l.next_at END))
        ORDER BY l.next_at, l.id
        LIMIT +?5)
    RETURNING id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

/// Claims what is due on another channel than mail. The literal rank is there so that its index is used.
const CLAIM_SCHEDULED_ON: &str = "
    UPDATE taskflow_deliveries
    SET state = 'claimed',
        lease = ?1,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2,
        first_claimed_at = coalesce(first_claimed_at, ?3)
    WHERE rowid IN (
        SELECT rowid
        FROM taskflow_deliveries
        WHERE state = 'scheduled' AND priority > 3 AND channel = ?7 AND priority = ?6 AND next_at <= ?3
            AND kind IN (SELECT value FROM json_each(?4))
        ORDER BY next_at, id
        LIMIT +?5)
    RETURNING id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

/// Claims what leaves together with what was just claimed.
const CLAIM_FOLLOWERS: &str = "
    UPDATE taskflow_deliveries
    SET state = 'claimed',
        lease = ?1,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2,
        first_claimed_at = coalesce(first_claimed_at, ?3)
    WHERE rowid IN (
        SELECT f.rowid
        FROM json_each(?4) AS j
        CROSS JOIN taskflow_deliveries AS l ON l.id = j.value
        CROSS JOIN taskflow_deliveries AS f ON f.rowid IN (
            SELECT o.rowid
            FROM taskflow_deliveries AS o
            WHERE o.recipient_user = l.recipient_user AND o.gathered AND o.kind = l.kind AND o.state = 'scheduled'
                AND o.next_at < ?5
                AND CASE WHEN l.attempts = 0 AND l.last_error IS NULL
                    THEN o.attempts = 0 AND o.last_error IS NULL
                    ELSE o.attempts = l.attempts AND (o.attempts > 0 OR o.last_error IS NOT NULL)
                            AND o.next_at = l.next_at END
            ORDER BY o.next_at, o.id
            LIMIT +?6))
    RETURNING id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

const CLAIM_LAPSED: &str = "
    UPDATE taskflow_deliveries
    SET lease = ?1,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2,
        first_claimed_at = coalesce(first_claimed_at, ?3)
    WHERE rowid IN (
        SELECT rowid
        FROM taskflow_deliveries
        WHERE state = 'claimed' AND lease_until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)
            AND kind IN (SELECT value FROM json_each(?4)) AND channel = ?7
        ORDER BY lease_until, id
        LIMIT +?5)
    RETURNING id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

const RENEW: &str = "
    UPDATE taskflow_deliveries
    SET lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.id = j.value ->> 0 AND state = 'claimed' AND lease = j.value ->> 1
    RETURNING id, lease";

/// What could not be sent waits since it was due; anything else since it was to leave, which a hold has moved. What was taken
/// up again by hand has an error of before, and was not claimed since.
const BACKLOG: &str = "
    SELECT min(due_at), min(next_at)
    FROM (
        SELECT
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = j.value AND d.next_at <= ?1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = j.value) AS next_at
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
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = ?3 AND d.priority = j.value
                    AND d.next_at <= ?1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow_deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = ?3 AND d.priority = j.value) AS next_at
        FROM json_each(?2) AS j
        UNION ALL
        SELECT min(due_at), NULL
        FROM taskflow_deliveries
        WHERE state = 'scheduled' AND last_error IS NOT NULL AND first_claimed_at IS NOT NULL AND due_at <= ?1
            AND channel = ?3)";
