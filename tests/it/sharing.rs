//! One account that stores and asks for as much as it may, and everybody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, join_all};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::peak_memory;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{PASSWORD, Person, Server};

on_each_store![searches_of_one_account_delay_nobody_else, memory_is_bounded_whatever_one_account_stores_and_asks,];

/// The longest description, of characters that take four bytes.
fn long_text() -> String {
    "\u{1f4d6}".repeat(10_000)
}

/// Makes tasks with the longest texts, so many at once as fit into a body.
async fn fill(person: &Person<'_>, tasks: usize) {
    const AT_ONCE: usize = 25;
    let task = json!({ "title": "long", "description": long_text() });
    let operations = vec![json!({ "op": "create", "task": task }); AT_ONCE];
    let body = json!({ "atomic": true, "operations": operations });
    for _ in 0..tasks.div_ceil(AT_ONCE) {
        let (status, answer) = person.call(Method::POST, "/api/tasks/bulk", Some(body.clone())).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
}

/// Sends `GET` a number of times and returns the longest time that an answer took.
async fn slowest(person: &Person<'_>, path: &str, times: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..times {
        let clock = SystemClock::new();
        let (status, answer) = person.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        slowest = slowest.max(clock.monotonic());
    }
    slowest
}

async fn searches_of_one_account_delay_nobody_else(backend: Backend) {
    let server = backend.start(&[("RATE_LIMITS", "on")]).await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    ada.task(json!({ "title": "Water the plants" })).await;
    fill(&eve, 300).await;
    let idle = slowest(&ada, "/api/tasks/?q=plants", 20).await;
    let searches = join_all((0..200).map(|_| async {
        let answer = eve.request(Method::GET, "/api/tasks/?q=nothing+here&size=1").send().await.expect("an answer");
        (answer.status(), answer.headers().contains_key("retry-after"))
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let busy = slowest(&ada, "/api/tasks/?q=plants", 20).await;
        let plain = slowest(&ada, "/api/tasks/", 20).await;
        // Who has signed out is refused at once, and the service says that it is well.
        let other = server.sign_in("ada", PASSWORD).await;
        assert_eq!(other.call(Method::POST, "/api/auth/logout", None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(other.get("/api/tasks/").await.0, StatusCode::UNAUTHORIZED);
        for path in ["/health", "/health/db", "/health/ready"] {
            assert_eq!(server.get(path).await.status(), StatusCode::OK, "{path}");
        }
        busy.max(plain)
    };
    let (searches, busy) = join(searches, others).await;
    println!("{{\"case\": \"searches\", \"store\": \"{backend}\", \"idle\": \"{idle:?}\", \"busy\": \"{busy:?}\"}}");
    assert!(busy < Duration::from_secs(1), "{busy:?}");
    let refused = searches.iter().filter(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE).count();
    assert!(refused > 0 && refused < 200, "{refused} of 200 are refused: only so many wait");
    assert!(searches.iter().all(|(status, retry)| *status == StatusCode::OK || *retry), "{searches:?}");
}

/// Asks for something and takes nothing of the answer.
async fn deaf(server: &Server, token: &str, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port))).await.expect("a connection");
    let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{bearer}\r\n");
    stream.write_all(head.as_bytes()).await.expect("a request");
    stream
}

/// Makes a history of long texts.
async fn rewrite(person: &Person<'_>, task: &Value, times: usize) {
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for n in 0..times {
        let description = format!("{n}{}", "\u{1f4d6}".repeat(9_990));
        let change = json!({ "description": description });
        assert_eq!(person.call(Method::PATCH, &path, Some(change)).await.0, StatusCode::OK);
    }
}

async fn memory_is_bounded_whatever_one_account_stores_and_asks(backend: Backend) {
    const READERS: usize = 60;
    let server = backend.start(&[("RATE_LIMITS", "on"), ("LIMIT_REQUESTS_ADDRESS", "10000/1m")]).await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let task = eve.task(json!({ "title": "rewritten" })).await;
    rewrite(&eve, &task, 100).await;
    fill(&eve, 100).await;
    let history = format!("/api/tasks/{}/history?size=100", task["id"].as_str().expect("an id"));
    let paths = ["/api/tasks/?size=100", "/api/tasks/?q=long&size=100", "/api/changes?since=0&size=100", &history];
    let mut streams = Vec::new();
    for _ in 0..READERS {
        for path in paths {
            streams.push(deaf(&server, &eve.token, path).await);
        }
        // What is the same for everybody needs no copy for each.
        streams.push(deaf(&server, "", "/docs").await);
        streams.push(deaf(&server, &eve.token, "/api/events?since=0").await);
    }
    let asked = join_all((0..READERS).flat_map(|_| paths).map(|path| async {
        let answer = eve.request(Method::GET, path).send().await.expect("an answer");
        let status = answer.status();
        answer.bytes().await.map_or(StatusCode::REQUEST_TIMEOUT, |_| status)
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        slowest(&ada, "/api/tasks/", 20).await
    };
    let (statuses, busy) = join(asked, others).await;
    let megabytes = peak_memory(&server) / 1024 / 1024;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!(
        "{{\"case\": \"memory\", \"store\": \"{backend}\", \"build\": \"{build}\", \"peak_mb\": {megabytes}, \
         \"others\": \"{busy:?}\"}}"
    );
    assert!(statuses.iter().all(|status| [200, 503].contains(&status.as_u16())), "{statuses:?}");
    assert!(megabytes < 256, "{megabytes} MB");
    assert!(busy < Duration::from_secs(5), "others are answered all the while: {busy:?}");
    drop(streams);
}
