//! Responses that are stored, so that a request that is sent twice is done once.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{
    IdempotencyKey, RESPONSE_LIFETIME, ResponseWrite, StoreError, StoredResponse, Timestamp, UniqueField, UserId,
};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.answers");

/// Identifies a response among the rows of a statement: its owner and its key.
type Name = (Uuid, String);

/// A response as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    user_id: UserId,
    key: &'a str,
    fingerprint: &'a str,
    body: &'a str,
    created_at: Timestamp,
}

impl<'a> Params<'a> {
    fn new(response: &'a StoredResponse) -> Self {
        Self {
            user_id: response.owner,
            key: response.key.as_str(),
            fingerprint: &response.fingerprint,
            body: &response.body,
            created_at: response.created_at,
        }
    }
}

fn name(response: &StoredResponse) -> Name {
    (response.owner.as_uuid(), response.key.as_str().to_owned())
}

/// The writes of stored responses as the parameters of statements.
#[derive(Default)]
pub(crate) struct ResponseWrites {
    new: Rows<Name>,
}

impl ResponseWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &ResponseWrite) -> Result<(), StoreError> {
        match write {
            ResponseWrite::Store(response) => self.new.push(index, name(response), &Params::new(response)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        store(conn, &self.new).await
    }
}

#[derive(sqlx::FromRow)]
struct ResponseRow {
    fingerprint: String,
    body: String,
    created_at: Instant,
}

pub(crate) async fn response(
    store: &PgStore,
    owner: UserId,
    key: &IdempotencyKey,
) -> Result<Option<StoredResponse>, StoreError> {
    let query = || sqlx::query_as(RESPONSE).bind(owner.as_uuid()).bind(key.as_str().to_owned());
    let row: Option<ResponseRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    let Some(row) = row else { return Ok(None) };
    let created_at = TABLE.instant("created_at", row.created_at)?;
    Ok(Some(StoredResponse { owner, key: key.clone(), fingerprint: row.fingerprint, body: row.body, created_at }))
}

const RESPONSE: &str = "SELECT fingerprint, body, created_at FROM taskflow.answers WHERE user_id = $1 AND key = $2";

async fn store(conn: &mut PgConnection, rows: &Rows<Name>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let lifetime = i64::try_from(RESPONSE_LIFETIME.as_micros()).unwrap_or(i64::MAX);
    let query = sqlx::query_as(STORE).bind(rows.json()).bind(lifetime);
    let kept: Vec<Name> = query.fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    match rows.first_missing(&kept) {
        Some(write) => Err(StoreError::Taken { field: UniqueField::IdempotencyKey, write }),
        None => Ok(()),
    }
}

/// Whoever comes second waits for the first, and then finds the key taken.
const STORE: &str = "
    INSERT INTO taskflow.answers AS a (user_id, key, fingerprint, body, created_at)
    SELECT user_id, key, fingerprint, body, created_at
    FROM json_to_recordset($1::json) AS r (user_id uuid, key text, fingerprint text, body text,
        created_at timestamptz)
    ORDER BY user_id, key COLLATE \"C\"
    ON CONFLICT (user_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, body = excluded.body, created_at = excluded.created_at
    WHERE a.created_at <= excluded.created_at - $2 * interval '1 microsecond'
    RETURNING user_id, key";

pub(crate) const DELETE_RESPONSES: &str = "DELETE FROM taskflow.answers WHERE user_id = ANY ($1)";
