//! Counting what people have done, and what became of the last mails.

use serde::Serialize;
use taskflow_core::{MailTally, StoreError, TaskCounts, Timestamp, UserId};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::json;
use crate::store::PgStore;

const TASKS: Table = Table("taskflow.tasks");
const DELIVERIES: Table = Table("taskflow.deliveries");

/// Somebody as the parameters of a statement.
#[derive(Serialize)]
struct Owner {
    place: usize,
    user_id: UserId,
}

fn in_places(owners: &[UserId]) -> Result<String, StoreError> {
    let owners = owners.iter().enumerate().map(|(place, user_id)| Owner { place, user_id: *user_id });
    json(&owners.collect::<Vec<_>>())
}

#[derive(sqlx::FromRow)]
struct CountsRow {
    pending: i64,
    in_progress: i64,
    completed: i64,
    overdue: i64,
    lead_seconds: i64,
}

pub(super) async fn task_counts(
    store: &PgStore,
    owners: &[UserId],
    now: Timestamp,
) -> Result<Vec<TaskCounts>, StoreError> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let owners = in_places(owners)?;
    let query = || sqlx::query_as(TASK_COUNTS).bind(owners.clone()).bind(Instant::from(now));
    let rows: Vec<CountsRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
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
    SELECT c.pending, c.in_progress, c.completed, c.overdue, c.lead_seconds
    FROM json_to_recordset($1::json) AS r (place integer, user_id uuid)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE t.status = 'pending') AS pending,
            count(*) FILTER (WHERE t.status = 'in_progress') AS in_progress,
            count(*) FILTER (WHERE t.status = 'completed') AS completed,
            count(*) FILTER (WHERE t.status <> 'completed' AND t.due_at < $2) AS overdue,
            coalesce(
                sum(floor(greatest(extract(epoch FROM t.completed_at - t.created_at), 0))), 0)::bigint AS lead_seconds
        FROM taskflow.tasks AS t
        WHERE t.user_id = r.user_id AND t.deleted_at IS NULL
        OFFSET 0) AS c
    ORDER BY r.place";

pub(super) async fn completions(
    store: &PgStore,
    owners: &[UserId],
    since: Timestamp,
) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let owners = in_places(owners)?;
    let query = || sqlx::query_as(COMPLETIONS).bind(owners.clone()).bind(Instant::from(since));
    let rows: Vec<(Uuid, Instant)> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    let done = rows.into_iter().map(|(id, at)| Ok((UserId::from_uuid(id), TASKS.instant("completed_at", at)?)));
    done.collect()
}

/// In an index alone.
const COMPLETIONS: &str = "
    SELECT r.user_id, t.completed_at
    FROM json_to_recordset($1::json) AS r (user_id uuid)
    CROSS JOIN LATERAL (
        SELECT completed_at
        FROM taskflow.tasks
        WHERE user_id = r.user_id AND completed_at >= $2
        OFFSET 0) AS t";

pub(super) async fn recent_mail(
    store: &PgStore,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<MailTally, StoreError> {
    let query = || sqlx::query_as(RECENT_MAIL).bind(i64::from(limit)).bind(since.map(Instant::from));
    let (delivered, discarded, expired): (i64, i64, i64) = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
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
        count(*) FILTER (
            WHERE state = 'expired' AND (last_error IS NOT NULL OR settled_at - next_at > interval '1 minute'))
    FROM (
        SELECT state, last_error, settled_at, next_at
        FROM taskflow.deliveries
        WHERE settled_at IS NOT NULL AND settled_at >= coalesce($2, '-infinity'::timestamptz)
        ORDER BY settled_at DESC
        LIMIT $1) AS d";
