//! Writes of jobs and their runs in a commit.

use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::{Counts, JobRun, JobWrite, LeaseToken, RunId, StoreError, Timestamp, UniqueField};

use super::json;
use crate::error::store_error;
use crate::outbox::micros;
use crate::rows::Rows;

/// The writes of duties and runs as the parameters of statements.
#[derive(Default)]
pub(crate) struct JobWrites {
    new: Rows,
    advanced: Rows,
    finished: Rows,
    released: Rows,
    paused: Rows,
    resumed: Rows,
}

/// A run that waits.
#[derive(Serialize)]
struct Waiting<'a> {
    id: RunId,
    job: &'a str,
    slot: i64,
    since: i64,
    trigger: &'static str,
    dry_run: bool,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    node: Option<&'a str>,
    tries: u32,
    cursor: Option<&'a str>,
    counts: String,
    error: Option<&'a str>,
}

impl<'a> Waiting<'a> {
    fn new(run: &'a JobRun) -> Result<Self, StoreError> {
        Ok(Self {
            id: run.id,
            job: run.job.as_str(),
            slot: run.slot.as_micros(),
            since: run.since.as_micros(),
            trigger: run.trigger.as_str(),
            dry_run: run.dry_run,
            created_at: run.created_at.as_micros(),
            started_at: run.started_at.map(Timestamp::as_micros),
            finished_at: run.finished_at.map(Timestamp::as_micros),
            node: run.node.as_deref(),
            tries: run.tries,
            cursor: run.cursor.as_deref(),
            counts: json(&run.counts)?,
            error: run.error.as_deref(),
        })
    }
}

/// Progress of a run.
#[derive(Serialize)]
struct Advanced<'a> {
    id: RunId,
    lease: LeaseToken,
    lasts: i64,
    cursor: &'a str,
    counts: String,
}

/// The end of a run.
#[derive(Serialize)]
struct Finished<'a> {
    id: RunId,
    lease: LeaseToken,
    at: i64,
    counts: String,
    error: Option<&'a str>,
    memo: Option<&'a str>,
}

/// A run that is given back.
#[derive(Serialize)]
struct Released {
    id: RunId,
    lease: LeaseToken,
}

/// A duty and an instant: since when it is paused, or up to which everything counts as taken care of.
#[derive(Serialize)]
struct Duty<'a> {
    name: &'a str,
    at: i64,
}

impl JobWrites {
    /// Takes over a write of a duty or a run.
    pub(crate) fn push(&mut self, index: usize, write: &JobWrite) -> Result<(), StoreError> {
        let counts = |counts: &Counts| json(counts);
        match write {
            JobWrite::InsertRun(run) => self.new.push(index, run.id, &Waiting::new(run)?),
            JobWrite::AdvanceRun { id, lease, cursor, counts: counted } => {
                let (lasts, counts) = (micros(lease.lasts), counts(counted)?);
                self.advanced.push(index, id, &Advanced { id: *id, lease: lease.token, lasts, cursor, counts })
            }
            JobWrite::FinishRun { id, lease, at, counts: counted, error, memo } => {
                let finished = Finished {
                    id: *id,
                    lease: *lease,
                    at: at.as_micros(),
                    counts: counts(counted)?,
                    error: error.as_deref(),
                    memo: memo.as_deref(),
                };
                self.finished.push(index, id, &finished)
            }
            JobWrite::ReleaseRun { id, lease } => self.released.push(index, id, &Released { id: *id, lease: *lease }),
            JobWrite::Pause { job, at } => {
                self.paused.push(index, job, &Duty { name: job.as_str(), at: at.as_micros() })
            }
            JobWrite::Resume { job, slot } => {
                self.resumed.push(index, job, &Duty { name: job.as_str(), at: slot.as_micros() })
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        insert(conn, &self.new).await?;
        self.advanced.apply_all(conn, ADVANCE).await?;
        self.finished.apply_all(conn, FINISH).await?;
        self.released.apply_all(conn, RELEASE).await?;
        execute(conn, &self.paused, PAUSE).await?;
        execute(conn, &self.resumed, RESUME).await
    }
}

/// `Taken` when a job has a run for that slot.
async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let new: Vec<String> = sqlx::query_scalar(INSERT).bind(rows.json()).fetch_all(conn).await.map_err(store_error)?;
    match rows.first_missing(&new) {
        Some(write) => Err(StoreError::Taken { field: UniqueField::Slot, write }),
        None => Ok(()),
    }
}

async fn execute(conn: &mut SqliteConnection, rows: &Rows, statement: &'static str) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(statement).bind(rows.json()).execute(conn).await.map(drop).map_err(store_error)
}

/// A run makes its job known; what came due before it was asked for was nobody's duty.
const INSERT: &str = "
    INSERT INTO taskflow_jobs (name, slot)
    SELECT value ->> 'job', value ->> 'created_at'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (name) DO NOTHING;

