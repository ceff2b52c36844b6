//! Claims of scheduled jobs: implements the port [`JobStore`].
//!
//! A transaction that creates or claims a run first locks the job and then its open runs, so that one of several wins.
//! A claimed run is written to under its lease alone.

mod writes;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::{JobStore, RunLease};
use taskflow_core::{CorruptRow, JobName, JobRun, JobState, LeaseToken, RunId, StoreError, Timestamp};
use taskflow_store_sql::{or_record, readable};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::outbox::micros;
use crate::rows::json;
use crate::store::PgStore;

pub(crate) use writes::JobWrites;

const JOBS: Table = Table("taskflow.jobs");
const RUNS: Table = Table("taskflow.job_runs");

/// A run as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: RunId,
    job: &'a str,
    slot: Timestamp,
    since: Timestamp,
    trigger: &'static str,
    dry_run: bool,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    node: Option<&'a str>,
    tries: u32,
    cursor: Option<&'a str>,
    /// JSON inside JSON, so that it is kept as it was written.
    counts: String,
    error: Option<&'a str>,
    lease: Option<LeaseToken>,
    /// Microseconds.
    lasts: Option<i64>,
}

impl<'a> Params<'a> {
    fn new(run: &'a JobRun, lease: Option<&RunLease>) -> Result<Self, StoreError> {
        Ok(Self {
            id: run.id,
            job: run.job.as_str(),
            slot: run.slot,
            since: run.since,
            trigger: run.trigger.as_str(),
            dry_run: run.dry_run,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            node: run.node.as_deref(),
            tries: run.tries,
            cursor: run.cursor.as_deref(),
            counts: json(&run.counts)?,
            error: run.error.as_deref(),
            lease: lease.map(|lease| lease.token),
            lasts: lease.map(|lease| micros(lease.lasts)),
        })
    }
}

#[derive(sqlx::FromRow)]
struct JobRow {
    name: String,
    slot: Instant,
    paused_at: Option<Instant>,
    memo: Option<String>,
    open: Option<Uuid>,
    busy: bool,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: Uuid,
    job: String,
    slot: Instant,
    since: Instant,
    trigger: String,
    dry_run: bool,
    created_at: Instant,
    started_at: Option<Instant>,
    finished_at: Option<Instant>,
    node: Option<String>,
    tries: i32,
    cursor: Option<String>,
    counts: String,
    error: Option<String>,
}

impl TryFrom<RunRow> for JobRun {
    type Error = CorruptRow;

    fn try_from(row: RunRow) -> Result<Self, CorruptRow> {
        let counts = serde_json::from_str(&row.counts).map_err(|error| RUNS.bad("counts", error.to_string()));
        Ok(Self {
            id: RunId::from_uuid(row.id),
            job: RUNS.value("job", &row.job)?,
            slot: RUNS.instant("slot", row.slot)?,
            since: RUNS.instant("since", row.since)?,
            trigger: RUNS.value("trigger", &row.trigger)?,
            dry_run: row.dry_run,
            created_at: RUNS.instant("created_at", row.created_at)?,
            started_at: RUNS.optional_instant("started_at", row.started_at)?,
            finished_at: RUNS.optional_instant("finished_at", row.finished_at)?,
            node: row.node,
            tries: RUNS.number("tries", row.tries)?,
            cursor: row.cursor,
            counts: or_record(&row.id.to_string(), counts).unwrap_or_default(),
            error: row.error,
        })
    }
}

#[async_trait]
impl JobStore for PgStore {
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError> {
        let rows: Vec<JobRow> = self.read(|conn| Box::pin(sqlx::query_as(STATES).fetch_all(conn))).await?;
        let mut states = Vec::new();
        for row in rows {
            // A name that this release cannot read is a job of another one.
            let Ok(job) = row.name.parse::<JobName>() else { continue };
            let state = || -> Result<JobState, CorruptRow> {
                Ok(JobState {
                    job,
                    slot: JOBS.instant("slot", row.slot)?,
                    paused_at: JOBS.optional_instant("paused_at", row.paused_at)?,
                    memo: row.memo,
                    open: row.open.map(RunId::from_uuid),
                    busy: row.busy,
                })
            };
            states.extend(or_record(job.as_str(), state()));
        }
        states.sort_by_key(|state| state.job);
        Ok(states)
    }

