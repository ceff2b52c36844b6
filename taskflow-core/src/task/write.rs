use super::Task;

/// A write of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskWrite {
    /// Inserts a task; `Stale` when its owner is gone.
    Insert(Task),
    /// Replaces a task; `Stale` unless the stored version is one less.
    Update(Task),
}
