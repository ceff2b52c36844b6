//! Live feeds: the connections of this node, and what enters the feeds that they follow.
//!
//! The feed in the store is the truth. A [`Signal`] only says whose feed to read now; a lost one costs seconds, because the
//! ends of all followed feeds are compared anyway. Each connection has a [`FeedCursor`], which reads what the connection
//! was not handed, so that nobody misses an entry or receives one twice.
//!
//! The registry knows no protocol: a host brings an [`Encoder`] for its messages and a [`SessionCheck`] for its sessions,
//! and moves messages from cursors to sockets.

mod cursor;
mod message;
mod queue;
mod registry;
mod session;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use taskflow_core::ports::{EVENT_BYTES, EventBus, Signal};
use taskflow_core::{App, Error, FeedEntry, Follower, UserId};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub use self::cursor::FeedCursor;
pub use self::message::{Encoder, Message};
use self::queue::Receiver;
use self::registry::ConnectionRegistry;
pub use self::session::{Disconnect, SessionCheck, SessionClaims, SessionsUnavailable};
pub use self::topics::{Topic, Topics};

/// The interval at which the ends of all followed feeds are compared, whatever the bus says.
const HEADS: Duration = Duration::from_secs(5);
/// The shortest time between two such comparisons when the bus says that signals were missed.
const HEADS_PACE: Duration = Duration::from_millis(250);
/// The interval at which connections are checked for sessions that ended on other nodes.
const SESSIONS: Duration = Duration::from_millis(250);
/// Feeds read in one statement, and entries of each.
const FEEDS: usize = 256;
const HANDED: u32 = 25;
/// Feeds whose ends are read in one statement.
const MANY_FEEDS: usize = 4096;
/// Entries in a page that a connection reads when it catches up.
const PAGE: u32 = 100;
/// Connections that catch up at the same time: they must not occupy the whole store.
const CATCHING_UP: usize = 4;
/// The wait after the store has failed, and how often it may fail before a connection is closed.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 4;

/// The connections of this node and the feeds they follow.
pub struct Live {
    app: Arc<App>,
    bus: Arc<dyn EventBus>,
    sessions: Arc<dyn SessionCheck>,
    encoder: Arc<dyn Encoder>,
    registry: Mutex<ConnectionRegistry>,
    /// Notified when there is a feed to read.
    dirty: Notify,
    /// Notified when the ends of all feeds should be compared.
    missed: Notify,
    catching_up: Semaphore,
    closing: CancellationToken,
    /// Connections that are open.
    running: TaskTracker,
}

/// The place of an open connection in the registry. Dropping it gives the place up.
#[derive(Debug)]
pub struct ConnectionGuard {
    live: Arc<Live>,
    user: UserId,
    number: u64,
    ended: oneshot::Receiver<Disconnect>,
}

impl Live {
    /// Creates a registry without connections.
    #[must_use]
    pub fn new(
        app: Arc<App>,
        bus: Arc<dyn EventBus>,
        sessions: Arc<dyn SessionCheck>,
        encoder: Arc<dyn Encoder>,
    ) -> Self {
        Self {
            app,
            bus,
            sessions,
            encoder,
            registry: Mutex::default(),
            dirty: Notify::new(),
            missed: Notify::new(),
            catching_up: Semaphore::new(CATCHING_UP),
            closing: CancellationToken::new(),
            running: TaskTracker::new(),
        }
    }

