//! Screens that follow along: who is connected to this node, and handing each what enters their feed.
//!
//! The feed in the store is the truth. A [`Signal`] only says whose feed to read now; those that are lost cost seconds, since
//! the ends of all feeds that somebody follows here are looked at anyway. What a connection has not been handed is read by
//! its [`Reader`], so that nobody misses an entry or gets one twice.

mod ending;
mod message;
mod queue;
mod reader;
mod request;
mod seats;
mod socket;
mod stream;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use taskflow_core::ports::{EventBus, Signal};
use taskflow_core::{App, Error, FeedEntry, Follower, UserId};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::ending::CloseReason;
pub(crate) use self::message::Message;
use self::queue::Outlet;
pub(crate) use self::reader::Reader;
use self::seats::ConnectionRegistry;
pub(crate) use self::socket::Sockets;
pub(crate) use self::topics::Topics;
use crate::auth::{RevocationList, Verified};

/// How often the ends of all feeds that somebody follows are looked at, whatever the bus says.
const HEADS: Duration = Duration::from_secs(5);
/// And how soon again at the earliest when the bus says that something was missed.
const HEADS_PACE: Duration = Duration::from_millis(250);
/// How often connections are looked through for sessions that ended on other nodes.
const SESSIONS: Duration = Duration::from_millis(250);
/// Feeds read at once, and entries of each of them.
const FEEDS: usize = 256;
const HANDED: u32 = 25;
/// Feeds whose ends are looked at at once.
const MANY_FEEDS: usize = 4096;
/// Entries of a feed that a connection reads at once when it catches up.
const PAGE: u32 = 100;
/// Connections that catch up at once: they must not take all of the store.
const CATCHING_UP: usize = 4;
/// Streams of events at once: unlike a WebSocket each keeps one of the connections that all requests share.
const STREAMS: usize = 2_048;
/// How long to wait after the store has failed, and how often it may before a connection is asked to come back later.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 4;

/// Everybody who follows along on this node.
pub struct Live {
    app: Arc<App>,
    bus: Arc<dyn EventBus>,
    revoked: Arc<RevocationList>,
    seats: Mutex<ConnectionRegistry>,
    /// There is something to read.
    stale: Notify,
    /// The ends of all feeds should be looked at now.
    missed: Notify,
    catching_up: Semaphore,
    streams: Arc<Semaphore>,
    closing: CancellationToken,
    /// Conversations under way.
    running: TaskTracker,
}

/// What a connection has while it is open. Dropping it gives the place up.
pub(crate) struct ConnectionGuard {
    live: Arc<Live>,
    user: UserId,
    number: u64,
    ended: oneshot::Receiver<CloseReason>,
}

impl Live {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new(app: Arc<App>, bus: Arc<dyn EventBus>, revoked: Arc<RevocationList>) -> Self {
        Self {
            app,
            bus,
            revoked,
            seats: Mutex::default(),
            stale: Notify::new(),
            missed: Notify::new(),
            catching_up: Semaphore::new(CATCHING_UP),
            streams: Arc::new(Semaphore::new(STREAMS)),
            closing: CancellationToken::new(),
            running: TaskTracker::new(),
        }
    }

