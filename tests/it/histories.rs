//! Random histories: the same steps in memory, on SQLite and on PostgreSQL give the same answers and leave the same rows.
//!
//! `HISTORY_CASES` says how many, `HISTORY_SEED` repeats those of an earlier run.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Executor, PgPool, SqlitePool};
use taskflow::ports::Storage;
use taskflow::store::{MemoryStore, PgOptions, PgStore, SqliteStore};
use taskflow::testing::OpenStore;
use taskflow::testing::history::{self, Step};
use tokio::runtime::Runtime;

use taskflow_testkit::cluster::Database;

/// Histories when nobody says how many: a few seconds on a machine with nothing else to do.
const CASES: u64 = 64;

/// Steps of the longest history.
const STEPS: usize = 60;

#[test]
fn random_histories_leave_all_three_stores_equal() {
    let cases = setting("HISTORY_CASES").unwrap_or(CASES);
    let seed = setting("HISTORY_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("{{\"case\": \"histories\", \"HISTORY_SEED\": {seed}, \"HISTORY_CASES\": {cases}}}");
    let config = Config {
        cases: cases.try_into().expect("HISTORY_CASES fits"),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    let runtime = Runtime::new().expect("a runtime");
    let postgres = runtime.block_on(OnPostgres::open());
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&history::steps(STEPS), |steps| runtime.block_on(compare(&steps, &postgres)));
    if let Err(failure) = outcome {
        panic!("{failure}\nHISTORY_SEED={seed} HISTORY_CASES={cases} repeats it");
    }
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {number:?}")))
}

/// Plays one history on all stores at once, and looks for the first thing that one of them tells otherwise than memory.
async fn compare(steps: &[Step], postgres: &OnPostgres) -> Result<(), TestCaseError> {
    let (memory, sqlite) = (MemoryStore::new(), OnSqlite::open().await);
    postgres.forget().await;
    let (expected, on_sqlite, on_postgres) =
        tokio::join!(history::play(steps, &memory), history::play(steps, &sqlite), history::play(steps, postgres));
    for (store, told) in [("SQLite", on_sqlite), ("PostgreSQL", on_postgres)] {
        let all = expected.iter().zip(&told);
        if let Some((expected, told)) = all.into_iter().find(|(expected, told)| expected != told) {
            return Err(TestCaseError::fail(format!("{store} tells\n  {told}\nand memory\n  {expected}")));
        }
        if told.len() != expected.len() {
            return Err(TestCaseError::fail(format!("{store} has {} rows, and memory {}", told.len(), expected.len())));
        }
    }
    Ok(())
}

/// A store in a database of SQLite that is a host's, here in memory.
struct OnSqlite(SqlitePool);

impl OnSqlite {
    async fn open() -> Self {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.expect("a database");
        SqliteStore::from_pool(pool.clone()).migrate().await.expect("a schema");
        Self(pool)
    }
}

#[async_trait]
impl OpenStore for OnSqlite {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SqliteStore::from_pool(self.0.clone()))
    }

    async fn lapse_leases(&self) {
        let lapse = "UPDATE taskflow_deliveries SET lease_until = 0 WHERE state = 'claimed'";
        self.0.execute(lapse).await.expect("lapsed");
    }
}

/// A store in a database of PostgreSQL that is a host's: one for all histories, since making one takes longer than most
/// of them.
struct OnPostgres {
    pool: PgPool,
    /// Held so that it lives as long as the store.
    _database: Database,
}

impl OnPostgres {
    async fn open() -> Self {
        let database = Database::migrated(|url| async move {
            PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
        });
        let database = database.await;
        let pool = PgPoolOptions::new().max_connections(2).connect(&database.url).await.expect("a host");
        Self { pool, _database: database }
    }

    /// Empties every table.
    async fn forget(&self) {
        let tables = "SELECT string_agg('taskflow.' || quote_ident(tablename), ', ') FROM pg_tables
            WHERE schemaname = 'taskflow' AND tablename <> 'migrations'";
        let tables: String = sqlx::query_scalar(tables).fetch_one(&self.pool).await.expect("tables");
        self.pool.execute(AssertSqlSafe(format!("TRUNCATE {tables}"))).await.expect("empty tables");
    }
}

#[async_trait]
impl OpenStore for OnPostgres {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(PgStore::from_pool(self.pool.clone()))
    }

    async fn lapse_leases(&self) {
        let lapse = "UPDATE taskflow.deliveries SET lease_until = '1970-01-01 00:00:00+00' WHERE state = 'claimed'";
        self.pool.execute(lapse).await.expect("lapsed");
    }
}
