use std::sync::Mutex;

use taskflow_core::ports::{NoBus, SystemClock};
use taskflow_core::{Actor, App, MemoryStore, NewUser, TokenHash};

use super::*;

const LIFETIME: Duration = Duration::from_secs(1800);

/// A clock that is set by hand.
struct Hand(Mutex<Instants>);

impl Hand {
    fn new() -> Self {
        let monotonic = Duration::from_hours(1000);
        Self(Mutex::new(Instants { wall: Timestamp::from_micros(0) + 2 * monotonic, monotonic }))
    }

    fn advance(&self, span: Duration) {
        self.jump(span);
        self.0.lock().expect("a clock").monotonic += span;
    }

    /// Moves the wall clock by `span`, as when it is set or the machine was suspended.
    fn jump(&self, span: Duration) {
        let mut cohort = self.0.lock().expect("a clock");
        cohort.wall = cohort.wall + span;
    }

    /// The same.
    fn jump_back(&self, span: Duration) {
        let mut cohort = self.0.lock().expect("a clock");
        cohort.wall = cohort.wall - span;
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.0.lock().expect("a clock").wall
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().expect("a clock").monotonic
    }
}

/// A clock that is behind another one.
struct Behind(Arc<Hand>, Duration);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.0.now() - self.1
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

struct World {
    clock: Arc<Hand>,
    store: Arc<MemoryStore>,
    /// This node.
    app: App,
    revoked: Arc<RevocationList>,
    /// Another node on the same store.
    other: App,
    ada: UserId,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(Hand::new());
        let store = Arc::new(MemoryStore::new());
        let revoked = Arc::new(RevocationList::new(store.clone(), clock.clone(), LIFETIME));
        let bus = Arc::new(RevocationBus::new(Arc::new(NoBus), revoked.clone()));
        let app = App::builder(store.clone()).clock(clock.clone()).bus(bus).build();
        let other = App::builder(store.clone()).clock(clock.clone()).build();
        let ada = NewUser {
            username: "ada".parse().expect("a name"),
            email: "ada@example.org".parse().expect("an address"),
            time_zone: None,
            locale: None,
            is_admin: false,
        };
        let ada = app.accounts().register(ada, None).await.expect("an account").id;
        Self { clock, store, app, revoked, other, ada }
    }

    /// A node on the same store whose clock is behind.
    fn behind(&self, by: Duration) -> App {
        App::builder(self.store.clone()).clock(Arc::new(Behind(self.clock.clone(), by))).build()
    }

    async fn refresh(&self) {
        self.revoked.refresh().await.expect("a refresh");
    }

    fn is_open(&self, token: &SessionClaims) -> bool {
        self.revoked.is_open(token).expect("it sees")
    }

    async fn token(&self) -> SessionClaims {
        let session = self.app.sessions().open(self.ada, TokenHash::new("x"), None).await.expect("a session").id;
        SessionClaims { user: self.ada, session, issued_at: self.clock.now(), expires_at: Timestamp::MAX }
    }
}

#[tokio::test]
async fn nobody_is_let_in_before_the_first_look_and_five_seconds_after_the_last() {
    let world = World::new().await;
    let token = world.token().await;
    assert_eq!(world.revoked.is_open(&token), Err(SessionsUnavailable));
    world.refresh().await;
    world.clock.advance(MAX_AGE);
    assert_eq!(world.revoked.is_open(&token), Ok(true));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.revoked.is_open(&token), Err(SessionsUnavailable));
}

#[tokio::test]
async fn what_ends_here_counts_at_once_and_what_ends_elsewhere_after_a_look() {
    let world = World::new().await;
    world.refresh().await;
    let (one, two, three) = (world.token().await, world.token().await, world.token().await);
    world.app.sessions().end(Actor::User(world.ada), one.session).await.expect("ended");
    assert_eq!((world.revoked.is_open(&one), world.revoked.is_open(&two)), (Ok(false), Ok(true)));
    world.other.sessions().end(Actor::User(world.ada), two.session).await.expect("ended");
    assert_eq!(world.revoked.is_open(&two), Ok(true));
    world.refresh().await;
    assert_eq!((world.revoked.is_open(&two), world.revoked.is_open(&three)), (Ok(false), Ok(true)));
    world.app.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    assert_eq!(world.revoked.is_open(&three), Ok(false));
    world.clock.advance(Duration::from_micros(1));
    let again = world.token().await;
    assert_eq!(world.revoked.is_open(&again), Ok(true));
    world.refresh().await;
    assert_eq!((world.revoked.is_open(&three), world.revoked.is_open(&again)), (Ok(false), Ok(true)));
}

#[tokio::test]
async fn an_ended_session_is_remembered_for_the_life_of_its_tokens_and_then_forgotten() {
    let world = World::new().await;
    world.refresh().await;
    let token = world.token().await;
    world.other.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    for _ in 0..LIFETIME.as_secs() {
        world.clock.advance(Duration::from_secs(1));
        world.refresh().await;
        assert_eq!(world.revoked.is_open(&token), Ok(false));
    }
    world.clock.advance(2 * LOOKBACK + LIFETIME);
    world.refresh().await;
    assert!(world.revoked.read().sessions.is_empty());
}

#[tokio::test]
async fn the_first_look_finds_what_ended_before_a_restart() {
    let world = World::new().await;
    let token = world.token().await;
    world.other.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    world.clock.advance(LIFETIME);
    world.refresh().await;
    assert_eq!(world.revoked.is_open(&token), Ok(false));
}

