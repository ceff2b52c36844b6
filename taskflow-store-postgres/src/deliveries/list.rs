//! The ledger as whoever runs the service reads it: page by page.

use std::collections::BTreeSet;

use taskflow_core::ports::DeliveryQuery;
use taskflow_core::{Delivery, DeliveryId, DeliveryState, NoticeKind, Recipient, StoreError};
use uuid::Uuid;

use super::DeliveryRow;
use crate::store::PgStore;

/// A page in the order of ids. With recipients each of them is a range of an index, and so is what was given up and what is
/// of a kind that does not recur. What is still to be sent is sorted, whatever else the ledger holds. Of all else, most of
/// what there is fits, and ids are read in their order until the page is full.
pub(crate) async fn deliveries(
    store: &PgStore,
    query: &DeliveryQuery,
    after: Option<DeliveryId>,
    size: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let recipients = query.recipients.as_deref().map(keys);
    let page = || {
        let page = sqlx::query_as(statement(query))
            // Planned each time with what is asked for: what is rare decides how to look for it.
            .persistent(false)
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

/// The statement that reads no more than it must.
fn statement(query: &DeliveryQuery) -> &'static str {
    match query {
        DeliveryQuery { recipients: Some(_), .. } => DELIVERIES_TO,
        DeliveryQuery { state: Some(state), .. } if *state != DeliveryState::Delivered => DELIVERIES_IN,
        DeliveryQuery { kind: Some(kind), .. } if !kind.is_recurring() => DELIVERIES_OF,
        DeliveryQuery { .. } => DELIVERIES,
    }
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

/// Only one of the three is asked at a time. What is scheduled is looked at before it is sorted (`OFFSET 0`): it was planned
/// last, and a walk in the order of ids would pass by all that was sent.
const DELIVERIES_IN: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow.deliveries
    WHERE id IN (
        (SELECT id
        FROM taskflow.deliveries
        WHERE state IN ('discarded', 'cancelled', 'expired') AND state = $3 AND id > $1
            AND ($2::text IS NULL OR kind = $2)
        ORDER BY id
        LIMIT $4)
        UNION ALL
        (SELECT id
        FROM taskflow.deliveries
        WHERE state = 'claimed' AND $3 = 'claimed' AND id > $1 AND ($2::text IS NULL OR kind = $2)
        ORDER BY id
        LIMIT $4)
        UNION ALL
        (SELECT id
        FROM (
            SELECT id
            FROM taskflow.deliveries
            WHERE state = 'scheduled' AND $3 = 'scheduled' AND id > $1 AND ($2::text IS NULL OR kind = $2)
            OFFSET 0) AS open
        ORDER BY id
        LIMIT $4))
    ORDER BY id
    LIMIT $4";

const DELIVERIES_OF: &str = "
    SELECT id, dedupe_key, kind, notice::text AS notice, recipient_user, recipient_address, state, planned_at, due_at,
        next_at, attempts, first_claimed_at, settled_at, cancel_requested, last_error, reply, reason
    FROM taskflow.deliveries
    WHERE kind NOT IN ('task_due', 'task_reminder', 'daily_summary', 'meeting_reminder') AND kind = $2 AND id > $1
        AND ($3::text IS NULL OR state = $3)
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
