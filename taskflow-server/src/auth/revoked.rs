//! The sessions that have ended while access tokens of them are still valid.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::stream::BoxStream;
use taskflow_core::ports::{Accounts, Clock, EventBus, Signal};
use taskflow_core::{SessionId, StoreError, Timestamp, UserId};
use taskflow_runtime::live::{SessionCheck, SessionClaims, SessionsUnavailable};
use tokio::sync::Notify;

/// The interval between two reads of the store.
const INTERVAL: Duration = Duration::from_millis(500);
/// The shortest such interval, however often other nodes say that sessions have ended.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// Maximum duration of a read.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The age of the last read from which on no token is accepted.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Overlap of reads: the clocks of other nodes may be behind by as much, and a commit may come later than the time it
/// records.
const LOOKBACK: Duration = Duration::from_mins(5);
/// The interval between full reads, which look back over the lifetime of a token and find what clocks have hidden from
/// the others.
const FULL_INTERVAL: Duration = Duration::from_secs(10);

/// The sessions that ended within the lifetime of an access token, on any node: checking a token is a matter of memory.
///
/// Sessions that were ended while their access tokens may still be valid.
///
/// A session that ends on this node is rejected at once ([`RevocationBus`]). Sessions that end on other nodes are found
/// by reading the store: every half second, and at once when another node sends a notification. A notification is only
/// a reason to read the store, because anyone who may connect to the database may send one.
///
/// The clocks of nodes may differ by five minutes. For the lifetime of an access token, ended sessions are found within
/// ten seconds. A clock that jumps, or a machine that was suspended, does not lose any.
pub struct RevocationList {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
    /// Period that a full read covers.
    window: Duration,
    state: RwLock<State>,
    /// Notified when another node says that sessions have ended.
    wake: Notify,
}

#[derive(Default)]
struct State {
    /// Sessions that ended, and when that was learned last, by the monotonic clock.
    sessions: HashMap<SessionId, Duration>,
    /// People all of whose sessions were ended here. The next full read names the sessions and replaces this entry.
    people: HashMap<UserId, Mark>,
    /// The time at which the last successful read began; `None` before the first.
    refreshed: Option<Instants>,
    /// The time at which the last full read began.
    fully_refreshed: Option<Instants>,
}

struct Mark {
    /// Tokens issued until then are not valid. The ends of the sessions are stored with this time.
    until: Timestamp,
    /// The time at which it was made, by the monotonic clock.
    noted: Duration,
}

/// The time by both clocks: one of them jumps, the other stands still while the machine is suspended.
#[derive(Clone, Copy)]
struct Instants {
    wall: Timestamp,
    monotonic: Duration,
}

impl Instants {
    fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// Returns how much time may have passed, by the clock that says more.
    fn since(self, earlier: Self) -> Duration {
        self.wall.since(earlier.wall).max(self.monotonic.saturating_sub(earlier.monotonic))
    }
}

