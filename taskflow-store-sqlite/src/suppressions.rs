//! Addresses that get no mail any more.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CorruptRow, EmailAddress, StoreError, Suppression, SuppressionWrite};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_suppressions");

/// A suppression as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    email_key: String,
    email: &'a str,
    cause: &'static str,
    detail: &'a str,
    at: i64,
}

impl<'a> Params<'a> {
    fn new(suppression: &'a Suppression) -> Self {
        Self {
            email_key: suppression.email.key(),
            email: suppression.email.as_str(),
            cause: suppression.cause.as_str(),
            detail: &suppression.detail,
            at: suppression.at.as_micros(),
        }
    }
}

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
            SuppressionWrite::Add(new) => self.new.push(index, new.email.key(), &Params::new(new)),
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

#[derive(sqlx::FromRow)]
struct SuppressionRow {
    email: String,
    cause: String,
    detail: String,
    at: i64,
    overrides: i64,
}

impl TryFrom<SuppressionRow> for Suppression {
    type Error = CorruptRow;

    fn try_from(row: SuppressionRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            email: TABLE.value("email", &row.email)?,
            cause: TABLE.value("cause", &row.cause)?,
            detail: row.detail,
            at: TABLE.instant("at", row.at)?,
            overrides: TABLE.number("overrides", row.overrides)?,
        })
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
    let query = sqlx::query_as(SUPPRESSED).bind(keys);
    let rows: Vec<SuppressionRow> = query.fetch_all(pool).await.map_err(store_error)?;
    let found = rows.into_iter().map(Suppression::try_from).map(|row| row.map(|found| (found.email.key(), found)));
    Ok(found.collect::<Result<_, _>>()?)
}

const SUPPRESSED: &str = "
    SELECT s.email, s.cause, s.detail, s.at, s.overrides
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_suppressions AS s ON s.email_key = j.value";

/// A page in the order of the keys.
pub(crate) async fn after(pool: &SqlitePool, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
    // Every key is greater than the empty text.
    let query = sqlx::query_as(SUPPRESSIONS_AFTER).bind(after.unwrap_or_default()).bind(size);
    let rows: Vec<SuppressionRow> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(Suppression::try_from).collect::<Result<_, _>>()?)
}

const SUPPRESSIONS_AFTER: &str = "
    SELECT email, cause, detail, at, overrides
    FROM taskflow_suppressions
    WHERE email_key > ?1
    ORDER BY email_key
    LIMIT ?2";

/// What is known of an address already stays; of several reports at once the first counts.
async fn suppress(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SUPPRESS).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const SUPPRESS: &str = "
    INSERT INTO taskflow_suppressions (email_key, email, cause, detail, at)
    SELECT value ->> 'email_key', value ->> 'email', value ->> 'cause', value ->> 'detail', value ->> 'at'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (email_key) DO NOTHING";

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
