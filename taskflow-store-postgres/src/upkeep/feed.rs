//! Feeds: who has something new in theirs, and how they lose what is old.
//!
//! Ids of events carry the time of their making (UUIDs of version 7), so the oldest entries of all feeds are found by the
//! index of events, without one of times.

use sqlx::PgConnection;
use taskflow_core::{StoreError, Timestamp, UserId};
use uuid::Uuid;

use crate::error::{Instant, store_error};
use crate::store::PgStore;

/// Most feeds that one statement looks at, so that none of them takes long however many there are.
const LOOK: i64 = 1000;

#[derive(sqlx::FromRow)]
struct LookRow {
    user_id: Uuid,
    changed: bool,
}

/// Looks at more feeds each time, until enough are found: where most have changed hardly any is looked at twice, and where
/// few have it takes few statements.
pub(super) async fn changed_since(
    store: &PgStore,
    since: Timestamp,
    after: Option<UserId>,
    size: u32,
) -> Result<Vec<UserId>, StoreError> {
    let mut found = Vec::new();
    // Every id is greater than the nil UUID, which is none.
    let mut after = after.map_or(Uuid::nil(), UserId::as_uuid);
    let mut look = i64::from(size).clamp(1, LOOK);
    while found.len() < size as usize {
        let query = || sqlx::query_as(CHANGED).bind(after).bind(Instant::from(since)).bind(look);
        let rows: Vec<LookRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        found.extend(rows.iter().filter(|row| row.changed).map(|row| UserId::from_uuid(row.user_id)));
        match rows.last() {
            Some(last) if rows.len() as i64 == look => after = last.user_id,
            _ => break,
        }
        look = (look * 2).min(LOOK);
    }
    found.truncate(size as usize);
    Ok(found)
}

/// A head that was last written before heads knew when is asked for its last entry.
const CHANGED: &str = "
    SELECT h.user_id, coalesce(h.changed_at >= $2, (
        SELECT e.at >= $2
        FROM taskflow.feed AS f
        JOIN taskflow.events AS e ON e.id = f.event_id
        WHERE f.user_id = h.user_id AND f.seq = h.seq), false) AS changed
    FROM (
        SELECT user_id, seq, changed_at
        FROM taskflow.feed_heads
        WHERE user_id > $1
        ORDER BY user_id
        LIMIT $3) AS h
    ORDER BY h.user_id";

/// Removes up to `limit` of the oldest entries, of each feed from its beginning only, and then the events that nothing
/// shows any more.
pub(super) async fn purge(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let query = sqlx::query_scalar(PURGE_ENTRIES).bind(Instant::from(before)).bind(first_id_after(before)).bind(limit);
    let gone: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    let count = gone.len() as u64;
    if count > 0 {
        sqlx::query(PURGE_EVENTS).bind(gone).execute(conn).await.map_err(store_error)?;
    }
    Ok(count)
}

pub(super) async fn count(store: &PgStore, before: Timestamp, limit: u32) -> Result<i64, StoreError> {
    let query = || {
        let query = sqlx::query_scalar(COUNT_ENTRIES).bind(Instant::from(before)).bind(first_id_after(before));
        query.bind(i64::from(limit))
    };
    store.read(|conn| Box::pin(query().fetch_one(conn))).await
}

/// Less than every id that was made in a later millisecond.
fn first_id_after(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_micros().div_euclid(1000) + 1).unwrap_or(0);
    Uuid::from_u128(millis.min((1 << 48) - 1) << 80)
}

/// The oldest entries say how many each feed may lose; it loses so many from its beginning, as long as those are old: an
/// entry behind one that stays would leave a gap. Entries are never changed, so they are removed from where they were found:
/// joining them once more might read all feeds.
const PURGE_ENTRIES: &str = "
    DELETE FROM taskflow.feed
    WHERE ctid = ANY (ARRAY (
        SELECT l.ctid
        FROM (
            SELECT o.user_id, count(*) AS entries
            FROM (
                SELECT f.user_id
                FROM taskflow.feed AS f
                CROSS JOIN LATERAL (SELECT at FROM taskflow.events WHERE id = f.event_id OFFSET 0) AS e
                WHERE f.event_id < $2 AND e.at < $1
                ORDER BY f.event_id
                LIMIT $3) AS o
            GROUP BY o.user_id) AS r
        CROSS JOIN LATERAL (
            SELECT b.ctid, bool_and(b.is_old) OVER (ORDER BY b.seq) AS is_old
            FROM (
                SELECT f.ctid, f.seq, (SELECT e.at < $1 FROM taskflow.events AS e WHERE e.id = f.event_id) AS is_old
                FROM taskflow.feed AS f
                WHERE f.user_id = r.user_id
                ORDER BY f.seq
                LIMIT r.entries) AS b) AS l
        WHERE l.is_old))
    RETURNING event_id";

const PURGE_EVENTS: &str = "
    DELETE FROM taskflow.events AS e
    WHERE e.id = ANY ($1)
        AND NOT e.in_history
        AND (SELECT true FROM taskflow.feed AS f WHERE f.event_id = e.id LIMIT 1) IS NULL";

/// As many as [`PURGE_ENTRIES`] would remove.
const COUNT_ENTRIES: &str = "
    SELECT count(*)
    FROM (
        SELECT o.user_id, count(*) AS entries
        FROM (
            SELECT f.user_id
            FROM taskflow.feed AS f
            CROSS JOIN LATERAL (SELECT at FROM taskflow.events WHERE id = f.event_id OFFSET 0) AS e
            WHERE f.event_id < $2 AND e.at < $1
            ORDER BY f.event_id
            LIMIT $3) AS o
        GROUP BY o.user_id) AS r
    CROSS JOIN LATERAL (
        SELECT bool_and(b.is_old) OVER (ORDER BY b.seq) AS is_old
        FROM (
            SELECT f.seq, (SELECT e.at < $1 FROM taskflow.events AS e WHERE e.id = f.event_id) AS is_old
            FROM taskflow.feed AS f
            WHERE f.user_id = r.user_id
            ORDER BY f.seq
            LIMIT r.entries) AS b) AS l
    WHERE l.is_old";

#[cfg(test)]
mod tests {
    use taskflow_core::ports::{Ids, RandomIds};

    use super::*;

    #[test]
    fn ids_of_this_millisecond_lie_before_the_first_one_after_it() {
        let at: Timestamp = "2026-11-22T12:00:00.123456Z".parse().expect("a time");
        let ids = RandomIds::new();
        let next = at + std::time::Duration::from_millis(1);
        assert!(ids.next(at) < first_id_after(at) && ids.next(next) > first_id_after(at));
        assert_eq!(first_id_after(Timestamp::MIN), Uuid::nil());
        assert!(first_id_after(Timestamp::MAX) > ids.next(next));
    }
}
