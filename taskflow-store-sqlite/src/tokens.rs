//! What stands behind the links in mail.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CorruptRow, StoreError, Timestamp, Token, TokenId, TokenWrite, UserId};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_tokens");

/// A token as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: TokenId,
    purpose: &'static str,
    user_id: UserId,
    email: &'a str,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
}

impl<'a> Params<'a> {
    fn new(token: &'a Token) -> Self {
        Self {
            id: token.id,
            purpose: token.purpose.as_str(),
            user_id: token.user_id,
            email: token.email.as_str(),
            created_at: token.created_at.as_micros(),
            expires_at: token.expires_at.as_micros(),
            used_at: token.used_at.map(Timestamp::as_micros),
        }
    }
}

/// A token to use as the parameters of a statement.
#[derive(Serialize)]
struct Use {
    id: TokenId,
    at: i64,
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
    pub(crate) fn push(&mut self, index: usize, write: &TokenWrite) -> Result<(), StoreError> {
        match write {
            TokenWrite::Insert(token) => self.new.push(index, token.id, &Params::new(token)),
            TokenWrite::Use { id, at } => self.used.push(index, id, &Use { id: *id, at: at.as_micros() }),
            TokenWrite::Revoke { user_id, purpose, at } => {
                let params = Revoke { user_id: *user_id, purpose: purpose.as_str(), at: at.as_micros() };
                self.revoked.push(index, user_id, &params)
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        mark_used(conn, &self.used).await?;
        revoke(conn, &self.revoked).await?;
        insert(conn, &self.new).await
    }
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: String,
    purpose: String,
    user_id: String,
    email: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
}

impl TryFrom<TokenRow> for Token {
    type Error = CorruptRow;

    fn try_from(row: TokenRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            purpose: TABLE.value("purpose", &row.purpose)?,
            user_id: TABLE.value("user_id", &row.user_id)?,
            email: TABLE.value("email", &row.email)?,
            created_at: TABLE.instant("created_at", row.created_at)?,
            expires_at: TABLE.instant("expires_at", row.expires_at)?,
            used_at: TABLE.optional_instant("used_at", row.used_at)?,
        })
    }
}

pub(crate) async fn token(pool: &SqlitePool, id: TokenId) -> Result<Option<Token>, StoreError> {
    let row: Option<TokenRow> =
        sqlx::query_as(TOKEN).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Token::try_from).transpose()?)
}

const TOKEN: &str = "
    SELECT id, purpose, user_id, email, created_at, expires_at, used_at
    FROM taskflow_tokens
    WHERE id = ?1";

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT).await
}

/// The join leaves out tokens of people who are gone.
const INSERT: &str = "
    INSERT INTO taskflow_tokens (id, purpose, user_id, email, created_at, expires_at, used_at)
    SELECT j.value ->> 'id', j.value ->> 'purpose', u.id, j.value ->> 'email', j.value ->> 'created_at',
        j.value ->> 'expires_at', j.value ->> 'used_at'
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'
    RETURNING id";

/// `Stale` unless each is there and was not used before.
async fn mark_used(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, USE).await
}

const USE: &str = "
    UPDATE taskflow_tokens
    SET used_at = j.value ->> 'at'
    FROM json_each(?1) AS j
    WHERE taskflow_tokens.id = j.value ->> 'id' AND taskflow_tokens.used_at IS NULL
    RETURNING id";

/// Tokens to revoke as the parameters of a statement.
#[derive(Serialize)]
struct Revoke {
    user_id: UserId,
    purpose: &'static str,
    at: i64,
}

async fn revoke(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(REVOKE).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const REVOKE: &str = "
    UPDATE taskflow_tokens
    SET used_at = j.value ->> 'at'
    FROM json_each(?1) AS j
    WHERE taskflow_tokens.user_id = j.value ->> 'user_id' AND taskflow_tokens.purpose = j.value ->> 'purpose'
        AND taskflow_tokens.used_at IS NULL";
