//! Many changes of tasks at once: every item is decided purely first, then the valid ones are one commit.

use std::collections::BTreeMap;

use super::super::retry::{LONGEST, MOST_ATTEMPTS};
use super::{App, Quiet, TaskUseCases};
use crate::error::{Error, FieldError, StoreError};
use crate::ports::Lookup;
use crate::reminder::task_reminder;
use crate::{
    Actor, Changes, Idempotency, Idempotent, NewTask, Scope, Task, TaskChange, TaskId, Timestamp, UserId, Viewer,
};

/// One of several changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOperation {
    /// Make one.
    Create(NewTask),
    /// Change one.
    Update(TaskId, TaskChange),
    /// Put one into the trash.
    Delete(TaskId),
    /// An operation that the host could not read: it fails in its place, with these errors.
    Unreadable(Vec<FieldError>),
}

/// The effect that a failed operation has on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// Nothing is done.
    AllOrNothing,
    /// The others are done.
    Each,
}

/// The results of the operations in their order, each with the task afterwards.
pub type BulkResults = Vec<Result<Task, Error>>;

impl TaskOperation {
    fn id(&self) -> Option<TaskId> {
        match self {
            Self::Create(_) | Self::Unreadable(_) => None,
            Self::Update(id, _) | Self::Delete(id) => Some(*id),
        }
    }
}

impl TaskUseCases<'_> {
    /// Applies up to [`MAX_BULK`](App::MAX_BULK) operations to the actor's tasks, each task at most once.
    ///
    /// With [`Bulk::AllOrNothing`] one that cannot be done fails the whole, and all such are named ([`Error::Items`]).
    pub async fn bulk(
        self,
        actor: Actor,
        operations: Vec<TaskOperation>,
        bulk: Bulk,
        idempotency: Option<Idempotency<'_, [Result<Task, Error>]>>,
    ) -> Result<Idempotent<BulkResults>, Error> {
        let scope = actor.scope()?;
        if operations.len() > App::MAX_BULK {
            let message = format!("must have at most {} items", App::MAX_BULK);
            return Err(FieldError::new("operations", message).into());
        }
        let idempotency = idempotency.as_ref();
        self.app.idempotent(scope.person(), idempotency, self.app.run_bulk(scope, operations, bulk, idempotency)).await
    }
}

impl App {
    /// Most operations at once.
    pub const MAX_BULK: usize = 100;

    async fn run_bulk(
        &self,
        scope: Scope,
        operations: Vec<TaskOperation>,
        bulk: Bulk,
        idempotency: Option<&Idempotency<'_, [Result<Task, Error>]>>,
    ) -> Result<BulkResults, Error> {
        let operations = self.with_due_days(scope.person(), operations).await?;
        let (mut beaten, began) = (0, self.clock.now());
        let mut place = None;
        loop {
            let is_last = beaten >= MOST_ATTEMPTS || self.clock.now().since(began) >= LONGEST;
            match self.try_bulk(scope, operations.clone(), bulk, idempotency, is_last).await? {
                Some(results) => return Ok(results),
                // Somebody changed one of the tasks meanwhile: all is read and decided anew.
                None => beaten += 1,
            }
            place.get_or_insert_with(|| self.queues.join(scope.owner().as_uuid())).first().await;
        }
    }

