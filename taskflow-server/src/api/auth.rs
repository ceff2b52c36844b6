//! Register, sign in and out, sessions, who am I.

mod confirmation;
mod sessions;

use std::sync::Arc;

use poem::http::HeaderMap;
use poem::http::header::USER_AGENT;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use taskflow_core::{EmailAddress, Error, Locale, NewUser, SessionId, Username, Zone};

pub(super) use self::confirmation::ConfirmationApi;
use self::sessions::SessionsBody;
use super::answer::{Gone, Made, Read};
use super::body::{Body, JsonOrForm};
use super::etag::{IfNoneMatch, etag};
use super::refuses::Refuses;
use super::users::UserBody;
use super::wire::{text, text_schema};
use super::{ApiError, Field, Group, Required, Val, ValidationErrors, Wire};
use crate::api::Caller;
use crate::auth::{Grant, Password, SignIn};
use crate::config::Registration;
use crate::limits::{Client, Requester};
use crate::service::Service;

pub(super) struct AuthApi;

/// An account to create.
#[derive(Debug, Object)]
#[oai(rename = "Registration")]
struct RegistrationBody {
    /// User name to sign in with; unique regardless of case.
    username: Required<Username>,
    /// Email address; unique regardless of case.
    email: Required<EmailAddress>,
    /// Password. The strict policy also refuses passwords that are easy to guess.
    password: Required<Password>,
    /// IANA time zone; default UTC.
    #[oai(nullable)]
    time_zone: Field<Zone>,
    /// Language tag; default `en`.
    #[oai(nullable)]
    locale: Field<Locale>,
}

/// User name or email address, and password.
#[derive(Debug, Object)]
#[oai(rename = "Login")]
struct LoginBody {
    /// User name or email address of the account.
    username: Required<LoginName>,
    /// Password of the account.
    password: Required<Attempt>,
    /// The `device_token` of an earlier sign-in from this device. With it, guesses that others make at the password do not
    /// delay this sign-in.
    #[oai(nullable)]
    device_token: Field<ShownToken>,
}

/// A refresh token to exchange.
#[derive(Debug, Object)]
#[oai(rename = "Refresh")]
struct RefreshBody {
    /// The refresh token of the last answer.
    refresh_token: Required<ShownToken>,
}

/// An access token and a refresh token (RFC 6749 §5.1).
#[derive(Debug, Object)]
#[oai(rename = "Token", skip_serializing_if_is_none)]
struct TokenBody {
    /// Access token, to be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Refresh token, exchanged for the next pair before the session ends.
    refresh_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    #[oai(validator(minimum(value = "1")))]
    expires_in: u64,
    /// After signing in: a token to keep on this device and to send with the next sign-in, also after signing out. It
    /// authorizes nothing and expires after 90 days.
    device_token: Option<String>,
}

/// A refresh token, or the token of a link in a mail, as a client sent it.
#[derive(Debug)]
pub(super) struct ShownToken(pub(super) SecretString);

/// A user name or an email address, as a client sent it.
#[derive(Debug)]
struct LoginName(String);

/// A password, as a client sent it.
#[derive(Debug)]
pub(super) struct Attempt(pub(super) SecretString);

