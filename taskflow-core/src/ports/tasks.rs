use async_trait::async_trait;

use super::Lookup;
use crate::error::StoreError;
use crate::{Page, Scope, Task, TaskId, TaskQuery, TaskSummary, Timestamp, Viewer};

/// Reads tasks. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Returns a task in `scope`, also from the trash.
    async fn task(&self, scope: Scope, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Returns several tasks at once, also from the trash. Unknown ids are left out, and so are tasks that `viewer` may
    /// not see.
    async fn tasks_by_id(&self, ids: &[TaskId], viewer: Viewer) -> Result<Lookup<TaskId, Task>, StoreError>;

    /// Returns a page of the tasks in `scope`; overdue are open tasks due before `now`. Without a sort the newest come
    /// first.
    async fn tasks(&self, scope: Scope, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError>;

    /// Counts the tasks in `scope` outside the trash; overdue are open tasks due before `now`.
    async fn task_summary(&self, scope: Scope, now: Timestamp) -> Result<TaskSummary, StoreError>;
}
