use async_trait::async_trait;

use crate::error::StoreError;
use crate::{Login, PasswordHash, Session, SessionId, Timestamp, User, UserId};

/// A person and how they show who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// The hash of their password; `None`: they cannot sign in with one.
    pub password: Option<PasswordHash>,
}

/// What decides whether a signed-in person may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the account is open.
    pub is_active: bool,
    /// Whether they may run the service.
    pub is_admin: bool,
    /// When the password was last set: sign-ins before that no longer count.
    pub password_changed_at: Option<Timestamp>,
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

    /// How a person stands now; `None`: there is no such account any more.
    async fn standing(&self, user: UserId) -> Result<Option<Standing>, StoreError>;

    /// A session, also one that is over.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of a person that are [open](Session::is_open), the one used last first.
    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// The sessions that were ended at `since` or later, in any order: what a node must no longer let in.
    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError>;
}
