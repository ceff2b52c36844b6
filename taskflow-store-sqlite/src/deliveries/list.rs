//! The ledger as whoever runs the service reads it: page by page.

use std::collections::BTreeSet;

use sqlx::SqlitePool;
use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};

use super::DeliveryRow;
use crate::error::store_error;

/// A page in the order of ids. With recipients each of them is a range of an index; without, ids are read in their order
/// until the page is full, however many are of another kind or in another state.
pub(crate) async fn deliveries(
    pool: &SqlitePool,
    query: &DeliveryQuery,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let statement = if query.recipients.is_some() { DELIVERIES_TO } else { DELIVERIES };
    let page = sqlx::query_as(statement)
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
