//! Sign-ins that last. Ended ones stay, so that every node learns of their end.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{Session, SessionId, SessionWrite, StoreError, Timestamp, UserId};
use taskflow_store_sql::{Stored, read_all};
use uuid::Uuid;

use crate::error::Instant;
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

/// Sessions to end as the parameters of a statement.
#[derive(Serialize)]
struct End {
    user_id: UserId,
    session_id: Option<SessionId>,
    at: Timestamp,
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
            SessionWrite::Open(session) => self.new.push_entity(index, session.id.as_uuid(), session),
            SessionWrite::Update(session) => self.changed.push_entity(index, session.id.as_uuid(), session),
            SessionWrite::End { user_id, only, at } => {
                let params = End { user_id: *user_id, session_id: *only, at: *at };
                self.ended.push(index, user_id.as_uuid(), &params)
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        open(conn, &self.new).await?;
        end(conn, &self.ended).await
    }
}

pub(crate) async fn session(store: &PgStore, id: SessionId) -> Result<Option<Session>, StoreError> {
    let query = || sqlx::query_as(SESSION.text()).bind(id.as_uuid());
    let row: Option<Stored<Session>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static SESSION: Statement<Session> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.sessions
    WHERE id = $1",
);

pub(crate) async fn sessions(store: &PgStore, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let query = || sqlx::query_as(SESSIONS.text()).bind(user.as_uuid()).bind(Instant::from(now));
    let rows: Vec<Stored<Session>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(read_all(rows))
}

static SESSIONS: Statement<Session> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.sessions
    WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
    ORDER BY used_at DESC, id DESC",
);

pub(crate) async fn ended(store: &PgStore, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let query = || sqlx::query_scalar(ENDED).bind(Instant::from(since));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(SessionId::from_uuid).collect())
}

const ENDED: &str = "SELECT id FROM taskflow.sessions WHERE ended_at >= $1";

async fn open(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, OPEN.text()).await?)
}

/// The join leaves out sessions of people who are gone, and waits for those who are about to leave.
static OPEN: Statement<Session> = Statement::new(
    "
    INSERT INTO taskflow.sessions ({all})
    SELECT {r.all}
    FROM json_to_recordset($1::json) AS r ({record})
    JOIN taskflow.users AS u ON u.id = r.user_id AND u.deleted_at IS NULL
    ORDER BY u.id
    FOR KEY SHARE OF u
    RETURNING id",
);

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE.text()).await?)
}

static UPDATE: Statement<Session> = Statement::new(
    "
    UPDATE taskflow.sessions AS s
    SET {set}
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r ({record})
        JOIN taskflow.sessions AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE s.id = r.id AND s.version = r.version - 1 AND s.ended_at IS NULL
    RETURNING s.id",
);

async fn end(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, END).await.map(drop)
}

const END: &str = "
    UPDATE taskflow.sessions AS s
    SET ended_at = r.at
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (user_id uuid, session_id uuid, at timestamptz)
        JOIN taskflow.sessions AS l ON l.user_id = r.user_id AND (r.session_id IS NULL OR l.id = r.session_id)
        WHERE l.ended_at IS NULL
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE s.id = r.id AND s.ended_at IS NULL
    RETURNING s.id";

/// Ends the sessions of people who leave.
pub(crate) async fn end_for_users(conn: &mut PgConnection, users: &Rows) -> Result<(), StoreError> {
    users.run(conn, END_FOR_USERS).await.map(drop)
}

const END_FOR_USERS: &str = "
    UPDATE taskflow.sessions AS s
    SET ended_at = r.at
    FROM (
        SELECT l.id, r.at
        FROM json_to_recordset($1::json) AS r (id uuid, at timestamptz)
        JOIN taskflow.sessions AS l ON l.user_id = r.id
        WHERE l.ended_at IS NULL
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE s.id = r.id AND s.ended_at IS NULL
    RETURNING s.id";
