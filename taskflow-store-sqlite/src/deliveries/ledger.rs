//! The ledger of deliveries: implements the port [`Deliveries`].

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use taskflow_core::ports::{Deliveries, DeliveryQuery};
use taskflow_core::{
    BulkSelection, ChannelKind, CorruptRow, Delivery, DeliveryId, DeliveryState, FailedAttempt, Ledger, StoreError,
};
use taskflow_store_sql::{or_record, readable};

use super::{DeliveryRow, TABLE, bulk, list};
use crate::error::{Table, store_error};
use crate::store::SqliteStore;

const ATTEMPTS: Table = Table("taskflow_delivery_attempts");

#[derive(sqlx::FromRow)]
struct AttemptRow {
    attempt: i64,
    at: i64,
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
impl Deliveries for SqliteStore {
    async fn ledgers(&self) -> Result<BTreeMap<ChannelKind, Ledger>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as(LEDGERS).fetch_all(&self.reader()?).await.map_err(store_error)?;
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
        let mut snapshot = self.reader()?.begin().await.map_err(store_error)?;
        let row: Option<DeliveryRow> =
            sqlx::query_as(DELIVERY).bind(id.to_string()).fetch_optional(&mut *snapshot).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(None) };
        let failed: Vec<AttemptRow> = sqlx::query_as(FAILED_ATTEMPTS)
            .bind(id.to_string())
            .fetch_all(&mut *snapshot)
            .await
            .map_err(store_error)?;
        let failed = readable(failed, |_| id.to_string());
        Ok(Some((Delivery::try_from(row)?, failed)))
    }

    async fn deliveries_with_key(&self, prefix: &str, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = sqlx::query_as(DELIVERIES_WITH_KEY)
            .bind(prefix)
            .bind(format!("{prefix}{}", char::MAX))
            .bind(limit)
            .fetch_all(&self.reader()?)
            .await
            .map_err(store_error)?;
        Ok(readable(rows, DeliveryRow::id))
    }

    async fn open_with_keys(&self, prefixes: &[String]) -> Result<Vec<Delivery>, StoreError> {
        let prefixes = serde_json::to_string(prefixes).map_err(|error| StoreError::Internal(error.into()))?;
        let rows: Vec<DeliveryRow> =
            sqlx::query_as(OPEN_WITH_KEYS).bind(prefixes).fetch_all(&self.reader()?).await.map_err(store_error)?;
        Ok(readable(rows, DeliveryRow::id))
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
        size: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        list::deliveries(&self.reader()?, query, before, size).await
    }

    async fn delivery_counts(
        &self,
        query: &DeliveryQuery,
        most: u32,
    ) -> Result<HashMap<DeliveryState, u64>, StoreError> {
        list::count(&self.reader()?, query, most).await
    }

    async fn selected(&self, selection: &BulkSelection, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        bulk::selected(&self.reader()?, bulk::Selection::new(selection)?, limit).await
    }

    async fn deliveries_after(&self, after: Option<DeliveryId>, size: u32) -> Result<Vec<Delivery>, StoreError> {
        list::deliveries_after(&self.reader()?, after, size).await
    }
}

/// Counts both the stored deliveries and those that were counted before they were purged.
const LEDGERS: &str = "
    SELECT channel, state, count(*)
    FROM taskflow_deliveries
    GROUP BY channel, state
    UNION ALL
    SELECT channel, state, sum(count)
    FROM taskflow_ledger_totals
    GROUP BY channel, state";

const DELIVERY: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow_deliveries
    WHERE id = ?1";

const FAILED_ATTEMPTS: &str = "
    SELECT attempt, at, error
    FROM taskflow_delivery_attempts
    WHERE delivery_id = ?1
    ORDER BY attempt";

/// One range of keys: none goes on with the last character that there is.
const DELIVERIES_WITH_KEY: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow_deliveries
    WHERE dedupe_key >= ?1 AND dedupe_key < ?2
    ORDER BY dedupe_key
    LIMIT +?3";

/// A range of keys for each prefix. The plus keeps the state from choosing the index, which would go through all that is open.
const OPEN_WITH_KEYS: &str = "
    SELECT d.id, d.dedupe_key, d.kind, d.notice, d.recipient_user, d.recipient_address, d.state, d.planned_at, d.due_at,
        d.next_at, d.attempts, d.first_claimed_at, d.settled_at, d.cancel_requested, d.last_error, d.reply, d.reason, d.channel
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
        SELECT l.rowid
        FROM taskflow_deliveries AS l
        WHERE l.dedupe_key >= j.value AND l.dedupe_key < j.value || char(1114111)
            AND +l.state IN ('scheduled', 'claimed')
        ORDER BY l.dedupe_key
        LIMIT 100)";
