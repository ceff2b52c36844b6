//! Another time of day for a process: its wall clock is shifted from outside, its monotonic clock is not.
//!
//! Needs libfaketime: the library in `FAKETIME_LIBRARY`, else the one of the system's packages. On Debian, as root, a
//! machine without it gets it from there; elsewhere tests that need it fail and say what to install.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use std::{fs, io};

const INSTALL_HINT: &str = "this test shifts the wall clock of a server, which needs libfaketime: install it (Debian: \
    apt-get install libfaketime, Fedora: dnf install libfaketime), or say where it is with \
    FAKETIME_LIBRARY=/path/to/libfaketime.so.1";

/// Settings for a process whose wall clock is so much ahead of everybody else's.
pub fn ahead(by: Duration) -> [(&'static str, String); 4] {
    tolerated(faked(format!("+{}", by.as_secs_f64())))
}

/// Settings for a process whose wall clock is wrong: so many seconds ahead of everybody else's, or behind.
pub fn wrong(seconds_ahead: f64) -> [(&'static str, String); 3] {
    faked(format!("{seconds_ahead:+}"))
}

/// The same for a wall clock that goes so many times as fast from the start of the process on.
pub fn faster(ahead: Duration, times: u32) -> [(&'static str, String); 4] {
    tolerated(faked(format!("+{} x{times}", ahead.as_secs_f64())))
}

/// The database keeps its time: what is tested is another day, not a clock that is wrong.
fn tolerated(faked: [(&'static str, String); 3]) -> [(&'static str, String); 4] {
    let [library, how, monotonic] = faked;
    [library, how, monotonic, ("MAX_CLOCK_SKEW", "0s".to_owned())]
}

fn faked(how: String) -> [(&'static str, String); 3] {
    static LIBRARY: LazyLock<PathBuf> = LazyLock::new(library);
    [("LD_PRELOAD", LIBRARY.display().to_string()), ("FAKETIME", how), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())]
}

/// Removes what a process that was killed has left behind in shared memory: another one that happens to get the same
/// number could not start.
pub(crate) fn forget(process: u32) {
    for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
        match fs::remove_file(Path::new("/dev/shm").join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => eprintln!("something stays in /dev/shm: {error}"),
            Ok(()) | Err(_) => {}
        }
    }
}

fn library() -> PathBuf {
    if let Ok(library) = std::env::var("FAKETIME_LIBRARY") {
        assert!(Path::new(&library).exists(), "FAKETIME_LIBRARY={library} does not exist: {INSTALL_HINT}");
        return library.into();
    }
    installed().or_else(|| install().and_then(|()| installed())).unwrap_or_else(|| panic!("{INSTALL_HINT}"))
}

/// Debian's folders are named after architectures.
fn installed() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = architectures.chain(["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from));
    folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.exists())
}

/// Installs it from the system's packages; `None` where nobody may, or nobody can.
fn install() -> Option<()> {
    eprintln!("no libfaketime was found: trying to install it (apt-get install libfaketime)");
    for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "libfaketime"]] {
        let status = Command::new("apt-get")
            .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status();
        status.ok().filter(std::process::ExitStatus::success)?;
    }
    Some(())
}
