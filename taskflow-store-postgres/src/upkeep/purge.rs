//! Removing what has served its time, a slice at a time.
//!
//! A slice is found by the index of its age. Rows are locked, in the order that everybody keeps, and asked once more whether
//! their time is over: what somebody else has taken up again meanwhile stays.

use sqlx::PgConnection;
use taskflow_core::ports::Expired;
use taskflow_core::{NoticeKind, StoreError, Timestamp};
use uuid::Uuid;

use super::feed;
use crate::deliveries::FORGET_ATTEMPTS;
use crate::error::{Instant, Table, store_error};
use crate::feed::{MEETING, TASK};
use crate::limits;
use crate::store::PgStore;

/// Name reported for counts across tables.
const ALL: Table = Table("taskflow");

pub(super) async fn purge(conn: &mut PgConnection, expired: Expired, limit: u32) -> Result<u64, StoreError> {
    let limit = i64::from(limit);
    match expired {
        Expired::TrashedTasks(before) => tasks(conn, before, limit).await,
        Expired::CancelledMeetings(before) => meetings(conn, before, limit).await,
        Expired::Deliveries(before) => deliveries(conn, before, limit).await,
        Expired::Feed(before) => feed::purge(conn, before, limit).await,
        Expired::Sessions(before) => rows(conn, PURGE_SESSIONS, before, limit).await,
        Expired::Tokens(before) => rows(conn, PURGE_TOKENS, before, limit).await,
        Expired::Answers(before) => rows(conn, PURGE_ANSWERS, before, limit).await,
        Expired::Runs(before) => rows(conn, PURGE_RUNS, before, limit).await,
        Expired::FullBuckets => limits::purge(conn, limit).await,
    }
}

pub(super) async fn count(store: &PgStore, expired: Expired, limit: u32) -> Result<u64, StoreError> {
    let (statement, before) = match expired {
        Expired::TrashedTasks(before) => (COUNT_TASKS, before),
        Expired::CancelledMeetings(before) => (COUNT_MEETINGS, before),
        Expired::Deliveries(before) => return count_deliveries(store, before, limit).await,
        Expired::Feed(before) => return Ok(ALL.number("feed", feed::count(store, before, limit).await?)?),
        Expired::Sessions(before) => (COUNT_SESSIONS, before),
        Expired::Tokens(before) => (COUNT_TOKENS, before),
        Expired::Answers(before) => (COUNT_ANSWERS, before),
        Expired::Runs(before) => (COUNT_RUNS, before),
        Expired::FullBuckets => return limits::count(store, limit).await,
    };
    counted(store, statement, before, limit).await
}

async fn count_deliveries(store: &PgStore, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let query = || {
        let query = sqlx::query_scalar(COUNT_DELIVERIES).bind(Instant::from(before)).bind(i64::from(limit));
        query.bind(kept_until_due())
    };
    let count: i64 = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    Ok(ALL.number("count", count)?)
}

/// Returns the number of rows older than `before` that the statement counts, up to `limit`.
pub(super) async fn counted(
    store: &PgStore,
    statement: &'static str,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let query = || sqlx::query_scalar(statement).bind(Instant::from(before)).bind(i64::from(limit));
    let count: i64 = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    Ok(ALL.number("count", count)?)
}

/// Rows that nothing else is about.
async fn rows(
    conn: &mut PgConnection,
    statement: &'static str,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let query = sqlx::query(statement).bind(Instant::from(before)).bind(limit);
    Ok(query.execute(conn).await.map_err(store_error)?.rows_affected())
}

async fn lock(
    conn: &mut PgConnection,
    statement: &'static str,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let query = sqlx::query_scalar(statement).bind(Instant::from(before)).bind(limit);
    query.fetch_all(conn).await.map_err(store_error)
}

async fn of_all(conn: &mut PgConnection, statement: &'static str, ids: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query(statement).bind(ids).execute(conn).await.map(drop).map_err(store_error)
}

/// The history of what is gone goes with it; what feeds still show stays there alone.
async fn forget_events(conn: &mut PgConnection, kind: &'static str, ids: &[Uuid]) -> Result<(), StoreError> {
    for statement in [FORGET_EVENTS, KEEP_IN_FEEDS] {
        sqlx::query(statement).bind(kind).bind(ids).execute(&mut *conn).await.map_err(store_error)?;
    }
    Ok(())
}

