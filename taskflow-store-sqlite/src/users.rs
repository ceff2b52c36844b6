//! People.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{EmailAddress, NoticeKind, StoreError, UniqueField, User, UserId, UserWrite};
use taskflow_store_sql::{Stored, or_record, read_all};

use crate::clearing::Clearing;
use crate::deliveries;
use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};

const TABLE: Table = Table("taskflow_users");

/// An account to delete as the parameters of a statement.
#[derive(Serialize)]
struct Deletion {
    id: UserId,
    at: i64,
}

/// The writes of accounts as the parameters of statements.
#[derive(Default)]
pub(crate) struct UserWrites {
    new: Rows,
    changed: Rows,
    cleared: Vec<Clearing>,
    deleted: Rows,
}

impl UserWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UserWrite) -> Result<(), StoreError> {
        match write {
            UserWrite::Insert(user) => self.new.push_entity(index, user.id, user),
            UserWrite::Update(user) => self.changed.push_entity(index, user.id, user),
            UserWrite::Clear { id, limit, at } => {
                self.cleared.push(Clearing { write: index, id: *id, limit: *limit, at: *at });
                Ok(())
            }
            UserWrite::Delete { id, at } => self.deleted.push(index, id, &Deletion { id: *id, at: at.as_micros() }),
        }
    }

    /// Runs the statements, except those that delete.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }

    /// Clears and deletes accounts, after everything that the commit writes of them.
    pub(crate) async fn delete(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for clearing in &self.cleared {
            clearing.run(conn).await?;
        }
        delete(conn, &self.deleted).await
    }
}

pub(crate) async fn user(pool: &SqlitePool, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<Stored<User>> =
        sqlx::query_as(USER.text()).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static USER: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_users
    WHERE id = ?1 AND deleted_at IS NULL",
);

pub(crate) async fn users(pool: &SqlitePool, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<Stored<User>> = sqlx::query_as(USERS.text()).bind(ids).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static USERS: Statement<User> = Statement::new(
    "
    SELECT {u.columns}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value AND u.deleted_at IS NULL",
);

pub(crate) async fn users_after(pool: &SqlitePool, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
    // Every id is greater than the empty text.
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<Stored<User>> =
        sqlx::query_as(USERS_AFTER.text()).bind(after).bind(size).fetch_all(pool).await.map_err(store_error)?;
    Ok(read_all(rows))
}

static USERS_AFTER: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_users
    WHERE id > ?1 AND deleted_at IS NULL
    ORDER BY id
    LIMIT +?2",
);

pub(crate) async fn deleted_users(
    pool: &SqlitePool,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query = sqlx::query_scalar(DELETED_USERS).bind(after).bind(limit);
    let ids: Vec<String> = query.fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("id", id))).collect())
}

const DELETED_USERS: &str = "
    SELECT id
    FROM taskflow_users
    WHERE id > ?1 AND deleted_at IS NOT NULL
    ORDER BY id
    LIMIT +?2";

/// People who have shown that one of these addresses is theirs, each once.
pub(crate) async fn users_by_email(pool: &SqlitePool, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let keys = serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<Stored<User>> =
        sqlx::query_as(USERS_BY_EMAIL.text()).bind(keys).fetch_all(pool).await.map_err(store_error)?;
    Ok(read_all(rows))
}

static USERS_BY_EMAIL: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_users
    WHERE email_key IN (SELECT value FROM json_each(?1)) AND email_verified = 1",
);

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    match sqlx::query(INSERT.text()).bind(rows.json()).execute(&mut *conn).await {
        Ok(_) => Ok(()),
        Err(error) => Err(taken(conn, rows, error).await),
    }
}

static INSERT: Statement<User> = Statement::new(
    "
    INSERT INTO taskflow_users ({all})
    SELECT {values}
    FROM json_each(?1)",
);

/// The kinds of mail that this build knows, as a JSON array: what else somebody has switched off, on a node of a newer
/// release, stays as it is.
fn known_kinds() -> Result<String, StoreError> {
    serde_json::to_string(&NoticeKind::known()).map_err(|error| StoreError::Internal(error.into()))
}

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(UPDATE.text()).bind(rows.json()).bind(known_kinds()?);
    match query.fetch_all(&mut *conn).await {
        Ok(found) => rows.all_found(&found),
        Err(error) => Err(taken(conn, rows, error).await),
    }
}

