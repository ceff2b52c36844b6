use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use crate::error::StoreError;
use crate::{EmailAddress, NoticeKind, Suppression};

/// Reads which addresses get no mail, or none of a kind. See the contract of [`Store`](super::Store).
#[async_trait]
pub trait Suppressions: Send + Sync {
    /// Returns the suppressions of these addresses, by their keys.
    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError>;

    /// Returns up to `size` suppressions after `after` by the keys of their addresses (bytes).
    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError>;

    /// Returns the kinds of mail that these addresses unsubscribed from as guests: the key of the address and the kind.
    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError>;
}