    /// Hands feed entries to connections until [`close`](Self::close).
    pub async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = async { tokio::join!(self.follow_signals(), self.check_sessions(), self.hand_out()); } => {}
        }
    }

    /// Admits no more connections, tells the open ones that the process stops, and waits until they are closed. May be
    /// called again.
    pub async fn close(&self) {
        self.closing.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// Admits a connection of this session.
    ///
    /// # Errors
    ///
    /// [`Disconnect::TooMany`], [`Disconnect::Full`] and [`Disconnect::GoingAway`].
    pub fn enter(self: &Arc<Self>, token: SessionClaims) -> Result<ConnectionGuard, Disconnect> {
        if self.closing.is_cancelled() {
            return Err(Disconnect::GoingAway);
        }
        let (end, ended) = oneshot::channel();
        let number = self.registry().take(token, end)?;
        Ok(ConnectionGuard { live: Arc::clone(self), user: token.user, number, ended })
    }

    /// Returns a token that keeps [`close`](Self::close) waiting until it is dropped.
    pub fn hold_open(&self) -> TaskTrackerToken {
        self.running.token()
    }

    /// Returns once [`close`](Self::close) was called.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    fn admits(&self, token: &SessionClaims) -> Result<(), Disconnect> {
        match self.sessions.is_open(token) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Disconnect::SignedOut),
            Err(_) => Err(Disconnect::Unavailable),
        }
    }

    async fn follow_signals(&self) {
        let mut signals = self.bus.subscribe();
        while let Some(signal) = signals.next().await {
            match signal {
                Signal::Announced(announcement) => self.mark(&announcement.audience),
                Signal::FeedsGrew(owners) => self.mark(&owners),
                Signal::ReminderSent(reminder) => {
                    let admitted = |token: &SessionClaims| self.admits(token).is_ok();
                    self.registry().hand(reminder.user, admitted, &[self.encoder.reminder_message(&reminder)]);
                }
                Signal::SessionsEnded { user, .. } => self.registry().end_of(user, |token| self.admits(token).err()),
                Signal::Missed => self.missed.notify_one(),
                _ => {}
            }
        }
        // The bus is gone; comparing the ends of feeds goes on.
        std::future::pending::<()>().await;
    }

    fn mark(&self, owners: &[UserId]) {
        if self.registry().mark(owners) {
            self.dirty.notify_one();
        }
    }

    /// A session that cannot be checked for now stays, and is handed nothing meanwhile.
    async fn check_sessions(&self) {
        let mut ticks = tokio::time::interval(SESSIONS);
        loop {
            ticks.tick().await;
            let ended = |token: &SessionClaims| {
                matches!(self.sessions.is_open(token), Ok(false)).then_some(Disconnect::SignedOut)
            };
            self.registry().end(ended);
        }
    }

    async fn hand_out(&self) {
        let (mut compared, mut compare_at) = (Instant::now(), Instant::now());
        let mut failing = false;
        loop {
            let result = tokio::select! {
                () = self.dirty.notified() => self.read_dirty().await,
                () = sleep_until(compare_at) => {
                    compared = Instant::now();
                    compare_at = compared + HEADS;
                    self.compare_heads().await
                }
                () = self.missed.notified() => {
                    compare_at = compare_at.min(compared + HEADS_PACE);
                    Ok(())
                }
            };
            match result {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("feeds can be read again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "feeds cannot be read; screens wait until they can");
                    }
                    sleep(PAUSE).await;
                    // Signals may have been missed meanwhile.
                    compare_at = Instant::now();
                }
            }
        }
    }

    async fn compare_heads(&self) -> Result<(), Error> {
        let owners = self.registry().followed();
        for owners in owners.chunks(MANY_FEEDS) {
            let heads = self.app.feed().heads(owners).await?;
            self.registry().compare(&heads);
        }
        self.read_dirty().await
    }

    /// Reads one batch, so that the comparison of ends has its turn between two.
    async fn read_dirty(&self) -> Result<(), Error> {
        let followers = self.registry().take_dirty(FEEDS);
        if followers.is_empty() {
            return Ok(());
        }
        let entries = match self.read(&followers).await {
            Ok(entries) => entries,
            Err(error) => {
                self.registry().mark(followers.iter().map(|follower| &follower.owner));
                return Err(error);
            }
        };
        let mut messages: HashMap<UserId, Vec<Message>> = HashMap::new();
        for (owner, entry) in &entries {
            messages.entry(*owner).or_default().push(self.encoder.entry_message(entry));
        }
        for follower in followers {
            let theirs = messages.remove(&follower.owner).unwrap_or_default();
            let bytes: usize = theirs.iter().map(|message| message.text.len()).sum();
            let more = theirs.len() == HANDED as usize || bytes >= EVENT_BYTES;
            let admitted = |token: &SessionClaims| self.admits(token).is_ok();
            let resync = |seq| self.encoder.resync_message(seq);
            self.registry().advance(follower, admitted, resync, theirs, more);
        }
        if self.registry().is_dirty() {
            self.dirty.notify_one();
        }
        Ok(())
    }

    /// Fails while nobody can tell which sessions are open: nothing is handed out meanwhile.
    async fn read(&self, followers: &[Follower]) -> Result<Vec<(UserId, FeedEntry)>, Error> {
        if !self.sessions.is_available() {
            return Err(Error::Unavailable("ended sessions cannot be read".into()));
        }
        match self.app.feed().follow(followers, HANDED).await {
            Err(Error::Internal(_)) => self.read_one_by_one(followers).await,
            read => read,
        }
    }

    /// A feed that cannot be decoded, for example because a node of a later version wrote it, must not block the others.
    async fn read_one_by_one(&self, followers: &[Follower]) -> Result<Vec<(UserId, FeedEntry)>, Error> {
        let mut entries = Vec::new();
        for follower in followers {
            match self.app.feed().follow(std::slice::from_ref(follower), HANDED).await {
                Ok(theirs) => entries.extend(theirs),
                Err(error @ Error::Unavailable(_)) => return Err(error),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(user = %follower.owner, error, "a feed cannot be read; who follows it is sent away");
                    self.registry().end_of(follower.owner, |_| Some(Disconnect::Unavailable));
                }
            }
        }
        Ok(entries)
    }

    /// Subscribes a connection to everything that enters the feed after the returned sequence.
    async fn follow(&self, user: UserId, number: u64) -> Result<(Receiver, u64), Error> {
        loop {
            if let Some(joined) = self.registry().follow(user, number) {
                return Ok(joined);
            }
            let heads = self.app.feed().heads(&[user]).await?;
            // What was committed since then is not included, and its signal may have passed already.
            self.registry().compare_first(user, heads.get(&user).copied().unwrap_or(0));
            self.dirty.notify_one();
        }
    }

    fn registry(&self) -> MutexGuard<'_, ConnectionRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionGuard {
    /// Replaces the token by another one of the same person.
    fn renew(&self, token: SessionClaims) {
        self.live.registry().renew(self.number, token);
    }

    /// Returns why the connection must close, if it must.
    fn has_ended(&mut self) -> Option<Disconnect> {
        match self.ended.try_recv() {
            Ok(ended) => Some(ended),
            Err(TryRecvError::Closed) => Some(Disconnect::GoingAway),
            Err(TryRecvError::Empty) => self.live.closing.is_cancelled().then_some(Disconnect::GoingAway),
        }
    }

    /// Waits until the connection must close, and returns why.
    async fn ended(&mut self) -> Disconnect {
        tokio::select! {
            biased;
            ended = &mut self.ended => ended.unwrap_or(Disconnect::GoingAway),
            () = self.live.closing.cancelled() => Disconnect::GoingAway,
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.live.registry().leave(self.user, self.number);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("connections", &self.registry().taken()).finish_non_exhaustive()
    }
}
