//! Whoever was away is told what they missed, or that they must look for themselves.

use std::hash::{BuildHasher, Hasher, RandomState};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admins::admin;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::{Events, Handshake, Socket};
use taskflow_testkit::on_each_store;
use taskflow_testkit::resuming::resume;
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually;

on_each_store![
    clients_that_lose_their_connection_again_and_again_miss_nothing[threads],
    what_is_no_longer_kept_is_read_anew_and_what_follows_is_told,
];

/// Fewer than in `tests/long`.
const CHANGES: u64 = 2000;

/// `SEED` repeats the order of an earlier run, as far as the order is decided here.
async fn clients_that_lose_their_connection_again_and_again_miss_nothing(backend: Backend) {
    let seed = std::env::var("SEED").map(|seed| seed.parse().expect("SEED is a whole number"));
    let seed = seed.unwrap_or_else(|_| RandomState::new().build_hasher().finish());
    println!("{{\"case\": \"resuming\", \"SEED\": {seed}, \"changes\": {CHANGES}}}");
    let server = backend.start(&[]).await;
    let resumed = resume(&server, CHANGES, seed).await;
    println!(
        "{{\"case\": \"resuming\", \"connections\": {}, \"too_slow\": {}, \"seconds\": {:.1}}}",
        resumed.connections, resumed.too_slow, resumed.seconds
    );
    assert!(resumed.connections > 50, "{resumed:?}");
}

async fn clean_up(admin: &Person<'_>) {
    let (status, run) = admin.call(Method::POST, "/api/jobs/data_cleanup/run", None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    let path = format!("/api/jobs/data_cleanup/runs/{}", run["id"].as_str().expect("an id"));
    eventually("what is old is gone", || async { admin.get(&path).await.1["finished_at"].is_string().then_some(()) })
        .await;
}

async fn make(person: &Person<'_>, tasks: u64) {
    for n in 0..tasks {
        person.task(json!({ "title": format!("task {n}") })).await;
    }
}

async fn what_is_no_longer_kept_is_read_anew_and_what_follows_is_told(backend: Backend) {
    // Kept for no longer than until somebody cleans up.
    let server = backend.start(&[("FEED_RETENTION_DAYS", "0")]).await;
    let root = admin(&server, "root").await;
    let ada = server.person("ada").await;
    make(&ada, 5).await;
    let mut stays = Socket::follow_since(&server, &ada.token, 2).await;
    for seq in 3..=5 {
        assert_eq!(stays.said().await["seq"], json!(seq));
    }
    clean_up(&root).await;
    // Nothing was missed by who knows all of it.
    assert_eq!(stays.ping().await, 5);
    assert_eq!(Socket::follow_since(&server, &ada.token, 5).await.ping().await, 5);
    let mut anew = resynced(&server, &ada, 0, 5).await;
    make(&ada, 3).await;
    for socket in &mut anew {
        for seq in 6..=8 {
            assert_eq!(socket.said().await["seq"], json!(seq));
        }
    }
    for seq in 6..=8 {
        assert_eq!(stays.said().await["seq"], json!(seq));
    }
    // What is kept is told, and what was before is gone.
    let mut kept = Socket::follow_since(&server, &ada.token, 5).await;
    for seq in 6..=8 {
        assert_eq!(kept.said().await["seq"], json!(seq));
    }
    for since in [0, 1, 4] {
        resynced(&server, &ada, since, 8).await;
    }
    let (status, page) = ada.get("/api/changes").await;
    assert_eq!((status, &page["items"][0]["seq"], &page["seq"]), (StatusCode::OK, &json!(6), &json!(8)), "{page}");
    // Nobody can know what has not happened: another database was restored, or the client is mistaken.
    for since in [9, 1_000_000, 999_999_999_999_999] {
        resynced(&server, &ada, since, 8).await;
    }
}

/// What resumes after `since` is told to look for itself and to go on after `head`, whichever way it is asked for.
async fn resynced(server: &Server, ada: &Person<'_>, since: u64, head: u64) -> Vec<Socket> {
    let resync = json!({ "type": "resync", "seq": head });
    let (mut socket, seq) = Socket::claim(server, &ada.token, since).await;
    assert_eq!((seq, socket.said().await), (head, resync.clone()), "{since}");
    assert_eq!(socket.ping().await, head);
    let path = format!("/ws?since={since}&topics=meetings");
    let mut choosy = Handshake::of(server, &path).token(&ada.token).open().await;
    assert_eq!((&choosy.said().await["type"], choosy.said().await), (&json!("ready"), resync.clone()), "{since}");
    let mut stream = Events::follow(server, &ada.token, &format!("?since={since}")).await;
    assert_eq!((&stream.said().await["type"], stream.said().await), (&json!("ready"), resync), "{since}");
    assert_eq!(stream.last, Some(head));
    let (status, problem): (StatusCode, Value) = ada.get(&format!("/api/changes?since={since}")).await;
    assert_eq!((status, &problem["code"], &problem["seq"]), (StatusCode::GONE, &json!("resync"), &json!(head)));
    vec![socket]
}
