//! Tasks.

mod bulk;
mod forms;
mod history;
mod query;

use std::sync::Arc;

use poem::http::Uri;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use taskflow_core::{
    Error, EventId, Idempotent, Precondition, Task, TaskId, TaskPriority, TaskSort, TaskStatus, Timestamp,
};

use self::bulk::{BulkBody, ResultsBody};
use self::forms::{ChangeBody, NewTaskBody, SummaryBody, TaskBody, TaskPageBody};
use self::history::HistoryBody;
use self::query::Filters;
use super::answer::{Found, Gone, Listed, Made, Read};
use super::body::{Body, Patch};
use super::etag::{IfMatch, IfNoneMatch, etag};
use super::list::{AnyOf, PageNumber, PageSize, SearchText, Sort, links};
use super::once::{Kept, Once, Repeated};
use super::refuses::Refuses;
use super::{ApiError, Field, Group, Val, ValidationErrors};
use crate::api::Caller;
use crate::service::Service;

pub(super) struct TasksApi;

/// An interface of its own because only a prefix keeps its trailing slash.
pub(super) struct TaskSummaryApi;

/// An interface of its own because its path has none.
pub(super) struct TaskBulkApi;

#[OpenApi(prefix_path = "/api/tasks/summary/", tag = "Group::Tasks")]
impl TaskSummaryApi {
    /// Count tasks
    ///
    /// Returns how many tasks the account has by status. The trash does not count.
    #[oai(path = "/", method = "get", operation_id = "taskSummary")]
    async fn summary(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Json<SummaryBody>, ApiError> {
        let summary = service.app.tasks().summary(caller.actor()).await?;
        Ok(Json(summary.into()))
    }
}

#[OpenApi(prefix_path = "/api/tasks", tag = "Group::Tasks")]
impl TaskBulkApi {
    /// Change many tasks
    ///
    /// Creates, changes and deletes up to 100 tasks in one commit. With `atomic: true`, one operation that cannot be
    /// done fails the whole request: 422 names everything that is wrong (`operations[3].task.title`). Otherwise it
    /// becomes a problem in its place, and the others are done.
    #[oai(path = "/bulk", method = "post", operation_id = "bulkTasks")]
    async fn bulk(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        Body(body): Body<BulkBody>,
    ) -> Result<Repeated<Json<ResultsBody>>, Refuses<404>> {
        let (bulk, operations) = body.read()?;
        let statuses = bulk::statuses(&operations);
        let encode = |results: &[Result<Task, Error>]| bulk::kept(&statuses, results).encode();
        let once = once.idempotency(caller, &encode);
        let answered = service.app.tasks().bulk(caller.actor(), operations, bulk, once).await;
        Ok(Repeated::new(answered.map_err(bulk::failed)?, |results| bulk::kept(&statuses, results))?)
    }
}

#[OpenApi(prefix_path = "/api/tasks/", tag = "Group::Tasks")]
impl TasksApi {
    /// List tasks
    ///
    /// Returns the tasks of the account, newest first unless `sort` says otherwise.
    #[oai(path = "/", method = "get", operation_id = "listTasks")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter, so that each is in the document")]
    async fn list(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        uri: &Uri,
        /// Only with this status.
        status: Query<Field<AnyOf<TaskStatus>>>,
        /// Only of this priority.
        priority: Query<Field<AnyOf<TaskPriority>>>,
        /// Only due before this time, as in `2030-03-29T08:00:00Z`.
        due_before: Query<Field<Timestamp>>,
        /// Only due at this time or later.
        due_after: Query<Field<Timestamp>>,
        /// Only what is open although due, or (`false`) only the others.
        overdue: Query<Field<bool>>,
        /// Only with all these words in title or description.
        q: Query<Field<SearchText>>,
        /// Sort by these, first things first, as in `-priority,due_at`; `-` turns the order around.
        sort: Query<Field<Sort<TaskSort>>>,
        /// Which page, counted from 1.
        page: Query<Field<PageNumber>>,
        /// Tasks on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Listed<TaskPageBody>, ApiError> {
        let filters = Filters {
            status: status.0,
            priority: priority.0,
            due_before: due_before.0,
            due_after: due_after.0,
            overdue: overdue.0,
            q: q.0,
            sort: sort.0,
            page: page.0,
            size: size.0,
        };
        let tasks = service.app.tasks().list(caller.actor(), &filters.read(false)?).await?;
        let links = links(uri, &tasks);
        Ok(Listed::Listed(TaskPageBody::of(tasks).await, links))
    }

