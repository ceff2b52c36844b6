//! Sign-ins that ended while access tokens of them are still around.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::stream::BoxStream;
use taskflow_core::ports::{Accounts, Clock, EventBus, Signal};
use taskflow_core::{SessionId, StoreError, Timestamp, UserId};
use tokio::sync::Notify;

use super::Verified;

/// From one look at the store to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// The same, however often it is said that sessions have ended on other nodes.
const BREATH: Duration = Duration::from_millis(50);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how long without a look tokens are no longer believed.
const LONGEST_BLINDNESS: Duration = Duration::from_secs(5);
/// How far a look reaches back: other nodes' clocks may be behind by as much, and a commit may come later than the time
/// it names.
const REACH: Duration = Duration::from_mins(5);
/// From one look that reaches back as far as tokens last to the next: it finds what clocks have hidden from the others.
const DEEP: Duration = Duration::from_secs(10);

/// The sessions that ended within the lifetime of an access token, on any node: checking a token is a matter of memory.
///
/// What ends on this node counts at once ([`RevocationBus`]). What ends on others is found by looking: every half second, and at
/// once when another node says that there is something to find. What it says is a reason to look and nothing more, because
/// whoever may connect to the database may say it too.
///
/// Nodes' clocks may differ by five minutes; up to the lifetime of an access token, ends are found within ten seconds.
/// A clock that jumps, and a machine that was suspended, forget nothing.
pub struct RevocationList {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
    /// How far a deep look reaches back.
    window: Duration,
    state: RwLock<State>,
    /// Another node says that sessions have ended.
    hurry: Notify,
}

#[derive(Default)]
struct State {
    /// Sessions that ended, and when that was learned last, by the monotonic clock.
    sessions: HashMap<SessionId, Duration>,
    /// People all of whose sessions were ended here. The next deep look names the sessions and takes this place.
    people: HashMap<UserId, Mark>,
    /// When the last look that succeeded began; `None`: there was none.
    looked: Option<Moment>,
    /// When the last deep one of them began.
    looked_deep: Option<Moment>,
}

struct Mark {
    /// Tokens made until then do not count. The sessions' ends are written down with this time.
    until: Timestamp,
    /// When it was made, by the monotonic clock.
    noted: Duration,
}

/// A moment by both clocks, neither of which tells the whole truth: one jumps, the other stands still while the machine is
/// suspended.
#[derive(Clone, Copy)]
struct Moment {
    wall: Timestamp,
    monotonic: Duration,
}

impl Moment {
    fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// How much time may have passed: by the clock that says more.
    fn since(self, earlier: Self) -> Duration {
        self.wall.since(earlier.wall).max(self.monotonic.saturating_sub(earlier.monotonic))
    }
}

/// Nobody can tell at the moment whether a token still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended sessions have not been read for too long")]
pub struct Blind;

impl RevocationList {
    /// Knows nothing before the first [look](Self::look) at `accounts`, which must answer however busy the store is: as
    /// long as they do not, nobody is let in. `access_lifetime` is that of access tokens.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>, access_lifetime: Duration) -> Self {
        Self { accounts, clock, window: access_lifetime + REACH, state: RwLock::default(), hurry: Notify::new() }
    }

    /// Whether the store was read within the last five seconds, by each of the two clocks: nobody is let in otherwise.
    #[must_use]
    pub fn sees(&self) -> bool {
        self.read().sees(Moment::now(&*self.clock))
    }

    /// Whether the session of a token goes on.
    ///
    /// # Errors
    ///
    /// [`Blind`] when the store could not be read for five seconds: what is not known to be open is not let in.
    pub fn admits(&self, token: &Verified) -> Result<bool, Blind> {
        let now = Moment::now(&*self.clock);
        let state = self.read();
        if !state.sees(now) {
            return Err(Blind);
        }
        let ended_here = state.people.get(&token.user).is_some_and(|mark| token.issued_at <= mark.until);
        Ok(!ended_here && !state.sessions.contains_key(&token.session))
    }

    /// Notes what this node ended.
    fn end(&self, user: UserId, only: Option<SessionId>, at: Timestamp) {
        let mut state = self.write();
        // Not before the state is ours: a look that has not seen the mark must not take it for an older one.
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

    /// Reads what ended lately; the first time, and every ten seconds, everything that matters.
    ///
    /// # Errors
    ///
    /// When the store fails or does not answer in time.
    pub async fn look(&self) -> Result<(), StoreError> {
        let began = Moment::now(&*self.clock);
        let (deep, since) = self.read().reach(began, self.window);
        let ended = tokio::time::timeout(PATIENCE, self.accounts.ended_sessions(since)).await;
        let ended = ended.map_err(|elapsed| StoreError::Unavailable(elapsed.into()))??;
        let mut state = self.write();
        state.sessions.extend(ended.into_iter().map(|session| (session, began.monotonic)));
        // Tokens of what was not learned of again for so long have expired, also by a clock that was set back meanwhile.
        state.sessions.retain(|_, noted| began.monotonic.saturating_sub(*noted) <= self.window);
        state.looked = Some(began);
        if deep {
            // What was committed before the look began is among the sessions.
            state.people.retain(|_, mark| mark.noted >= began.monotonic);
            state.looked_deep = Some(began);
        }
        Ok(())
    }

    /// Looks for ever.
    pub async fn watch(self: Arc<Self>) {
        self.watch_every(PAUSE).await;
    }

    async fn watch_every(&self, pause: Duration) {
        let mut failing = false;
        loop {
            tokio::time::sleep(BREATH).await;
            // It makes no difference which of the two ends the wait.
            let _ = tokio::time::timeout(pause.saturating_sub(BREATH), self.hurry.notified()).await;
            match self.look().await {
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

impl State {
    fn sees(&self, now: Moment) -> bool {
        self.looked.is_some_and(|at| now.since(at) <= LONGEST_BLINDNESS)
    }

    /// Whether a look that begins now is a deep one, and how far it reaches back.
    fn reach(&self, now: Moment, window: Duration) -> (bool, Timestamp) {
        if self.looked_deep.is_some_and(|at| now.since(at) < DEEP) {
            return (false, now.wall - REACH);
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
                Signal::SessionsEndedElsewhere | Signal::Missed => self.revoked.hurry.notify_one(),
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
