//! Random histories leave PostgreSQL equal to the store in memory.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../../tests/harness/postgres.rs"]
mod postgres;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use postgres::Database;
use proptest::prop_assert_eq;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};
use taskflow_core::MemoryStore;
use taskflow_core::ports::Storage;
use taskflow_core::testing::{OpenStore, history};
use taskflow_store_postgres::{PgOptions, PgStore};

/// A store in the database of a host.
struct Guest {
    pool: PgPool,
    /// Held so that it lives as long as the store.
    _database: Database,
}

impl Guest {
    async fn open() -> Self {
        let database = Database::migrated(|url| async move {
            PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
        });
        let database = database.await;
        let pool = PgPoolOptions::new().max_connections(2).connect(&database.url).await.expect("a host");
        Self { pool, _database: database }
    }
}

#[async_trait]
impl OpenStore for Guest {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(PgStore::from_pool(self.pool.clone()))
    }

    async fn lapse_leases(&self) {
        let lapse = "UPDATE taskflow.deliveries SET lease_until = '1970-01-01 00:00:00+00' WHERE state = 'claimed'";
        self.pool.execute(lapse).await.expect("lapsed");
    }
}

/// 32 histories, or as many as PROPTEST_CASES says.
fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32);
    Config { cases, max_shrink_iters: 400, failure_persistence: None, ..Config::default() }
}

/// The histories of the seed that HISTORY_SEED names, else of a new one, which is printed.
fn runner() -> TestRunner {
    let seed = std::env::var("HISTORY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    eprintln!("HISTORY_SEED={seed}");
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    TestRunner::new_with_rng(config(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn random_histories_leave_both_stores_equal() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let outcome = runner().run(&history::steps(60), |steps| {
        let (memory, postgres) = runtime.block_on(async {
            let memory = history::play(&steps, &MemoryStore::new()).await;
            let guest = Guest::open().await;
            let postgres = history::play(&steps, &guest).await;
            guest.pool.close().await;
            (memory, postgres)
        });
        for (memory, postgres) in memory.iter().zip(&postgres) {
            prop_assert_eq!(memory, postgres);
        }
        prop_assert_eq!(memory.len(), postgres.len());
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
