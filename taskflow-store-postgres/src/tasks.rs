//! Tasks.

mod list;

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::Lookup;
use taskflow_core::{
    CorruptRow, ReminderMinutes, Scope, StoreError, Task, TaskId, TaskPriority, TaskSummary, TaskWrite, Timestamp,
    Title, UserId, Viewer, fold, search_key,
};
use uuid::Uuid;

use crate::error::{Instant, Table, store_error};
use crate::rows::Rows;
use crate::store::PgStore;

pub(crate) use list::tasks;

const TABLE: Table = Table("taskflow.tasks");

/// A task as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    id: TaskId,
    user_id: UserId,
    title: &'a str,
    title_key: String,
    description: Option<&'a str>,
    search_text: String,
    status: &'static str,
    priority: i16,
    due_on: Option<NaiveDate>,
    due_at: Option<Timestamp>,
    reminder_minutes: Option<u32>,
    completed_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> Params<'a> {
    fn new(task: &'a Task) -> Self {
        let title_key = fold(task.title.as_str());
        let description = task.description.as_ref().map(taskflow_core::Description::as_str);
        Self {
            id: task.id,
            user_id: task.user_id,
            title: task.title.as_str(),
            search_text: format!(
                "{}\n{}",
                search_key(task.title.as_str()),
                search_key(description.unwrap_or_default())
            ),
            title_key,
            description,
            status: task.status.as_str(),
            priority: task.priority.rank(),
            due_on: task.due_on,
            due_at: task.due_at,
            reminder_minutes: task.reminder_minutes.map(ReminderMinutes::get),
            completed_at: task.completed_at,
            deleted_at: task.deleted_at,
            version: task.version,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

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
            TaskWrite::Insert(task) => self.new.push(index, task.id.as_uuid(), &Params::new(task)),
            TaskWrite::Update(task) => self.changed.push(index, task.id.as_uuid(), &Params::new(task)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct TaskRow {
    id: Uuid,
    user_id: Uuid,
    title: String,
    description: Option<String>,
    status: String,
    priority: i16,
    due_on: Option<String>,
    due_at: Option<Instant>,
    reminder_minutes: Option<i32>,
    completed_at: Option<Instant>,
    deleted_at: Option<Instant>,
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl TryFrom<TaskRow> for Task {
    type Error = CorruptRow;

    fn try_from(row: TaskRow) -> Result<Self, CorruptRow> {
        let priority = TaskPriority::from_rank(row.priority);
        let minutes = row.reminder_minutes.map(|minutes| TABLE.number("reminder_minutes", minutes)).transpose()?;
        let reminder = minutes.map(ReminderMinutes::new).transpose();
        Ok(Self {
            id: TaskId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            title: TABLE.stored("title", &row.title, Title::from_stored)?,
            description: TABLE.optional("description", row.description.as_deref())?,
            status: TABLE.value("status", &row.status)?,
            priority: priority.ok_or_else(|| TABLE.bad("priority", "must be from 1 to 3"))?,
            // A release that knew no days may have taken the due time away.
            due_on: TABLE.optional("due_on", row.due_on.as_deref().filter(|_| row.due_at.is_some()))?,
            due_at: TABLE.optional_instant("due_at", row.due_at)?,
            reminder_minutes: reminder.map_err(|error| TABLE.bad("reminder_minutes", error.to_string()))?,
            completed_at: TABLE.optional_instant("completed_at", row.completed_at)?,
            deleted_at: TABLE.optional_instant("deleted_at", row.deleted_at)?,
            version: TABLE.number("version", row.version)?,
            created_at: TABLE.instant("created_at", row.created_at)?,
            updated_at: TABLE.instant("updated_at", row.updated_at)?,
        })
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
    let query = || sqlx::query_as(TASK).bind(id.as_uuid()).bind(scope.owner().as_uuid());
    let row: Option<TaskRow> = store.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
    Ok(row.map(Task::try_from).transpose()?)
}

const TASK: &str = "
    SELECT id, user_id, title, description, status, priority, due_on::text AS due_on, due_at, reminder_minutes,
        completed_at, deleted_at,
        version, created_at, updated_at
    FROM taskflow.tasks
    WHERE id = $1 AND user_id = $2";

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
    let query = || sqlx::query_as(TASKS_BY_ID).bind(ids.clone()).bind(owner);
    let rows: Vec<TaskRow> = store.read(|conn| Box::pin(query().fetch_all(conn))).await?;
    Ok(rows.into_iter().map(|row| (TaskId::from_uuid(row.id), Task::try_from(row))).collect())
}

const TASKS_BY_ID: &str = "
    SELECT id, user_id, title, description, status, priority, due_on::text AS due_on, due_at, reminder_minutes,
        completed_at, deleted_at,
        version, created_at, updated_at
    FROM taskflow.tasks
    WHERE id = ANY ($1) AND ($2::uuid IS NULL OR user_id = $2)";

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
    sqlx::query(INSERT).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const INSERT: &str = "
    INSERT INTO taskflow.tasks (id, user_id, title, title_key, description, search_text, status, priority, due_on,
        due_at,
        reminder_minutes, completed_at, deleted_at, version, created_at, updated_at)
    SELECT id, user_id, title, title_key, description, search_text, status, priority, due_on, due_at, reminder_minutes,
        completed_at, deleted_at, version, created_at, updated_at
    FROM json_to_recordset($1::json) AS r (id uuid, user_id uuid, title text, title_key text, description text,
        search_text text, status text, priority smallint, due_on date, due_at timestamptz, reminder_minutes integer,
        completed_at timestamptz, deleted_at timestamptz, version bigint, created_at timestamptz,
        updated_at timestamptz)";

async fn update(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let found: Vec<Uuid> = sqlx::query_scalar(UPDATE).bind(rows.json()).fetch_all(conn).await.map_err(store_error)?;
    rows.all_found(&found)
}

const UPDATE: &str = "
    UPDATE taskflow.tasks AS t
    SET title = r.title,
        title_key = r.title_key,
        description = r.description,
        search_text = r.search_text,
        status = r.status,
        priority = r.priority,
        due_on = r.due_on,
        due_at = r.due_at,
        reminder_minutes = r.reminder_minutes,
        completed_at = r.completed_at,
        deleted_at = r.deleted_at,
        version = r.version,
        updated_at = r.updated_at
    FROM (
        SELECT r.*
        FROM json_to_recordset($1::json) AS r (id uuid, title text, title_key text, description text,
            search_text text, status text, priority smallint, due_on date, due_at timestamptz, reminder_minutes integer,
            completed_at timestamptz, deleted_at timestamptz, version bigint, updated_at timestamptz)
        JOIN taskflow.tasks AS l ON l.id = r.id AND l.version = r.version - 1
        ORDER BY l.id
        FOR NO KEY UPDATE OF l) AS r
    WHERE t.id = r.id AND t.version = r.version - 1
    RETURNING t.id";
