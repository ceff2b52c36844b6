//! Removing what has served its time, a slice at a time.
//!
//! A slice is found by the index of its age and is a transaction of its own: whoever else wants to write waits for one
//! slice, not for all of them.

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Expired;
use taskflow_core::{NoticeKind, StoreError, Timestamp};

use super::feed;
use crate::error::{Table, store_error};
use crate::feed::{MEETING, TASK};
use crate::limits;
use crate::store::SqliteStore;

/// Name reported for counts across tables.
const ALL: Table = Table("taskflow");

pub(super) async fn purge(store: &SqliteStore, expired: Expired, limit: u32) -> Result<u64, StoreError> {
    store.write(move |conn| Box::pin(remove(conn, expired, limit))).await
}

/// Removes a slice of that size, or a smaller one; it is empty only when nothing is left.
async fn remove(conn: &mut SqliteConnection, expired: Expired, most: u32) -> Result<u64, StoreError> {
    match expired {
        Expired::TrashedTasks(before) => tasks(conn, before, most).await,
        Expired::CancelledMeetings(before) => meetings(conn, before, most).await,
        Expired::Deliveries(before) => deliveries(conn, before, most).await,
        Expired::Feed(before) => feed::purge(conn, before, most).await,
        Expired::Sessions(before) => rows(conn, PURGE_SESSIONS, before, most).await,
        Expired::Tokens(before) => rows(conn, PURGE_TOKENS, before, most).await,
        Expired::Answers(before) => rows(conn, PURGE_ANSWERS, before, most).await,
        Expired::Runs(before) => rows(conn, PURGE_RUNS, before, most).await,
        Expired::FullBuckets => limits::purge(conn, most).await,
    }
}

pub(super) async fn count(pool: &SqlitePool, expired: Expired, limit: u32) -> Result<u64, StoreError> {
    let (statement, before) = match expired {
        Expired::TrashedTasks(before) => (COUNT_TASKS, before),
        Expired::CancelledMeetings(before) => (COUNT_MEETINGS, before),
        Expired::Deliveries(before) => (COUNT_DELIVERIES, before),
        Expired::Feed(before) => return feed::count(pool, before, limit).await,
        Expired::Sessions(before) => (COUNT_SESSIONS, before),
        Expired::Tokens(before) => (COUNT_TOKENS, before),
        Expired::Answers(before) => (COUNT_ANSWERS, before),
        Expired::Runs(before) => (COUNT_RUNS, before),
        Expired::FullBuckets => return limits::count(pool, limit).await,
    };
    let query = sqlx::query_scalar(statement).bind(before.as_micros()).bind(limit);
    let query = if let Expired::Deliveries(_) = expired { query.bind(kept_until_due()?) } else { query };
    let count: i64 = query.fetch_one(pool).await.map_err(store_error)?;
    Ok(ALL.number("count", count)?)
}

/// Rows that nothing else is about.
async fn rows(
    conn: &mut SqliteConnection,
    statement: &'static str,
    before: Timestamp,
    most: u32,
) -> Result<u64, StoreError> {
    let query = sqlx::query(statement).bind(before.as_micros()).bind(most);
    Ok(query.execute(conn).await.map_err(store_error)?.rows_affected())
}

/// The ids of a slice.
struct Slice {
    json: String,
    size: u64,
}

impl Slice {
    async fn pick(
        conn: &mut SqliteConnection,
        statement: &'static str,
        before: Timestamp,
        most: u32,
    ) -> Result<Self, StoreError> {
        let query = sqlx::query_scalar(statement).bind(before.as_micros()).bind(most);
        Self::of(query.fetch_all(conn).await.map_err(store_error)?)
    }

