//! The stored form of tasks.

use taskflow_core::{Description, Task, TaskId, TaskPriority, TaskStatus, Title, fold, search_key};

use crate::entity::stored;
use crate::values::{entered, ids, numbers, texts};

ids!(TaskId);
entered!(Title);
texts!(TaskStatus: as_str);
numbers! {
    TaskPriority: SmallInt, TaskPriority::rank, |rank| TaskPriority::from_rank(rank).ok_or("must be from 1 to 3");
}

stored! {
    Task in "tasks" {
        key id: TaskId;
        fixed user_id, created_at;
        changing title, description, status, priority, due_on, due_at, reminder_minutes, completed_at, deleted_at, version,
            updated_at;
        derived title_key = |task| fold(task.title.as_str()), search_text = search_text;
        then without_orphaned_day;
    }
}

/// Returns the searchable text: title and description, folded, one line each.
fn search_text(task: &Task) -> String {
    let description = task.description.as_ref().map(Description::as_str).unwrap_or_default();
    format!("{}\n{}", search_key(task.title.as_str()), search_key(description))
}

/// A release that knew no days may have taken the due time away.
fn without_orphaned_day(mut task: Task) -> Task {
    task.due_on = task.due_on.filter(|_| task.due_at.is_some());
    task
}