#[OpenApi(prefix_path = "/api/auth", tag = "Group::Accounts")]
impl AuthApi {
    /// Register an account
    ///
    /// Creates an account and sends a welcome email. A refusal names every field that does not fit.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        Data(service): Data<&Arc<Service>>,
        Data(client): Data<&Client>,
        Body(body): Body<RegistrationBody>,
    ) -> Result<Made<UserBody>, Refuses<403, 409>> {
        if service.config.registration == Registration::Closed {
            return Err(ApiError::RegistrationClosed.into());
        }
        // What a form lacks costs nobody a registration.
        let taken = service.auth.guesses.register(client.address).await?;
        let hashed = match body.read(service, client.requester).await {
            Ok((new, password)) => {
                let hash = service.auth.passwords.hash(&password, client.requester).await;
                hash.map(|hash| (new, hash)).map_err(ApiError::from)
            }
            Err(error) => Err(error),
        };
        let (new, hash) = match hashed {
            Ok(hashed) => hashed,
            Err(error) => {
                service.auth.guesses.give_back(taken).await?;
                return Err(error.into());
            }
        };
        let user = service.app.accounts().register(new, Some(hash)).await?;
        let tag = etag(user.version);
        Ok(Made::Made(Json(user.into()), "/api/users/me".to_owned(), tag))
    }

    /// Sign in
    ///
    /// Opens a session with the user name or the email address and the password. The session lives as long as it is
    /// refreshed; changing the password ends all sessions. The form of the OAuth2 password grant
    /// (`grant_type=password`, RFC 6749 section 4.3) works as well as JSON.
    ///
    /// Failed sign-ins are limited by name and by address. Clients that keep `device_token` and send it again are not
    /// affected by guesses from elsewhere.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Data(service): Data<&Arc<Service>>,
        Data(client): Data<&Client>,
        headers: &HeaderMap,
        JsonOrForm(body): JsonOrForm<LoginBody>,
    ) -> Result<Json<TokenBody>, Refuses<401>> {
        let (LoginName(login), Attempt(password), device_token) = body.read()?;
        let device = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let attempt = SignIn {
            login: &login,
            password,
            device_token: device_token.as_ref().map(|ShownToken(token)| token.expose_secret()),
            device: device.as_deref(),
            client: *client,
        };
        Ok(Json(service.auth.sign_in(attempt).await?.into()))
    }

    /// Refresh the session
    ///
    /// Exchanges a refresh token for the next pair of tokens. Each refresh token is exchanged once. A client that lost
    /// the answer may show the token again within 60 seconds: as long as the new refresh token was not used, it gets
    /// the same one once more. Any later use ends the session, because somebody has a copy of the token. The OAuth2
    /// form (`grant_type=refresh_token`) works as well as JSON.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        Data(service): Data<&Arc<Service>>,
        JsonOrForm(body): JsonOrForm<RefreshBody>,
    ) -> Result<Json<TokenBody>, Refuses<401>> {
        let mut findings = ValidationErrors::default();
        let shown = findings.required("refresh_token", body.refresh_token);
        let ShownToken(shown) = findings.finish(shown)?;
        Ok(Json(service.auth.refresh(shown.expose_secret()).await?.into()))
    }

    /// Sign out
    ///
    /// Ends this session. Its access tokens and its refresh token stop working on this node at once, and on every other
    /// node within a second.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Gone, ApiError> {
        match service.app.sessions().end(caller.actor(), caller.token.session).await {
            // Somebody else ended it at the same time.
            Ok(()) | Err(Error::NotFound(_)) => Ok(Gone::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Sign out everywhere
    ///
    /// Ends all sessions of the account, including this one.
    #[oai(path = "/logout-all", method = "post", operation_id = "logoutAll")]
    async fn logout_all(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Gone, ApiError> {
        service.app.sessions().end_all(caller.actor()).await?;
        Ok(Gone::Gone)
    }

    /// List sessions
    ///
    /// Returns the open sessions of the account, the most recently used first; at most 100.
    #[oai(path = "/sessions", method = "get", operation_id = "listSessions")]
    async fn sessions(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
    ) -> Result<Json<SessionsBody>, ApiError> {
        let sessions = service.app.sessions().list(caller.actor()).await?;
        Ok(Json(SessionsBody::new(sessions, caller.token.session)))
    }

    /// End a session
    ///
    /// Signs out the device that holds this session.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "endSession")]
    async fn end_session(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<SessionId>>,
    ) -> Result<Gone, ApiError> {
        service.app.sessions().end(caller.actor(), id.0.0).await?;
        Ok(Gone::Gone)
    }

    /// Get the signed-in account
    ///
    /// Returns the same as `GET /api/users/me`.
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Answer 304 if this is still its version (its `ETag`).
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<Read<UserBody>, Refuses<404>> {
        Ok(super::users::found(service, caller, &known).await?)
    }
}

impl RegistrationBody {
    async fn read(self, service: &Service, requester: Requester) -> Result<(NewUser, Password), ApiError> {
        let mut findings = ValidationErrors::default();
        let username = findings.required("username", self.username);
        let email = findings.required("email", self.email);
        let password = findings.required("password", self.password);
        let time_zone = findings.optional("time_zone", self.time_zone);
        let locale = findings.optional("locale", self.locale);
        if let Some(password) = &password {
            let name = username.as_ref().map(ToString::to_string);
            let inputs = name.into_iter().chain(email.as_ref().map(ToString::to_string)).collect();
            if let Some(objection) = service.auth.passwords.objection(password, inputs, requester).await? {
                findings.note("password", objection);
            }
        }
        let read = username.zip(email).zip(password);
        let ((username, email), password) = findings.finish(read)?;
        Ok((NewUser { username, email, time_zone, locale, is_admin: false }, password))
    }
}

impl LoginBody {
    fn read(self) -> Result<(LoginName, Attempt, Option<ShownToken>), ApiError> {
        let mut findings = ValidationErrors::default();
        let username = findings.required("username", self.username);
        let password = findings.required("password", self.password);
        let device_token = findings.optional("device_token", self.device_token);
        let (username, password) = findings.finish(username.zip(password))?;
        Ok((username, password, device_token))
    }
}

impl From<Grant> for TokenBody {
    fn from(grant: Grant) -> Self {
        Self {
            access_token: grant.access.text,
            refresh_token: grant.refresh.text(),
            token_type: "bearer".to_owned(),
            expires_in: grant.access.lifetime.as_secs(),
            device_token: grant.device_token,
        }
    }
}

impl Wire for ShownToken {
    fn schema() -> MetaSchema {
        text_schema(1, Self::MAX_LENGTH)
    }

    fn parse(value: &Value) -> Result<Self, String> {
        bounded(value, Self::MAX_LENGTH).map(|text| Self(SecretString::from(text)))
    }

    fn write(&self) -> Value {
        Value::Null
    }
}

impl ShownToken {
    const MAX_LENGTH: usize = 200;
}

fn password_schema(least: usize) -> MetaSchema {
    let (_, most) = Password::LENGTH;
    MetaSchema { format: Some("password"), example: Some(json!("password123")), ..text_schema(least, most) }
}

impl Wire for Password {
    fn schema() -> MetaSchema {
        password_schema(Self::LENGTH.0)
    }

    fn parse(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?)
    }

    fn write(&self) -> Value {
        Value::Null
    }
}

impl Wire for Attempt {
    fn schema() -> MetaSchema {
        password_schema(1)
    }

    fn parse(value: &Value) -> Result<Self, String> {
        bounded(value, Password::LENGTH.1).map(|text| Self(SecretString::from(text)))
    }

    fn write(&self) -> Value {
        Value::Null
    }
}

impl Wire for LoginName {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("testuser")), ..text_schema(1, EmailAddress::MAX_LENGTH) }
    }

    fn parse(value: &Value) -> Result<Self, String> {
        bounded(value, EmailAddress::MAX_LENGTH).map(|text| Self(text.to_owned()))
    }

    fn write(&self) -> Value {
        json!(self.0)
    }
}

fn bounded(value: &Value, most: usize) -> Result<&str, String> {
    let text = text(value)?;
    let fits = (1..=most).contains(&text.chars().count());
    fits.then_some(text).ok_or_else(|| format!("must have 1 to {most} characters"))
}
