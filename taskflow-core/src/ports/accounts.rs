use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Login, PasswordHash, Session, SessionId, Timestamp, Token, TokenId, User, UserId};

/// A user and their credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The hash of their password; `None`: they cannot sign in with one.
    pub password: Option<PasswordHash>,
}

/// Reads credentials. Only a host that authenticates users itself needs it; everything is written by
/// [`Changes`](crate::Changes).
///
/// # Contract
///
/// Reads see every commit that returned before they began, so that a changed password or a locked account counts at
/// once.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Returns the account with this login.
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError>;

    /// Returns the password hash of a user.
    async fn password(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// Returns a token, even if it was used or has expired.
    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Returns a session, even if it has ended.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Returns the sessions of a user that are [open](Session::is_open), the last used first.
    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Returns the sessions that were ended at `since` or later, in any order. A node must reject them.
    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError>;
}
