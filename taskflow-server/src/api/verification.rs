//! Endpoints behind links in mail to an account: verifying its address and resetting a lost password. They exist for
//! programs and as pages. Only the forms of a page change something, because mail scanners follow links too.

use std::sync::Arc;

use minijinja::context;
use poem::http::HeaderMap;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret;
use taskflow_core::{DeadLink, EmailAddress, Error, FieldError, LinkError, TokenPurpose, User};
use taskflow_mail::PageWords;

use super::answer::{Accepted, Gone};
use super::auth::ShownToken;
use super::body::{Body, JsonOrForm};
use super::html::{self, Page};
use super::refuses::Refuses;
use super::{ApiError, Group, Required, ValidationErrors};
use crate::api::Caller;
use crate::auth::Password;
use crate::config::PasswordPolicy;
use crate::limits::{Client, Requester};
use crate::service::Service;

pub(super) struct VerificationApi;

/// The pages that the links themselves name.
pub(super) struct VerificationPages;

/// Token of a verification link.
#[derive(Debug, Object)]
#[oai(rename = "EmailVerification")]
struct VerifyBody {
    /// The end of the link, after `/v/`.
    token: Required<ShownToken>,
}

/// Request for a password reset.
#[derive(Debug, Object)]
#[oai(rename = "ForgottenPassword")]
struct ForgotBody {
    /// Email address of the account.
    email: Required<EmailAddress>,
}

/// Token of a reset link, and another password.
#[derive(Debug, Object)]
#[oai(rename = "PasswordReset")]
struct ResetBody {
    /// The end of the link, after `/p/`.
    token: Required<ShownToken>,
    /// The new password.
    password: Required<Password>,
}

/// The form of the page.
#[derive(Debug, Object)]
struct PasswordForm {
    password: Required<Password>,
}

#[OpenApi(prefix_path = "/api/auth", tag = "Group::Accounts")]
impl VerificationApi {
    /// Verify an email address
    ///
    /// Proves that the address of an account belongs to its owner, with the token of the link that was sent there.
    /// Meetings to which the address was invited then appear in the lists of the account.
    #[oai(path = "/email/verify", method = "post", operation_id = "verifyEmail")]
    async fn verify(
        &self,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<VerifyBody>,
    ) -> Result<Gone, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let token = findings.required("token", body.token);
        let ShownToken(token) = findings.finish(token)?;
        service.app.accounts().verify_email(token.expose_secret()).await.map_err(no_such_token)?;
        Ok(Gone::Gone)
    }

    /// Resend the verification email
    ///
    /// Sends another link to verify the address of the account. Nothing is sent when the address is verified already.
    #[oai(path = "/email/resend", method = "post", operation_id = "resendVerification")]
    async fn resend(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Accepted, Refuses<404, 409>> {
        let user = service.app.accounts().get(caller.actor(), caller.token.user).await?;
        let _ = service.auth.guesses.own_mail("verification", user.id, &user.email).await?;
        service.app.accounts().request_verification(caller.actor()).await?;
        Ok(Accepted::Accepted)
    }

    /// Request a password reset
    ///
    /// Mails a link to set another one, if an account has this address. The answer is the same when none has, and when mail to
    /// the address is suppressed. Who complained about mail gets the link all the same; after a bounce a few are sent. Who is
    /// signed in sees in `email_undeliverable` of their account why mail does not arrive.
    #[oai(path = "/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot(
        &self,
        Data(service): Data<&Arc<Service>>,
        Data(client): Data<&Client>,
        Body(body): Body<ForgotBody>,
    ) -> Result<Accepted, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let email = findings.required("email", body.email);
        let email = findings.finish(email)?;
        let _ = service.auth.guesses.mail("password reset", client.address, &email).await?;
        service.app.accounts().forgot_password(&email).await?;
        Ok(Accepted::Accepted)
    }

    /// Reset the password
    ///
    /// Sets another password with the token of the link that was sent, and ends all sessions of the account.
    #[oai(path = "/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset(
        &self,
        Data(service): Data<&Arc<Service>>,
        Data(client): Data<&Client>,
        Body(body): Body<ResetBody>,
    ) -> Result<Gone, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let token = findings.required("token", body.token);
        let password = findings.required("password", body.password);
        let (ShownToken(token), password) = findings.finish(token.zip(password))?;
        reset(service, client.requester, token.expose_secret(), &password).await?;
        Ok(Gone::Gone)
    }
}

