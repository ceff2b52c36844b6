//! Counting what people have done, and what became of the last mails.

use sqlx::SqlitePool;
use taskflow_core::{MailTally, StoreError, TaskCounts, Timestamp, UserId};

use crate::error::{Table, store_error};

const TASKS: Table = Table("taskflow_tasks");
const DELIVERIES: Table = Table("taskflow_deliveries");

#[derive(sqlx::FromRow)]
struct CountsRow {
    pending: i64,
    in_progress: i64,
    completed: i64,
    overdue: i64,
    lead_seconds: i64,
}

pub(super) async fn task_counts(
    pool: &SqlitePool,
    owners: &[UserId],
    now: Timestamp,
) -> Result<Vec<TaskCounts>, StoreError> {
    let rows: Vec<CountsRow> = sqlx::query_as(TASK_COUNTS)
        .bind(json(owners)?)
        .bind(now.as_micros())
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    let counts = rows.into_iter().map(|row| {
        let counts = TaskCounts {
            total: 0,
            pending: TASKS.number("status", row.pending)?,
            in_progress: TASKS.number("status", row.in_progress)?,
            completed: TASKS.number("status", row.completed)?,
            overdue: TASKS.number("due_at", row.overdue)?,
            lead_seconds: TASKS.number("completed_at", row.lead_seconds)?,
        };
        Ok(TaskCounts { total: counts.pending + counts.in_progress + counts.completed, ..counts })
    });
    counts.collect()
}

/// Each task counts its whole seconds, and none when its clock went back.
const TASK_COUNTS: &str = "
    SELECT count(*) FILTER (WHERE t.status = 'pending') AS pending,
        count(*) FILTER (WHERE t.status = 'in_progress') AS in_progress,
        count(*) FILTER (WHERE t.status = 'completed') AS completed,
        count(*) FILTER (WHERE t.status <> 'completed' AND t.due_at < ?2) AS overdue,
        coalesce(sum(max(t.completed_at - t.created_at, 0) / 1000000), 0) AS lead_seconds
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_tasks AS t ON t.user_id = j.value AND t.deleted_at IS NULL
    GROUP BY j.key
    ORDER BY j.key";

pub(super) async fn completions(
    pool: &SqlitePool,
    owners: &[UserId],
    since: Timestamp,
) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(COMPLETIONS)
        .bind(json(owners)?)
        .bind(since.as_micros())
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    let done = rows.into_iter().map(|(id, at)| Ok((TASKS.value("user_id", &id)?, TASKS.instant("completed_at", at)?)));
    done.collect()
}

/// In an index alone.
const COMPLETIONS: &str = "
    SELECT t.user_id, t.completed_at
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_tasks AS t ON t.user_id = j.value
    WHERE t.completed_at >= ?2";

fn json(owners: &[UserId]) -> Result<String, StoreError> {
    serde_json::to_string(owners).map_err(|error| StoreError::Internal(error.into()))
}

pub(super) async fn recent_mail(
    pool: &SqlitePool,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<MailTally, StoreError> {
    let query = sqlx::query_as(RECENT_MAIL).bind(limit).bind(since.map_or(i64::MIN, Timestamp::as_micros));
    let (delivered, discarded, expired): (i64, i64, i64) = query.fetch_one(pool).await.map_err(store_error)?;
    Ok(MailTally {
        delivered: DELIVERIES.number("state", delivered)?,
        discarded: DELIVERIES.number("state", discarded)?,
        expired: DELIVERIES.number("state", expired)?,
    })
}

/// Counts the deliveries not sent in time: expired a minute after they were to be tried, or after an attempt failed.
const RECENT_MAIL: &str = "
    SELECT count(*) FILTER (WHERE state = 'delivered'),
        count(*) FILTER (WHERE state = 'discarded'),
        count(*) FILTER (WHERE state = 'expired' AND (last_error IS NOT NULL OR settled_at - next_at > 60000000))
    FROM (
        SELECT state, last_error, settled_at, next_at
        FROM taskflow_deliveries
        WHERE settled_at IS NOT NULL AND settled_at >= ?2
        ORDER BY settled_at DESC
        LIMIT +?1)";
