//! The ledger as whoever runs the service reads it: page by page.

use std::collections::BTreeSet;

use sqlx::SqlitePool;
use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};

use super::DeliveryRow;
use crate::error::store_error;

/// A page in the order of ids. With recipients each of them is a range of an index, and so is what was given up and what is
/// of a kind that does not recur. What is still to be sent is sorted, whatever else the ledger holds. Of all else, most of
/// what there is fits, and ids are read in their order until the page is full.
pub(crate) async fn deliveries(
    pool: &SqlitePool,
    query: &DeliveryQuery,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let page = sqlx::query_as(statement(query))
        // Every id is greater than the empty text.
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(query.kind.map(NoticeKind::as_str))
        .bind(query.state.map(DeliveryState::as_str))
        .bind(size);
    let page = match &query.recipients {
        None => page,
        Some(recipients) => {
            let (users, addresses) = keys(recipients)?;
            page.bind(users).bind(addresses)
        }
    };
    let rows: Vec<DeliveryRow> = page.fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(Delivery::try_from).collect::<Result<_, _>>()?)
}

/// The statement that reads no more than it must.
fn statement(query: &DeliveryQuery) -> &'static str {
    match query {
        DeliveryQuery { recipients: Some(_), .. } => DELIVERIES_TO,
        DeliveryQuery { state: Some(state), .. } if *state != DeliveryState::Delivered => DELIVERIES_IN,
        DeliveryQuery { kind: Some(kind), .. } if !kind.is_recurring() => DELIVERIES_OF,
        DeliveryQuery { .. } => DELIVERIES,
    }
}

/// The people and the keys of the addresses among some recipients, each once, as JSON arrays.
fn keys(recipients: &[Recipient]) -> Result<(String, String), StoreError> {
    let (mut users, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for recipient in recipients {
        match recipient {
            Recipient::User(id) => users.insert(id.to_string()),
            Recipient::Address(address) => addresses.insert(address.key()),
        };
    }
    let json = |keys| serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()));
    Ok((json(users)?, json(addresses)?))
}

const DELIVERIES: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow_deliveries
    WHERE id > ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR state = ?3)
    ORDER BY id
    LIMIT ?4";

/// Only one of the three is asked at a time. What is open is found by the index of its state, although that has another
/// order, since there is little of it among all that was sent; the bounds that leave out nothing are there to use it.
const DELIVERIES_IN: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow_deliveries
    WHERE rowid IN (
        SELECT rowid
        FROM (
            SELECT rowid
            FROM taskflow_deliveries
            WHERE state IN ('discarded', 'cancelled', 'expired') AND state = ?3 AND id > ?1
                AND (?2 IS NULL OR kind = ?2)
            ORDER BY id
            LIMIT ?4)
        UNION ALL
        SELECT rowid
        FROM (
            SELECT rowid
            FROM taskflow_deliveries INDEXED BY taskflow_idx_deliveries_claimed
            WHERE state = 'claimed' AND ?3 = 'claimed' AND lease_until >= 0 AND id > ?1 AND (?2 IS NULL OR kind = ?2)
            ORDER BY id
            LIMIT ?4)
        UNION ALL
        SELECT rowid
        FROM (
            SELECT rowid
            FROM taskflow_deliveries INDEXED BY taskflow_idx_deliveries_scheduled
            WHERE state = 'scheduled' AND ?3 = 'scheduled' AND priority >= 0 AND id > ?1 AND (?2 IS NULL OR kind = ?2)
            ORDER BY id
            LIMIT ?4))
    ORDER BY id
    LIMIT ?4";

const DELIVERIES_OF: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow_deliveries
    WHERE kind NOT IN ('task_due', 'task_reminder', 'daily_summary', 'meeting_reminder') AND kind = ?2 AND id > ?1
        AND (?3 IS NULL OR state = ?3)
    ORDER BY id
    LIMIT ?4";

/// Of each recipient no more than a page is read.
const DELIVERIES_TO: &str = "
    SELECT id, dedupe_key, kind, notice, recipient_user, recipient_address, state, planned_at, due_at, next_at,
        attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM (
        SELECT d.*
        FROM json_each(?5) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE l.recipient_user = j.value AND l.id > ?1
                AND (?2 IS NULL OR l.kind = ?2) AND (?3 IS NULL OR l.state = ?3)
            ORDER BY l.id
            LIMIT ?4)
        UNION ALL
        SELECT d.*
        FROM json_each(?6) AS j
        CROSS JOIN taskflow_deliveries AS d ON d.rowid IN (
            SELECT l.rowid
            FROM taskflow_deliveries AS l
            WHERE lower(l.recipient_address) = j.value AND l.recipient_address IS NOT NULL AND l.id > ?1
                AND (?2 IS NULL OR l.kind = ?2) AND (?3 IS NULL OR l.state = ?3)
            ORDER BY l.id
            LIMIT ?4))
    ORDER BY id
    LIMIT ?4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_recur_are_the_ones_without_an_index() {
        let migration = include_str!("../../migrations/0005_mail_indexes.sql");
        for kind in NoticeKind::ALL {
            let quoted = format!("'{kind}'");
            assert_eq!(DELIVERIES_OF.contains(&quoted), kind.is_recurring(), "{kind}");
            assert_eq!(migration.contains(&quoted), kind.is_recurring(), "{kind}");
        }
    }
}
