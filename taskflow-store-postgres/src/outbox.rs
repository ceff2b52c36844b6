//! The ledger of deliveries: the ports [`Outbox`] and [`Deliveries`].

mod claim;
mod settle;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::ports::{Backlog, ClaimRequest, Claimed, Deliveries, DeliveryQuery, HeldLease, Outbox, Settled};
use taskflow_core::{
    BulkAction, BulkSelection, ChannelKind, CorruptRow, Delivery, DeliveryId, DeliveryState, FailedAttempt, LeaseToken,
    Ledger, Rank, Settlement, StoreError, Timestamp,
};
use taskflow_store_sql::{or_record, readable};
use uuid::Uuid;

use crate::deliveries::{self, DeliveryRow, bulk};
use crate::error::{Instant, Table, store_error};
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.deliveries");
const ATTEMPTS: Table = Table("taskflow.delivery_attempts");

#[derive(sqlx::FromRow)]
struct AttemptRow {
    attempt: i32,
    at: Instant,
    error: String,
}

impl TryFrom<AttemptRow> for FailedAttempt {
    type Error = CorruptRow;

    fn try_from(row: AttemptRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            attempt: ATTEMPTS.number("attempt", row.attempt)?,
            at: ATTEMPTS.instant("at", row.at)?,
            error: row.error,
        })
    }
}

#[async_trait]
impl Outbox for PgStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let request = Arc::new(request.clone());
        self.write(move |conn| {
            let request = request.clone();
            Box::pin(async move { claim::run(conn, &request).await })
        })
        .await
    }

    async fn claim_these(&self, request: &ClaimRequest, ids: &[DeliveryId]) -> Result<Vec<Claimed>, StoreError> {
        let request = Arc::new(request.clone());
        let ids: Arc<Vec<Uuid>> = Arc::new(ids.iter().map(|id| id.as_uuid()).collect());
        self.write(move |conn| {
            let (request, ids) = (request.clone(), ids.clone());
            Box::pin(async move { claim::these(conn, &request, &ids).await })
        })
        .await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let batch = Arc::new(settle::Batch::new(settlements));
        self.write(move |conn| {
            let batch = batch.clone();
            Box::pin(async move { batch.run(conn).await })
        })
        .await
    }

    async fn renew(&self, held: &[HeldLease], lease_for: Duration) -> Result<Vec<DeliveryId>, StoreError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, leases): (Vec<Uuid>, Vec<Uuid>) =
            held.iter().map(|(id, lease)| (id.as_uuid(), lease.as_uuid())).unzip();
        let lease_for = micros(lease_for);
        let kept: Vec<(Uuid, Uuid)> = self
            .write(move |conn| {
                let query = sqlx::query_as(RENEW).bind(ids.clone()).bind(leases.clone()).bind(lease_for);
                Box::pin(async move { query.fetch_all(conn).await.map_err(store_error) })
            })
            .await?;
        let kept: HashSet<HeldLease> =
            kept.into_iter().map(|(id, lease)| (DeliveryId::from_uuid(id), LeaseToken::from_uuid(lease))).collect();
        Ok(held.iter().filter(|lease| kept.contains(lease)).map(|(id, _)| *id).collect())
    }

    async fn change_selected(
        &self,
        action: &BulkAction,
        selection: &BulkSelection,
        ids: &[DeliveryId],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let change = Arc::new((action.clone(), bulk::Selection::new(selection), ids));
        self.write(move |conn| {
            let change = change.clone();
            Box::pin(async move { bulk::change(conn, &change.0, change.1.clone(), &change.2).await })
        })
        .await
    }

    async fn backlog(&self, channel: ChannelKind, now: Timestamp) -> Result<Backlog, StoreError> {
        let statement = if channel.is_mail() { BACKLOG } else { BACKLOG_ON };
        let (priorities, laps): (Vec<i16>, Vec<i16>) =
            Rank::in_order(channel).into_iter().map(|rank| (rank.priority, rank.lap)).unzip();
        let query = || {
            let query = sqlx::query_as(statement).bind(Instant::from(now)).bind(priorities.clone());
            query.bind(channel.as_str().to_owned()).bind(laps.clone())
        };
        let (oldest_due_at, next_at): (Option<Instant>, Option<Instant>) =
            self.read(|conn| Box::pin(query().fetch_one(conn))).await?;
        Ok(Backlog {
            oldest_due_at: TABLE.optional_instant("due_at", oldest_due_at)?,
            next_at: TABLE.optional_instant("next_at", next_at)?,
        })
    }
}

