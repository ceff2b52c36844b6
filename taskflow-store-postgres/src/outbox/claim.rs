//! Claiming what is due.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::PgConnection;
use taskflow_core::ports::{ClaimRequest, Claimed};
use taskflow_core::{Delivery, MOST_TOGETHER, Rank, StoreError};
use taskflow_store_sql::readable;
use uuid::Uuid;

use super::micros;
use crate::deliveries::DeliveryRow;
use crate::error::{Instant, store_error};

/// The time between two looks at a delivery that cannot be read.
const ASIDE: Duration = Duration::from_mins(10);

/// Rank by rank, each one range of an index; then claims whose holder has not come back in time. What another sender is
/// claiming at the same moment is passed over.
pub(super) async fn run(conn: &mut PgConnection, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed = scheduled(conn, request).await?;
    let followers = follow(conn, request, &claimed).await?;
    let left = i64::from(request.limit) - i64::try_from(claimed.len()).unwrap_or(i64::MAX);
    if left > 0 {
        claimed.extend(in_order(lapsed(conn, request, left).await?, |delivery| delivery.id));
    }
    claimed.extend(in_order(followers, |delivery| (delivery.next_at, delivery.id)));
    Ok(claimed.into_iter().map(|delivery| Claimed { delivery, lease: request.lease }).collect())
}

/// Claims what leaves together with the first of its kind.
async fn follow(
    conn: &mut PgConnection,
    request: &ClaimRequest,
    claimed: &[Delivery],
) -> Result<Vec<Delivery>, StoreError> {
    let leaders: Vec<_> = claimed.iter().filter(|one| one.is_gathered()).map(|one| one.id.as_uuid()).collect();
    if leaders.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_as(CLAIM_FOLLOWERS)
        .bind(request.lease.as_uuid())
        .bind(micros(request.lease_for))
        .bind(Instant::from(request.now))
        .bind(leaders)
        .bind(Instant::from(request.minute_ends()))
        .bind(MOST_TOGETHER as i64 - 1);
    let rows: Vec<DeliveryRow> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    what_can_be_read(conn, rows).await
}

/// A scheduled delivery and its rank.
#[derive(sqlx::FromRow)]
struct RankedRow {
    #[sqlx(flatten)]
    row: DeliveryRow,
    priority: i16,
    lap: i16,
}

/// Claims what is due, in the order in which it leaves.
async fn scheduled(conn: &mut PgConnection, request: &ClaimRequest) -> Result<Vec<Delivery>, StoreError> {
    let channel = request.channel;
    let order = Rank::in_order(channel);
    let (priorities, laps): (Vec<i16>, Vec<i16>) = order.iter().map(|rank| (rank.priority, rank.lap)).unzip();
    let query = sqlx::query_as(if channel.is_mail() { CLAIM_SCHEDULED } else { CLAIM_SCHEDULED_ON })
        .bind(request.lease.as_uuid())
        .bind(micros(request.lease_for))
        .bind(Instant::from(request.now))
        .bind(kinds(request))
        .bind(i64::from(request.limit))
        .bind(priorities)
        .bind(laps);
    let query = if channel.is_mail() { query } else { query.bind(channel.as_str()) };
    let rows: Vec<RankedRow> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    let places: HashMap<Rank, usize> = order.into_iter().zip(0..).collect();
    let place = |row: &RankedRow| {
        let rank = Rank { priority: row.priority, lap: row.lap };
        (row.row.uuid(), places.get(&rank).copied())
    };
    let places: HashMap<Uuid, Option<usize>> = rows.iter().map(place).collect();
    let claimed = what_can_be_read(conn, rows.into_iter().map(|ranked| ranked.row).collect()).await?;
    let place = |delivery: &Delivery| places.get(&delivery.id.as_uuid()).copied().flatten();
    Ok(in_order(claimed, |delivery| (place(delivery), delivery.next_at, delivery.id)))
}

