//! Connections, requests and what every answer has in common. The operations themselves are in [`api`](crate::api).

mod admission;
mod body;
mod connection;
mod cors;
mod front;
mod headers;
mod outgoing;
mod query;
mod record;
mod routes;
mod stall;
#[cfg(test)]
mod tests;
mod work;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Connection;
use self::front::Pipeline;
use crate::limits::{Requester, Share, Shares};
use crate::service::Service;

/// Connections at a time; further ones wait in the backlog of the operating system.
const MAX_CONNECTIONS: usize = 4096;
/// Connections at a time from one address, unless it is a trusted proxy's; further ones are closed.
const MAX_FROM_ONE: usize = 1024;
/// Maximum time for requests to finish once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// Delay after the operating system refused a connection, usually because it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled, then accepts nothing more and lets what runs finish, for up to 20 seconds.
///
/// # Errors
///
/// When the listener does not work at all.
pub async fn serve(service: Arc<Service>, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    listener.local_addr()?;
    let running = TaskTracker::new();
    let cut = CancellationToken::new();
    if let Err(error) = service.auth.revoked.refresh().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "ended sessions cannot be read; nobody is let in until they can");
    }
    let watch = tokio::spawn(service.auth.revoked.clone().watch());
    let front = Arc::new(Pipeline::new(Arc::clone(&service), running.clone()));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let limits = &service.config.limits;
    let shares = Shares::new(MAX_CONNECTIONS, if limits.enabled { MAX_FROM_ONE } else { MAX_CONNECTIONS });
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        if let Some((stream, place)) = accepted {
            let peer = stream.peer_addr().map(|peer| peer.ip());
            // Nobody speaks for many but a proxy that is trusted.
            let share: Option<Share> = match peer {
                Ok(peer) if limits.proxies.trust(peer) => None,
                Ok(peer) => match shares.take(Requester::at(peer), 1) {
                    Some(share) => Some(share),
                    None => continue,
                },
                // It has left already.
                Err(_) => continue,
            };
            let connection = Connection { front: front.clone(), stop: stop.clone(), cut: cut.clone() };
            running.spawn(async move {
                connection.serve(stream).await;
                drop((place, share));
            });
        }
    }
    drop(listener);
    running.close();
    service.live.close().await;
    if tokio::time::timeout(DRAIN, running.wait()).await.is_err() {
        tracing::warn!(tasks = running.len(), "requests did not finish in time and are cut off");
        cut.cancel();
    }
    watch.abort();
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            // A client that left again is no trouble; running out of descriptors is, and must not spin.
            tracing::debug!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
