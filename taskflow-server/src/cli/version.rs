//! `taskflow version` and `taskflow --version`.

use serde::Serialize;
use taskflow_core::TZDB_VERSION;

use super::failure::Failure;
use super::output::{self, Format, Report};
use crate::wiring;

#[derive(Debug, Serialize)]
struct Version {
    /// The version of taskflow.
    version: &'static str,
    /// The release of the IANA time zone database in this binary.
    tzdb: Option<&'static str>,
    /// The version of SQLite in this binary.
    sqlite: String,
    /// The operating system and processor this binary was built for.
    platform: String,
}

impl Report for Version {
    fn text(&self) -> String {
        let parts = output::fields([
            ("  time zones", self.tzdb.unwrap_or("unknown").to_owned()),
            ("  SQLite", self.sqlite.clone()),
            ("  platform", self.platform.clone()),
        ]);
        format!("taskflow {}\n{parts}", self.version)
    }
}

/// Prints the versions.
pub(super) fn run(format: Format) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start the runtime", &error))?;
    let sqlite = runtime.block_on(wiring::sqlite_version());
    format.print(&Version {
        version: env!("CARGO_PKG_VERSION"),
        tzdb: TZDB_VERSION,
        sqlite: sqlite.map_err(|error| Failure::of("cannot ask SQLite for its version", &error))?,
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    })
}
