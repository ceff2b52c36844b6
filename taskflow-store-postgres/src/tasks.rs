//! Tasks.

mod list;

use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{Scope, StoreError, Task, TaskId, TaskSummary, TaskWrite, Timestamp, Viewer};
use taskflow_store_sql::Stored;
use uuid::Uuid;

use crate::error::{Instant, Table};
use crate::rows::{Rows, Statement};
use crate::store::PgStore;

pub(crate) use list::tasks;

const TABLE: Table = Table("taskflow.tasks");

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
            TaskWrite::Insert(task) => self.new.push_entity(index, task.id.as_uuid(), task),
            TaskWrite::Update(task) => self.changed.push_entity(index, task.id.as_uuid(), task),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
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

pub(crate) async fn task(store: &PgStore, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
    let query = || sqlx::query_as(TASK.text()).bind(id.as_uuid()).bind(scope.owner().as_uuid());
    let row: Option<Stored<Task>> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Stored::read).transpose()?)
}

static TASK: Statement<Task> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.tasks
    WHERE id = $1 AND user_id = $2",
);

pub(crate) async fn tasks_by_id(
    store: &PgStore,
    ids: &[TaskId],
    viewer: Viewer,
) -> Result<Lookup<TaskId, Task>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let owner = match viewer {
        Viewer::Service => None,
        Viewer::Person(scope) => Some(scope.owner().as_uuid()),
    };
    let query = || sqlx::query_as(TASKS_BY_ID.text()).bind(ids.clone()).bind(owner);
    let rows: Vec<Stored<Task>> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().filter_map(Stored::keyed).collect())
}

static TASKS_BY_ID: Statement<Task> = Statement::new(
    "
    SELECT {columns}
    FROM taskflow.tasks
    WHERE id = ANY ($1) AND ($2::uuid IS NULL OR user_id = $2)",
);

pub(crate) async fn summary(store: &PgStore, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError> {
    let query = || sqlx::query_as(SUMMARY).bind(scope.owner().as_uuid()).bind(Instant::from(now));
    let row: SummaryRow = store.read(|conn| Box::pin(query().fetch_one(conn))).await?;
    let (pending, in_progress, completed) = (
        TABLE.number::<u64, _>("status", row.pending)?,
        TABLE.number::<u64, _>("status", row.in_progress)?,
        TABLE.number::<u64, _>("status", row.completed)?,
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
        count(*) FILTER (WHERE status <> 'completed' AND due_at < $2) AS overdue
    FROM taskflow.tasks
    WHERE user_id = $1 AND deleted_at IS NULL";

async fn insert(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(INSERT.text()).bind(rows.json());
    query.execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

static INSERT: Statement<Task> = Statement::new(
    "
    INSERT INTO taskflow.tasks ({all})
    SELECT {all}
    FROM json_to_recordset($1::json) AS r ({record})",
);

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.all_found(&rows.run(conn, UPDATE.text()).await?)
}

static UPDATE: Statement<Task> = Statement::new(
    "
    UPDATE taskflow.tasks AS t
    SET {set}
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r ({record})
        JOIN taskflow.tasks AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE t.id = r.id AND t.version = r.version - 1
    RETURNING t.id",
);
