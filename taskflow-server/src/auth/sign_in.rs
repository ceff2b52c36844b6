use secrecy::SecretString;
use taskflow_core::Login;

use super::AccessToken;
use crate::api::ApiError;
use crate::wiring::Service;

/// Exchanges a name or an address and its password for an access token.
///
/// An unknown name, a wrong password and a locked account take the same work and get the same answer.
///
/// # Errors
///
/// [`ApiError::WrongCredentials`]; [`ApiError::Busy`] and [`ApiError::Unavailable`] may pass.
pub async fn sign_in(service: &Service, login: &str, password: SecretString) -> Result<AccessToken, ApiError> {
    let account = service.accounts.account(&Login::parse(login)).await?;
    let (user, stored) = account.map_or((None, None), |account| (Some(account.user), account.password));
    let right = service.passwords.verify(password, stored).await?;
    let user = user.filter(|user| right && user.is_active).ok_or(ApiError::WrongCredentials)?;
    service.tokens.issue(user.id, service.clock.now()).map_err(|error| ApiError::Internal(error.into()))
}