    INSERT INTO taskflow_job_runs (id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node,
        tries, cursor, counts, error)
    SELECT value ->> 'id', value ->> 'job', value ->> 'slot', value ->> 'since', value ->> 'trigger',
        value ->> 'dry_run', value ->> 'created_at', value ->> 'started_at', value ->> 'finished_at', value ->> 'node',
        value ->> 'tries', value ->> 'cursor', value ->> 'counts', value ->> 'error'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (job, slot) WHERE dry_run = 0 DO NOTHING
    RETURNING id";

const ADVANCE: &str = "
    UPDATE taskflow_job_runs
    SET lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + (j.value ->> 'lasts'),
        cursor = j.value ->> 'cursor',
        counts = j.value ->> 'counts'
    FROM json_each(?1) AS j
    WHERE taskflow_job_runs.id = j.value ->> 'id' AND taskflow_job_runs.lease = j.value ->> 'lease'
    RETURNING id";

/// The memo first: whoever does not hold the run undoes all of it.
const FINISH: &str = "
    UPDATE taskflow_jobs
    SET memo = (
        SELECT j.value ->> 'memo'
        FROM json_each(?1) AS j
        CROSS JOIN taskflow_job_runs AS r ON r.id = j.value ->> 'id'
        WHERE r.job = taskflow_jobs.name AND j.value ->> 'memo' IS NOT NULL)
    WHERE name IN (
        SELECT r.job
        FROM json_each(?1) AS j
        CROSS JOIN taskflow_job_runs AS r ON r.id = j.value ->> 'id'
        WHERE j.value ->> 'memo' IS NOT NULL);

    UPDATE taskflow_job_runs
    SET finished_at = j.value ->> 'at',
        counts = j.value ->> 'counts',
        error = j.value ->> 'error',
        lease = NULL,
        lease_until = NULL
    FROM json_each(?1) AS j
    WHERE taskflow_job_runs.id = j.value ->> 'id' AND taskflow_job_runs.lease = j.value ->> 'lease'
    RETURNING id";

const RELEASE: &str = "
    UPDATE taskflow_job_runs
    SET lease = NULL, lease_until = NULL
    FROM json_each(?1) AS j
    WHERE taskflow_job_runs.id = j.value ->> 'id' AND taskflow_job_runs.lease = j.value ->> 'lease'
    RETURNING id";

const PAUSE: &str = "
    INSERT INTO taskflow_jobs (name, slot, paused_at)
    SELECT value ->> 'name', value ->> 'at', value ->> 'at'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (name) DO UPDATE SET paused_at = coalesce(taskflow_jobs.paused_at, excluded.paused_at)";

const RESUME: &str = "
    UPDATE taskflow_jobs
    SET paused_at = NULL, slot = j.value ->> 'at'
    FROM json_each(?1) AS j
    WHERE taskflow_jobs.name = j.value ->> 'name' AND taskflow_jobs.paused_at IS NOT NULL";
