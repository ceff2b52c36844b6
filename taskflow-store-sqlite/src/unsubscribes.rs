//! Kinds of mail that guests ended for their address.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{EmailAddress, NoticeKind, StoreError, Timestamp, UnsubscribeWrite};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_unsubscribes");

/// A subscription that was ended or resumed, as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    email_key: String,
    email: &'a str,
    kind: &'static str,
    at: Option<i64>,
}

impl<'a> Params<'a> {
    fn new(email: &'a EmailAddress, kind: NoticeKind, at: Option<Timestamp>) -> Self {
        let at = at.map(Timestamp::as_micros);
        Self { email_key: email.key(), email: email.as_str(), kind: kind.as_str(), at }
    }
}

/// The writes of guests' unsubscribes as the parameters of statements.
#[derive(Default)]
pub(crate) struct UnsubscribeWrites {
    new: Rows,
    removed: Rows,
}

impl UnsubscribeWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UnsubscribeWrite) -> Result<(), StoreError> {
        match write {
            UnsubscribeWrite::Add { email, kind, at } => {
                self.new.push(index, email.key(), &Params::new(email, *kind, Some(*at)))
            }
            UnsubscribeWrite::Remove { email, kind } => {
                self.removed.push(index, email.key(), &Params::new(email, *kind, None))
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        unsubscribe(conn, &self.new).await?;
        resubscribe(conn, &self.removed).await
    }
}

/// Returns the subscriptions that were ended for these addresses.
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

/// Records ended subscriptions. One that was ended before stays as it is.
async fn unsubscribe(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
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

async fn resubscribe(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(RESUBSCRIBE).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const RESUBSCRIBE: &str = "
    DELETE FROM taskflow_unsubscribes
    WHERE (email_key, kind) IN (SELECT value ->> 'email_key', value ->> 'kind' FROM json_each(?1))";
