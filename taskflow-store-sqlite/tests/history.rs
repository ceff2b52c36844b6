//! Random histories leave SQLite equal to the store in memory.

use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use sqlx::{Executor, SqlitePool, sqlite::SqlitePoolOptions};
use taskflow_core::MemoryStore;
use taskflow_core::ports::Storage;
use taskflow_core::testing::{OpenStore, history};
use taskflow_store_sqlite::SqliteStore;

/// A store in the database of a host, here in memory.
struct Guest(SqlitePool);

impl Guest {
    async fn open() -> Self {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.expect("a database");
        SqliteStore::from_pool(pool.clone()).migrate().await.expect("a schema");
        Self(pool)
    }
}

#[async_trait]
impl OpenStore for Guest {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SqliteStore::from_pool(self.0.clone()))
    }

    async fn lapse_leases(&self) {
        let lapse = "UPDATE taskflow_deliveries SET lease_until = 0 WHERE state = 'claimed'";
        self.0.execute(lapse).await.expect("lapsed");
    }
}

/// 48 histories, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_histories_leave_both_stores_equal(steps in history::steps(60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (memory, sqlite) = runtime.block_on(async {
            let memory = history::play(&steps, &MemoryStore::new()).await;
            (memory, history::play(&steps, &Guest::open().await).await)
        });
        for (memory, sqlite) in memory.iter().zip(&sqlite) {
            prop_assert_eq!(memory, sqlite);
        }
        prop_assert_eq!(memory.len(), sqlite.len());
    }
}
