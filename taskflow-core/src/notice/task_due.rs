use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Checked, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, Thread, cancelled, found, made_up,
};
use crate::{Entity, NoticeContent, Outcome, Task, TaskId, TaskPriority, Timestamp};

/// A task is due soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDueNotice {
    /// The task.
    pub task: TaskId,
    /// The due time of the task as this was planned; a task that moved has another notice.
    pub due_at: Timestamp,
}

impl NoticeType for TaskDueNotice {
    const KIND: &'static str = "task_due";
    const POLICY: NoticePolicy = NoticePolicy { gathered: true, ..NoticePolicy::recurring(Priority::Task) };

    fn expires_at(&self, due_at: Timestamp) -> Option<Timestamp> {
        Some(due_at + Duration::from_hours(24))
    }
}

impl ShippedNotice for TaskDueNotice {
    fn needs(&self) -> Needs {
        Needs::task(self.task)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let due_at = self.due_at;
        match found(check.batch.tasks.get(&self.task))? {
            Some(task) if !task.is_open() => Err(cancelled("the task is no longer open")),
            Some(task) if task.due_at != Some(due_at) => Err(cancelled("the task is due at another time")),
            Some(task) => {
                let others = std::mem::take(&mut check.others);
                Ok(NoticeContent::TaskDue { task: task.clone(), due_at, others }.into())
            }
            None => Err(cancelled("the task is gone")),
        }
    }

    fn sample(now: Timestamp) -> Option<NoticeContent> {
        let due_at = now + Duration::from_mins(15);
        let task = made_up::task("Water the plants", TaskPriority::Medium, now, 1)?;
        Some(NoticeContent::TaskDue { task: Task { due_at: Some(due_at), ..task }, due_at, others: Vec::new() })
    }

    fn thread(&self) -> Option<Thread> {
        Some(Thread::Task(self.task))
    }

    fn reminds(&self) -> Option<Entity> {
        Some(Entity::Task(self.task))
    }
}
