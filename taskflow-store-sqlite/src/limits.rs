//! The buckets of rate limits that all nodes share: the port [`SharedLimits`]. Time is the database's own.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::{BucketTake, SharedLimits, take_all};
use taskflow_core::{CorruptRow, StoreError};

use crate::error::{Table, store_error};
use crate::outbox::micros;
use crate::store::SqliteStore;

const TABLE: Table = Table("taskflow_limits");

#[async_trait]
impl SharedLimits for SqliteStore {
    async fn take(&self, takes: &[BucketTake]) -> Result<Option<Duration>, StoreError> {
        let takes = takes.to_vec();
        self.write(move |conn| {
            Box::pin(async move {
                match take_all(&takes, &debts(&mut *conn, &takes).await?) {
                    Ok(after) => put(conn, &takes, &after).await.map(|()| None),
                    Err(wait) => Ok(Some(wait)),
                }
            })
        })
        .await
    }

    async fn give_back(&self, takes: &[BucketTake]) -> Result<(), StoreError> {
        let takes = takes.to_vec();
        self.write(move |conn| {
            Box::pin(async move {
                let debts = debts(&mut *conn, &takes).await?;
                let after: Vec<_> = takes.iter().zip(debts).map(|(take, debt)| take.limit.give_back(debt)).collect();
                put(conn, &takes, &after).await
            })
        })
        .await
    }
}

/// Returns the debt of each bucket, in the order of the takes.
async fn debts(conn: &mut SqliteConnection, takes: &[BucketTake]) -> Result<Vec<Duration>, StoreError> {
    let keys: Vec<&str> = takes.iter().map(|take| take.key.as_str()).collect();
    let query = sqlx::query_scalar(READ_LIMITS).bind(json(&keys)?);
    let debts: Vec<i64> = query.fetch_all(conn).await.map_err(store_error)?;
    let debt = |debt| -> Result<Duration, CorruptRow> { Ok(Duration::from_micros(TABLE.number("full_at", debt)?)) };
    Ok(debts.into_iter().map(debt).collect::<Result<_, _>>()?)
}

async fn put(conn: &mut SqliteConnection, takes: &[BucketTake], debts: &[Duration]) -> Result<(), StoreError> {
    let rows: Vec<(&str, i64)> =
        takes.iter().zip(debts).map(|(take, debt)| (take.key.as_str(), micros(*debt))).collect();
    sqlx::query(PUT_LIMITS).bind(json(&rows)?).execute(conn).await.map(drop).map_err(store_error)
}

fn json(rows: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Internal(error.into()))
}

/// Removes up to `limit` buckets that are full.
pub(crate) async fn purge(conn: &mut SqliteConnection, limit: u32) -> Result<u64, StoreError> {
    Ok(sqlx::query(PURGE_LIMITS).bind(limit).execute(conn).await.map_err(store_error)?.rows_affected())
}

/// Counts the buckets that are full, up to `limit`.
pub(crate) async fn count(pool: &SqlitePool, limit: u32) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(COUNT_LIMITS).bind(limit).fetch_one(pool).await.map_err(store_error)?;
    Ok(TABLE.number("count", count)?)
}

const READ_LIMITS: &str = "
    SELECT max(coalesce(l.full_at, 0) - CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER), 0)
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_limits AS l ON l.key = j.value
    ORDER BY j.key";

const PUT_LIMITS: &str = "
    INSERT INTO taskflow_limits (key, full_at)
    SELECT j.value ->> 0, (j.value ->> 1) + CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)
    FROM json_each(?1) AS j
    WHERE true
    ON CONFLICT (key) DO UPDATE SET full_at = excluded.full_at";

const PURGE_LIMITS: &str = "
    DELETE FROM taskflow_limits
    WHERE key IN (
        SELECT key
        FROM taskflow_limits
        WHERE full_at <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)
        ORDER BY full_at
        LIMIT +?1)";

const COUNT_LIMITS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow_limits
        WHERE full_at <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)
        LIMIT +?1)";
