//! The stores that a server can keep its data in, and cases that are run on each of them.

use std::fmt;
use std::sync::Arc;

use taskflow_core::ports::Storage;
use taskflow_store_postgres::{PgOptions, PgStore};
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use crate::cluster::Database;
use crate::server::Server;

/// Makes two tests of each `async fn case(backend: Backend)`: `sqlite::case` and `postgres::case`, in modules of the file
/// that has the cases. `case [threads]` is run by two threads.
#[macro_export]
macro_rules! on_each_store {
    ($($case:ident $([$threads:ident])?),+ $(,)?) => {
        mod sqlite {
            $($crate::test_on!(Sqlite $case $($threads)?);)+
        }

        mod postgres {
            $($crate::test_on!(Postgres $case $($threads)?);)+
        }
    };
}

/// Makes one test of a case: see [`on_each_store`].
#[doc(hidden)]
#[macro_export]
macro_rules! test_on {
    ($backend:ident $case:ident) => {
        #[tokio::test]
        async fn $case() {
            super::$case($crate::backend::Backend::$backend).await;
        }
    };
    ($backend:ident $case:ident threads) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::$case($crate::backend::Backend::$backend).await;
        }
    };
}

/// The store in which a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database of the shared cluster.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        })
    }
}

/// Resources that must outlive a store without a server: the folder of its file, or its database.
pub struct Home {
    _folder: Option<TempDir>,
    _database: Option<Database>,
}

impl Backend {
    /// Starts a server on a database of its own.
    pub async fn start(self, settings: &[(&str, &str)]) -> Server {
        match self {
            Self::Sqlite => Server::start(settings).await,
            Self::Postgres => Server::start_on(migrated().await, settings).await,
        }
    }

    /// Starts a server on a database of its own that sends nothing before it is started again without `HOLD_MAIL`.
    pub async fn hold(self, settings: &[(&str, &str)]) -> Server {
        self.start(&[settings, &[("HOLD_MAIL", "true")]].concat()).await
    }

    /// Opens a store without a server.
    pub async fn store(self) -> (Arc<dyn Storage>, Home) {
        match self {
            Self::Sqlite => {
                let home = TempDir::new().expect("a folder");
                let file = home.path().join("taskflow.db").display().to_string();
                let store = SqliteStore::open(&file, SqliteOptions::default()).await.expect("a store");
                (Arc::new(store), Home { _folder: Some(home), _database: None })
            }
            Self::Postgres => {
                let database = migrated().await;
                let options = PgOptions::default().without_migrating();
                let store = PgStore::connect(&database.url, options).await.expect("a store");
                (Arc::new(store), Home { _folder: None, _database: Some(database) })
            }
        }
    }
}

/// Makes a database of the shared cluster that has the schema of this release.
pub async fn migrated() -> Database {
    Database::migrated(|url| async move {
        PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
    })
    .await
}
