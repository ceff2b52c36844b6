//! Who is let in.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::id;
use taskflow_testkit::faketime;
use taskflow_testkit::live::{Events, Handshake, Socket};
use taskflow_testkit::server::Server;

const KEY: &str = "a key for these tests that is long enough to sign with";
/// There is nobody of this id.
const NOBODY: &str = "0198c0de-0000-7000-8000-000000000001";

#[tokio::test]
async fn a_token_is_shown_in_one_of_three_ways() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (id, token) = (id(&ada).await, ada.token.as_str());
    for path in ["/ws", "/ws/", &format!("/ws/{id}"), &format!("/ws/{id}/"), &format!("/ws/{}", id.to_uppercase())] {
        let mut by_header =
            Handshake::of(&server, path).header("authorization", &format!("bearer {token}")).open().await;
        let offer = format!("bearer, {token}");
        let mut by_protocol = Handshake::of(&server, path).header("sec-websocket-protocol", &offer).open().await;
        assert_eq!(by_protocol.protocol.as_deref(), Some("bearer"));
        let mut by_message = Handshake::of(&server, path).open().await;
        by_message.say(json!({ "type": "auth", "token": token })).await;
        for socket in [&mut by_header, &mut by_protocol, &mut by_message] {
            let ready = socket.said().await;
            assert_eq!((&ready["type"], &ready["seq"]), (&json!("ready"), &json!(0)), "{path}: {ready}");
            assert_eq!(ready["topics"], json!(["tasks", "meetings", "reminders"]));
            assert!(ready["expires_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{ready}");
        }
    }
}

#[tokio::test]
async fn without_a_token_that_counts_nothing_is_said() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let ended = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(ended.call(Method::POST, "/api/auth/logout", None).await.0, StatusCode::NO_CONTENT);
    let cut_short = &ada.token[..ada.token.len() - 1];
    let (head, rest) = ada.token.split_once('.').expect("a token");
    let (_, signature) = rest.split_once('.').expect("a token");
    let unsigned = format!("{head}.{}.", rest.split('.').next().expect("claims"));
    let other_claims = format!("{head}.e30.{signature}");
    let mut tokens = vec!["x".to_owned(), "a.b.c".to_owned(), "x".repeat(4000), cut_short.to_owned()];
    tokens.extend([ended.token.clone(), unsigned, other_claims]);
    for token in &tokens {
        let shown = [
            Handshake::of(&server, "/ws?since=0").token(token),
            Handshake::of(&server, "/ws?since=0").header("sec-websocket-protocol", &format!("bearer, {token}")),
        ];
        for handshake in shown {
            assert_eq!(handshake.refused().await, 4401, "{token}");
        }
        let mut socket = Handshake::of(&server, "/ws").open().await;
        socket.say(json!({ "type": "auth", "token": token })).await;
        assert_eq!(socket.next().await, Err(4401), "{token}");
        for path in ["/api/events", "/api/changes"] {
            let answer = server.request(Method::GET, path).bearer_auth(token).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} {token}");
        }
    }
    // Another way to show it makes a bad one no better.
    let offer = format!("bearer, {}", ada.token);
    let both = Handshake::of(&server, "/ws").token("x").header("sec-websocket-protocol", &offer);
    assert_eq!(both.refused().await, 4401);
    for path in ["/api/events", "/api/changes"] {
        assert_eq!(server.get(path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn whoever_does_not_say_at_once_who_they_are_is_turned_away() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    // What stands in a URL stands in logs, and is no token.
    for query in ["access_token", "token", "authorization", "bearer"] {
        let mut socket = Handshake::of(&server, &format!("/ws?{query}={}", ada.token)).open().await;
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await, Err(4401), "{query}");
    }
    for first in [
        json!({ "type": "ping" }),
        json!({ "type": "subscribe", "topics": ["tasks"] }),
        json!({ "type": "auth" }),
        json!({ "type": "auth", "token": null }),
        json!({ "token": ada.token }),
        json!([ada.token]),
        json!(ada.token),
    ] {
        let mut socket = Handshake::of(&server, "/ws").open().await;
        socket.say(first.clone()).await;
        assert_eq!(socket.next().await, Err(4401), "{first}");
    }
    // A scheme that is none, and a token for which nobody said what it is.
    for (name, value) in
        [("authorization", format!("Basic {}", ada.token)), ("sec-websocket-protocol", "bearer".to_owned())]
    {
        let handshake = Handshake::of(&server, "/ws").header(name, &value);
        let mut socket = handshake.open().await;
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await, Err(4401), "{name}: {value}");
    }
    // Ten seconds, which this waits for.
    assert_eq!(Handshake::of(&server, "/ws").refused().await, 4401);
}