    fn of(ids: Vec<String>) -> Result<Self, StoreError> {
        let json = serde_json::to_string(&ids).map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { json, size: ids.len() as u64 })
    }

    /// Runs a statement over the ids, if there are any.
    async fn run(&self, conn: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
        if self.size == 0 {
            return Ok(());
        }
        sqlx::query(statement).bind(&self.json).execute(conn).await.map(drop).map_err(store_error)
    }

    /// The history of what is gone goes with it; what feeds still show stays there alone.
    async fn forget_events(&self, conn: &mut SqliteConnection, kind: &'static str) -> Result<(), StoreError> {
        if self.size == 0 {
            return Ok(());
        }
        let query = sqlx::query(FORGET_EVENTS).bind(&self.json).bind(kind);
        query.execute(conn).await.map(drop).map_err(store_error)
    }
}

const FORGET_EVENTS: &str = "
    DELETE FROM taskflow_events
    WHERE entity_kind = ?2 AND entity_id IN (SELECT value FROM json_each(?1))
        AND NOT EXISTS (SELECT 1 FROM taskflow_feed AS f WHERE f.event_id = taskflow_events.id);

    UPDATE taskflow_events
    SET in_history = 0
    WHERE entity_kind = ?2 AND entity_id IN (SELECT value FROM json_each(?1)) AND in_history = 1";

async fn tasks(conn: &mut SqliteConnection, before: Timestamp, most: u32) -> Result<u64, StoreError> {
    let slice = Slice::pick(conn, PICK_TASKS, before, most).await?;
    slice.forget_events(conn, TASK).await?;
    slice.run(conn, PURGE_TASKS).await?;
    Ok(slice.size)
}

const PICK_TASKS: &str = "SELECT id FROM taskflow_tasks WHERE deleted_at < ?1 ORDER BY deleted_at LIMIT +?2";

const PURGE_TASKS: &str = "DELETE FROM taskflow_tasks WHERE id IN (SELECT value FROM json_each(?1))";

const COUNT_TASKS: &str = "SELECT count(*) FROM (SELECT 1 FROM taskflow_tasks WHERE deleted_at < ?1 LIMIT +?2)";

async fn meetings(conn: &mut SqliteConnection, before: Timestamp, most: u32) -> Result<u64, StoreError> {
    let slice = Slice::pick(conn, PICK_MEETINGS, before, most).await?;
    slice.forget_events(conn, MEETING).await?;
    slice.run(conn, PURGE_MEETINGS).await?;
    Ok(slice.size)
}

/// Not more than a hundred people have come before the last of them, so that a slice is at most one large meeting.
const PICK_MEETINGS: &str = "
    SELECT id
    FROM (
        SELECT c.id, sum(c.people) OVER (ORDER BY c.cancelled_at, c.id ROWS UNBOUNDED PRECEDING) - c.people AS before
        FROM (
            SELECT m.id, m.cancelled_at,
                (SELECT count(*) FROM taskflow_meeting_participants AS p WHERE p.meeting_id = m.id) AS people
            FROM taskflow_meetings AS m
            WHERE m.cancelled_at < ?1
            ORDER BY m.cancelled_at
            LIMIT +?2) AS c)
    WHERE before < 100";

const PURGE_MEETINGS: &str = "
    DELETE FROM taskflow_meeting_participants WHERE meeting_id IN (SELECT value FROM json_each(?1));

    DELETE FROM taskflow_meeting_revisions WHERE meeting_id IN (SELECT value FROM json_each(?1));

    DELETE FROM taskflow_meetings WHERE id IN (SELECT value FROM json_each(?1))";

const COUNT_MEETINGS: &str = "SELECT count(*) FROM (SELECT 1 FROM taskflow_meetings WHERE cancelled_at < ?1 LIMIT +?2)";

async fn deliveries(conn: &mut SqliteConnection, before: Timestamp, most: u32) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(PICK_DELIVERIES).bind(before.as_micros()).bind(most).bind(kept_until_due()?);
    let slice = Slice::of(query.fetch_all(&mut *conn).await.map_err(store_error)?)?;
    slice.run(conn, PURGE_DELIVERIES).await?;
    Ok(slice.size)
}

