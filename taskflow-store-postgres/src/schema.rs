//! The migrations: run, listed and shown.

use std::collections::BTreeSet;
use std::fmt::Write;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::{ConnectOptions, Connection, PgPool};
use taskflow_core::StoreError;

use crate::error::{PgStoreError, migrate_error, store_error};
use crate::store::PgStore;

/// Ours alone: a host may keep its own beside it.
const MIGRATIONS_TABLE: &str = "taskflow.migrations";
const SCHEMA: &str = "taskflow";

/// As the server numbers itself.
const OLDEST: u32 = 150_000;

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

/// The SQL of all migrations in their order: everything this store needs in a database, for `psql -f`.
///
/// It can be run again, makes exactly what [`PgStore::migrate`] makes, and leaves it nothing to do.
#[must_use]
pub fn schema() -> String {
    let mut sql =
        format!("BEGIN;\n\nSET LOCAL client_min_messages = warning;\n\nCREATE SCHEMA IF NOT EXISTS {SCHEMA};\n");
    sql.push_str(MIGRATIONS);
    for migration in migrator().iter() {
        let (version, description) = (migration.version, &migration.description);
        let text = migration.sql.as_str().trim_end();
        let checksum = migration.checksum.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        sql.push_str(&format!(
            "\n-- Migration {version:04}: {description}\n\n{text}\n\n\
             INSERT INTO {MIGRATIONS_TABLE} (version, description, success, checksum, execution_time)\n\
             VALUES ({version}, '{description}', true, '\\x{checksum}', -1)\n\
             ON CONFLICT (version) DO NOTHING;\n"
        ));
    }
    sql.push_str("\nCOMMIT;\n");
    sql
}

/// As the migrator makes it.
const MIGRATIONS: &str = "
CREATE TABLE IF NOT EXISTS taskflow.migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);
";

/// Runs what is pending. The connection is of its own and is closed whatever happens, which also gives up the lock that
/// keeps others from migrating at the same time.
pub(crate) async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    let target = pool.connect_options();
    // Building an index takes as long as it takes, and so does waiting for another process that migrates.
    let target = target.as_ref().clone().options([
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("client_min_messages", "warning"),
    ]);
    let connecting = tokio::time::timeout(pool.options().get_acquire_timeout(), target.connect());
    let mut conn = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(store_error)?;
    let result = match conn.server_version_num() {
        Some(version) if version < OLDEST => Err(PgStoreError::TooOld(version / 10_000).into()),
        _ => migrator().run_direct(None, &mut conn, false).await.map_err(migrate_error),
    };
    if let Err(error) = conn.close().await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the migrator's connection did not close in good order"
        );
    }
    result
}

/// Lists all migrations; nothing is written.
pub(crate) async fn status(store: &PgStore) -> Result<Vec<MigrationStatus>, StoreError> {
    let exists: bool =
        store.read(|conn| Box::pin(sqlx::query_scalar(HAS_MIGRATIONS).bind(MIGRATIONS_TABLE).fetch_one(conn))).await?;
    let mut applied = BTreeSet::new();
    if exists {
        let listed =
            store.read(|conn| Box::pin(async { Ok(conn.list_applied_migrations(MIGRATIONS_TABLE).await) })).await?;
        applied.extend(listed.map_err(migrate_error)?.into_iter().map(|row| row.version));
    }
    let known = migrator();
    let status = known.iter().map(|migration| MigrationStatus {
        version: migration.version,
        description: migration.description.to_string(),
        applied: applied.contains(&migration.version),
    });
    Ok(status.collect())
}

const HAS_MIGRATIONS: &str = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.create_schema(SCHEMA);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    // A newer release may have migrated already: its migrations work with this one as well.
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_schema_is_ours_and_can_be_made_again() {
        let schema = schema();
        for line in schema.lines().filter(|line| line.starts_with("CREATE ")) {
            assert!(line.contains(" taskflow") || line.contains("INDEX IF NOT EXISTS idx_"), "{line}");
            assert!(line.contains("IF NOT EXISTS") || line.contains("OR REPLACE"), "{line}");
        }
        assert!(schema.lines().filter(|line| line.contains("INDEX")).count() > 10);
    }
}
