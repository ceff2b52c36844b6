//! Connection options, time-outs and pools.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use taskflow_core::StoreError;

use crate::error::{PgStoreError, store_error};

/// Options of the connections to a database.
#[derive(Debug, Clone)]
pub struct PgOptions {
    pub(crate) acquire_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    pub(crate) idle_in_transaction_timeout: Duration,
    pub(crate) connections: u32,
    pub(crate) patience: Duration,
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
            patience: Duration::ZERO,
            migrates: true,
        }
    }
}

/// Below five seconds, so that whoever waits for us that long still gets an answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4500);

/// The parameters that a URL may have behind its `?`, beside `options[NAME]` for settings of the session.
pub const URL_PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Refuses a URL with a parameter that nobody would heed. Its driver writes those into the log, with their values.
fn check_parameters(url: &str) -> Result<(), StoreError> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let parameters = parameters.split('#').next().unwrap_or_default();
    let mut names =
        parameters.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
    let is_known = |name: &str| URL_PARAMETERS.contains(&name) || name.starts_with("options[") && name.ends_with(']');
    match names.find(|name| !is_known(name)) {
        Some(name) => Err(PgStoreError::Parameter(name.to_owned()).into()),
        None => Ok(()),
    }
}

impl PgOptions {
    /// Sets the maximum time that a call waits for a connection, connecting included, before it fails with
    /// `Unavailable`; default 5 seconds.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// Sets the maximum duration of a whole call before it fails with `Unavailable`, even if the server is dead or
    /// frozen; default 4.5 seconds.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// For how long [`connect`](crate::PgStore::connect) goes on trying while no server listens, or one is just starting; not
    /// at all unless told.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the time after which the server cancels a statement; default 30 seconds.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// Sets the maximum time that the server waits for a lock; default 5 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Sets the time after which the server ends a session that is idle in an open transaction, for example that of a
    /// node that was cut off; default 30 seconds.
    #[must_use]
    pub fn idle_in_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.idle_in_transaction_timeout = timeout;
        self
    }

    /// Sets the maximum number of connections, at least 1; default 16.
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

    /// Returns the connection options that every connection uses.
    pub(crate) fn target(&self, url: &str) -> Result<PgConnectOptions, StoreError> {
        check_parameters(url)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_not_known_is_refused_by_name_and_its_value_is_not_repeated() {
        let wrong = |url: &str| {
            let error = PgOptions::default().target(url).expect_err(url);
            let StoreError::Internal(source) = error else { panic!("{error:?}") };
            source.to_string()
        };
        for (url, name) in [
            ("postgres://h/d?sslmod=hunter2", "\"sslmod\""),
            ("postgres://h/d?sslmode=require&passwort=hunter2", "\"passwort\""),
            ("postgres://h/d?hunter2", "known are"),
            ("postgres://h/d?Hunter2=x", "known are"),
        ] {
            let said = wrong(url);
            assert!(said.contains(name) && said.contains("sslmode"), "{said}");
            assert!(!said.to_lowercase().contains("hunter2"), "{said}");
        }
        for parameter in URL_PARAMETERS.into_iter().chain(["options[search_path]"]) {
            let value = match parameter {
                "ssl-mode" | "sslmode" => "require",
                "hostaddr" => "127.0.0.1",
                "port" | "statement-cache-capacity" => "5432",
                _ => "x",
            };
            PgOptions::default().target(&format!("postgres://h/d?{parameter}={value}")).expect(parameter);
        }
    }
}