#[tokio::test]
async fn another_id_than_ones_own_is_closed_whether_there_is_somebody_or_not() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let ada_id = id(&ada).await;
    ada.task(json!({ "title": "private" })).await;
    for of in [&ada_id, NOBODY, "ada", "me", "0", "%20", &format!("{ada_id}%20"), &format!("{}x", id(&bob).await)] {
        for since in ["", "?since=0"] {
            let path = format!("/ws/{of}{since}");
            assert_eq!(Handshake::of(&server, &path).token(&bob.token).refused().await, 4403, "{path}");
        }
        let mut socket = Handshake::of(&server, &format!("/ws/{of}")).open().await;
        socket.say(json!({ "type": "auth", "token": bob.token })).await;
        assert_eq!(socket.next().await, Err(4403), "{of}");
    }
    // Nor is it told before one has said who one is.
    assert_eq!(Handshake::of(&server, &format!("/ws/{ada_id}")).token("x").refused().await, 4401);
    assert_eq!(Handshake::of(&server, &format!("/ws/{NOBODY}")).token("x").refused().await, 4401);
}

#[tokio::test]
async fn what_is_no_handshake_is_answered_like_any_request() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    for path in ["/ws", "/ws/", &format!("/ws/{NOBODY}")] {
        let answer = ada.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let answer = ada.request(Method::POST, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for bad in ["since=x", "since=-1", "since=1.5", "since=", "since=9007199254740992", "topics=task", "topics="] {
        assert_eq!(
            Handshake::of(&server, &format!("/ws?{bad}")).token(&ada.token).make().await.err(),
            Some(422),
            "{bad}"
        );
        for path in ["/api/events", "/api/changes"] {
            if path == "/api/changes" && bad.starts_with("topics") {
                continue;
            }
            let (status, problem) = ada.get(&format!("{path}?{bad}")).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}?{bad} {problem}");
            let field = bad.split('=').next().expect("a field");
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        }
    }
    for bad in ["x", "-1", ""] {
        let request = ada.request(Method::GET, "/api/events").header("Last-Event-ID", bad);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{bad:?}: {}", answer.status());
    }
    for size in ["0", "101", "x"] {
        let (status, _) = ada.get(&format!("/api/changes?size={size}")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{size}");
    }
}

#[tokio::test]
async fn a_token_that_expired_before_opens_nothing() {
    let server = Server::start(&[("SECRET_KEY", KEY)]).await;
    let token = server.person("ada").await.token;
    Socket::follow(&server, &token).await;
    let shifted = faketime::ahead(Duration::from_hours(1));
    let mut settings = vec![("SECRET_KEY", KEY)];
    settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
    let server = server.restart(&settings).await;
    assert_eq!(Handshake::of(&server, "/ws").token(&token).refused().await, 4401);
    let answer = server.request(Method::GET, "/api/events").bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

/// A minute, which is how long a token is good for here, passes in six seconds.
#[tokio::test]
async fn a_conversation_ends_with_its_token_and_goes_on_with_a_fresh_one() {
    let faster = faketime::faster(Duration::ZERO, 10);
    let mut settings = vec![("ACCESS_TOKEN_EXPIRE_MINUTES", "1")];
    settings.extend(faster.iter().map(|(name, value)| (*name, value.as_str())));
    let server = Server::start(&settings).await;
    let ada = server.person("ada").await;
    let (mut idle, _) = Socket::follow(&server, &ada.token).await;
    let (mut renewed, _) = Socket::follow(&server, &ada.token).await;
    let mut expiry = Value::Null;
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    // The server looks at the time when something happens, and every half minute.
    let ended = loop {
        ticks.tick().await;
        let fresh = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
        renewed.say(json!({ "type": "auth", "token": fresh.token })).await;
        let ready = renewed.said().await;
        assert_eq!((&ready["type"], &ready["seq"]), (&json!("ready"), &json!(0)), "{ready}");
        assert!(ready["expires_at"].as_str() >= expiry.as_str(), "{ready}");
        expiry = ready["expires_at"].clone();
        idle.say(json!({ "type": "ping" })).await;
        match idle.next().await {
            Ok(pong) => assert_eq!(pong["type"], "pong"),
            Err(code) => break code,
        }
    };
    assert_eq!(ended, 4401);
    assert_eq!(renewed.ping().await, 0);
    // Somebody else's token, or none, ends it.
    let bob = server.person("bob").await;
    renewed.say(json!({ "type": "auth", "token": bob.token })).await;
    assert_eq!(renewed.next().await, Err(4403));
    let (mut bobs, _) =
        Socket::follow(&server, &server.sign_in("bob", taskflow_testkit::server::PASSWORD).await.token).await;
    bobs.say(json!({ "type": "auth", "token": "x" })).await;
    assert_eq!(bobs.next().await, Err(4401));
}

#[tokio::test]
async fn a_stream_is_for_whoever_is_signed_in_and_begins_with_ready() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    ada.task(json!({ "title": "before" })).await;
    for path in ["/api/events", "/api/events/"] {
        let mut events = Events::of(ada.request(Method::GET, path)).await;
        let ready = events.said().await;
        assert_eq!((&ready["type"], &ready["seq"], events.last), (&json!("ready"), &json!(1), Some(1)), "{ready}");
    }
}