#[tokio::test]
async fn what_ends_by_a_clock_that_is_behind_is_found_by_the_next_look_or_by_the_next_deep_one() {
    for (behind, found_within) in [(70, Duration::ZERO), (299, Duration::ZERO), (600, FULL_INTERVAL)] {
        let world = World::new().await;
        let token = world.token().await;
        world.refresh().await;
        world.behind(Duration::from_secs(behind)).sessions().end_all(Actor::User(world.ada)).await.expect("ended");
        let begin = world.clock.monotonic();
        while world.is_open(&token) {
            world.clock.advance(INTERVAL);
            world.refresh().await;
        }
        let took = world.clock.monotonic().saturating_sub(begin);
        assert!(took <= found_within.max(INTERVAL), "{behind} s behind: {took:?}");
        for _ in 0..LIFETIME.as_secs() {
            world.clock.advance(Duration::from_secs(1));
            world.refresh().await;
            assert!(!world.is_open(&token), "{behind} s behind");
        }
    }
}

#[tokio::test]
async fn all_sessions_that_ended_here_stay_ended_until_a_deep_look_has_named_them() {
    let world = World::new().await;
    let token = world.token().await;
    world.refresh().await;
    // A node whose clock is behind is first: the end that is written down is the one that looks do not find at once.
    world.behind(Duration::from_mins(10)).sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    world.app.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    for _ in 0..60 {
        assert!(!world.is_open(&token));
        world.clock.advance(INTERVAL);
        world.refresh().await;
    }
    assert!(!world.is_open(&token));
    let state = world.revoked.read();
    assert!(state.people.is_empty() && state.sessions.contains_key(&token.session));
}

#[tokio::test]
async fn a_clock_that_jumps_forgets_nothing() {
    for jump in [Duration::from_secs(20), Duration::from_mins(20), Duration::from_hours(24)] {
        for back in [false, true] {
            let world = World::new().await;
            let (one, two) = (world.token().await, world.token().await);
            world.refresh().await;
            world.app.sessions().end(Actor::User(world.ada), one.session).await.expect("ended");
            world.app.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
            match back {
                false => world.clock.jump(jump),
                true => world.clock.jump_back(jump),
            }
            // As long as what they are good for by this clock, or longer.
            for _ in 0..2 * LIFETIME.as_secs() {
                world.refresh().await;
                assert!(!world.is_open(&one) && !world.is_open(&two), "{jump:?}, back: {back}");
                world.clock.advance(INTERVAL);
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_what_ended_as_long_as_tokens_last_by_it() {
    let world = World::new().await;
    let token = world.token().await;
    world.other.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    world.refresh().await;
    let back = Duration::from_hours(2);
    world.clock.jump_back(back);
    for _ in 0..(back + LIFETIME).as_secs() {
        world.clock.advance(Duration::from_secs(1));
        world.refresh().await;
        assert!(!world.is_open(&token));
    }
}

#[tokio::test]
async fn what_ended_before_a_jump_of_the_clock_is_found_after_it() {
    for jump in [Duration::from_secs(4), Duration::from_secs(9), Duration::from_mins(20), LIFETIME] {
        let world = World::new().await;
        let token = world.token().await;
        world.refresh().await;
        world.other.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
        world.clock.jump(jump);
        world.refresh().await;
        assert!(!world.is_open(&token), "{jump:?}");
    }
}

/// The monotonic clock stands still meanwhile.
#[tokio::test]
async fn after_a_suspension_nobody_is_let_in_before_a_look_which_finds_what_ended_meanwhile() {
    let world = World::new().await;
    let token = world.token().await;
    world.refresh().await;
    world.clock.jump(Duration::from_mins(5));
    world.other.sessions().end_all(Actor::User(world.ada)).await.expect("ended");
    world.clock.jump(Duration::from_mins(20));
    assert_eq!(world.revoked.is_open(&token), Err(SessionsUnavailable));
    world.refresh().await;
    assert!(!world.is_open(&token));
}

#[tokio::test]
async fn word_from_another_node_is_a_reason_to_look_at_once_but_not_all_the_time() {
    let clock = Arc::new(SystemClock::new());
    let revoked = Arc::new(RevocationList::new(Arc::new(MemoryStore::new()), clock, LIFETIME));
    let bus = RevocationBus::new(Arc::new(NoBus), revoked.clone());
    let watch = tokio::spawn({
        let revoked = revoked.clone();
        async move { revoked.watch_every(Duration::from_hours(1)).await }
    });
    let mut looks: Vec<Duration> = Vec::new();
    while looks.len() < 6 {
        // The two of them come in turns, so that each is known to be enough.
        let word = if looks.len().is_multiple_of(2) { Signal::SessionsEndedElsewhere } else { Signal::Missed };
        bus.publish(&vec![word; 1000]);
        tokio::task::yield_now().await;
        let refreshed = revoked.read().refreshed.map(|cohort| cohort.monotonic);
        if refreshed.as_ref() != looks.last() {
            looks.extend(refreshed);
        }
    }
    watch.abort();
    assert!(looks.windows(2).all(|two| two[1] - two[0] >= MIN_INTERVAL), "{looks:?}");
    assert!(revoked.read().sessions.is_empty());
}
