use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use taskflow_core::ports::{Account, Accounts, Clock};
use taskflow_core::{Actor, App, ClockCheck, Error, Login, PasswordHash, Session, Source, StoreError, User};
use taskflow_runtime::live::{SessionCheck, SessionClaims, SessionsUnavailable};

use super::refresh::{RefreshToken, Secret, Successors};
use super::{AccessToken, DeviceTokens, GuessLimits, KnownSessions, PasswordError, Passwords, RevocationList, Tokens};
use crate::limits::{Client, Exceeded, Requester};

/// Opens and renews sessions, and recognizes the tokens it issued: the one door through which people come in.
pub struct Authenticator {
    /// The use cases of sessions.
    pub app: Arc<App>,
    /// Reads of accounts and their password hashes.
    pub accounts: Arc<dyn Accounts>,
    /// The clock that tokens expire by.
    pub clock: Arc<dyn Clock>,
    /// The comparison of that clock with the database's, which tokens expire by while that clock is wrong.
    pub clock_check: Arc<ClockCheck>,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// Derives the successors of refresh tokens.
    pub successors: Successors,
    /// The sessions that have ended while access tokens of them are still valid.
    pub revoked: Arc<RevocationList>,
    /// The sessions that are in the store.
    pub known: KnownSessions,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Counts what lets somebody in or sends mail.
    pub guesses: GuessLimits,
    /// Recognizes devices from which an account was signed in to before.
    pub devices: DeviceTokens,
    /// The time for which a proof of the password is fresh.
    pub reauthenticate_after: Duration,
}

/// The credentials with which somebody signs in.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// A name or an address.
    pub login: &'a str,
    /// The password.
    pub password: SecretString,
    /// A device token from an earlier sign-in; one that is not valid for the account counts as none.
    pub device_token: Option<&'a str>,
    /// The name of the client, in its own words.
    pub device: Option<&'a str>,
    /// The client that sent the request.
    pub client: Client,
}

/// The tokens of a session.
#[derive(Debug)]
pub struct Grant {
    /// Authorizes requests for some minutes.
    pub access: AccessToken,
    /// Is exchanged for the next grant, once.
    pub refresh: RefreshToken,
    /// Makes this device a known one at the next sign-in; only from a sign-in.
    pub device_token: Option<String>,
}