#[async_trait]
impl Deliveries for PgStore {
    async fn ledgers(&self) -> Result<BTreeMap<ChannelKind, Ledger>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            self.read(|conn| Box::pin(sqlx::query_as(LEDGERS).fetch_all(conn))).await?;
        let mut ledgers: BTreeMap<ChannelKind, Ledger> = BTreeMap::new();
        for (channel, state, count) in rows {
            // So that the sum of the ledgers balances, a channel with no valid name counts as mail.
            let channel = or_record("", TABLE.value("channel", &channel)).unwrap_or(ChannelKind::MAIL);
            ledgers.entry(channel).or_default().count(TABLE.value("state", &state)?, TABLE.number("state", count)?);
        }
        Ok(ledgers)
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<FailedAttempt>)>, StoreError> {
        // One snapshot for both, so that the attempts are as many as the delivery says.
        let (row, failed): (Option<DeliveryRow>, Vec<AttemptRow>) = self
            .write(move |conn| {
                Box::pin(async move {
                    sqlx::query(ONE_SNAPSHOT).execute(&mut *conn).await.map_err(store_error)?;
                    let delivery = sqlx::query_as(DELIVERY).bind(id.as_uuid());
                    let delivery = delivery.fetch_optional(&mut *conn).await.map_err(store_error)?;
                    let failed = sqlx::query_as(FAILED_ATTEMPTS).bind(id.as_uuid());
                    Ok((delivery, failed.fetch_all(conn).await.map_err(store_error)?))
                })
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let failed = readable(failed, |_| id.to_string());
        Ok(Some((Delivery::try_from(row)?, failed)))
    }

    async fn deliveries_with_key(&self, prefix: &str, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let query = || sqlx::query_as(WITH_KEY).bind(prefix.to_owned()).bind(behind(prefix)).bind(i64::from(limit));
        let rows: Vec<DeliveryRow> = self.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        Ok(readable(rows, DeliveryRow::id))
    }

    async fn open_with_keys(&self, prefixes: &[String]) -> Result<Vec<Delivery>, StoreError> {
        let ends: Vec<String> = prefixes.iter().map(|prefix| behind(prefix)).collect();
        let query = || sqlx::query_as(OPEN_WITH_KEYS).bind(prefixes.to_vec()).bind(ends.clone());
        let rows: Vec<DeliveryRow> = self.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        Ok(readable(rows, DeliveryRow::id))
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        deliveries::deliveries(self, query, before, size).await
    }

    async fn delivery_counts(
        &self,
        query: &DeliveryQuery,
        most: u32,
    ) -> Result<HashMap<DeliveryState, u64>, StoreError> {
        deliveries::count(self, query, most).await
    }

    async fn selected(&self, selection: &BulkSelection, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        bulk::selected(self, bulk::Selection::new(selection), limit).await
    }

    async fn deliveries_after(&self, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, StoreError> {
        deliveries::deliveries_after(self, after, size).await
    }
}

pub(crate) fn micros(span: Duration) -> i64 {
    // A thousand years are for ever and leave room to add.
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX).min(31_557_600_000_000_000)
}

/// The first text behind all that begin with this one, byte by byte, which in UTF-8 is character by character. Nothing has
/// its place behind the last character there is.
fn behind(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return end;
        }
    }
    char::MAX.into()
}

