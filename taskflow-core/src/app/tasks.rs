//! Tasks: make, look, change, complete, trash and back.

mod bulk;

pub use bulk::{Bulk, BulkResults, TaskOperation};

use super::App;
use super::retry::Attempt;
use crate::error::{Error, FieldError};
use crate::notice::TaskStatusNotice;
use crate::ports::EVENT_BYTES;
use crate::reminder::{leaves_at, plan_task_reminder, task_reminder};
use crate::{
    Actor, Changes, DedupeKey, DeliveryWrite, Entity, Event, EventId, FeedEvent, Idempotency, Idempotent, NewTask,
    Notice, Page, PageRequest, Precondition, QuietHours, Quota, Recipient, Scope, Task, TaskChange, TaskId, TaskQuery,
    TaskSort, TaskSortKey, TaskSummary, TaskWrite, Timestamp, UserId, Zone,
};

/// Quiet hours and the zone in which they apply.
type Quiet = (QuietHours, Zone);

use_cases! {
    /// Use cases of tasks: a user creates, finds, changes, completes and deletes their own.
    TaskUseCases,
    /// Returns the use cases of tasks.
    tasks
}

impl TaskUseCases<'_> {
    /// Makes a task, with its reminder.
    pub async fn create(self, actor: Actor, new: NewTask) -> Result<Task, Error> {
        self.app.new_task(actor, new, None).await
    }

    /// Makes a task once, however often the request is repeated.
    pub async fn create_once(
        self,
        actor: Actor,
        new: NewTask,
        idempotency: Idempotency<'_, Task>,
    ) -> Result<Idempotent<Task>, Error> {
        let scope = actor.scope()?;
        let idempotency = Some(&idempotency);
        self.app.idempotent(scope.person(), idempotency, self.app.new_task(actor, new, idempotency)).await
    }

    /// Returns a task of the actor, unless it is in the trash.
    pub async fn get(self, actor: Actor, id: TaskId) -> Result<Task, Error> {
        self.app.task_where(actor, id, |task| task.deleted_at.is_none()).await
    }

    /// Returns a page of the actor's tasks.
    pub async fn list(self, actor: Actor, query: &TaskQuery) -> Result<Page<Task>, Error> {
        Ok(self.app.store.tasks(actor.scope()?, query, self.app.clock.now()).await?)
    }

    /// Returns the number of the actor's tasks, in total and by status.
    pub async fn summary(self, actor: Actor) -> Result<TaskSummary, Error> {
        Ok(self.app.store.task_summary(actor.scope()?, self.app.clock.now()).await?)
    }

    /// Returns up to `limit` events of a task of the actor before another event of it, newest first, and whether there
    /// may be more. The task may be in the trash. A page of long texts may be shorter.
    pub async fn history(
        self,
        actor: Actor,
        id: TaskId,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<(Vec<Event>, bool), Error> {
        self.app.task_where(actor, id, |_| true).await?;
        let mut events = self.app.store.history_before(Entity::Task(id), before, limit.saturating_add(1)).await?;
        let bytes: usize = events.iter().map(|event| event.data.to_string().len()).sum();
        let more = events.len() > limit as usize || bytes >= EVENT_BYTES;
        events.truncate(limit as usize);
        Ok((events, more))
    }

    /// Changes a task and plans its reminder again.
    pub async fn update(
        self,
        actor: Actor,
        id: TaskId,
        change: TaskChange,
        expect: Precondition,
    ) -> Result<Task, Error> {
        let change = match change.due_on {
            Some(Some(_)) => change.resolved(&self.app.zone_of(actor.scope()?.person()).await?)?,
            None | Some(None) => change,
        };
        self.app
            .change_task(
                actor,
                id,
                expect,
                |task| task.deleted_at.is_none(),
                |task, now| task.apply(change.clone(), now),
            )
            .await
    }

    /// Completes a task; a completed one stays as it is.
    pub async fn complete(self, actor: Actor, id: TaskId) -> Result<Task, Error> {
        self.app.change_task(actor, id, Precondition::Any, |task| task.deleted_at.is_none(), Task::complete).await
    }

    /// Puts a task into the trash.
    pub async fn delete(self, actor: Actor, id: TaskId, expect: Precondition) -> Result<Task, Error> {
        self.app.change_task(actor, id, expect, |task| task.deleted_at.is_none(), |task, now| Ok(task.trash(now))).await
    }

    /// Takes a task out of the trash; one that is not in it stays as it is.
    pub async fn restore(self, actor: Actor, id: TaskId) -> Result<Task, Error> {
        self.app.change_task(actor, id, Precondition::Any, |_| true, |task, now| Ok(task.restore(now))).await
    }
}

impl App {
    async fn new_task(
        &self,
        actor: Actor,
        new: NewTask,
        idempotency: Option<&Idempotency<'_, Task>>,
    ) -> Result<Task, Error> {
        let scope = actor.scope()?;
        let new = self.with_due_day(scope.person(), new).await?;
        let now = self.clock.now();
        let task = Task::new(TaskId::from_uuid(self.ids.next(now)), scope.owner(), new, now)?;
        let quiet = self.quiet_of(&task).await?;
        let changes = self.task_changes(actor, None, &task, quiet.as_ref(), now);
        let changes = changes.respond(scope.person(), idempotency, &task, now).under(scope);
        self.commit(&changes.and(self.more_tasks(scope, 1, now))).await?;
        Ok(task)
    }

