//! [`PgStore`]: how it is reached, how it reads and writes, and the port [`Store`].

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};
use taskflow_core::ports::Store;
use taskflow_core::{CapturedMail, Changes, DeliveryId, IdempotencyKey, StoreError, StoredResponse, UserId};
use tracing::Instrument;

use crate::commit::Batch;
use crate::connection::{Borrowed, Trust, Work};
use crate::error::{PgStoreError, database_error, is_lost, is_rolled_back, store_error};
use crate::full_disk::FullDisk;
use crate::options::{ANSWER_TIMEOUT, PgOptions};
use crate::reach::reach;
use crate::schema::{self, MigrationStatus};
use crate::{mailbox, responses, rights};

/// Keeps everything in one PostgreSQL database. Cheap to clone; clones share their connections.
///
/// ```no_run
/// use taskflow_store_postgres::{PgOptions, PgStore};
///
/// # async fn open() -> Result<(), taskflow_core::StoreError> {
/// let store = PgStore::connect("postgres://taskflow@localhost/taskflow", PgOptions::default()).await?;
/// store.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgStore {
    pool: PgPool,
    answer_timeout: Duration,
    full: FullDisk,
}

impl PgStore {
    /// Connects to the database that a URL names (`postgres://user:password@host:5432/database`, with the parameters of
    /// libpq; `?host=/run/postgresql` for a socket) and brings its schema up to date.
    ///
    /// The connection stays alive by itself: after a restart of the server the store works again without help.
    pub async fn connect(url: &str, options: PgOptions) -> Result<Self, StoreError> {
        let target = options.target(url)?;
        reach(&target, &options).await?;
        let pool = options.pool().connect_lazy_with(target);
        let store = Self { pool, answer_timeout: options.answer_timeout, full: FullDisk::default() };
        schema::check_encoding(&store).await?;
        if options.migrates {
            store.migrate().await?;
        }
        Ok(store)
    }

    /// Shares the connections of a host; run [`migrate`](Self::migrate) before the first use. The host's settings decide
    /// how many there are, how long statements may take and how durable a commit is.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self { pool, answer_timeout: ANSWER_TIMEOUT, full: FullDisk::default() }
    }

    /// Brings the schema up to date, over a connection of its own; needs no right to create anything when it is. Any number of processes may do it at the same time.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        schema::migrate(&self.pool).await
    }

    /// Fails when migrations are pending, or when the database asks for a newer release. Nothing is written.
    pub async fn ensure_current(&self) -> Result<(), StoreError> {
        schema::ensure_current(self).await
    }

    /// Fails when the role lacks a right on a table that serving needs, and names each such right and table.
    pub async fn ensure_granted(&self) -> Result<(), StoreError> {
        rights::ensure_granted(self).await
    }

    /// All migrations that this build knows or the database has.
    pub async fn migrations_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        schema::status(self).await
    }

    /// Waits for calls that are under way and closes all connections; later calls are `Unavailable`.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The connections, for those who must know how they are made.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Reads, with an end to waiting. What meets a dead connection is read again over one that is not, once.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> Work<'c, T, sqlx::Error> + Send + Sync,
    {
        let read = async {
            let mut trust = Trust::Pool;
            loop {
                let mut borrowed = Borrowed::to_read(&self.pool, trust, self.answer_timeout).await?;
                let result = work(borrowed.get()?).await;
                borrowed.put_back(result.as_ref().err());
                match result {
                    Err(error) if trust == Trust::Pool && is_lost(&error) => replaced(&error),
                    result => return result,
                }
                trust = Trust::Nobody;
            }
        };
        match tokio::time::timeout(self.answer_timeout, read).await {
            Ok(result) => result.map_err(store_error),
            Err(_) => Err(PgStoreError::NoAnswer(self.answer_timeout).into()),
        }
    }

    /// Runs `work` in a transaction of its own, and in a task of its own: a caller that goes away (a client that hangs
    /// up) can neither stop it half-way nor leave the transaction open. When the database says that it has rolled the
    /// transaction back for the sake of another, it is run again, up to three times in all.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection) -> Work<'c, T, StoreError> + Send + Sync + 'static,
    {
        let store = self.clone();
        let run = async move {
            let mut attempt = 1;
            loop {
                let error = match store.transact(&work).await {
                    Err(error) if attempt < ATTEMPTS && is_rolled_back(&error) => error,
                    result => return result,
                };
                let pause = pause(attempt);
                tracing::debug!(
                    attempt,
                    ?pause,
                    error = &error as &dyn std::error::Error,
                    "running a transaction again"
                );
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
        };
        let limit = self.answer_timeout;
        let run = async move {
            tokio::time::timeout(limit, run).await.unwrap_or_else(|_| Err(PgStoreError::NoAnswer(limit).into()))
        };
        match tokio::spawn(run.in_current_span()).await {
            Ok(result) => result.inspect_err(|error| self.full.note(error)),
            Err(ended) => Err(PgStoreError::Aborted(ended).into()),
        }
    }

    async fn transact<T, F>(&self, work: &F) -> Result<T, StoreError>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> Work<'c, T, StoreError>,
    {
        let mut trust = Trust::Pool;
        loop {
            let mut borrowed = Borrowed::to_write(&self.pool, trust).await.map_err(store_error)?;
            let done = match borrowed.get().map_err(store_error)?.begin_with(BEGIN).await {
                Ok(transaction) => Ok(in_transaction(transaction, work).await),
                Err(error) => Err(error),
            };
            let error = match done {
                Ok(result) => {
                    borrowed.put_back(result.as_ref().err().and_then(database_error));
                    return result;
                }
                Err(error) => error,
            };
            borrowed.put_back(Some(&error));
            // Nothing was written yet, so nothing can be written twice.
            if trust == Trust::Nobody || !is_lost(&error) {
                return Err(store_error(error));
            }
            replaced(&error);
            trust = Trust::Nobody;
        }
    }
}