impl RevocationList {
    /// Creates a list that accepts no token before the first [`refresh`](Self::refresh) from `accounts`, which must answer
    /// however busy the store is. `access_lifetime` is that of access tokens.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>, access_lifetime: Duration) -> Self {
        Self { accounts, clock, window: access_lifetime + LOOKBACK, state: RwLock::default(), wake: Notify::new() }
    }

    /// Records what this node ended.
    fn end(&self, user: UserId, only: Option<SessionId>, at: Timestamp) {
        let mut state = self.write();
        // Not before the lock is held: a read that has not seen the mark must not take it for an older one.
        let noted = self.clock.monotonic();
        match only {
            Some(session) => {
                state.sessions.insert(session, noted);
            }
            None => {
                state.people.insert(user, Mark { until: at, noted });
            }
        }
    }

    /// Reads the sessions that ended lately; the first time, and every ten seconds, over the lifetime of a token.
    ///
    /// # Errors
    ///
    /// When the store fails or does not answer in time.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let began = Instants::now(&*self.clock);
        let (deep, since) = self.read().reach(began, self.window);
        let ended = tokio::time::timeout(TIMEOUT, self.accounts.ended_sessions(since)).await;
        let ended = ended.map_err(|elapsed| StoreError::Unavailable(elapsed.into()))??;
        let mut state = self.write();
        state.sessions.extend(ended.into_iter().map(|session| (session, began.monotonic)));
        // Tokens of what was not learned of again for so long have expired, also by a clock that was set back meanwhile.
        state.sessions.retain(|_, noted| began.monotonic.saturating_sub(*noted) <= self.window);
        state.refreshed = Some(began);
        if deep {
            // What was committed before the read began is among the sessions.
            state.people.retain(|_, mark| mark.noted >= began.monotonic);
            state.fully_refreshed = Some(began);
        }
        Ok(())
    }

    /// Refreshes the list forever.
    pub async fn watch(self: Arc<Self>) {
        self.watch_every(INTERVAL).await;
    }

    async fn watch_every(&self, pause: Duration) {
        let mut failing = false;
        loop {
            tokio::time::sleep(MIN_INTERVAL).await;
            // It makes no difference which of the two ends the wait.
            let _ = tokio::time::timeout(pause.saturating_sub(MIN_INTERVAL), self.wake.notified()).await;
            match self.refresh().await {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("ended sessions can be read again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "ended sessions cannot be read; soon nobody is let in");
                    }
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionCheck for RevocationList {
    /// Fails when the store could not be read for five seconds, by each of the two clocks.
    fn is_open(&self, claims: &SessionClaims) -> Result<bool, SessionsUnavailable> {
        let now = Instants::now(&*self.clock);
        let state = self.read();
        if !state.is_fresh(now) {
            return Err(SessionsUnavailable);
        }
        let ended_here = state.people.get(&claims.user).is_some_and(|mark| claims.issued_at <= mark.until);
        Ok(!ended_here && !state.sessions.contains_key(&claims.session))
    }

    fn is_available(&self) -> bool {
        self.read().is_fresh(Instants::now(&*self.clock))
    }
}

impl State {
    fn is_fresh(&self, now: Instants) -> bool {
        self.refreshed.is_some_and(|at| now.since(at) <= MAX_AGE)
    }

    /// Returns whether a read that begins now is a full one, and how far it looks back.
    fn reach(&self, now: Instants, window: Duration) -> (bool, Timestamp) {
        if self.fully_refreshed.is_some_and(|at| now.since(at) < FULL_INTERVAL) {
            return (false, now.wall - LOOKBACK);
        }
        // Our own clock may have jumped since a mark was made.
        let marks = self.people.values().map(|mark| mark.until);
        (true, marks.fold(now.wall - window, Timestamp::min))
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoked").field("sessions", &self.read().sessions.len()).finish_non_exhaustive()
    }
}

/// A bus that tells [`RevocationList`] what this node ends before whoever ended it gets an answer, and when to look at what ended
/// elsewhere. Publishing never waits, so the next request cannot be faster.
pub struct RevocationBus {
    bus: Arc<dyn EventBus>,
    revoked: Arc<RevocationList>,
}

impl RevocationBus {
    /// Publishes on `bus`.
    #[must_use]
    pub fn new(bus: Arc<dyn EventBus>, revoked: Arc<RevocationList>) -> Self {
        Self { bus, revoked }
    }
}

impl EventBus for RevocationBus {
    fn publish(&self, signals: &[Signal]) {
        for signal in signals {
            match signal {
                Signal::SessionsEnded { user, only, at } => self.revoked.end(*user, *only, *at),
                Signal::SessionsEndedElsewhere | Signal::Missed => self.revoked.wake.notify_one(),
                _ => {}
            }
        }
        self.bus.publish(signals);
    }

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        self.bus.subscribe()
    }
}

#[cfg(test)]
mod tests;
