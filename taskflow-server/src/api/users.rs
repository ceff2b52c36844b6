//! One's own account; for administrators, everybody's.

mod admin;

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{
    EmailAddress, Error, Locale, Precondition, ProfileChange, Suppression, SuppressionCause, Timestamp, User, UserId,
    Username, Zone,
};

use super::answer::{Found, Gone, Read};
use super::auth::Attempt;
use super::body::{Body, MaybeBody, Patch};
use super::etag::{IfMatch, IfNoneMatch, etag};
use super::refuses::Refuses;
use super::{ApiError, Field, Group, Val, ValidationErrors};
use crate::api::Caller;
use crate::auth::Password;
use crate::limits::Requester;
use crate::service::Service;

pub(super) use self::admin::AdminUsersApi;

pub(super) struct UsersApi;

/// An account.
#[derive(Debug, Object)]
#[oai(rename = "User", skip_serializing_if_is_none)]
pub(super) struct UserBody {
    /// Identifier; never changes.
    id: Val<UserId>,
    /// User name to sign in with.
    username: Val<Username>,
    /// Email address.
    email: Val<EmailAddress>,
    /// Whether the person has proved that the address is theirs.
    email_verified: bool,
    /// Time zone in which its days begin and end.
    time_zone: Val<Zone>,
    /// Language of its mail.
    locale: Val<Locale>,
    /// Whether the account is active. A locked account cannot sign in.
    is_active: bool,
    /// Whether the account has the rights of an administrator.
    is_admin: bool,
    /// Why mail to the address is not sent; absent while it is, and in the accounts of others. Who asks for a link to verify
    /// the address or to set another password gets it all the same, unless an administrator decided that there is no mail;
    /// after a bounce up to three times. Using such a link after a bounce, or changing the address, ends it.
    email_undeliverable: Option<UndeliverableBody>,
    /// When the account was created.
    created_at: Val<Timestamp>,
    /// When it last changed.
    updated_at: Val<Timestamp>,
}

/// Why mail to an address is not sent.
#[derive(Debug, Object)]
#[oai(rename = "Undeliverable")]
struct UndeliverableBody {
    /// Since when.
    since: Val<Timestamp>,
    /// How it became known: the relay refused the mailbox, mail bounced, its reader complained about mail, or an
    /// administrator decided so.
    cause: Val<SuppressionCause>,
    /// The words of the relay or the report.
    detail: String,
}

/// A change of the account. Members that are left out stay as they are.
#[derive(Debug, Object)]
#[oai(rename = "ProfileChange")]
struct ChangeBody {
    /// Another user name.
    username: Field<Username>,
    /// Another email address; needs `current_password`.
    email: Field<EmailAddress>,
    /// Another time zone. Due days of tasks then end in it.
    time_zone: Field<Zone>,
    /// Another language.
    locale: Field<Locale>,
    /// Another password; needs `current_password` and ends all sessions.
    password: Field<Password>,
    /// The present password; needed to change the password or the email address.
    #[oai(nullable)]
    current_password: Field<Attempt>,
}

/// Proof that the owner of the account deletes it.
#[derive(Debug, Object)]
#[oai(rename = "AccountDeletion")]
struct DeletionBody {
    /// The present password; needed when the session has no fresh proof.
    #[oai(nullable)]
    password: Field<Attempt>,
}

#[OpenApi(prefix_path = "/api/users", tag = "Group::Accounts")]
impl UsersApi {
    /// Get the account
    ///
    /// Returns the signed-in account.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn get(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Answer 304 if this is still its version (its `ETag`).
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<Read<UserBody>, Refuses<404>> {
        Ok(found(service, caller, &known).await?)
    }

    /// Replace the account
    ///
    /// Fields that are left out stay as they are.
    #[oai(path = "/me", method = "put", operation_id = "replaceMe")]
    async fn put(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Body(body): Body<ChangeBody>,
    ) -> Result<Found<UserBody>, ApiError> {
        change(service, caller, expect, body).await
    }

    /// Change parts of the account
    ///
    /// Takes a JSON Merge Patch (RFC 7396), as `application/json` or `application/merge-patch+json`.
    #[oai(path = "/me", method = "patch", operation_id = "changeMe")]
    async fn patch(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        /// Change only this version (its `ETag`), else 412.
        #[oai(name = "If-Match")]
        IfMatch(expect): IfMatch,
        Patch(body): Patch<ChangeBody>,
    ) -> Result<Found<UserBody>, ApiError> {
        change(service, caller, expect, body).await
    }

