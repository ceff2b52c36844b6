//! Removal of what a deleted account leaves, a bounded number of rows at a time.

use sqlx::SqliteConnection;
use taskflow_core::{StoreError, Timestamp, UserId};

use crate::deliveries::ACCOUNT_GONE;
use crate::error::store_error;

/// Rows of a deleted account to remove.
pub(crate) struct Clearing {
    pub(crate) write: usize,
    pub(crate) id: UserId,
    /// The most rows of each kind.
    pub(crate) limit: u32,
    pub(crate) at: Timestamp,
}

impl Clearing {
    /// Runs the statements.
    pub(crate) async fn run(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let id = self.id.to_string();
        let found: Option<String> =
            sqlx::query_scalar(FIND).bind(&id).fetch_optional(&mut *conn).await.map_err(store_error)?;
        found.ok_or(StoreError::Stale { write: self.write })?;
        let query = sqlx::query(CANCEL).bind(&id).bind(self.limit).bind(self.at.as_micros()).bind(ACCOUNT_GONE);
        let mut cleared = query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        for statement in [FORGET_ORGANIZER, FORGET_PARTICIPANT, CLEAR_RESPONSES, CLEAR_FEED] {
            let query = sqlx::query(statement).bind(&id).bind(self.limit);
            cleared += query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        }
        for statement in [CLEAR_OWN_FEED, CLEAR_EVENTS, KEEP_SHARED_EVENTS, CLEAR_TASKS] {
            let query = sqlx::query(statement).bind(&id).bind(self.limit);
            cleared += query.execute(&mut *conn).await.map_err(store_error)?.rows_affected();
        }
        if cleared == 0 { Err(StoreError::Stale { write: self.write }) } else { Ok(()) }
    }
}

const FIND: &str = "SELECT id FROM taskflow_users WHERE id = ?1 AND deleted_at IS NOT NULL";

const CANCEL: &str = "
    UPDATE taskflow_deliveries
    SET state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
        settled_at = CASE state WHEN 'scheduled' THEN ?3 END,
        cancel_requested = state = 'claimed',
        reason = ?4
    WHERE id IN (
        SELECT id
        FROM taskflow_deliveries
        WHERE recipient_user = ?1 AND state IN ('scheduled', 'claimed') AND NOT cancel_requested
        LIMIT +?2)";

const FORGET_ORGANIZER: &str = "
    UPDATE taskflow_meetings
    SET created_by = NULL
    WHERE id IN (SELECT id FROM taskflow_meetings WHERE created_by = ?1 LIMIT +?2)";

/// Whoever has decided something about the participant meanwhile decides anew: their decision names the account.
const FORGET_PARTICIPANT: &str = "
    UPDATE taskflow_meeting_participants
    SET user_id = NULL, version = version + 1
    WHERE id IN (SELECT id FROM taskflow_meeting_participants WHERE user_id = ?1 LIMIT +?2)";

const CLEAR_RESPONSES: &str = "
    DELETE FROM taskflow_answers
    WHERE user_id = ?1 AND key IN (SELECT key FROM taskflow_answers WHERE user_id = ?1 LIMIT +?2)";

const CLEAR_FEED: &str = "
    DELETE FROM taskflow_feed
    WHERE user_id = ?1 AND seq IN (SELECT seq FROM taskflow_feed WHERE user_id = ?1 ORDER BY seq LIMIT +?2)";

/// The account's own feed shows its tasks, and is cleared in smaller steps.
const CLEAR_OWN_FEED: &str = "
    DELETE FROM taskflow_feed
    WHERE user_id = ?1
        AND event_id IN (
            SELECT e.id
            FROM (SELECT id FROM taskflow_tasks WHERE user_id = ?1 ORDER BY id LIMIT +?2) AS t
            CROSS JOIN taskflow_events AS e ON e.entity_kind = 'task' AND e.entity_id = t.id)";

/// The history of tasks goes with them, except what the feeds of others still show: those have no gaps.
const CLEAR_EVENTS: &str = "
    DELETE FROM taskflow_events
    WHERE entity_kind = 'task'
        AND entity_id IN (SELECT id FROM taskflow_tasks WHERE user_id = ?1 ORDER BY id LIMIT +?2)
        AND NOT EXISTS (SELECT 1 FROM taskflow_feed AS f WHERE f.event_id = taskflow_events.id)";

const KEEP_SHARED_EVENTS: &str = "
    UPDATE taskflow_events
    SET in_history = 0
    WHERE entity_kind = 'task'
        AND entity_id IN (SELECT id FROM taskflow_tasks WHERE user_id = ?1 ORDER BY id LIMIT +?2)";

const CLEAR_TASKS: &str = "
    DELETE FROM taskflow_tasks
    WHERE id IN (SELECT id FROM taskflow_tasks WHERE user_id = ?1 ORDER BY id LIMIT +?2)";
