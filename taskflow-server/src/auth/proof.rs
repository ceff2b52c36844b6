//! Fresh proof: what the owner of a session has to show once more before they do something that cannot be undone.

use secrecy::SecretString;
use taskflow_core::{Actor, Error, UserId};
use taskflow_runtime::live::SessionClaims;

use super::{AccessToken, AuthError, Authenticator};
use crate::limits::Requester;

impl Authenticator {
    /// Returns whether a password is that of somebody with an open session. Wrong ones are counted as sign-ins are.
    ///
    /// # Errors
    ///
    /// [`AuthError::Limited`] after too many wrong ones; [`AuthError::Password`] and [`AuthError::UseCase`] may pass.
    pub async fn is_password(&self, user: UserId, password: SecretString) -> Result<bool, AuthError> {
        let stored = self.accounts.password(user).await?;
        let taken = self.guesses.password(user).await?;
        let right = self.passwords.verify(password, stored, Requester::Account(user)).await;
        if !matches!(right, Ok(false)) {
            self.guesses.give_back(taken).await?;
        }
        Ok(right?)
    }

    /// Renews the proof of a session and returns a new access token of it; `None` when the password is wrong.
    ///
    /// # Errors
    ///
    /// As [`is_password`](Self::is_password), and [`AuthError::InvalidToken`] when the session is over.
    pub async fn confirm(
        &self,
        claims: &SessionClaims,
        password: SecretString,
    ) -> Result<Option<AccessToken>, AuthError> {
        if !self.is_password(claims.user, password).await? {
            return Ok(None);
        }
        match self.app.sessions().confirm(Actor::User(claims.user), claims.session).await {
            Ok(session) => Ok(Some(self.access(&session)?)),
            Err(Error::NotFound(_)) => Err(AuthError::InvalidToken),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the owner of a session has proved who they are within the time that the settings allow.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn has_fresh_proof(&self, claims: &SessionClaims) -> Result<bool, AuthError> {
        let session = self.accounts.session(claims.session).await?;
        let now = self.clock.now();
        Ok(session.is_some_and(|session| now.since(session.authenticated_at()) <= self.reauthenticate_after))
    }
}
