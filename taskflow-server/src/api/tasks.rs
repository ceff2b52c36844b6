//! Tasks.

mod forms;
mod query;

use std::sync::Arc;

use poem::http::Uri;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use taskflow_core::{Error, Expect, Task, TaskId, TaskPriority, TaskStatus, Timestamp};

use self::forms::{ChangeBody, NewTaskBody, SummaryBody, TaskBody, TaskPageBody};
use self::query::{Filters, PageNumber, PageSize, SearchText, Sort, links};
use super::answer::{Found, Gone, Listed, Made};
use super::body::{Body, Patch};
use super::etag::{etag, expected};
use super::{ApiError, Field, Group, Val};
use crate::auth::Caller;
use crate::wiring::Service;

pub(super) struct TasksApi;

/// An interface of its own because only a prefix keeps its trailing slash.
pub(super) struct TaskSummaryApi;

#[OpenApi(prefix_path = "/api/tasks/summary/", tag = "Group::Tasks")]
impl TaskSummaryApi {
    /// How many tasks I have
    ///
    /// The trash does not count.
    #[oai(path = "/", method = "get", operation_id = "taskSummary")]
    async fn summary(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Json<SummaryBody>, ApiError> {
        let summary = service.app.task_summary(caller.actor()).await?;
        Ok(Json(summary.into()))
    }
}

#[OpenApi(prefix_path = "/api/tasks/", tag = "Group::Tasks")]
impl TasksApi {
    /// My tasks
    ///
    /// The newest come first unless `sort` says otherwise.
    #[oai(path = "/", method = "get", operation_id = "listTasks")]
    #[expect(clippy::too_many_arguments, reason = "one per query parameter, so that each is in the document")]
    async fn list(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        uri: &Uri,
        /// Only with this status.
        status: Query<Field<TaskStatus>>,
        /// Only of this priority.
        priority: Query<Field<TaskPriority>>,
        /// Only due before this time.
        due_before: Query<Field<Timestamp>>,
        /// Only due at this time or later.
        due_after: Query<Field<Timestamp>>,
        /// Only what is open although due, or (`false`) only the others.
        overdue: Query<Field<bool>>,
        /// Only with all these words in title or description.
        q: Query<Field<SearchText>>,
        /// Sort by these, first things first; `-` turns the order around.
        sort: Query<Field<Sort>>,
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
        let tasks = service.app.tasks(caller.actor(), &filters.read(false)?).await?;
        let links = links(uri, &tasks);
        Ok(Listed::Listed(Json(tasks.into()), links))
    }

    /// My trash
    ///
    /// Tasks that were deleted, until they are purged.
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
        let tasks = service.app.tasks(caller.actor(), &filters.read(true)?).await?;
        let links = links(uri, &tasks);
        Ok(Listed::Listed(Json(tasks.into()), links))
    }

    /// Make a task
    #[oai(path = "/", method = "post", operation_id = "createTask")]
    async fn create(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<NewTaskBody>,
    ) -> Result<Made<TaskBody>, ApiError> {
        let task = service.app.create_task(caller.actor(), body.read()?).await?;
        let (location, tag) = (format!("/api/tasks/{}", task.id), etag(task.version));
        Ok(Made::Made(Json(task.into()), location, tag))
    }

    /// A task
    #[oai(path = "/:id", method = "get", operation_id = "getTask")]
    async fn get(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let task = service.app.task(caller.actor(), id.0.0).await?;
        Ok(answer(task))
    }

    /// Change a task
    ///
    /// Fields that are left out stay as they are; `null` clears.
    #[oai(path = "/:id", method = "put", operation_id = "replaceTask")]
    async fn put(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<ChangeBody>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let expect = expected(if_match.as_deref());
        let result = service.app.update_task(caller.actor(), id.0.0, body.read()?, expect).await;
        settled(service, caller, id.0.0, expect, result).await.map(answer)
    }

    /// Change parts of a task
    ///
    /// A JSON Merge Patch (RFC 7396): `null` clears.
    #[oai(path = "/:id", method = "patch", operation_id = "changeTask")]
    async fn patch(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Patch(body): Patch<ChangeBody>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let expect = expected(if_match.as_deref());
        let result = service.app.update_task(caller.actor(), id.0.0, body.read()?, expect).await;
        settled(service, caller, id.0.0, expect, result).await.map(answer)
    }

    /// Delete a task
    ///
    /// It goes to the trash, from where it can be restored.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteTask")]
    async fn delete(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
        /// Delete only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Gone, ApiError> {
        let expect = expected(if_match.as_deref());
        let result = service.app.delete_task(caller.actor(), id.0.0, expect).await;
        settled(service, caller, id.0.0, expect, result).await.map(|_| Gone::Gone)
    }

    /// Restore a task
    ///
    /// Takes it out of the trash.
    #[oai(path = "/:id/restore", method = "post", operation_id = "restoreTask")]
    async fn restore(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<TaskId>>,
    ) -> Result<Found<TaskBody>, ApiError> {
        let task = service.app.restore_task(caller.actor(), id.0.0).await?;
        Ok(answer(task))
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
    expect: Expect,
    result: Result<Task, Error>,
) -> Result<Task, ApiError> {
    match result {
        Err(Error::Stale) if expect != Expect::Any => {
            let current = service.app.task(caller.actor(), id).await?;
            Err(ApiError::Stale(TaskBody::from(current).to_json()))
        }
        result => Ok(result?),
    }
}
