//! Free space on the disk of the database, when that is a file of this machine.

use std::path::PathBuf;

use async_trait::async_trait;
use taskflow_core::ports::{DiskSpace, Probe};

/// The disk that holds a path.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn of(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

#[async_trait]
impl Probe for Disk {
    async fn disk(&self) -> Option<DiskSpace> {
        // An unreachable network disk keeps a thread waiting, not the service.
        let path = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&path).ok());
        let disk = tokio::time::timeout(std::time::Duration::from_secs(5), asked).await.ok()?.ok()??;
        Some(DiskSpace { free: disk.f_bavail * disk.f_frsize, total: disk.f_blocks * disk.f_frsize })
    }
}