const FORGET_EVENTS: &str = "
    DELETE FROM taskflow.events AS e
    WHERE e.entity_kind = $1
        AND e.entity_id = ANY ($2)
        AND (SELECT true FROM taskflow.feed AS f WHERE f.event_id = e.id LIMIT 1) IS NULL";

const KEEP_IN_FEEDS: &str = "
    UPDATE taskflow.events AS e
    SET in_history = false
    WHERE e.entity_kind = $1 AND e.entity_id = ANY ($2) AND e.in_history";

async fn tasks(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let ids = lock(conn, LOCK_TASKS, before, limit).await?;
    if !ids.is_empty() {
        forget_events(conn, TASK, &ids).await?;
        of_all(conn, PURGE_TASKS, &ids).await?;
    }
    Ok(ids.len() as u64)
}

const LOCK_TASKS: &str = "
    SELECT id
    FROM taskflow.tasks
    WHERE id = ANY (ARRAY (SELECT id FROM taskflow.tasks WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2))
        AND deleted_at < $1
    ORDER BY id
    FOR UPDATE";

const PURGE_TASKS: &str = "DELETE FROM taskflow.tasks WHERE id = ANY ($1)";

const COUNT_TASKS: &str = "SELECT count(*) FROM (SELECT 1 FROM taskflow.tasks WHERE deleted_at < $1 LIMIT $2) AS old";

async fn meetings(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let ids = lock(conn, LOCK_MEETINGS, before, limit).await?;
    if !ids.is_empty() {
        forget_events(conn, MEETING, &ids).await?;
        for statement in [PURGE_PARTICIPANTS, PURGE_REVISIONS, PURGE_MEETINGS] {
            of_all(conn, statement, &ids).await?;
        }
    }
    Ok(ids.len() as u64)
}

/// Not more than a hundred people have come before the last of them, so that a slice is at most one large meeting.
const LOCK_MEETINGS: &str = "
    SELECT id
    FROM taskflow.meetings
    WHERE id = ANY (ARRAY (
            SELECT c.id
            FROM (
                SELECT m.id, sum(p.people) OVER (
                    ORDER BY m.cancelled_at, m.id ROWS UNBOUNDED PRECEDING) - p.people AS before
                FROM (
                    SELECT id, cancelled_at
                    FROM taskflow.meetings
                    WHERE cancelled_at < $1
                    ORDER BY cancelled_at
                    LIMIT $2) AS m
                CROSS JOIN LATERAL (
                    SELECT count(*) AS people
                    FROM taskflow.meeting_participants
                    WHERE meeting_id = m.id
                    OFFSET 0) AS p) AS c
            WHERE c.before < 100))
        AND cancelled_at < $1
    ORDER BY id
    FOR UPDATE";

const PURGE_PARTICIPANTS: &str = "DELETE FROM taskflow.meeting_participants WHERE meeting_id = ANY ($1)";

const PURGE_REVISIONS: &str = "DELETE FROM taskflow.meeting_revisions WHERE meeting_id = ANY ($1)";

const PURGE_MEETINGS: &str = "DELETE FROM taskflow.meetings WHERE id = ANY ($1)";

const COUNT_MEETINGS: &str = "
    SELECT count(*) FROM (SELECT 1 FROM taskflow.meetings WHERE cancelled_at < $1 LIMIT $2) AS old";

/// Removes deliveries and adds them to the ledger totals in the same transaction, so that the ledger always balances.
async fn deliveries(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(LOCK_DELIVERIES).bind(Instant::from(before)).bind(limit).bind(kept_until_due());
    let ids: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    if !ids.is_empty() {
        for statement in [ADD_TO_TOTALS, FORGET_ATTEMPTS, PURGE_DELIVERIES] {
            of_all(conn, statement, &ids).await?;
        }
    }
    Ok(ids.len() as u64)
}

/// The kinds whose cancelled deliveries are kept until they would have been due.
fn kept_until_due() -> Vec<&'static str> {
    let kinds = NoticeKind::known().into_iter().filter(|kind| kind.is_kept_until_due());
    kinds.map(NoticeKind::as_str).collect()
}

