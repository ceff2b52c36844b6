//! Responses that are stored, so that a request that is sent twice is done once.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{
    IdempotencyKey, RESPONSE_LIFETIME, ResponseWrite, StoreError, StoredResponse, UniqueField, UserId,
};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_answers");

/// A response as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    user_id: UserId,
    key: &'a str,
    fingerprint: &'a str,
    body: &'a str,
    created_at: i64,
    /// Time before which a stored response no longer counts.
    kept_since: i64,
}

impl<'a> Params<'a> {
    fn new(response: &'a StoredResponse) -> Self {
        Self {
            user_id: response.owner,
            key: response.key.as_str(),
            fingerprint: &response.fingerprint,
            body: &response.body,
            created_at: response.created_at.as_micros(),
            kept_since: (response.created_at - RESPONSE_LIFETIME).as_micros(),
        }
    }
}

/// Returns the identifier of a response among the rows of a statement.
fn id(response: &StoredResponse) -> String {
    format!("{}/{}", response.owner, response.key)
}

/// The writes of stored responses as the parameters of statements.
#[derive(Default)]
pub(crate) struct ResponseWrites {
    new: Rows,
}

impl ResponseWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &ResponseWrite) -> Result<(), StoreError> {
        match write {
            ResponseWrite::Store(response) => self.new.push(index, id(response), &Params::new(response)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        store(conn, &self.new).await
    }
}

#[derive(sqlx::FromRow)]
struct ResponseRow {
    fingerprint: String,
    body: String,
    created_at: i64,
}

pub(crate) async fn response(
    pool: &SqlitePool,
    owner: UserId,
    key: &IdempotencyKey,
) -> Result<Option<StoredResponse>, StoreError> {
    let row: Option<ResponseRow> = sqlx::query_as(RESPONSE)
        .bind(owner.to_string())
        .bind(key.as_str())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    let Some(row) = row else { return Ok(None) };
    let created_at = TABLE.instant("created_at", row.created_at)?;
    Ok(Some(StoredResponse { owner, key: key.clone(), fingerprint: row.fingerprint, body: row.body, created_at }))
}

const RESPONSE: &str = "SELECT fingerprint, body, created_at FROM taskflow_answers WHERE user_id = ?1 AND key = ?2";

async fn store(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let kept: Vec<String> =
        sqlx::query_scalar(STORE).bind(rows.json()).fetch_all(conn).await.map_err(|error| rows.refused(error))?;
    match rows.first_missing(&kept) {
        Some(write) => Err(StoreError::Taken { field: UniqueField::IdempotencyKey, write }),
        None => Ok(()),
    }
}

const STORE: &str = "
    INSERT INTO taskflow_answers (user_id, key, fingerprint, body, created_at)
    SELECT j.value ->> 'user_id', j.value ->> 'key', j.value ->> 'fingerprint', j.value ->> 'body',
        j.value ->> 'created_at'
    FROM json_each(?1) AS j
    WHERE NOT EXISTS (
        SELECT 1 FROM taskflow_answers AS a
        WHERE a.user_id = j.value ->> 'user_id' AND a.key = j.value ->> 'key' AND a.created_at > j.value ->> 'kept_since')
    ON CONFLICT (user_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, body = excluded.body, created_at = excluded.created_at
    RETURNING user_id || '/' || key";