    async fn advance_to(&self, job: JobName, done: Option<Timestamp>, slot: Timestamp) -> Result<bool, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let query = match done {
                    None => sqlx::query(BEGIN_JOB).bind(job.as_str()).bind(Instant::from(slot)),
                    Some(done) => {
                        sqlx::query(PASS_SLOT).bind(job.as_str()).bind(Instant::from(slot)).bind(Instant::from(done))
                    }
                };
                Ok(query.execute(conn).await.map_err(store_error)?.rows_affected() == 1)
            })
        })
        .await
    }

    async fn claim_slot(&self, run: &JobRun, lease: &RunLease) -> Result<bool, StoreError> {
        let held = json(&[Params::new(run, Some(lease))?])?;
        let (job, since, slot) = (run.job, run.since, run.slot);
        self.write(move |conn| {
            let held = held.clone();
            Box::pin(async move {
                sqlx::query(LOCK_JOB).bind(job.as_str()).execute(&mut *conn).await.map_err(store_error)?;
                let moved = sqlx::query(MOVE_SLOT)
                    .bind(job.as_str())
                    .bind(Instant::from(slot))
                    .bind(Instant::from(since))
                    .execute(&mut *conn);
                if moved.await.map_err(store_error)?.rows_affected() == 0 {
                    return Ok(false);
                }
                Ok(!insert(conn, &held).await?.is_empty())
            })
        })
        .await
    }

    async fn claim_run(&self, id: RunId, lease: &RunLease, now: Timestamp) -> Result<Option<JobRun>, StoreError> {
        let lease = Arc::new(lease.clone());
        self.write(move |conn| {
            let lease = lease.clone();
            Box::pin(async move {
                for lock in [LOCK_JOB_OF_RUN, LOCK_OPEN_RUNS] {
                    sqlx::query(lock).bind(id.as_uuid()).execute(&mut *conn).await.map_err(store_error)?;
                }
                let take = sqlx::query_as(TAKE)
                    .bind(id.as_uuid())
                    .bind(lease.token.as_uuid())
                    .bind(micros(lease.lasts))
                    .bind(lease.node.clone())
                    .bind(Instant::from(now));
                let row: Option<RunRow> = take.fetch_optional(&mut *conn).await.map_err(store_error)?;
                Ok(row.map(JobRun::try_from).transpose()?)
            })
        })
        .await
    }

    async fn run(&self, id: RunId) -> Result<Option<JobRun>, StoreError> {
        let query = || sqlx::query_as(RUN).bind(id.as_uuid());
        let row: Option<RunRow> = self.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
        Ok(row.map(JobRun::try_from).transpose()?)
    }

    async fn runs(&self, job: JobName, before: Option<RunId>, size: u32) -> Result<Vec<JobRun>, StoreError> {
        let before = before.map(RunId::as_uuid);
        let query = || {
            let query = sqlx::query_as(if before.is_some() { RUNS_BEFORE } else { NEWEST_RUNS });
            let query = query.bind(job.to_string()).bind(i64::from(size));
            match before {
                Some(before) => query.bind(before),
                None => query,
            }
        };
        let rows: Vec<RunRow> = self.read(|conn| Box::pin(query().fetch_all(conn))).await?;
        Ok(readable(rows, |row: &RunRow| row.id.to_string()))
    }
}

/// Inserts runs from a JSON array and tells which: all but those whose slot has a run already.
async fn insert(conn: &mut PgConnection, runs: &str) -> Result<Vec<Uuid>, StoreError> {
    sqlx::query_scalar(INSERT).bind(runs).fetch_all(conn).await.map_err(store_error)
}

