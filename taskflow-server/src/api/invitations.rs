//! The page that invitations lead to: it shows the meeting, and its form alone answers. Mail scanners follow links before
//! people do, so that looking never changes anything.

mod page;

use std::sync::Arc;

use poem::http::HeaderMap;
use poem::http::header::CONTENT_TYPE;
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::{ApiResponse, OpenApi};
use taskflow_core::{Error, OutdatedAnswer, Participant};

use self::page::Word;
use super::ApiError;
use super::body::JsonOrForm;
use super::html::{self, Page};
use super::meetings::{GivenResponse, ParticipantBody, ResponseBody};
use crate::service::Service;

pub(super) struct InvitationPages;

/// The outcome of a response to an invitation: a page for people, JSON for programs.
enum Outcome {
    Page(Page),
    Json(Result<Json<ParticipantBody>, ApiError>),
}

#[OpenApi]
impl InvitationPages {
    /// Show the meeting that a link in a mail invites to
    #[oai(path = "/r/:token", method = "get", operation_id = "invitationPage", hidden)]
    async fn show(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        shown(service, headers, &token.0).await
    }

    /// Answer an invitation
    #[oai(path = "/r/:token", method = "post", operation_id = "respondByLink", hidden)]
    async fn respond(
        &self,
        Data(service): Data<&Arc<Service>>,
        headers: &HeaderMap,
        token: Path<String>,
        JsonOrForm(body): JsonOrForm<ResponseBody>,
    ) -> Outcome {
        let (answer, comment) = (body.response(), body.comment());
        let result = recorded(service, &token.0, body).await;
        let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media.to_ascii_lowercase().starts_with("application/json") {
            let refused = |outdated: Box<OutdatedAnswer>| super::meetings::outdated(service, *outdated);
            return Outcome::Json(result.and_then(|answer| Ok(Json(answer.map_err(refused)?.into()))));
        }
        Outcome::Page(match result {
            Ok(Err(outdated)) => {
                let word = Word::Outdated { was: outdated.was.as_ref(), response: answer, comment: comment.as_ref() };
                with_word(service, headers, &token.0, word).await
            }
            Ok(Ok(_)) => with_word(service, headers, &token.0, Word::Saved).await,
            Err(ApiError::Invalid(errors)) => {
                let word = Word::Refused { errors: &errors, response: answer };
                with_word(service, headers, &token.0, word).await
            }
            Err(ApiError::Conflict) => {
                let word = Word::Outdated { was: None, response: answer, comment: comment.as_ref() };
                with_word(service, headers, &token.0, word).await
            }
            Err(ApiError::NotFound) => shown(service, headers, &token.0).await,
            Err(error) => Page::error(&html::words_for(headers), &error),
        })
    }
}

async fn recorded(
    service: &Service,
    token: &str,
    body: ResponseBody,
) -> Result<Result<Participant, Box<OutdatedAnswer>>, ApiError> {
    // Whether there is such a link is said before what is wrong with the answer.
    service.app.links().meeting(token).await?;
    let GivenResponse { response, comment, version } = body.read()?;
    match service.app.links().respond(token, response, comment, version).await {
        Err(Error::Outdated(outdated)) => Ok(Err(outdated)),
        result => Ok(Ok(result?)),
    }
}

/// The meeting behind a link, or why there is none.
pub(super) async fn shown(service: &Service, headers: &HeaderMap, token: &str) -> Page {
    with_word(service, headers, token, Word::None).await
}

async fn with_word(service: &Service, headers: &HeaderMap, token: &str, word: Word<'_>) -> Page {
    match service.app.links().meeting(token).await {
        Ok(linked) => page::render(&linked, token, service.clock.now(), word),
        Err(error) => Page::failed(service, headers, token, error).await,
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => page.into_response(),
            Self::Json(Ok(answer)) => answer.into_response(),
            Self::Json(Err(error)) => poem::Error::from(error).into_response(),
        }
    }
}

impl ApiResponse for Outcome {
    fn meta() -> MetaResponses {
        Page::meta()
    }

    fn register(_registry: &mut Registry) {}
}
