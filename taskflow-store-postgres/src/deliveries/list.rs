//! The ledger as whoever runs the service reads it: page by page.

use std::collections::BTreeSet;

use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};
use uuid::Uuid;

use super::DeliveryRow;
use crate::store::PgStore;

/// A page in the order of ids. With recipients each of them is a range of an index; without, ids are read in their order
/// until the page is full, however many are of another kind or in another state.
pub(crate) async fn deliveries(
    store: &PgStore,
    query: &DeliveryQuery,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let recipients = query.recipients.as_deref().map(keys);
    let page = || {
        let statement = if recipients.is_some() { DELIVERIES_TO } else { DELIVERIES };
        let page = sqlx::query_as(statement)
            // Every id is greater than the nil UUID, which is none.
            .bind(after.map_or(Uuid::nil(), DeliveryId::as_uuid))
            .bind(query.kind.map(NoticeKind::as_str))
            .bind(query.state.map(DeliveryState::as_str))
            .bind(i64::from(size));
        match recipients.clone() {
            None => page,
            Some((users, addresses)) => page.bind(users).bind(addresses),
        }
    };
    let rows: Vec<DeliveryRow> = store.read(|conn| Box::pin(page().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(Delivery::try_from).collect::<Result<_, _>>()?)
}

/// The people and the keys of the addresses among some recipients, each once.
fn keys(recipients: &[Recipient]) -> (Vec<Uuid>, Vec<String>) {
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
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow.deliveries
    WHERE id > $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR state = $3)
    ORDER BY id
    LIMIT $4";

/// Of each recipient no more than a page is read.
const DELIVERIES_TO: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM (
        SELECT d.*
        FROM unnest($5::uuid[]) AS r (id)
        CROSS JOIN LATERAL (
            SELECT *
            FROM taskflow.deliveries AS l
            WHERE l.recipient_user = r.id AND l.id > $1
                AND ($2::text IS NULL OR l.kind = $2) AND ($3::text IS NULL OR l.state = $3)
            ORDER BY l.recipient_user, l.id
            LIMIT $4) AS d
        UNION ALL
        SELECT d.*
        FROM unnest($6::text[]) AS r (key)
        CROSS JOIN LATERAL (
            SELECT *
            FROM taskflow.deliveries AS l
            WHERE lower(l.recipient_address COLLATE \"C\") = r.key AND l.recipient_address IS NOT NULL AND l.id > $1
                AND ($2::text IS NULL OR l.kind = $2) AND ($3::text IS NULL OR l.state = $3)
            ORDER BY lower(l.recipient_address COLLATE \"C\"), l.id
            LIMIT $4) AS d) AS theirs
    ORDER BY id
    LIMIT $4";