const INSERT: &str = "
    INSERT INTO taskflow.job_runs (id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node,
        tries, cursor, counts, error, lease, lease_until)
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor,
        counts::json, error, lease, clock_timestamp() + lasts * interval '1 microsecond'
    FROM json_to_recordset($1::json) AS r (id uuid, job text, slot timestamptz, since timestamptz, trigger text,
        dry_run boolean, created_at timestamptz, started_at timestamptz, finished_at timestamptz, node text,
        tries integer, cursor text, counts text, error text, lease uuid, lasts bigint)
    ORDER BY job COLLATE \"C\", slot
    ON CONFLICT (job, slot) WHERE NOT dry_run DO NOTHING
    RETURNING id";

/// The clock is asked in a subquery, once.
const STATES: &str = "
    SELECT j.name, j.slot, j.paused_at, j.memo,
        (SELECT r.id
            FROM taskflow.job_runs AS r
            WHERE r.job = j.name AND r.finished_at IS NULL
            ORDER BY r.id
            LIMIT 1) AS open,
        coalesce((SELECT true
            FROM taskflow.job_runs AS r
            WHERE r.job = j.name AND r.finished_at IS NULL AND r.lease_until > (SELECT clock_timestamp())
            LIMIT 1), false) AS busy
    FROM taskflow.jobs AS j
    ORDER BY j.name";

const BEGIN_JOB: &str = "INSERT INTO taskflow.jobs (name, slot) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

const PASS_SLOT: &str = "UPDATE taskflow.jobs SET slot = $2 WHERE name = $1 AND slot = $3 AND paused_at IS NULL";

/// Locks a job. The next statement sees everything that was committed before the lock was granted.
const LOCK_JOB: &str = "SELECT name FROM taskflow.jobs WHERE name = $1 FOR NO KEY UPDATE";

const MOVE_SLOT: &str = "
    UPDATE taskflow.jobs AS j
    SET slot = $2
    WHERE j.name = $1
        AND j.slot = $3
        AND j.paused_at IS NULL
        AND (SELECT true FROM taskflow.job_runs AS r WHERE r.job = $1 AND r.finished_at IS NULL LIMIT 1) IS NULL";

const LOCK_JOB_OF_RUN: &str = "
    SELECT j.name
    FROM taskflow.job_runs AS r
    JOIN taskflow.jobs AS j ON j.name = r.job
    WHERE r.id = $1
    FOR NO KEY UPDATE OF j";

const LOCK_OPEN_RUNS: &str = "
    SELECT o.id
    FROM taskflow.job_runs AS o
    WHERE o.job = (SELECT r.job FROM taskflow.job_runs AS r WHERE r.id = $1) AND o.finished_at IS NULL
    ORDER BY o.id
    FOR NO KEY UPDATE";

const TAKE: &str = "
    UPDATE taskflow.job_runs AS r
    SET lease = $2,
        lease_until = clock_timestamp() + $3 * interval '1 microsecond',
        tries = r.tries + 1,
        node = $4,
        started_at = coalesce(r.started_at, $5)
    WHERE r.id = $1
        AND r.finished_at IS NULL
        AND (SELECT true
            FROM taskflow.job_runs AS o
            WHERE o.job = r.job AND o.finished_at IS NULL AND o.lease_until > (SELECT clock_timestamp())
            LIMIT 1) IS NULL
    RETURNING id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor,
        counts::text AS counts, error";

const RUN: &str = "
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor,
        counts::text AS counts, error
    FROM taskflow.job_runs
    WHERE id = $1";

const NEWEST_RUNS: &str = "
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor,
        counts::text AS counts, error
    FROM taskflow.job_runs
    WHERE job = $1
    ORDER BY id DESC
    LIMIT $2";

const RUNS_BEFORE: &str = "
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor,
        counts::text AS counts, error
    FROM taskflow.job_runs
    WHERE job = $1 AND id < $3
    ORDER BY id DESC
    LIMIT $2";
