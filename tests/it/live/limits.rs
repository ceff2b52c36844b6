//! What a client may not do, and that nobody else suffers from it.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use taskflow_testkit::live::{CUT, Handshake, Socket, memory};
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually;

const LARGEST: usize = 16 * 1024;
/// Characters of a description at most.
const LONGEST: usize = 10_000;
/// Sockets that one person may have on one node.
const MOST: usize = 1_000;

fn padded(length: usize) -> Message {
    let (head, tail) = ("{\"type\":\"ping\",\"pad\":\"", "\"}");
    Message::text(format!("{head}{}{tail}", "x".repeat(length - head.len() - tail.len())))
}

#[tokio::test]
async fn a_message_is_text_and_no_larger_than_it_may_be() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (mut other, _) = Socket::follow(&server, &ada.token).await;
    let (mut socket, _) = Socket::follow(&server, &ada.token).await;
    socket.send(padded(LARGEST)).await;
    assert_eq!(socket.said().await["type"], "pong");
    socket.send(padded(LARGEST + 1)).await;
    assert_eq!(socket.next().await, Err(1009));
    for bytes in [Vec::new(), b"{\"type\":\"ping\"}".to_vec()] {
        let (mut socket, _) = Socket::follow(&server, &ada.token).await;
        socket.send(Message::binary(bytes)).await;
        assert_eq!(socket.next().await, Err(1003));
    }
    // Strangers no less.
    let mut stranger = Handshake::of(&server, "/ws").open().await;
    stranger.send(padded(LARGEST + 1)).await;
    assert_eq!(stranger.next().await, Err(1009));
    let mut stranger = Handshake::of(&server, "/ws").open().await;
    stranger.send(Message::binary(vec![0])).await;
    assert_eq!(stranger.next().await, Err(1003));
    assert_eq!(other.ping().await, 0);
}

#[tokio::test]
async fn who_talks_too_much_is_closed_and_nobody_else() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (mut other, _) = Socket::follow(&server, &ada.token).await;
    let (mut socket, _) = Socket::follow(&server, &ada.token).await;
    for _ in 0..200 {
        socket.say(json!({ "type": "ping" })).await;
    }
    let mut answers = 0;
    let code = loop {
        match socket.next().await {
            Ok(_) => answers += 1,
            Err(code) => break code,
        }
    };
    assert_eq!(code, 1008);
    assert!((1..200).contains(&answers), "{answers}");
    // What a browser's own pings cost is no different.
    let (mut socket, _) = Socket::follow(&server, &ada.token).await;
    for _ in 0..200 {
        socket.send(Message::Ping(vec![0; 100].into())).await;
    }
    assert_eq!(socket.closed().await, 1008);
    assert_eq!(other.ping().await, 0);
}

/// Files and connections that the server has open.
fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process())).expect("a process").count()
}