fn replaced(error: &sqlx::Error) {
    tracing::warn!(error = error as &dyn std::error::Error, "a pooled connection was of no use and is replaced");
}

async fn in_transaction<T, F>(mut transaction: Transaction<'_, Postgres>, work: &F) -> Result<T, StoreError>
where
    F: for<'c> Fn(&'c mut PgConnection) -> Work<'c, T, StoreError>,
{
    match work(&mut transaction).await {
        Ok(done) => transaction.commit().await.map(|()| done).map_err(store_error),
        Err(error) => {
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a failed write did not roll back");
            }
            Err(error)
        }
    }
}

/// Number of times a transaction is tried before its failure is returned as an error.
const ATTEMPTS: u32 = 3;

/// A few milliseconds more each time, and never the same for two.
fn pause(attempt: u32) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros(random % (10_000 << attempt))
}

/// Whatever isolation the database has as its default; that it only reads is respected. Nothing is deferrable here; saying
/// so has PostgreSQL refuse a connection on which a transaction is under way already (one of a host whose `begin` was
/// cancelled: sqlx 0.9.0, its issue 4385). A plain `BEGIN` would join it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED NOT DEFERRABLE";

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore").field("connections", &self.pool.size()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PgStore {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(Batch::new(changes)?);
        let committed = self.write(move |conn| {
            let batch = batch.clone();
            Box::pin(async move { batch.apply(conn).await })
        });
        committed.await.inspect(|()| self.full.clear())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.full.check()?;
        rights::ensure_writable(self).await?;
        if self.full.was_written() {
            return Ok(());
        }
        self.write(|conn| {
            Box::pin(async move { sqlx::query(CHECK_WRITE).execute(conn).await.map(drop).map_err(store_error) })
        })
        .await
        .inspect(|()| self.full.checked())
    }

    async fn response(&self, owner: UserId, key: &IdempotencyKey) -> Result<Option<StoredResponse>, StoreError> {
        responses::response(self, owner, key).await
    }

    async fn kept_mails(&self, limit: u32) -> Result<Vec<CapturedMail>, StoreError> {
        mailbox::mails(self, limit).await
    }

    async fn kept_mail(&self, id: DeliveryId) -> Result<Option<CapturedMail>, StoreError> {
        mailbox::mail(self, id).await
    }
}

const CHECK_WRITE: &str = "
    INSERT INTO taskflow.write_checks (id, at) VALUES (1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET at = excluded.at";
