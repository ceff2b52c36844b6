//! Tasks.

mod completed;
mod list;

use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{Scope, StoreError, Task, TaskId, TaskSummary, TaskWrite, Timestamp, Viewer};
use taskflow_store_sql::Stored;

use crate::error::{Table, store_error};
use crate::rows::{Rows, Statement};

pub(crate) use completed::{completed_before, count_completed_before};
pub(crate) use list::tasks;

const TABLE: Table = Table("taskflow_tasks");

/// The writes of tasks as the parameters of statements.
#[derive(Default)]
pub(crate) struct TaskWrites {
    new: Rows,
    changed: Rows,
}

impl TaskWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &TaskWrite) -> Result<(), StoreError> {
        match write {
            TaskWrite::Insert(task) => self.new.push_entity(index, task.id, task),
            TaskWrite::Update(task) => self.changed.push_entity(index, task.id, task),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    pending: i64,
    in_progress: i64,
    completed: i64,
    overdue: i64,
}

pub(crate) async fn task(pool: &SqlitePool, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
    let row: Option<Stored<Task>> = sqlx::query_as(TASK.text())
        .bind(id.to_string())
        .bind(scope.owner().to_string())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    Ok(row.map(Stored::read).transpose()?)
}

static TASK: Statement<Task> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow_tasks
    WHERE id = ?1 AND user_id = ?2",
);

pub(crate) async fn tasks_by_id(
    pool: &SqlitePool,
    ids: &[TaskId],
    viewer: Viewer,
) -> Result<Lookup<TaskId, Task>, StoreError> {
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Internal(error.into()))?;
    let owner = match viewer {
        Viewer::Service => None,
        Viewer::Person(scope) => Some(scope.owner().to_string()),
    };
    let rows: Vec<Stored<Task>> =
        sqlx::query_as(TASKS_BY_ID.text()).bind(ids).bind(owner).fetch_all(pool).await.map_err(store_error)?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static TASKS_BY_ID: Statement<Task> = Statement::new(
    "
    SELECT {t.columns}
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_tasks AS t ON t.id = j.value
    WHERE ?2 IS NULL OR t.user_id = ?2",
);

pub(crate) async fn summary(pool: &SqlitePool, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError> {
    let row: SummaryRow = sqlx::query_as(SUMMARY)
        .bind(scope.owner().to_string())
        .bind(now.as_micros())
        .fetch_one(pool)
        .await
        .map_err(store_error)?;
    let (pending, in_progress, completed) = (
        TABLE.number::<u64>("status", row.pending)?,
        TABLE.number::<u64>("status", row.in_progress)?,
        TABLE.number::<u64>("status", row.completed)?,
    );
    Ok(TaskSummary {
        total: pending + in_progress + completed,
        pending,
        in_progress,
        completed,
        overdue: TABLE.number("due_at", row.overdue)?,
    })
}

const SUMMARY: &str = "
    SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
        count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
        count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status <> 'completed' AND due_at < ?2) AS overdue
    FROM taskflow_tasks
    WHERE user_id = ?1 AND deleted_at IS NULL";

async fn insert(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

static INSERT: Statement<Task> = Statement::new(
    "
    INSERT INTO taskflow_tasks ({all})
    SELECT {values}
    FROM json_each(?1)",
);

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE.text()).await
}

static UPDATE: Statement<Task> = Statement::new(
    "
    UPDATE taskflow_tasks
    SET {set}
    FROM json_each(?1) AS j
    WHERE taskflow_tasks.id = j.value ->> 'id' AND taskflow_tasks.version = (j.value ->> 'version') - 1
    RETURNING id",
);
