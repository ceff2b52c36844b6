//! Kinds of mail that guests ended for their address.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{EmailAddress, NoticeKind, StoreError, Timestamp, UnsubscribeWrite};

use crate::error::{Table, store_error};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.unsubscribes");

/// A subscription that was ended or resumed, as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    email_key: String,
    email: &'a str,
    kind: &'static str,
    at: Option<Timestamp>,
}

impl<'a> Params<'a> {
    fn new(email: &'a EmailAddress, kind: NoticeKind, at: Option<Timestamp>) -> Self {
        Self { email_key: email.key(), email: email.as_str(), kind: kind.as_str(), at }
    }
}

/// The writes of guests' unsubscribes as the parameters of statements.
#[derive(Default)]
pub(crate) struct UnsubscribeWrites {
    new: Rows<()>,
    removed: Rows<()>,
}

impl UnsubscribeWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UnsubscribeWrite) -> Result<(), StoreError> {
        match write {
            UnsubscribeWrite::Add { email, kind, at } => {
                self.new.push(index, (), &Params::new(email, *kind, Some(*at)))
            }
            UnsubscribeWrite::Remove { email, kind } => self.removed.push(index, (), &Params::new(email, *kind, None)),
        }
    }

    /// Runs the statements. What was ended already stays as it is.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if !self.new.is_empty() {
            sqlx::query(UNSUBSCRIBE).bind(self.new.json()).execute(&mut *conn).await.map_err(store_error)?;
        }
        if !self.removed.is_empty() {
            sqlx::query(RESUBSCRIBE).bind(self.removed.json()).execute(conn).await.map_err(store_error)?;
        }
        Ok(())
    }
}

const UNSUBSCRIBE: &str = "
    INSERT INTO taskflow.unsubscribes (email_key, kind, email, at)
    SELECT email_key, kind, email, at
    FROM json_to_recordset($1::json) AS r (email_key text, kind text, email text, at timestamptz)
    ORDER BY email_key COLLATE \"C\", kind COLLATE \"C\"
    ON CONFLICT (email_key, kind) DO NOTHING";

const RESUBSCRIBE: &str = "
    DELETE FROM taskflow.unsubscribes AS u
    USING json_to_recordset($1::json) AS r (email_key text, kind text)
    WHERE u.email_key = r.email_key AND u.kind = r.kind";

/// Returns the subscriptions that were ended for these addresses.
pub(crate) async fn unsubscribed(
    store: &PgStore,
    addresses: &[EmailAddress],
) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let query = || sqlx::query_as(UNSUBSCRIBED).bind(keys.clone());
    let rows: Vec<(String, String)> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    rows.into_iter().map(|(key, kind)| Ok((key, TABLE.value("kind", &kind)?))).collect()
}

const UNSUBSCRIBED: &str = "SELECT email_key, kind FROM taskflow.unsubscribes WHERE email_key = ANY ($1)";
