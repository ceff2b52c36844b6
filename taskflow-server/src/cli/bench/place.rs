//! Location of a run's data: a temporary file, or an empty database that was created for it.

use std::sync::Arc;

use tempfile::TempDir;

use crate::cli::failure::Failure;
use crate::config::{Config, Database};
use crate::wiring::{self, Opened};

/// The location of a run's data.
pub(super) enum Place {
    /// In a folder that goes with this value.
    Temporary(TempDir),
    /// In PostgreSQL, at this URL; what was made stays.
    Postgres(String),
}

impl Place {
    /// The database of that URL, or a folder of its own (`TMPDIR` says where).
    pub(super) fn new(database: Option<&str>) -> Result<Self, Failure> {
        match database {
            Some(url) => Ok(Self::Postgres(url.to_owned())),
            None => TempDir::with_prefix("taskflow-bench-").map(Self::Temporary).map_err(|error| {
                Failure::of("cannot make a temporary folder", &error).advise("let TMPDIR name a folder with room")
            }),
        }
    }

    /// As `DATABASE_URL` has it.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Temporary(folder) => format!("sqlite://{}", folder.path().join("taskflow.db").display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Opens it, provided that it is empty.
    pub(super) async fn open(&self, config: &Arc<Config>) -> Result<Opened, Failure> {
        if let Self::Temporary(_) = self {
            return Ok(wiring::open_and_migrate(config).await?);
        }
        let Database::Postgres(place) = &config.database else {
            return Err(Failure::new("--database names no PostgreSQL")
                .advise("write postgres://user:password@host/database, or leave it out for a temporary SQLite file"));
        };
        let refuse = |why: &str| {
            Err(Failure::new(format!("{place} {why}, and a bench must not touch what is there"))
                .advise("make an empty database for it: createdb taskflow_bench"))
        };
        // Before anything is migrated: a database of an older version may be somebody's.
        let migrations = wiring::migrations(config).await?.unwrap_or_default();
        let applied = migrations.iter().filter(|migration| migration.applied).count();
        if applied > 0 && applied < migrations.len() {
            return refuse("has the tables of another version of taskflow");
        }
        let opened = wiring::open_and_migrate(config).await?;
        match is_empty(&opened).await {
            Ok(true) => Ok(opened),
            Ok(false) => {
                opened.close().await;
                refuse("is not empty")
            }
            Err(failure) => {
                opened.close().await;
                Err(failure)
            }
        }
    }

    /// Removes what is temporary.
    pub(super) fn remove(self) -> Result<(), Failure> {
        match self {
            Self::Temporary(folder) => {
                let path = folder.path().display().to_string();
                folder.close().map_err(|error| Failure::of(&format!("cannot remove {path}"), &error))
            }
            Self::Postgres(_) => Ok(()),
        }
    }
}

/// Nobody has an account, and no mail was ever planned.
async fn is_empty(opened: &Opened) -> Result<bool, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::of("cannot look into the database", error);
    let people = opened.store().users_after(None, 1).await.map_err(|error| failed(&error))?;
    Ok(people.is_empty() && opened.app.deliveries().ledger().await.map_err(|error| failed(&error))?.planned == 0)
}
