//! Signed in, kept signed in, signed out: here, everywhere, on every node.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::{Handshake, Socket};
use taskflow_testkit::on_each_store;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{PASSWORD, Server, taskflow};
use taskflow_testkit::wait::eventually;

on_each_store![
    a_refresh_token_is_good_for_one_refresh,
    a_token_that_was_copied_ends_its_session_for_the_thief_and_the_owner,
    tokens_that_never_were_are_refused_alike,
    signing_out_ends_this_session_at_once_and_no_other,
    people_see_where_they_are_signed_in_and_end_it_from_afar,
    another_password_ends_refresh_tokens_too,
    what_ends_on_one_node_is_known_to_the_others_within_a_second,
    what_ended_stays_ended_after_a_crash,
    a_token_of_a_session_that_the_database_does_not_have_is_refused,
    a_new_key_signs_and_the_previous_one_still_counts_while_it_is_named,
    the_mailbox_of_a_service_in_production_is_for_who_runs_it,
];

const KEY: &str = "a key for these tests that is long enough to sign with";
const OTHER_KEY: &str = "the key that comes after it and is just as long as it";

/// What somebody who signed in holds.
struct Held {
    access: String,
    refresh: String,
}

impl Held {
    fn from(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

async fn sign_in(server: &Server, device: &str) -> Held {
    let body = json!({ "username": "ada", "password": PASSWORD });
    let request = server.request(Method::POST, "/api/auth/login").header("user-agent", device).json(&body);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    Held::from(&answer.json().await.expect("JSON"))
}

async fn refresh(server: &Server, token: &str) -> (StatusCode, Value) {
    let answer = server.post("/api/auth/refresh", json!({ "refresh_token": token })).await;
    let status = answer.status();
    (status, answer.json().await.expect("JSON"))
}

async fn call(server: &Server, method: Method, path: &str, token: &str) -> (StatusCode, Value) {
    let answer = server.request(method, path).bearer_auth(token).send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
}

async fn me(server: &Server, token: &str) -> StatusCode {
    call(server, Method::GET, "/api/auth/me", token).await.0
}

async fn a_refresh_token_is_good_for_one_refresh(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let first = sign_in(&server, "curl").await;
    let (status, answer) = refresh(&server, &first.refresh).await;
    assert_eq!((status, &answer["token_type"]), (StatusCode::OK, &json!("bearer")));
    let second = Held::from(&answer);
    assert_ne!(first.refresh, second.refresh);
    // The answer may have been lost: the same successor once more, and then a mere refusal.
    let (status, answer) = refresh(&server, &first.refresh).await;
    assert_eq!((status, &answer["refresh_token"]), (StatusCode::OK, &json!(second.refresh)));
    let (status, problem) = refresh(&server, &first.refresh).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("session_over")));
    for token in [&first.access, &second.access] {
        assert_eq!(me(&server, token).await, StatusCode::OK);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", &second.refresh)];
    let answer = server.request(Method::POST, "/api/auth/refresh").form(&form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn a_token_that_was_copied_ends_its_session_for_the_thief_and_the_owner(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let (stolen, other) = (sign_in(&server, "curl").await, sign_in(&server, "curl").await);
    let second = Held::from(&refresh(&server, &stolen.refresh).await.1);
    let third = Held::from(&refresh(&server, &second.refresh).await.1);
    assert_eq!(refresh(&server, &stolen.refresh).await.0, StatusCode::UNAUTHORIZED);
    for token in [&stolen.access, &second.access, &third.access] {
        assert_eq!(me(&server, token).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(refresh(&server, &third.refresh).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&server, &other.access).await, StatusCode::OK);
}

async fn tokens_that_never_were_are_refused_alike(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let held = sign_in(&server, "curl").await;
    let (session, secret) = held.refresh.split_once('.').expect("two parts");
    let absent = format!("0198c0de-0000-7000-8000-000000000001.{secret}");
    let wrong = format!("{session}.{}", "A".repeat(43));
    let mut bodies = Vec::new();
    for token in ["x", "a.b", &held.access[..100], &absent, &wrong] {
        let (status, problem) = refresh(&server, token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token}");
        bodies.push(problem);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    for body in [json!({}), json!({ "refresh_token": 7 }), json!({ "refresh_token": "x".repeat(1000) })] {
        let answer = server.post("/api/auth/refresh", body).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}

async fn signing_out_ends_this_session_at_once_and_no_other(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let (one, two) = (sign_in(&server, "curl").await, sign_in(&server, "curl").await);
    assert_eq!(call(&server, Method::POST, "/api/auth/logout", &one.access).await.0, StatusCode::NO_CONTENT);
    assert_eq!(me(&server, &one.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&server, &one.refresh).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&server, &two.access).await, StatusCode::OK);
    let three = sign_in(&server, "curl").await;
    assert_eq!(call(&server, Method::POST, "/api/auth/logout-all", &two.access).await.0, StatusCode::NO_CONTENT);
    for held in [&two, &three] {
        assert_eq!(me(&server, &held.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(refresh(&server, &held.refresh).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(me(&server, &sign_in(&server, "curl").await.access).await, StatusCode::OK);
}

async fn people_see_where_they_are_signed_in_and_end_it_from_afar(backend: Backend) {
    let server = backend.start(&[]).await;
    let bob = server.person("bob").await;
    server.person("ada").await;
    let phone = sign_in(&server, "a phone").await;
    let desk = sign_in(&server, "a desk \u{e9}").await;
    let (status, list) = call(&server, Method::GET, "/api/auth/sessions", &desk.access).await;
    assert_eq!(status, StatusCode::OK);
    let items = list["items"].as_array().expect("items");
    // The one of `person`, and these two.
    assert_eq!(items.len(), 3, "{list}");
    assert_eq!((&items[0]["current"], &items[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!((&items[0]["device"], &items[1]["device"]), (&json!("a desk \u{e9}"), &json!("a phone")));
    assert!(!list.to_string().contains(desk.refresh.split_once('.').expect("two parts").1));
    let path = format!("/api/auth/sessions/{}", items[1]["id"].as_str().expect("an id"));
    assert_eq!(bob.call(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(me(&server, &phone.access).await, StatusCode::OK);
    assert_eq!(call(&server, Method::DELETE, &path, &desk.access).await.0, StatusCode::NO_CONTENT);
    assert_eq!(me(&server, &phone.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&server, Method::DELETE, &path, &desk.access).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        call(&server, Method::GET, "/api/auth/sessions", &desk.access).await.1["items"][1]["device"],
        Value::Null
    );
}

async fn another_password_ends_refresh_tokens_too(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let held = sign_in(&server, "curl").await;
    let change = json!({ "password": "another good password", "current_password": PASSWORD });
    assert_eq!(ada.call(Method::PATCH, "/api/users/me", Some(change)).await.0, StatusCode::OK);
    assert_eq!(me(&server, &held.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&server, &held.refresh).await.0, StatusCode::UNAUTHORIZED);
}

async fn what_ends_on_one_node_is_known_to_the_others_within_a_second(backend: Backend) {
    let one = backend.start(&[("SECRET_KEY", KEY)]).await;
    let database = one.database_url();
    let two = backend.start(&[("SECRET_KEY", KEY), ("DATABASE_URL", &database)]).await;
    one.person("ada").await;
    let held = sign_in(&one, "curl").await;
    assert_eq!(me(&two, &held.access).await, StatusCode::OK);
    assert_eq!(call(&one, Method::POST, "/api/auth/logout", &held.access).await.0, StatusCode::NO_CONTENT);
    let known = eventually("the other node refuses", || async {
        (me(&two, &held.access).await == StatusCode::UNAUTHORIZED).then_some(())
    });
    // Some more than a second, because this machine may be busy.
    tokio::time::timeout(Duration::from_secs(3), known).await.expect("soon");
    // The command line is one more process on the same data.
    let held = sign_in(&one, "curl").await;
    let disable = taskflow(&one.folder, &[("DATABASE_URL", &database)])
        .args(["user", "disable", "ada"])
        .output()
        .expect("an end");
    assert!(disable.status.success(), "{}", String::from_utf8_lossy(&disable.stderr));
    for node in [&one, &two] {
        eventually("a locked account is out", || async {
            (me(node, &held.access).await == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
    }
}

async fn what_ended_stays_ended_after_a_crash(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let (one, two) = (sign_in(&server, "curl").await, sign_in(&server, "curl").await);
    assert_eq!(call(&server, Method::POST, "/api/auth/logout", &one.access).await.0, StatusCode::NO_CONTENT);
    let server = server.restart(&[]).await;
    assert_eq!(me(&server, &one.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&server, &two.access).await, StatusCode::OK);
    assert_eq!(refresh(&server, &two.refresh).await.0, StatusCode::OK);
}

async fn a_token_of_a_session_that_the_database_does_not_have_is_refused(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let (lost, kept) = (sign_in(&server, "lost").await, sign_in(&server, "kept").await);
    // As after a restored backup: the key is the same, and one of the sessions never was.
    let lost_row = "DELETE FROM taskflow_sessions WHERE device = 'lost'";
    assert_eq!(Rows::open(&server.database_url()).await.edit(lost_row).await, 1);
    let server = server.restart(&[]).await;
    for _ in 0..2 {
        assert_eq!(me(&server, &lost.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(me(&server, &kept.access).await, StatusCode::OK);
    }
    assert_eq!(Handshake::of(&server, "/ws").token(&lost.access).refused().await, 4401);
    Socket::follow(&server, &kept.access).await;
}

async fn a_new_key_signs_and_the_previous_one_still_counts_while_it_is_named(backend: Backend) {
    let server = backend.start(&[("SECRET_KEY", KEY)]).await;
    server.person("ada").await;
    let old = sign_in(&server, "curl").await;
    let server = server.restart(&[("SECRET_KEY", OTHER_KEY), ("SECRET_KEY_PREVIOUS", KEY)]).await;
    assert_eq!(me(&server, &old.access).await, StatusCode::OK);
    let new = sign_in(&server, "curl").await;
    let server = server.restart(&[("SECRET_KEY", OTHER_KEY)]).await;
    assert_eq!(me(&server, &old.access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&server, &new.access).await, StatusCode::OK);
    assert!(!server.log().contains(KEY) && !server.log().contains(OTHER_KEY));
}

async fn the_mailbox_of_a_service_in_production_is_for_who_runs_it(backend: Backend) {
    let settings =
        [("DEBUG", "false"), ("MAILBOX", "true"), ("SECRET_KEY", KEY), ("PUBLIC_URL", "https://tasks.example")];
    let server = backend.start(&settings).await;
    let ada = server.person("ada").await;
    for path in ["/mailbox", "/api/mailbox"] {
        assert_eq!(server.get(path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(ada.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let create =
        ["user", "create", "--admin", "--username", "root", "--email", "root@example.org", "--password", PASSWORD];
    let database = server.database_url();
    let made =
        taskflow(&server.folder, &settings).env("DATABASE_URL", &database).args(create).output().expect("an end");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = server.sign_in("root", PASSWORD).await;
    assert_eq!(root.get("/api/mailbox").await.0, StatusCode::OK);
    let page = root.request(Method::GET, "/mailbox").send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
}
