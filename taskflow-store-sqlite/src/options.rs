//! Options for opening a database, its location and its pools.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Executor, SqlitePool};
use taskflow_core::StoreError;
use tokio::time::{Instant, sleep};

use crate::error::{SqliteStoreError, is_busy, store_error};

/// Options for opening a database.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(crate) acquire_timeout: Duration,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: u32,
    pub(crate) migrates: bool,
    pub(crate) creates: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            migrates: true,
            creates: true,
        }
    }
}

impl SqliteOptions {
    /// Sets the maximum time that a call waits for its turn before it fails with `Unavailable`; default 5 seconds.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// Sets the maximum time that SQLite waits while another process has the file locked; default 5 seconds.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets the number of connections that read concurrently, at least 1; default 4. One more connection writes.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Opens only a file that is there; `Unavailable` when there is none.
    #[must_use]
    pub fn without_creating(mut self) -> Self {
        self.creates = false;
        self
    }

    /// Opens the database as it is, without running migrations.
    #[must_use]
    pub fn without_migrating(mut self) -> Self {
        self.migrates = false;
        self
    }
}

/// Delay before the next attempt to open a file that another process is switching to WAL.
const PAUSE: Duration = Duration::from_millis(5);

/// The one connection that writes to a file, which turns the file to WAL if it is not yet.
///
/// That needs the file alone for a moment, and SQLite refuses at once whoever wants it at the same time, instead of letting
/// them wait their turn. So they ask again, for as long as they would wait for a lock.
pub(crate) async fn writer(target: SqliteConnectOptions, options: &SqliteOptions) -> Result<SqlitePool, StoreError> {
    // The file is there already: one that goes away meanwhile is not made again.
    let target = target.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        let connected = pool(options.acquire_timeout).max_connections(1).connect_with(target.clone()).await;
        match connected {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            connected => return connected.map_err(store_error),
        }
    }
}

/// A pool whose connections are handed out without a transaction left open by whoever had them before: sqlx 0.9.0 can
/// leave one behind when a `begin` is cancelled (its issue 4385), and the next commit would be lost in it.
pub(crate) fn pool(acquire_timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|conn, _| {
            Box::pin(async move {
                if conn.is_in_transaction() {
                    tracing::warn!("a transaction was left open; its connection is replaced");
                    return Ok(false);
                }
                match conn.execute(ROLLBACK).await {
                    // There was none: that is how it should be.
                    Err(sqlx::Error::Database(_)) => Ok(true),
                    Ok(_) => {
                        tracing::warn!("a transaction was left open; its connection is replaced");
                        Ok(false)
                    }
                    Err(error) => Err(error),
                }
            })
        })
}

const ROLLBACK: &str = "ROLLBACK";

/// The file that a path or a URL names; `None`: memory.
pub(crate) fn file_target(location: &str) -> Result<Option<SqliteConnectOptions>, StoreError> {
    let Some(database) = location.strip_prefix("sqlite:") else {
        return Ok((location != ":memory:").then(|| SqliteConnectOptions::new().filename(location)));
    };
    let (database, parameters) = database.split_once('?').unwrap_or((database, ""));
    if database.trim_start_matches('/') == ":memory:" || parameters.split('&').any(|pair| pair == "mode=memory") {
        return Ok(None);
    }
    SqliteConnectOptions::from_str(location).map(Some).map_err(store_error)
}

/// Makes folder and file, so that nobody but the owner can read what SQLite puts into it and beside it.
pub(crate) fn create_file(path: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path, source| SqliteStoreError::Create { path: path.to_owned(), source };
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| failed(path, source).into())
}
