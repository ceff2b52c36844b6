//! People.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{CorruptRow, EmailAddress, StoreError, UniqueField, User, UserId, UserWrite};

use crate::error::{Table, store_error};
use crate::preferences::PreferencesRow;
use crate::rows::Rows;
use crate::{deliveries, preferences};

const TABLE: Table = Table("taskflow_users");

/// A person as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: UserId,
    username: &'a str,
    username_key: String,
    email: &'a str,
    email_key: String,
    email_verified: bool,
    time_zone: &'a str,
    locale: &'a str,
    #[serde(flatten)]
    preferences: preferences::Params,
    is_active: bool,
    is_admin: bool,
    version: u64,
    created_at: i64,
    updated_at: i64,
}

impl<'a> Params<'a> {
    fn new(user: &'a User) -> Self {
        Self {
            id: user.id,
            username: user.username.as_str(),
            username_key: user.username.key(),
            email: user.email.as_str(),
            email_key: user.email.key(),
            email_verified: user.email_verified,
            time_zone: user.time_zone.name(),
            locale: user.locale.as_str(),
            preferences: preferences::Params::new(&user.preferences),
            is_active: user.is_active,
            is_admin: user.is_admin,
            version: user.version,
            created_at: user.created_at.as_micros(),
            updated_at: user.updated_at.as_micros(),
        }
    }
}

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
    deleted: Rows,
}

impl UserWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UserWrite) -> Result<(), StoreError> {
        match write {
            UserWrite::Insert(user) => self.new.push(index, user.id, &Params::new(user)),
            UserWrite::Update(user) => self.changed.push(index, user.id, &Params::new(user)),
            UserWrite::Delete { id, at } => self.deleted.push(index, id, &Deletion { id: *id, at: at.as_micros() }),
        }
    }

    /// Runs the statements, except those that delete.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }

    /// Deletes accounts, after everything that the commit writes of them.
    pub(crate) async fn delete(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        delete(conn, &self.deleted).await
    }
}

/// A person as the table has them; also part of wider rows.
#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: String,
    username: String,
    email: String,
    email_verified: bool,
    time_zone: String,
    locale: String,
    #[sqlx(flatten)]
    preferences: PreferencesRow,
    is_active: bool,
    is_admin: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<UserRow> for User {
    type Error = CorruptRow;

    fn try_from(row: UserRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            username: TABLE.value("username", &row.username)?,
            email: TABLE.value("email", &row.email)?,
            email_verified: row.email_verified,
            time_zone: TABLE.value("time_zone", &row.time_zone)?,
            locale: TABLE.value("locale", &row.locale)?,
            preferences: row.preferences.try_into()?,
            is_active: row.is_active,
            is_admin: row.is_admin,
            version: TABLE.number("version", row.version)?,
            created_at: TABLE.instant("created_at", row.created_at)?,
            updated_at: TABLE.instant("updated_at", row.updated_at)?,
        })
    }
}

pub(crate) async fn user(pool: &SqlitePool, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> =
        sqlx::query_as(USER).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(User::try_from).transpose()?)
}

const USER: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow_users
    WHERE id = ?1";

pub(crate) async fn users(pool: &SqlitePool, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<UserRow> = sqlx::query_as(USERS).bind(ids).fetch_all(pool).await.map_err(store_error)?;
    rows.into_iter().map(|row| Ok((TABLE.value("id", &row.id)?, User::try_from(row)))).collect()
}

const USERS: &str = "
    SELECT u.id, u.username, u.email, u.email_verified, u.time_zone, u.locale, u.mail_off, u.quiet_from, u.quiet_until,
        u.summary_minute, u.summary_days, u.is_active, u.is_admin, u.version, u.created_at, u.updated_at
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value";

pub(crate) async fn users_after(pool: &SqlitePool, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
    // Every id is greater than the empty text.
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<UserRow> =
        sqlx::query_as(USERS_AFTER).bind(after).bind(size).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
}

const USERS_AFTER: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow_users
    WHERE id > ?1
    ORDER BY id
    LIMIT ?2";

/// People who have shown that one of these addresses is theirs, each once.
pub(crate) async fn users_by_email(pool: &SqlitePool, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let keys = serde_json::to_string(&keys).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<UserRow> = sqlx::query_as(USERS_BY_EMAIL).bind(keys).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
}

const USERS_BY_EMAIL: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow_users
    WHERE email_key IN (SELECT value FROM json_each(?1)) AND email_verified = 1";

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    match sqlx::query(INSERT).bind(rows.json()).execute(&mut *conn).await {
        Ok(_) => Ok(()),
        Err(error) => Err(taken(conn, rows, error).await),
    }
}

const INSERT: &str = "
    INSERT INTO taskflow_users (id, username, username_key, email, email_key, email_verified, time_zone, locale,
        mail_off, quiet_from, quiet_until, summary_minute, summary_days, is_active, is_admin, version, created_at,
        updated_at)
    SELECT value ->> 'id', value ->> 'username', value ->> 'username_key', value ->> 'email', value ->> 'email_key',
        value ->> 'email_verified', value ->> 'time_zone', value ->> 'locale', value ->> 'mail_off',
        value ->> 'quiet_from', value ->> 'quiet_until', value ->> 'summary_minute', value ->> 'summary_days',
        value ->> 'is_active', value ->> 'is_admin', value ->> 'version', value ->> 'created_at', value ->> 'updated_at'
    FROM json_each(?1)";

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(UPDATE).bind(rows.json()).bind(preferences::known_kinds()?);
    match query.fetch_all(&mut *conn).await {
        Ok(found) => rows.all_found(&found),
        Err(error) => Err(taken(conn, rows, error).await),
    }
}

const UPDATE: &str = "
    UPDATE taskflow_users
    SET username = j.value ->> 'username',
        username_key = j.value ->> 'username_key',
        email = j.value ->> 'email',
        email_key = j.value ->> 'email_key',
        email_verified = j.value ->> 'email_verified',
        time_zone = j.value ->> 'time_zone',
        locale = j.value ->> 'locale',
        mail_off = (
            SELECT json_group_array(kind)
            FROM (
                SELECT value AS kind FROM json_each(j.value, '$.mail_off')
                UNION ALL
                SELECT value FROM json_each(mail_off) WHERE value NOT IN (SELECT value FROM json_each(?2)))),
        quiet_from = j.value ->> 'quiet_from',
        quiet_until = j.value ->> 'quiet_until',
        summary_minute = j.value ->> 'summary_minute',
        summary_days = j.value ->> 'summary_days',
        is_active = j.value ->> 'is_active',
        is_admin = j.value ->> 'is_admin',
        version = j.value ->> 'version',
        updated_at = j.value ->> 'updated_at'
    FROM json_each(?1) AS j
    WHERE taskflow_users.id = j.value ->> 'id' AND taskflow_users.version = (j.value ->> 'version') - 1
    RETURNING id";

/// Which row was refused, and why: SQLite names neither. The failed statement has left nothing behind, so the rows are
/// compared with the table and with each other.
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

    DELETE FROM taskflow_user_statistics WHERE user_id IN (SELECT value ->> 'id' FROM json_each(?1));

    UPDATE taskflow_meetings SET created_by = NULL WHERE created_by IN (SELECT value ->> 'id' FROM json_each(?1));

    UPDATE taskflow_meeting_participants
    SET user_id = NULL
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
