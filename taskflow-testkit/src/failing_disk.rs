//! A disk that is full or fails on demand, below a real database: a few calls of the C library are interposed in its
//! process. Needs Linux and the C compiler that Rust links with.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The result of writes.
#[derive(Debug, Clone, Copy)]
pub enum Disk {
    /// There is no room (ENOSPC).
    Full,
    /// The device fails (EIO).
    Broken,
}

/// The interposed library, and the switch that makes it fail.
pub struct FailingDisk {
    folder: TempDir,
    path: String,
}

impl FailingDisk {
    /// For files whose path contains `path`. Works until it is told to fail.
    pub fn below(path: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        // Another user may run the database.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).expect("a folder that all can read");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/failing_disk.c");
        let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("failing_disk.so")).arg(source);
        let done = compiler.arg("-ldl").output().expect("a C compiler");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Self { folder, path: path.to_owned() }
    }

    /// Returns the environment variables that the process needs.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let library = self.folder.path().join("failing_disk.so");
        [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAILING_DISK_SWITCH", self.switch().display().to_string()),
            ("FAILING_DISK_PATH", self.path.clone()),
        ]
    }

    /// From now on.
    pub fn becomes(&self, disk: Disk) {
        let number = match disk {
            Disk::Full => "28",
            Disk::Broken => "5",
        };
        std::fs::write(self.switch(), number).expect("a switch");
    }

    /// It works again.
    pub fn recovers(&self) {
        std::fs::remove_file(self.switch()).expect("a switch");
    }

    fn switch(&self) -> PathBuf {
        self.folder.path().join("switch")
    }
}
