//! Register, sign in, who am I.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use serde_json::{Value, json};
use taskflow_core::{EmailAddress, Locale, NewUser, Username, Zone};

use super::answer::{Found, Made};
use super::body::{Body, JsonOrForm};
use super::etag::etag;
use super::users::UserBody;
use super::wire::{text, text_schema};
use super::{ApiError, Field, Findings, Group, Required, Wire};
use crate::auth::{Caller, Password, sign_in};
use crate::config::Registration;
use crate::wiring::Service;

pub(super) struct AuthApi;

/// A new account.
#[derive(Debug, Object)]
#[oai(rename = "Registration")]
struct RegistrationBody {
    /// Name to sign in with; unique regardless of case.
    username: Required<Username>,
    /// Where mail goes; unique regardless of case.
    email: Required<EmailAddress>,
    /// The stricter policy of production also refuses what is easy to guess.
    password: Required<Password>,
    /// IANA time zone; UTC when left out.
    #[oai(nullable)]
    time_zone: Field<Zone>,
    /// Language tag; `en` when left out.
    #[oai(nullable)]
    locale: Field<Locale>,
}

/// A name or an address, and a password.
#[derive(Debug, Object)]
#[oai(rename = "Login")]
struct LoginBody {
    /// The name or the e-mail address of the account.
    username: Required<LoginName>,
    /// Its password.
    password: Required<Attempt>,
}

/// An access token (RFC 6749 §5.1).
#[derive(Debug, Object)]
#[oai(rename = "Token")]
struct TokenBody {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Seconds until it expires.
    #[oai(validator(minimum(value = "1")))]
    expires_in: u64,
}

/// What somebody typed as their name or address.
#[derive(Debug)]
struct LoginName(String);

/// What somebody typed as their password.
#[derive(Debug)]
pub(super) struct Attempt(pub(super) SecretString);

#[OpenApi(prefix_path = "/api/auth", tag = "Group::Accounts")]
impl AuthApi {
    /// Register
    ///
    /// Makes an account and sends a welcome mail. All fields that do not fit are named at once.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<RegistrationBody>,
    ) -> Result<Made<UserBody>, ApiError> {
        if service.config.registration == Registration::Closed {
            return Err(ApiError::RegistrationClosed);
        }
        let (new, password) = body.read(service).await?;
        let hash = service.passwords.hash(&password).await?;
        let user = service.app.register_user(new, Some(hash)).await?;
        let tag = etag(user.version);
        Ok(Made::Made(Json(user.into()), "/api/users/me".to_owned(), tag))
    }

    /// Sign in
    ///
    /// With the name or the e-mail address, as JSON or as the form of OAuth2 (`grant_type=password`). Changing the
    /// password ends every token made before.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Data(service): Data<&Arc<Service>>,
        JsonOrForm(body): JsonOrForm<LoginBody>,
    ) -> Result<Json<TokenBody>, ApiError> {
        let (LoginName(name), Attempt(password)) = body.read()?;
        let token = sign_in(service, &name, password).await?;
        Ok(Json(TokenBody {
            access_token: token.text,
            token_type: "bearer".to_owned(),
            expires_in: token.lifetime.as_secs(),
        }))
    }

    /// Who am I
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Found<UserBody>, ApiError> {
        super::users::found(service, caller).await
    }
}

impl RegistrationBody {
    async fn read(self, service: &Service) -> Result<(NewUser, Password), ApiError> {
        let mut findings = Findings::default();
        let username = findings.required("username", self.username);
        let email = findings.required("email", self.email);
        let password = findings.required("password", self.password);
        let time_zone = findings.optional("time_zone", self.time_zone);
        let locale = findings.optional("locale", self.locale);
        if let Some(password) = &password {
            let name = username.as_ref().map(ToString::to_string);
            let inputs = name.into_iter().chain(email.as_ref().map(ToString::to_string)).collect();
            if let Some(objection) = service.passwords.objection(password, inputs).await {
                findings.note("password", objection);
            }
        }
        let read = username.zip(email).zip(password);
        let ((username, email), password) = findings.finish(read)?;
        Ok((NewUser { username, email, time_zone, locale, is_admin: false }, password))
    }
}

impl LoginBody {
    fn read(self) -> Result<(LoginName, Attempt), ApiError> {
        let mut findings = Findings::default();
        let username = findings.required("username", self.username);
        let password = findings.required("password", self.password);
        findings.finish(username.zip(password))
    }
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
