//! The migrations: run, listed and shown.

use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection, SqliteConnection};
use taskflow_core::StoreError;

use crate::error::{SqliteStoreError, migrate_error, store_error};

/// Ours alone: a host may keep its own beside it.
const MIGRATIONS_TABLE: &str = "taskflow_migrations";
const INFO_TABLE: &str = "taskflow_schema_info";

/// A migration and whether this database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Grows from one to the next.
    pub version: i64,
    /// Description of the migration.
    pub description: String,
    /// Whether the migration was applied.
    pub applied: bool,
    /// Whether this build knows the migration; an unknown one was made by a newer release.
    pub known: bool,
}

/// The SQL of all migrations in their order: everything this store needs in a database.
#[must_use]
pub fn schema() -> String {
    let mut sql = String::new();
    for migration in migrator().iter() {
        sql.push_str(&format!("-- Migration {:04}: {}\n\n", migration.version, migration.description));
        sql.push_str(migration.sql.as_str().trim_end());
        sql.push_str("\n\n");
    }
    sql
}

/// The version of the SQLite library that is linked, for example `3.50.4`.
pub async fn sqlite_version() -> Result<String, StoreError> {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.map_err(store_error)?;
    sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut conn).await.map_err(store_error)
}

/// Runs what is pending. The caller has begun a transaction that excludes other writers, so that two processes that
/// start at the same time do not migrate twice.
pub(crate) async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let applied = Applied::read(conn).await?;
    applied.admits_this_build()?;
    if applied.pending() == 0 {
        return Ok(());
    }
    migrator().run_direct(None, conn, false).await.map_err(migrate_error)
}

/// Fails when migrations are pending, or when the database asks for a newer release.
pub(crate) async fn ensure_current(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let applied = Applied::read(conn).await?;
    applied.admits_this_build()?;
    match applied.pending() {
        0 => Ok(()),
        pending => Err(SqliteStoreError::Pending(pending).into()),
    }
}

/// Fails when the database asks for a newer release.
pub(crate) async fn admits_this_build(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    Applied::read(conn).await?.admits_this_build()
}

/// Lists all migrations, also those of newer releases; nothing is written.
pub(crate) async fn status(conn: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, StoreError> {
    Ok(Applied::read(conn).await?.status())
}

/// The state of the schema that a database records.
struct Applied {
    /// Version, description and checksum of each migration that was run.
    migrations: Vec<(i64, String, Vec<u8>)>,
    /// The newest migration that a program must know to use the database; breaking migrations set it.
    min_version: Option<i64>,
}

impl Applied {
    async fn read(conn: &mut SqliteConnection) -> Result<Self, StoreError> {
        let mut applied = Self { migrations: Vec::new(), min_version: None };
        if has_table(conn, MIGRATIONS_TABLE).await? {
            applied.migrations = sqlx::query_as(APPLIED).fetch_all(&mut *conn).await.map_err(store_error)?;
        }
        if has_table(conn, INFO_TABLE).await? {
            applied.min_version = sqlx::query_scalar(MIN_VERSION).fetch_optional(conn).await.map_err(store_error)?;
        }
        Ok(applied)
    }

    fn admits_this_build(&self) -> Result<(), StoreError> {
        let knows = migrator().iter().map(|migration| migration.version).max().unwrap_or_default();
        match self.min_version {
            Some(needs) if needs > knows => Err(SqliteStoreError::TooNew { needs, knows }.into()),
            _ => Ok(()),
        }
    }

    /// Returns the number of migrations of this build that were not applied, or were applied with other statements.
    fn pending(&self) -> usize {
        let migrator = migrator();
        let is_applied = |known: &&Migration| {
            self.migrations.iter().any(|(version, _, checksum)| {
                *version == known.version && checksum.as_slice() == known.checksum.as_ref()
            })
        };
        migrator.iter().filter(|migration| !is_applied(migration)).count()
    }

    fn status(&self) -> Vec<MigrationStatus> {
        let known = migrator();
        let mut status: Vec<_> = known
            .iter()
            .map(|migration| MigrationStatus {
                version: migration.version,
                description: migration.description.to_string(),
                applied: self.migrations.iter().any(|(version, ..)| *version == migration.version),
                known: true,
            })
            .collect();
        let newer = self.migrations.iter().filter(|(version, ..)| !known.version_exists(*version));
        status.extend(newer.map(|(version, description, _)| MigrationStatus {
            version: *version,
            description: description.clone(),
            applied: true,
            known: false,
        }));
        status.sort_by_key(|migration| migration.version);
        status
    }
}

/// Returns whether the database is one of TaskFlow's.
pub(crate) async fn is_there(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    has_table(conn, MIGRATIONS_TABLE).await
}

async fn has_table(conn: &mut SqliteConnection, table: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar(HAS_TABLE).bind(table).fetch_one(conn).await.map_err(store_error)
}

const APPLIED: &str = "SELECT version, description, checksum FROM taskflow_migrations WHERE success ORDER BY version";

const MIN_VERSION: &str = "SELECT value FROM taskflow_schema_info WHERE name = 'min_version'";

const HAS_TABLE: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    // A newer release may have migrated already: its migrations work with this one as well.
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_schema_has_our_prefix() {
        for line in schema().lines().filter(|line| line.starts_with("CREATE ")) {
            let name = line.split_whitespace().find(|word| word.starts_with("taskflow_"));
            assert!(name.is_some(), "{line}");
        }
    }
}
