//! Screens on several nodes.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};
use tokio::time::MissedTickBehavior;

use taskflow_testkit::backend::migrated;
use taskflow_testkit::cluster::{Cluster, Stop};
use taskflow_testkit::live::Socket;
use taskflow_testkit::server::{Person, Server, free_port};
use taskflow_testkit::wait::eventually;

/// Changes that are timed.
const TIMED: usize = 100;
/// From one of them to the next when nobody is in a hurry.
const LEISURE: Duration = Duration::from_millis(60);

async fn nodes(url: &str) -> [Server; 2] {
    let settings = [("DATABASE_URL", url), ("SECRET_KEY", "0123456789abcdef0123456789abcdef")];
    [Server::start(&settings).await, Server::start(&settings).await]
}

/// Changes something through one node; tells how long after the answer each change has reached the socket on the other,
/// in milliseconds, ascending.
async fn reach(ada: &Person<'_>, socket: &mut Socket, seq: &mut u64, period: Duration) -> Vec<f64> {
    let (mut took, mut ticks) = (Vec::new(), tokio::time::interval(period));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0..TIMED {
        ticks.tick().await;
        let task = ada.task(json!({ "title": format!("task {n}") })).await;
        let clock = SystemClock::new();
        let message = socket.said().await;
        took.push(clock.monotonic().as_secs_f64() * 1000.0);
        *seq += 1;
        assert_eq!((&message["seq"], &message["data"]["id"]), (&json!(*seq), &task["id"]), "{message}");
    }
    took.sort_by(f64::total_cmp);
    took
}

fn print(phase: &str, took: &[f64]) {
    println!(
        "{{\"case\": \"between_nodes\", \"phase\": \"{phase}\", \"changes\": {}, \"median_ms\": {:.1}, \"most_ms\": {:.1}}}",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_shows_on_the_other_at_once() {
    let database = migrated().await;
    let [one, two] = nodes(&database.url).await;
    let ada = one.person("ada").await;
    let (mut socket, mut seq) = Socket::follow(&two, &ada.token).await;
    for (phase, period) in [("at leisure", LEISURE), ("one after the other", Duration::from_millis(1))] {
        let took = reach(&ada, &mut socket, &mut seq, period).await;
        print(phase, &took);
        assert!(took[TIMED / 2] < 2000.0, "{took:?}");
    }
    // Whoever follows on the node that did it is told as well, and only once.
    let mut here = Socket::follow_since(&one, &ada.token, 0).await;
    for seq in 1..=seq {
        assert_eq!(here.said().await["seq"], json!(seq));
    }
    assert_eq!((here.ping().await, socket.ping().await), (seq, seq));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_when_postgresql_starts_again() {
    let port = free_port();
    let start = move || Cluster::start_with(&["fsync=off"], Some(port));
    let mut cluster = tokio::task::spawn_blocking(start).await.expect("a cluster");
    let [one, two] = nodes(&cluster.url("postgres")).await;
    let ada = one.person("ada").await;
    let (mut socket, mut seq) = Socket::follow(&two, &ada.token).await;
    for how in [Stop::Fast, Stop::Crash] {
        cluster = tokio::task::spawn_blocking(move || {
            cluster.stop(how);
            cluster.resume();
            cluster
        })
        .await
        .expect("restarted");
        let clock = SystemClock::new();
        eventually("writes go through again", || async {
            let task = Some(json!({ "title": "afterwards" }));
            (ada.call(Method::POST, "/api/tasks/", task).await.0 == StatusCode::CREATED).then_some(())
        })
        .await;
        let written = clock.monotonic();
        // A write that was answered with 503 may have been done all the same.
        let known = known(&ada).await;
        while seq < known {
            seq += 1;
            assert_eq!(socket.said().await["seq"], json!(seq));
        }
        let back = clock.monotonic();
        let took = reach(&ada, &mut socket, &mut seq, LEISURE).await;
        print(&format!("after {how:?}"), &took);
        let (written, back) = (written.as_millis(), back.as_millis());
        println!("{{\"case\": \"between_nodes\", \"written_after_ms\": {written}, \"told_after_ms\": {back}}}");
        assert!(took[TIMED / 2] < 2000.0, "{took:?}");
        // Nobody had to connect again.
        assert_eq!(socket.ping().await, seq);
    }
}

async fn known(ada: &Person<'_>) -> u64 {
    let (status, page): (StatusCode, Value) = ada.get("/api/changes?size=1").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["seq"].as_u64().expect("a sequence")
}

/// Both a node that writes and one that only looks on may be stopped for a while, as a laptop's lid or a busy host does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_slept_tells_what_it_missed() {
    let database = migrated().await;
    let [one, two] = nodes(&database.url).await;
    let ada = one.person("ada").await;
    let (mut socket, mut seq) = Socket::follow(&two, &ada.token).await;
    two.signal("STOP");
    for n in 0..150 {
        ada.task(json!({ "title": format!("task {n}") })).await;
    }
    two.signal("CONT");
    let clock = SystemClock::new();
    for _ in 0..150 {
        seq += 1;
        assert_eq!(socket.said().await["seq"], json!(seq));
    }
    assert!(clock.monotonic() < Duration::from_secs(10), "{:?}", clock.monotonic());
    assert_eq!(socket.ping().await, 150);
}