const LOCK_DELIVERIES: &str = "
    SELECT id
    FROM taskflow.deliveries
    WHERE id = ANY (ARRAY (
            SELECT id
            FROM taskflow.deliveries
            WHERE settled_at < $1 AND NOT (state = 'cancelled' AND kind = ANY ($3) AND due_at >= $1)
            ORDER BY settled_at
            LIMIT $2))
        AND settled_at < $1
    ORDER BY dedupe_key
    FOR UPDATE";

const ADD_TO_TOTALS: &str = "
    INSERT INTO taskflow.ledger_totals AS l (day, kind, state, channel, count)
    SELECT d.day, d.kind, d.state, d.channel, d.count
    FROM (
        SELECT (settled_at AT TIME ZONE 'UTC')::date AS day,
            kind || CASE channel WHEN 'mail' THEN '' ELSE '@' || channel END AS kind, state, channel, count(*) AS count
        FROM taskflow.deliveries
        WHERE id = ANY ($1)
        GROUP BY 1, 2, 3, 4) AS d
    ORDER BY d.day, d.kind, d.state
    ON CONFLICT (day, kind, state) DO UPDATE SET count = l.count + excluded.count";

const PURGE_DELIVERIES: &str = "DELETE FROM taskflow.deliveries WHERE id = ANY ($1)";

const COUNT_DELIVERIES: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow.deliveries
        WHERE settled_at < $1 AND NOT (state = 'cancelled' AND kind = ANY ($3) AND due_at >= $1)
        LIMIT $2) AS old";

const PURGE_SESSIONS: &str = "
    DELETE FROM taskflow.sessions
    WHERE id = ANY (ARRAY (
            SELECT id
            FROM taskflow.sessions
            WHERE least(expires_at, ended_at) < $1
            ORDER BY least(expires_at, ended_at)
            LIMIT $2))
        AND least(expires_at, ended_at) < $1";

const COUNT_SESSIONS: &str = "
    SELECT count(*) FROM (SELECT 1 FROM taskflow.sessions WHERE least(expires_at, ended_at) < $1 LIMIT $2) AS old";

const PURGE_TOKENS: &str = "
    DELETE FROM taskflow.tokens
    WHERE id = ANY (ARRAY (
            SELECT id
            FROM taskflow.tokens
            WHERE least(expires_at, used_at) < $1
            ORDER BY least(expires_at, used_at)
            LIMIT $2))
        AND least(expires_at, used_at) < $1";

const COUNT_TOKENS: &str = "
    SELECT count(*) FROM (SELECT 1 FROM taskflow.tokens WHERE least(expires_at, used_at) < $1 LIMIT $2) AS old";

/// Answers have no id. One that is replaced while this runs is found again, and is too young.
const PURGE_ANSWERS: &str = "
    DELETE FROM taskflow.answers
    WHERE ctid = ANY (ARRAY (
            SELECT ctid
            FROM taskflow.answers
            WHERE created_at < $1
            ORDER BY created_at
            LIMIT $2))
        AND created_at < $1";

const COUNT_ANSWERS: &str = "
    SELECT count(*) FROM (SELECT 1 FROM taskflow.answers WHERE created_at < $1 LIMIT $2) AS old";

/// Job by job from the oldest run on: ids grow with time.
const PURGE_RUNS: &str = "
    DELETE FROM taskflow.job_runs
    WHERE id = ANY (ARRAY (
        SELECT r.id
        FROM taskflow.jobs AS j
        CROSS JOIN LATERAL (
            SELECT r.id
            FROM taskflow.job_runs AS r
            WHERE r.job = j.name
                AND r.finished_at < $1
                AND r.id IS DISTINCT FROM (
                    SELECT l.id
                    FROM taskflow.job_runs AS l
                    WHERE l.job = j.name AND l.trigger = 'schedule'
                    ORDER BY l.id DESC
                    LIMIT 1)
            ORDER BY r.id
            LIMIT $2) AS r
        LIMIT $2))";

const COUNT_RUNS: &str = "
    SELECT count(*)
    FROM (
        SELECT 1
        FROM taskflow.jobs AS j
        JOIN taskflow.job_runs AS r ON r.job = j.name
        WHERE r.finished_at < $1
            AND r.id IS DISTINCT FROM (
                SELECT l.id
                FROM taskflow.job_runs AS l
                WHERE l.job = j.name AND l.trigger = 'schedule'
                ORDER BY l.id DESC
                LIMIT 1)
        LIMIT $2) AS old";
