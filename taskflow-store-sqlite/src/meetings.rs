//! Meetings.

mod list;
pub(crate) mod participants;
mod repair;
mod revisions;
mod writes;

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{Meeting, MeetingId, Role, StoreError, Viewer};
use taskflow_store_sql::Stored;

use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};

pub(crate) use list::{meetings, meetings_to_leave};
pub(crate) use participants::{accepted_before, guest_meetings, meetings_with_two, participants, participants_by_id};
pub(crate) use repair::{before_tzdb, unplanned};
pub(crate) use revisions::revisions;
pub(crate) use writes::MeetingWrites;

const TABLE: Table = Table("taskflow_meetings");

/// The version that a decision relied on as the parameters of a statement.
#[derive(Serialize)]
struct Expected {
    id: MeetingId,
    version: u64,
}

/// A start that the rules of a time zone database confirm as the parameters of a statement.
#[derive(Serialize)]
struct Confirmed<'a> {
    id: MeetingId,
    tzdb: &'a str,
}

pub(crate) async fn meetings_by_id(
    pool: &SqlitePool,
    ids: &[MeetingId],
    viewer: Viewer,
) -> Result<Lookup<MeetingId, Meeting>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let (organizer, participant) = match viewer {
        Viewer::Service => (None, None),
        Viewer::Person(scope) => match scope.least() {
            Role::Owner => (Some(scope.owner().to_string()), None),
            Role::Reader => (None, Some(scope.owner().to_string())),
        },
    };
    let rows: Vec<Stored<Meeting>> = sqlx::query_as(MEETINGS_BY_ID.text())
        .bind(ids)
        .bind(organizer)
        .bind(participant)
        .fetch_all(pool)
        .await
        .map_err(store_error)?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static MEETINGS_BY_ID: Statement<Meeting> = Statement::new(
    "
    SELECT {m.columns}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meetings AS m ON m.id = j.value
    WHERE (?2 IS NULL OR m.created_by = ?2)
        AND (?3 IS NULL OR EXISTS (
            SELECT 1 FROM taskflow_meeting_participants AS p
            WHERE p.user_id = ?3 AND p.removed_at IS NULL AND p.meeting_id = m.id))",
);

/// `Stale` unless each meeting has the version that was decided upon. The transaction holds the one lock that there is
/// for writers, so it keeps that version until the commit.
async fn expect(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, EXPECT).await
}

const EXPECT: &str = "
    SELECT m.id
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meetings AS m ON m.id = j.value ->> 'id'
    WHERE m.version = j.value ->> 'version'";

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE.text()).await
}

/// Leaves out the organizer: only the deletion of that account removes their id, and it may have happened since the
/// change was decided.
static UPDATE: Statement<Meeting> = Statement::new(
    "
    UPDATE taskflow_meetings
    SET {set}
    FROM json_each(?1) AS j
    WHERE taskflow_meetings.id = j.value ->> 'id' AND taskflow_meetings.version = (j.value ->> 'version') - 1
    RETURNING id",
);

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT.text()).await
}

/// The condition leaves out meetings of people who are gone.
static INSERT: Statement<Meeting> = Statement::new(
    "
    INSERT INTO taskflow_meetings ({all})
    SELECT {j.values}
    FROM json_each(?1) AS j
    LEFT JOIN taskflow_users AS u ON u.id = j.value ->> 'created_by' AND u.deleted_at IS NULL
    WHERE u.id IS NOT NULL OR j.value ->> 'created_by' IS NULL
    RETURNING id",
);

/// Writes down which time zone database the starts were found with, for meetings that are still there.
async fn confirm(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(CONFIRM).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

const CONFIRM: &str = "
    UPDATE taskflow_meetings
    SET tzdb = j.value ->> 'tzdb'
    FROM json_each(?1) AS j
    WHERE taskflow_meetings.id = j.value ->> 'id'";
