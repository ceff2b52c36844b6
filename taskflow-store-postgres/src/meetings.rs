//! Meetings. Whoever changes one locks its row first; whoever answers shares that lock with others who answer.

mod list;
pub(crate) mod participants;
mod repair;
pub(crate) mod revisions;
mod writes;

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{Meeting, MeetingId, Role, StoreError, Viewer};
use taskflow_store_sql::Stored;
use uuid::Uuid;

use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

pub(crate) use list::{meetings, meetings_to_leave};
pub(crate) use repair::{before_tzdb, unplanned};
pub(crate) use writes::MeetingWrites;

const TABLE: Table = Table("taskflow.meetings");

/// A precondition of a write, as the parameters of a statement.
#[derive(Serialize)]
struct Expected {
    id: MeetingId,
    version: u64,
}

/// A start that the rules of zones leave where it is, as the parameters of a statement.
#[derive(Serialize)]
struct Confirmed<'a> {
    id: MeetingId,
    tzdb: &'a str,
}

pub(crate) async fn meetings_by_id(
    store: &PgStore,
    ids: &[MeetingId],
    viewer: Viewer,
) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let (organizer, participant) = match viewer {
        Viewer::Service => (None, None),
        Viewer::Person(scope) => match scope.least() {
            Role::Owner => (Some(scope.owner().as_uuid()), None),
            Role::Reader => (None, Some(scope.owner().as_uuid())),
        },
    };
    let query = || sqlx::query_as(MEETINGS_BY_ID.text()).bind(ids.clone()).bind(organizer).bind(participant);
    let rows: Vec<Stored<Meeting>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static MEETINGS_BY_ID: Statement<Meeting> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.meetings AS m
    WHERE id = ANY ($1)
        AND ($2::uuid IS NULL OR created_by = $2)
        AND ($3::uuid IS NULL OR EXISTS (
            SELECT 1
            FROM taskflow.meeting_participants AS p
            WHERE p.meeting_id = m.id AND p.user_id = $3 AND p.removed_at IS NULL))",
);

async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

static INSERT: Statement<Meeting> = Statement::new(
    "
    INSERT INTO taskflow.meetings ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})",
);

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE.text()).await?)
}

/// Updates every column but the organizer, which changes only when their account is deleted.
static UPDATE: Statement<Meeting> = Statement::new(
    "
    UPDATE taskflow.meetings AS m
    SET {set}
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r ({record})
        JOIN taskflow.meetings AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE m.id = r.id AND m.version = r.version - 1
    RETURNING m.id",
);

/// Holds meetings at the versions that were decided upon.
async fn expect(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, EXPECT).await?)
}

/// A lock that waits for updates, and keeps them waiting, but goes together with itself.
const EXPECT: &str = "
    SELECT l.id
    FROM json_to_recordset($1::json) AS r (id uuid, version bigint)
    JOIN taskflow.meetings AS l ON l.id = r.id AND l.version = r.version
    ORDER BY l.id
    FOR SHARE OF l";

async fn confirm(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.run(conn, CONFIRM).await.map(drop)
}

const CONFIRM: &str = "
    UPDATE taskflow.meetings AS m
    SET tzdb = r.tzdb
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, tzdb text)
        JOIN taskflow.meetings AS l ON l.id = r.id
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE m.id = r.id
    RETURNING m.id";

/// Takes people who leave off what they called.
pub(crate) async fn forget_organizers(conn: &mut PgConnection, users: &Rows) -> Result<(), StoreError> {
    sqlx::query(FORGET_ORGANIZERS).bind(users.ids()).execute(conn).await.map(drop).map_err(store_error)
}

const FORGET_ORGANIZERS: &str = "
    UPDATE taskflow.meetings AS m
    SET created_by = NULL
    FROM (
        SELECT l.id
        FROM taskflow.meetings AS l
        WHERE l.created_by = ANY ($1)
        ORDER BY l.id
        FOR NO KEY UPDATE) AS r
    WHERE m.id = r.id";
