//! Past revisions of meetings.

use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{CorruptRow, MeetingId, Revision, StoreError};

use crate::error::{Table, store_error};
use crate::rows::Rows;

const TABLE: Table = Table("taskflow_meeting_revisions");

/// A revision as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Params {
    meeting_id: MeetingId,
    version: u64,
    sequence: Option<u32>,
    facts: String,
}

impl Params {
    pub(super) fn new(revision: &Revision) -> Result<Self, StoreError> {
        let facts = serde_json::to_string(&revision.facts).map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { meeting_id: revision.meeting_id, version: revision.version, sequence: revision.sequence, facts })
    }
}

#[derive(sqlx::FromRow)]
struct RevisionRow {
    /// Position among the requested revisions, counted from 0.
    wanted: i64,
    meeting_id: String,
    version: i64,
    sequence: Option<i64>,
    facts: String,
}

impl TryFrom<RevisionRow> for Revision {
    type Error = CorruptRow;

    fn try_from(row: RevisionRow) -> Result<Self, CorruptRow> {
        Ok(Self {
            meeting_id: TABLE.value("meeting_id", &row.meeting_id)?,
            version: TABLE.number("version", row.version)?,
            sequence: row.sequence.map(|sequence| TABLE.number("sequence", sequence)).transpose()?,
            facts: serde_json::from_str(&row.facts).map_err(|error| TABLE.bad("facts", error.to_string()))?,
        })
    }
}

pub(crate) async fn revisions(
    pool: &SqlitePool,
    wanted: &[(MeetingId, u64)],
) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
    let json = serde_json::to_string(wanted).map_err(|error| StoreError::Internal(error.into()))?;
    let rows: Vec<RevisionRow> = sqlx::query_as(REVISIONS).bind(json).fetch_all(pool).await.map_err(store_error)?;
    let asked = |row: &RevisionRow| usize::try_from(row.wanted).ok().and_then(|index| wanted.get(index)).copied();
    Ok(rows.into_iter().filter_map(|row| Some((asked(&row)?, Revision::try_from(row)))).collect())
}

const REVISIONS: &str = "
    SELECT j.key AS wanted, r.meeting_id, r.version, r.sequence, r.facts
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_meeting_revisions AS r ON r.meeting_id = j.value ->> 0
        AND r.version = (
            SELECT max(newest.version)
            FROM taskflow_meeting_revisions AS newest
            WHERE newest.meeting_id = j.value ->> 0 AND newest.version <= j.value ->> 1)";

pub(super) async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, INSERT).await
}

const INSERT: &str = "
    INSERT INTO taskflow_meeting_revisions (meeting_id, version, sequence, facts)
    SELECT value ->> 'meeting_id', value ->> 'version', value ->> 'sequence', value ->> 'facts'
    FROM json_each(?1)
    WHERE true
    RETURNING meeting_id";
