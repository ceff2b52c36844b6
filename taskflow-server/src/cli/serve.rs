//! `taskflow serve`: start, run, stop.

mod announce;
mod listen;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::config::Config;
use crate::http;
use crate::wiring;
use announce::First;

/// Maximum time for requests and mail in progress after the signal. The rest of the thirty seconds is for closing the
/// database.
const GRACE: Duration = Duration::from_secs(25);
/// Number of open files and connections to request from the operating system.
const DESCRIPTORS: u64 = 16_384;
/// Maximum time for closing the database.
const CLOSING: Duration = Duration::from_secs(3);

pub(super) async fn run(config: Arc<Config>) -> Result<(), Failure> {
    // A connection is a descriptor, and the usual limit is far below what the listener takes.
    if let Err(error) = rlimit::increase_nofile_limit(DESCRIPTORS) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    // The address first: when it is taken, another server probably uses the same database.
    let socket = listen::bind(&config).await?;
    let port = listen::port(&socket)?;
    let config = Arc::new(Config::clone(&config).listening_on(port));
    let database_is_new = config.database.file().is_some_and(|file| !file.exists());
    let opened = wiring::open_to_serve(&config).await?;
    let no_account = opened.app.accounts().list_after(None, 1).await.is_ok_and(|users| users.is_empty());
    let mut signals = Signals::new()?;

    let stop = CancellationToken::new();
    let listener = listen::listen(socket, &config)?;
    let server = tokio::spawn(http::serve(Arc::new(opened.service()), listener, stop.clone()));
    let mut runtime = opened.runtime().start();
    opened.checkpoint_when_idle(stop.clone());
    announce::started(&config, &First { database: database_is_new, account: no_account });

    let mut server = server;
    let ended_early = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping: requests are finished, mail under way is settled");
            None
        }
        ended = &mut server => Some(ended),
    };
    stop.cancel();
    runtime.stop();
    let settling = async {
        let server = async {
            match ended_early {
                Some(ended) => ended,
                None => server.await,
            }
        };
        tokio::time::timeout(GRACE, async { tokio::join!(server, runtime.settled()).0 }).await
    };
    let ended = tokio::select! {
        ended = settling => ended,
        signal = signals.next() => {
            tracing::warn!(signal, "stopping at once; mail under way may be sent again");
            std::process::exit(FORCED);
        }
    };
    // What has not ended by now is cut off below.
    runtime.shutdown(Duration::ZERO).await;
    if tokio::time::timeout(CLOSING, opened.close()).await.is_err() {
        tracing::warn!("the database did not close in time; it recovers at the next start");
    }
    match ended {
        Ok(Ok(Ok(()))) => tracing::info!("stopped"),
        Ok(Ok(Err(error))) => return Err(Failure::of("the server stopped listening", &error)),
        Ok(Err(error)) => return Err(Failure::of("the server broke off", &error)),
        Err(_) => {
            let seconds = GRACE.as_secs();
            tracing::warn!(seconds, "stopped before everything had ended; another start takes over what is left");
        }
    }
    Ok(())
}

/// The exit code after a second signal, as shells report a process that SIGINT ended.
const FORCED: i32 = 130;

/// The signals that tell a server to stop.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// The terminal was closed. A server that goes on without it would be in nobody's sight.
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| Failure::of("cannot listen to signals", &error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            // Nobody can stop it by a signal then; the process can still be ended.
            Err(_) => std::future::pending().await,
        }
    }
}
