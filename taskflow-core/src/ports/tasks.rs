use async_trait::async_trait;

use super::Lookup;
use crate::error::StoreError;
use crate::{Page, Task, TaskId, TaskQuery, TaskSummary, Timestamp, UserId};

/// Reads tasks. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Tasks: Send + Sync {
    /// A task of `owner`, also from the trash.
    async fn task(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Several tasks at once, also from the trash; unknown ids are left out, and those of others than `owner` when one is
    /// given. Without an owner it is for the sender, which acts for everybody.
    async fn tasks_by_id(&self, ids: &[TaskId], owner: Option<UserId>) -> Result<Lookup<TaskId, Task>, StoreError>;

    /// A page of the tasks of `owner`; overdue is what is open and due before `now`. Without a sort the newest come
    /// first.
    async fn tasks(&self, owner: UserId, query: &TaskQuery, now: Timestamp) -> Result<Page<Task>, StoreError>;

    /// Counts the tasks of `owner` outside the trash; overdue is what is open and due before `now`.
    async fn task_summary(&self, owner: UserId, now: Timestamp) -> Result<TaskSummary, StoreError>;
}
