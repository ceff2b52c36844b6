//! Sign-ins that ended while access tokens of them are still around.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::stream::BoxStream;
use taskflow_core::ports::{Accounts, Clock, EventBus, Signal};
use taskflow_core::{SessionId, StoreError, Timestamp, UserId};

use super::Verified;

/// From one look at the store to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// After how long without a look tokens are no longer believed.
const LONGEST_BLINDNESS: Duration = Duration::from_secs(5);
/// How far a look reaches back before the one before it: other nodes' clocks may be behind, and a commit may come later
/// than the time it names.
const OVERLAP: Duration = Duration::from_mins(1);

/// The sessions that ended within the lifetime of an access token, on any node: checking a token is a matter of memory.
///
/// What ends on this node counts at once ([`Heeding`]); what ends on others is found by looking every half second.
pub struct Revoked {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
    window: Duration,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// Sessions that ended, and when that was learned.
    sessions: HashMap<SessionId, Duration>,
    /// People all of whose sessions were ended here. The next look names the sessions and takes this place.
    people: HashMap<UserId, Mark>,
    /// When the last look that succeeded began; `None`: there was none.
    looked: Option<Duration>,
}

struct Mark {
    /// Tokens made until then do not count.
    until: Timestamp,
    noted: Duration,
}

/// Nobody can tell at the moment whether a token still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended sessions have not been read for too long")]
pub struct Blind;

impl Revoked {
    /// Knows nothing before the first [look](Self::look) at `accounts`, which must answer however busy the store is: as
    /// long as they do not, nobody is let in. `access_lifetime` is that of access tokens.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>, access_lifetime: Duration) -> Self {
        Self { accounts, clock, window: access_lifetime + OVERLAP, state: RwLock::default() }
    }

    /// Whether the session of a token goes on.
    ///
    /// # Errors
    ///
    /// [`Blind`] when the store could not be read for five seconds: what is not known to be open is not let in.
    pub fn admits(&self, token: &Verified) -> Result<bool, Blind> {
        let now = self.clock.monotonic();
        let state = self.read();
        if state.looked.is_none_or(|at| now.saturating_sub(at) > LONGEST_BLINDNESS) {
            return Err(Blind);
        }
        let ended_here = state.people.get(&token.user).is_some_and(|mark| token.issued_at <= mark.until);
        Ok(!ended_here && !state.sessions.contains_key(&token.session))
    }

    /// Notes what this node ended.
    fn end(&self, user: UserId, only: Option<SessionId>, at: Timestamp) {
        let noted = self.clock.monotonic();
        let mut state = self.write();
        match only {
            Some(session) => {
                state.sessions.entry(session).or_insert(noted);
            }
            None => {
                state.people.insert(user, Mark { until: at, noted });
            }
        }
    }

    /// Reads what ended since the last look, and everything that matters the first time.
    ///
    /// # Errors
    ///
    /// When the store fails or does not answer in time.
    pub async fn look(&self) -> Result<(), StoreError> {
        let began = self.clock.monotonic();
        let since = self.read().looked.map(|last| began.saturating_sub(last) + OVERLAP);
        let within = since.map_or(self.window, |since| since.min(self.window));
        let ended = tokio::time::timeout(PATIENCE, self.accounts.ended_sessions(self.clock.now() - within));
        let ended = ended.await.map_err(|elapsed| StoreError::Unavailable(elapsed.into()))??;
        let mut state = self.write();
        for session in ended {
            state.sessions.entry(session).or_insert(began);
        }
        // Tokens of what was learned of longer ago have expired by now.
        state.sessions.retain(|_, noted| began.saturating_sub(*noted) <= self.window);
        // What was committed before the look began is among the sessions.
        state.people.retain(|_, mark| mark.noted >= began);
        state.looked = Some(began);
        Ok(())
    }

    /// Looks for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut sees = true;
        loop {
            tokio::time::sleep(PAUSE).await;
            match self.look().await {
                Ok(()) if !sees => tracing::info!("ended sessions can be read again"),
                Err(error) if sees => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "ended sessions cannot be read; soon nobody is let in");
                }
                Ok(()) | Err(_) => {}
            }
            sees = self.read().looked.is_some_and(|at| self.clock.monotonic().saturating_sub(at) <= PAUSE + PATIENCE);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Revoked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoked").field("sessions", &self.read().sessions.len()).finish_non_exhaustive()
    }
}

/// A bus that tells [`Revoked`] what this node ends before whoever ended it gets an answer. Publishing never waits, so the
/// next request cannot be faster.
pub struct Heeding {
    bus: Arc<dyn EventBus>,
    revoked: Arc<Revoked>,
}

impl Heeding {
    /// Publishes on `bus`.
    #[must_use]
    pub fn new(bus: Arc<dyn EventBus>, revoked: Arc<Revoked>) -> Self {
        Self { bus, revoked }
    }
}

