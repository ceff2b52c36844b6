//! The buckets of rate limits that all nodes share: the port [`SharedLimits`]. Time is the database's own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use taskflow_core::ports::{BucketTake, SharedLimits, take_all};
use taskflow_core::{CorruptRow, StoreError};

use crate::error::{Table, store_error};
use crate::outbox::micros;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.limits");

#[async_trait]
impl SharedLimits for PgStore {
    async fn take(&self, takes: &[BucketTake]) -> Result<Option<Duration>, StoreError> {
        let takes: Arc<[BucketTake]> = takes.into();
        self.write(move |conn| {
            let takes = takes.clone();
            Box::pin(async move {
                // Most refusals are found here, and write nothing.
                if let Err(wait) = take_all(&takes, &debts(&mut *conn, READ_LIMITS, &takes).await?) {
                    return Ok(Some(wait));
                }
                match take_all(&takes, &debts(&mut *conn, LOCK_LIMITS, &takes).await?) {
                    Ok(after) => put(conn, &takes, &after).await.map(|()| None),
                    Err(wait) => Ok(Some(wait)),
                }
            })
        })
        .await
    }

    async fn give_back(&self, takes: &[BucketTake]) -> Result<(), StoreError> {
        let takes: Arc<[BucketTake]> = takes.into();
        self.write(move |conn| {
            let takes = takes.clone();
            Box::pin(async move {
                let debts = debts(&mut *conn, LOCK_LIMITS, &takes).await?;
                let after: Vec<_> = takes.iter().zip(debts).map(|(take, debt)| take.limit.give_back(debt)).collect();
                put(conn, &takes, &after).await
            })
        })
        .await
    }
}

fn keys(takes: &[BucketTake]) -> Vec<&str> {
    takes.iter().map(|take| take.key.as_str()).collect()
}

/// Returns the debt of each bucket, in the order of the takes.
async fn debts(
    conn: &mut PgConnection,
    statement: &'static str,
    takes: &[BucketTake],
) -> Result<Vec<Duration>, StoreError> {
    let query = sqlx::query_as(statement).bind(keys(takes));
    let rows: Vec<(String, i64)> = query.fetch_all(conn).await.map_err(store_error)?;
    let debts: HashMap<String, i64> = rows.into_iter().collect();
    let debt = |take: &BucketTake| -> Result<Duration, CorruptRow> {
        Ok(Duration::from_micros(TABLE.number("full_at", debts.get(&take.key).copied().unwrap_or_default())?))
    };
    Ok(takes.iter().map(debt).collect::<Result<_, _>>()?)
}

async fn put(conn: &mut PgConnection, takes: &[BucketTake], debts: &[Duration]) -> Result<(), StoreError> {
    let debts: Vec<i64> = debts.iter().copied().map(micros).collect();
    sqlx::query(PUT_LIMITS).bind(keys(takes)).bind(debts).execute(conn).await.map(drop).map_err(store_error)
}

/// Removes up to `limit` buckets that are full.
pub(crate) async fn purge(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    Ok(sqlx::query(PURGE_LIMITS).bind(limit).execute(conn).await.map_err(store_error)?.rows_affected())
}

/// Counts the buckets that are full, up to `limit`.
pub(crate) async fn count(store: &PgStore, limit: u32) -> Result<u64, StoreError> {
    let query = || sqlx::query_scalar(COUNT_LIMITS).bind(i64::from(limit));
    let count: i64 = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    Ok(TABLE.number("count", count)?)
}

const READ_LIMITS: &str = "
    SELECT key, (greatest(extract(epoch FROM full_at - clock_timestamp()), 0) * 1000000)::bigint
    FROM taskflow.limits
    WHERE key = ANY ($1)";

/// Locks the buckets in one order, those that are new as well, and reads them after it has waited.
const LOCK_LIMITS: &str = "
    INSERT INTO taskflow.limits AS l (key, full_at)
    SELECT key, clock_timestamp()
    FROM unnest($1::text[]) AS key
    ORDER BY key COLLATE \"C\"
    ON CONFLICT (key) DO UPDATE SET full_at = l.full_at
    RETURNING key, (greatest(extract(epoch FROM l.full_at - clock_timestamp()), 0) * 1000000)::bigint";

const PUT_LIMITS: &str = "
    UPDATE taskflow.limits AS l
    SET full_at = clock_timestamp() + t.debt * interval '1 microsecond'
    FROM unnest($1::text[], $2::bigint[]) AS t (key, debt)
    WHERE l.key = t.key";

const PURGE_LIMITS: &str = "
    DELETE FROM taskflow.limits
    WHERE key = ANY (ARRAY (
            SELECT key
            FROM taskflow.limits
            WHERE full_at <= statement_timestamp()
            ORDER BY full_at
            LIMIT $1))
        AND full_at <= statement_timestamp()";

const COUNT_LIMITS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow.limits WHERE full_at <= statement_timestamp() LIMIT $1) AS due";
