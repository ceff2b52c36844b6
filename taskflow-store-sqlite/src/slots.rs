//! Scheduled jobs and their runs: the port [`JobStore`], and what a commit does to runs.

mod writes;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use taskflow_core::ports::{JobStore, RunLease};
use taskflow_core::{CorruptRow, Counts, JobName, JobRun, JobState, RunId, StoreError, Timestamp};
use taskflow_store_sql::{or_record, readable};

use crate::error::{Table, store_error};
use crate::outbox::micros;
use crate::store::SqliteStore;

pub(crate) use writes::JobWrites;

const JOBS_TABLE: Table = Table("taskflow_jobs");
const RUNS_TABLE: Table = Table("taskflow_job_runs");

#[derive(sqlx::FromRow)]
struct JobRow {
    name: String,
    slot: i64,
    paused_at: Option<i64>,
    memo: Option<String>,
    open: Option<String>,
    busy: bool,
}

impl JobRow {
    /// Returns `None` for a name that this release cannot read, and for a row that nobody can.
    fn state(self) -> Option<JobState> {
        let job = self.name.parse().ok()?;
        let state = || -> Result<JobState, CorruptRow> {
            Ok(JobState {
                job,
                slot: JOBS_TABLE.instant("slot", self.slot)?,
                paused_at: JOBS_TABLE.optional_instant("paused_at", self.paused_at)?,
                open: RUNS_TABLE.optional("id", self.open.as_deref())?,
                memo: self.memo,
                busy: self.busy,
            })
        };
        or_record(job.as_str(), state())
    }
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: String,
    job: String,
    slot: i64,
    since: i64,
    trigger: String,
    dry_run: bool,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    node: Option<String>,
    tries: i64,
    cursor: Option<String>,
    counts: String,
    error: Option<String>,
}

impl TryFrom<RunRow> for JobRun {
    type Error = CorruptRow;

    fn try_from(row: RunRow) -> Result<Self, CorruptRow> {
        let counts = serde_json::from_str(&row.counts).map_err(|error| RUNS_TABLE.bad("counts", error.to_string()));
        // The nearest instant that there is.
        let nearest = |column, micros| {
            or_record(&row.id, RUNS_TABLE.instant(column, micros)).unwrap_or_else(|| Timestamp::from_micros(micros))
        };
        Ok(Self {
            id: RUNS_TABLE.value("id", &row.id)?,
            job: RUNS_TABLE.value("job", &row.job)?,
            slot: nearest("slot", row.slot),
            since: nearest("since", row.since),
            trigger: RUNS_TABLE.value("trigger", &row.trigger)?,
            dry_run: row.dry_run,
            created_at: nearest("created_at", row.created_at),
            started_at: row.started_at.map(|at| nearest("started_at", at)),
            finished_at: row.finished_at.map(|at| nearest("finished_at", at)),
            node: row.node,
            tries: RUNS_TABLE.number("tries", row.tries)?,
            cursor: row.cursor,
            counts: or_record(&row.id, counts).unwrap_or_default(),
            error: row.error,
        })
    }
}

/// Counts as the table keeps them.
fn json(counts: &Counts) -> Result<String, StoreError> {
    serde_json::to_string(counts).map_err(|error| StoreError::Internal(error.into()))
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError> {
        let rows: Vec<JobRow> = sqlx::query_as(JOBS).fetch_all(&self.reader()?).await.map_err(store_error)?;
        let mut states: Vec<JobState> = rows.into_iter().filter_map(JobRow::state).collect();
        states.sort_by_key(|state| state.job);
        Ok(states)
    }

    async fn advance_to(&self, job: JobName, done: Option<Timestamp>, slot: Timestamp) -> Result<bool, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let pass = match done {
                    None => sqlx::query(CREATE_JOB).bind(job.as_str()).bind(slot.as_micros()),
                    Some(done) => sqlx::query(PASS).bind(job.as_str()).bind(slot.as_micros()).bind(done.as_micros()),
                };
                Ok(pass.execute(conn).await.map_err(store_error)?.rows_affected() > 0)
            })
        })
        .await
    }

    async fn claim_slot(&self, run: &JobRun, lease: &RunLease) -> Result<bool, StoreError> {
        let claim = Claim { counts: json(&run.counts)?, run: run.clone(), lease: lease.clone() };
        self.write(move |conn| Box::pin(async move { claim.run(conn).await })).await
    }

    async fn claim_run(&self, id: RunId, lease: &RunLease, now: Timestamp) -> Result<Option<JobRun>, StoreError> {
        let lease = lease.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let row: Option<RunRow> = sqlx::query_as(TAKE)
                    .bind(id.to_string())
                    .bind(lease.token.to_string())
                    .bind(micros(lease.lasts))
                    .bind(lease.node)
                    .bind(now.as_micros())
                    .fetch_optional(&mut *conn)
                    .await
                    .map_err(store_error)?;
                Ok(row.map(JobRun::try_from).transpose()?)
            })
        })
        .await
    }

    async fn run(&self, id: RunId) -> Result<Option<JobRun>, StoreError> {
        let row: Option<RunRow> =
            sqlx::query_as(RUN).bind(id.to_string()).fetch_optional(&self.reader()?).await.map_err(store_error)?;
        Ok(row.map(JobRun::try_from).transpose()?)
    }

    async fn runs(&self, job: JobName, before: Option<RunId>, size: u32) -> Result<Vec<JobRun>, StoreError> {
        let rows: Vec<RunRow> = sqlx::query_as(RUNS)
            .bind(job.as_str())
            .bind(before.map_or_else(|| AFTER_EVERY_ID.to_owned(), |id| id.to_string()))
            .bind(size)
            .fetch_all(&self.reader()?)
            .await
            .map_err(store_error)?;
        Ok(readable(rows, |row: &RunRow| row.id.clone()))
    }
}

