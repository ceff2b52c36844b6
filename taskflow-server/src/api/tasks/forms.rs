//! Tasks as JSON.

use poem_openapi::Object;
use taskflow_core::{
    Description, NewTask, Page, ReminderMinutes, Task, TaskChange, TaskId, TaskPriority, TaskStatus, TaskSummary,
    Timestamp, Title, UserId,
};

use crate::api::{ApiError, Field, Findings, Required, Val};

/// A to-do of one person.
#[derive(Debug, Object)]
#[oai(rename = "Task", skip_serializing_if_is_none)]
pub(super) struct TaskBody {
    /// Never changes.
    id: Val<TaskId>,
    /// Whose it is.
    user_id: Val<UserId>,
    /// What is to do.
    title: Val<Title>,
    /// More about it.
    description: Option<Val<Description>>,
    /// How far it is.
    status: Val<TaskStatus>,
    /// How urgent it is.
    priority: Val<TaskPriority>,
    /// When it should be done.
    due_at: Option<Val<Timestamp>>,
    /// How many minutes before `due_at` to remind.
    reminder_minutes: Option<Val<ReminderMinutes>>,
    /// When it was done.
    completed_at: Option<Val<Timestamp>>,
    /// When it went to the trash.
    deleted_at: Option<Val<Timestamp>>,
    /// Grows by one with each change.
    #[oai(validator(minimum(value = "1")))]
    version: u64,
    /// When it was made.
    created_at: Val<Timestamp>,
    /// When it last changed.
    updated_at: Val<Timestamp>,
}

/// One page of tasks.
#[derive(Debug, Object)]
#[oai(rename = "TaskPage")]
pub(super) struct TaskPageBody {
    /// What is on it.
    items: Vec<TaskBody>,
    /// How many all pages have together.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Which page it is, counted from 1.
    #[oai(validator(minimum(value = "1")))]
    page: u32,
    /// How many fit on a page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    size: u32,
}

/// How many tasks there are.
#[derive(Debug, Object)]
#[oai(rename = "TaskSummary")]
pub(super) struct SummaryBody {
    /// All of them.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Not begun.
    #[oai(validator(minimum(value = "0")))]
    pending: u64,
    /// Begun.
    #[oai(validator(minimum(value = "0")))]
    in_progress: u64,
    /// Done.
    #[oai(validator(minimum(value = "0")))]
    completed: u64,
    /// Open although due.
    #[oai(validator(minimum(value = "0")))]
    overdue: u64,
}

/// A new task.
#[derive(Debug, Object)]
#[oai(rename = "NewTask")]
pub(super) struct NewTaskBody {
    /// What is to do; one line.
    title: Required<Title>,
    /// More about it.
    #[oai(nullable)]
    description: Field<Description>,
    /// How far it is; `pending` when left out.
    #[oai(nullable)]
    status: Field<TaskStatus>,
    /// How urgent it is; `medium` when left out.
    #[oai(nullable)]
    priority: Field<TaskPriority>,
    /// When it should be done, with an offset.
    #[oai(nullable)]
    due_at: Field<Timestamp>,
    /// How many minutes before `due_at` to remind; needs it.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
}

/// What shall be different; what is left out stays as it is.
#[derive(Debug, Object)]
#[oai(rename = "TaskChange")]
pub(super) struct ChangeBody {
    /// Another title.
    title: Field<Title>,
    /// Another description, or none.
    #[oai(nullable)]
    description: Field<Description>,
    /// Another status.
    status: Field<TaskStatus>,
    /// Another priority.
    priority: Field<TaskPriority>,
    /// Another due time, or none; without one the reminder goes as well.
    #[oai(nullable)]
    due_at: Field<Timestamp>,
    /// Another reminder, or none.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
}

impl NewTaskBody {
    pub(super) fn read(self) -> Result<NewTask, ApiError> {
        let mut findings = Findings::default();
        let title = findings.required("title", self.title);
        let description = findings.optional("description", self.description);
        let status = findings.optional("status", self.status).unwrap_or_default();
        let priority = findings.optional("priority", self.priority).unwrap_or_default();
        let due_at = findings.optional("due_at", self.due_at);
        let reminder_minutes = findings.optional("reminder_minutes", self.reminder_minutes);
        let new = title.map(|title| NewTask { title, description, status, priority, due_at, reminder_minutes });
        findings.finish(new)
    }
}

impl ChangeBody {
    pub(super) fn read(self) -> Result<TaskChange, ApiError> {
        let mut findings = Findings::default();
        let change = TaskChange {
            title: findings.kept("title", self.title),
            description: findings.clearable("description", self.description),
            status: findings.kept("status", self.status),
            priority: findings.kept("priority", self.priority),
            due_at: findings.clearable("due_at", self.due_at),
            reminder_minutes: findings.clearable("reminder_minutes", self.reminder_minutes),
        };
        findings.finish(Some(change))
    }
}

impl From<Task> for TaskBody {
    fn from(task: Task) -> Self {
        Self {
            id: Val(task.id),
            user_id: Val(task.user_id),
            title: Val(task.title),
            description: task.description.map(Val),
            status: Val(task.status),
            priority: Val(task.priority),
            due_at: task.due_at.map(Val),
            reminder_minutes: task.reminder_minutes.map(Val),
            completed_at: task.completed_at.map(Val),
            deleted_at: task.deleted_at.map(Val),
            version: task.version,
            created_at: Val(task.created_at),
            updated_at: Val(task.updated_at),
        }
    }
}

impl From<Page<Task>> for TaskPageBody {
    fn from(page: Page<Task>) -> Self {
        Self {
            items: page.items.into_iter().map(TaskBody::from).collect(),
            total: page.total,
            page: page.request.page(),
            size: page.request.size(),
        }
    }
}

impl From<TaskSummary> for SummaryBody {
    fn from(summary: TaskSummary) -> Self {
        let TaskSummary { total, pending, in_progress, completed, overdue } = summary;
        Self { total, pending, in_progress, completed, overdue }
    }
}
