//! [`SqliteStore`]: how it is opened, how it writes, and the port [`Store`].

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection, SqlitePool};
use taskflow_core::ports::Store;
use taskflow_core::{CapturedMail, Changes, DeliveryId, IdempotencyKey, StoreError, StoredResponse, UserId};
use tracing::Instrument;

use crate::commit::Batch;
use crate::database::Database;
use crate::error::{SqliteStoreError, store_error};
use crate::options::{SqliteOptions, file_target, pool};
use crate::schema::{self, MigrationStatus};
use crate::{deliveries, mailbox, refold, responses};

/// Keeps everything in one SQLite database. Cheap to clone; clones share their connections.
///
/// ```no_run
/// use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
///
/// # async fn open() -> Result<(), taskflow_core::StoreError> {
/// let store = SqliteStore::open("sqlite://data/taskflow.db", SqliteOptions::default()).await?;
/// store.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    database: Arc<Database>,
    /// A database in memory lives as long as its last connection; this one is never used and never closed.
    _anchor: Option<Arc<Mutex<SqliteConnection>>>,
}

/// A write at work on the one connection that writes.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

impl SqliteStore {
    /// Opens a file by its path or by a URL (`sqlite://taskflow.db`, `sqlite:///var/lib/taskflow.db`), or
    /// `sqlite::memory:`. What is missing is made, unless the options say otherwise: the folder, the file (readable by its
    /// owner only) and the schema.
    ///
    /// If another file replaces the open one (a restored backup, for example), the store opens it by itself. Calls are
    /// `Unavailable` until then. If the file is missing, calls stay `Unavailable`: no new file is created.
    pub async fn open(location: &str, options: SqliteOptions) -> Result<Self, StoreError> {
        let Some(target) = file_target(location)? else { return Self::in_memory().await };
        let database = Database::open(target, options).await?;
        Ok(Self { database: Arc::new(database), _anchor: None })
    }

    /// A database in memory that is gone with its last clone.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let target = SqliteConnectOptions::from_str("sqlite::memory:").map_err(store_error)?.foreign_keys(true);
        let anchor = target.connect().await.map_err(store_error)?;
        // Readers of a shared cache are refused while it is written, so one connection does both.
        let pool = pool(SqliteOptions::default().acquire_timeout)
            .max_connections(1)
            .connect_with(target)
            .await
            .map_err(store_error)?;
        let database = Arc::new(Database::of(pool));
        let store = Self { database, _anchor: Some(Arc::new(Mutex::new(anchor))) };
        store.migrate().await?;
        Ok(store)
    }

    /// Shares the database of a host; run [`migrate`](Self::migrate) before the first use. The host's settings decide
    /// how durable a commit is; foreign keys are expected to be on, as they are unless told otherwise.
    #[must_use]
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self { database: Arc::new(Database::of(pool)), _anchor: None }
    }

    /// Brings the schema up to date. Any number of processes may do it at the same time.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.write(|conn| Box::pin(schema::migrate(conn))).await?;
        while self.write(|conn| Box::pin(refold::is_pending(conn))).await? {
            self.write(|conn| Box::pin(refold::refold_page(conn))).await?;
        }
        while self.write(|conn| Box::pin(deliveries::mark_gathered_page(conn))).await? {}
        Ok(())
    }

    /// Fails when migrations are pending, or when the database asks for a newer release. Nothing is written.
    pub async fn ensure_current(&self) -> Result<(), StoreError> {
        let mut conn = self.reader()?.acquire().await.map_err(store_error)?;
        schema::ensure_current(&mut conn).await
    }

    /// All migrations that this build knows or the database has.
    pub async fn migrations_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        let mut conn = self.reader()?.acquire().await.map_err(store_error)?;
        schema::status(&mut conn).await
    }

    /// Moves what the write-ahead log holds into the database file, as far as readers let it.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.database.connections()?.checkpoint().await.map(drop).map_err(store_error)
    }

    /// Moves what the write-ahead log holds into the database file when nothing was written for `quiet` and something was
    /// before, so that a plain copy of the file has it. Waits for nobody, and returns whether there was anything to do.
    pub async fn checkpoint_when_idle(&self, quiet: Duration) -> Result<bool, StoreError> {
        self.database.checkpoint_when_idle(quiet).await
    }

    /// Waits for calls that are under way and closes all connections; later calls are `Unavailable`.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// The file of the database; `None`: memory, or a host's.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.database.path()
    }

    /// The connections that read.
    pub(crate) fn reader(&self) -> Result<SqlitePool, StoreError> {
        self.database.connections().map(|connections| connections.reader)
    }

    /// The connection that reads what must not wait behind requests.
    pub(crate) fn reserved(&self) -> Result<SqlitePool, StoreError> {
        self.database.connections().map(|connections| connections.reserved)
    }

    /// Runs `work` in a transaction of its own, and in a task of its own: a caller that goes away (a client that hangs
    /// up) can neither stop it half-way nor leave the transaction open.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let database = Arc::clone(&self.database);
        let run = async move {
            let connections = database.connections()?;
            let mut conn = connections.writer.acquire().await.map_err(store_error)?;
            let result = transact(&mut conn, work).await;
            // When the disk is full or fails, SQLite rolls back by itself, and sqlx would count on a transaction for ever.
            if result.is_err() && conn.is_in_transaction() {
                tracing::warn!("a failed write did not roll back; its connection is replaced");
                conn.close_on_drop();
            }
            database.written(&connections, &result)?;
            result
        };
        match tokio::spawn(run.in_current_span()).await {
            Ok(result) => result,
            Err(ended) => Err(SqliteStoreError::Aborted(ended).into()),
        }
    }
}

pub(crate) async fn transact<T, F>(conn: &mut SqliteConnection, work: F) -> Result<T, StoreError>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send,
{
    let mut transaction = conn.begin_with(BEGIN).await.map_err(store_error)?;
    let done = work(&mut transaction).await;
    match done {
        Ok(done) => transaction.commit().await.map(|()| done).map_err(store_error),
        // What the database says of the rollback adds nothing: the caller looks at what it left.
        Err(error) => {
            transaction.rollback().await.ok();
            Err(error)
        }
    }
}

/// Takes the lock at once: a transaction that begins by reading may be refused when it comes to writing.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("database", &self.database).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let batch = Batch::new(changes)?;
        let committed = self.write(|conn| Box::pin(async move { batch.apply(conn).await })).await;
        committed.inspect(|()| self.database.committed())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query(PING).execute(&self.reserved()?).await.map_err(store_error)?;
        if self.database.may_be_written()? {
            return Ok(());
        }
        // The smallest write there is: it says the same as before.
        self.write(|conn| {
            Box::pin(async move {
                let version: i64 = sqlx::query_scalar(USER_VERSION).fetch_one(&mut *conn).await.map_err(store_error)?;
                let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
                conn.execute(same).await.map(drop).map_err(store_error)
            })
        })
        .await?;
        self.database.committed();
        Ok(())
    }

    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError> {
        responses::response(&self.reader()?, owner, key).await
    }

    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
        mailbox::mails(&self.reader()?, limit).await
    }

    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
        mailbox::mail(&self.reader()?, id).await
    }
}

const PING: &str = "SELECT 1";

const USER_VERSION: &str = "PRAGMA user_version";
