//! Endpoints for administrators of the service.

use std::sync::Arc;

use poem::web::Data;
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use taskflow_core::Actor;

use super::ApiError;
use crate::api::Caller;
use crate::service::Service;

/// Marks the operations that take an [`Admin`] for `document.rs`, which removes it and adds their 404.
pub(super) const ADMINISTRATOR: &str = "administrator";

/// An administrator. An operation that takes one answers 404 to everybody else who is signed in: to them there is nothing
/// here, whatever they ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admin(Caller);

impl Admin {
    /// The administrator as the use cases know them; these look again for themselves.
    pub(super) fn actor(self) -> Actor {
        self.0.actor()
    }

    /// The same as whoever is signed in.
    pub(super) fn caller(self) -> Caller {
        self.0
    }

    async fn of(request: &Request, caller: Caller) -> Result<Self, ApiError> {
        let service = Data::<&Arc<Service>>::from_request_without_body(request).await;
        let Data(service) = service.map_err(|_| ApiError::bug("no service in the request"))?;
        let user = service.app.accounts().get(caller.actor(), caller.token.user).await?;
        if user.is_admin && user.is_active { Ok(Self(caller)) } else { Err(ApiError::NotFound) }
    }
}

impl<'a> ApiExtractor<'a> for Admin {
    const TYPES: &'static [ApiExtractorType] = Caller::TYPES;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Caller::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        [Caller::security_schemes(), vec![ADMINISTRATOR]].concat()
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::of(request, Caller::of(request).await?).await?)
    }
}
