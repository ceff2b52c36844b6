//! Tokens of the links in mail.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{StoreError, Token, TokenId, TokenWrite, UserId};
use taskflow_store_sql::Stored;

use crate::error::store_error;
use crate::rows::{Rows, Statement};

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
            TokenWrite::Insert(token) => self.new.push_entity(index, token.id, token),
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

pub(crate) async fn token(pool: &SqlitePool, id: TokenId) -> Result<Option<Token>, StoreError> {
    let row: Option<Stored<Token>> =
        sqlx::query_as(TOKEN.text()).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static TOKEN: Statement<Token> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_tokens
    WHERE id = ?1",
);

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT.text()).await
}

/// The join leaves out tokens of people who are gone.
static INSERT: Statement<Token> = Statement::new(
    "
    INSERT INTO taskflow_tokens ({all})
    SELECT {j.values}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    RETURNING id",
);

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
