//! Requests that may be repeated safely (`Idempotency-Key`): the first answer is kept and given again, byte for byte.

use std::marker::PhantomData;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::registry::{MetaParamIn, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use taskflow_core::{FieldError, Idempotency, IdempotencyKey, Idempotent};

use super::ApiError;
use crate::api::Caller;
use crate::api::MAX_BODY;
use crate::auth::hex;

/// The header's name, as the document and messages have it.
pub(in crate::api) const NAME: &str = "Idempotency-Key";

/// The idempotency key of a request, if it has one. In an operation it stands before the body, because it hashes the
/// body.
#[derive(Debug)]
pub(in crate::api) struct Once(Option<Named>);

#[derive(Debug)]
struct Named {
    key: IdempotencyKey,
    /// Method, path and body.
    request: Sha256,
}

/// An answer that can be given again.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::api) struct Kept {
    pub(in crate::api) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) etag: Option<String>,
    /// JSON.
    pub(in crate::api) body: String,
}

/// An answer in the form of `R` that is given now or for another time.
#[derive(Debug)]
pub(in crate::api) struct Repeated<R>(Kept, PhantomData<R>);

impl Once {
    /// Returns what core needs to run the request of `caller` only once; `None` if it has no idempotency key.
    pub(in crate::api) fn idempotency<'a, T: ?Sized>(
        self,
        caller: Caller,
        encode: &'a (dyn Fn(&T) -> String + Send + Sync),
    ) -> Option<Idempotency<'a, T>> {
        let Named { key, request } = self.0?;
        let fingerprint = hex(&request.chain_update(caller.token.user.to_string()).finalize());
        Some(Idempotency { key, fingerprint, encode })
    }

    async fn read(request: &Request, body: &mut RequestBody) -> Result<Self, ApiError> {
        let Some(key) = Self::key(request)? else { return Ok(Self(None)) };
        let taken = body.take().map_err(|error| ApiError::Internal(error.into()))?;
        let bytes = taken.into_bytes_limit(MAX_BODY).await.map_err(|_| ApiError::TooLarge)?;
        let mut hash = Sha256::new();
        for part in [request.method().as_str().as_bytes(), request.uri().path().as_bytes(), &bytes] {
            // Each part with its length, so that no two requests read alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        *body = RequestBody::new(Body::from(bytes));
        Ok(Self(Some(Named { key, request: hash })))
    }

    fn key(request: &Request) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut lines = request.headers().get_all(NAME).iter();
        let Some(line) = lines.next() else { return Ok(None) };
        let refuse = |message: String| ApiError::BadHeader(FieldError::new(NAME, message));
        if lines.next().is_some() {
            return Err(refuse("must be there once".to_owned()));
        }
        let key = line.to_str().unwrap_or_default().trim().parse();
        key.map(Some).map_err(|error: taskflow_core::InvalidValue| refuse(error.to_string()))
    }
}

impl Kept {
    /// As core keeps it.
    pub(in crate::api) fn encode(&self) -> String {
        json!(self).to_string()
    }
}

impl<R> Repeated<R> {
    /// The answer to what was done now, in the form `kept` gives it, or to what was done before.
    pub(in crate::api) fn new<T>(answered: Idempotent<T>, kept: impl Fn(&T) -> Kept) -> Result<Self, ApiError> {
        let kept = match answered {
            Idempotent::Done(done) => kept(&done),
            Idempotent::Replayed(text) => {
                serde_json::from_str(&text).map_err(|error| ApiError::Internal(error.into()))?
            }
        };
        Ok(Self(kept, PhantomData))
    }
}

impl<R: Send> IntoResponse for Repeated<R> {
    fn into_response(self) -> Response {
        let Kept { status, location, etag, body } = self.0;
        let mut response = body.into_response();
        response.set_status(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        for (name, value) in [(header::LOCATION, location), (header::ETAG, etag)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl<R: ApiResponse> ApiResponse for Repeated<R> {
    fn meta() -> MetaResponses {
        R::meta()
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }
}

impl<'a> ApiExtractor<'a> for Once {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            min_length: Some(1),
            max_length: Some(IdempotencyKey::MAX_LENGTH),
            pattern: Some("^[!-~]+$".to_owned()),
            example: Some(json!("8e03978e-40d5-43e8-bc93-6894a57f9324")),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::read(request, body).await?)
    }
}
