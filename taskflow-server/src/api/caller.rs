use std::sync::{Arc, OnceLock};

use poem::http::header::AUTHORIZATION;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaOAuthFlow, MetaOAuthFlows, MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use taskflow_core::{Actor, UserId};
use taskflow_runtime::live::SessionClaims;

use super::ApiError;
use crate::service::Service;

/// The person who makes a request, identified by a valid access token.
///
/// An operation that takes one is for people who are signed in. It answers 401 to everybody else, and the same to every
/// invalid token.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The person, the session and its expiry.
    pub token: SessionClaims,
}

/// The slot in which a request records its caller, for the access log.
#[derive(Debug, Clone, Default)]
pub struct SignedIn(pub Arc<OnceLock<UserId>>);

impl Caller {
    /// Returns the person as an actor of use cases.
    #[must_use]
    pub fn actor(self) -> Actor {
        Actor::User(self.token.user)
    }

    /// Identifies the caller of a request. Nothing is read for a session that this node knows.
    pub(crate) async fn of(request: &Request) -> Result<Self, ApiError> {
        let service = request.data::<Arc<Service>>().ok_or_else(|| ApiError::bug("no service in the request"))?;
        let token = bearer(request).ok_or(ApiError::Unauthorized)?;
        let token = service.auth.admit(token).await?;
        if let Some(SignedIn(seen)) = request.extensions().get() {
            let _ = seen.set(token.user);
        }
        Ok(Self { token })
    }
}

/// Returns the token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's case does not count.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

const BEARER: &str = "bearer";
const PASSWORD: &str = "password";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let empty = MetaSecurityScheme {
            ty: "",
            description: None,
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        let password = MetaOAuthFlow {
            authorization_url: None,
            token_url: Some("/api/auth/login"),
            refresh_url: Some("/api/auth/refresh"),
            scopes: Vec::new(),
        };
        let flows = MetaOAuthFlows {
            implicit: None,
            password: Some(password),
            client_credentials: None,
            authorization_code: None,
        };
        registry.create_security_scheme(
            PASSWORD,
            MetaSecurityScheme {
                ty: "oauth2",
                description: Some("Sign in with your name or e-mail address and your password."),
                flows: Some(flows),
                ..empty
            },
        );
        registry.create_security_scheme(
            BEARER,
            MetaSecurityScheme {
                ty: "http",
                description: Some("An access token from `POST /api/auth/login`."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: Some("JWT"),
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![PASSWORD, BEARER]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        Ok(Self::of(request).await?)
    }
}
