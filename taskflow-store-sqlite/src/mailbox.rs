//! The dev mailbox.

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CapturedMail, DeliveryId, MAILBOX_SIZE, MailboxWrite, StoreError};
use taskflow_store_sql::{Stored, read_all};

use crate::error::store_error;
use crate::rows::{Rows, Statement};

/// The writes of the dev mailbox as the parameters of statements.
#[derive(Default)]
pub(crate) struct MailboxWrites {
    captured: Rows,
}

impl MailboxWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &MailboxWrite) -> Result<(), StoreError> {
        match write {
            MailboxWrite::Capture(mail) => self.captured.push_entity(index, mail.id, mail),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        capture(conn, &self.captured).await
    }
}

pub(crate) async fn mails(pool: &SqlitePool, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
    let rows: Vec<Stored<CapturedMail>> =
        sqlx::query_as(MAILS.text()).bind(limit).fetch_all(pool).await.map_err(store_error)?;
    Ok(read_all(rows))
}

static MAILS: Statement<CapturedMail> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_mailbox
    ORDER BY kept_at DESC, id DESC
    LIMIT +?1",
);

pub(crate) async fn mail(pool: &SqlitePool, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
    let row: Option<Stored<CapturedMail>> =
        sqlx::query_as(MAIL.text()).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static MAIL: Statement<CapturedMail> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_mailbox
    WHERE id = ?1",
);

/// Puts mails in and takes the oldest out, so that as many are left as there may be.
async fn capture(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let most = i64::try_from(MAILBOX_SIZE).unwrap_or(i64::MAX);
    sqlx::query(KEEP.text()).bind(rows.json()).bind(most).execute(conn).await.map(drop).map_err(store_error)
}

static KEEP: Statement<CapturedMail> = Statement::new(
    "
    INSERT INTO taskflow_mailbox ({all})
    SELECT {values}
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (id) DO NOTHING;

    DELETE FROM taskflow_mailbox
    WHERE id IN (SELECT id FROM taskflow_mailbox ORDER BY kept_at DESC, id DESC LIMIT -1 OFFSET ?2)",
);
