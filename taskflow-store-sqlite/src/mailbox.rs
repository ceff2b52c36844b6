//! The dev mailbox.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CapturedMail, Content, CorruptRow, DeliveryId, MAILBOX_SIZE, MailboxWrite, StoreError};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_mailbox");

/// A mail as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: DeliveryId,
    kept_at: i64,
    recipient: &'a str,
    subject: &'a str,
    text: &'a str,
    html: Option<&'a str>,
    source: &'a str,
}

impl<'a> Params<'a> {
    fn new(mail: &'a CapturedMail) -> Self {
        Self {
            id: mail.id,
            kept_at: mail.kept_at.as_micros(),
            recipient: mail.to.as_str(),
            subject: &mail.content.subject,
            text: &mail.content.text,
            html: mail.content.html.as_deref(),
            source: &mail.source,
        }
    }
}

/// The writes of the dev mailbox as the parameters of statements.
#[derive(Default)]
pub(crate) struct MailboxWrites {
    captured: Rows,
}

impl MailboxWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &MailboxWrite) -> Result<(), StoreError> {
        match write {
            MailboxWrite::Capture(mail) => self.captured.push(index, mail.id, &Params::new(mail)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        capture(conn, &self.captured).await
    }
}

#[derive(sqlx::FromRow)]
struct MailRow {
    id: String,
    kept_at: i64,
    recipient: String,
    subject: String,
    text: String,
    html: Option<String>,
    source: String,
}

impl TryFrom<MailRow> for CapturedMail {
    type Error = CorruptRow;

    fn try_from(row: MailRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            kept_at: TABLE.instant("kept_at", row.kept_at)?,
            to: TABLE.value("recipient", &row.recipient)?,
            content: Content { subject: row.subject, text: row.text, html: row.html },
            source: row.source,
        })
    }
}

pub(crate) async fn mails(pool: &SqlitePool, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
    let rows: Vec<MailRow> = sqlx::query_as(MAILS).bind(limit).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(CapturedMail::try_from).collect::<Result<_, _>>()?)
}

const MAILS: &str = "
    SELECT id, kept_at, recipient, subject, text, html, source
    FROM taskflow_mailbox
    ORDER BY kept_at DESC, id DESC
    LIMIT ?1";

pub(crate) async fn mail(pool: &SqlitePool, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
    let row: Option<MailRow> =
        sqlx::query_as(MAIL).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(CapturedMail::try_from).transpose()?)
}

const MAIL: &str = "
    SELECT id, kept_at, recipient, subject, text, html, source
    FROM taskflow_mailbox
    WHERE id = ?1";

/// Puts mails in and takes the oldest out, so that as many are left as there may be.
async fn capture(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let most = i64::try_from(MAILBOX_SIZE).unwrap_or(i64::MAX);
    sqlx::query(KEEP).bind(rows.json()).bind(most).execute(conn).await.map(drop).map_err(store_error)
}

const KEEP: &str = "
    INSERT INTO taskflow_mailbox (id, kept_at, recipient, subject, text, html, source)
    SELECT value ->> 'id', value ->> 'kept_at', value ->> 'recipient', value ->> 'subject', value ->> 'text',
        value ->> 'html', value ->> 'source'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (id) DO NOTHING;

    DELETE FROM taskflow_mailbox
    WHERE id IN (SELECT id FROM taskflow_mailbox ORDER BY kept_at DESC, id DESC LIMIT -1 OFFSET ?2)";