/// Claims what has lapsed.
async fn lapsed(conn: &mut PgConnection, request: &ClaimRequest, limit: i64) -> Result<Vec<Delivery>, StoreError> {
    let query = sqlx::query_as(CLAIM_LAPSED)
        .bind(request.lease.as_uuid())
        .bind(micros(request.lease_for))
        .bind(Instant::from(request.now))
        .bind(kinds(request))
        .bind(limit)
        .bind(request.channel.as_str());
    let rows: Vec<DeliveryRow> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    what_can_be_read(conn, rows).await
}

/// Claims those of some deliveries that are due.
pub(super) async fn these(
    conn: &mut PgConnection,
    request: &ClaimRequest,
    ids: &[Uuid],
) -> Result<Vec<Claimed>, StoreError> {
    let query = sqlx::query_as(CLAIM_THESE)
        .bind(request.lease.as_uuid())
        .bind(micros(request.lease_for))
        .bind(Instant::from(request.now))
        .bind(kinds(request))
        .bind(ids)
        .bind(request.channel.as_str());
    let rows: Vec<DeliveryRow> = query.fetch_all(&mut *conn).await.map_err(store_error)?;
    let claimed = in_order(what_can_be_read(conn, rows).await?, |delivery| delivery.id);
    Ok(claimed.into_iter().map(|delivery| Claimed { delivery, lease: request.lease }).collect())
}

fn kinds(request: &ClaimRequest) -> Vec<&str> {
    request.kinds.iter().map(|kind| kind.as_str()).collect()
}

/// What cannot be read holds up nobody: it stays claimed, so that the ledger balances, and is looked at again later.
async fn what_can_be_read(conn: &mut PgConnection, rows: Vec<DeliveryRow>) -> Result<Vec<Delivery>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(DeliveryRow::uuid).collect();
    let deliveries: Vec<Delivery> = readable(rows, DeliveryRow::id);
    if deliveries.len() < ids.len() {
        let read: HashSet<Uuid> = deliveries.iter().map(|delivery| delivery.id.as_uuid()).collect();
        let aside: Vec<Uuid> = ids.into_iter().filter(|id| !read.contains(id)).collect();
        sqlx::query(SET_ASIDE).bind(aside).bind(micros(ASIDE)).execute(conn).await.map_err(store_error)?;
    }
    Ok(deliveries)
}

const SET_ASIDE: &str = "
    UPDATE taskflow.deliveries
    SET lease_until = clock_timestamp() + $2 * interval '1 microsecond'
    WHERE id = ANY ($1) AND state = 'claimed'";

/// PostgreSQL returns the rows of an UPDATE in any order.
fn in_order<T, K: Ord>(mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    rows.sort_by_key(key);
    rows
}

/// Claims mail: no other deliveries have these ranks. They are looked at one by one, in the order of the arrays, until there
/// are enough; rows of later ones are neither read nor locked. The array of ids is made once; a subquery that is joined may
/// be run, and lock rows, more than once.
const CLAIM_SCHEDULED: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = 'claimed',
        lease = $1,
        lease_until = clock_timestamp() + $2 * interval '1 microsecond',
        first_claimed_at = coalesce(d.first_claimed_at, $3)
    WHERE d.id = ANY (ARRAY (
        SELECT due.id
        FROM unnest($6::smallint[], $7::smallint[]) AS r (priority, lap)
        CROSS JOIN LATERAL (
            SELECT l.id
            FROM taskflow.deliveries AS l
            WHERE l.state = 'scheduled' AND l.priority = r.priority AND l.lap = r.lap AND l.next_at <= $3
                AND l.kind = ANY ($4)
                AND (NOT l.gathered OR NOT EXISTS (
                    SELECT 1
                    FROM taskflow.deliveries AS o
                    WHERE o.recipient_user = l.recipient_user AND o.gathered AND o.kind = l.kind AND o.state = 'scheduled'
                        AND o.next_at <= l.next_at AND (o.next_at, o.id) < (l.next_at, l.id)
                        AND CASE WHEN l.attempts = 0 AND l.last_error IS NULL
                            THEN o.attempts = 0 AND o.last_error IS NULL
                            ELSE o.attempts = l.attempts AND (o.attempts > 0 OR o.last_error IS NOT NULL)
                                AND o.next_at = l.next_at END))
            ORDER BY l.next_at, l.id
            LIMIT $5
            FOR NO KEY UPDATE OF l SKIP LOCKED) AS due
        LIMIT $5))
    RETURNING id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at,
        due_at, next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel,
        priority, lap";

