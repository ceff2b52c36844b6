//! Queries of the repair sweep: meetings with an unplanned reminder, or with a start computed by outdated time zone
//! rules.

use sqlx::SqlitePool;
use taskflow_core::ports::MeetingCursor;
use taskflow_core::{MeetingId, StoreError, Timestamp};
use taskflow_store_sql::or_record;

use super::TABLE;
use crate::error::store_error;

/// Maximum number of meetings that one statement examines, so that none takes long however many need no repair.
const PAGE: usize = 200;

/// Sorts after every id.
const AFTER_EVERY_ID: &str = "~";

#[derive(sqlx::FromRow)]
struct LookedAt {
    meeting_date: i64,
    id: String,
    unplanned: bool,
}

/// Up to `limit` meetings that begin after `now` and not later than `until` and ask for a reminder due after `due_after`
/// of which the ledger has no trace.
pub(crate) async fn unplanned(
    pool: &SqlitePool,
    now: Timestamp,
    until: Timestamp,
    due_after: Timestamp,
    after: Option<MeetingCursor>,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let mut found = Vec::new();
    let (mut date, mut id) = match after {
        Some((date, id)) if date > now => (date.as_micros(), id.to_string()),
        _ => (now.as_micros(), AFTER_EVERY_ID.to_owned()),
    };
    while found.len() < limit as usize {
        let page: Vec<LookedAt> = sqlx::query_as(UNPLANNED)
            .bind(date)
            .bind(&id)
            .bind(until.as_micros())
            .bind(due_after.as_micros())
            .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await
            .map_err(store_error)?;
        for row in page.iter().filter(|row| row.unplanned) {
            found.extend(or_record(&row.id, TABLE.value::<MeetingId>("id", &row.id)));
        }
        let full = page.len() == PAGE;
        match page.into_iter().next_back() {
            Some(last) if full => (date, id) = (last.meeting_date, last.id),
            _ => break,
        }
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// The key is that of [`meeting_reminder_key`](taskflow_core::meeting_reminder_key), the minutes those of
/// [`reminder_minutes`](taskflow_core::reminder_minutes).
const UNPLANNED: &str = "
    SELECT m.meeting_date, m.id,
        EXISTS (
            SELECT 1
            FROM taskflow_meeting_participants AS p
            CROSS JOIN json_each(coalesce(p.reminders, json_array(m.reminder_minutes))) AS own
            WHERE p.meeting_id = m.id AND p.removed_at IS NULL AND p.response_status <> 'declined'
                AND m.meeting_date - own.value * 60000000 > ?4
                AND NOT EXISTS (
                    SELECT 1
                    FROM taskflow_deliveries AS d
                    WHERE d.dedupe_key = 'meeting-reminder/' || m.id || '/' || m.meeting_date || '/' || p.id || '/'
                        || own.value)) AS unplanned
    FROM taskflow_meetings AS m
    WHERE m.cancelled_at IS NULL AND m.ended_at IS NULL AND (m.meeting_date, m.id) > (?1, ?2) AND m.meeting_date <= ?3
    ORDER BY m.meeting_date, m.id
    LIMIT +?5";

/// Up to `limit` meetings that are on, begin after `now`, and whose start was found with a version before `tzdb`.
pub(crate) async fn before_tzdb(
    pool: &SqlitePool,
    tzdb: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let ids: Vec<String> = sqlx::query_scalar(BEFORE_TZDB)
        .bind(tzdb)
        .bind(now.as_micros())
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("id", id))).collect())
}

/// Goes from one version to the next, of which there are few, and in each to what lies ahead: meetings that are over keep
/// their version for ever, and would be read again and again.
const BEFORE_TZDB: &str = "
    WITH RECURSIVE versions (tzdb) AS (
        SELECT min(m.tzdb)
        FROM taskflow_meetings AS m
        WHERE m.cancelled_at IS NULL AND m.ended_at IS NULL
        UNION ALL
        SELECT (
            SELECT min(m.tzdb)
            FROM taskflow_meetings AS m
            WHERE m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.tzdb > v.tzdb)
        FROM versions AS v
        WHERE v.tzdb < ?1)
    SELECT m.id
    FROM versions AS v
    CROSS JOIN taskflow_meetings AS m ON m.tzdb = v.tzdb
    WHERE v.tzdb < ?1 AND m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.meeting_date > ?2
    LIMIT +?3";
