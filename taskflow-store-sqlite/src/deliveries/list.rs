//! The ledger as an operator reads it: page by page, newest first, and in numbers.

use std::collections::{BTreeSet, HashMap};

use sqlx::SqlitePool;
use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};
use taskflow_store_sql::readable;

use super::{DeliveryRow, TABLE};
use crate::error::store_error;

/// Returns a page in the order of ids, newest first. Each named recipient is a range of an index, and so is each state that
/// few deliveries end in and each kind that does not recur. Scheduled deliveries are sorted, whatever else the ledger holds.
/// For all other queries most rows match, and ids are read in their order until the page is full.
pub(crate) async fn deliveries(
    pool: &SqlitePool,
    query: &DeliveryQuery,
    before: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    // Every id is less than this text.
    let (mut found, mut before) = (Vec::new(), before.map_or_else(|| "~".to_owned(), |id| id.to_string()));
    loop {
        let page = sqlx::query_as(statement(query))
            .bind(before.clone())
            .bind(kinds(query)?)
            .bind(states(query)?)
            .bind(size)
            .bind(from(query));
        let page = match &query.recipients {
            None => page,
            Some(recipients) => {
                let (users, addresses) = keys(recipients)?;
                page.bind(users).bind(addresses)
            }
        };
        let rows: Vec<DeliveryRow> = page.fetch_all(pool).await.map_err(store_error)?;
        let next = rows.last().map(DeliveryRow::id).filter(|_| rows.len() == size as usize);
        found.extend(readable::<_, Delivery, Vec<_>>(rows, DeliveryRow::id));
        match next {
            // What cannot be read was left out: a short page would pass for the last.
            Some(next) if found.len() < size as usize => before = next,
            _ => break,
        }
    }
    found.truncate(size as usize);
    Ok(found)
}

/// Counts by state; each count stops at `most`.
pub(crate) async fn count(
    pool: &SqlitePool,
    query: &DeliveryQuery,
    most: u32,
) -> Result<HashMap<DeliveryState, u64>, StoreError> {
    let statement = if query.recipients.is_some() { COUNTS_TO } else { COUNTS };
    let counts = sqlx::query_as(statement).bind(from(query)).bind(kinds(query)?).bind(most);
    let counts = match &query.recipients {
        None => counts,
        Some(recipients) => {
            let (users, addresses) = keys(recipients)?;
            counts.bind(users).bind(addresses)
        }
    };
    let rows: Vec<(String, i64)> = counts.fetch_all(pool).await.map_err(store_error)?;
    let mut counts = HashMap::new();
    for (state, count) in rows {
        let state: DeliveryState = TABLE.value("state", &state)?;
        if count > 0 && (query.states.is_empty() || query.states.contains(&state)) {
            counts.insert(state, u64::from(most).min(count.unsigned_abs()));
        }
    }
    Ok(counts)
}

/// Returns a page of all deliveries in the order of ids, oldest first.
pub(crate) async fn deliveries_after(
    pool: &SqlitePool,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    // Every id is greater than the empty text.
    let (mut found, mut after) = (Vec::new(), after.map(|id| id.to_string()).unwrap_or_default());
    loop {
        let page = sqlx::query_as(DELIVERIES_AFTER).bind(after.clone()).bind(size);
        let rows: Vec<DeliveryRow> = page.fetch_all(pool).await.map_err(store_error)?;
        let next = rows.last().map(DeliveryRow::id).filter(|_| rows.len() == size as usize);
        found.extend(readable::<_, Delivery, Vec<_>>(rows, DeliveryRow::id));
        match next {
            // What cannot be read was left out: a short page would pass for the last.
            Some(next) if found.len() < size as usize => after = next,
            _ => break,
        }
    }
    found.truncate(size as usize);
    Ok(found)
}

/// The statement that reads no more than it must.
fn statement(query: &DeliveryQuery) -> &'static str {
    let rare = |state: &DeliveryState| *state != DeliveryState::Delivered;
    if query.recipients.is_some() {
        DELIVERIES_TO
    } else if !query.states.is_empty() && query.states.iter().all(rare) {
        DELIVERIES_IN
    } else if !query.kinds.is_empty() && !query.kinds.iter().any(|kind| kind.is_recurring()) {
        DELIVERIES_OF
    } else {
        DELIVERIES
    }
}

fn from(query: &DeliveryQuery) -> String {
    query.from.map(|id| id.to_string()).unwrap_or_default()
}

/// The kinds to select, each once, as a JSON array; `None`: all of them.
fn kinds(query: &DeliveryQuery) -> Result<Option<String>, StoreError> {
    json_of_kinds(&query.kinds)
}

/// Some kinds, each once, as a JSON array; `None`: all of them.
pub(super) fn json_of_kinds(kinds: &[NoticeKind]) -> Result<Option<String>, StoreError> {
    let kinds: BTreeSet<_> = kinds.iter().map(|kind| NoticeKind::as_str(*kind)).collect();
    (!kinds.is_empty()).then(|| json(&kinds)).transpose()
}

/// The states to select, each once, as a JSON array; `None`: all of them.
fn states(query: &DeliveryQuery) -> Result<Option<String>, StoreError> {
    let states: BTreeSet<_> = query.states.iter().map(|state| DeliveryState::as_str(*state)).collect();
    (!states.is_empty()).then(|| json(&states)).transpose()
}

