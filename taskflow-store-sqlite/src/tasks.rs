//! Tasks.

mod completed;
mod list;

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::{SqliteConnection, SqlitePool};
use taskflow_core::ports::Lookup;
use taskflow_core::{
    CorruptRow, ReminderMinutes, Scope, StoreError, Task, TaskId, TaskPriority, TaskSummary, TaskWrite, Timestamp,
    Title, UserId, Viewer, fold, search_key,
};

use crate::error::{Table, store_error};
use crate::rows::Rows;

pub(crate) use completed::{completed_before, count_completed_before};
pub(crate) use list::tasks;

const TABLE: Table = Table("taskflow_tasks");

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
    due_at: Option<i64>,
    reminder_minutes: Option<u32>,
    completed_at: Option<i64>,
    deleted_at: Option<i64>,
    version: u64,
    created_at: i64,
    updated_at: i64,
}

impl<'a> Params<'a> {
    fn new(task: &'a Task) -> Self {
        let description = task.description.as_ref().map(taskflow_core::Description::as_str);
        let title_key = fold(task.title.as_str());
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
            due_at: task.due_at.map(Timestamp::as_micros),
            reminder_minutes: task.reminder_minutes.map(ReminderMinutes::get),
            completed_at: task.completed_at.map(Timestamp::as_micros),
            deleted_at: task.deleted_at.map(Timestamp::as_micros),
            version: task.version,
            created_at: task.created_at.as_micros(),
            updated_at: task.updated_at.as_micros(),
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
            TaskWrite::Insert(task) => self.new.push(index, task.id, &Params::new(task)),
            TaskWrite::Update(task) => self.changed.push(index, task.id, &Params::new(task)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        update(conn, &self.changed).await?;
        insert(conn, &self.new).await
    }
}

/// A task as the table has it; also part of wider rows.
#[derive(sqlx::FromRow)]
pub(crate) struct TaskRow {
    id: String,
    user_id: String,
    title: String,
    description: Option<String>,
    status: String,
    priority: i64,
    due_on: Option<String>,
    due_at: Option<i64>,
    reminder_minutes: Option<i64>,
    completed_at: Option<i64>,
    deleted_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<TaskRow> for Task {
    type Error = CorruptRow;

    fn try_from(row: TaskRow) -> Result<Self, CorruptRow> {
        let rank = TABLE.number("priority", row.priority)?;
        let minutes = row.reminder_minutes.map(|minutes| TABLE.number("reminder_minutes", minutes)).transpose()?;
        let reminder = minutes.map(ReminderMinutes::new).transpose();
        Ok(Self {
            id: TABLE.value("id", &row.id)?,
            user_id: TABLE.value("user_id", &row.user_id)?,
            title: TABLE.stored("title", &row.title, Title::from_stored)?,
            description: TABLE.optional("description", row.description.as_deref())?,
            status: TABLE.value("status", &row.status)?,
            priority: TaskPriority::from_rank(rank).ok_or_else(|| TABLE.bad("priority", "must be from 1 to 3"))?,
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

pub(crate) async fn task(pool: &SqlitePool, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
    let row: Option<TaskRow> = sqlx::query_as(TASK)
        .bind(id.to_string())
        .bind(scope.owner().to_string())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    Ok(row.map(Task::try_from).transpose()?)
}

const TASK: &str = "
    SELECT id, user_id, title, description, status, priority, due_on, due_at, reminder_minutes, completed_at,
        deleted_at,
        version, created_at, updated_at
    FROM taskflow_tasks
    WHERE id = ?1 AND user_id = ?2";

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
    let rows: Vec<TaskRow> =
        sqlx::query_as(TASKS_BY_ID).bind(ids).bind(owner).fetch_all(pool).await.map_err(store_error)?;
    rows.into_iter().map(|row| Ok((TABLE.value("id", &row.id)?, Task::try_from(row)))).collect()
}

const TASKS_BY_ID: &str = "
    SELECT t.id, t.user_id, t.title, t.description, t.status, t.priority, t.due_on, t.due_at, t.reminder_minutes,
        t.completed_at,
        t.deleted_at, t.version, t.created_at, t.updated_at
    FROM json_each(?1) AS j
    CROSS JOIN taskflow_tasks AS t ON t.id = j.value
    WHERE ?2 IS NULL OR t.user_id = ?2";

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
    sqlx::query(INSERT).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const INSERT: &str = "
    INSERT INTO taskflow_tasks (id, user_id, title, title_key, description, search_text, status, priority, due_on,
        due_at,
        reminder_minutes, completed_at, deleted_at, version, created_at, updated_at)
    SELECT value ->> 'id', value ->> 'user_id', value ->> 'title', value ->> 'title_key', value ->> 'description',
        value ->> 'search_text', value ->> 'status', value ->> 'priority', value ->> 'due_on', value ->> 'due_at',
        value ->> 'reminder_minutes', value ->> 'completed_at', value ->> 'deleted_at', value ->> 'version',
        value ->> 'created_at', value ->> 'updated_at'
    FROM json_each(?1)";

async fn update(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    rows.apply_all(conn, UPDATE).await
}

const UPDATE: &str = "
    UPDATE taskflow_tasks
    SET title = j.value ->> 'title',
        title_key = j.value ->> 'title_key',
        description = j.value ->> 'description',
        search_text = j.value ->> 'search_text',
        status = j.value ->> 'status',
        priority = j.value ->> 'priority',
        due_on = j.value ->> 'due_on',
        due_at = j.value ->> 'due_at',
        reminder_minutes = j.value ->> 'reminder_minutes',
        completed_at = j.value ->> 'completed_at',
        deleted_at = j.value ->> 'deleted_at',
        version = j.value ->> 'version',
        updated_at = j.value ->> 'updated_at'
    FROM json_each(?1) AS j
    WHERE taskflow_tasks.id = j.value ->> 'id' AND taskflow_tasks.version = (j.value ->> 'version') - 1
    RETURNING id";
