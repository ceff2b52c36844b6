//! Addresses that get no mail any more.

use std::collections::HashMap;

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{EmailAddress, StoreError, Suppression, SuppressionWrite};
use taskflow_store_sql::{Stored, read_all};

use crate::error::store_error;
use crate::rows::{Rows, Statement};

/// The writes of suppressions as the parameters of statements.
#[derive(Default)]
pub(crate) struct SuppressionWrites {
    new: Rows,
    overridden: Rows,
    removed: Rows,
}

impl SuppressionWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &SuppressionWrite) -> Result<(), StoreError> {
        match write {
            SuppressionWrite::Add(new) => self.new.push_entity(index, new.email.key(), new),
            SuppressionWrite::Override(email) => self.overridden.push(index, email.key(), &email.key()),
            SuppressionWrite::Remove(email) => self.removed.push(index, email.key(), &email.key()),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        suppress(conn, &self.new).await?;
        override_once(conn, &self.overridden).await?;
        unsuppress(conn, &self.removed).await
    }
}

/// The suppressions of these addresses, by their keys.
pub(crate) async fn suppressed(
    pool: &SqlitePool,
    addresses: &[EmailAddress],
) -> Result<HashMap<String, Suppression>, StoreError> {
    if addresses.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let keys = serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()))?;
    let query = sqlx::query_as(SUPPRESSED.text()).bind(keys);
    let rows: Vec<SuppressedRow> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().filter_map(|row| Some((row.email_key, row.suppression.readable()?))).collect())
}

/// A suppression with the key that it was found by: who may not be written to is not written to, also when the address
/// in it cannot be read.
#[derive(sqlx::FromRow)]
struct SuppressedRow {
    email_key: String,
    #[sqlx(flatten)]
    suppression: Stored<Suppression>,
}

static SUPPRESSED: Statement<Suppression> = Statement::new(
    "
    SELECT s.email_key, {s.columns}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_suppressions AS s ON s.email_key = j.value",
);

/// A page in the order of the keys.
pub(crate) async fn after(pool: &SqlitePool, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
    // Every key is greater than the empty text.
    let query = sqlx::query_as(SUPPRESSIONS_AFTER.text()).bind(after.unwrap_or_default()).bind(size);
    let rows: Vec<Stored<Suppression>> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(read_all(rows))
}

static SUPPRESSIONS_AFTER: Statement<Suppression> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_suppressions
    WHERE email_key > ?1
    ORDER BY email_key
    LIMIT +?2",
);

/// Keeps existing suppressions of an address; of several reports in one commit the first counts.
async fn suppress(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SUPPRESS.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

static SUPPRESS: Statement<Suppression> = Statement::new(
    "
    INSERT INTO taskflow_suppressions ({all})
    SELECT {values}
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (email_key) DO NOTHING",
);

/// The rows are keys.
async fn override_once(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(OVERRIDE).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const OVERRIDE: &str = "
    UPDATE taskflow_suppressions SET overrides = overrides + 1 WHERE email_key IN (SELECT value FROM json_each(?1))";

/// The rows are keys.
async fn unsuppress(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UNSUPPRESS).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const UNSUPPRESS: &str = "DELETE FROM taskflow_suppressions WHERE email_key IN (SELECT value FROM json_each(?1))";
