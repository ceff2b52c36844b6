//! A store on a file, for the tests of this store alone.

use std::ops::Deref;

use sqlx::{Connection, SqliteConnection};
use taskflow_conformance::workbench::TestKit;
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store on a file of its own, and rows for it.
pub(crate) struct World {
    pub(crate) bench: TestKit<SqliteStore>,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SqliteOptions::default()).await
    }

    pub(crate) async fn with(options: SqliteOptions) -> Self {
        let folder = TempDir::new().expect("a folder");
        let store = SqliteStore::open(&url(&folder), options).await.expect("a store");
        Self { bench: TestKit::new(store), folder }
    }

    pub(crate) async fn connection(&self) -> SqliteConnection {
        SqliteConnection::connect(&url(&self.folder)).await.expect("a connection")
    }
}

/// So that tests speak of the store and its rows as of the world's.
impl Deref for World {
    type Target = TestKit<SqliteStore>;

    fn deref(&self) -> &Self::Target {
        &self.bench
    }
}

pub(crate) fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("data/taskflow.db").display())
}
