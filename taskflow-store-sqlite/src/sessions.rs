//! Sign-ins that last. Ended ones stay, so that every node learns of their end.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{Session, SessionId, SessionWrite, StoreError, Timestamp, UserId};
use taskflow_store_sql::{Stored, or_record, read_all};

use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};

const TABLE: Table = Table("taskflow_sessions");

/// Sessions to end as the parameters of a statement.
#[derive(Serialize)]
struct End {
    user_id: UserId,
    only: Option<SessionId>,
    at: i64,
}

/// The writes of sessions as the parameters of statements.
#[derive(Default)]
pub(crate) struct SessionWrites {
    new: Rows,
    changed: Rows,
    ended: Rows,
}

impl SessionWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &SessionWrite) -> Result<(), StoreError> {
        match write {
            SessionWrite::Open(session) => self.new.push_entity(index, session.id, session),
            SessionWrite::Update(session) => self.changed.push_entity(index, session.id, session),
            SessionWrite::End { user_id, only, at } => {
                let params = End { user_id: *user_id, only: *only, at: at.as_micros() };
                self.ended.push(index, user_id, &params)
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        open(conn, &self.new).await?;
        end(conn, &self.ended).await
    }
}

pub(crate) async fn session(pool: &SqlitePool, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row: Option<Stored<Session>> =
        sqlx::query_as(SESSION.text()).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static SESSION: Statement<Session> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_sessions
    WHERE id = ?1",
);

pub(crate) async fn sessions(pool: &SqlitePool, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<Stored<Session>> = sqlx::query_as(SESSIONS.text())
        .bind(user.to_string())
        .bind(now.as_micros())
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    Ok(read_all(rows))
}

static SESSIONS: Statement<Session> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_sessions
    WHERE user_id = ?1 AND ended_at IS NULL AND expires_at > ?2
    ORDER BY used_at DESC, id DESC",
);

pub(crate) async fn ended(pool: &SqlitePool, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let ids: Vec<String> =
        sqlx::query_scalar(ENDED).bind(since.as_micros()).fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().filter_map(|id| or_record(id, TABLE.value("id", id))).collect())
}

const ENDED: &str = "SELECT id FROM taskflow_sessions WHERE ended_at >= ?1";

async fn open(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, OPEN.text()).await
}

/// The join leaves out sessions of people who are gone.
static OPEN: Statement<Session> = Statement::new(
    "
    INSERT INTO taskflow_sessions ({all})
    SELECT {j.values}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id' AND u.deleted_at IS NULL
    RETURNING id",
);

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE.text()).await
}

static UPDATE: Statement<Session> = Statement::new(
    "
    UPDATE taskflow_sessions
    SET {set}
    FROM json_each(?1) AS j
    WHERE taskflow_sessions.id = j.value ->> 'id' AND taskflow_sessions.version = (j.value ->> 'version') - 1
        AND taskflow_sessions.ended_at IS NULL
    RETURNING id",
);

async fn end(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(END).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const END: &str = "
    UPDATE taskflow_sessions
    SET ended_at = j.value ->> 'at'
    FROM json_each(?1) AS j
    WHERE taskflow_sessions.user_id = j.value ->> 'user_id' AND taskflow_sessions.ended_at IS NULL
        AND (j.value ->> 'only' IS NULL OR taskflow_sessions.id = j.value ->> 'only')";