const RENEW: &str = "
    UPDATE taskflow.deliveries AS d
    SET lease_until = clock_timestamp() + $3 * interval '1 microsecond'
    FROM (
        SELECT l.id, l.lease
        FROM unnest($1::uuid[], $2::uuid[]) AS r (id, lease)
        JOIN taskflow.deliveries AS l ON l.id = r.id AND l.lease = r.lease
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.lease = r.lease
    RETURNING d.id, d.lease";

/// Returns the due time of the mail that has waited longest, and the next time at which mail is to be sent.
///
/// Mail that failed waits since it was due. Other mail waits since the time at which it was to leave, which a hold
/// postpones. Mail that was requeued by hand keeps its earlier error but has not been claimed since, so it counts as
/// other mail.
const BACKLOG: &str = "
    SELECT min(due_at), min(next_at)
    FROM (
        SELECT
            (SELECT min(d.next_at) FROM taskflow.deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = r.priority AND d.lap = r.lap AND d.next_at <= $1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow.deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority = r.priority AND d.lap = r.lap) AS next_at
        FROM unnest($2::smallint[], $4::smallint[]) AS r (priority, lap)
        UNION ALL
        SELECT min(d.due_at), NULL
        FROM taskflow.deliveries AS d
        WHERE d.state = 'scheduled' AND d.last_error IS NOT NULL AND d.first_claimed_at IS NOT NULL
            AND d.due_at <= $1 AND d.channel = $3) AS waiting";

/// The same for another channel than mail.
const BACKLOG_ON: &str = "
    SELECT min(due_at), min(next_at)
    FROM (
        SELECT
            (SELECT min(d.next_at) FROM taskflow.deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = $3 AND d.priority = r.priority AND d.lap = r.lap
                    AND d.next_at <= $1) AS due_at,
            (SELECT min(d.next_at) FROM taskflow.deliveries AS d
                WHERE d.state = 'scheduled' AND d.priority > 3 AND d.channel = $3 AND d.priority = r.priority AND d.lap = r.lap) AS next_at
        FROM unnest($2::smallint[], $4::smallint[]) AS r (priority, lap)
        UNION ALL
        SELECT min(d.due_at), NULL
        FROM taskflow.deliveries AS d
        WHERE d.state = 'scheduled' AND d.last_error IS NOT NULL AND d.first_claimed_at IS NOT NULL
            AND d.due_at <= $1 AND d.channel = $3) AS waiting";

/// Counts the deliveries that are kept and those that were purged.
const LEDGERS: &str = "
    SELECT channel, state, count(*) FROM taskflow.deliveries GROUP BY channel, state
    UNION ALL
    SELECT channel, state, sum(count)::bigint FROM taskflow.ledger_totals GROUP BY channel, state";

const ONE_SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

const DELIVERY: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow.deliveries
    WHERE id = $1";

const FAILED_ATTEMPTS: &str = "
    SELECT attempt, at, error
    FROM taskflow.delivery_attempts
    WHERE delivery_id = $1
    ORDER BY attempt";

const WITH_KEY: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow.deliveries
    WHERE dedupe_key >= $1 AND dedupe_key < $2
    ORDER BY dedupe_key
    LIMIT $3";

/// A range of keys for each prefix, read in the order of the index.
const OPEN_WITH_KEYS: &str = "
    SELECT d.id, d.dedupe_key, d.kind, d.notice::text AS notice, d.recipient_user, d.recipient_address, d.state,
        d.planned_at, d.due_at, d.next_at, d.attempts, d.first_claimed_at, d.settled_at, d.cancel_requested,
        d.last_error, d.reply, d.reason, d.channel
    FROM unnest($1::text[], $2::text[]) AS r (prefix, behind)
    CROSS JOIN LATERAL (
        SELECT *
        FROM taskflow.deliveries AS l
        WHERE l.dedupe_key >= r.prefix AND l.dedupe_key < r.behind AND l.state IN ('scheduled', 'claimed')
        ORDER BY l.dedupe_key
        LIMIT 100) AS d";

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_range_of_keys_ends_behind_its_prefix() {
        assert_eq!(behind("meeting-reminder/1/"), "meeting-reminder/10");
        assert_eq!(behind("a\u{d7ff}"), "a\u{e000}");
        assert_eq!(behind("a\u{10ffff}"), "b");
        assert_eq!(behind(""), "\u{10ffff}");
    }
}