impl EventBus for Heeding {
    fn publish(&self, signals: &[Signal]) {
        for signal in signals {
            if let Signal::SessionsEnded { user, only, at } = signal {
                self.revoked.end(*user, *only, *at);
            }
        }
        self.bus.publish(signals);
    }

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        self.bus.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use taskflow_core::ports::NoBus;
    use taskflow_core::{Actor, App, MemoryStore, NewUser, TokenHash};

    use super::*;

    const LIFETIME: Duration = Duration::from_secs(1800);

    /// A clock that is set by hand.
    struct Hand(Mutex<Duration>);

    impl Hand {
        fn advance(&self, span: Duration) {
            *self.0.lock().expect("a clock") += span;
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0) + self.monotonic()
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().expect("a clock")
        }
    }

    struct World {
        clock: Arc<Hand>,
        /// This node.
        app: App,
        revoked: Arc<Revoked>,
        /// Another node on the same store.
        other: App,
        ada: UserId,
    }

    impl World {
        async fn new() -> Self {
            let clock = Arc::new(Hand(Mutex::new(Duration::from_hours(1000))));
            let store = Arc::new(MemoryStore::new());
            let revoked = Arc::new(Revoked::new(store.clone(), clock.clone(), LIFETIME));
            let bus = Arc::new(Heeding::new(Arc::new(NoBus), revoked.clone()));
            let app = App::builder(store.clone()).clock(clock.clone()).bus(bus).build();
            let other = App::builder(store).clock(clock.clone()).build();
            let ada = NewUser {
                username: "ada".parse().expect("a name"),
                email: "ada@example.org".parse().expect("an address"),
                time_zone: None,
                locale: None,
                is_admin: false,
            };
            let ada = app.register_user(ada, None).await.expect("an account").id;
            Self { clock, app, revoked, other, ada }
        }

        async fn token(&self) -> Verified {
            let session = self.app.open_session(self.ada, TokenHash::new("x"), None).await.expect("a session").id;
            Verified { user: self.ada, session, issued_at: self.clock.now() }
        }
    }

    #[tokio::test]
    async fn nobody_is_let_in_before_the_first_look_and_five_seconds_after_the_last() {
        let world = World::new().await;
        let token = world.token().await;
        assert_eq!(world.revoked.admits(&token), Err(Blind));
        world.revoked.look().await.expect("a look");
        world.clock.advance(LONGEST_BLINDNESS);
        assert_eq!(world.revoked.admits(&token), Ok(true));
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(world.revoked.admits(&token), Err(Blind));
    }

    #[tokio::test]
    async fn what_ends_here_counts_at_once_and_what_ends_elsewhere_after_a_look() {
        let world = World::new().await;
        world.revoked.look().await.expect("a look");
        let (one, two, three) = (world.token().await, world.token().await, world.token().await);
        world.app.end_session(Actor::User(world.ada), one.session).await.expect("ended");
        assert_eq!((world.revoked.admits(&one), world.revoked.admits(&two)), (Ok(false), Ok(true)));
        world.other.end_session(Actor::User(world.ada), two.session).await.expect("ended");
        assert_eq!(world.revoked.admits(&two), Ok(true));
        world.revoked.look().await.expect("a look");
        assert_eq!((world.revoked.admits(&two), world.revoked.admits(&three)), (Ok(false), Ok(true)));
        world.app.end_sessions(Actor::User(world.ada)).await.expect("ended");
        assert_eq!(world.revoked.admits(&three), Ok(false));
        world.clock.advance(Duration::from_micros(1));
        let again = world.token().await;
        assert_eq!(world.revoked.admits(&again), Ok(true));
        world.revoked.look().await.expect("a look");
        assert_eq!((world.revoked.admits(&three), world.revoked.admits(&again)), (Ok(false), Ok(true)));
    }

    #[tokio::test]
    async fn an_ended_session_is_remembered_for_the_life_of_its_tokens_and_then_forgotten() {
        let world = World::new().await;
        world.revoked.look().await.expect("a look");
        let token = world.token().await;
        world.other.end_sessions(Actor::User(world.ada)).await.expect("ended");
        for _ in 0..LIFETIME.as_secs() {
            world.clock.advance(Duration::from_secs(1));
            world.revoked.look().await.expect("a look");
            assert_eq!(world.revoked.admits(&token), Ok(false));
        }
        world.clock.advance(2 * OVERLAP);
        world.revoked.look().await.expect("a look");
        assert!(world.revoked.read().sessions.is_empty());
    }

    #[tokio::test]
    async fn the_first_look_finds_what_ended_before_a_restart() {
        let world = World::new().await;
        let token = world.token().await;
        world.other.end_sessions(Actor::User(world.ada)).await.expect("ended");
        world.clock.advance(LIFETIME);
        world.revoked.look().await.expect("a look");
        assert_eq!(world.revoked.admits(&token), Ok(false));
    }
}