#[OpenApi]
impl VerificationPages {
    /// Ask whether an address is the reader's
    #[oai(path = "/v/:token", method = "get", operation_id = "verificationPage", hidden)]
    async fn verification(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        match service.app.links().account(TokenPurpose::VerifyEmail, &token.0).await {
            Ok(user) => verification_page(service, &user),
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// Verify an address
    #[oai(path = "/v/:token", method = "post", operation_id = "verifyByLink", hidden)]
    async fn verify(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        let verified = match service.app.links().account(TokenPurpose::VerifyEmail, &token.0).await {
            Ok(_) => service.app.accounts().verify_email(&token.0).await.map_err(LinkError::from),
            Err(error) => Err(error),
        };
        match verified {
            Ok(user) => done(service, &user, "page.verify", &[("email", user.email.as_str())]),
            Err(LinkError::Failed(Error::NotFound(_))) => {
                Page::failed(service, headers, &token.0, LinkError::Dead(DeadLink::Used)).await
            }
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// Ask for another password
    #[oai(path = "/p/:token", method = "get", operation_id = "passwordPage", hidden)]
    async fn password(&self, Data(service): Data<&Arc<Service>>, headers: &HeaderMap, token: Path<String>) -> Page {
        match service.app.links().account(TokenPurpose::ResetPassword, &token.0).await {
            Ok(user) => password_page(service, &user, &[]),
            Err(error) => Page::failed(service, headers, &token.0, error).await,
        }
    }

    /// Set another password
    #[oai(path = "/p/:token", method = "post", operation_id = "setPasswordByLink", hidden)]
    async fn set_password(
        &self,
        Data(service): Data<&Arc<Service>>,
        Data(client): Data<&Client>,
        headers: &HeaderMap,
        token: Path<String>,
        JsonOrForm(form): JsonOrForm<PasswordForm>,
    ) -> Page {
        let user = match service.app.links().account(TokenPurpose::ResetPassword, &token.0).await {
            Ok(user) => user,
            Err(error) => return Page::failed(service, headers, &token.0, error).await,
        };
        let mut findings = ValidationErrors::default();
        let password = findings.required("password", form.password);
        let result = match findings.finish(password) {
            Ok(password) => reset(service, client.requester, &token.0, &password).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => done(service, &user, "page.password", &[]),
            Err(ApiError::Invalid(errors)) if errors.iter().all(|error| error.field == "password") => {
                password_page(service, &user, &errors).refused()
            }
            // Nobody can mend a link.
            Err(ApiError::Invalid(_)) => {
                Page::failed(service, headers, &token.0, LinkError::Dead(DeadLink::Used)).await
            }
            Err(error) => Page::error(&words(service, &user), &error),
        }
    }
}

fn words<'a>(service: &Service, user: &'a User) -> PageWords<'a> {
    html::words(&user.locale, &user.time_zone, service.clock.now())
}

/// An end page, with the words `{key}.done` and `{key}.done_text`.
fn done(service: &Service, user: &User, key: &str, gaps: &[(&str, &str)]) -> Page {
    let words = words(service, user);
    let told = words.say(&format!("{key}.done"), &[]).and_then(|title| {
        Ok((title, [words.say(&format!("{key}.done_text"), gaps)?, words.say("page.onwards", &[])?]))
    });
    match told {
        Ok((title, texts)) => Page::done(&words, &title, &texts, "../"),
        Err(error) => Page::rendered(Err(error)),
    }
}

fn verification_page(service: &Service, user: &User) -> Page {
    let words = words(service, user);
    let gaps = [("email", user.email.as_str()), ("name", user.username.as_str())];
    let page = words.say("page.verify.title", &[]).and_then(|title| {
        if user.email_verified {
            let texts = vec![words.say("page.verify.already", &gaps[..1])?, words.say("page.onwards", &[])?];
            let links = vec![context! { url => "../", label => words.say("page.home", &[])? }];
            let title = words.say("page.verify.done", &[])?;
            return words.render("message", &title, &context! { texts, links });
        }
        let text = words.say("page.verify.text", &gaps)?;
        words.render("confirm", &title, &context! { text, button => words.say("page.verify.button", &[])? })
    });
    Page::rendered(page)
}

fn password_page(service: &Service, user: &User, errors: &[FieldError]) -> Page {
    let words = words(service, user);
    let (least, most) = Password::LENGTH;
    let page = words.say("page.password.title", &[]).and_then(|title| {
        let gaps = [("least", least.to_string()), ("most", most.to_string())];
        let gaps: Vec<(&str, &str)> = gaps.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut rules = words.say("page.password.rules", &gaps)?;
        if service.config.password_policy == PasswordPolicy::Strict {
            rules = format!("{rules} {}", words.say("page.password.strict", &[])?);
        }
        let errors =
            errors.iter().map(|error| words.refusal(error, Password::LENGTH)).collect::<Result<Vec<_>, _>>()?;
        words.render("password", &title, &context! { name => user.username.as_str(), rules, least, most, errors })
    });
    Page::rendered(page)
}

async fn reset(service: &Service, requester: Requester, token: &str, password: &Password) -> Result<(), ApiError> {
    // A password is hashed only for whoever can set it: that takes a while, and much memory.
    if !service.app.accounts().can_reset_password(token).await? {
        return Err(no_such_token(Error::NotFound("link")));
    }
    if let Some(objection) = service.auth.passwords.objection(password, Vec::new(), requester).await? {
        return Err(ApiError::Invalid(vec![FieldError::new("password", objection)]));
    }
    let hash = service.auth.passwords.hash(password, requester).await?;
    service.app.accounts().reset_password(token, hash).await.map(drop).map_err(no_such_token)
}

/// The path is there; it is the token that is not.
fn no_such_token(error: Error) -> ApiError {
    match error {
        Error::NotFound(_) => {
            ApiError::Invalid(vec![FieldError::new("token", "is not one of ours, was used already, or is too old")])
        }
        error => error.into(),
    }
}
