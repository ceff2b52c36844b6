use async_trait::async_trait;

use super::Lookup;
use crate::error::StoreError;
use crate::{EmailAddress, User, UserId};

/// Reads people with an account. A [deleted](User::deleted_at) account is absent. See the contract of
/// [`Store`](super::Store).
#[async_trait]
pub trait Users: Send + Sync {
    /// A person.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Several people at once; unknown ids are left out.
    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError>;

    /// Up to `size` people after `after` by id, all of them from the beginning when it is `None`.
    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError>;

    /// People by their addresses, in any case: only those who have shown that the address is theirs.
    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError>;

    /// Returns up to `limit` deleted accounts after `after` by id that have rows left.
    async fn deleted_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError>;
}