/// A sign-in, refresh or token that is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The access token is malformed, forged or expired, or its session has ended. Clients do not learn which.
    #[error("the access token is not valid")]
    InvalidToken,
    /// There is no such account, the password is wrong, or the account is locked. Clients do not learn which.
    #[error("name or password is wrong")]
    WrongCredentials,
    /// The refresh token is not valid. Clients do not learn why.
    #[error("the session is over")]
    SessionOver,
    /// There were too many guesses, or requests for mail.
    #[error("too many requests")]
    Limited(Exceeded),
    /// Nobody can tell for now which sessions have ended.
    #[error(transparent)]
    Unavailable(#[from] SessionsUnavailable),
    /// The password cannot be verified.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store or a use case has failed.
    #[error(transparent)]
    UseCase(#[from] Error),
    /// A bug, or the operating system has no random numbers.
    #[error("signing in has failed")]
    Internal(#[source] Source),
}

impl Authenticator {
    /// Verifies an access token in memory alone: its signature, its time, and whether its session has ended.
    ///
    /// # Errors
    ///
    /// [`AuthError::InvalidToken`], and [`AuthError::Unavailable`] for a while.
    pub fn verify(&self, token: &str) -> Result<SessionClaims, AuthError> {
        let claims = self.tokens.verify(token, self.clock_check.now()).ok_or(AuthError::InvalidToken)?;
        match self.revoked.is_open(&claims)? {
            true => Ok(claims),
            false => Err(AuthError::InvalidToken),
        }
    }

    /// Verifies an access token, and that its session is in the store. Reads nothing for a session that this node knows.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); [`AuthError::UseCase`] when the store fails.
    pub async fn admit(&self, token: &str) -> Result<SessionClaims, AuthError> {
        let claims = self.verify(token)?;
        match self.known.has(&claims, self.clock_check.now()).await? {
            true => Ok(claims),
            false => Err(AuthError::InvalidToken),
        }
    }

    /// Exchanges a name or an address and its password for a session.
    ///
    /// An unknown name, a wrong password and a locked account take the same work and get the same answer.
    ///
    /// # Errors
    ///
    /// [`AuthError::WrongCredentials`] and [`AuthError::Limited`]; [`AuthError::Password`] and [`AuthError::UseCase`] may
    /// pass.
    pub async fn sign_in(&self, attempt: SignIn<'_>) -> Result<Grant, AuthError> {
        self.app.ensure_clock()?;
        let login = Login::parse(attempt.login);
        let (user, stored) = known(self.accounts.account(&login).await?);
        let account = user.as_ref().map(|user| user.id);
        let shown = account.zip(attempt.device_token);
        let device = shown.and_then(|(user, token)| self.devices.verify(token, user, self.clock.now()));
        let address = attempt.client.address;
        let taken = self.guesses.sign_in(address, &login, account, device.as_ref()).await?;
        let requester = match (account, device) {
            (Some(user), Some(_)) => Requester::Account(user),
            _ => Requester::at(address),
        };
        let right = match self.passwords.verify(attempt.password, stored.clone(), requester).await {
            Ok(right) => right,
            // Nothing was hashed.
            Err(error) => {
                self.guesses.give_back(taken).await?;
                return Err(error.into());
            }
        };
        let user = user.filter(|user| right && user.is_active).ok_or(AuthError::WrongCredentials)?;
        self.guesses.give_back(taken).await?;
        let secret = Secret::random().map_err(AuthError::Internal)?;
        let session = match self.app.sessions().open(user.id, secret.hash(), attempt.device).await {
            Err(Error::NotFound(_)) => return Err(AuthError::WrongCredentials),
            result => result?,
        };
        // Verifying takes a while. Whoever changed the password or locked the account meanwhile ended the sessions of
        // that time, and this one came after; from here on it ends like any other.
        let (after, kept) = known(self.accounts.account(&login).await?);
        if kept != stored || !after.is_some_and(|after| after.id == user.id && after.is_active) {
            match self.app.sessions().end(Actor::User(user.id), session.id).await {
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
            return Err(AuthError::WrongCredentials);
        }
        let token = self.devices.issue(user.id, self.clock.now()).map_err(AuthError::Internal)?;
        Ok(Grant { device_token: Some(token), ..self.grant(&session, secret)? })
    }

    /// Exchanges a refresh token for the next grant of its session.
    ///
    /// # Errors
    ///
    /// [`AuthError::SessionOver`] whenever the token is not valid.
    pub async fn refresh(&self, shown: &str) -> Result<Grant, AuthError> {
        self.app.ensure_clock()?;
        let shown = RefreshToken::parse(shown).ok_or(AuthError::SessionOver)?;
        let secrets = self.successors.of(&shown);
        let hashes: Vec<_> = secrets.iter().map(Secret::hash).collect();
        match self.app.sessions().refresh(shown.session, &shown.hash(), &hashes).await {
            Ok(session) => {
                let secret = secrets.into_iter().zip(hashes).find(|(_, hash)| *hash == session.token);
                let (secret, _) = secret
                    .ok_or_else(|| AuthError::Internal("a refreshed session has none of the successors".into()))?;
                self.grant(&session, secret)
            }
            Err(Error::NotFound(_)) => Err(AuthError::SessionOver),
            Err(error) => Err(error.into()),
        }
    }

    fn grant(&self, session: &Session, secret: Secret) -> Result<Grant, AuthError> {
        Ok(Grant { access: self.access(session)?, refresh: secret.of(session.id), device_token: None })
    }

    /// Issues an access token of a session.
    pub(super) fn access(&self, session: &Session) -> Result<AccessToken, AuthError> {
        let now = self.clock.now();
        let access = self.tokens.issue(session.user_id, session.id, now);
        let access = access.map_err(|error| AuthError::Internal(error.into()))?;
        self.known.issued(session.id, session.user_id, now + access.lifetime, now);
        Ok(access)
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::UseCase(error.into())
    }
}

fn known(account: Option<Account>) -> (Option<User>, Option<PasswordHash>) {
    account.map_or((None, None), |account| (Some(account.user), account.password))
}