/// The kinds whose cancelled deliveries are kept until they would have been due, as a JSON array.
fn kept_until_due() -> Result<String, StoreError> {
    let kinds: Vec<_> = NoticeKind::known().into_iter().filter(|kind| kind.is_kept_until_due()).collect();
    serde_json::to_string(&kinds).map_err(|error| StoreError::Internal(error.into()))
}

const PICK_DELIVERIES: &str = "
    SELECT id
    FROM taskflow_deliveries
    WHERE settled_at < ?1 AND NOT (state = 'cancelled' AND kind IN (SELECT value FROM json_each(?3)) AND due_at >= ?1)
    ORDER BY settled_at
    LIMIT +?2";

/// Removes deliveries and adds them to the ledger totals in the same transaction, so that the ledger always balances.
const PURGE_DELIVERIES: &str = "
    INSERT INTO taskflow_ledger_totals (day, kind, state, channel, count)
    SELECT date(d.settled_at / 1000000, 'unixepoch'),
        d.kind || CASE d.channel WHEN 'mail' THEN '' ELSE '@' || d.channel END, d.state, d.channel, count(*)
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_deliveries AS d ON d.id = j.value
    WHERE true
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (day, kind, state) DO UPDATE SET count = taskflow_ledger_totals.count + excluded.count;

    DELETE FROM taskflow_delivery_attempts WHERE delivery_id IN (SELECT value FROM json_each(?1));

    DELETE FROM taskflow_deliveries WHERE id IN (SELECT value FROM json_each(?1))";

const COUNT_DELIVERIES: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow_deliveries
        WHERE settled_at < ?1 AND NOT (state = 'cancelled' AND kind IN (SELECT value FROM json_each(?3)) AND due_at >= ?1)
        LIMIT +?2)";

const PURGE_SESSIONS: &str = "
    DELETE FROM taskflow_sessions
    WHERE rowid IN (
        SELECT rowid
        FROM taskflow_sessions
        WHERE coalesce(min(expires_at, ended_at), expires_at) < ?1
        ORDER BY coalesce(min(expires_at, ended_at), expires_at)
        LIMIT +?2)";

const COUNT_SESSIONS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow_sessions WHERE coalesce(min(expires_at, ended_at), expires_at) < ?1 LIMIT +?2)";

const PURGE_TOKENS: &str = "
    DELETE FROM taskflow_tokens
    WHERE rowid IN (
        SELECT rowid
        FROM taskflow_tokens
        WHERE coalesce(min(expires_at, used_at), expires_at) < ?1
        ORDER BY coalesce(min(expires_at, used_at), expires_at)
        LIMIT +?2)";

const COUNT_TOKENS: &str = "
    SELECT count(*)
    FROM (SELECT 1 FROM taskflow_tokens WHERE coalesce(min(expires_at, used_at), expires_at) < ?1 LIMIT +?2)";

const PURGE_ANSWERS: &str = "
    DELETE FROM taskflow_answers
    WHERE (user_id, key) IN (
        SELECT user_id, key
        FROM taskflow_answers
        WHERE created_at < ?1
        ORDER BY created_at
        LIMIT +?2)";

const COUNT_ANSWERS: &str = "SELECT count(*) FROM (SELECT 1 FROM taskflow_answers WHERE created_at < ?1 LIMIT +?2)";

const PURGE_RUNS: &str = "
    DELETE FROM taskflow_job_runs
    WHERE rowid IN (
        SELECT r.rowid
        FROM taskflow_job_runs AS r
        WHERE r.finished_at < ?1
            AND r.id IS NOT (
                SELECT l.id
                FROM taskflow_job_runs AS l
                WHERE l.job = r.job AND l.trigger = 'schedule'
                ORDER BY l.id DESC
                LIMIT 1)
        ORDER BY r.finished_at
        LIMIT +?2)";

const COUNT_RUNS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow_job_runs AS r
        WHERE r.finished_at < ?1
            AND r.id IS NOT (
                SELECT l.id
                FROM taskflow_job_runs AS l
                WHERE l.job = r.job AND l.trigger = 'schedule'
                ORDER BY l.id DESC
                LIMIT 1)
        LIMIT +?2)";