/// Claims what is due on another channel than mail. The literal rank is there so that its index is used.
const CLAIM_SCHEDULED_ON: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = 'claimed',
        lease = $1,
        lease_until = clock_timestamp() + $2 * interval '1 microsecond',
        first_claimed_at = coalesce(d.first_claimed_at, $3)
    WHERE d.id = ANY (ARRAY (
        SELECT due.id
        FROM unnest($6::smallint[], $7::smallint[]) AS r (priority, lap)
        CROSS JOIN LATERAL (
            SELECT l.id
            FROM taskflow.deliveries AS l
            WHERE l.state = 'scheduled' AND l.priority > 3 AND l.channel = $8 AND l.priority = r.priority
                AND l.lap = r.lap AND l.next_at <= $3 AND l.kind = ANY ($4)
            ORDER BY l.next_at, l.id
            LIMIT $5
            FOR NO KEY UPDATE OF l SKIP LOCKED) AS due
        LIMIT $5))
    RETURNING id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at,
        due_at, next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel,
        priority, lap";

/// Claims deliveries by their ids. What another sender is claiming at the same moment is passed over.
const CLAIM_THESE: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = 'claimed',
        lease = $1,
        lease_until = clock_timestamp() + $2 * interval '1 microsecond',
        first_claimed_at = coalesce(d.first_claimed_at, $3)
    WHERE d.id = ANY (ARRAY (
        SELECT l.id
        FROM taskflow.deliveries AS l
        WHERE l.id = ANY ($5) AND l.state = 'scheduled' AND l.next_at <= $3 AND l.kind = ANY ($4) AND l.channel = $6
        FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at,
        due_at, next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

/// Claims what leaves together with what was just claimed.
const CLAIM_FOLLOWERS: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = 'claimed',
        lease = $1,
        lease_until = clock_timestamp() + $2 * interval '1 microsecond',
        first_claimed_at = coalesce(d.first_claimed_at, $3)
    WHERE d.id = ANY (ARRAY (
        SELECT f.id
        FROM unnest($4::uuid[]) AS r (id)
        JOIN taskflow.deliveries AS l ON l.id = r.id
        CROSS JOIN LATERAL (
            SELECT o.id
            FROM taskflow.deliveries AS o
            WHERE o.recipient_user = l.recipient_user AND o.gathered AND o.kind = l.kind AND o.state = 'scheduled'
                AND o.next_at < $5
                AND CASE WHEN l.attempts = 0 AND l.last_error IS NULL
                    THEN o.attempts = 0 AND o.last_error IS NULL
                    ELSE o.attempts = l.attempts AND (o.attempts > 0 OR o.last_error IS NOT NULL)
                            AND o.next_at = l.next_at END
            ORDER BY o.next_at, o.id
            LIMIT $6
            FOR NO KEY UPDATE SKIP LOCKED) AS f))
    RETURNING id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at,
        due_at, next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";

/// The clock is asked in a subquery, once: it moves while a statement runs, and no index could be used.
const CLAIM_LAPSED: &str = "
    UPDATE taskflow.deliveries AS d
    SET lease = $1,
        lease_until = clock_timestamp() + $2 * interval '1 microsecond',
        first_claimed_at = coalesce(d.first_claimed_at, $3)
    WHERE d.id = ANY (ARRAY (
        SELECT id
        FROM taskflow.deliveries
        WHERE state = 'claimed' AND lease_until <= (SELECT clock_timestamp()) AND kind = ANY ($4)
            AND channel = $6
        ORDER BY lease_until, id
        LIMIT $5
        FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at,
        due_at, next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel";
