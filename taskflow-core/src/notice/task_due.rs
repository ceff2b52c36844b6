use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, ON_TIME, PreSendCheck, Priority, ShippedNotice, Thread,
    cancelled, day, found,
};
use crate::{
    Description, Entity, LinkTargets, NoticeContent, NoticeKind, OpenTarget, Outcome, PlainText, RenderInput, Task,
    TaskId, TaskPriority, Timestamp, Variable, Variables,
};

/// A task is due soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDueNotice {
    /// The task.
    pub task: TaskId,
    /// The due time of the task as this was planned; a task that moved has another notice.
    pub due_at: Timestamp,
}

/// The content of a reminder of tasks that are due soon.
///
/// Its templates have `title`, `description` (may be none), `due`, `priority`, `timing` (`ahead`, `now`, `late`) and
/// `relative`, the time until it is due as the mail is sent (`in 15 minutes`, `tomorrow at 09:00`); and `others`, which
/// is empty. A reminder of several tasks has only `title` of the first, `count` and `others`, a list of all of them:
/// `title`, `about`, `url`, `done_url` (these three may be none) and `is_late`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDueContent {
    /// The task as it is now.
    pub task: Task,
    /// Its due time.
    pub due_at: Timestamp,
    /// More tasks that are due soon, by time; reminded of in the same minute.
    pub others: Vec<Task>,
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
                Ok(TaskDueContent { task: task.clone(), due_at, others }.into())
            }
            None => Err(cancelled("the task is gone")),
        }
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let due_at = made_up.now + Duration::from_mins(15);
        let task = made_up.task("Water the plants", TaskPriority::Medium, 1)?;
        Some(Box::new(TaskDueContent { task: Task { due_at: Some(due_at), ..task }, due_at, others: Vec::new() }))
    }

    fn order_thread(&self) -> Option<Thread> {
        Some(Thread::Task(self.task))
    }

    fn reminds(&self) -> Option<Entity> {
        Some(Entity::Task(self.task))
    }
}

impl TaskDueContent {
    /// Returns all tasks, soonest first.
    fn by_time(&self) -> Vec<&Task> {
        let mut all: Vec<_> = std::iter::once(&self.task).chain(&self.others).collect();
        all.sort_by_key(|task| task.due_at);
        all
    }
}

impl NoticeContent for TaskDueContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::TaskDue
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        let Self { task, due_at, others } = self;
        if others.is_empty() {
            return PlainText {
                subject: format!("Due soon: {}", task.title),
                text: format!("\"{}\" is due on {}.", task.title, input.plain_time(*due_at)),
            };
        }
        let titles: Vec<_> = std::iter::once(task).chain(others).map(|task| task.title.as_str()).collect();
        PlainText {
            subject: format!("Due soon: {} tasks", titles.len()),
            text: format!("These are due soon:\n{}", titles.join("\n")),
        }
    }

    fn variables<'a>(&'a self, input: &'a RenderInput) -> Variables<'a> {
        let Self { task, due_at, others } = self;
        if !others.is_empty() {
            let tasks = self.by_time();
            let is_late = |task: &Task| task.due_at.is_some_and(|at| at < input.date);
            let items: Vec<_> = tasks.iter().map(|task| day::open_task(task, is_late(task), input)).collect();
            return Variables::new()
                .with("title", tasks.first().map(|task| task.title.as_str()))
                .with("count", tasks.len() as u64)
                .with("others", items);
        }
        Variables::new()
            .with("others", Variable::List(Vec::new()))
            .with("title", task.title.as_str())
            .with("description", task.description.as_ref().map(Description::as_str))
            .with("due", Variable::due(task, *due_at))
            .with("relative", Variable::relative_due(task, *due_at))
            .with("timing", Variable::Timing(*due_at))
            .with("priority", Variable::Words(format!("priority.{}", task.priority.as_str()).into()))
    }

    fn links(&self) -> LinkTargets<'_> {
        let tasks = std::iter::once(&self.task).chain(&self.others).collect();
        let open = Some(OpenTarget::Task(&self.task));
        LinkTargets { open, tasks, task_actions: true, ..LinkTargets::default() }
    }

    fn thread(&self) -> Option<String> {
        Some(format!("task-{}", self.task.id))
    }

    /// Returns the due time; `None` once the task is overdue, because the reminder can no longer come in time.
    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.due_at).filter(|at| *at + ON_TIME > now)
    }
}
