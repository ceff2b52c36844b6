//! Claiming what is due.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::SqliteConnection;
use taskflow_core::ports::{ClaimRequest, Claimed};
use taskflow_core::{ChannelKind, Delivery, LeaseToken, MOST_TOGETHER, Rank, StoreError};
use taskflow_store_sql::readable;

use super::{json, micros, ranks};
use crate::deliveries::DeliveryRow;
use crate::error::store_error;

/// The time between two looks at a delivery that cannot be read.
const ASIDE: Duration = Duration::from_mins(10);

/// A [`ClaimRequest`] as the parameters of its statements.
pub(super) struct Claim {
    channel: ChannelKind,
    kinds: String,
    now: i64,
    minute_ends: i64,
    lease: LeaseToken,
    lease_for: i64,
    limit: usize,
}

impl Claim {
    pub(super) fn new(request: &ClaimRequest) -> Result<Self, StoreError> {
        let kinds: Vec<&str> = request.kinds.iter().map(|kind| kind.as_str()).collect();
        Ok(Self {
            channel: request.channel,
            kinds: json(&kinds)?,
            now: request.now.as_micros(),
            minute_ends: request.minute_ends().as_micros(),
            lease: request.lease,
            lease_for: micros(request.lease_for),
            limit: request.limit as usize,
        })
    }

    /// Rank by rank, each one range of an index; then claims whose holder has not come back in time.
    pub(super) async fn run(&self, conn: &mut SqliteConnection) -> Result<Vec<Claimed>, StoreError> {
        let ids = self.due(conn).await?;
        let places: HashMap<String, usize> = ids.iter().cloned().zip(0..).collect();
        let mut claimed = if ids.is_empty() { Vec::new() } else { self.take_these(conn, json(&ids)?).await? };
        claimed = in_order(claimed, |delivery| places.get(&delivery.id.to_string()).copied());
        let followers = self.follow(conn, &claimed).await?;
        if claimed.len() < self.limit {
            claimed.extend(in_order(self.lapsed(conn, claimed.len()).await?, |delivery| delivery.id));
        }
        claimed.extend(in_order(followers, |delivery| (delivery.next_at, delivery.id)));
        Ok(self.held(claimed))
    }

    /// Returns what is due, in the order in which it leaves.
    async fn due(&self, conn: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
        let statement = if self.channel.is_mail() { DUE } else { DUE_ON };
        let mut due = Vec::new();
        for rank in self.due_ranks(conn).await? {
            if due.len() >= self.limit {
                break;
            }
            let ids: Vec<String> = sqlx::query_scalar(statement)
                .bind(self.now)
                .bind(&self.kinds)
                .bind(rank.priority)
                .bind(rank.lap)
                .bind(self.channel.as_str())
                .bind(i64::try_from(self.limit - due.len()).unwrap_or(i64::MAX))
                .fetch_all(&mut *conn)
                .await
                .map_err(store_error)?;
            due.extend(ids);
        }
        Ok(due)
    }

    /// Claims those of some deliveries that are due.
    pub(super) async fn these(&self, conn: &mut SqliteConnection, ids: String) -> Result<Vec<Claimed>, StoreError> {
        let claimed = self.take_these(conn, ids).await?;
        Ok(self.held(in_order(claimed, |delivery| delivery.id)))
    }

