//! The ledger as an operator reads it: page by page, newest first, and in numbers.

use std::collections::{BTreeSet, HashMap};

use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};
use taskflow_store_sql::readable;
use uuid::Uuid;

use super::{DeliveryRow, TABLE};
use crate::store::PgStore;

/// Returns a page in the order of ids, newest first. Each named recipient is a range of an index, and so is each state that
/// few deliveries end in and each kind that does not recur. Scheduled deliveries are sorted, whatever else the ledger holds.
/// For all other queries most rows match, and ids are read in their order until the page is full.
pub(crate) async fn deliveries(
    store: &PgStore,
    query: &DeliveryQuery,
    before: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let recipients = query.recipients.as_deref().map(keys);
    let (mut found, mut before) = (Vec::new(), before.map_or(Uuid::max(), DeliveryId::as_uuid));
    loop {
        let page = || {
            let page = sqlx::query_as(statement(query))
                // Planned each time with the actual values: rare ones decide how to look for them.
                .persistent(false)
                .bind(before)
                .bind(kinds(query))
                .bind(states(query))
                .bind(i64::from(size))
                .bind(from(query));
            match recipients.clone() {
                None => page,
                Some((users, addresses)) => page.bind(users).bind(addresses),
            }
        };
        let rows: Vec<DeliveryRow> = store.read(|conn| Box::pin(page().fetch_all(conn))).await?;
        let next = rows.last().map(DeliveryRow::uuid).filter(|_| rows.len() == size as usize);
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
    store: &PgStore,
    query: &DeliveryQuery,
    most: u32,
) -> Result<HashMap<DeliveryState, u64>, StoreError> {
    let recipients = query.recipients.as_deref().map(keys);
    let counts = || {
        let statement = if recipients.is_some() { COUNTS_TO } else { COUNTS };
        let counts = sqlx::query_as(statement).persistent(false);
        let counts = counts.bind(from(query)).bind(kinds(query)).bind(i64::from(most));
        match recipients.clone() {
            None => counts,
            Some((users, addresses)) => counts.bind(users).bind(addresses),
        }
    };
    let rows: Vec<(String, i64)> = store.read(|conn| Box::pin(counts().fetch_all(conn))).await?;
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
    store: &PgStore,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    // Every id is greater than the nil UUID, which is none.
    let (mut found, mut after) = (Vec::new(), after.map_or(Uuid::nil(), DeliveryId::as_uuid));
    loop {
        let page = || sqlx::query_as(DELIVERIES_AFTER).bind(after).bind(i64::from(size));
        let rows: Vec<DeliveryRow> = store.read(|conn| Box::pin(page().fetch_all(conn))).await?;
        let next = rows.last().map(DeliveryRow::uuid).filter(|_| rows.len() == size as usize);
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

fn from(query: &DeliveryQuery) -> Uuid {
    query.from.map_or(Uuid::nil(), DeliveryId::as_uuid)
}

/// The kinds to select, each once; `None`: all of them.
fn kinds(query: &DeliveryQuery) -> Option<Vec<&'static str>> {
    let kinds: BTreeSet<_> = query.kinds.iter().map(|kind| NoticeKind::as_str(*kind)).collect();
    (!kinds.is_empty()).then(|| kinds.into_iter().collect())
}

/// The states to select, each once; `None`: all of them.
fn states(query: &DeliveryQuery) -> Option<Vec<&'static str>> {
    let states: BTreeSet<_> = query.states.iter().map(|state| DeliveryState::as_str(*state)).collect();
    (!states.is_empty()).then(|| states.into_iter().collect())
}

/// The people and the keys of the addresses among some recipients, each once.
pub(super) fn keys(recipients: &[Recipient]) -> (Vec<Uuid>, Vec<String>) {
    let (mut users, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for recipient in recipients {
        match recipient {
            Recipient::User(id) => users.insert(id.as_uuid()),
            Recipient::Address(address) => addresses.insert(address.key()),
        };
    }
    (users.into_iter().collect(), addresses.into_iter().collect())
}

const DELIVERIES: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow.deliveries
    WHERE id < $1 AND id >= $5 AND ($2::text[] IS NULL OR kind = ANY ($2))
        AND ($3::text[] IS NULL OR state = ANY ($3))
    ORDER BY id DESC
    LIMIT $4";

/// Scheduled deliveries are found before they are sorted (`OFFSET 0`): a walk in the order of ids would pass by everything
/// that was sent.
const DELIVERIES_IN: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow.deliveries
    WHERE id IN (SELECT id FROM (
        SELECT d.id
        FROM unnest($3::text[]) AS s (state)
        CROSS JOIN LATERAL (
            SELECT l.id
            FROM taskflow.deliveries AS l
            WHERE l.state IN ('discarded', 'cancelled', 'expired') AND l.state = s.state AND l.id < $1 AND l.id >= $5
                AND ($2::text[] IS NULL OR l.kind = ANY ($2))
            ORDER BY l.state DESC, l.id DESC
            LIMIT $4) AS d
        UNION ALL
        (SELECT id
        FROM taskflow.deliveries
        WHERE state = 'claimed' AND 'claimed' = ANY ($3) AND id < $1 AND id >= $5
            AND ($2::text[] IS NULL OR kind = ANY ($2))
        ORDER BY id DESC
        LIMIT $4)
        UNION ALL
        (SELECT id
        FROM (
            SELECT id
            FROM taskflow.deliveries
            WHERE state = 'scheduled' AND 'scheduled' = ANY ($3) AND id < $1 AND id >= $5
                AND ($2::text[] IS NULL OR kind = ANY ($2))
            OFFSET 0) AS open
        ORDER BY id DESC
        LIMIT $4)) AS found
        ORDER BY id DESC
        LIMIT $4)
    ORDER BY id DESC
    LIMIT $4";

const DELIVERIES_OF: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM (
        SELECT d.*
        FROM unnest($2::text[]) AS k (kind)
        CROSS JOIN LATERAL (
            SELECT *
            FROM taskflow.deliveries AS l
            WHERE NOT l.recurring AND l.kind = k.kind AND l.id < $1 AND l.id >= $5
                AND ($3::text[] IS NULL OR l.state = ANY ($3))
            ORDER BY l.kind DESC, l.id DESC
            LIMIT $4) AS d) AS these
    ORDER BY id DESC
    LIMIT $4";

/// Of each recipient no more than a page is read.
const DELIVERIES_TO: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM (
        SELECT d.*
        FROM unnest($6::uuid[]) AS r (id)
        CROSS JOIN LATERAL (
            SELECT *
            FROM taskflow.deliveries AS l
            WHERE l.recipient_user = r.id AND l.id < $1 AND l.id >= $5
                AND ($2::text[] IS NULL OR l.kind = ANY ($2)) AND ($3::text[] IS NULL OR l.state = ANY ($3))
            ORDER BY l.recipient_user DESC, l.id DESC
            LIMIT $4) AS d
        UNION ALL
        SELECT d.*
        FROM unnest($7::text[]) AS r (key)
        CROSS JOIN LATERAL (
            SELECT *
            FROM taskflow.deliveries AS l
            WHERE lower(l.recipient_address COLLATE \"C\") = r.key AND l.recipient_address IS NOT NULL AND l.id < $1
                AND l.id >= $5 AND ($2::text[] IS NULL OR l.kind = ANY ($2))
                AND ($3::text[] IS NULL OR l.state = ANY ($3))
            ORDER BY lower(l.recipient_address COLLATE \"C\") DESC, l.id DESC
            LIMIT $4) AS d) AS theirs
    ORDER BY id DESC
    LIMIT $4";

const DELIVERIES_AFTER: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason, channel
    FROM taskflow.deliveries
    WHERE id > $1
    ORDER BY id
    LIMIT $2";

/// Counts the deliveries in a state. All that have ended have an index of their own, among which most were delivered.
macro_rules! count {
    ($state:literal, $index:literal) => {
        concat!(
            "SELECT '",
            $state,
            "', (SELECT count(*) FROM (SELECT FROM taskflow.deliveries WHERE state = '",
            $state,
            "' AND ",
            $index,
            " AND id >= $1 AND ($2::text[] IS NULL OR kind = ANY ($2)) LIMIT $3) AS l)"
        )
    };
}

const COUNTS: &str = concat!(
    count!("scheduled", "state = 'scheduled'"),
    " UNION ALL ",
    count!("claimed", "state = 'claimed'"),
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
        FROM unnest($4::uuid[]) AS r (id)
        CROSS JOIN LATERAL (
            SELECT l.state
            FROM taskflow.deliveries AS l
            WHERE l.recipient_user = r.id AND l.id >= $1 AND ($2::text[] IS NULL OR l.kind = ANY ($2))
            ORDER BY l.recipient_user DESC, l.id DESC
            LIMIT $3) AS d
        UNION ALL
        SELECT d.state
        FROM unnest($5::text[]) AS r (key)
        CROSS JOIN LATERAL (
            SELECT l.state
            FROM taskflow.deliveries AS l
            WHERE lower(l.recipient_address COLLATE \"C\") = r.key AND l.recipient_address IS NOT NULL AND l.id >= $1
                AND ($2::text[] IS NULL OR l.kind = ANY ($2))
            ORDER BY lower(l.recipient_address COLLATE \"C\") DESC, l.id DESC
            LIMIT $3) AS d) AS theirs
    GROUP BY state";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_counted() {
        assert!(DeliveryState::ALL.iter().all(|state| COUNTS.contains(&format!("SELECT '{state}'"))));
    }
}
