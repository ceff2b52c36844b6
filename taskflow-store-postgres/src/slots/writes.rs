//! Writes of jobs and their runs in a commit.

use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::{JobWrite, LeaseToken, RunId, StoreError, Timestamp, UniqueField};

use super::Params;
use crate::error::store_error;
use crate::outbox::micros;
use crate::rows::{Rows, json};

/// The progress of a run as the parameters of a statement.
#[derive(Serialize)]
struct Progress<'a> {
    id: RunId,
    lease: LeaseToken,
    /// Microseconds.
    lasts: i64,
    cursor: &'a str,
    counts: String,
}

/// The end of a run as the parameters of a statement.
#[derive(Serialize)]
struct End<'a> {
    id: RunId,
    lease: LeaseToken,
    at: Timestamp,
    counts: String,
    error: Option<&'a str>,
    memo: Option<&'a str>,
}

/// A run to give back as the parameters of a statement.
#[derive(Serialize)]
struct Release {
    id: RunId,
    lease: LeaseToken,
}

/// A job to pause or resume as the parameters of a statement.
#[derive(Serialize)]
struct Turn<'a> {
    name: &'a str,
    at: Timestamp,
}

/// The writes of jobs and runs as the parameters of statements.
#[derive(Default)]
pub(crate) struct JobWrites {
    new: Rows,
    advanced: Rows,
    finished: Rows,
    released: Rows,
    paused: Rows<()>,
    resumed: Rows<()>,
}

impl JobWrites {
    pub(crate) fn push(&mut self, index: usize, write: &JobWrite) -> Result<(), StoreError> {
        match write {
            JobWrite::InsertRun(run) => self.new.push(index, run.id.as_uuid(), &Params::new(run, None)?),
            JobWrite::AdvanceRun { id, lease, cursor, counts } => {
                let (lasts, counts) = (micros(lease.lasts), json(counts)?);
                let params = Progress { id: *id, lease: lease.token, lasts, cursor, counts };
                self.advanced.push(index, id.as_uuid(), &params)
            }
            JobWrite::FinishRun { id, lease, at, counts, error, memo } => {
                let (error, memo) = (error.as_deref(), memo.as_deref());
                let params = End { id: *id, lease: *lease, at: *at, counts: json(counts)?, error, memo };
                self.finished.push(index, id.as_uuid(), &params)
            }
            JobWrite::ReleaseRun { id, lease } => {
                self.released.push(index, id.as_uuid(), &Release { id: *id, lease: *lease })
            }
            JobWrite::Pause { job, at } => self.paused.push(index, (), &Turn { name: job.as_str(), at: *at }),
            JobWrite::Resume { job, slot } => self.resumed.push(index, (), &Turn { name: job.as_str(), at: *slot }),
        }
    }

    /// Runs the statements: jobs are locked before their runs. Comes first in a commit, so that who has lost a run learns
    /// of it before anything else is done, and who would take it waits for the rest.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        for (rows, statement) in [(&self.paused, PAUSE), (&self.resumed, RESUME)] {
            if !rows.is_empty() {
                sqlx::query(statement).bind(rows.json()).execute(&mut *conn).await.map_err(store_error)?;
            }
        }
        self.insert(conn).await?;
        self.advanced.all_found(&self.advanced.run(conn, ADVANCE).await?)?;
        self.released.all_found(&self.released.run(conn, RELEASE).await?)?;
        self.finished.run(conn, LEAVE_MEMO).await?;
        self.finished.all_found(&self.finished.run(conn, FINISH).await?)
    }

    async fn insert(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.new.is_empty() {
            return Ok(());
        }
        let runs = self.new.json();
        sqlx::query(BEGIN_JOBS).bind(&runs).execute(&mut *conn).await.map_err(store_error)?;
        match self.new.first_missing(&super::insert(conn, &runs).await?) {
            Some(write) => Err(StoreError::Taken { field: UniqueField::Slot, write }),
            None => Ok(()),
        }
    }
}

const PAUSE: &str = "
    INSERT INTO taskflow.jobs AS j (name, slot, paused_at)
    SELECT name, at, at
    FROM json_to_recordset($1::json) AS r (name text, at timestamptz)
    ORDER BY name COLLATE \"C\"
    ON CONFLICT (name) DO UPDATE SET paused_at = coalesce(j.paused_at, excluded.paused_at)";

const RESUME: &str = "
    UPDATE taskflow.jobs AS j
    SET paused_at = NULL, slot = r.at
    FROM (
        SELECT l.name, r.at
        FROM json_to_recordset($1::json) AS r (name text, at timestamptz)
        JOIN taskflow.jobs AS l ON l.name = r.name
        ORDER BY l.name
        FOR NO KEY UPDATE OF l) AS r
    WHERE j.name = r.name AND j.paused_at IS NOT NULL";

/// Of a job that nobody has looked after yet everything before its first run counts as taken care of.
const BEGIN_JOBS: &str = "
    INSERT INTO taskflow.jobs (name, slot)
    SELECT job, created_at
    FROM json_to_recordset($1::json) AS r (job text, created_at timestamptz)
    ORDER BY job COLLATE \"C\"
    ON CONFLICT (name) DO NOTHING";

const ADVANCE: &str = "
    UPDATE taskflow.job_runs AS j
    SET cursor = r.cursor,
        counts = r.counts::json,
        lease_until = clock_timestamp() + r.lasts * interval '1 microsecond'
    FROM json_to_recordset($1::json) AS r (id uuid, lease uuid, lasts bigint, cursor text, counts text)
    WHERE j.id = r.id AND j.lease = r.lease
    RETURNING j.id";

const RELEASE: &str = "
    UPDATE taskflow.job_runs AS j
    SET lease = NULL, lease_until = NULL
    FROM json_to_recordset($1::json) AS r (id uuid, lease uuid)
    WHERE j.id = r.id AND j.lease = r.lease
    RETURNING j.id";

/// Does not check that the run is still claimed. The statement that ends the run does, and if it fails, nothing of this
/// is kept.
const LEAVE_MEMO: &str = "
    UPDATE taskflow.jobs AS j
    SET memo = r.memo
    FROM (
        SELECT l.id, l.job, r.memo
        FROM json_to_recordset($1::json) AS r (id uuid, memo text)
        JOIN taskflow.job_runs AS l ON l.id = r.id
        WHERE r.memo IS NOT NULL) AS r
    WHERE j.name = r.job
    RETURNING r.id";

const FINISH: &str = "
    UPDATE taskflow.job_runs AS j
    SET finished_at = r.at, counts = r.counts::json, error = r.error, lease = NULL, lease_until = NULL
    FROM json_to_recordset($1::json) AS r (id uuid, lease uuid, at timestamptz, counts text, error text)
    WHERE j.id = r.id AND j.lease = r.lease
    RETURNING j.id";
