//! Feeds: who has something new in theirs, and how they lose what is old.
//!
//! Ids of events carry the time of their making (UUIDs of version 7), so the oldest entries of all feeds are found by the
//! index of events, without one of times.

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{StoreError, Timestamp, UserId};

use crate::error::{Table, store_error};

const HEADS: Table = Table("taskflow_feed_heads");
const FEED: Table = Table("taskflow_feed");

/// Most feeds that one statement looks at, so that none of them takes long however many there are.
const LOOK: i64 = 4000;

#[derive(sqlx::FromRow)]
struct LookRow {
    user_id: String,
    changed: bool,
}

/// Looks at more feeds each time, until enough are found: where most have changed hardly any is looked at twice, and where
/// few have it takes few statements.
pub(super) async fn changed_since(
    pool: &SqlitePool,
    since: Timestamp,
    after: Option<UserId>,
    size: u32,
) -> Result<Vec<UserId>, StoreError> {
    let mut found = Vec::new();
    // Every id is greater than the empty text.
    let mut after = after.map(|id| id.to_string()).unwrap_or_default();
    let mut look = i64::from(size).clamp(1, LOOK);
    while found.len() < size as usize {
        let rows: Vec<LookRow> = sqlx::query_as(CHANGED)
            .bind(&after)
            .bind(since.as_micros())
            .bind(look)
            .fetch_all(pool)
            .await
            .map_err(store_error)?;
        for row in rows.iter().filter(|row| row.changed) {
            found.push(HEADS.value("user_id", &row.user_id)?);
        }
        let full = rows.len() as i64 == look;
        match rows.into_iter().next_back() {
            Some(last) if full => after = last.user_id,
            _ => break,
        }
        look = (look * 2).min(LOOK);
    }
    found.truncate(size as usize);
    Ok(found)
}

/// A head that was last written before heads knew when is asked for its last entry.
const CHANGED: &str = "
    SELECT h.user_id,
        coalesce(
            h.changed_at >= ?2,
            (SELECT e.at >= ?2
                FROM taskflow_feed AS f
                CROSS JOIN taskflow_events AS e ON e.id = f.event_id
                WHERE f.user_id = h.user_id AND f.seq = h.seq),
            0) AS changed
    FROM taskflow_feed_heads AS h
    WHERE h.user_id > ?1
    ORDER BY h.user_id
    LIMIT +?3";

/// Removes up to `limit` of the oldest entries, of each feed from its beginning only, and then the events that nothing
/// shows any more.
pub(super) async fn purge(conn: &mut SqliteConnection, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(PURGE_ENTRIES).bind(before.as_micros()).bind(first_id_after(before)).bind(limit);
    let gone: Vec<String> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    if !gone.is_empty() {
        let gone = serde_json::to_string(&gone).map_err(|error| StoreError::Internal(error.into()))?;
        sqlx::query(PURGE_EVENTS).bind(gone).execute(conn).await.map_err(store_error)?;
    }
    Ok(gone.len() as u64)
}

pub(super) async fn count(pool: &SqlitePool, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(COUNT_ENTRIES).bind(before.as_micros()).bind(first_id_after(before)).bind(limit);
    let entries: i64 = query.fetch_one(pool).await.map_err(store_error)?;
    Ok(FEED.number("seq", entries)?)
}

/// Less than every id that was made in a later millisecond.
fn first_id_after(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_micros().div_euclid(1000) + 1).unwrap_or(0).min((1 << 48) - 1);
    format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xffff)
}

/// The oldest entries say how many each feed may lose; it loses so many from its beginning, up to the first that is not
/// old: an entry behind one that stays would leave a gap.
const PURGE_ENTRIES: &str = "
    DELETE FROM taskflow_feed
    WHERE (user_id, seq) IN (
        SELECT f.user_id, f.seq
        FROM (
            SELECT r.user_id,
                coalesce((
                    SELECT b.seq
                    FROM taskflow_feed AS b
                    CROSS JOIN taskflow_events AS e ON e.id = b.event_id
                    WHERE b.user_id = r.user_id AND b.seq < r.first + r.entries AND e.at >= ?1
                    ORDER BY b.seq
                    LIMIT 1), r.first + r.entries) AS stays
            FROM (
                SELECT o.user_id, count(*) AS entries,
                    (SELECT min(b.seq) FROM taskflow_feed AS b WHERE b.user_id = o.user_id) AS first
                FROM (
                    SELECT f.user_id
                    FROM taskflow_feed AS f
                    CROSS JOIN taskflow_events AS e ON e.id = f.event_id
                    WHERE f.event_id < ?2 AND e.at < ?1
                    ORDER BY f.event_id
                    LIMIT +?3) AS o
                GROUP BY o.user_id) AS r) AS gone
        CROSS JOIN taskflow_feed AS f ON f.user_id = gone.user_id AND f.seq < gone.stays)
    RETURNING event_id";

const PURGE_EVENTS: &str = "
    DELETE FROM taskflow_events
    WHERE id IN (SELECT value FROM json_each(?1)) AND in_history = 0
        AND NOT EXISTS (SELECT 1 FROM taskflow_feed AS f WHERE f.event_id = taskflow_events.id)";

/// As many as [`PURGE_ENTRIES`] would remove.
const COUNT_ENTRIES: &str = "
    SELECT coalesce(sum((
        SELECT count(*) FROM taskflow_feed AS f WHERE f.user_id = gone.user_id AND f.seq < gone.stays)), 0)
    FROM (
        SELECT r.user_id,
            coalesce((
                SELECT b.seq
                FROM taskflow_feed AS b
                CROSS JOIN taskflow_events AS e ON e.id = b.event_id
                WHERE b.user_id = r.user_id AND b.seq < r.first + r.entries AND e.at >= ?1
                ORDER BY b.seq
                LIMIT 1), r.first + r.entries) AS stays
        FROM (
            SELECT o.user_id, count(*) AS entries,
                (SELECT min(b.seq) FROM taskflow_feed AS b WHERE b.user_id = o.user_id) AS first
            FROM (
                SELECT f.user_id
                FROM taskflow_feed AS f
                CROSS JOIN taskflow_events AS e ON e.id = f.event_id
                WHERE f.event_id < ?2 AND e.at < ?1
                ORDER BY f.event_id
                LIMIT +?3) AS o
            GROUP BY o.user_id) AS r) AS gone";

#[cfg(test)]
mod tests {
    use taskflow_core::ports::{Ids, RandomIds};

    use super::*;

    #[test]
    fn ids_of_this_millisecond_lie_before_the_first_one_after_it() {
        let at: Timestamp = "2026-11-22T12:00:00.123456Z".parse().expect("a time");
        let ids = RandomIds::new();
        let next = at + std::time::Duration::from_millis(1);
        assert!(ids.next(at).to_string() < first_id_after(at) && ids.next(next).to_string() > first_id_after(at));
        assert_eq!(first_id_after(Timestamp::MIN), "00000000-0000-0000-0000-000000000000");
        assert!(first_id_after(Timestamp::MAX) > ids.next(next).to_string());
    }
}
