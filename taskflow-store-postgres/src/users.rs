//! People.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{CorruptRow, EmailAddress, StoreError, Timestamp, UniqueField, User, UserId, UserWrite};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::preferences::PreferencesRow;
use crate::responses::DELETE_RESPONSES;
use crate::rows::Rows;
use crate::statistics::DELETE_STATISTICS;
use crate::store::PgStore;
use crate::tokens::DELETE_TOKENS;
use crate::{deliveries, meetings, preferences, sessions};

const TABLE: Table = Table("taskflow.users");

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
    created_at: Timestamp,
    updated_at: Timestamp,
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
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// An account to delete as the parameters of a statement.
#[derive(Serialize)]
struct Deletion {
    id: UserId,
    at: Timestamp,
}

/// People to write, and what nobody else may be called.
#[derive(Default)]
struct People {
    rows: Rows,
    /// Row by row: the keys of name and address.
    keys: Vec<[String; 2]>,
}

impl People {
    fn push(&mut self, write: usize, user: &User) -> Result<(), StoreError> {
        self.keys.push([user.username.key(), user.email.key()]);
        self.rows.push(write, user.id.as_uuid(), &Params::new(user))
    }

    /// Which row was refused, and why: the constraint names the field, and the detail of the error its value.
    fn taken(&self, error: sqlx::Error) -> StoreError {
        let refused =
            error.as_database_error().and_then(|error| error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>());
        let (field, key) = match refused.and_then(sqlx::postgres::PgDatabaseError::constraint) {
            Some("idx_users_username") => (UniqueField::Username, 0),
            Some("idx_users_email") => (UniqueField::Email, 1),
            _ => return store_error(error),
        };
        let detail = refused.and_then(|error| error.detail()).unwrap_or_default();
        // Of two rows in one statement that want the same it is the later one.
        let row = self.keys.iter().rposition(|keys| detail.contains(&format!("=({})", keys[key])));
        // The server leaves the detail out when we may not read the table, but then nothing works.
        match self.rows.write(row.unwrap_or_default()) {
            Some(write) => StoreError::Taken { field, write },
            None => store_error(error),
        }
    }
}

/// The writes of accounts as the parameters of statements.
#[derive(Default)]
pub(crate) struct UserWrites {
    new: People,
    changed: People,
    deleted: Rows,
}

impl UserWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UserWrite) -> Result<(), StoreError> {
        match write {
            UserWrite::Insert(user) => self.new.push(index, user),
            UserWrite::Update(user) => self.changed.push(index, user),
            UserWrite::Delete { id, at } => self.deleted.push(index, id.as_uuid(), &Deletion { id: *id, at: *at }),
        }
    }

    /// Runs the statements, except those that delete.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }

    /// Deletes accounts, after everything that the commit writes of them.
    pub(crate) async fn delete(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        delete(conn, &self.deleted).await
    }
}

/// A person as the table has them; also part of wider rows.
#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: Uuid,
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
    created_at: Instant,
    updated_at: Instant,
}

impl TryFrom<UserRow> for User {
    type Error = CorruptRow;

    fn try_from(row: UserRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
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

pub(crate) async fn user(store: &PgStore, id: UserId) -> Result<Option<User>, StoreError> {
    let query = || sqlx::query_as(USER).bind(id.as_uuid());
    let row: Option<UserRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(User::try_from).transpose()?)
}

const USER: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow.users
    WHERE id = $1";

pub(crate) async fn users(store: &PgStore, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(USERS).bind(ids.clone());
    let rows: Vec<UserRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(|row| (UserId::from_uuid(row.id), User::try_from(row))).collect())
}

const USERS: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow.users
    WHERE id = ANY ($1)";

pub(crate) async fn users_after(store: &PgStore, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
    // Every id is greater than the nil UUID, which is none.
    let after = after.map_or(Uuid::nil(), UserId::as_uuid);
    let query = || sqlx::query_as(USERS_AFTER).bind(after).bind(i64::from(size));
    let rows: Vec<UserRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
}

const USERS_AFTER: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow.users
    WHERE id > $1
    ORDER BY id
    LIMIT $2";

pub(crate) async fn users_by_email(store: &PgStore, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let query = || sqlx::query_as(USERS_BY_EMAIL).bind(keys.clone());
    let rows: Vec<UserRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
}

const USERS_BY_EMAIL: &str = "
    SELECT id, username, email, email_verified, time_zone, locale, mail_off, quiet_from, quiet_until, summary_minute,
        summary_days, is_active, is_admin, version, created_at, updated_at
    FROM taskflow.users
    WHERE email_key = ANY ($1) AND email_verified
    ORDER BY id";

async fn insert(conn: &mut PgConnection, people: &People) -> Result<(), StoreError> {
    if people.rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(INSERT).bind(people.rows.json());
    query.execute(conn).await.map(drop).map_err(|error| people.taken(error))
}

