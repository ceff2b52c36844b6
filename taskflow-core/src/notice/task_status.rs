use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, cancelled, expired, found,
    made_up,
};
use crate::{NoticeContent, Outcome, TaskId, TaskPriority, TaskStatus, Timestamp};

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
            Some(task) => Ok(NoticeContent::TaskStatus { task: task.clone(), was: self.was, is: self.is }.into()),
            None => Err(cancelled("the task is gone")),
        }
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let task = made_up::task("Send the quarterly report", TaskPriority::High, now, 2)?.complete(now).ok()?;
        Some(NoticeContent::TaskStatus { task, was: TaskStatus::InProgress, is: TaskStatus::Completed })
    }

    fn thread(&self) -> Option<Thread> {
        Some(Thread::Task(self.task))
    }
}