    /// Counts new tasks.
    fn more_tasks(&self, scope: Scope, amount: usize, now: Timestamp) -> Changes {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        let counted =
            [Quota::Tasks, Quota::StoredTasks].map(|quota| self.quotas.take(quota, scope.owner(), amount, now));
        counted.into_iter().flatten().fold(Changes::new(), Changes::write)
    }

    async fn task_where(&self, actor: Actor, id: TaskId, visible: fn(&Task) -> bool) -> Result<Task, Error> {
        self.store.task(actor.scope()?, id).await?.filter(visible).ok_or(Error::NotFound("task"))
    }

    async fn with_due_day(&self, person: UserId, new: NewTask) -> Result<NewTask, Error> {
        match new.due_on {
            Some(_) => Ok(new.resolved(&self.zone_of(person).await?)?),
            None => Ok(new),
        }
    }

    /// Returns the zone in which the days of a user begin and end.
    pub(super) async fn zone_of(&self, person: UserId) -> Result<Zone, Error> {
        Ok(self.store.user(person).await?.ok_or(Error::NotFound("user"))?.time_zone)
    }

    /// Moves the ends of a user's due days to another zone, with their reminders. An interrupted run leaves some where
    /// they were; it can be repeated.
    pub(super) async fn move_due_days(&self, owner: UserId, zone: &Zone) -> Result<(), Error> {
        let sort = vec![TaskSort { by: TaskSortKey::CreatedAt, descending: false }];
        for trash in [false, true] {
            let mut number = 1;
            while let Ok(page) = PageRequest::new(number, PageRequest::MAX_SIZE) {
                let query =
                    TaskQuery { trash, whole_day: Some(true), sort: sort.clone(), page, ..TaskQuery::default() };
                let found = self.store.tasks(Scope::own(owner), &query, self.clock.now()).await?;
                let at_end = found.items.len() < PageRequest::MAX_SIZE as usize;
                for task in found.items {
                    let moved = self
                        .change_task(
                            Actor::User(owner),
                            task.id,
                            Precondition::Any,
                            |_| true,
                            |task, now| Ok(task.in_zone(zone, now)),
                        )
                        .await;
                    // Whoever deleted it meanwhile has settled it.
                    if !matches!(moved, Ok(_) | Err(Error::NotFound(_))) {
                        moved?;
                    }
                }
                if at_end {
                    break;
                }
                number += 1;
            }
        }
        Ok(())
    }

    /// Reads, decides and commits, and retries after a concurrent change.
    async fn change_task(
        &self,
        actor: Actor,
        id: TaskId,
        expect: Precondition,
        visible: fn(&Task) -> bool,
        decide: impl Fn(&Task, Timestamp) -> Result<Task, FieldError> + Send,
    ) -> Result<Task, Error> {
        let scope = actor.scope()?;
        self.retry(id.as_uuid(), || async {
            let before = self.task_where(actor, id, visible).await?;
            expect.check(before.version)?;
            let now = self.clock.now();
            let after = decide(&before, now)?;
            if after == before {
                return Ok(Attempt::Unchanged(before));
            }
            let quiet = self.quiet_of(&after).await?;
            let changes = self.task_changes(actor, Some(&before), &after, quiet.as_ref(), now);
            Ok(Attempt::Commit(changes.under(scope), after))
        })
        .await
    }

    /// Returns the quiet hours and zone of the owner of a task, if the task asks for a reminder.
    async fn quiet_of(&self, task: &Task) -> Result<Option<Quiet>, Error> {
        if task_reminder(task).is_none() {
            return Ok(None);
        }
        let owner = self.store.user(task.user_id).await?;
        Ok(owner.and_then(|owner| Some((owner.preferences.quiet_hours?, owner.time_zone))))
    }

    /// Returns the changes of a task: its row, its reminder and the feed event for its owner.
    fn task_changes(
        &self,
        actor: Actor,
        before: Option<&Task>,
        after: &Task,
        quiet: Option<&Quiet>,
        now: Timestamp,
    ) -> Changes {
        let write = match before {
            None => TaskWrite::Insert(after.clone()),
            Some(_) => TaskWrite::Update(after.clone()),
        };
        let announcement = FeedEvent::task(self.event_id(now), actor, before, after);
        let mut changes = Changes::new().write(write).announce(announcement);
        if before.is_some_and(|before| before.deleted_at.is_some()) && after.deleted_at.is_none() {
            changes.writes.extend(self.quotas.take(Quota::Tasks, after.user_id, 1, now).map(Into::into));
        }
        let plan = plan_task_reminder(before, after, now);
        if let Some(key) = plan.cancel {
            changes = changes.write(DeliveryWrite::Cancel { key, reason: "the task was changed".to_owned(), at: now });
        }
        if let Some(before) = before.filter(|before| before.status != after.status && after.deleted_at.is_none()) {
            changes = changes.deliver([self
                .new_delivery(
                    DedupeKey::new(format!("task-status/{}/{}", after.id, after.version)),
                    Notice::TaskStatus(TaskStatusNotice { task: after.id, was: before.status, is: after.status }),
                    Recipient::User(after.user_id),
                    now,
                )
                .because("the status of the task was changed")]);
        }
        let quiet = quiet.map(|(quiet, zone)| (*quiet, zone));
        let task_due_at = after.due_at.unwrap_or(now);
        let reminder = plan.deliver.map(|reminder| {
            self.new_delivery(reminder.key, reminder.notice, Recipient::User(after.user_id), now)
                .due(leaves_at(reminder.due_at, task_due_at, quiet, now))
                .because("the task asks for a reminder")
        });
        changes.deliver(reminder).caused_by(Some(after.user_id))
    }
}