    /// Hands out what enters feeds, until [closed](Self::close).
    pub async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = async { tokio::join!(self.heed_signals(), self.look_at_sessions(), self.hand_out()); } => {}
        }
    }

    /// Lets nobody in any more, tells everybody who is connected to come back later, and waits until they have left.
    pub async fn close(&self) {
        self.closing.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// Takes a seat for whoever shows this token.
    pub(crate) fn enter(self: &Arc<Self>, token: Verified) -> Result<ConnectionGuard, CloseReason> {
        if self.closing.is_cancelled() {
            return Err(CloseReason::GoingAway);
        }
        let (end, ended) = oneshot::channel();
        let number = self.seats().take(token, end)?;
        Ok(ConnectionGuard { live: Arc::clone(self), user: token.user, number, ended })
    }

    fn admits(&self, token: &Verified) -> Result<(), CloseReason> {
        match self.revoked.admits(token) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CloseReason::SignedOut),
            Err(_) => Err(CloseReason::Unavailable),
        }
    }

    async fn heed_signals(&self) {
        let mut signals = self.bus.subscribe();
        while let Some(signal) = signals.next().await {
            match signal {
                Signal::Announced(announcement) => self.mark(&announcement.audience),
                Signal::FeedsGrew(owners) => self.mark(&owners),
                Signal::ReminderSent(reminder) => {
                    let admitted = |token: &Verified| self.admits(token).is_ok();
                    self.seats().hand(reminder.user, admitted, &[Message::reminder(&reminder)]);
                }
                Signal::SessionsEnded { user, .. } => self.seats().end_of(user, |token| self.admits(token).err()),
                Signal::Missed => self.missed.notify_one(),
                _ => {}
            }
        }
        // The bus is gone; looking at the ends of feeds goes on.
        std::future::pending::<()>().await;
    }

    fn mark(&self, owners: &[UserId]) {
        if self.seats().mark(owners) {
            self.stale.notify_one();
        }
    }

    /// Whoever cannot be looked up for the moment stays, and is handed nothing meanwhile.
    async fn look_at_sessions(&self) {
        let mut looks = tokio::time::interval(SESSIONS);
        loop {
            looks.tick().await;
            let ended =
                |token: &Verified| matches!(self.revoked.admits(token), Ok(false)).then_some(CloseReason::SignedOut);
            self.seats().end(ended);
        }
    }

    async fn hand_out(&self) {
        let (mut looked, mut look_at) = (Instant::now(), Instant::now());
        let mut failing = false;
        loop {
            let result = tokio::select! {
                () = self.stale.notified() => self.read_what_is_stale().await,
                () = sleep_until(look_at) => {
                    looked = Instant::now();
                    look_at = looked + HEADS;
                    self.look_at_heads().await
                }
                () = self.missed.notified() => {
                    look_at = look_at.min(looked + HEADS_PACE);
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
                    // Nobody knows what was missed meanwhile.
                    look_at = Instant::now();
                }
            }
        }
    }

    async fn look_at_heads(&self) -> Result<(), Error> {
        let owners = self.seats().followed();
        for owners in owners.chunks(MANY_FEEDS) {
            let heads = self.app.feed_heads(owners).await?;
            self.seats().compare(&heads);
        }
        self.read_what_is_stale().await
    }

    /// Reads once, so that between two times the ends of feeds have their turn.
    async fn read_what_is_stale(&self) -> Result<(), Error> {
        let followers = self.seats().stale(FEEDS);
        if followers.is_empty() {
            return Ok(());
        }
        let entries = match self.read(&followers).await {
            Ok(entries) => entries,
            Err(error) => {
                self.seats().mark(followers.iter().map(|follower| &follower.owner));
                return Err(error);
            }
        };
        let mut messages: HashMap<UserId, Vec<Message>> = HashMap::new();
        for (owner, entry) in &entries {
            messages.entry(*owner).or_default().push(Message::entry(entry));
        }
        for follower in followers {
            let theirs = messages.remove(&follower.owner).unwrap_or_default();
            let more = theirs.len() == HANDED as usize;
            let admitted = |token: &Verified| self.admits(token).is_ok();
            self.seats().advance(follower, admitted, theirs, more);
        }
        if self.seats().is_stale() {
            self.stale.notify_one();
        }
        Ok(())
    }

    /// Nobody is handed anything while nobody can tell who is still signed in.
    async fn read(&self, followers: &[Follower]) -> Result<Vec<(UserId, FeedEntry)>, Error> {
        if !self.revoked.sees() {
            return Err(Error::Unavailable("ended sessions cannot be read".into()));
        }
        match self.app.follow(followers, HANDED).await {
            Err(Error::Internal(_)) => self.read_one_by_one(followers).await,
            read => read,
        }
    }

    /// One feed that cannot be understood, as when another node of a later version has written it, keeps nobody else waiting.
    async fn read_one_by_one(&self, followers: &[Follower]) -> Result<Vec<(UserId, FeedEntry)>, Error> {
        let mut entries = Vec::new();
        for follower in followers {
            match self.app.follow(std::slice::from_ref(follower), HANDED).await {
                Ok(theirs) => entries.extend(theirs),
                Err(error @ Error::Unavailable(_)) => return Err(error),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(user = %follower.owner, error, "a feed cannot be read; who follows it is sent away");
                    self.seats().end_of(follower.owner, |_| Some(CloseReason::Unavailable));
                }
            }
        }
        Ok(entries)
    }

    /// Has everything handed to a connection that enters the feed after the sequence that is returned.
    async fn follow(&self, user: UserId, number: u64) -> Result<(Outlet, u64), Error> {
        loop {
            if let Some(joined) = self.seats().follow(user, number) {
                return Ok(joined);
            }
            let heads = self.app.feed_heads(&[user]).await?;
            // What was committed since then is not in it, and its signal may be over already.
            self.seats().compare_first(user, heads.get(&user).copied().unwrap_or(0));
            self.stale.notify_one();
        }
    }

    fn seats(&self) -> MutexGuard<'_, ConnectionRegistry> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionGuard {
    /// Goes on with another token of the same person.
    fn renew(&self, token: Verified) {
        self.live.seats().renew(self.number, token);
    }

    /// Why the conversation must end, if it must.
    fn has_ended(&mut self) -> Option<CloseReason> {
        match self.ended.try_recv() {
            Ok(ended) => Some(ended),
            Err(TryRecvError::Closed) => Some(CloseReason::GoingAway),
            Err(TryRecvError::Empty) => self.live.closing.is_cancelled().then_some(CloseReason::GoingAway),
        }
    }

    /// Why the conversation must end, once it must.
    async fn ended(&mut self) -> CloseReason {
        tokio::select! {
            biased;
            ended = &mut self.ended => ended.unwrap_or(CloseReason::GoingAway),
            () = self.live.closing.cancelled() => CloseReason::GoingAway,
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.live.seats().leave(self.user, self.number);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("connections", &self.seats().taken()).finish_non_exhaustive()
    }
}
