use async_trait::async_trait;

use super::Lookup;
use crate::error::StoreError;
use crate::{EmailAddress, User, UserId};

/// Reads users. A [deleted](User::deleted_at) account is absent. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Users: Send + Sync {
    /// Returns a user.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Returns several users at once; unknown ids are left out.
    async fn users(&self, ids: &[UserId]) -> Result<Lookup<UserId, User>, StoreError>;

    /// Returns up to `size` users after `after` by id, from the beginning if it is `None`.
    async fn users_after(&self, after: Option<UserId>, size: u32) -> Result<Vec<User>, StoreError>;

    /// Returns users by their addresses, in any case: only those who have verified the address.
    async fn users_by_email(&self, addresses: &[EmailAddress]) -> Result<Vec<User>, StoreError>;

    /// Returns up to `limit` deleted accounts after `after` by id that have rows left.
    async fn deleted_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError>;
}