/// The people and the keys of the addresses among some recipients, each once, as JSON arrays.
pub(super) fn keys(recipients: &[Recipient]) -> Result<(String, String), StoreError> {
    let (mut users, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for recipient in recipients {
        match recipient {
            Recipient::User(id) => users.insert(id.to_string()),
            Recipient::Address(address) => addresses.insert(address.key()),
        };
    }
    Ok((json(&users)?, json(&addresses)?))
}

pub(super) fn json<T: serde::Serialize>(values: &BTreeSet<T>) -> Result<String, StoreError> {
    serde_json::to_string(values).map_err(|error| StoreError::Internal(error.into()))
}

const DELIVERIES: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow_deliveries
    WHERE id < ?1 AND id >= ?5 AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2)))
        AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3)))
    ORDER BY id DESC
    LIMIT +?4";

/// Open deliveries are found by the index of their state, although that has another order, since there are few of them among
/// everything that was sent. Bounds that exclude nothing are there so that these indexes are used.
const DELIVERIES_IN: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow_deliveries
    WHERE rowid IN (
        SELECT d.rowid
        FROM json_each(?3) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE l.state IN ('discarded', 'cancelled', 'expired') AND l.state = j.value AND l.id < ?1 AND l.id >= ?5
                AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
            ORDER BY l.id DESC
            LIMIT +?4)
        UNION ALL
        SELECT rowid
        FROM (
            SELECT rowid
            FROM taskflow_deliveries INDEXED BY taskflow_idx_deliveries_claimed
            WHERE state = 'claimed' AND 'claimed' IN (SELECT value FROM json_each(?3)) AND lease_until >= 0 AND id < ?1
                AND id >= ?5 AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2)))
            ORDER BY id DESC
            LIMIT +?4)
        UNION ALL
        SELECT rowid
        FROM (
            SELECT rowid
            FROM taskflow_deliveries INDEXED BY taskflow_idx_deliveries_scheduled
            WHERE state = 'scheduled' AND 'scheduled' IN (SELECT value FROM json_each(?3)) AND priority >= 0 AND id < ?1
                AND id >= ?5 AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2)))
            ORDER BY id DESC
            LIMIT +?4))
    ORDER BY id DESC
    LIMIT +?4";

const DELIVERIES_OF: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM (
        SELECT d.*
        FROM json_each(?2) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE NOT l.recurring AND l.kind = j.value AND l.id < ?1 AND l.id >= ?5
                AND (?3 IS NULL OR l.state IN (SELECT value FROM json_each(?3)))
            ORDER BY l.id DESC
            LIMIT +?4))
    ORDER BY id DESC
    LIMIT +?4";

/// Of each recipient no more than a page is read.
const DELIVERIES_TO: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM (
        SELECT d.*
        FROM json_each(?6) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE l.recipient_user = j.value AND l.id < ?1 AND l.id >= ?5
                AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
                AND (?3 IS NULL OR l.state IN (SELECT value FROM json_each(?3)))
            ORDER BY l.id DESC
            LIMIT +?4)
        UNION ALL
        SELECT d.*
        FROM json_each(?7) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE lower(l.recipient_address) = j.value AND l.recipient_address IS NOT NULL AND l.id < ?1 AND l.id >= ?5
                AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
                AND (?3 IS NULL OR l.state IN (SELECT value FROM json_each(?3)))
            ORDER BY l.id DESC
            LIMIT +?4))
    ORDER BY id DESC
    LIMIT +?4";

const DELIVERIES_AFTER: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow_deliveries
    WHERE id > ?1
    ORDER BY id
    LIMIT +?2";

/// Counts the deliveries in a state by an index that has few others. All that have ended have one, among which most were
/// delivered.
macro_rules! count {
    ($state:literal, $index:literal) => {
        concat!(
            "SELECT '",
            $state,
            "', (SELECT count(*) FROM (SELECT 1 FROM taskflow_deliveries WHERE state = '",
            $state,
            "' AND ",
            $index,
            " AND +id >= ?1 AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2))) LIMIT +?3))"
        )
    };
}

const COUNTS: &str = concat!(
    count!("scheduled", "priority >= 0"),
    " UNION ALL ",
    count!("claimed", "lease_until >= 0"),
    " UNION ALL ",
    count!("delivered", "settled_at IS NOT NULL"),
    " UNION ALL ",
    count!("discarded", "state IN ('discarded', 'cancelled', 'expired')"),
    " UNION ALL ",
    count!("cancelled", "state IN ('discarded', 'cancelled', 'expired')"),
    " UNION ALL ",
    count!("expired", "state IN ('discarded', 'cancelled', 'expired')"),
);

/// Of each recipient no more than the newest deliveries are counted.
const COUNTS_TO: &str = "
    SELECT state, count(*)
    FROM (
        SELECT d.state
        FROM json_each(?4) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE l.recipient_user = j.value AND l.id >= ?1
                AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
            ORDER BY l.id DESC
            LIMIT +?3)
        UNION ALL
        SELECT d.state
        FROM json_each(?5) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE lower(l.recipient_address) = j.value AND l.recipient_address IS NOT NULL AND l.id >= ?1
                AND (?2 IS NULL OR l.kind IN (SELECT value FROM json_each(?2)))
            ORDER BY l.id DESC
            LIMIT +?3))
    GROUP BY state";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_counted() {
        assert!(DeliveryState::ALL.iter().all(|state| COUNTS.contains(&format!("SELECT '{state}'"))));
    }
}
