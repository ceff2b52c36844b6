//! Tasks that were completed long ago.

use sqlx::SqlitePool;
use taskflow_core::{StoreError, Task, Timestamp};
use taskflow_store_sql::{Stored, read_all};

use super::TABLE;
use crate::error::store_error;
use crate::rows::Statement;

/// Up to `limit` tasks that were completed before `before` and are not in the trash, in the order of their completion.
pub(crate) async fn completed_before(
    pool: &SqlitePool,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Task>, StoreError> {
    let rows: Vec<Stored<Task>> = sqlx::query_as(COMPLETED_BEFORE.text())
        .bind(before.as_micros())
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    Ok(read_all(rows))
}

static COMPLETED_BEFORE: Statement<Task> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_tasks
    WHERE completed_at < ?1 AND deleted_at IS NULL
    ORDER BY completed_at, id
    LIMIT +?2",
);

/// Returns the number of such tasks, counted up to `limit`.
pub(crate) async fn count_completed_before(
    pool: &SqlitePool,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(COUNT_COMPLETED_BEFORE).bind(before.as_micros()).bind(limit);
    let count: i64 = query.fetch_one(pool).await.map_err(store_error)?;
    Ok(TABLE.number("id", count)?)
}

const COUNT_COMPLETED_BEFORE: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow_tasks WHERE completed_at < ?1 AND deleted_at IS NULL LIMIT +?2)";