/// Sorts after every id.
const AFTER_EVERY_ID: &str = "~";

/// A run to begin.
struct Claim {
    run: JobRun,
    lease: RunLease,
    counts: String,
}

impl Claim {
    /// Moves the slot, and then finds out whether it was run already: such a slot is passed.
    async fn run(&self, conn: &mut SqliteConnection) -> Result<bool, StoreError> {
        let run = &self.run;
        let moved = sqlx::query(MOVE_SLOT)
            .bind(run.job.as_str())
            .bind(run.slot.as_micros())
            .bind(run.since.as_micros())
            .execute(&mut *conn)
            .await
            .map_err(store_error)?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        let begun = sqlx::query(BEGIN_RUN)
            .bind(run.id.to_string())
            .bind(run.job.as_str())
            .bind(run.slot.as_micros())
            .bind(run.since.as_micros())
            .bind(run.trigger.as_str())
            .bind(run.dry_run)
            .bind(run.created_at.as_micros())
            .bind(run.started_at.map(Timestamp::as_micros))
            .bind(run.node.as_deref())
            .bind(run.tries)
            .bind(run.cursor.as_deref())
            .bind(&self.counts)
            .bind(self.lease.token.to_string())
            .bind(micros(self.lease.lasts))
            .execute(conn)
            .await
            .map_err(store_error)?;
        Ok(begun.rows_affected() > 0)
    }
}

const JOBS: &str = "
    SELECT j.name, j.slot, j.paused_at, j.memo,
        (SELECT min(r.id) FROM taskflow_job_runs AS r WHERE r.job = j.name AND r.finished_at IS NULL) AS open,
        EXISTS (
            SELECT 1
            FROM taskflow_job_runs AS r
            WHERE r.job = j.name AND r.finished_at IS NULL
                AND r.lease_until > CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)) AS busy
    FROM taskflow_jobs AS j";

const CREATE_JOB: &str = "INSERT INTO taskflow_jobs (name, slot) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";

const PASS: &str = "UPDATE taskflow_jobs SET slot = ?2 WHERE name = ?1 AND slot = ?3 AND paused_at IS NULL";

const MOVE_SLOT: &str = "
    UPDATE taskflow_jobs
    SET slot = ?2
    WHERE name = ?1 AND slot = ?3 AND paused_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM taskflow_job_runs AS r WHERE r.job = ?1 AND r.finished_at IS NULL)";

const BEGIN_RUN: &str = "
    INSERT INTO taskflow_job_runs (id, job, slot, since, trigger, dry_run, created_at, started_at, node, tries, cursor,
        counts, lease, lease_until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
        CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?14)
    ON CONFLICT (job, slot) WHERE dry_run = 0 DO NOTHING";

const TAKE: &str = "
    UPDATE taskflow_job_runs
    SET lease = ?2,
        lease_until = CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + ?3,
        node = ?4,
        tries = tries + 1,
        started_at = coalesce(started_at, ?5)
    WHERE id = ?1 AND finished_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM taskflow_job_runs AS held
            WHERE held.job = taskflow_job_runs.job AND held.finished_at IS NULL
                AND held.lease_until > CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER))
    RETURNING id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor, counts,
        error";

const RUN: &str = "
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor, counts,
        error
    FROM taskflow_job_runs
    WHERE id = ?1";

const RUNS: &str = "
    SELECT id, job, slot, since, trigger, dry_run, created_at, started_at, finished_at, node, tries, cursor, counts,
        error
    FROM taskflow_job_runs
    WHERE job = ?1 AND id < ?2
    ORDER BY id DESC
    LIMIT +?3";
