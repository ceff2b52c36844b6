//! Past revisions of meetings, from a given version on.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{MeetingId, Revision, StoreError};
use uuid::Uuid;

use crate::error::Table;
use crate::rows::{Rows, json};
use crate::store::PgStore;

const TABLE: Table = Table("taskflow.meeting_revisions");

/// A revision as the parameters of a statement.
#[derive(Serialize)]
pub(super) struct Params {
    meeting_id: MeetingId,
    version: u64,
    sequence: Option<u32>,
    /// JSON inside JSON, so that it is kept as it was written.
    facts: String,
}

impl Params {
    pub(super) fn new(revision: &Revision) -> Result<Self, StoreError> {
        let facts = json(&revision.facts)?;
        Ok(Self { meeting_id: revision.meeting_id, version: revision.version, sequence: revision.sequence, facts })
    }
}

/// A requested revision, as the parameters of a statement.
#[derive(Serialize)]
struct Wanted {
    place: usize,
    meeting_id: MeetingId,
    version: i64,
}

#[derive(sqlx::FromRow)]
struct RevisionRow {
    place: i64,
    meeting_id: Uuid,
    version: i64,
    sequence: Option<i64>,
    facts: String,
}

pub(crate) async fn revisions(
    store: &PgStore,
    wanted: &[(MeetingId, u64)],
) -> Result<Lookup<(MeetingId, u64), Revision>, StoreError> {
    let params = wanted.iter().enumerate().map(|(place, (meeting_id, version))| {
        // No version is as high as that.
        let version = i64::try_from(*version).unwrap_or(i64::MAX);
        Wanted { place, meeting_id: *meeting_id, version }
    });
    let params = json(&params.collect::<Vec<_>>())?;
    let query = || sqlx::query_as(REVISIONS).bind(params.clone());
    let rows: Vec<RevisionRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    let mut found = Lookup::new();
    for row in rows {
        let place: usize = TABLE.number("version", row.place)?;
        if let Some(key) = wanted.get(place) {
            found.insert(*key, row.try_into());
        }
    }
    Ok(found)
}

const REVISIONS: &str = "
    SELECT w.place, r.meeting_id, r.version, r.sequence, r.facts::text AS facts
    FROM json_to_recordset($1::json) AS w (place bigint, meeting_id uuid, version bigint)
    CROSS JOIN LATERAL (
        SELECT meeting_id, version, sequence, facts
        FROM taskflow.meeting_revisions
        WHERE meeting_id = w.meeting_id AND version <= w.version
        ORDER BY version DESC
        LIMIT 1) AS r";

impl TryFrom<RevisionRow> for Revision {
    type Error = taskflow_core::CorruptRow;

    fn try_from(row: RevisionRow) -> Result<Self, Self::Error> {
        Ok(Self {
            meeting_id: MeetingId::from_uuid(row.meeting_id),
            version: TABLE.number("version", row.version)?,
            sequence: row.sequence.map(|sequence| TABLE.number("sequence", sequence)).transpose()?,
            facts: serde_json::from_str(&row.facts).map_err(|error| TABLE.bad("facts", error.to_string()))?,
        })
    }
}

pub(super) async fn insert(conn: &mut PgConnection, rows: &Rows<()>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const INSERT: &str = "
    INSERT INTO taskflow.meeting_revisions (meeting_id, version, sequence, facts)
    SELECT meeting_id, version, sequence, facts::json
    FROM json_to_recordset($1::json) AS r (meeting_id uuid, version bigint, sequence bigint, facts text)";
