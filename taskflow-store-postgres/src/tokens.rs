//! What stands behind links in mail.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{CorruptRow, StoreError, Timestamp, Token, TokenId, TokenWrite, UserId};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::owners::UserLocks;
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.tokens");

/// A token as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: TokenId,
    purpose: &'static str,
    user_id: UserId,
    email: &'a str,
    created_at: Timestamp,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

impl<'a> Params<'a> {
    fn new(token: &'a Token) -> Self {
        Self {
            id: token.id,
            purpose: token.purpose.as_str(),
            user_id: token.user_id,
            email: token.email.as_str(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
        }
    }
}

/// A token to use as the parameters of a statement.
#[derive(Serialize)]
struct Use {
    id: TokenId,
    at: Timestamp,
}

/// The writes of tokens as the parameters of statements.
#[derive(Default)]
pub(crate) struct TokenWrites {
    new: Rows,
    used: Rows,
    revoked: Rows,
}

impl TokenWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &TokenWrite, locks: &mut UserLocks) -> Result<(), StoreError> {
        match write {
            TokenWrite::Insert(token) => {
                locks.require(index, token.user_id);
                self.new.push(index, token.id.as_uuid(), &Params::new(token))
            }
            TokenWrite::Use { id, at } => self.used.push(index, id.as_uuid(), &Use { id: *id, at: *at }),
            TokenWrite::Revoke { user_id, purpose, at } => {
                let params = Revoke { user_id: *user_id, purpose: purpose.as_str(), at: *at };
                self.revoked.push(index, user_id.as_uuid(), &params)
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        insert(conn, &self.new).await?;
        mark_used(conn, &self.used).await?;
        revoke(conn, &self.revoked).await
    }
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: Uuid,
    purpose: String,
    user_id: Uuid,
    email: String,
    created_at: Instant,
    expires_at: Instant,
    used_at: Option<Instant>,
}

impl TryFrom<TokenRow> for Token {
    type Error = CorruptRow;

    fn try_from(row: TokenRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: TokenId::from_uuid(row.id),
            purpose: TABLE.value("purpose", &row.purpose)?,
            user_id: UserId::from_uuid(row.user_id),
            email: TABLE.value("email", &row.email)?,
            created_at: TABLE.instant("created_at", row.created_at)?,
            expires_at: TABLE.instant("expires_at", row.expires_at)?,
            used_at: TABLE.optional_instant("used_at", row.used_at)?,
        })
    }
}

pub(crate) async fn token(store: &PgStore, id: TokenId) -> Result<Option<Token>, StoreError> {
    let query = || sqlx::query_as(TOKEN).bind(id.as_uuid());
    let row: Option<TokenRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Token::try_from).transpose()?)
}

const TOKEN: &str = "
    SELECT id, purpose, user_id, email, created_at, expires_at, used_at
    FROM taskflow.tokens
    WHERE id = $1";

async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const INSERT: &str = "
    INSERT INTO taskflow.tokens (id, purpose, user_id, email, created_at, expires_at, used_at)
    SELECT id, purpose, user_id, email, created_at, expires_at, used_at
    FROM json_to_recordset($1::json) AS r (id uuid, purpose text, user_id uuid, email text, created_at timestamptz,
        expires_at timestamptz, used_at timestamptz)";

/// Of two who use a token at once the second waits for the first, and then finds it used.
async fn mark_used(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, SPEND).await?)
}

const SPEND: &str = "
    UPDATE taskflow.tokens AS t
    SET used_at = r.at
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz)
        JOIN taskflow.tokens AS l ON l.id = r.id
        WHERE l.used_at IS NULL
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE t.id = r.id AND t.used_at IS NULL
    RETURNING t.id";

/// Tokens to revoke as the parameters of a statement.
#[derive(Serialize)]
struct Revoke {
    user_id: UserId,
    purpose: &'static str,
    at: Timestamp,
}

async fn revoke(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, REVOKE).await.map(drop)
}

const REVOKE: &str = "
    UPDATE taskflow.tokens AS t
    SET used_at = r.at
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (user_id uuid, purpose text, at timestamptz)
        JOIN taskflow.tokens AS l ON l.user_id = r.user_id AND l.purpose = r.purpose
        WHERE l.used_at IS NULL
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE t.id = r.id AND t.used_at IS NULL
    RETURNING t.id";

pub(crate) const DELETE_TOKENS: &str = "DELETE FROM taskflow.tokens WHERE user_id = ANY ($1)";
