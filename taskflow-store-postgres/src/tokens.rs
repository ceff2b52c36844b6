//! Tokens of the links in mail.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{StoreError, Timestamp, Token, TokenId, TokenWrite, UserId};
use taskflow_store_sql::Stored;

use crate::owners::UserLocks;
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

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
                self.new.push_entity(index, token.id.as_uuid(), token)
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

pub(crate) async fn token(store: &PgStore, id: TokenId) -> Result<Option<Token>, StoreError> {
    let query = || sqlx::query_as(TOKEN.text()).bind(id.as_uuid());
    let row: Option<Stored<Token>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static TOKEN: Statement<Token> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.tokens
    WHERE id = $1",
);

async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

static INSERT: Statement<Token> = Statement::new(
    "
    INSERT INTO taskflow.tokens ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})",
);

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
