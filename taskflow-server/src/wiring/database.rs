//! Databases of either kind: options, migrations, backup and schema.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use taskflow_core::StoreError;
use taskflow_core::ports::{Clock, SystemClock};
use taskflow_store_postgres::{PgOptions, PgStore};
pub use taskflow_store_sqlite::{BackupContents, Restored};
use taskflow_store_sqlite::{BackupFile, SqliteOptions, SqliteStore};

use super::OpenError;
use crate::config::{Config, Database};

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The number.
    pub version: i64,
    /// Description of the migration.
    pub description: String,
    /// Whether the migration was applied.
    pub applied: bool,
    /// Whether this release knows the migration; an unknown one belongs to a newer release.
    pub known: bool,
}

/// Returns the migrations and whether the database has them, without changing it; `None` if there is no database yet.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn migrations(config: &Config) -> Result<Option<Vec<Migration>>, OpenError> {
    match &config.database {
        Database::Sqlite(path) if path.exists() => {
            let options = sqlite_options(config).without_creating().without_migrating();
            let store = open_sqlite(config, path, options).await?;
            let status = store.migrations_status().await;
            store.close().await;
            let status = status.map_err(|error| refused(config, error))?;
            Ok(Some(status.into_iter().map(Migration::from).collect()))
        }
        Database::Postgres(_) => {
            let store = open_postgres(config, pg_options(config).without_migrating()).await?;
            let status = store.migrations_status().await;
            store.close().await;
            let status = status.map_err(|error| refused(config, error))?;
            Ok(Some(status.into_iter().map(Migration::from).collect()))
        }
        Database::Sqlite(_) | Database::Memory => Ok(None),
    }
}

impl From<taskflow_store_sqlite::MigrationStatus> for Migration {
    fn from(status: taskflow_store_sqlite::MigrationStatus) -> Self {
        let taskflow_store_sqlite::MigrationStatus { version, description, applied, known } = status;
        Self { version, description, applied, known }
    }
}

impl From<taskflow_store_postgres::MigrationStatus> for Migration {
    fn from(status: taskflow_store_postgres::MigrationStatus) -> Self {
        let taskflow_store_postgres::MigrationStatus { version, description, applied, known } = status;
        Self { version, description, applied, known }
    }
}

pub(super) fn refused(config: &Config, error: StoreError) -> OpenError {
    OpenError::Database(config.database.place(), error)
}

/// Writes a consistent copy of a SQLite database to `to`, whether a server runs on it or not.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn backup(config: &Config, path: &Path, to: &Path, replace: bool) -> Result<BackupContents, OpenError> {
    let options = sqlite_options(config).without_creating().without_migrating();
    let store = open_sqlite(config, path, options).await?;
    let contents = store.backup(to, replace, SystemClock::new().now()).await;
    store.close().await;
    contents.map_err(|error| OpenError::Backup("cannot write the backup", error))
}

/// Replaces a SQLite database that nobody has open by a copy of `backup`, and keeps the old one beside it.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn restore(backup: &Path, database: &Path) -> Result<Restored, OpenError> {
    let now = SystemClock::new().now();
    let stamp: String = now.to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    let failed = |error| OpenError::Backup("cannot restore", error);
    let backup = BackupFile::open(backup, now).await.map_err(failed)?;
    backup.restore(database, &format!("{stamp}Z")).await.map_err(failed)
}

/// Returns the version of SQLite in this binary.
///
/// # Errors
///
/// SQLite cannot be opened.
pub async fn sqlite_version() -> Result<String, StoreError> {
    taskflow_store_sqlite::sqlite_version().await
}

/// Returns the SQL that prepares an empty database, for the configured kind of database or for PostgreSQL.
#[must_use]
pub fn schema(config: &Config, postgres: bool) -> String {
    match config.database {
        Database::Postgres(_) => taskflow_store_postgres::schema(),
        Database::Memory | Database::Sqlite(_) if postgres => taskflow_store_postgres::schema(),
        Database::Memory | Database::Sqlite(_) => taskflow_store_sqlite::schema(),
    }
}

pub(super) fn sqlite_options(config: &Config) -> SqliteOptions {
    let options = SqliteOptions::default().acquire_timeout(config.db_acquire_timeout);
    options.readers(config.request_connections())
}

pub(super) async fn open_sqlite(
    config: &Config,
    path: &std::path::Path,
    options: SqliteOptions,
) -> Result<SqliteStore, OpenError> {
    let opened = SqliteStore::open(config.database_url.expose_secret(), options).await;
    opened.map_err(|error| OpenError::Database(path.display().to_string(), error))
}

/// Options for the connections that requests share: all but the reserved one ([`reserved_options`]), and the two of
/// `PgPulse`.
pub(super) fn pg_options(config: &Config) -> PgOptions {
    PgOptions::default().acquire_timeout(config.db_acquire_timeout).connections(config.request_connections())
}

/// Options for one reserved connection: what every request depends on must not wait behind requests. A connection that
/// hangs is given up early enough for another to replace it before tokens are refused.
pub(super) fn reserved_options(config: &Config) -> PgOptions {
    let patience = Duration::from_secs(2);
    pg_options(config).connections(1).acquire_timeout(patience).answer_timeout(patience).without_migrating()
}

pub(super) async fn open_postgres(config: &Config, options: PgOptions) -> Result<PgStore, OpenError> {
    let opened = PgStore::connect(config.database_url.expose_secret(), options).await;
    opened.map_err(|error| OpenError::Database(config.database.place(), error))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_settings_and_the_store_know_the_same_parameters_of_a_url() {
        assert_eq!(crate::config::POSTGRES_PARAMETERS, taskflow_store_postgres::URL_PARAMETERS);
    }
}
