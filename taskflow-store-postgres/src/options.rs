//! How a database is reached: options, time-outs and pools.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use taskflow_core::StoreError;

use crate::error::store_error;

/// How a database is reached.
#[derive(Debug, Clone)]
pub struct PgOptions {
    pub(crate) acquire_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    pub(crate) idle_in_transaction_timeout: Duration,
    pub(crate) connections: u32,
    pub(crate) migrates: bool,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self {
            acquire_timeout: Duration::from_secs(5),
            answer_timeout: ANSWER_TIMEOUT,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(30),
            connections: 16,
            migrates: true,
        }
    }
}

/// Below five seconds, so that whoever waits for us that long still gets an answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4500);

impl PgOptions {
    /// How long a call waits for a connection before it is `Unavailable`; 5 s unless told. Connecting counts.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// How long a call may take altogether before it is `Unavailable`, however dead or frozen the server is; 4.5 s unless
    /// told.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// When the server gives up a statement; 30 s unless told.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// When the server gives up waiting for a lock; 5 s unless told.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// When the server ends a session that does nothing in an open transaction, for example of a node that was cut off;
    /// 30 s unless told.
    #[must_use]
    pub fn idle_in_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.idle_in_transaction_timeout = timeout;
        self
    }

    /// How many connections there may be, at least one; 16 unless told.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Connects to the database as it is, without running migrations.
    #[must_use]
    pub fn without_migrating(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// What every connection asks the server for.
    pub(crate) fn target(&self, url: &str) -> Result<PgConnectOptions, StoreError> {
        let target = PgConnectOptions::from_str(url).map_err(store_error)?;
        Ok(target.application_name("taskflow").options([
            ("statement_timeout", self.statement_timeout.as_millis()),
            ("lock_timeout", self.lock_timeout.as_millis()),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction_timeout.as_millis()),
            // A server that lost its client without a word finds out within a minute and frees its locks.
            ("tcp_keepalives_idle", 30),
            ("tcp_keepalives_interval", 10),
            ("tcp_keepalives_count", 3),
        ]))
    }

    pub(crate) fn pool(&self) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| Box::pin(crate::connection::is_fit(conn, meta.idle_for)))
    }
}
