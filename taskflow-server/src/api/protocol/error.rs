//! Every refusal, in one shape: problem details (RFC 9457).

use std::time::Duration;

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaResponses, MetaSchema, Registry};
use poem_openapi::types::{Any, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use serde_json::{Value, json};
use taskflow_core::{Error, FieldCode, FieldError, OverQuota, Source, StoreError, UniqueField};

use super::refuses::refusal;
use super::wire::words_schema;
use super::{Val, Wire};
use crate::auth::{AuthError, PasswordError};
use crate::limits::{Exceeded, policy_header, state_header};

/// Names of the headers that tell of rate limits (draft-ietf-httpapi-ratelimit-headers).
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The reason why a request is refused. The response is [`ApiError::response`]; causes are only logged.
#[derive(Debug)]
pub enum ApiError {
    /// 400: the body cannot be read at all.
    Malformed(&'static str),
    /// 400: a header that cannot be understood.
    BadHeader(FieldError),
    /// 401: no token.
    Unauthorized,
    /// 401: a token that does not count; never said why.
    InvalidToken,
    /// 401: no such account, wrong password or locked; never said which.
    WrongCredentials,
    /// 401: a refresh token that does not count; never said why.
    SessionOver,
    /// 401: the operation needs a proof of the password that is not older than this.
    Reauthenticate(Duration),
    /// 403: accounts are made by who runs the service.
    RegistrationClosed,
    /// 404: it does not exist or is somebody else's.
    NotFound,
    /// 405, with what is allowed.
    MethodNotAllowed(String),
    /// 408: the body came too slowly.
    TooSlow,
    /// 409: somebody else has that name or address.
    Taken(UniqueField),
    /// 409: others were faster, for ten seconds.
    Conflict,
    /// 409: the answer is to the meeting as it was before; here is what it is now.
    Outdated(Value),
    /// 410: what follows is no longer kept; everything is read anew, and followed after this sequence.
    Resync(u64),
    /// 412: it is no longer what `If-Match` names; here is what it is now.
    Stale(Option<Value>),
    /// 413: the body is too large.
    TooLarge,
    /// 415, with what is supported.
    UnsupportedMedia(&'static str),
    /// 415: the body has a content coding (RFC 9110 section 15.5.16).
    UnsupportedCoding,
    /// 421: the name in `Host` is not one of this service.
    WrongHost,
    /// 422: these fields do not fit.
    Invalid(Vec<FieldError>),
    /// 422: it is more than an account may store or cause.
    OverQuota(OverQuota),
    /// 426: only a WebSocket is served here.
    UpgradeRequired,
    /// 429: this person has too many of these already.
    TooMany,
    /// 429: more requests than a limit admits.
    Limited(Exceeded),
    /// 500: a bug or damaged data.
    Internal(Source),
    /// 503: the store cannot be reached.
    Unavailable(Source),
    /// 503: a part that requests need is not well; which.
    NotReady(&'static str),
    /// 503: too much to do.
    Busy,
    /// 503: it takes too long, and may still be done.
    Overdue,
}

/// A refusal (RFC 9457).
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Problem {
    /// Always `about:blank`: `title` is the phrase of the status, `code` tells problems apart.
    #[oai(rename = "type")]
    kind: String,
    /// The phrase of the status.
    title: String,
    /// The HTTP status.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    status: u16,
    /// What is wrong, for people.
    pub(in crate::api) detail: String,
    /// What is wrong, for programs: a stable word.
    code: String,
    /// Every field that does not fit.
    errors: Option<Vec<ProblemField>>,
    /// With 412, and with 409 `outdated`: the resource as it is now.
    current: Option<Any<Value>>,
    /// With 410: the sequence to go on after.
    seq: Option<u64>,
}

/// One field that does not fit.
#[derive(Debug, Object)]
pub struct ProblemField {
    /// The field or parameter; members of members are separated by dots, as in `participants.0.email`.
    field: String,
    /// Why it is refused, for programs: a stable word. `invalid` means that another rule of the service refuses it.
    code: Val<FieldCode>,
    /// What would be right, for people; reads on from the field's name.
    message: String,
}

impl Wire for FieldCode {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("too_long")), ..words_schema(Self::ALL.map(Self::as_str)) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|code| value == code.as_str());
        found.ok_or_else(|| "must be a code of a field".to_owned())
    }

    fn write(&self) -> Value {
        json!(self.as_str())
    }
}

impl ApiError {
    /// 422: the password that somebody shows within their session is not theirs.
    pub fn wrong_password() -> Self {
        Self::Invalid(vec![FieldError::new("password", "is not the current password")])
    }

    /// A state that cannot be, for the log.
    pub fn bug(what: &'static str) -> Self {
        Self::Internal(what.into())
    }

    /// Status, code and detail as clients see them.
    fn facts(&self) -> (u16, &'static str, String) {
        match self {
            Self::Malformed(detail) => (400, "malformed", (*detail).to_owned()),
            Self::BadHeader(error) => (400, "malformed_header", format!("{} {}", error.field, error.message)),
            Self::Unauthorized => (401, "unauthorized", "sign in first".to_owned()),
            Self::InvalidToken => {
                (401, "unauthorized", "the token is not valid or has expired, sign in again".to_owned())
            }
            Self::WrongCredentials => (401, "wrong_credentials", "name or password is wrong".to_owned()),
            Self::SessionOver => (401, "session_over", "sign in again".to_owned()),
            Self::Reauthenticate(_) => (
                401,
                "reauthenticate",
                "this needs a fresh proof of who you are: confirm the password with POST /api/auth/confirm and try again, or \
                 send it as `password` with this request"
                    .to_owned(),
            ),
            Self::RegistrationClosed => {
                (403, "registration_closed", "accounts are made by who runs this service".to_owned())
            }
            Self::NotFound => (404, "not_found", "there is nothing here".to_owned()),
            Self::MethodNotAllowed(allowed) => (405, "method_not_allowed", format!("only {allowed} work here")),
            Self::TooSlow => (408, "too_slow", "the request took too long to arrive".to_owned()),
            Self::Taken(field) => (409, "taken", format!("{field} is already taken")),
            Self::Conflict => (409, "conflict", "it changed meanwhile, try again".to_owned()),
            Self::Outdated(_) => (
                409,
                "outdated",
                "the meeting has changed since it was shown: answer again to what it is now".to_owned(),
            ),
            Self::Resync(_) => (410, "resync", "what follows is no longer kept: read everything anew".to_owned()),
            Self::Stale(_) => (412, "stale", "it is no longer what If-Match names".to_owned()),
            Self::TooLarge => {
                (413, "too_large", "the body may have at most 1 MiB, and 64 KiB where no token is needed".to_owned())
            }
            Self::UnsupportedMedia(supported) => {
                (415, "unsupported_media_type", format!("the Content-Type must be {supported}"))
            }
            Self::UnsupportedCoding => {
                let detail = "the body must not be compressed: send it without Content-Encoding";
                (415, "unsupported_content_encoding", detail.to_owned())
            }
            Self::WrongHost => (
                421,
                "wrong_host",
                "the name in Host is not one of this service; whoever runs it can add it to ALLOWED_HOSTS".to_owned(),
            ),
            Self::Invalid(_) => (422, "invalid", "some fields do not fit".to_owned()),
            Self::OverQuota(over) => (422, "quota", over.to_string()),
            Self::UpgradeRequired => (426, "upgrade_required", "only a WebSocket (RFC 6455) is served here".to_owned()),
            Self::TooMany => (429, "too_many", "too many connections, close some first".to_owned()),
            Self::Limited(exceeded) => {
                (429, "too_many", format!("too many requests, try again in {} seconds", exceeded.seconds()))
            }
            Self::Internal(_) => (500, "internal", "something went wrong here".to_owned()),
            Self::Unavailable(_) => (503, "unavailable", "storage is unavailable, try again soon".to_owned()),
            Self::NotReady(what) => (503, "not_ready", (*what).to_owned()),
            Self::Overdue => (503, "overdue", "this takes too long; it may still be done".to_owned()),
            Self::Busy => (503, "busy", "too much to do, try again soon".to_owned()),
        }
    }

    /// Its HTTP status.
    pub(in crate::api) fn status(&self) -> u16 {
        self.facts().0
    }

    /// Its JSON form, for an answer that tells of several things; its cause goes into the log.
    pub(in crate::api) fn recorded(&self) -> Problem {
        self.log();
        self.problem()
    }

    fn problem(&self) -> Problem {
        let (status, code, detail) = self.facts();
        let phrase = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        Problem {
            kind: "about:blank".to_owned(),
            title: phrase.unwrap_or_default().to_owned(),
            status,
            detail,
            code: code.to_owned(),
            errors: self.fields(),
            current: match self {
                Self::Stale(current) => current.clone().map(Any),
                Self::Outdated(current) => Some(Any(current.clone())),
                _ => None,
            },
            seq: match self {
                Self::Resync(seq) => Some(*seq),
                _ => None,
            },
        }
    }

    /// The answer: `application/problem+json` and the headers its status asks for.
    pub fn response(&self) -> Response {
        let body = self.problem().to_json().unwrap_or_default();
        let mut response = body.to_string().into_response();
        response.set_status(StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header() {
            headers.insert(name, value);
        }
        if let Self::Limited(exceeded) = self {
            let Exceeded { policy, limit, retry_after } = *exceeded;
            let values =
                [(RATE_LIMIT_POLICY, policy_header(policy, limit)), (RATE_LIMIT, state_header(policy, 0, retry_after))];
            for (name, value) in values {
                headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
            }
        }
        response
    }

    fn fields(&self) -> Option<Vec<ProblemField>> {
        let one = |error: &FieldError| ProblemField {
            field: error.field.clone(),
            code: Val(error.code),
            message: error.message.clone(),
        };
        match self {
            Self::Invalid(errors) => Some(errors.iter().map(one).collect()),
            Self::BadHeader(error) => Some(vec![one(error)]),
            Self::Taken(field) => {
                Some(vec![one(&FieldError::new(field.as_str(), "is already taken").with_code(FieldCode::Taken))])
            }
            _ => None,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized | Self::WrongCredentials | Self::SessionOver => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"taskflow\"")))
            }
            // RFC 6750 §3.1.
            Self::InvalidToken => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"taskflow\", error=\"invalid_token\""),
            )),
            // RFC 9470 section 3.
            Self::Reauthenticate(max_age) => {
                let challenge = format!(
                    "Bearer realm=\"taskflow\", error=\"insufficient_user_authentication\", \
                     error_description=\"A more recent authentication is required\", max_age=\"{}\"",
                    max_age.as_secs()
                );
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).ok()?))
            }
            Self::MethodNotAllowed(allowed) => Some((header::ALLOW, HeaderValue::from_str(allowed).ok()?)),
            Self::Unavailable(_) | Self::NotReady(_) | Self::Overdue => {
                Some((header::RETRY_AFTER, HeaderValue::from_static("5")))
            }
            Self::Busy => Some((header::RETRY_AFTER, HeaderValue::from_static("2"))),
            Self::TooMany => Some((header::RETRY_AFTER, HeaderValue::from_static("60"))),
            Self::Limited(exceeded) => Some((header::RETRY_AFTER, HeaderValue::from(exceeded.seconds()))),
            // RFC 9110 section 12.5.3: this tells it from a media type that is not supported.
            Self::UnsupportedCoding => Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            Self::UpgradeRequired => Some((header::UPGRADE, HeaderValue::from_static("websocket"))),
            _ => None,
        }
    }

    /// Writes the cause of a 5xx into the log; the request's span names the request.
    fn log(&self) {
        match self {
            Self::Internal(cause) => tracing::error!(cause = %chain(cause.as_ref()), "request failed"),
            Self::Unavailable(cause) => tracing::warn!(cause = %chain(cause.as_ref()), "storage is unavailable"),
            Self::Busy => tracing::warn!("too much to do at once"),
            Self::Overdue => tracing::error!("an operation is overdue; it goes on without its client"),
            _ => (),
        }
    }
}

