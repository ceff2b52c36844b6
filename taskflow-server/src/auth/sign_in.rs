use secrecy::SecretString;
use taskflow_core::ports::Account;
use taskflow_core::{Actor, Error, Login, PasswordHash, Session, User};

use super::AccessToken;
use super::refresh::{RefreshToken, Secret};
use crate::api::ApiError;
use crate::wiring::Service;

/// What somebody who is signed in holds.
#[derive(Debug)]
pub struct Grant {
    /// Opens every request for some minutes.
    pub access: AccessToken,
    /// Is exchanged for the next grant, once.
    pub refresh: RefreshToken,
}

/// Exchanges a name or an address and its password for a session. `device` is what the person signs in with, in its own
/// words.
///
/// An unknown name, a wrong password and a locked account take the same work and get the same answer.
///
/// # Errors
///
/// [`ApiError::WrongCredentials`]; [`ApiError::Busy`] and [`ApiError::Unavailable`] may pass.
pub async fn sign_in(
    service: &Service,
    login: &str,
    password: SecretString,
    device: Option<&str>,
) -> Result<Grant, ApiError> {
    let login = Login::parse(login);
    let (user, stored) = known(service.accounts.account(&login).await?);
    let right = service.passwords.verify(password, stored.clone()).await?;
    let user = user.filter(|user| right && user.is_active).ok_or(ApiError::WrongCredentials)?;
    let secret = Secret::random().map_err(ApiError::Internal)?;
    let session = match service.app.open_session(user.id, secret.hash(), device).await {
        Err(Error::NotFound(_)) => return Err(ApiError::WrongCredentials),
        result => result?,
    };
    // Checking takes a while. Whoever changed the password or locked the account meanwhile ended the sessions of that
    // time, and this one came after; from here on it ends like any other.
    let (after, kept) = known(service.accounts.account(&login).await?);
    if kept != stored || !after.is_some_and(|after| after.id == user.id && after.is_active) {
        match service.app.end_session(Actor::User(user.id), session.id).await {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        return Err(ApiError::WrongCredentials);
    }
    grant(service, &session, secret)
}

/// Exchanges a refresh token for the next grant of its session.
///
/// # Errors
///
/// [`ApiError::SessionOver`] whenever the token does not count, never said why.
pub async fn refresh(service: &Service, shown: &str) -> Result<Grant, ApiError> {
    let shown = RefreshToken::parse(shown).ok_or(ApiError::SessionOver)?;
    let secrets = service.successors.of(&shown);
    let hashes: Vec<_> = secrets.iter().map(Secret::hash).collect();
    match service.app.refresh_session(shown.session, &shown.hash(), &hashes).await {
        Ok(session) => {
            let secret = secrets.into_iter().zip(hashes).find(|(_, hash)| *hash == session.token);
            let (secret, _) = secret.ok_or_else(|| ApiError::bug("a refreshed session has none of the successors"))?;
            grant(service, &session, secret)
        }
        Err(Error::NotFound(_)) => Err(ApiError::SessionOver),
        Err(error) => Err(error.into()),
    }
}

fn known(account: Option<Account>) -> (Option<User>, Option<PasswordHash>) {
    account.map_or((None, None), |account| (Some(account.user), account.password))
}

fn grant(service: &Service, session: &Session, secret: Secret) -> Result<Grant, ApiError> {
    let access = service
        .tokens
        .issue(session.user_id, session.id, service.clock.now())
        .map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Grant { access, refresh: secret.of(session.id) })
}
