//! Removal of what a deleted account leaves, a bounded number of rows at a time.

use sqlx::PgConnection;
use taskflow_core::{StoreError, Timestamp, UserId};
use uuid::Uuid;

use crate::deliveries::ACCOUNT_GONE;
use crate::error::{Instant, store_error};

/// Rows of a deleted account to remove.
pub(crate) struct Clearing {
    pub(crate) write: usize,
    pub(crate) id: UserId,
    /// The most rows of each kind.
    pub(crate) limit: u32,
    pub(crate) at: Timestamp,
}

impl Clearing {
    /// Runs the statements. The account is locked first, as by whoever removes it.
    pub(crate) async fn run(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let (id, limit) = (self.id.as_uuid(), i64::from(self.limit));
        let found: Option<Uuid> =
            sqlx::query_scalar(LOCK).bind(id).fetch_optional(&mut *conn).await.map_err(store_error)?;
        found.ok_or(StoreError::Stale { write: self.write })?;
        let mut cleared = 0;
        for statement in [FORGET_ORGANIZER, FORGET_PARTICIPANT] {
            let query = sqlx::query(statement).bind(id).bind(limit);
            cleared += query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        }
        let query = sqlx::query(CANCEL).bind(id).bind(limit).bind(Instant::from(self.at)).bind(ACCOUNT_GONE);
        cleared += query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        for statement in [CLEAR_RESPONSES, CLEAR_FEED] {
            let query = sqlx::query(statement).bind(id).bind(limit);
            cleared += query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        }
        cleared += clear_tasks(conn, id, limit).await?;
        if cleared == 0 { Err(StoreError::Stale { write: self.write }) } else { Ok(()) }
    }
}

const LOCK: &str = "SELECT id FROM taskflow.users WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE";

const FORGET_ORGANIZER: &str = "
    UPDATE taskflow.meetings
    SET created_by = NULL
    WHERE id = ANY (ARRAY (
        SELECT id FROM taskflow.meetings WHERE created_by = $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE))";

/// Whoever has decided something about the participant meanwhile decides anew: their decision names the account.
const FORGET_PARTICIPANT: &str = "
    UPDATE taskflow.meeting_participants
    SET user_id = NULL, version = version + 1
    WHERE id = ANY (ARRAY (
        SELECT id FROM taskflow.meeting_participants WHERE user_id = $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE))";

const CANCEL: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = CASE d.state WHEN 'scheduled' THEN 'cancelled' ELSE d.state END,
        settled_at = CASE d.state WHEN 'scheduled' THEN $3::timestamptz END,
        cancel_requested = d.state = 'claimed',
        reason = $4
    WHERE d.id = ANY (ARRAY (
        SELECT id
        FROM taskflow.deliveries
        WHERE recipient_user = $1 AND state IN ('scheduled', 'claimed') AND NOT cancel_requested
        ORDER BY dedupe_key
        LIMIT $2
        FOR NO KEY UPDATE))";

const CLEAR_RESPONSES: &str = "
    DELETE FROM taskflow.answers
    WHERE user_id = $1 AND key = ANY (ARRAY (
        SELECT key FROM taskflow.answers WHERE user_id = $1 ORDER BY key LIMIT $2))";

const CLEAR_FEED: &str = "
    DELETE FROM taskflow.feed
    WHERE user_id = $1 AND seq = ANY (ARRAY (SELECT seq FROM taskflow.feed WHERE user_id = $1 ORDER BY seq LIMIT $2))";

/// Removes tasks with their history, except what the feeds of others still show: those have no gaps.
async fn clear_tasks(conn: &mut PgConnection, id: Uuid, limit: i64) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(LOCK_TASKS).bind(id).bind(limit);
    let tasks: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    if tasks.is_empty() {
        return Ok(0);
    }
    // The account's own feed shows its tasks and is cleared in smaller steps.
    for statement in [CLEAR_OWN_FEED, CLEAR_EVENTS, KEEP_SHARED_EVENTS, CLEAR_TASKS] {
        sqlx::query(statement).bind(&tasks).bind(id).execute(&mut *conn).await.map_err(store_error)?;
    }
    Ok(tasks.len() as u64)
}

const LOCK_TASKS: &str = "SELECT id FROM taskflow.tasks WHERE user_id = $1 ORDER BY id LIMIT $2 FOR UPDATE";

const CLEAR_OWN_FEED: &str = "
    DELETE FROM taskflow.feed AS f
    WHERE f.user_id = $2
        AND f.event_id IN (
            SELECT e.id FROM taskflow.events AS e WHERE e.entity_kind = 'task' AND e.entity_id = ANY ($1))";

const CLEAR_EVENTS: &str = "
    DELETE FROM taskflow.events AS e
    WHERE e.entity_kind = 'task' AND e.entity_id = ANY ($1) AND $2::uuid IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM taskflow.feed AS f WHERE f.event_id = e.id)";

const KEEP_SHARED_EVENTS: &str = "
    UPDATE taskflow.events AS e
    SET in_history = false
    WHERE e.entity_kind = 'task' AND e.entity_id = ANY ($1) AND $2::uuid IS NOT NULL";

const CLEAR_TASKS: &str = "DELETE FROM taskflow.tasks WHERE id = ANY ($1) AND user_id = $2";