const INSERT: &str = "
    INSERT INTO taskflow.users (id, username, username_key, email, email_key, email_verified, time_zone, locale,
        mail_off, quiet_from, quiet_until, summary_minute, summary_days, is_active, is_admin, version, created_at,
        updated_at)
    SELECT id, username, username_key, email, email_key, email_verified, time_zone, locale, mail_off, quiet_from,
        quiet_until, summary_minute, summary_days, is_active, is_admin, version, created_at, updated_at
    FROM json_to_recordset($1::json) AS r (id uuid, username text, username_key text, email text, email_key text,
        email_verified boolean, time_zone text, locale text, mail_off text[], quiet_from smallint, quiet_until smallint,
        summary_minute smallint, summary_days smallint, is_active boolean, is_admin boolean, version bigint,
        created_at timestamptz, updated_at timestamptz)";

async fn update(conn: &mut PgConnection, people: &People) -> Result<(), StoreError> {
    if people.rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(UPDATE).bind(people.rows.json()).bind(preferences::known_kinds());
    match query.fetch_all(conn).await {
        Ok(found) => people.rows.all_found(&found),
        Err(error) => Err(people.taken(error)),
    }
}

const UPDATE: &str = "
    UPDATE taskflow.users AS u
    SET username = r.username,
        username_key = r.username_key,
        email = r.email,
        email_key = r.email_key,
        email_verified = r.email_verified,
        time_zone = r.time_zone,
        locale = r.locale,
        mail_off = r.mail_off || ARRAY(SELECT kind FROM unnest(u.mail_off) AS kind WHERE kind <> ALL ($2)),
        quiet_from = r.quiet_from,
        quiet_until = r.quiet_until,
        summary_minute = r.summary_minute,
        summary_days = r.summary_days,
        is_active = r.is_active,
        is_admin = r.is_admin,
        version = r.version,
        updated_at = r.updated_at
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, username text, username_key text, email text, email_key text,
            email_verified boolean, time_zone text, locale text, mail_off text[], quiet_from smallint,
            quiet_until smallint, summary_minute smallint, summary_days smallint, is_active boolean, is_admin boolean,
            version bigint, updated_at timestamptz)
        JOIN taskflow.users AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE u.id = r.id AND u.version = r.version - 1
    RETURNING u.id";

/// Removes accounts with everything that is theirs. Who is locked here gets nothing new any more: tasks and feed entries
/// of others wait, and then find nobody.
async fn delete(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let found: Vec<Uuid> =
        sqlx::query_scalar(LOCK).bind(rows.ids()).fetch_all(&mut *conn).await.map_err(store_error)?;
    rows.all_found(&found)?;
    meetings::forget_organizers(conn, rows).await?;
    meetings::participants::forget_users(conn, rows).await?;
    deliveries::cancel_for_users(conn, rows).await?;
    sessions::end_for_users(conn, rows).await?;
    for statement in [
        DELETE_CREDENTIALS,
        DELETE_TOKENS,
        DELETE_RESPONSES,
        DELETE_STATISTICS,
        DELETE_FEEDS,
        DELETE_FEED_HEADS,
        DELETE_EVENTS,
        KEEP_SHARED_EVENTS,
        DELETE_TASKS,
        DELETE_USERS,
    ] {
        sqlx::query(statement).bind(rows.ids()).execute(&mut *conn).await.map_err(store_error)?;
    }
    Ok(())
}

const LOCK: &str = "SELECT id FROM taskflow.users WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

const DELETE_CREDENTIALS: &str = "DELETE FROM taskflow.credentials WHERE user_id = ANY ($1)";

const DELETE_FEEDS: &str = "DELETE FROM taskflow.feed WHERE user_id = ANY ($1)";

const DELETE_FEED_HEADS: &str = "DELETE FROM taskflow.feed_heads WHERE user_id = ANY ($1)";

/// The history of their tasks goes, except what the feeds of others still show: those have no gaps.
const DELETE_EVENTS: &str = "
    DELETE FROM taskflow.events AS e
    WHERE e.entity_kind = 'task'
        AND e.entity_id IN (SELECT t.id FROM taskflow.tasks AS t WHERE t.user_id = ANY ($1))
        AND NOT EXISTS (SELECT 1 FROM taskflow.feed AS f WHERE f.event_id = e.id)";

const KEEP_SHARED_EVENTS: &str = "
    UPDATE taskflow.events AS e
    SET in_history = false
    WHERE e.entity_kind = 'task'
        AND e.entity_id IN (SELECT t.id FROM taskflow.tasks AS t WHERE t.user_id = ANY ($1))";

const DELETE_TASKS: &str = "DELETE FROM taskflow.tasks WHERE user_id = ANY ($1)";

const DELETE_USERS: &str = "DELETE FROM taskflow.users WHERE id = ANY ($1)";
