//! The schema: by `psql -f` or by migrating, as often as anybody likes.

use std::io::Write;
use std::process::{Command, Stdio};

use sqlx::{Executor, PgConnection};
use taskflow_store_postgres::{PgOptions, PgStore, schema};

use taskflow_testkit::cluster::Database;

/// Applies the printed schema as people do.
fn psql(database: &Database) {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", &database.url, "--file=-"]);
    let mut child = psql.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql");
    child.stdin.take().expect("a pipe").write_all(schema().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("psql ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

/// Everything the catalogs know about our schema.
async fn catalog(conn: &mut PgConnection) -> Vec<String> {
    conn.execute("SET timezone = 'UTC'").await.expect("a zone");
    sqlx::query_scalar(
        "SELECT concat_ws(' ', 'column', table_name, ordinal_position, column_name, data_type, collation_name, is_nullable,
            column_default) FROM information_schema.columns WHERE table_schema = 'taskflow'
        UNION ALL
        SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'taskflow'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'taskflow'
        UNION ALL
        SELECT concat_ws(' ', 'relation', relname, relkind, reloptions)
            FROM pg_class WHERE relnamespace = 'taskflow'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid)) FROM pg_trigger AS t
            JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = 'taskflow'::regnamespace AND NOT tgisinternal
        UNION ALL
        SELECT concat_ws(' ', 'function', pg_get_functiondef(oid)) FROM pg_proc
            WHERE pronamespace = 'taskflow'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'taskflow'
        UNION ALL
        SELECT concat_ws(' ', 'migration', version, description, success, checksum) FROM taskflow.migrations
        ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .expect("a catalog")
}

#[tokio::test]
async fn the_printed_schema_can_be_run_twice_and_equals_what_migrating_makes() {
    let (migrated, printed) = (Database::empty().await, Database::empty().await);
    let store = PgStore::connect(&migrated.url, PgOptions::default()).await.expect("a store");
    psql(&printed);
    let once = catalog(&mut printed.connection().await).await;
    psql(&printed);
    let twice = catalog(&mut printed.connection().await).await;
    let by_migration = catalog(&mut migrated.connection().await).await;
    assert!(once.len() > 100, "{once:#?}");
    assert_eq!(once, twice);
    for (printed, migrated) in once.iter().zip(&by_migration) {
        assert_eq!(printed, migrated);
    }
    assert_eq!(once.len(), by_migration.len());

    // Either way nothing is left to do, and the other way may follow.
    let after_psql = PgStore::connect(&printed.url, PgOptions::default()).await.expect("nothing to migrate");
    assert!(after_psql.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
    psql(&migrated);
    store.migrate().await.expect("nothing to do");
    assert_eq!(catalog(&mut migrated.connection().await).await, by_migration);
}

#[tokio::test]
async fn a_database_taken_as_it_is_tells_what_is_pending() {
    let database = Database::empty().await;
    let bare = PgStore::connect(&database.url, PgOptions::default().without_migrating()).await.expect("a database");
    let pending = bare.migrations_status().await.expect("a list");
    assert!(!pending.is_empty() && pending.iter().all(|migration| !migration.applied), "{pending:?}");
    assert_eq!((pending[0].version, pending[0].description.as_str()), (1, "foundation"));
    bare.migrate().await.expect("migrated");
    assert!(bare.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
}

#[tokio::test]
async fn a_database_that_a_newer_release_migrated_still_opens() {
    let database = Database::empty().await;
    PgStore::connect(&database.url, PgOptions::default()).await.expect("a store");
    let newer = "INSERT INTO taskflow.migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', true, '\\x00', 0)";
    database.connection().await.execute(newer).await.expect("a migration of tomorrow");
    PgStore::connect(&database.url, PgOptions::default()).await.expect("a store");
}

#[tokio::test]
async fn nothing_outside_our_schema_is_touched() {
    let database = Database::empty().await;
    PgStore::connect(&database.url, PgOptions::default()).await.expect("a store");
    let elsewhere: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('taskflow', 'pg_catalog', 'information_schema', 'pg_toast')",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .expect("a count");
    assert_eq!(elsewhere, 0);
}
