use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, cancelled,
    expired, found,
};
use crate::{
    LinkTargets, NoticeContent, NoticeKind, OpenTarget, Outcome, PlainText, RenderInput, Task, TaskId, TaskPriority,
    TaskStatus, Timestamp, Variable, Variables,
};

/// The status of a task was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatusNotice {
    /// The task.
    pub task: TaskId,
    /// Its status before.
    pub was: TaskStatus,
    /// Its status since.
    pub is: TaskStatus,
}

/// The content of a mail about the status of a task.
///
/// Its templates have `title`, `status` (`pending`, `in_progress`, `completed`), `was` and `is` in words, and `due`,
/// which may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatusContent {
    /// The task as it is now.
    pub task: Task,
    /// Its status before.
    pub was: TaskStatus,
    /// Its status since.
    pub is: TaskStatus,
}

impl NoticeType for TaskStatusNotice {
    const KIND: &'static str = "task_status";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Task);

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for TaskStatusNotice {
    fn needs(&self) -> Needs {
        Needs::task(self.task)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        match found(check.batch.tasks.get(&self.task))? {
            Some(task) if task.deleted_at.is_some() => Err(cancelled("the task is in the trash")),
            Some(task) if task.status != self.is => Err(expired("the status is another one by now")),
            Some(task) => Ok(TaskStatusContent { task: task.clone(), was: self.was, is: self.is }.into()),
            None => Err(cancelled("the task is gone")),
        }
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let task = made_up.task("Send the quarterly report", TaskPriority::High, 2)?.complete(made_up.now).ok()?;
        Some(Box::new(TaskStatusContent { task, was: TaskStatus::InProgress, is: TaskStatus::Completed }))
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(Thread::Task(self.task))
    }
}

impl NoticeContent for TaskStatusContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::TaskStatus
    }

    fn plain(&self, _: &RenderInput) -> PlainText {
        let Self { task, is, .. } = self;
        PlainText { subject: format!("{}: {is}", task.title), text: format!("\"{}\" is now {is}.", task.title) }
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        let Self { task, was, is } = self;
        // A completed task is no longer due.
        let due_at = task.due_at.filter(|_| *is != TaskStatus::Completed);
        Variables::new()
            .with("title", task.title.as_str())
            .with("status", is.as_str())
            .with("was", Variable::Words(format!("status.{}", was.as_str()).into()))
            .with("is", Variable::Words(format!("status.{}", is.as_str()).into()))
            .with("due", due_at.map(|at| Variable::due(task, at)))
    }

    fn links(&self) -> LinkTargets<'_> {
        LinkTargets { open: Some(OpenTarget::Task(&self.task)), tasks: vec![&self.task], ..LinkTargets::default() }
    }

    fn thread(&self) -> Option<String> {
        Some(format!("task-{}", self.task.id))
    }
}