/// An error and everything beneath it, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Self::NotFound,
            Error::Invalid(fields) => Self::Invalid(fields),
            Error::Taken(field) => Self::Taken(field),
            Error::OverQuota(over) => Self::OverQuota(over),
            Error::Stale | Error::Outdated(_) => Self::Conflict,
            Error::WrongClock => Self::NotReady("the clock of this node differs from the database's"),
            Error::Unavailable(cause) => Self::Unavailable(cause),
            Error::Internal(cause) => Self::Internal(cause),
            other => Self::Internal(other.into()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::InvalidToken => Self::InvalidToken,
            AuthError::WrongCredentials => Self::WrongCredentials,
            AuthError::SessionOver => Self::SessionOver,
            AuthError::Limited(exceeded) => Self::Limited(exceeded),
            AuthError::Unavailable(error) => Self::Unavailable(error.into()),
            AuthError::Password(error) => error.into(),
            AuthError::UseCase(error) => error.into(),
            AuthError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            PasswordError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<ApiError> for poem::Error {
    fn from(error: ApiError) -> Self {
        error.log();
        Self::from_response(error.response())
    }
}

/// Every operation that can be refused at all may fail, or find the store unavailable. Its other refusals follow from what
/// it takes (`document.rs`) and from its return type (`Refuses`).
impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        MetaResponses { responses: [500, 503].map(refusal).into() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

#[cfg(test)]
mod tests;
