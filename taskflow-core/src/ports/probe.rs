use std::collections::BTreeMap;

use async_trait::async_trait;

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Free space, in bytes.
    pub free: u64,
    /// Total space, in bytes.
    pub total: u64,
}

/// Checks the environment outside of the store.
///
/// # Contract
///
/// Returns within seconds and never fails: unknown values are `None`.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Returns the space of the disk that holds the data.
    async fn disk(&self) -> Option<DiskSpace>;

    /// Returns how many requests limits refused on this node within the last hour, by limit. None by default.
    fn refused_requests(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}