    /// Delete the account
    ///
    /// Deletes the signed-in account with everything in it, at once and for good. Meetings that it organizes are cancelled,
    /// and the others are left, with notice to the people concerned.
    ///
    /// Needs a fresh proof: a sign-in or a confirmation (`POST /api/auth/confirm`) of this session some minutes ago at most,
    /// or the password in the body.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    async fn delete(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        MaybeBody(body): MaybeBody<DeletionBody>,
    ) -> Result<Gone, ApiError> {
        let mut findings = ValidationErrors::default();
        let password = findings.optional("password", body.password);
        findings.finish(Some(()))?;
        match password {
            Some(Attempt(password)) => {
                if !service.auth.is_password(caller.token.user, password).await? {
                    return Err(ApiError::wrong_password());
                }
            }
            None => {
                if !service.auth.has_fresh_proof(&caller.token).await? {
                    return Err(ApiError::Reauthenticate(service.auth.reauthenticate_after));
                }
            }
        }
        service.app.accounts().delete(caller.actor(), caller.token.user).await?;
        Ok(Gone::Gone)
    }
}

/// The account of the caller.
pub(super) async fn found(service: &Service, caller: Caller, known: &IfNoneMatch) -> Result<Read<UserBody>, ApiError> {
    let user = service.app.accounts().get(caller.actor(), caller.token.user).await?;
    let (version, mut body) = (user.version, UserBody::from(user));
    body.email_undeliverable = undeliverable(service, caller).await?;
    Ok(Read::new(version, known, || body))
}

fn answer(user: User) -> Found<UserBody> {
    let tag = etag(user.version);
    Found::Found(Json(user.into()), tag)
}

async fn undeliverable(service: &Service, caller: Caller) -> Result<Option<UndeliverableBody>, ApiError> {
    Ok(service.app.suppressions().own(caller.actor()).await?.map(UndeliverableBody::from))
}

impl From<Suppression> for UndeliverableBody {
    fn from(Suppression { at, cause, detail, .. }: Suppression) -> Self {
        Self { since: Val(at), cause: Val(cause), detail }
    }
}

async fn change(
    service: &Service,
    caller: Caller,
    expect: Precondition,
    body: ChangeBody,
) -> Result<Found<UserBody>, ApiError> {
    let before = service.app.accounts().get(caller.actor(), caller.token.user).await?;
    let change = body.read(service, &before).await?;
    match service.app.accounts().update_profile(caller.actor(), caller.token.user, change, expect.clone()).await {
        Ok(user) => {
            let (tag, mut body) = (etag(user.version), UserBody::from(user));
            body.email_undeliverable = undeliverable(service, caller).await?;
            Ok(Found::Found(Json(body), tag))
        }
        Err(Error::Stale) if expect != Precondition::Any => {
            let current = service.app.accounts().get(caller.actor(), caller.token.user).await?;
            Err(ApiError::Stale(UserBody::from(current).to_json()))
        }
        Err(error) => Err(error.into()),
    }
}

impl ChangeBody {
    async fn read(self, service: &Service, before: &User) -> Result<ProfileChange, ApiError> {
        let requester = Requester::Account(before.id);
        let mut findings = ValidationErrors::default();
        let username = findings.kept("username", self.username);
        let email = findings.kept("email", self.email);
        let time_zone = findings.kept("time_zone", self.time_zone);
        let locale = findings.kept("locale", self.locale);
        let password = findings.kept("password", self.password);
        let current = findings.optional("current_password", self.current_password);

        let moves = email.as_ref().is_some_and(|email| email.key() != before.email.key());
        if let Some(password) = &password {
            let name = username.as_ref().unwrap_or(&before.username).to_string();
            let address = email.as_ref().unwrap_or(&before.email).to_string();
            if let Some(objection) = service.auth.passwords.objection(password, vec![name, address], requester).await? {
                findings.note("password", objection);
            }
        }
        if (moves || password.is_some())
            && let Some(objection) = objection_to(service, before.id, current).await?
        {
            findings.note("current_password", objection);
        }
        findings.finish(Some(()))?;
        if let Some(email) = email.as_ref().filter(|_| moves) {
            let _ = service.auth.guesses.own_mail("verification", before.id, email).await?;
        }
        let password = match password {
            Some(password) => Some(service.auth.passwords.hash(&password, requester).await?),
            None => None,
        };
        Ok(ProfileChange { username, email, time_zone, locale, password })
    }
}

/// Returns the reason why `current` does not permit a user to change how they sign in; `None` if it does.
async fn objection_to(
    service: &Service,
    user: UserId,
    current: Option<Attempt>,
) -> Result<Option<&'static str>, ApiError> {
    let Some(Attempt(attempt)) = current else {
        return Ok(Some("is needed to change the password or the e-mail address"));
    };
    let right = service.auth.is_password(user, attempt).await?;
    Ok((!right).then_some("is not the current password"))
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: Val(user.id),
            username: Val(user.username),
            email: Val(user.email),
            email_verified: user.email_verified,
            time_zone: Val(user.time_zone),
            locale: Val(user.locale),
            is_active: user.is_active,
            is_admin: user.is_admin,
            email_undeliverable: None,
            created_at: Val(user.created_at),
            updated_at: Val(user.updated_at),
        }
    }
}
