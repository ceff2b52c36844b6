//! Sign-ins that last. Ended ones stay, so that every node learns of their end.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::{CorruptRow, Session, SessionId, SessionWrite, StoreError, Timestamp, TokenHash, UserId};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_sessions");

/// A session as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: SessionId,
    user_id: UserId,
    token: &'a str,
    previous: Option<&'a str>,
    repeated: bool,
    device: Option<&'a str>,
    created_at: i64,
    used_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    version: u64,
}

impl<'a> Params<'a> {
    fn new(session: &'a Session) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            token: session.token.as_str(),
            previous: session.previous.as_ref().map(TokenHash::as_str),
            repeated: session.repeated,
            device: session.device.as_deref(),
            created_at: session.created_at.as_micros(),
            used_at: session.used_at.as_micros(),
            expires_at: session.expires_at.as_micros(),
            ended_at: session.ended_at.map(Timestamp::as_micros),
            version: session.version,
        }
    }
}

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
            SessionWrite::Open(session) => self.new.push(index, session.id, &Params::new(session)),
            SessionWrite::Update(session) => self.changed.push(index, session.id, &Params::new(session)),
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

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    user_id: String,
    token: String,
    previous: Option<String>,
    repeated: bool,
    device: Option<String>,
    created_at: i64,
    used_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    version: i64,
}

impl TryFrom<SessionRow> for Session {
    type Error = CorruptRow;

    fn try_from(row: SessionRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            user_id: TABLE.value("user_id", &row.user_id)?,
            token: TokenHash::new(row.token),
            previous: row.previous.map(TokenHash::new),
            repeated: row.repeated,
            device: row.device,
            created_at: TABLE.instant("created_at", row.created_at)?,
            used_at: TABLE.instant("used_at", row.used_at)?,
            expires_at: TABLE.instant("expires_at", row.expires_at)?,
            ended_at: TABLE.optional_instant("ended_at", row.ended_at)?,
            version: TABLE.number("version", row.version)?,
        })
    }
}

pub(crate) async fn session(pool: &SqlitePool, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row: Option<SessionRow> =
        sqlx::query_as(SESSION).bind(id.to_string()).fetch_optional(pool).await.map_err(store_error)?;
    Ok(row.map(Session::try_from).transpose()?)
}

const SESSION: &str = "
    SELECT id, user_id, token, previous, repeated, device, created_at, used_at, expires_at, ended_at, version
    FROM taskflow_sessions
    WHERE id = ?1";

pub(crate) async fn sessions(pool: &SqlitePool, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<SessionRow> = sqlx::query_as(SESSIONS)
        .bind(user.to_string())
        .bind(now.as_micros())
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    Ok(rows.into_iter().map(Session::try_from).collect::<Result<_, _>>()?)
}

const SESSIONS: &str = "
    SELECT id, user_id, token, previous, repeated, device, created_at, used_at, expires_at, ended_at, version
    FROM taskflow_sessions
    WHERE user_id = ?1 AND ended_at IS NULL AND expires_at > ?2
    ORDER BY used_at DESC, id DESC";

pub(crate) async fn ended(pool: &SqlitePool, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let ids: Vec<String> =
        sqlx::query_scalar(ENDED).bind(since.as_micros()).fetch_all(pool).await.map_err(store_error)?;
    Ok(ids.iter().map(|id| TABLE.value("id", id)).collect::<Result<_, _>>()?)
}

const ENDED: &str = "SELECT id FROM taskflow_sessions WHERE ended_at >= ?1";

async fn open(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, OPEN).await
}

/// The join leaves out sessions of people who are gone.
const OPEN: &str = "
    INSERT INTO taskflow_sessions (id, user_id, token, previous, repeated, device, created_at, used_at, expires_at,
        ended_at, version)
    SELECT j.value ->> 'id', u.id, j.value ->> 'token', j.value ->> 'previous', j.value ->> 'repeated', j.value ->> 'device',
        j.value ->> 'created_at', j.value ->> 'used_at', j.value ->> 'expires_at', j.value ->> 'ended_at',
        j.value ->> 'version'
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_users AS u ON u.id = j.value ->> 'user_id'
    RETURNING id";

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE).await
}

const UPDATE: &str = "
    UPDATE taskflow_sessions
    SET token = j.value ->> 'token',
        previous = j.value ->> 'previous',
        repeated = j.value ->> 'repeated',
        used_at = j.value ->> 'used_at',
        expires_at = j.value ->> 'expires_at',
        version = j.value ->> 'version'
    FROM json_each(?1) AS j
    WHERE taskflow_sessions.id = j.value ->> 'id' AND taskflow_sessions.version = (j.value ->> 'version') - 1
        AND taskflow_sessions.ended_at IS NULL
    RETURNING id";

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
