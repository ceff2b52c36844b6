//! Kinds of mail that guests ended for their address.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{EmailAddress, NoticeKind, StoreError, Timestamp};

use crate::commit::Rows;
use crate::error::{Table, store_error};

const TABLE: Table = Table("taskflow_unsubscribes");

/// What was ended, or begun again, as the parameters of a statement.
#[derive(Serialize)]
pub(crate) struct Params<'a> {
    email_key: String,
    email: &'a str,
    kind: &'static str,
    at: Option<i64>,
}

impl<'a> Params<'a> {
    pub(crate) fn new(email: &'a EmailAddress, kind: NoticeKind, at: Option<Timestamp>) -> Self {
        let at = at.map(Timestamp::as_micros);
        Self { email_key: email.key(), email: email.as_str(), kind: kind.as_str(), at }
    }
}

/// What was ended for these addresses.
pub(crate) async fn unsubscribed(
    pool: &SqlitePool,
    addresses: &[EmailAddress],
) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let keys = serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<(String, String)> =
        sqlx::query_as(UNSUBSCRIBED).bind(keys).fetch_all(pool).await.map_err(store_error)?;
    rows.into_iter().map(|(key, kind)| Ok((key, TABLE.value("kind", &kind)?))).collect()
}

const UNSUBSCRIBED: &str = "
    SELECT s.email_key, s.kind
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_unsubscribes AS s ON s.email_key = j.value";

/// What was ended already stays as it is.
pub(crate) async fn unsubscribe(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(UNSUBSCRIBE).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const UNSUBSCRIBE: &str = "
    INSERT INTO taskflow_unsubscribes (email_key, kind, email, at)
    SELECT value ->> 'email_key', value ->> 'kind', value ->> 'email', value ->> 'at'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (email_key, kind) DO NOTHING";

pub(crate) async fn resubscribe(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(RESUBSCRIBE).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const RESUBSCRIBE: &str = "
    DELETE FROM taskflow_unsubscribes
    WHERE (email_key, kind) IN (SELECT value ->> 'email_key', value ->> 'kind' FROM json_each(?1))";