    async fn take_these(&self, conn: &mut SqliteConnection, ids: String) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = sqlx::query_as(CLAIM_THESE)
            .bind(self.lease.to_string())
            .bind(self.lease_for)
            .bind(self.now)
            .bind(&self.kinds)
            .bind(ids)
            .bind(self.channel.as_str())
            .fetch_all(&mut *conn)
            .await
            .map_err(store_error)?;
        self.readable(conn, rows).await
    }

    fn held(&self, claimed: Vec<Delivery>) -> Vec<Claimed> {
        claimed.into_iter().map(|delivery| Claimed { delivery, lease: self.lease }).collect()
    }

    /// Returns the ranks at which something is due, in their order.
    async fn due_ranks(&self, conn: &mut SqliteConnection) -> Result<Vec<Rank>, StoreError> {
        let order = Rank::in_order(self.channel);
        let places: Vec<i64> = sqlx::query_scalar(if self.channel.is_mail() { DUE_RANKS } else { DUE_RANKS_ON })
            .bind(ranks(&order)?)
            .bind(self.now)
            .bind(self.channel.as_str())
            .fetch_all(&mut *conn)
            .await
            .map_err(store_error)?;
        Ok(places.into_iter().filter_map(|place| order.get(usize::try_from(place).ok()?).copied()).collect())
    }

    /// Claims what leaves together with the first of its kind.
    async fn follow(&self, conn: &mut SqliteConnection, claimed: &[Delivery]) -> Result<Vec<Delivery>, StoreError> {
        let leaders: Vec<_> = claimed.iter().filter(|one| one.is_gathered()).map(|one| one.id).collect();
        if leaders.is_empty() {
            return Ok(Vec::new());
        }
        let leaders = json(&leaders)?;
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
            let aside = json(&aside)?;
            sqlx::query(SET_ASIDE).bind(aside).bind(micros(ASIDE)).execute(conn).await.map_err(store_error)?;
        }
        Ok(deliveries)
    }

    /// Claims what has lapsed.
    async fn lapsed(&self, conn: &mut SqliteConnection, taken: usize) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = sqlx::query_as(CLAIM_LAPSED)
            .bind(self.lease.to_string())
            .bind(self.lease_for)
            .bind(self.now)
            .bind(&self.kinds)
            .bind(i64::try_from(self.limit - taken).unwrap_or(i64::MAX))
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

const SET_ASIDE: &str = "
    UPDATE taskflow_deliveries
    SET lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2
    WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'claimed'";

/// One look into an index for each rank.
const DUE_RANKS: &str = "
    SELECT j.key
    FROM json_each(?1) AS j
    WHERE EXISTS (
        SELECT 1
        FROM taskflow_deliveries AS d
        WHERE d.state = 'scheduled' AND d.priority = j.value ->> 0 AND d.lap = j.value ->> 1 AND d.next_at <= ?2)
    ORDER BY j.key";

/// The same for another channel than mail.
const DUE_RANKS_ON: &str = "
    SELECT j.key
    FROM json_each(?1) AS j
    WHERE EXISTS (
        SELECT 1
        FROM taskflow_deliveries AS d
        WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = ?3 AND d.priority = j.value ->> 0
            AND d.lap = j.value ->> 1 AND d.next_at <= ?2)
    ORDER BY j.key";

/// Finds mail that is due at a rank: no other deliveries have these.
const DUE: &str = "
    SELECT l.id
    FROM taskflow_deliveries AS l
    WHERE l.state = 'scheduled' AND l.priority = ?3 AND l.lap = ?4 AND l.next_at <= ?1
        AND l.kind IN (SELECT value FROM json_each(?2))
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
    LIMIT +?6";

/// Finds what is due at a rank on another channel than mail. The literal rank is there so that its index is used.
const DUE_ON: &str = "
    SELECT id
    FROM taskflow_deliveries
    WHERE state = 'scheduled' AND priority > 3 AND channel = ?5 AND priority = ?3 AND lap = ?4 AND next_at <= ?1
        AND kind IN (SELECT value FROM json_each(?2))
    ORDER BY next_at, id
    LIMIT +?6";

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

/// Claims deliveries by their ids.
const CLAIM_THESE: &str = "
    UPDATE taskflow_deliveries
    SET state = 'claimed',
        lease = ?1,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?2,
        first_claimed_at = coalesce(first_claimed_at, ?3)
    WHERE id IN (SELECT value FROM json_each(?5)) AND +state = 'scheduled' AND next_at <= ?3
        AND kind IN (SELECT value FROM json_each(?4)) AND channel = ?6
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
            AND kind IN (SELECT value FROM json_each(?4)) AND channel = ?6
        ORDER BY lease_until, id
        LIMIT +?5)
    RETURNING id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";
