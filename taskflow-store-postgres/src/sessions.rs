//! Sign-ins that last. Ended ones stay, so that every node learns of their end.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{CorruptRow, Session, SessionId, SessionWrite, StoreError, Timestamp, TokenHash, UserId};
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::Rows;
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.sessions");

/// A session as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: SessionId,
    user_id: UserId,
    token: &'a str,
    previous: Option<&'a str>,
    repeated: bool,
    device: Option<&'a str>,
    created_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
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
            created_at: session.created_at,
            used_at: session.used_at,
            expires_at: session.expires_at,
            ended_at: session.ended_at,
            version: session.version,
        }
    }
}

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
            SessionWrite::Open(session) => self.new.push(index, session.id.as_uuid(), &Params::new(session)),
            SessionWrite::Update(session) => self.changed.push(index, session.id.as_uuid(), &Params::new(session)),
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

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    token: String,
    previous: Option<String>,
    repeated: bool,
    device: Option<String>,
    created_at: Instant,
    used_at: Instant,
    expires_at: Instant,
    ended_at: Option<Instant>,
    version: i64,
}

impl TryFrom<SessionRow> for Session {
    type Error = CorruptRow;

    fn try_from(row: SessionRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
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

pub(crate) async fn session(store: &PgStore, id: SessionId) -> Result<Option<Session>, StoreError> {
    let query = || sqlx::query_as(SESSION).bind(id.as_uuid());
    let row: Option<SessionRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Session::try_from).transpose()?)
}

const SESSION: &str = "
    SELECT id, user_id, token, previous, repeated, device, created_at, used_at, expires_at, ended_at, version
    FROM taskflow.sessions
    WHERE id = $1";

pub(crate) async fn sessions(store: &PgStore, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let query = || sqlx::query_as(SESSIONS).bind(user.as_uuid()).bind(Instant::from(now));
    let rows: Vec<SessionRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(Session::try_from).collect::<Result<_, _>>()?)
}

const SESSIONS: &str = "
    SELECT id, user_id, token, previous, repeated, device, created_at, used_at, expires_at, ended_at, version
    FROM taskflow.sessions
    WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
    ORDER BY used_at DESC, id DESC";

pub(crate) async fn ended(store: &PgStore, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let query = || sqlx::query_scalar(ENDED).bind(Instant::from(since));
    let ids: Vec<Uuid> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(ids.into_iter().map(SessionId::from_uuid).collect())
}

const ENDED: &str = "SELECT id FROM taskflow.sessions WHERE ended_at >= $1";

async fn open(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, OPEN).await?)
}

/// The join leaves out sessions of people who are gone, and waits for those who are about to leave.
const OPEN: &str = "
    INSERT INTO taskflow.sessions (id, user_id, token, previous, repeated, device, created_at, used_at, expires_at, ended_at,
        version)
    SELECT r.id, u.id, r.token, r.previous, r.repeated, r.device, r.created_at, r.used_at, r.expires_at, r.ended_at, r.version
    FROM json_to_recordset($1::json) AS r (id uuid, user_id uuid, token text, previous text, repeated boolean, device text,
        created_at timestamptz, used_at timestamptz, expires_at timestamptz, ended_at timestamptz, version bigint)
    JOIN taskflow.users AS u ON u.id = r.user_id
    ORDER BY u.id
    FOR KEY SHARE OF u
    RETURNING id";

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE).await?)
}

const UPDATE: &str = "
    UPDATE taskflow.sessions AS s
    SET token = r.token,
        previous = r.previous,
        repeated = r.repeated,
        used_at = r.used_at,
        expires_at = r.expires_at,
        version = r.version
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, token text, previous text, repeated boolean, used_at timestamptz,
            expires_at timestamptz, version bigint)
        JOIN taskflow.sessions AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE s.id = r.id AND s.version = r.version - 1 AND s.ended_at IS NULL
    RETURNING s.id";

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
