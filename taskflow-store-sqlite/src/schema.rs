//! The migrations: run, listed and shown.

use std::collections::BTreeSet;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::{Connection, SqliteConnection};
use taskflow_core::StoreError;

use crate::error::{migrate_error, store_error};

/// Ours alone: a host may keep its own beside it.
const MIGRATIONS_TABLE: &str = "taskflow_migrations";

/// A migration and whether this database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Grows from one to the next.
    pub version: i64,
    /// What it brings.
    pub description: String,
    /// Whether it was run.
    pub applied: bool,
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
    migrator().run_direct(None, conn, false).await.map_err(migrate_error)
}

/// Lists all migrations; nothing is written.
pub(crate) async fn status(conn: &mut SqliteConnection) -> Result<Vec<MigrationStatus>, StoreError> {
    let exists: bool =
        sqlx::query_scalar(HAS_MIGRATIONS).bind(MIGRATIONS_TABLE).fetch_one(&mut *conn).await.map_err(store_error)?;
    let mut applied = BTreeSet::new();
    if exists {
        let rows = conn.list_applied_migrations(MIGRATIONS_TABLE).await.map_err(migrate_error)?;
        applied.extend(rows.into_iter().map(|row| row.version));
    }
    let known = migrator();
    let status = known.iter().map(|migration| MigrationStatus {
        version: migration.version,
        description: migration.description.to_string(),
        applied: applied.contains(&migration.version),
    });
    Ok(status.collect())
}

const HAS_MIGRATIONS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";

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
