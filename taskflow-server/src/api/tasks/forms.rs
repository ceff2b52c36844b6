//! Tasks as JSON.

use chrono::NaiveDate;
use poem_openapi::Object;
use taskflow_core::{
    Description, NewTask, Page, ReminderMinutes, Task, TaskChange, TaskId, TaskPriority, TaskStatus, TaskSummary,
    Timestamp, Title, UserId,
};

use crate::api::answer::PageJson;
use crate::api::{ApiError, Field, Required, Val, ValidationErrors};

/// A task of one person.
#[derive(Debug, Object)]
#[oai(rename = "Task", skip_serializing_if_is_none)]
pub(super) struct TaskBody {
    /// Identifier; never changes.
    id: Val<TaskId>,
    /// The owner.
    user_id: Val<UserId>,
    /// Title.
    title: Val<Title>,
    /// Description.
    description: Option<Val<Description>>,
    /// Status.
    status: Val<TaskStatus>,
    /// Priority.
    priority: Val<TaskPriority>,
    /// The day on which it is due, in the time zone of its owner: until the end of that day.
    due_on: Option<Val<NaiveDate>>,
    /// When it is due; absent with `due_on`.
    due_at: Option<Val<Timestamp>>,
    /// Minutes before it is due at which the owner is reminded. A day is due at its end.
    reminder_minutes: Option<Val<ReminderMinutes>>,
    /// When it was completed.
    completed_at: Option<Val<Timestamp>>,
    /// When it was moved to the trash.
    deleted_at: Option<Val<Timestamp>>,
    /// Version; grows by one with each change.
    #[oai(validator(minimum(value = "1")))]
    version: u64,
    /// When it was created.
    created_at: Val<Timestamp>,
    /// When it last changed.
    updated_at: Val<Timestamp>,
}

/// A page of tasks.
#[derive(Debug, Object)]
#[oai(rename = "TaskPage")]
pub(super) struct TaskPageBody {
    /// The tasks on this page.
    items: Vec<TaskBody>,
    /// Number of items on all pages.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Number of this page, counted from 1.
    #[oai(validator(minimum(value = "1")))]
    page: u32,
    /// Maximum number of items on a page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    size: u32,
}

/// Numbers of tasks by status.
#[derive(Debug, Object)]
#[oai(rename = "TaskSummary")]
pub(super) struct SummaryBody {
    /// All tasks outside the trash.
    #[oai(validator(minimum(value = "0")))]
    total: u64,
    /// Tasks that have not been started.
    #[oai(validator(minimum(value = "0")))]
    pending: u64,
    /// Tasks in progress.
    #[oai(validator(minimum(value = "0")))]
    in_progress: u64,
    /// Completed tasks.
    #[oai(validator(minimum(value = "0")))]
    completed: u64,
    /// Open tasks whose due time has passed.
    #[oai(validator(minimum(value = "0")))]
    overdue: u64,
}

/// A task to create.
#[derive(Debug, Object)]
#[oai(rename = "NewTask")]
pub(super) struct NewTaskBody {
    /// Title, on one line.
    title: Required<Title>,
    /// Description.
    #[oai(nullable)]
    description: Field<Description>,
    /// Status; default `pending`.
    #[oai(nullable)]
    status: Field<TaskStatus>,
    /// Priority; default `medium`.
    #[oai(nullable)]
    priority: Field<TaskPriority>,
    /// The day on which it is due, in my time zone: until the end of that day. Not together with `due_at`.
    #[oai(nullable)]
    due_on: Field<NaiveDate>,
    /// When it is due, with an offset.
    #[oai(nullable)]
    due_at: Field<Timestamp>,
    /// Minutes before it is due at which I am reminded; needs `due_at` or `due_on`. A day is due at its end.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
}

/// A change of a task. Members that are left out stay as they are.
#[derive(Debug, Object)]
#[oai(rename = "TaskChange")]
pub(super) struct ChangeBody {
    /// Another title.
    title: Field<Title>,
    /// Another description; `null` removes it.
    #[oai(nullable)]
    description: Field<Description>,
    /// Another status.
    status: Field<TaskStatus>,
    /// Another priority.
    priority: Field<TaskPriority>,
    /// Another due day, or none. It takes the place of a due time.
    #[oai(nullable)]
    due_on: Field<NaiveDate>,
    /// Another due time, or none. It takes the place of a due day; without either the reminder goes as well.
    #[oai(nullable)]
    due_at: Field<Timestamp>,
    /// Another reminder, in minutes before it is due; `null` removes it.
    #[oai(nullable)]
    reminder_minutes: Field<ReminderMinutes>,
}

impl NewTaskBody {
    pub(super) fn read(self) -> Result<NewTask, ApiError> {
        let mut findings = ValidationErrors::default();
        let title = findings.required("title", self.title);
        let description = findings.optional("description", self.description);
        let status = findings.optional("status", self.status).unwrap_or_default();
        let priority = findings.optional("priority", self.priority).unwrap_or_default();
        let due_on = findings.optional("due_on", self.due_on);
        let due_at = findings.optional("due_at", self.due_at);
        let reminder_minutes = findings.optional("reminder_minutes", self.reminder_minutes);
        let new = title.map(|title| NewTask { title, description, status, priority, due_on, due_at, reminder_minutes });
        findings.finish(new)
    }
}

impl ChangeBody {
    pub(super) fn read(self) -> Result<TaskChange, ApiError> {
        let mut findings = ValidationErrors::default();
        let change = TaskChange {
            title: findings.kept("title", self.title),
            description: findings.clearable("description", self.description),
            status: findings.kept("status", self.status),
            priority: findings.kept("priority", self.priority),
            due_on: findings.clearable("due_on", self.due_on),
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
            due_on: task.due_on.map(Val),
            due_at: task.due_at.filter(|_| task.due_on.is_none()).map(Val),
            reminder_minutes: task.reminder_minutes.map(Val),
            completed_at: task.completed_at.map(Val),
            deleted_at: task.deleted_at.map(Val),
            version: task.version,
            created_at: Val(task.created_at),
            updated_at: Val(task.updated_at),
        }
    }
}

impl TaskPageBody {
    /// A page as JSON.
    pub(super) async fn of(page: Page<Task>) -> PageJson<Self> {
        let (total, request) = (page.total, page.request);
        let envelope = Self { items: Vec::new(), total, page: request.page(), size: request.size() };
        PageJson::new(envelope, page.items.into_iter().map(TaskBody::from)).await
    }
}

impl From<TaskSummary> for SummaryBody {
    fn from(summary: TaskSummary) -> Self {
        let TaskSummary { total, pending, in_progress, completed, overdue } = summary;
        Self { total, pending, in_progress, completed, overdue }
    }
}
