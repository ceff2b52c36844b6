//! Taking deliveries up again that were given up.

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::{DeliveryId, StoreError};

use crate::error::store_error;
use crate::rows::Rows;

/// A delivery to take up again as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Retry {
    pub(super) id: DeliveryId,
    pub(super) at: i64,
}

/// They begin again with their first attempt; `Stale` unless all of them were given up, cancelled or expired.
pub(super) async fn retry(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.apply_all(conn, RETRY).await?;
    sqlx::query(FORGET_ATTEMPTS).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const RETRY: &str = "
    UPDATE taskflow_deliveries
    SET state = 'scheduled',
        next_at = j.value ->> 'at',
        attempts = 0,
        first_claimed_at = NULL,
        settled_at = NULL
    FROM json_each(?1) AS j
    WHERE taskflow_deliveries.id = j.value ->> 'id' AND state IN ('discarded', 'cancelled', 'expired')
    RETURNING id";

const FORGET_ATTEMPTS: &str = "
    DELETE FROM taskflow_delivery_attempts
    WHERE delivery_id IN (SELECT value ->> 'id' FROM json_each(?1))";

/// Removes the failed attempts of deliveries, a JSON array of ids.
pub(super) const FORGET_ATTEMPTS_OF: &str = "
    DELETE FROM taskflow_delivery_attempts
    WHERE delivery_id IN (SELECT value FROM json_each(?1))";