static UPDATE: Statement<User> = Statement::new(
    "
    UPDATE taskflow_users
    SET {set},
        mail_off = (
            SELECT json_group_array(kind)
            FROM (
                SELECT value AS kind FROM json_each(j.value, '$.mail_off')
                UNION ALL
                SELECT value FROM json_each(mail_off) WHERE value NOT IN (SELECT value FROM json_each(?2))))
    FROM json_each(?1) AS j
    WHERE taskflow_users.id = j.value ->> 'id' AND taskflow_users.version = (j.value ->> 'version') - 1
    RETURNING id",
);

/// Returns which row was refused, and why. SQLite names neither. The failed statement has left nothing behind, so the
/// rows are compared with the table and with each other.
async fn taken(conn: &mut SqliteConnection, rows: &Rows, error: sqlx::Error) -> StoreError {
    if !error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
        return store_error(error);
    }
    let found: Result<Option<(i64, bool)>, _> =
        sqlx::query_as(TAKEN).bind(rows.json()).fetch_optional(&mut *conn).await;
    let Ok(Some((row, by_name))) = found else { return store_error(error) };
    let field = if by_name { UniqueField::Username } else { UniqueField::Email };
    match usize::try_from(row).ok().and_then(|row| rows.write(row)) {
        Some(write) => StoreError::Taken { field, write },
        None => store_error(error),
    }
}

const TAKEN: &str = "
    SELECT j.key AS row, 1 AS by_name
    FROM json_each(?1) AS j
    JOIN taskflow_users AS u ON u.username_key = j.value ->> 'username_key'
    WHERE u.id <> j.value ->> 'id'
    UNION ALL
    SELECT j.key, 0
    FROM json_each(?1) AS j
    JOIN taskflow_users AS u ON u.email_key = j.value ->> 'email_key'
    WHERE u.id <> j.value ->> 'id'
    UNION ALL
    SELECT j.key, 1
    FROM json_each(?1) AS j
    JOIN json_each(?1) AS earlier ON earlier.value ->> 'username_key' = j.value ->> 'username_key'
    WHERE earlier.key < j.key
    UNION ALL
    SELECT j.key, 0
    FROM json_each(?1) AS j
    JOIN json_each(?1) AS earlier ON earlier.value ->> 'email_key' = j.value ->> 'email_key'
    WHERE earlier.key < j.key
    ORDER BY 1, 2 DESC
    LIMIT 1";

/// Removes accounts with everything that is theirs; meetings stay, for the others in them.
async fn delete(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    deliveries::cancel_for_users(conn, rows).await?;
    let found: Vec<String> = sqlx::query_scalar(DELETE).bind(rows.json()).fetch_all(conn).await.map_err(store_error)?;
    rows.all_found(&found)
}

/// The history of their tasks goes, except what the feeds of others still show: those have no gaps.
const DELETE: &str = "
    DELETE FROM taskflow_credentials WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_tokens WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_answers WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_quotas WHERE subject IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_user_statistics WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    UPDATE taskflow_meetings SET created_by = NULL WHERE created_by IN (SELECT value ->> 'id' FROM json_each(?1));

    UPDATE taskflow_meeting_participants
    SET user_id = NULL, version = version + 1
    WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    UPDATE taskflow_sessions
    SET ended_at = j.value ->> 'at'
    FROM json_each(?1) AS j
    WHERE taskflow_sessions.user_id = j.value ->> 'id' AND taskflow_sessions.ended_at IS NULL;

    DELETE FROM taskflow_feed WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_feed_heads WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_events
    WHERE entity_kind = 'task'
        AND entity_id IN (
            SELECT t.id FROM taskflow_tasks AS t WHERE t.user_id IN (SELECT value ->> 'id' FROM json_each(?1)))
        AND NOT EXISTS (SELECT 1 FROM taskflow_feed AS f WHERE f.event_id = taskflow_events.id);

    UPDATE taskflow_events
    SET in_history = 0
    WHERE entity_kind = 'task'
        AND entity_id IN (
            SELECT t.id FROM taskflow_tasks AS t WHERE t.user_id IN (SELECT value ->> 'id' FROM json_each(?1)));

    DELETE FROM taskflow_tasks WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    DELETE FROM taskflow_users WHERE id IN (SELECT value ->> 'id' FROM json_each(?1)) RETURNING id";
