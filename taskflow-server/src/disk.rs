//! What monitoring sees of this machine: free space on the disk of the database, when that is a file, and how many requests
//! limits refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use taskflow_core::ports::{Clock, DiskSpace, Probe};

use crate::limits::RefusedRequests;

/// The probe of this machine.
pub(crate) struct Machine {
    /// A path on the disk of the database.
    pub(crate) data: Option<PathBuf>,
    pub(crate) refused: Arc<RefusedRequests>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Probe for Machine {
    async fn disk(&self) -> Option<DiskSpace> {
        // An unreachable network disk keeps a thread waiting, not the service.
        let path = self.data.clone()?;
        let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&path).ok());
        let disk = tokio::time::timeout(std::time::Duration::from_secs(5), asked).await.ok()?.ok()??;
        Some(DiskSpace { free: disk.f_bavail * disk.f_frsize, total: disk.f_blocks * disk.f_frsize })
    }

    fn refused_requests(&self) -> BTreeMap<String, u64> {
        self.refused.within_the_hour(self.clock.monotonic())
    }
}
