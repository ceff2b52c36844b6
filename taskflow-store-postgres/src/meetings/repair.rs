//! Queries of the repair sweep.

use sqlx::FromRow;
use taskflow_core::ports::MeetingCursor;
use taskflow_core::{MeetingId, StoreError, Timestamp};
use uuid::Uuid;

use super::TABLE;
use crate::error::Instant;
use crate::store::PgStore;

/// Maximum number of meetings that one statement examines, so that none takes long however many there are.
const LOOK: i64 = 500;

#[derive(FromRow)]
struct LookRow {
    id: Uuid,
    meeting_date: Instant,
    unplanned: bool,
}

pub(crate) async fn unplanned(
    store: &PgStore,
    now: Timestamp,
    until: Timestamp,
    due_after: Timestamp,
    after: Option<MeetingCursor>,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let mut found = Vec::new();
    // Behind everything that begins now.
    let first = (now, Uuid::max());
    let mut after = after.map_or(first, |(at, id)| first.max((at, id.as_uuid())));
    loop {
        let query = || {
            let range = sqlx::query_as(UNPLANNED).bind(Instant::from(after.0)).bind(after.1);
            range.bind(Instant::from(until)).bind(Instant::from(due_after)).bind(LOOK)
        };
        let rows: Vec<LookRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        found.extend(rows.iter().filter(|row| row.unplanned).map(|row| MeetingId::from_uuid(row.id)));
        found.truncate(limit as usize);
        match rows.last() {
            Some(last) if rows.len() as i64 == LOOK && found.len() < limit as usize => {
                after = (TABLE.instant("meeting_date", last.meeting_date)?, last.id);
            }
            _ => return Ok(found),
        }
    }
}

/// The key is that of `meeting_reminder_key`. It is looked for by a subquery that can only be run for each reminder, by the
/// index: a join might read the whole ledger.
const UNPLANNED: &str = "
    SELECT m.id, m.meeting_date, coalesce((
        SELECT true
        FROM taskflow.meeting_participants AS p
        CROSS JOIN LATERAL unnest(coalesce(p.reminders, ARRAY[m.reminder_minutes])) AS r (minutes)
        WHERE p.meeting_id = m.id
            AND p.removed_at IS NULL
            AND p.response_status <> 'declined'
            AND m.meeting_date - r.minutes * interval '1 minute' > $4
            AND (
                SELECT d.id
                FROM taskflow.deliveries AS d
                WHERE d.dedupe_key = concat('meeting-reminder/', m.id, '/',
                    (extract(epoch FROM m.meeting_date) * 1000000)::bigint, '/', p.id, '/', r.minutes)) IS NULL
        LIMIT 1), false) AS unplanned
    FROM taskflow.meetings AS m
    WHERE m.cancelled_at IS NULL
        AND m.ended_at IS NULL
        AND (m.meeting_date, m.id) > ($1, $2)
        AND m.meeting_date <= $3
    ORDER BY m.meeting_date, m.id
    LIMIT $5";

pub(crate) async fn before_tzdb(
    store: &PgStore,
    tzdb: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MeetingId>, StoreError> {
    let query =
        || sqlx::query_scalar(BEFORE_TZDB).bind(tzdb.to_owned()).bind(Instant::from(now)).bind(i64::from(limit));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(MeetingId::from_uuid).collect())
}

/// Goes from version to version, of which there are a few each year, so that meetings of the past are never read: their
/// starts keep the version that they were found with.
const BEFORE_TZDB: &str = "
    WITH RECURSIVE versions (tzdb) AS (
        SELECT min(m.tzdb)
        FROM taskflow.meetings AS m
        WHERE m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.tzdb < $1
        UNION ALL
        SELECT (
            SELECT min(m.tzdb)
            FROM taskflow.meetings AS m
            WHERE m.cancelled_at IS NULL AND m.ended_at IS NULL AND m.tzdb > v.tzdb AND m.tzdb < $1)
        FROM versions AS v
        WHERE v.tzdb IS NOT NULL)
    SELECT m.id
    FROM versions AS v
    CROSS JOIN LATERAL (
        SELECT id
        FROM taskflow.meetings
        WHERE cancelled_at IS NULL AND ended_at IS NULL AND tzdb = v.tzdb AND meeting_date > $2
        ORDER BY meeting_date, id
        LIMIT $3) AS m
    LIMIT $3";
