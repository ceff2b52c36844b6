//! The dev mailbox.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{CapturedMail, Content, CorruptRow, DeliveryId, MAILBOX_SIZE, MailboxWrite, StoreError, Timestamp};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.mailbox");

/// A mail as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: DeliveryId,
    kept_at: Timestamp,
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
            kept_at: mail.kept_at,
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
            MailboxWrite::Capture(mail) => self.captured.push(index, mail.id.as_uuid(), &Params::new(mail)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        capture(conn, &self.captured).await
    }
}

#[derive(sqlx::FromRow)]
struct MailRow {
    id: Uuid,
    kept_at: Instant,
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
            id: DeliveryId::from_uuid(row.id),
            kept_at: TABLE.instant("kept_at", row.kept_at)?,
            to: TABLE.value("recipient", &row.recipient)?,
            content: Content { subject: row.subject, text: row.text, html: row.html },
            source: row.source,
        })
    }
}

pub(crate) async fn mails(store: &PgStore, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
    let query = || sqlx::query_as(MAILS).bind(i64::from(limit));
    let rows: Vec<MailRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(CapturedMail::try_from).collect::<Result<_, _>>()?)
}

const MAILS: &str = "
    SELECT id, kept_at, recipient, subject, text, html, source
    FROM taskflow.mailbox
    ORDER BY kept_at DESC, id DESC
    LIMIT $1";

pub(crate) async fn mail(store: &PgStore, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
    let query = || sqlx::query_as(MAIL).bind(id.as_uuid());
    let row: Option<MailRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(CapturedMail::try_from).transpose()?)
}

const MAIL: &str = "
    SELECT id, kept_at, recipient, subject, text, html, source
    FROM taskflow.mailbox
    WHERE id = $1";

/// Puts mails in and takes the oldest out, so that as many are left as there may be.
async fn capture(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(KEEP).bind(rows.json()).execute(&mut *conn).await.map_err(store_error)?;
    let most = i64::try_from(MAILBOX_SIZE).unwrap_or(i64::MAX);
    sqlx::query(MAKE_ROOM).bind(most).execute(conn).await.map(drop).map_err(store_error)
}

const KEEP: &str = "
    INSERT INTO taskflow.mailbox (id, kept_at, recipient, subject, text, html, source)
    SELECT id, kept_at, recipient, subject, text, html, source
    FROM json_to_recordset($1::json) AS r (id uuid, kept_at timestamptz, recipient text, subject text, text text,
        html text, source text)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING";

/// What somebody else is taking out at this moment is left to them.
const MAKE_ROOM: &str = "
    DELETE FROM taskflow.mailbox
    WHERE id IN (
        SELECT id
        FROM taskflow.mailbox
        WHERE id IN (SELECT id FROM taskflow.mailbox ORDER BY kept_at DESC, id DESC OFFSET $1)
        FOR UPDATE SKIP LOCKED)";
