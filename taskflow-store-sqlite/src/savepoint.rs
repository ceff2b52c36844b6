//! Commits in the transaction of a host, in a savepoint.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteTransactionManager;
use sqlx_core::transaction::TransactionManager;
use taskflow_core::ports::CommitReceipt;
use taskflow_core::{Changes, StoreError};

use crate::commit::Batch;
use crate::error::store_error;
use crate::store::SqliteStore;

impl SqliteStore {
    /// Applies `changes` in a transaction of the host's (begun by sqlx, on a database that has our schema); they count once
    /// the host has committed.
    ///
    /// Works in a savepoint: after an error, or when the call is dropped, nothing of the changes is left even if the
    /// host commits what else it did. Begin the transaction with `BEGIN IMMEDIATE`: SQLite refuses to turn one that
    /// has read into one that writes when somebody else wrote in between, which is `Unavailable` here.
    pub async fn commit_in(&self, conn: &mut SqliteConnection, changes: &Changes) -> Result<CommitReceipt, StoreError> {
        let batch = Batch::new(changes)?;
        let savepoint = Savepoint::begin(conn).await.map_err(store_error)?;
        batch.apply(savepoint.conn).await?;
        savepoint.release().await.map_err(store_error)?;
        Ok(CommitReceipt::new(changes))
    }
}

/// A savepoint that is undone when it is dropped. Not sqlx's own: when its `begin` is dropped half-way inside a
/// transaction, sqlx 0.9.0 undoes the savepoint twice, and the second time it is the host's transaction that goes.
struct Savepoint<'c> {
    conn: &'c mut SqliteConnection,
    open: bool,
}

impl<'c> Savepoint<'c> {
    async fn begin(conn: &'c mut SqliteConnection) -> sqlx::Result<Self> {
        SqliteTransactionManager::begin(conn, None).await?;
        Ok(Self { conn, open: true })
    }

    async fn release(mut self) -> sqlx::Result<()> {
        SqliteTransactionManager::commit(self.conn).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.open {
            // Queued ahead of whatever the host does next on this connection.
            SqliteTransactionManager::start_rollback(self.conn);
        }
    }
}