    /// Makes one attempt. Returns `None` if one of the tasks was changed concurrently, unless it is the last attempt:
    /// then the operations on such tasks fail in their place.
    async fn try_bulk(
        &self,
        scope: Scope,
        operations: Vec<TaskOperation>,
        bulk: Bulk,
        idempotency: Option<&Idempotency<'_, [Result<Task, Error>]>>,
        is_last: bool,
    ) -> Result<Option<BulkResults>, Error> {
        let ids: Vec<TaskId> = operations.iter().filter_map(TaskOperation::id).collect();
        let stored =
            if ids.is_empty() { Lookup::new() } else { self.store.tasks_by_id(&ids, Viewer::Person(scope)).await? };
        let now = self.clock.now();
        let mut results = self.decide(scope, operations, &stored, now);
        let asking = results.iter().flatten().find(|task| task_reminder(task).is_some());
        let quiet = match asking {
            Some(task) => self.quiet_of(task).await?,
            None => None,
        };
        loop {
            if bulk == Bulk::AllOrNothing {
                results = all_or_nothing(results)?;
            }
            let (changes, items) = self.combined(Actor::User(scope.person()), &results, &stored, quiet.as_ref(), now);
            let last = changes.writes.len();
            let changes = changes.respond(scope.person(), idempotency, results.as_slice(), now).under(scope);
            let changes = changes.and(self.more_tasks(scope, new_tasks(&results, &stored).count(), now));
            match self.commit_indexed(&changes).await {
                Ok(()) => return Ok(Some(results)),
                Err(StoreError::Stale { write }) if write < last && !is_last => return Ok(None),
                Err(StoreError::Stale { write } | StoreError::Taken { write, .. }) if write < last => {
                    results[items[write]] = Err(Error::Stale);
                }
                Err(StoreError::OverQuota { over, .. }) if bulk == Bulk::Each => {
                    let room = usize::try_from(over.limit.saturating_sub(over.used)).unwrap_or(usize::MAX);
                    let too_many: Vec<_> = new_tasks(&results, &stored).skip(room).collect();
                    too_many.into_iter().for_each(|index| results[index] = Err(Error::OverQuota(over)));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Finds when due days end; an operation that names a day and a time fails in its place.
    async fn with_due_days(&self, person: UserId, operations: Vec<TaskOperation>) -> Result<Vec<TaskOperation>, Error> {
        let names_a_day = |operation: &TaskOperation| match operation {
            TaskOperation::Create(new) => new.due_on.is_some(),
            TaskOperation::Update(_, change) => matches!(change.due_on, Some(Some(_))),
            TaskOperation::Delete(_) | TaskOperation::Unreadable(_) => false,
        };
        if !operations.iter().any(names_a_day) {
            return Ok(operations);
        }
        let zone = self.zone_of(person).await?;
        let resolve = |operation| match operation {
            TaskOperation::Create(new) => new.resolved(&zone).map(TaskOperation::Create),
            TaskOperation::Update(id, change) => change.resolved(&zone).map(|change| TaskOperation::Update(id, change)),
            other => Ok(other),
        };
        let resolved = operations
            .into_iter()
            .map(|operation| resolve(operation).unwrap_or_else(|error| TaskOperation::Unreadable(vec![error])));
        Ok(resolved.collect())
    }

    fn decide(
        &self,
        scope: Scope,
        operations: Vec<TaskOperation>,
        stored: &Lookup<TaskId, Task>,
        now: Timestamp,
    ) -> BulkResults {
        let mut seen = BTreeMap::new();
        let decide = |(index, operation): (usize, TaskOperation)| {
            let before = match operation.id() {
                Some(id) => {
                    if let Some(first) = seen.insert(id, index) {
                        let message = format!("names the same task as operation {first}");
                        return Err(FieldError::new("id", message).into());
                    }
                    Some(visible(stored, id)?)
                }
                None => None,
            };
            match (operation, before) {
                (TaskOperation::Update(_, change), Some(before)) => Ok(before.apply(change, now)?),
                (TaskOperation::Delete(_), Some(before)) => Ok(before.trash(now)),
                (TaskOperation::Create(new), _) => {
                    Ok(Task::new(TaskId::from_uuid(self.ids.next(now)), scope.owner(), new, now)?)
                }
                (TaskOperation::Unreadable(errors), _) => Err(Error::Invalid(errors)),
                (TaskOperation::Update(..) | TaskOperation::Delete(_), None) => Err(Error::NotFound("task")),
            }
        };
        operations.into_iter().enumerate().map(decide).collect()
    }

    /// Returns the changes of all possible operations, and for each write the operation it came from.
    fn combined(
        &self,
        actor: Actor,
        results: &BulkResults,
        stored: &Lookup<TaskId, Task>,
        quiet: Option<&Quiet>,
        now: Timestamp,
    ) -> (Changes, Vec<usize>) {
        let (mut all, mut items) = (Changes::new(), Vec::new());
        for (index, after) in results.iter().enumerate() {
            let Ok(after) = after else { continue };
            let before = stored.get(&after.id).and_then(|row| row.as_ref().ok());
            if before == Some(after) {
                continue;
            }
            let changes = self.task_changes(actor, before, after, quiet, now);
            items.extend(changes.writes.iter().map(|_| index));
            all = all.and(changes);
        }
        (all, items)
    }
}

fn visible(stored: &Lookup<TaskId, Task>, id: TaskId) -> Result<&Task, Error> {
    match stored.get(&id) {
        Some(Ok(task)) if task.deleted_at.is_none() => Ok(task),
        Some(Ok(_)) | None => Err(Error::NotFound("task")),
        Some(Err(bad)) => Err(StoreError::from(bad.clone()).into()),
    }
}

/// Returns the operations that make a task.
fn new_tasks<'a>(results: &'a BulkResults, stored: &'a Lookup<TaskId, Task>) -> impl Iterator<Item = usize> + 'a {
    let is_new = |result: &Result<Task, Error>| result.as_ref().is_ok_and(|task| !stored.contains_key(&task.id));
    results.iter().enumerate().filter(move |(_, result)| is_new(result)).map(|(index, _)| index)
}

fn all_or_nothing(results: BulkResults) -> Result<BulkResults, Error> {
    if results.iter().all(Result::is_ok) {
        return Ok(results);
    }
    let failed = results.into_iter().enumerate().filter_map(|(index, result)| Some((index, result.err()?)));
    Err(Error::Items(failed.collect()))
}
