//! Nodes that tell each other what happens.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sqlx::postgres::PgListener;
use sqlx::{Connection, Executor, PgConnection};
use taskflow_core::ports::{EventBus, ReminderSent, Signal};
use taskflow_core::{Entity, Event, EventId, EventKind, FeedEvent, MeetingId, SessionId, TaskId, Timestamp, UserId};
use taskflow_store_postgres::{PgOptions, PgPulse, PgStore};
use tokio::sync::Notify;
use uuid::Uuid;

use taskflow_testkit::cluster::{Cluster, Database, Stop};
use taskflow_testkit::proxy::Proxy;

/// Longer than anything takes that is waited for here.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "how long something really takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}

fn id() -> Uuid {
    Uuid::new_v4()
}

/// A bus that remembers what was published.
#[derive(Default)]
struct Heard {
    signals: Mutex<Vec<Signal>>,
    more: Notify,
}

impl EventBus for Heard {
    fn publish(&self, signals: &[Signal]) {
        self.signals.lock().expect("signals").extend_from_slice(signals);
        self.more.notify_one();
    }

    fn subscribe(&self) -> BoxStream<'static, Signal> {
        stream::pending().boxed()
    }
}

impl Heard {
    /// Waits until what was published so far is enough.
    async fn until(&self, enough: impl Fn(&[Signal]) -> bool) {
        let heard = async {
            while !enough(&self.signals.lock().expect("signals")) {
                self.more.notified().await;
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard.is_ok(), "heard only {:?}", self.signals.lock().expect("signals"));
    }

    fn missed(&self) -> usize {
        missed(&self.signals.lock().expect("signals"))
    }

    fn owners(&self) -> HashSet<UserId> {
        owners(&self.signals.lock().expect("signals"))
    }
}

fn missed(signals: &[Signal]) -> usize {
    signals.iter().filter(|signal| matches!(signal, Signal::Missed)).count()
}

/// Whose feeds have grown on other nodes.
fn owners(signals: &[Signal]) -> HashSet<UserId> {
    let grew = signals.iter().filter_map(|signal| match signal {
        Signal::FeedsGrew(owners) => Some(owners),
        _ => None,
    });
    grew.flatten().copied().collect()
}

fn announced(audience: Vec<UserId>) -> Signal {
    let event = Event {
        id: EventId::from_uuid(id()),
        at: Timestamp::from_micros(0),
        actor: None,
        entity: Entity::Task(TaskId::from_uuid(id())),
        kind: EventKind::TaskCreated,
        data: serde_json::Value::Null,
    };
    Signal::Announced(Arc::new(FeedEvent { event, audience }))
}

struct Node {
    store: PgStore,
    heard: Arc<Heard>,
    pulse: PgPulse,
}

impl Node {
    /// Listens already.
    async fn at(url: &str) -> Self {
        let store = PgStore::connect(url, PgOptions::default().connections(1).without_migrating()).await;
        let store = store.expect("a store");
        let heard = Arc::new(Heard::default());
        let pulse = PgPulse::start(&store, heard.clone());
        heard.until(|signals| missed(signals) == 1).await;
        Self { store, heard, pulse }
    }

    /// Announces something to somebody new.
    fn announce(&self) -> UserId {
        let owner = UserId::from_uuid(id());
        self.pulse.publish(&[announced(vec![owner])]);
        owner
    }

    async fn hears_of(&self, owner: UserId) {
        self.heard.until(|signals| owners(signals).contains(&owner)).await;
    }

    /// Hears of something that happens now.
    async fn hears(&self, other: &Self) {
        self.hears_of(other.announce()).await;
    }

