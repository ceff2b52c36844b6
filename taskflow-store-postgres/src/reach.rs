//! The first connection: whether a server answers, and why not.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use taskflow_core::StoreError;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{PgStoreError, database, database_error, store_error};
use crate::options::PgOptions;

/// From one try to the next.
const PAUSE: Duration = Duration::from_millis(200);

/// Connects once. A pool would wait for a server in vain, without saying why.
pub(crate) async fn reach(target: &PgConnectOptions, options: &PgOptions) -> Result<(), StoreError> {
    let limit = options.acquire_timeout.min(options.answer_timeout);
    let end = Instant::now() + options.patience;
    let mut is_first = true;
    loop {
        let Err(error) = once(target, limit).await else { return Ok(()) };
        if !is_starting(&error) || Instant::now() >= end {
            return Err(error);
        }
        if std::mem::take(&mut is_first) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer yet; trying again");
        }
        sleep(PAUSE).await;
    }
}

async fn once(target: &PgConnectOptions, limit: Duration) -> Result<(), StoreError> {
    let place = place(target);
    if target.get_socket().is_none() {
        resolve(target, limit).await?;
    }
    match timeout(limit, target.connect()).await {
        Ok(Ok(conn)) => {
            drop(conn.close().await);
            Ok(())
        }
        Ok(Err(sqlx::Error::Io(source))) => Err(match source.kind() {
            io::ErrorKind::ConnectionRefused => PgStoreError::Refused(place),
            io::ErrorKind::NotFound if target.get_socket().is_some() => PgStoreError::NoSocket(place),
            _ => PgStoreError::Unreachable { place, source },
        }
        .into()),
        // What sqlx says when the server answers a request for TLS with `N`.
        Ok(Err(sqlx::Error::Tls(source))) if source.to_string().contains("does not support TLS") => {
            Err(PgStoreError::NoTls(place).into())
        }
        Ok(Err(error)) => Err(store_error(error)),
        Err(_) => Err(PgStoreError::Silent { place, limit }.into()),
    }
}

async fn resolve(target: &PgConnectOptions, limit: Duration) -> Result<(), PgStoreError> {
    // In a URL an address of IPv6 stands in brackets.
    let host = target.get_host().trim_matches(['[', ']']);
    let unknown = |source| PgStoreError::UnknownHost { host: host.to_owned(), source };
    match timeout(limit, tokio::net::lookup_host((host, target.get_port()))).await {
        Ok(found) => found.map(drop).map_err(unknown),
        Err(_) => Err(unknown(io::ErrorKind::TimedOut.into())),
    }
}

/// Returns whether a server that is just being started gives this error.
fn is_starting(error: &StoreError) -> bool {
    let (StoreError::Unavailable(source) | StoreError::Internal(source)) = error else { return false };
    let is_absent = matches!(source.downcast_ref(), Some(PgStoreError::Refused(_) | PgStoreError::NoSocket(_)));
    // cannot_connect_now
    is_absent || database_error(error).and_then(database).is_some_and(|error| error.code() == "57P03")
}

/// Returns the address of the server, as `host:port` or the path of its socket.
fn place(target: &PgConnectOptions) -> String {
    match target.get_socket() {
        Some(folder) => format!("{}/.s.PGSQL.{}", folder.display(), target.get_port()),
        None => format!("{}:{}", target.get_host(), target.get_port()),
    }
}
