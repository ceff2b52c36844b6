//! Errors that pass, each provoked in a real server: the call is `Unavailable`, and the store works again by itself.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use taskflow_conformance::workbench::text;
use taskflow_core::ports::{Store, Users};
use taskflow_core::{StoreError, User};
use taskflow_store_postgres::{PgOptions, PgStore};

use crate::world::World;
use taskflow_testkit::cluster::{Cluster, Database, Stop};
use taskflow_testkit::failing_disk::{Disk, FailingDisk};
use taskflow_testkit::wait::eventually_within;

/// The code of an error that passes; panics at any other.
#[track_caller]
fn passes<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let error = result.expect_err("an error that passes");
    let StoreError::Unavailable(source) = &error else { panic!("{error:?}") };
    let database = source.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error());
    let code = database.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()).map(PgDatabaseError::code);
    code.map_or_else(|| source.to_string(), str::to_owned)
}

async fn sql(conn: &mut PgConnection, statement: &str) {
    conn.execute(AssertSqlSafe(statement)).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// A cluster of its own, with a store on a database of its own in it, and an administrator's connection elsewhere.
async fn alone(cluster: &Cluster, options: PgOptions) -> (Arc<World>, User, PgConnection) {
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    sql(&mut admin, "CREATE DATABASE service").await;
    let world = Arc::new(World::at(&cluster.url("service"), options).await);
    let ada = world.somebody("ada").await;
    (world, ada, admin)
}

async fn cluster() -> Cluster {
    tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster")
}

/// Ends all sessions of the service, as a new setting of the database needs.
const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'taskflow'";

async fn works_again(world: &World, ada: &User) {
    let committed = async || world.store.commit(&world.task(ada)).await.ok();
    eventually_within(Duration::from_secs(15), "it recovers by itself", committed).await;
    world.store.ping().await.expect("writable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_reads_and_is_unavailable_for_writes_until_it_is_promoted() {
    let cluster = cluster().await;
    let (world, ada, mut admin) = alone(&cluster, PgOptions::default().connections(4)).await;
    let mut cluster = tokio::task::spawn_blocking(move || {
        let mut cluster = cluster;
        cluster.stop(Stop::Fast);
        std::fs::write(cluster.data().join("standby.signal"), "").expect("a standby");
        cluster.resume();
        cluster
    })
    .await
    .expect("a standby");
    for _ in 0..6 {
        assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "25006");
    }
    let found = passes(world.store.ping().await);
    assert!(found.contains("standby"), "{found}");
    assert!(world.store.user(ada.id).await.expect("reading goes on").is_some());
    admin.close().await.ok();
    admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    sql(&mut admin, "SELECT pg_promote()").await;
    works_again(&world, &ada).await;
    cluster.stop(Stop::Fast);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_told_only_to_read_is_not_written() {
    let cluster = cluster().await;
    let (world, ada, mut admin) = alone(&cluster, PgOptions::default().connections(4)).await;
    sql(&mut admin, "ALTER DATABASE service SET default_transaction_read_only = on").await;
    sql(&mut admin, END_SESSIONS).await;
    assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "25006");
    assert!(passes(world.store.ping().await).contains("default_transaction_read_only"));
    sql(&mut admin, "ALTER DATABASE service RESET default_transaction_read_only").await;
    // Nobody ends the sessions that were told: they are replaced, whether it is a write that finds them or a look.
    let looking = async { while world.store.ping().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(5), looking).await.expect("seen without a write");
    works_again(&world, &ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_or_broken_disk_is_unavailable_and_seen_without_writing() {
    let disk = FailingDisk::below("/base/");
    let environment = disk.environment().to_vec();
    let start = move || Cluster::start_in(&["fsync=off"], None, environment);
    let cluster = tokio::task::spawn_blocking(start).await.expect("a cluster");
    let (world, ada, _admin) = alone(&cluster, PgOptions::default().connections(4)).await;
    for (state, code) in [(Disk::Full, "53100"), (Disk::Broken, "58030")] {
        disk.becomes(state);
        // Until a table has to grow.
        let filling = async {
            loop {
                if let Err(error) = world.store.commit(&world.task(&ada)).await {
                    return error;
                }
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(30), filling).await.expect("full at last");
        assert_eq!(passes::<()>(Err(error)), code);
        assert_eq!(world.store.ping().await.is_err(), code == "53100");
        assert!(world.store.user(ada.id).await.expect("reading goes on").is_some());
        disk.recovers();
        works_again(&world, &ada).await;
    }
}

#[tokio::test]
async fn the_loser_of_a_race_in_a_hosts_transaction_may_try_again() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = PgPool::connect(world.url()).await.expect("a host");
    let guest = PgStore::from_pool(pool.clone());
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.expect("a transaction");
    transaction.execute("SELECT count(*) FROM taskflow.tasks").await.expect("a snapshot");
    world.store.commit(&world.task(&ada)).await.expect("somebody else is faster");
    assert_eq!(passes(guest.commit_in(&mut transaction, &world.task(&ada)).await), "40001");
    transaction.rollback().await.expect("a rollback");
    guest.commit(&world.task(&ada)).await.expect("the same again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_deadlock_may_try_again() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let pool = PgPool::connect(world.url()).await.expect("a host");
    let guest = PgStore::from_pool(pool.clone());
    let mut one = pool.begin().await.expect("a transaction");
    let mut two = pool.begin().await.expect("another");
    let _ = guest.commit_in(&mut one, &world.task(&ada)).await.expect("the feed of one");
    let _ = guest.commit_in(&mut two, &world.task(&bob)).await.expect("the feed of the other");
    let (to_bob, to_ada) = (world.task(&bob), world.task(&ada));
    // The other one waits until the loser's transaction is over.
    let loser = tokio::select! {
        first = guest.commit_in(&mut one, &to_bob) => first,
        second = guest.commit_in(&mut two, &to_ada) => second,
    };
    assert_eq!(passes(loser), "40P01");
}

#[tokio::test]
async fn tables_that_a_restore_has_not_brought_yet_are_waited_for() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let mut admin = world.connection().await;
    sql(&mut admin, "ALTER TABLE taskflow.tasks RENAME TO elsewhere").await;
    assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "42P01");
    sql(&mut admin, "ALTER TABLE taskflow.elsewhere RENAME TO tasks").await;
    works_again(&world, &ada).await;
}

#[tokio::test]
async fn a_right_that_was_taken_away_is_named_and_waited_for() {
    let database = Database::migrated(|url| async move {
        PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
    })
    .await;
    let mut admin = database.connection().await;
    let role: String =
        sqlx::query_scalar("SELECT 'app_' || current_database()").fetch_one(&mut admin).await.expect("a name");
    sql(&mut admin, &format!("CREATE ROLE {role} LOGIN")).await;
    sql(&mut admin, &format!("GRANT USAGE ON SCHEMA taskflow TO {role}")).await;
    let all = "ALL TABLES IN SCHEMA taskflow";
    sql(&mut admin, &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {all} TO {role}")).await;
    let more = if database.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{more}user={role}", database.url);
    let world = World::at(&url, PgOptions::default().connections(4).without_migrating()).await;
    let ada = world.somebody("ada").await;
    world.store.ensure_granted().await.expect("nothing is lacking");
    for (right, table) in
        [("INSERT", "taskflow.tasks"), ("INSERT, UPDATE, DELETE", all), ("SELECT", "taskflow.schema_info")]
    {
        sql(&mut admin, &format!("REVOKE {right} ON {table} FROM {role}")).await;
        for said in [passes(world.store.ping().await), passes(world.store.ensure_granted().await)] {
            let table = if table == all { "all tables of schema taskflow" } else { table };
            assert!(said.contains(&role) && said.ends_with(&format!("{right} on {table}")), "{said}");
        }
        if right != "SELECT" {
            assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "42501");
        }
        sql(&mut admin, &format!("GRANT {right} ON {table} TO {role}")).await;
        works_again(&world, &ada).await;
    }
    sql(&mut admin, &format!("REVOKE USAGE ON SCHEMA taskflow FROM {role}")).await;
    assert_eq!(passes(world.store.ping().await), "42501");
    sql(&mut admin, &format!("GRANT USAGE ON SCHEMA taskflow TO {role}")).await;
    works_again(&world, &ada).await;
    sql(&mut admin, &format!("REVOKE TRUNCATE ON {all} FROM {role}")).await;
    world.store.ping().await.expect("a right that nobody needs");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'taskflow' ORDER BY tablename")
            .fetch_all(&mut admin)
            .await
            .expect("the tables");
    for table in tables {
        sql(&mut admin, &format!("REVOKE SELECT ON taskflow.{table} FROM {role}")).await;
        assert!(passes(world.store.ping().await).contains(&table), "{table}");
        sql(&mut admin, &format!("GRANT SELECT ON taskflow.{table} TO {role}")).await;
    }
    world.store.close().await;
    sql(&mut admin, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_out_of_memory_for_locks_is_unavailable() {
    let settings = ["fsync=off", "max_locks_per_transaction=10", "max_pred_locks_per_transaction=10"];
    let cluster = tokio::task::spawn_blocking(move || Cluster::start_with(&settings, None)).await.expect("a cluster");
    let (world, ada, mut admin) = alone(&cluster, PgOptions::default().connections(4)).await;
    // As many as there is room for; they are kept though the statement fails.
    admin.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 1000000) AS n").await.expect_err("full");
    assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "53200");
    sql(&mut admin, "SELECT pg_advisory_unlock_all()").await;
    works_again(&world, &ada).await;
}

#[tokio::test]
async fn a_lock_and_a_statement_that_take_too_long_are_given_up() {
    let limits = PgOptions::default().lock_timeout(Duration::from_millis(50));
    let world = World::with(limits.clone()).await;
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    sql(&mut other, "BEGIN; LOCK TABLE taskflow.tasks").await;
    assert_eq!(passes(world.store.commit(&world.task(&ada)).await), "55P03");
    let limits = PgOptions::default().statement_timeout(Duration::from_millis(50)).without_migrating();
    let hasty = PgStore::connect(world.url(), limits).await.expect("a store");
    assert_eq!(passes(hasty.commit(&world.task(&ada)).await), "57014");
    sql(&mut other, "ROLLBACK").await;
    hasty.commit(&world.task(&ada)).await.expect("the same again");
    works_again(&world, &ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_who_ends_a_session_in_the_middle_of_a_call_is_an_error_that_passes() {
    let world = Arc::new(World::new().await);
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    sql(&mut other, "BEGIN; LOCK TABLE taskflow.tasks").await;
    let waiting = {
        let (world, changes) = (world.clone(), world.task(&ada));
        tokio::spawn(async move { world.store.commit(&changes).await })
    };
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let ending =
        async { while sqlx::query_scalar::<_, i64>(ended).fetch_one(&mut other).await.expect("a count") == 0 {} };
    tokio::time::timeout(Duration::from_secs(5), ending).await.expect("somebody waits for the lock");
    assert_eq!(passes(waiting.await.expect("no panic")), "57P01");
    sql(&mut other, "ROLLBACK").await;
    works_again(&world, &ada).await;
}

/// What keeps new sessions out, and what lets them in again. Nothing but the session is lost, whatever the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_let_in_for_now_is_let_in_later() {
    let cluster = cluster().await;
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    sql(&mut admin, "CREATE ROLE service LOGIN").await;
    sql(&mut admin, "CREATE DATABASE service OWNER service").await;
    let url = cluster.url("service").replacen("postgres@", "service@", 1);
    let options = PgOptions::default().connections(4).acquire_timeout(Duration::from_millis(500));
    let world = World::at(&url, options).await;
    let ada = world.somebody("ada").await;
    for (out, code, back) in [
        ("ALTER ROLE service NOLOGIN", "28000", "ALTER ROLE service LOGIN"),
        ("ALTER ROLE service CONNECTION LIMIT 0", "53300", "ALTER ROLE service CONNECTION LIMIT -1"),
        ("ALTER DATABASE service ALLOW_CONNECTIONS false", "55000", "ALTER DATABASE service ALLOW_CONNECTIONS true"),
        ("ALTER DATABASE service RENAME TO moved", "3D000", "ALTER DATABASE moved RENAME TO service"),
        (
            "REVOKE CONNECT ON DATABASE service FROM public, service",
            "42501",
            "GRANT CONNECT ON DATABASE service TO service",
        ),
    ] {
        // A database is renamed when nobody is in it.
        let _ = admin.execute(END_SESSIONS).await.expect("ended");
        sql(&mut admin, out).await;
        let _ = admin.execute(END_SESSIONS).await.expect("ended");
        let said = passes(world.store.commit(&world.task(&ada)).await);
        // The pool goes on asking a server that is full, until the time to wait is over.
        assert!(said == code || (code == "53300" && said.contains("timed out")), "{out}: {said}");
        passes(world.store.ping().await);
        sql(&mut admin, back).await;
        works_again(&world, &ada).await;
    }
}

#[tokio::test]
async fn a_session_that_idled_in_a_hosts_transaction_is_lost() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = PgPool::connect(world.url()).await.expect("a host");
    let guest = PgStore::from_pool(pool.clone());
    let mut transaction = pool.begin().await.expect("a transaction");
    transaction.execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'").await.expect("a setting");
    let gone =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()";
    let mut witness = world.connection().await;
    let ending =
        async { while sqlx::query_scalar::<_, i64>(gone).fetch_one(&mut witness).await.expect("a count") > 0 {} };
    tokio::time::timeout(Duration::from_secs(5), ending).await.expect("ended by the server");
    // Over a socket of the same machine the end of the connection may be seen before the reason.
    let said = passes(guest.commit_in(&mut transaction, &world.task(&ada)).await);
    assert!(said == "25P03" || said.contains("communicating"), "{said}");
    drop(transaction);
    guest.commit(&world.task(&ada)).await.expect("over another connection");
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused_by_name() {
    let database = Database::empty().await;
    let mut admin = database.connection().await;
    let own: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut admin).await.expect("its name");
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{own}_{}", encoding.to_lowercase());
        let locale = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
        sql(&mut admin, &format!("CREATE DATABASE {name} ENCODING '{encoding}' {locale}")).await;
        let url = database.url.replace(&own, &name);
        for options in [PgOptions::default(), PgOptions::default().without_migrating()] {
            let error = PgStore::connect(&url, options).await.expect_err("not for every text");
            let said = text(&error);
            assert!(said.contains(encoding) && said.contains("UTF8") && said.contains(&name), "{said}");
        }
        sql(&mut admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}
