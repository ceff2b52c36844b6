//! What links in mail to an account lead to: showing that an address is one's own, and a new password for a lost one.
//! For programs, and as pages whose forms alone change something, because mail scanners follow links too.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret;
use taskflow_core::{EmailAddress, Error, FieldError};

use super::answer::{Accepted, Gone};
use super::auth::ShownToken;
use super::body::{Body, JsonOrForm};
use super::html::{Page, escape};
use super::{ApiError, Findings, Group, Required};
use crate::auth::{Caller, Password};
use crate::wiring::Service;

pub(super) struct VerificationApi;

/// The pages that the links themselves name.
pub(super) struct VerificationPages;

/// The token of a link.
#[derive(Debug, Object)]
#[oai(rename = "EmailVerification")]
struct VerifyBody {
    /// What stands at the end of the link, after `/v/`.
    token: Required<ShownToken>,
}

/// Where the link shall go.
#[derive(Debug, Object)]
#[oai(rename = "ForgottenPassword")]
struct ForgotBody {
    /// The address of the account.
    email: Required<EmailAddress>,
}

/// The token of a link, and another password.
#[derive(Debug, Object)]
#[oai(rename = "PasswordReset")]
struct ResetBody {
    /// What stands at the end of the link, after `/p/`.
    token: Required<ShownToken>,
    /// The password from now on.
    password: Required<Password>,
}

/// The form of the page.
#[derive(Debug, Object)]
struct PasswordForm {
    password: Required<Password>,
}

#[OpenApi(prefix_path = "/api/auth", tag = "Group::Accounts")]
impl VerificationApi {
    /// Verify an address
    ///
    /// Shows that the address of an account is its owner's, with the token of the link that was mailed there. Meetings to
    /// which that address was invited are theirs from then on.
    #[oai(path = "/email/verify", method = "post", operation_id = "verifyEmail")]
    async fn verify(&self, Data(service): Data<&Arc<Service>>, Body(body): Body<VerifyBody>) -> Result<Gone, ApiError> {
        let mut findings = Findings::default();
        let token = findings.required("token", body.token);
        let ShownToken(token) = findings.finish(token)?;
        service.app.verify_email(token.expose_secret()).await.map_err(no_such_token)?;
        Ok(Gone::Gone)
    }

    /// Mail me another link
    ///
    /// To verify my address; nothing is sent when it is verified already.
    #[oai(path = "/email/resend", method = "post", operation_id = "resendVerification")]
    async fn resend(&self, caller: Caller, Data(service): Data<&Arc<Service>>) -> Result<Accepted, ApiError> {
        service.app.request_verification(caller.actor()).await?;
        Ok(Accepted::Accepted)
    }

    /// Forgot my password
    ///
    /// Mails a link to set another one, if an account has this address. The answer is the same when none has.
    #[oai(path = "/password/forgot", method = "post", operation_id = "forgotPassword")]
    async fn forgot(
        &self,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<ForgotBody>,
    ) -> Result<Accepted, ApiError> {
        let mut findings = Findings::default();
        let email = findings.required("email", body.email);
        let email = findings.finish(email)?;
        let app = service.app.clone();
        // Nobody waits for it: how long it takes would tell whether there is such an account.
        tokio::spawn(async move {
            if let Err(error) = app.forgot_password(&email).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a link to set another password was not planned");
            }
        });
        Ok(Accepted::Accepted)
    }

    /// Set another password
    ///
    /// With the token of the link that was mailed. Whoever is signed in with the old one no longer is.
    #[oai(path = "/password/reset", method = "post", operation_id = "resetPassword")]
    async fn reset(&self, Data(service): Data<&Arc<Service>>, Body(body): Body<ResetBody>) -> Result<Gone, ApiError> {
        let mut findings = Findings::default();
        let token = findings.required("token", body.token);
        let password = findings.required("password", body.password);
        let (ShownToken(token), password) = findings.finish(token.zip(password))?;
        reset(service, token.expose_secret(), &password).await?;
        Ok(Gone::Gone)
    }
}

#[OpenApi]
impl VerificationPages {
    /// A button that verifies
    #[oai(path = "/v/:token", method = "get", operation_id = "verificationPage", hidden)]
    async fn verification(&self, _token: Path<String>) -> Page {
        Page::new(
            "Verify your address",
            "<p>Is the address yours that this link was sent to?</p>\n\
             <form method=\"post\">\n<button>Yes, it is mine</button>\n</form>\n",
        )
    }

    /// Verifies
    #[oai(path = "/v/:token", method = "post", operation_id = "verifyByLink", hidden)]
    async fn verify(&self, Data(service): Data<&Arc<Service>>, token: Path<String>) -> Page {
        match service.app.verify_email(&token.0).await {
            Ok(user) => Page::new(
                "Your address is verified",
                &format!(
                    "<p>{} belongs to your account now. You can close this page.</p>\n",
                    escape(user.email.as_str())
                ),
            ),
            Err(error) => ApiError::from(error).into(),
        }
    }

    /// A form for another password
    #[oai(path = "/p/:token", method = "get", operation_id = "passwordPage", hidden)]
    async fn password(&self, Data(service): Data<&Arc<Service>>, token: Path<String>) -> Page {
        match service.app.can_reset_password(&token.0).await {
            Ok(true) => password_page(&[]),
            Ok(false) => ApiError::NotFound.into(),
            Err(error) => ApiError::from(error).into(),
        }
    }

    /// Sets it
    #[oai(path = "/p/:token", method = "post", operation_id = "setPasswordByLink", hidden)]
    async fn set_password(
        &self,
        Data(service): Data<&Arc<Service>>,
        token: Path<String>,
        JsonOrForm(form): JsonOrForm<PasswordForm>,
    ) -> Page {
        let mut findings = Findings::default();
        let password = findings.required("password", form.password);
        let result = match findings.finish(password) {
            Ok(password) => reset(service, &token.0, &password).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => Page::new(
                "Your password is changed",
                "<p>Sign in with the new one. Whoever was signed in with the old one no longer is.</p>\n",
            ),
            Err(ApiError::Invalid(errors)) if errors.iter().all(|error| error.field == "password") => {
                password_page(&errors).refused()
            }
            // Nobody can mend a link.
            Err(ApiError::Invalid(_)) => ApiError::NotFound.into(),
            Err(error) => error.into(),
        }
    }
}

async fn reset(service: &Service, token: &str, password: &Password) -> Result<(), ApiError> {
    // A password is hashed only for whoever can set it: that takes a while, and much memory.
    if !service.app.can_reset_password(token).await? {
        return Err(no_such_token(Error::NotFound("link")));
    }
    if let Some(objection) = service.passwords.objection(password, Vec::new()).await {
        return Err(ApiError::Invalid(vec![FieldError::new("password", objection)]));
    }
    let hash = service.passwords.hash(password).await?;
    service.app.reset_password(token, hash).await.map(drop).map_err(no_such_token)
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

fn password_page(errors: &[FieldError]) -> Page {
    let error = |error: &FieldError| {
        format!("<p class=\"note\" role=\"alert\">The {} {}.</p>\n", escape(&error.field), escape(&error.message))
    };
    let (least, most) = Password::LENGTH;
    let form = format!(
        "<form method=\"post\">\n<label>New password\n<input type=\"password\" name=\"password\" \
         autocomplete=\"new-password\" required minlength=\"{least}\" maxlength=\"{most}\"></label>\n\
         <button>Set it</button>\n</form>\n"
    );
    Page::new("Set a new password", &(errors.iter().map(error).collect::<String>() + &form))
}