    /// List deleted tasks
    ///
    /// Returns the tasks in the trash until they are purged.
    #[oai(path = "/trash", method = "get", operation_id = "listTrash")]
    async fn trash(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        uri: &Uri,
        /// Which page, counted from 1.
        page: Query<Field<PageNumber>>,
        /// Tasks on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Listed<TaskPageBody>, ApiError> {
        let filters = Filters { page: page.0, size: size.0, ..Filters::default() };
        let tasks = service.app.tasks().list(caller.actor(), &filters.read(true)?).await?;
        let links = links(uri, &tasks);
        Ok(Listed::Listed(TaskPageBody::of(tasks).await, links))
    }

    /// Create a task
    ///
    /// Creates a task for the signed-in account.
    #[oai(path = "/", method = "post", operation_id = "createTask")]
    async fn create(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Names this request, so that it can be repeated: for a day the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        Body(body): Body<NewTaskBody>,
    ) -> Result<Repeated<Made<TaskBody>>, Refuses<404>> {
        let new = body.read()?;
        let encode = |task: &Task| made(task).encode();
        let answered = match once.idempotency(caller, &encode) {
            Some(once) => service.app.tasks().create_once(caller.actor(), new, once).await?,
            None => Idempotent::Done(service.app.tasks().create(caller.actor(), new).await?),
        };
        Ok(Repeated::new(answered, made)?)
    }

    /// Get a task
    ///
    /// Returns a task of the signed-in account that is not in the trash.
    #[oai(path = "/:id", method = "get", operation_id = "getTask")]
    async fn get(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Answer 304 if this is still its version (its `ETag`).
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<Read<TaskBody>, ApiError> {
        let task = service.app.tasks().get(caller.actor(), id.0.0).await?;
        Ok(Read::new(task.version, &known, || task.into()))
    }

    /// List the history of a task
    ///
    /// Returns who changed what and when, newest first; also of a task in the trash. A page of long texts may be shorter
    /// than `size`.
    #[oai(path = "/:id/history", method = "get", operation_id = "taskHistory")]
    async fn history(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// The page after this event: `next` of the page before.
        cursor: Query<Field<EventId>>,
        /// Events on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<HistoryBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let (events, more) = service.app.tasks().history(caller.actor(), id.0.0, cursor, size.number()).await?;
        Ok(Json(HistoryBody::new(events, more)))
    }

    /// Replace a task
    ///
    /// Fields that are left out stay as they are; `null` clears a field.
    #[oai(path = "/:id", method = "put", operation_id = "replaceTask")]
    async fn put(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<ChangeBody>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let result = service.app.tasks().update(caller.actor(), id.0.0, body.read()?, expect.clone()).await;
        settled(service, caller, id.0.0, expect, result).await.map(answer)
    }

    /// Change parts of a task
    ///
    /// Takes a JSON Merge Patch (RFC 7396), as `application/json` or `application/merge-patch+json`: `null` clears a
    /// field.
    #[oai(path = "/:id", method = "patch", operation_id = "changeTask")]
    async fn patch(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Patch(body): Patch<ChangeBody>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let result = service.app.tasks().update(caller.actor(), id.0.0, body.read()?, expect.clone()).await;
        settled(service, caller, id.0.0, expect, result).await.map(answer)
    }

    /// Delete a task
    ///
    /// Moves the task to the trash, from where it can be restored.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteTask")]
    async fn delete(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Delete only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
    ) -> Result<Gone, ApiError> {
        let result = service.app.tasks().delete(caller.actor(), id.0.0, expect.clone()).await;
        settled(service, caller, id.0.0, expect, result).await.map(|_| Gone::Gone)
    }

    /// Restore a task
    ///
    /// Takes the task out of the trash. A task that is not in the trash stays as it is.
    #[oai(path = "/:id/restore", method = "post", operation_id = "restoreTask")]
    async fn restore(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
    ) -> Result<Found<TaskBody>, Refuses<409>> {
        let task = service.app.tasks().restore(caller.actor(), id.0.0).await?;
        Ok(answer(task))
    }
}

fn made(task: &Task) -> Kept {
    Kept {
        status: 201,
        location: Some(format!("/api/tasks/{}", task.id)),
        etag: Some(etag(task.version)),
        body: TaskBody::from(task.clone()).to_json().unwrap_or_default().to_string(),
    }
}

fn answer(task: Task) -> Found<TaskBody> {
    let tag = etag(task.version);
    Found::Found(Json(task.into()), tag)
}

/// The outcome of a change; a client that asked for one version and came too late is shown the present one.
async fn settled(
    service: &Service,
    caller: Caller,
    id: TaskId,
    expect: Precondition,
    result: Result<Task, Error>,
) -> Result<Task, ApiError> {
    match result {
        Err(Error::Stale) if expect != Precondition::Any => {
            let current = service.app.tasks().get(caller.actor(), id).await?;
            Err(ApiError::Stale(TaskBody::from(current).to_json()))
        }
        result => Ok(result?),
    }
}
