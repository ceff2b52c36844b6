use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Login, PasswordHash, Session, SessionId, Timestamp, Token, TokenId, User, UserId};

/// A person and how they show who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// The hash of their password; `None`: they cannot sign in with one.
    pub password: Option<PasswordHash>,
}

/// Reads of credentials. Only a host that signs people in itself needs it; everything is written by
/// [`Changes`](crate::Changes).
///
/// # Contract
///
/// Reads see every commit that returned before they began, so that a changed password or a locked account counts at
/// once.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The account somebody wants to sign in to.
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError>;

    /// The password of a person who is known already.
    async fn password(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// A token, also one that was used or is too old.
    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// A session, also one that is over.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of a person that are [open](Session::is_open), the one used last first.
    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// The sessions that were ended at `since` or later, in any order: what a node must no longer let in.
    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError>;
}
