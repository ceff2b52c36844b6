//! What is said on both sides.

use reqwest::Method;
use serde_json::{Value, json};

use taskflow_testkit::live::{Events, Handshake, Socket};
use taskflow_testkit::server::{Person, Server};

const DATE: &str = "2099-01-01T00:00:00Z";

/// A task and a meeting, in this order: two entries of the feed.
async fn both(person: &Person<'_>) {
    person.task(json!({ "title": "a task" })).await;
    person.meeting(json!({ "title": "a meeting", "meeting_date": DATE })).await;
}

async fn topics(socket: &mut Socket, request: &str, topics: &[&str]) -> Value {
    socket.say(json!({ "type": request, "topics": topics })).await;
    let answer = socket.said().await;
    assert_eq!(answer["type"], "topics", "{answer}");
    answer["topics"].clone()
}

fn told(message: &Value) -> (&str, u64) {
    (message["type"].as_str().expect("a type"), message["seq"].as_u64().expect("a sequence"))
}

#[tokio::test]
async fn clients_choose_what_they_are_told_of() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (mut all, _) = Socket::follow(&server, &ada.token).await;
    let mut tasks = Handshake::of(&server, "/ws?topics=tasks").token(&ada.token).open().await;
    assert_eq!(tasks.said().await["topics"], json!(["tasks"]));
    let mut some = Handshake::of(&server, "/ws?topics=meetings%2Creminders&since=0").token(&ada.token).open().await;
    assert_eq!(some.said().await["topics"], json!(["meetings", "reminders"]));
    let (mut chosen, _) = Socket::follow(&server, &ada.token).await;
    // The first choice narrows, later ones add.
    assert_eq!(topics(&mut chosen, "subscribe", &["meetings"]).await, json!(["meetings"]));
    let mut stream = Events::follow(&server, &ada.token, "?topics=meetings").await;
    assert_eq!(stream.said().await["topics"], json!(["meetings"]));

    both(&ada).await;
    for expected in [("task_created", 1), ("meeting_created", 2)] {
        assert_eq!(told(&all.said().await), expected);
    }
    assert_eq!(told(&tasks.said().await), ("task_created", 1));
    for socket in [&mut some, &mut chosen] {
        assert_eq!(told(&socket.said().await), ("meeting_created", 2));
    }
    assert_eq!((told(&stream.said().await), stream.last), (("meeting_created", 2), Some(2)));

    assert_eq!(topics(&mut chosen, "subscribe", &["tasks", "tasks"]).await, json!(["tasks", "meetings"]));
    assert_eq!(topics(&mut some, "unsubscribe", &["meetings", "tasks"]).await, json!(["reminders"]));
    assert_eq!(topics(&mut all, "unsubscribe", &["tasks"]).await, json!(["meetings", "reminders"]));
    both(&ada).await;
    assert_eq!(told(&chosen.said().await), ("task_created", 3));
    assert_eq!(told(&chosen.said().await), ("meeting_created", 4));
    assert_eq!(told(&all.said().await), ("meeting_created", 4));
    assert_eq!(told(&tasks.said().await), ("task_created", 3));
    // What was not wanted counts as said, so that a client knows from where on to resume.
    assert_eq!((some.ping().await, tasks.ping().await), (4, 4));
    // What somebody begins to want later is what comes later.
    assert_eq!(topics(&mut tasks, "subscribe", &["meetings"]).await, json!(["tasks", "meetings"]));
    both(&ada).await;
    assert_eq!(told(&tasks.said().await), ("task_created", 5));
    assert_eq!(told(&tasks.said().await), ("meeting_created", 6));
}

#[tokio::test]
async fn a_choice_of_topics_holds_for_what_is_told_again() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    both(&ada).await;
    both(&ada).await;
    let mut socket = Handshake::of(&server, "/ws/?since=1&topics=meetings").token(&ada.token).open().await;
    assert_eq!(told(&socket.said().await), ("ready", 1));
    assert_eq!(told(&socket.said().await), ("meeting_created", 2));
    assert_eq!(told(&socket.said().await), ("meeting_created", 4));
    assert_eq!(socket.ping().await, 4);
    let mut stream = Events::follow(&server, &ada.token, "?since=1&topics=tasks,reminders").await;
    assert_eq!(told(&stream.said().await), ("ready", 1));
    assert_eq!((told(&stream.said().await), stream.last), (("task_created", 3), Some(3)));
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_conversation_goes_on() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let task = ada.task(json!({ "title": "before" })).await;
    let (mut socket, seq) = Socket::follow(&server, &ada.token).await;
    assert_eq!((seq, socket.ping().await), (1, 1));
    for nonsense in [
        json!({}),
        json!(null),
        json!("ping"),
        json!(["ping"]),
        json!({ "type": "pong" }),
        json!({ "type": "PING" }),
        json!({ "type": { "type": "ping" } }),
        json!({ "type": "subscribe" }),
        json!({ "type": "subscribe", "topics": "tasks" }),
        json!({ "type": "subscribe", "topics": ["tasks", "users"] }),
        json!({ "type": "subscribe", "topics": [["tasks"]] }),
        json!({ "type": "unsubscribe", "topics": { "tasks": true } }),
        json!({ "type": "subscribe", "topics": [task["id"]] }),
        json!({ "type": "auth" }),
    ] {
        socket.say(nonsense.clone()).await;
        let error = socket.said().await;
        assert_eq!(error["type"], "error", "{nonsense} {error}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.contains("must be")), "{error}");
    }
    for text in ["", "{", "{\"type\":\"ping\"", "\u{0}", "ping"] {
        socket.send(tokio_tungstenite::tungstenite::Message::text(text)).await;
        assert_eq!(socket.said().await["type"], "error", "{text:?}");
    }
    assert_eq!(socket.ping().await, 1);
    ada.call(Method::DELETE, &format!("/api/tasks/{}", task["id"].as_str().expect("an id")), None).await;
    // None of it has changed what is told.
    assert_eq!(told(&socket.said().await), ("task_deleted", 2));
    assert_eq!(socket.ping().await, 2);
}
