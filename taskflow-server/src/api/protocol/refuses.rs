//! Refusals that an operation names in its own return type, beyond those that follow from what it takes.

use poem::error::Error;
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponse, MetaResponses, Registry};

use super::ApiError;

/// An [`ApiError`] of an operation that may also answer with `STATUS`, or with `OTHER`.
#[derive(Debug)]
pub(in crate::api) struct Refuses<const STATUS: u16, const OTHER: u16 = STATUS>(ApiError);

impl<E: Into<ApiError>, const STATUS: u16, const OTHER: u16> From<E> for Refuses<STATUS, OTHER> {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const STATUS: u16, const OTHER: u16> From<Refuses<STATUS, OTHER>> for Error {
    fn from(Refuses(error): Refuses<STATUS, OTHER>) -> Self {
        error.into()
    }
}

impl<const STATUS: u16, const OTHER: u16> ApiResponse for Refuses<STATUS, OTHER> {
    fn meta() -> MetaResponses {
        let mut all = ApiError::meta();
        all.responses.push(refusal(STATUS));
        if OTHER != STATUS {
            all.responses.push(refusal(OTHER));
        }
        all
    }

    fn register(registry: &mut Registry) {
        ApiError::register(registry);
    }
}

/// Names a status as a refusal; `document.rs` puts the shared response of that status in its place.
pub(in crate::api) fn refusal(status: u16) -> MetaResponse {
    MetaResponse { description: "", status: Some(status), status_range: None, content: Vec::new(), headers: Vec::new() }
}
