//! Taking deliveries up again that were given up.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{DeliveryId, StoreError, Timestamp};

use super::FORGET_ATTEMPTS;
use crate::error::store_error;
use crate::rows::Rows;

/// A delivery to take up again as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Retry {
    pub(super) id: DeliveryId,
    pub(super) at: Timestamp,
}

/// They begin again with their first attempt; `Stale` unless all of them were given up, cancelled or expired.
pub(super) async fn retry(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let found = rows.run(conn, RETRY).await?;
    rows.all_found(&found)?;
    sqlx::query(FORGET_ATTEMPTS).bind(found).execute(conn).await.map(drop).map_err(store_error)
}

const RETRY: &str = "
    UPDATE taskflow.deliveries AS d
    SET state = 'scheduled',
        next_at = r.at,
        attempts = 0,
        first_claimed_at = NULL,
        settled_at = NULL
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz)
        JOIN taskflow.deliveries AS l ON l.id = r.id
        WHERE l.state IN ('discarded', 'cancelled', 'expired')
        ORDER BY l.dedupe_key
        FOR NO KEY UPDATE OF l) AS r
    WHERE d.id = r.id AND d.state IN ('discarded', 'cancelled', 'expired')
    RETURNING d.id";
