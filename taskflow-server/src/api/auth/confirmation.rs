//! Confirmation of the password within a session.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Attempt;
use crate::api::body::Body;
use crate::api::refuses::Refuses;
use crate::api::{ApiError, Caller, Group, Required, ValidationErrors};
use crate::service::Service;

pub(in crate::api) struct ConfirmationApi;

/// The password of the signed-in account.
#[derive(Debug, Object)]
#[oai(rename = "Confirmation")]
struct ConfirmationBody {
    /// Password of the account.
    password: Required<Attempt>,
}

/// An access token of a session whose owner has confirmed the password.
#[derive(Debug, Object)]
#[oai(rename = "Confirmed")]
struct ConfirmedBody {
    /// Access token, to be sent as `Authorization: Bearer …`. Earlier ones stay valid.
    access_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    #[oai(validator(minimum(value = "1")))]
    expires_in: u64,
}

#[OpenApi(prefix_path = "/api/auth", tag = "Group::Accounts")]
impl ConfirmationApi {
    /// Confirm the password
    ///
    /// Renews the proof of this session, which operations ask for that cannot be undone: they answer 401 with the code
    /// `reauthenticate` when the last sign-in or confirmation was too long ago. A wrong password counts as a failed
    /// sign-in.
    #[oai(path = "/confirm", method = "post", operation_id = "confirmPassword")]
    async fn confirm(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        Body(body): Body<ConfirmationBody>,
    ) -> Result<Json<ConfirmedBody>, Refuses<409>> {
        let mut findings = ValidationErrors::default();
        let password = findings.required("password", body.password);
        let Attempt(password) = findings.finish(password)?;
        let access = service.auth.confirm(&caller.token, password).await?;
        let access = access.ok_or_else(ApiError::wrong_password)?;
        let (token_type, expires_in) = ("bearer".to_owned(), access.lifetime.as_secs());
        Ok(Json(ConfirmedBody { access_token: access.text, token_type, expires_in }))
    }
}
