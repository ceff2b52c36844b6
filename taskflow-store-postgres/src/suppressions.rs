//! Addresses that get no mail any more.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use taskflow_core::{EmailAddress, StoreError, Suppression, SuppressionWrite};
use taskflow_store_sql::{Stored, read_all};

use crate::error::store_error;
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

/// The writes of suppressions as the parameters of statements.
#[derive(Default)]
pub(crate) struct SuppressionWrites {
    new: Rows<()>,
    keys: HashSet<String>,
    overridden: Vec<String>,
    removed: Vec<String>,
}

impl SuppressionWrites {
    /// Adds a write, the one of this index in its commit. Of several reports of one address the first counts.
    pub(crate) fn push(&mut self, index: usize, write: &SuppressionWrite) -> Result<(), StoreError> {
        match write {
            SuppressionWrite::Add(new) => {
                let email_key = new.email.key();
                if !self.keys.contains(&email_key) {
                    self.new.push_entity(index, (), new)?;
                    self.keys.insert(email_key);
                }
            }
            SuppressionWrite::Override(email) => self.overridden.push(email.key()),
            SuppressionWrite::Remove(email) => self.removed.push(email.key()),
        }
        Ok(())
    }

    /// Runs the statements. A suppression that exists stays as it is.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if !self.new.is_empty() {
            sqlx::query(SUPPRESS.text()).bind(self.new.json()).execute(&mut *conn).await.map_err(store_error)?;
        }
        if !self.overridden.is_empty() {
            sqlx::query(OVERRIDE).bind(&self.overridden).execute(&mut *conn).await.map_err(store_error)?;
        }
        if !self.removed.is_empty() {
            sqlx::query(UNSUPPRESS).bind(&self.removed).execute(conn).await.map_err(store_error)?;
        }
        Ok(())
    }
}

static SUPPRESS: Statement<Suppression> = Statement::new(
    "
    INSERT INTO taskflow.suppressions ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})
    ORDER BY email_key COLLATE \"C\"
    ON CONFLICT (email_key) DO NOTHING",
);

const OVERRIDE: &str = "UPDATE taskflow.suppressions SET overrides = overrides + 1 WHERE email_key = ANY ($1)";

const UNSUPPRESS: &str = "DELETE FROM taskflow.suppressions WHERE email_key = ANY ($1)";

/// The suppressions of these addresses, by their keys.
pub(crate) async fn suppressed(
    store: &PgStore,
    addresses: &[EmailAddress],
) -> Result<HashMap<String, Suppression>, StoreError> {
    if addresses.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let query = || sqlx::query_as(SUPPRESSED.text()).bind(keys.clone());
    let rows: Vec<SuppressedRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
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
    SELECT email_key, {columns}
    FROM taskflow.suppressions
    WHERE email_key = ANY ($1)",
);

/// A page in the order of the keys.
pub(crate) async fn after(store: &PgStore, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
    // Every key is greater than the empty text. None holds U+0000, which no parameter can: what is greater than a text
    // with one is greater than what stands before it.
    let after = after.and_then(|after| after.split('\0').next()).unwrap_or_default();
    let query = || sqlx::query_as(SUPPRESSIONS_AFTER.text()).bind(after.to_owned()).bind(i64::from(size));
    let rows: Vec<Stored<Suppression>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static SUPPRESSIONS_AFTER: Statement<Suppression> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.suppressions
    WHERE email_key > $1
    ORDER BY email_key
    LIMIT $2",
);
