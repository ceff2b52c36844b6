use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{Lookup, Tasks};
use crate::{
    Page, Scope, Task, TaskId, TaskQuery, TaskSort, TaskSortKey, TaskStatus, TaskSummary, TaskWrite, Timestamp, Viewer,
    fold, search_key,
};

impl MemoryWrite for TaskWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Insert(task) => check.require_user(task.user_id),
            Self::Update(task) => {
                check.require_next(check.state.tasks.get(&task.id).map(|row| row.version), task.version)
            }
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Insert(task) | Self::Update(task) => state.tasks.insert(task.id, task.clone()),
        };
    }
}

#[async_trait]
impl Tasks for MemoryStore {
    async fn task(&self, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.state().tasks.get(&id).filter(|task| task.user_id == scope.owner()).cloned())
    }

    async fn tasks_by_id(&self, ids: &[TaskId], viewer: Viewer) -> Result<Lookup<TaskId, Task>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.tasks.get(id));
        let theirs = found.filter(|task| match viewer {
            Viewer::Service => true,
            Viewer::Person(scope) => task.user_id == scope.owner(),
        });
        Ok(theirs.map(|task| (task.id, Ok(task.clone()))).collect())
    }

    async fn tasks(&self, scope: Scope, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError> {
        let state = self.state();
        let fits = |task: &&Task| task.user_id == scope.owner() && matches(task, query, now);
        let mut found: Vec<&Task> = state.tasks.values().filter(fits).collect();
        found.sort_by(|a, b| in_order(a, b, &query.sort));
        let page = found.iter().skip(query.page.offset() as usize).take(query.page.size() as usize);
        let items = page.map(|task| (*task).clone()).collect();
        Ok(Page { items, total: found.len() as u64, request: query.page })
    }

    async fn task_summary(&self, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError> {
        let mut summary = TaskSummary::default();
        let state = self.state();
        for task in state.tasks.values().filter(|task| task.user_id == scope.owner() && task.deleted_at.is_none()) {
            summary.total += 1;
            summary.overdue += u64::from(task.is_overdue(now));
            *match task.status {
                TaskStatus::Pending => &mut summary.pending,
                TaskStatus::InProgress => &mut summary.in_progress,
                TaskStatus::Completed => &mut summary.completed,
            } += 1;
        }
        Ok(summary)
    }
}

fn matches(task: &Task, query: &TaskQuery, now: Timestamp) -> bool {
    let text = || {
        let description = task.description.as_ref().map_or("", |text| text.as_str());
        format!("{}\n{}", search_key(task.title.as_str()), search_key(description))
    };
    task.deleted_at.is_some() == query.trash
        && (query.status.is_empty() || query.status.contains(&task.status))
        && (query.priority.is_empty() || query.priority.contains(&task.priority))
        && query.due_before.is_none_or(|before| task.due_at.is_some_and(|at| at < before))
        && query.due_after.is_none_or(|after| task.due_at.is_some_and(|at| at >= after))
        && query.whole_day.is_none_or(|whole_day| task.due_on.is_some() == whole_day)
        && query.overdue.is_none_or(|overdue| task.is_overdue(now) == overdue)
        && (query.words.is_empty() || {
            let text = text();
            query.words.iter().all(|word| text.contains(word.as_str()))
        })
}

fn in_order(a: &Task, b: &Task, sort: &[TaskSort]) -> std::cmp::Ordering {
    let newest_first = [TaskSort { by: TaskSortKey::CreatedAt, descending: true }];
    let sort = if sort.is_empty() { &newest_first[..] } else { sort };
    let by = |TaskSort { by, descending }: &TaskSort| {
        let order = match by {
            TaskSortKey::CreatedAt => a.created_at.cmp(&b.created_at),
            TaskSortKey::UpdatedAt => a.updated_at.cmp(&b.updated_at),
            TaskSortKey::Priority => a.priority.cmp(&b.priority),
            TaskSortKey::Status => a.status.cmp(&b.status),
            TaskSortKey::Title => fold(a.title.as_str()).cmp(&fold(b.title.as_str())),
            // Without a due time last, in either direction.
            TaskSortKey::DueAt => match (a.due_at, b.due_at) {
                (Some(a), Some(b)) => a.cmp(&b),
                (a, b) => return b.is_some().cmp(&a.is_some()),
            },
        };
        if *descending { order.reverse() } else { order }
    };
    sort.iter().map(by).find(|order| order.is_ne()).unwrap_or_else(|| b.id.cmp(&a.id))
}