/// So many tasks, with descriptions of so many characters.
async fn fill(person: &Person<'_>, tasks: usize, characters: usize) {
    let task = json!({ "title": "long", "description": "x".repeat(characters) });
    let operations: Vec<_> = (0..tasks).map(|_| json!({ "op": "create", "task": task })).collect();
    let body = json!({ "atomic": true, "operations": operations });
    let (status, answer) = person.call(Method::POST, "/api/tasks/bulk", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn who_stops_reading_is_closed_costs_little_and_disturbs_nobody() {
    const BULK: usize = 90;
    const BULKS: usize = 25;
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    // What it takes to make tasks is no part of it.
    fill(&ada, BULK, LONGEST).await;
    let mut lazy = Vec::new();
    for _ in 0..10 {
        let mut socket = Handshake::of(&server, "/ws").token(&ada.token).window(4096).open().await;
        assert_eq!(socket.said().await["type"], "ready");
        lazy.push(socket);
    }
    let (mut brisk, mut last) = Socket::follow(&server, &ada.token).await;
    let (before, open) = (memory(&server), descriptors(&server));
    let mut most = before;
    for _ in 0..BULKS {
        fill(&ada, BULK, LONGEST).await;
        for _ in 0..BULK {
            last += 1;
            assert_eq!(brisk.said().await["seq"], json!(last));
        }
        most = most.max(memory(&server));
    }
    // They are closed without having read anything more.
    eventually("the lazy ones are closed", || async { (descriptors(&server) < open - 9).then_some(()) }).await;
    let mut heard = Vec::new();
    for mut socket in lazy {
        let (mut count, mut next) = (0, (last as usize - BULK * BULKS) as u64);
        let code = loop {
            match socket.next().await {
                Ok(message) => {
                    // What has come of it has come in order.
                    next += 1;
                    assert_eq!(message["seq"], json!(next));
                    count += 1;
                }
                Err(code) => break code,
            }
        };
        assert!([4408, CUT].contains(&code), "{code}");
        assert!(count < BULK * BULKS, "it was told everything");
        heard.push((count, code));
    }
    let grown = most.saturating_sub(before) / 1024 / 1024;
    println!("{{\"case\": \"lazy_readers\", \"readers\": 10, \"heard\": \"{heard:?}\", \"grown_mb\": {grown}}}");
    assert!(grown < 200, "the server has grown by {grown} MiB");
    assert_eq!(brisk.ping().await, last);
    // Whoever comes back resumes.
    let mut back = Socket::follow_since(&server, &ada.token, last - 1).await;
    assert_eq!(back.said().await["seq"], json!(last));
}

#[tokio::test]
async fn who_falls_behind_and_reads_on_is_told_everything() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let mut slow = Handshake::of(&server, "/ws").token(&ada.token).window(4096).open().await;
    let mut seen = slow.said().await["seq"].as_u64().expect("a sequence");
    for _ in 0..6 {
        fill(&ada, 100, LONGEST / 4).await;
    }
    for _ in 0..600 {
        seen += 1;
        assert_eq!(slow.said().await["seq"], json!(seen));
    }
    assert_eq!(slow.ping().await, seen);
    // And then, like everybody else, at once.
    ada.task(json!({ "title": "Sow" })).await;
    assert_eq!(slow.said().await["seq"], json!(seen + 1));
}

#[tokio::test]
async fn who_reads_nothing_for_ten_seconds_and_then_again_is_told_to_resume() {
    let server = Server::start(&[("LOG", "taskflow_server=debug,info")]).await;
    let ada = server.person("ada").await;
    let mut socket = Handshake::of(&server, "/ws").token(&ada.token).window(4096).open().await;
    let mut seen = socket.said().await["seq"].as_u64().expect("a sequence");
    for _ in 0..2 {
        fill(&ada, 100, LONGEST).await;
    }
    let over = "a conversation is over";
    eventually("the server loses its patience", || async { server.log().contains(over).then_some(()) }).await;
    let code = loop {
        match socket.next().await {
            Ok(message) => {
                seen += 1;
                assert_eq!(message["seq"], json!(seen));
            }
            Err(code) => break code,
        }
    };
    assert_eq!(code, 4408);
    let mut back = Socket::follow_since(&server, &ada.token, seen).await;
    assert_eq!(back.said().await["seq"], json!(seen + 1));
}

#[tokio::test]
async fn a_person_has_a_thousand_sockets_each_is_told_and_no_more_are_opened() {
    rlimit::increase_nofile_limit(8192).expect("open files");
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let mut sockets = Vec::new();
    for _ in 0..MOST {
        sockets.push(Socket::follow(&server, &ada.token).await.0);
    }
    assert_eq!(Handshake::of(&server, "/ws").token(&ada.token).refused().await, 4429);
    let answer = ada.request(Method::GET, "/api/events").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    // Each has their own thousand.
    let (mut bobs, _) = Socket::follow(&server, &bob.token).await;
    for title in ["one", "two", "three"] {
        ada.task(json!({ "title": title })).await;
    }
    for socket in &mut sockets {
        for seq in 1..=3 {
            assert_eq!(socket.said().await["seq"], json!(seq));
        }
    }
    assert_eq!(bobs.ping().await, 0);
    // Where one has left there is room for another.
    sockets.pop().expect("a socket").leave().await;
    let mut last = Socket::follow_since(&server, &ada.token, 0).await;
    assert_eq!(last.said().await["seq"], json!(1));
}
