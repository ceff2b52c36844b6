//! The dev mailbox.

use sqlx::PgConnection;
use taskflow_core::{CapturedMail, DeliveryId, MAILBOX_SIZE, MailboxWrite, StoreError};
use taskflow_store_sql::{Stored, read_all};

use crate::error::store_error;
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

/// The writes of the dev mailbox as the parameters of statements.
#[derive(Default)]
pub(crate) struct MailboxWrites {
    captured: Rows,
}

impl MailboxWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &MailboxWrite) -> Result<(), StoreError> {
        match write {
            MailboxWrite::Capture(mail) => self.captured.push_entity(index, mail.id.as_uuid(), mail),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        capture(conn, &self.captured).await
    }
}

pub(crate) async fn mails(store: &PgStore, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
    let query = || sqlx::query_as(MAILS.text()).bind(i64::from(limit));
    let rows: Vec<Stored<CapturedMail>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static MAILS: Statement<CapturedMail> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.mailbox
    ORDER BY kept_at DESC, id DESC
    LIMIT $1",
);

pub(crate) async fn mail(store: &PgStore, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
    let query = || sqlx::query_as(MAIL.text()).bind(id.as_uuid());
    let row: Option<Stored<CapturedMail>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static MAIL: Statement<CapturedMail> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.mailbox
    WHERE id = $1",
);

/// Puts mails in and takes the oldest out, so that as many are left as there may be.
async fn capture(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(KEEP.text()).bind(rows.json()).execute(&mut *conn).await.map_err(store_error)?;
    let most = i64::try_from(MAILBOX_SIZE).unwrap_or(i64::MAX);
    sqlx::query(MAKE_ROOM).bind(most).execute(conn).await.map(drop).map_err(store_error)
}

static KEEP: Statement<CapturedMail> = Statement::new(
    "
    INSERT INTO taskflow.mailbox ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})
    ORDER BY id
    ON CONFLICT (id) DO NOTHING",
);

/// Deletes the oldest mails beyond the limit. Skips rows that another transaction is deleting.
const MAKE_ROOM: &str = "
    DELETE FROM taskflow.mailbox
    WHERE id IN (
        SELECT id
        FROM taskflow.mailbox
        WHERE id IN (SELECT id FROM taskflow.mailbox ORDER BY kept_at DESC, id DESC OFFSET $1)
        FOR UPDATE SKIP LOCKED)";
