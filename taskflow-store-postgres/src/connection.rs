//! Borrowing connections so that nobody ever gets one that is dead or in somebody else's transaction.

use std::pin::Pin;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Row};

use crate::error::is_lost;

/// Work on a connection.
pub(crate) type Work<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// A connection that was not used for this long is asked before it is used.
const RESTED: Duration = Duration::from_secs(1);

/// Returns whether a pooled connection may be handed out: it answers, and it has no open transaction.
///
/// One that was used a moment ago is fit: what is lost is not put back, and [`Borrowed`] never leaves anything half
/// done. So a busy pool pays nothing for this.
pub(crate) async fn is_fit(conn: &mut PgConnection, idle_for: Duration) -> sqlx::Result<bool> {
    if idle_for < RESTED {
        return Ok(true);
    }
    let fit: bool = sqlx::raw_sql(IS_FIT).fetch_one(conn).await?.try_get(0)?;
    if !fit {
        tracing::warn!("a transaction was left open; its connection is replaced");
    }
    Ok(fit)
}

/// Outside a transaction a statement is one by itself, and they begin at the same time. A `ROLLBACK` would do as well, but
/// the server writes a warning into its log each time there is nothing to roll back. It must be sent as a simple query: of
/// a prepared one the execution begins a little later than the transaction around it.
const IS_FIT: &str = "SELECT pg_catalog.now() = pg_catalog.statement_timestamp()";

/// Whether a connection of the pool is assumed to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The pool.
    Pool,
    /// Nobody: the last one was of no use, and the others may have met the same fate. Each has to answer first.
    Nobody,
}

/// A connection of the pool that goes back only in good order.
pub(crate) struct Borrowed {
    conn: Option<PoolConnection<Postgres>>,
    /// Maximum time to wait for the rest of an abandoned response; `None` if it is not waited for.
    patience: Option<Duration>,
    in_order: bool,
}

impl Borrowed {
    /// For reading, after which a connection is as good as before, even when nobody has waited for all of the answer.
    pub(crate) async fn to_read(pool: &PgPool, trust: Trust, patience: Duration) -> sqlx::Result<Self> {
        Self::borrow(pool, trust, Some(patience)).await
    }

    /// For a transaction, of which nothing is known any more when it is dropped half-way.
    pub(crate) async fn to_write(pool: &PgPool, trust: Trust) -> sqlx::Result<Self> {
        Self::borrow(pool, trust, None).await
    }

    async fn borrow(pool: &PgPool, trust: Trust, patience: Option<Duration>) -> sqlx::Result<Self> {
        // As many as there can be may be dead, and what comes after them is new.
        let mut suspects = if trust == Trust::Pool { 0 } else { pool.options().get_max_connections() };
        loop {
            let mut borrowed = Self { conn: Some(pool.acquire().await?), patience, in_order: false };
            if suspects == 0 || is_fit(borrowed.get()?, RESTED).await.unwrap_or(false) {
                return Ok(borrowed);
            }
            borrowed.discard();
            suspects -= 1;
        }
    }

    /// The connection itself; absent only while it is dropped.
    pub(crate) fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.conn.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Puts it back, unless the error says that it was lost: then it is closed.
    pub(crate) fn put_back(mut self, error: Option<&sqlx::Error>) {
        if error.is_some_and(is_lost) {
            return self.discard();
        }
        self.in_order = true;
    }

    fn discard(mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
        self.in_order = true;
    }
}

impl Drop for Borrowed {
    /// Somebody stopped waiting in the middle of an answer. The pool would wait for the rest of it, for ever if the server
    /// is gone, and one connection less would be left.
    fn drop(&mut self) {
        if self.in_order {
            return;
        }
        let Some(mut conn) = self.conn.take() else { return };
        let (Some(patience), Ok(runtime)) = (self.patience, tokio::runtime::Handle::try_current()) else {
            return conn.close_on_drop();
        };
        runtime.spawn(async move {
            if !matches!(tokio::time::timeout(patience, conn.ping()).await, Ok(Ok(()))) {
                conn.close_on_drop();
            }
        });
    }
}
