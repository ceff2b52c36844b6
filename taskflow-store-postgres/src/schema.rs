//! The migrations: run, listed and shown.

use std::fmt::Write;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use taskflow_core::StoreError;

use crate::deliveries::mark_gathered;
use crate::error::{PgStoreError, migrate_error, store_error};
use crate::refold::refold;
use crate::store::PgStore;

/// Ours alone: a host may keep its own beside it.
const MIGRATIONS_TABLE: &str = "taskflow.migrations";
const INFO_TABLE: &str = "taskflow.schema_info";
const SCHEMA: &str = "taskflow";

/// As the server numbers itself.
const OLDEST: u32 = 150_000;

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
        _ => match migrate_over(&mut conn).await {
            Ok(()) => follow_up(&mut conn).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = conn.close().await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the migrator's connection did not close in good order"
        );
    }
    result
}

/// Brings what earlier releases wrote up to date.
async fn follow_up(conn: &mut PgConnection) -> Result<(), StoreError> {
    refold(conn).await?;
    mark_gathered(conn).await
}

/// Refuses a database that cannot store every text. `SQL_ASCII` can, but does not check what others write.
pub(crate) async fn check_encoding(store: &PgStore) -> Result<(), StoreError> {
    let (encoding, database): (String, String) =
        store.read(|conn| Box::pin(sqlx::query_as(ENCODING).fetch_one(conn))).await?;
    if encoding == "UTF8" { Ok(()) } else { Err(PgStoreError::Encoding { database, encoding }.into()) }
}

const ENCODING: &str = "SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_database()::text";

/// A role that may not create anything serves all the same when there is nothing to create.
async fn migrate_over(conn: &mut PgConnection) -> Result<(), StoreError> {
    let applied = Applied::read(conn).await.map_err(store_error)?;
    applied.admits_this_build()?;
    if applied.pending() == 0 {
        return Ok(());
    }
    migrator().run_direct(None, conn, false).await.map_err(migrate_error)
}

/// Fails when migrations are pending, or when the database asks for a newer release.
pub(crate) async fn ensure_current(store: &PgStore) -> Result<(), StoreError> {
    let applied = store.read(|conn| Box::pin(Applied::read(conn))).await?;
    applied.admits_this_build()?;
    match applied.pending() {
        0 => Ok(()),
        pending => Err(PgStoreError::Pending(pending).into()),
    }
}

/// Lists all migrations, also those of newer releases; nothing is written.
pub(crate) async fn status(store: &PgStore) -> Result<Vec<MigrationStatus>, StoreError> {
    Ok(store.read(|conn| Box::pin(Applied::read(conn))).await?.status())
}

/// The state of the schema that a database records.
struct Applied {
    /// Version, description and checksum of each migration that was run.
    migrations: Vec<(i64, String, Vec<u8>)>,
    /// The newest migration that a program must know to use the database; breaking migrations set it.
    min_version: Option<i64>,
}

impl Applied {
    async fn read(conn: &mut PgConnection) -> sqlx::Result<Self> {
        let (migrations, info): (bool, bool) =
            sqlx::query_as(EXISTING).bind(MIGRATIONS_TABLE).bind(INFO_TABLE).fetch_one(&mut *conn).await?;
        Ok(Self {
            migrations: if migrations { sqlx::query_as(APPLIED).fetch_all(&mut *conn).await? } else { Vec::new() },
            min_version: if info { sqlx::query_scalar(MIN_VERSION).fetch_optional(conn).await? } else { None },
        })
    }

    fn admits_this_build(&self) -> Result<(), StoreError> {
        let knows = migrator().iter().map(|migration| migration.version).max().unwrap_or_default();
        match self.min_version {
            Some(needs) if needs > knows => Err(PgStoreError::TooNew { needs, knows }.into()),
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

const EXISTING: &str = "SELECT pg_catalog.to_regclass($1) IS NOT NULL, pg_catalog.to_regclass($2) IS NOT NULL";

const APPLIED: &str = "SELECT version, description, checksum FROM taskflow.migrations WHERE success ORDER BY version";

const MIN_VERSION: &str = "SELECT value FROM taskflow.schema_info WHERE name = 'min_version'";

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
