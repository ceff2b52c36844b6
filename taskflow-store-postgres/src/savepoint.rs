//! Commits in the transaction of a host, in a savepoint.

use std::pin::Pin;
use std::task::{Context, Poll};

use sqlx::postgres::PgTransactionManager;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use sqlx_core::transaction::{TransactionManager, begin_ansi_transaction_sql, commit_ansi_transaction_sql};
use taskflow_core::ports::CommitReceipt;
use taskflow_core::{Changes, StoreError};

use crate::commit::Batch;
use crate::error::{PgStoreError, store_error};
use crate::store::PgStore;

impl PgStore {
    /// Applies `changes` in a transaction of the host's (begun by sqlx, on a database that has our schema); they count
    /// once the host has committed.
    ///
    /// Works in a savepoint: after an error, or when the call is dropped, nothing of the changes is left even if the
    /// host commits what else it did. Rows and feeds stay locked until the host commits, so that should be soon. A
    /// transaction that lost a race (40001, 40P01) is `Unavailable` here; running all of it again is up to the host.
    pub async fn commit_in(&self, conn: &mut PgConnection, changes: &Changes) -> Result<CommitReceipt, StoreError> {
        let batch = Batch::new(changes)?;
        let savepoint = Savepoint::begin(conn).await.map_err(store_error)?.ok_or(PgStoreError::NoTransaction)?;
        batch.apply(savepoint.conn).await?;
        savepoint.release().await.map_err(store_error)?;
        Ok(CommitReceipt::new(changes))
    }
}

/// A savepoint that is undone when it is dropped, and whose steps may be dropped at any point without harm to the
/// transaction around it.
///
/// It goes by the name that sqlx gives to the savepoint of this depth, because sqlx alone can send something when a value
/// is dropped, and its rollback is all it sends.
pub(crate) struct Savepoint<'c> {
    pub(crate) conn: &'c mut PgConnection,
    depth: usize,
}

impl<'c> Savepoint<'c> {
    /// `None`: there is no transaction.
    pub(crate) async fn begin(conn: &'c mut PgConnection) -> sqlx::Result<Option<Self>> {
        let depth = PgTransactionManager::get_transaction_depth(conn);
        if depth == 0 {
            return Ok(None);
        }
        Begin(Some(Box::pin(PgTransactionManager::begin(&mut *conn, None)))).await?;
        Ok(Some(Self { conn, depth }))
    }

    /// Makes what was done part of the transaction around.
    ///
    /// sqlx's own release is no better to drop half-way than its begin: it would undo a savepoint that is gone, which is
    /// an error, and errors end the transaction. So another savepoint takes the place of the released one, for sqlx to
    /// undo in either case.
    pub(crate) async fn release(self) -> sqlx::Result<()> {
        let (mark, release) = (begin_ansi_transaction_sql(self.depth), commit_ansi_transaction_sql(self.depth + 1));
        let (mark, release) = (mark.as_str(), release.as_str());
        self.conn.execute(AssertSqlSafe(format!("{release}; {mark}"))).await?;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        // Queued ahead of whatever the host does next on this connection.
        PgTransactionManager::start_rollback(self.conn);
    }
}

/// `begin` of sqlx 0.9.0, which may be dropped half-way: it would roll back not its savepoint but the transaction around
/// it. So it is forgotten instead, which leaves behind some bytes, and a savepoint that nobody minds.
struct Begin<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for Begin<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(begin) = &mut self.0 else { return Poll::Pending };
        let result = begin.as_mut().poll(context);
        if result.is_ready() {
            self.0 = None;
        }
        result
    }
}

impl<F> Drop for Begin<F> {
    fn drop(&mut self) {
        if let Some(begin) = self.0.take() {
            std::mem::forget(begin);
        }
    }
}
