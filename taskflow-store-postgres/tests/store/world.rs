//! A store on a database of its own, and rows for it.

use std::ops::Deref;

use sqlx::PgConnection;
use taskflow_conformance::workbench::TestKit;
use taskflow_store_postgres::{PgOptions, PgStore};

use taskflow_testkit::cluster::Database;
use taskflow_testkit::wait::eventually;
use tokio::sync::Mutex;

pub(crate) struct World {
    bench: TestKit<PgStore>,
    database: Option<Database>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(PgOptions::default().connections(8)).await
    }

    pub(crate) async fn with(options: PgOptions) -> Self {
        let database = Database::migrated(|url| async move {
            PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
        });
        let database = database.await;
        let mut world = Self::at(&database.url, options.without_migrating()).await;
        world.database = Some(database);
        world
    }

    /// A store in a database somewhere else.
    pub(crate) async fn at(url: &str, options: PgOptions) -> Self {
        let store = PgStore::connect(url, options).await.expect("a store");
        Self { bench: TestKit::new(store), database: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.database.as_ref().expect("a database of its own").url
    }

    /// A connection that is none of the store's.
    pub(crate) async fn connection(&self) -> PgConnection {
        self.database.as_ref().expect("a database of its own").connection().await
    }

    /// Waits until a session of the database waits for a lock that another one holds.
    pub(crate) async fn somebody_waits_for_a_lock(&self) {
        let conn = Mutex::new(self.connection().await);
        eventually("somebody waits for a lock", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *conn.lock().await).await.expect("a count");
            (waiting > 0).then_some(())
        })
        .await;
    }

    /// Sessions of this store that stand in an open transaction.
    pub(crate) async fn open_transactions(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut self.connection().await)
        .await
        .expect("a count")
    }
}

/// So that tests speak of the store and its rows as of the world's.
impl Deref for World {
    type Target = TestKit<PgStore>;

    fn deref(&self) -> &Self::Target {
        &self.bench
    }
}
