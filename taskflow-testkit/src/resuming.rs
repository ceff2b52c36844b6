//! Clients that lose their connections again and again while much happens, and must miss nothing of it.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_core::ports::{Clock, SystemClock};

use crate::fanout::next;
use crate::live::{Events, Handshake, Socket};
use crate::server::{Person, Server};

/// Those who change something at the same time.
const WRITERS: u64 = 4;
/// Clients with a WebSocket.
const SOCKETS: u64 = 3;
/// Operations of one request.
const BULK: u64 = 100;
/// The code with which a client is sent away that does not keep up; it connects again.
const TOO_SLOW: u16 = 4408;

/// Statistics of a client that resumed.
#[derive(Debug, Default)]
pub struct Resumed {
    /// Number of times a client has connected.
    pub connections: u64,
    /// Number of times a client was disconnected because it did not keep up.
    pub too_slow: u64,
    /// Duration of the whole.
    pub seconds: f64,
}

/// The events that a client has seen: for each sequence from 1 on, the kind of event and its subject.
#[derive(Debug, Default, PartialEq)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn last(&self) -> u64 {
        self.0.len() as u64
    }

    /// One more message, which must be the one that follows.
    fn take(&mut self, message: &Value) {
        assert_eq!(message["seq"], json!(self.last() + 1), "{message} came after {}", self.last());
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {message}")).to_owned();
        self.0.push((text(&message["type"]), text(&message["data"]["id"])));
    }
}

/// Changes so much in one feed on a fresh server while clients of each kind disconnect at random points and resume.
///
/// # Panics
///
/// One of them misses something, sees something twice, or out of order.
pub async fn resume(server: &Server, changes: u64, seed: u64) -> Resumed {
    let (clock, ada) = (SystemClock::new(), server.person("ada").await);
    let writers = join_all((0..WRITERS).map(|n| write(&ada, share(changes, n), seed ^ n)));
    let sockets = join_all((0..SOCKETS).map(|n| by_sockets(server, &ada, changes, seed ^ (16 + n))));
    let (_, of_sockets, of_streams, of_pages) = tokio::join!(
        writers,
        sockets,
        by_streams(server, &ada, changes, seed ^ 32),
        by_pages(&ada, changes, seed ^ 33)
    );
    let mut resumed = Resumed { seconds: clock.monotonic().as_secs_f64(), ..Resumed::default() };
    let anew = by_pages(&ada, changes, seed).await;
    for (seen, connections, too_slow) in of_sockets.into_iter().chain([of_streams]) {
        assert!(seen == anew, "a client has seen something else than the feed holds");
        resumed.connections += connections;
        resumed.too_slow += too_slow;
    }
    assert!(of_pages == anew, "pages that were read meanwhile differ from those that are read now");
    // And that is all there is.
    assert_eq!(Socket::follow_since(server, &ada.token, changes).await.ping().await, changes);
    resumed
}

fn share(changes: u64, writer: u64) -> u64 {
    changes / WRITERS + u64::from(writer < changes % WRITERS)
}

/// Makes tasks, and deletes some of them, until so many changes are done.
async fn write(ada: &Person<'_>, changes: u64, mut random: u64) {
    let (mut left, mut made) = (changes, Vec::<Value>::new());
    while left > 0 {
        let size = (1 + next(&mut random) % BULK).min(left);
        let operations: Vec<_> = match made.is_empty() || next(&mut random).is_multiple_of(2) {
            true => (0..size).map(|n| json!({ "op": "create", "task": { "title": format!("task {n}") } })).collect(),
            false => {
                made.drain(..made.len().min(size as usize)).map(|id| json!({ "op": "delete", "id": id })).collect()
            }
        };
        let body = json!({ "atomic": true, "operations": operations });
        let (status, answer) = ada.call(Method::POST, "/api/tasks/bulk", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        left -= operations.len() as u64;
        let results = answer["results"].as_array().expect("results").iter();
        made.extend(results.filter_map(|result| result["task"].get("id").cloned()));
    }
}

/// Returns the number of messages that a client reads before it loses its connection: none, some, or all.
fn patience(random: &mut u64) -> u64 {
    match next(random) % 100 {
        0..10 => 0,
        10 => u64::MAX,
        _ => 1 + next(random) % 60,
    }
}

async fn by_sockets(server: &Server, ada: &Person<'_>, until: u64, mut random: u64) -> (Seen, u64, u64) {
    let (mut seen, mut connections, mut too_slow) = (Seen::default(), 0, 0);
    while seen.last() < until {
        connections += 1;
        let patience = patience(&mut random);
        if patience == 0 {
            // Gone before anything was said.
            Handshake::of(server, &format!("/ws?since={}", seen.last())).token(&ada.token).open().await;
            continue;
        }
        let mut socket = Socket::follow_since(server, &ada.token, seen.last()).await;
        for _ in 0..patience.min(until - seen.last()) {
            match socket.next().await {
                Ok(message) => seen.take(&message),
                Err(TOO_SLOW) => {
                    too_slow += 1;
                    break;
                }
                Err(code) => panic!("closed with {code} after {}", seen.last()),
            }
        }
        if next(&mut random).is_multiple_of(2) {
            socket.leave().await;
        }
    }
    (seen, connections, too_slow)
}

async fn by_streams(server: &Server, ada: &Person<'_>, until: u64, mut random: u64) -> (Seen, u64, u64) {
    let (mut seen, mut connections, mut too_slow) = (Seen::default(), 0, 0);
    while seen.last() < until {
        connections += 1;
        let request = server.request(Method::GET, "/api/events").bearer_auth(&ada.token);
        // As a browser does; the query stays what it was at first, and no longer counts.
        let request = request.query(&[("since", "0")]).header("Last-Event-ID", seen.last());
        let mut events = Events::of(request).await;
        assert_eq!(events.said().await["seq"], json!(seen.last()));
        for _ in 0..patience(&mut random).min(until - seen.last()) {
            let message = events.said().await;
            if message["type"] == "closed" {
                assert_eq!(message["code"], json!(TOO_SLOW), "{message}");
                too_slow += 1;
                break;
            }
            seen.take(&message);
            assert_eq!(events.last, Some(seen.last()));
        }
    }
    (seen, connections, too_slow)
}

async fn by_pages(ada: &Person<'_>, until: u64, mut random: u64) -> Seen {
    let (mut seen, mut ticks) = (Seen::default(), tokio::time::interval(Duration::from_millis(20)));
    while seen.last() < until {
        let size = 1 + next(&mut random) % 100;
        let (status, page) = ada.get(&format!("/api/changes?since={}&size={size}", seen.last())).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let items = page["items"].as_array().expect("items");
        assert!(items.len() as u64 <= size);
        items.iter().for_each(|item| seen.take(item));
        let (end, more) = (page["seq"].as_u64().expect("the end"), page.get("next").and_then(Value::as_u64));
        assert_eq!(more, (seen.last() < end).then_some(seen.last()), "{end}");
        if more.is_none() {
            ticks.tick().await;
        }
    }
    seen
}
