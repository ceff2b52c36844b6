//! People.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{EmailAddress, NoticeKind, StoreError, Timestamp, UniqueField, User, UserId, UserWrite};
use taskflow_store_sql::{Stored, read_all};
use uuid::Uuid;

use crate::clearing::Clearing;
use crate::error::store_error;
use crate::quotas::DELETE_QUOTAS;
use crate::responses::DELETE_RESPONSES;
use crate::rows::{Rows, Statement};
use crate::statistics::DELETE_STATISTICS;
use crate::store::PgStore;
use crate::tokens::DELETE_TOKENS;
use crate::{deliveries, meetings, sessions};

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
        self.rows.push_entity(write, user.id.as_uuid(), user)
    }

    /// Returns the error for a row that was refused: the constraint names the field, and the detail of the error gives
    /// its value.
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
    cleared: Vec<Clearing>,
    deleted: Rows,
}

impl UserWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &UserWrite) -> Result<(), StoreError> {
        match write {
            UserWrite::Insert(user) => self.new.push(index, user),
            UserWrite::Update(user) => self.changed.push(index, user),
            UserWrite::Clear { id, limit, at } => {
                self.cleared.push(Clearing { write: index, id: *id, limit: *limit, at: *at });
                Ok(())
            }
            UserWrite::Delete { id, at } => self.deleted.push(index, id.as_uuid(), &Deletion { id: *id, at: *at }),
        }
    }

    /// Runs the statements, except those that delete.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }

    /// Clears and deletes accounts, after everything that the commit writes of them.
    pub(crate) async fn delete(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        for clearing in &self.cleared {
            clearing.run(conn).await?;
        }
        delete(conn, &self.deleted).await
    }
}

pub(crate) async fn user(store: &PgStore, id: UserId) -> Result<Option<User>, StoreError> {
    let query = || sqlx::query_as(USER.text()).bind(id.as_uuid());
    let row: Option<Stored<User>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static USER: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.users
    WHERE id = $1 AND deleted_at IS NULL",
);

pub(crate) async fn users(store: &PgStore, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let query = || sqlx::query_as(USERS.text()).bind(ids.clone());
    let rows: Vec<Stored<User>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static USERS: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.users
    WHERE id = ANY ($1) AND deleted_at IS NULL",
);

pub(crate) async fn users_after(store: &PgStore, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError> {
    // Every id is greater than the nil UUID, which is none.
    let after = after.map_or(Uuid::nil(), UserId::as_uuid);
    let query = || sqlx::query_as(USERS_AFTER.text()).bind(after).bind(i64::from(size));
    let rows: Vec<Stored<User>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static USERS_AFTER: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.users
    WHERE id > $1 AND deleted_at IS NULL
    ORDER BY id
    LIMIT $2",
);

pub(crate) async fn deleted_users(
    store: &PgStore,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let after = after.map_or(Uuid::nil(), UserId::as_uuid);
    let query = || sqlx::query_scalar(DELETED_USERS).bind(after).bind(i64::from(limit));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(UserId::from_uuid).collect())
}

const DELETED_USERS: &str = "
    SELECT id
    FROM taskflow.users
    WHERE id > $1 AND deleted_at IS NOT NULL
    ORDER BY id
    LIMIT $2";

pub(crate) async fn users_by_email(store: &PgStore, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError> {
    let keys: Vec<String> = addresses.iter().map(EmailAddress::key).collect();
    let query = || sqlx::query_as(USERS_BY_EMAIL.text()).bind(keys.clone());
    let rows: Vec<Stored<User>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static USERS_BY_EMAIL: Statement<User> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.users
    WHERE email_key = ANY ($1) AND email_verified
    ORDER BY id",
);

async fn insert(conn: &mut PgConnection, people: &People) -> Result<(), StoreError> {
    if people.rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(INSERT.text()).bind(people.rows.json());
    query.execute(conn).await.map(drop).map_err(|error| people.taken(error))
}

static INSERT: Statement<User> = Statement::new(
    "
    INSERT INTO taskflow.users ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})",
);

/// The kinds of mail that this build knows: what else somebody has switched off, on a node of a newer release, stays as
/// it is.
fn known_kinds() -> Vec<&'static str> {
    NoticeKind::known().into_iter().map(NoticeKind::as_str).collect()
}

async fn update(conn: &mut PgConnection, people: &People) -> Result<(), StoreError> {
    if people.rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(UPDATE.text()).bind(people.rows.json()).bind(known_kinds());
    match query.fetch_all(conn).await {
        Ok(found) => people.rows.all_found(&found),
        Err(error) => Err(people.taken(error)),
    }
}

static UPDATE: Statement<User> = Statement::new(
    "
    UPDATE taskflow.users AS u
    SET {set},
        mail_off = r.mail_off || ARRAY(SELECT kind FROM unnest(u.mail_off) AS kind WHERE kind <> ALL ($2))
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r ({record})
        JOIN taskflow.users AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE u.id = r.id AND u.version = r.version - 1
    RETURNING u.id",
);

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
        DELETE_QUOTAS,
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
