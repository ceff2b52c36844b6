//! The pages that links to a task, a meeting and a day lead to. Their forms alone change something: mail scanners follow
//! links before people do.

mod day;
mod task;

use std::sync::Arc;

use poem::http::HeaderMap;
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{MetaResponses, MetaSchema, Registry};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::{Value, json};
use taskflow_core::{LinkError, LinkedTask, Snooze, TaskStatus};

use super::body::JsonOrForm;
use super::html::{self, Page};
use super::wire::{text, words_schema};
use super::{ApiError, Field, Required, ValidationErrors, Wire, invitations};
use crate::service::Service;

pub(super) struct LinkedPages;

/// A calendar file, or why there is none.
enum Calendar {
    File(String),
    Page(Page),
}

/// The form of a task's page.
#[derive(Debug, Object)]
struct TaskForm {
    action: Required<Action>,
    /// What the status was before.
    status: Field<TaskStatus>,
}

/// A button of a task's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Done,
    Reopen,
    Snooze(Snooze),
    Unsnooze,
}

impl Action {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::Reopen,
        Self::Snooze(Snooze::OneHour),
        Self::Snooze(Snooze::TomorrowMorning),
        Self::Unsnooze,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Reopen => "reopen",
            Self::Snooze(snooze) => snooze.as_str(),
            Self::Unsnooze => "unsnooze",
        }
    }
}

impl Wire for Action {
    fn schema() -> MetaSchema {
        words_schema(Self::ALL.map(Self::as_str))
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let word = text(value)?;
        let found = Self::ALL.into_iter().find(|action| action.as_str() == word);
        found.ok_or_else(|| "must be a button of the page".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}

#[OpenApi]
impl LinkedPages {
    /// Show a task
    #[oai(path = "/t/:token", method = "get", operation_id = "taskPage", hidden)]
    async fn task(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        match service.app.links().task(&token.0).await {
            Ok(linked) => task::render(&linked, service.clock.now(), task::Word::None),
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// Complete a task or postpone its reminder
    #[oai(path = "/t/:token", method = "post", operation_id = "changeTaskByLink", hidden)]
    async fn change_task(
        &self,
        Data(service): Data<&Arc<Service>>,
        headers: &HeaderMap,
        token: Path<String>,
        JsonOrForm(form): JsonOrForm<TaskForm>,
    ) -> Page {
        let mut findings = ValidationErrors::default();
        let action = findings.required("action", form.action);
        let status = findings.optional("status", form.status);
        let action = match findings.finish(action) {
            Ok(action) => action,
            Err(error) => return Page::error(&html::words_behind(service, headers, &token.0).await, &error),
        };
        match changed(service, &token.0, action, status).await {
            Ok((before, after)) => {
                let word = task::Word::Saved { action, before: before.task.status };
                task::render(&after, service.clock.now(), word)
            }
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// Show a meeting to its organizer
    #[oai(path = "/m/:token", method = "get", operation_id = "meetingPage", hidden)]
    async fn meeting(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        invitations::shown(service, headers, &token.0).await
    }

    /// Show what today holds
    #[oai(path = "/d/:token", method = "get", operation_id = "dayPage", hidden)]
    async fn day(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        match service.app.links().day(&token.0).await {
            Ok(linked) => day::render(&linked, service.clock.now()),
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// The meeting behind a link as a calendar file
    #[oai(path = "/r/:token/ics", method = "get", operation_id = "calendarByLink", hidden)]
    async fn calendar(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Calendar {
        match service.app.links().calendar(&token.0).await {
            Ok(calendar) => Calendar::File(calendar.text),
            Err(error) => Calendar::Page(Page::failed(service, headers, &token.0, error).await),
        }
    }
}

/// The task before and after a button was pressed.
async fn changed(
    service: &Service,
    token: &str,
    action: Action,
    status: Option<TaskStatus>,
) -> Result<(LinkedTask, LinkedTask), LinkError> {
    let app = &service.app;
    let before = app.links().task(token).await?;
    let after = match action {
        Action::Done => app.links().complete(token).await?,
        Action::Reopen => {
            let status = status.filter(|status| *status != TaskStatus::Completed).unwrap_or_default();
            app.links().reopen(token, status).await?
        }
        Action::Snooze(snooze) => app.links().snooze(token, snooze).await?,
        Action::Unsnooze => app.links().unsnooze(token).await?,
    };
    Ok((before, after))
}

impl IntoResponse for Calendar {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => page.into_response(),
            Self::File(text) => text
                .with_content_type("text/calendar; charset=utf-8")
                .with_header("Content-Disposition", "attachment; filename=\"meeting.ics\"")
                .with_header("X-Robots-Tag", "noindex")
                .into_response(),
        }
    }
}

impl ApiResponse for Calendar {
    fn meta() -> MetaResponses {
        Page::meta()
    }

    fn register(_registry: &mut Registry) {}
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Dead(_) => Self::NotFound,
            LinkError::Failed(error) => error.into(),
        }
    }
}