    /// Hears of one of the things that happen from now on.
    async fn hears_in_the_end(&self, other: &Self) {
        let mut announced = HashSet::new();
        let heard = async {
            while self.heard.owners().is_disjoint(&announced) {
                announced.insert(other.announce());
                let _ = tokio::time::timeout(Duration::from_millis(100), self.heard.more.notified()).await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("heard in time");
    }
}

async fn two_at(url: &str) -> (Node, Node) {
    tokio::join!(Node::at(url), Node::at(url))
}

/// Sessions of pulses.
async fn sessions(conn: &mut PgConnection) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name IN ('taskflow tells', 'taskflow listens')";
    sqlx::query_scalar(count).fetch_one(conn).await.expect("a count")
}

async fn until_nobody_is_left(conn: &mut PgConnection) {
    let begin = now();
    while sessions(conn).await > 0 {
        assert!(begin.elapsed() < PATIENCE, "sessions are left");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn owners_named_on_one_node_are_heard_on_the_other_and_not_on_their_own() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let (ada, bob) = (UserId::from_uuid(id()), UserId::from_uuid(id()));
    let begin = now();
    one.pulse.publish(&[announced(vec![ada, bob])]);
    two.hears_of(bob).await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    // What they told themselves would have come before this.
    let answer = two.announce();
    one.hears_of(answer).await;
    assert_eq!((one.heard.owners(), two.heard.owners()), (HashSet::from([answer]), HashSet::from([ada, bob])));
    assert!(matches!(one.heard.signals.lock().expect("signals")[1], Signal::Announced(_)), "at once, as it was");
}

#[tokio::test]
async fn reminders_arrive_whole_of_sessions_that_some_ended_and_what_concerns_one_node_stays_there() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let at = Timestamp::from_micros(1_795_417_200_123_456);
    let (user, session) = (UserId::from_uuid(id()), SessionId::from_uuid(id()));
    let told = [
        Signal::SessionsEnded { user, only: Some(session), at },
        Signal::SessionsEnded { user, only: None, at },
        Signal::ReminderSent(ReminderSent { user, about: Entity::Task(TaskId::from_uuid(id())), at }),
        Signal::ReminderSent(ReminderSent { user, about: Entity::Meeting(MeetingId::from_uuid(id())), at }),
    ];
    one.pulse.publish(&[
        Signal::Planned { earliest: at },
        Signal::Missed,
        Signal::FeedsGrew(vec![user]),
        Signal::SessionsEndedElsewhere,
    ]);
    one.pulse.publish(&told);
    two.hears(&one).await;
    let heard = two.heard.signals.lock().expect("signals").clone();
    let heard: Vec<_> = heard.iter().filter(|signal| !matches!(signal, Signal::FeedsGrew(_))).collect();
    let [_, _, reminders @ ..] = &told;
    let expected = [Signal::Missed, Signal::SessionsEndedElsewhere];
    assert_eq!(format!("{heard:?}"), format!("{:?}", expected.iter().chain(reminders).collect::<Vec<_>>()));
    assert!(!two.heard.owners().contains(&user));
}

#[tokio::test]
async fn a_crowd_is_named_and_a_multitude_is_told_to_look() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let mut witness = PgListener::connect(&database.url).await.expect("a listener");
    witness.listen("taskflow").await.expect("listening");
    let people = |n| (0..n).map(|_| UserId::from_uuid(id())).collect::<Vec<_>>();
    let crowd = people(2000);
    one.pulse.publish(&[announced(crowd.clone())]);
    two.heard.until(|signals| owners(signals).len() == crowd.len()).await;
    assert_eq!((two.heard.owners(), two.heard.missed()), (crowd.into_iter().collect(), 1));
    let multitude: Vec<_> = people(50_000).chunks(2).map(|few| announced(few.to_vec())).collect();
    one.pulse.publish(&multitude);
    two.heard.until(|signals| missed(signals) == 2).await;
    let last = one.announce();
    two.hears_of(last).await;
    let (mut notifications, last) = (0, last.as_uuid().simple().to_string());
    loop {
        let notification = tokio::time::timeout(PATIENCE, witness.recv()).await.expect("in time").expect("one");
        notifications += 1;
        if notification.payload().contains(&last) {
            break;
        }
    }
    assert_eq!(notifications, 10 + 1 + 1);
}

#[tokio::test]
async fn nonsense_on_the_channel_is_a_reason_to_look_and_does_no_harm() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let mut stranger = database.connection().await;
    let long = "x".repeat(7999);
    let nonsense = ["", "hello", "{}", "[]", r#"{"v":9,"from":[1]}"#, r#"{"v":1,"from":"me"}"#, "\u{1F4A5}\n'", &long];
    for payload in nonsense {
        let tell = sqlx::query("SELECT pg_notify('taskflow', $1)").bind(payload);
        tell.execute(&mut stranger).await.expect("told");
    }
    stranger.execute("NOTIFY taskflow; NOTIFY other, 'other'").await.expect("told");
    two.hears(&one).await;
    one.hears(&two).await;
    assert_eq!((one.heard.missed(), two.heard.missed()), (1 + nonsense.len() + 1, 1 + nonsense.len() + 1));
}

/// A role without any right on the schema may speak on the channel all the same.
#[tokio::test]
async fn what_a_stranger_says_of_sessions_is_not_believed() {
    let database = Database::empty().await;
    let two = Node::at(&database.url).await;
    let mut stranger = database.connection().await;
    let (me, victim) = (id().simple(), id().simple());
    let forged = [
        format!(r#"{{"v":1,"from":"{me}","ended":[{{"user":"{victim}","at":"2026-11-23T07:00:00Z"}}]}}"#),
        format!(r#"{{"v":1,"from":"{me}","ended":true}}"#),
        format!(r#"{{"v":1,"from":"{me}","feeds":["{me}"]}}"#),
    ];
    let tell =
        sqlx::query("SELECT pg_notify('taskflow', payload) FROM unnest($1::text[]) AS payload").bind(&forged[..]);
    tell.execute(&mut stranger).await.expect("told");
    two.hears_of(UserId::from_uuid(me.into_uuid())).await;
    let heard = two.heard.signals.lock().expect("signals").clone();
    assert!(
        matches!(heard[..], [Signal::Missed, Signal::Missed, Signal::SessionsEndedElsewhere, Signal::FeedsGrew(_)]),
        "{heard:?}"
    );
}

#[tokio::test]
async fn ended_connections_are_replaced_and_what_was_missed_is_said() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let mut admin = database.connection().await;
    for round in 1..=3 {
        two.hears(&one).await;
        one.hears(&two).await;
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name IN ('taskflow tells', 'taskflow listens')";
        let ended: Vec<bool> = sqlx::query_scalar(end).fetch_all(&mut admin).await.expect("ended");
        assert_eq!(ended, [true; 4]);
        for node in [&one, &two] {
            node.heard.until(|signals| missed(signals) == 1 + 2 * round).await;
        }
    }
    two.hears(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_while_the_database_is_away_and_nodes_hear_each_other_after_it() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::start_on_loopback).await.expect("a cluster");
    let (one, two) = two_at(&cluster.url("postgres")).await;
    two.hears(&one).await;
    for how in [Stop::Fast, Stop::Crash] {
        let before = (one.heard.missed(), two.heard.missed());
        let stopped = tokio::task::spawn_blocking(move || {
            cluster.stop(how);
            cluster
        });
        let mut stopped = stopped.await.expect("stopped");
        let begin = now();
        for _ in 0..10_000 {
            one.announce();
        }
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        let started = tokio::task::spawn_blocking(move || {
            stopped.resume();
            stopped
        });
        cluster = started.await.expect("started");
        one.heard.until(|signals| missed(signals) >= before.0 + 2).await;
        two.heard.until(|signals| missed(signals) >= before.1 + 2).await;
        // Until it could tell them, one node had more to say than it remembers by name.
        two.hears_in_the_end(&one).await;
        one.hears_in_the_end(&two).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_is_noticed() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let one = Node::at(&cluster.url("postgres")).await;
    let two = Node::at(&proxy.url("postgres")).await;
    two.hears(&one).await;
    one.hears(&two).await;
    proxy.freeze(true);
    let begin = now();
    let meanwhile = two.announce();
    two.heard.until(|signals| missed(signals) == 2).await;
    println!("silence was noticed after {:?}", begin.elapsed());
    proxy.freeze(false);
    one.hears_of(meanwhile).await;
    two.heard.until(|signals| missed(signals) == 3).await;
    two.hears(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_says_the_last_words_and_takes_no_longer_than_a_second() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    let proxy = Proxy::start(cluster.socket()).await;
    let (one, two) = two_at(&proxy.url("postgres")).await;
    let last = one.announce();
    one.pulse.close().await;
    two.hears_of(last).await;
    one.announce();
    one.pulse.close().await;
    // A pool that is waited for would wait for somebody who listens.
    tokio::time::timeout(PATIENCE, one.store.close()).await.expect("closed");
    two.announce();
    drop(two);
    until_nobody_is_left(&mut admin).await;

    let frozen = Node::at(&proxy.url("postgres")).await;
    proxy.freeze(true);
    frozen.announce();
    let begin = now();
    frozen.pulse.close().await;
    assert!(begin.elapsed() < Duration::from_millis(1500), "{:?}", begin.elapsed());
    proxy.freeze(false);
    until_nobody_is_left(&mut admin).await;
}

/// With a rest after each, as of people at work: what follows at once waits for its turn of the twenty a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_announcements_arrive_in_a_blink() {
    let database = Database::empty().await;
    let (one, two) = two_at(&database.url).await;
    let mut turns = tokio::time::interval(Duration::from_millis(60));
    let mut took = Vec::new();
    for _ in 0..40 {
        turns.tick().await;
        let begin = now();
        two.hears(&one).await;
        took.push(begin.elapsed());
    }
    took.sort();
    println!("from node to node: median {:?}, most {:?}", took[took.len() / 2], took[took.len() - 1]);
    assert!(took[took.len() / 2] < Duration::from_millis(50), "{took:?}");
}
