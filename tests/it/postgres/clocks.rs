//! A node whose clock differs from the database's.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::SmtpServer;

use taskflow_testkit::backend::migrated;
use taskflow_testkit::faketime;
use taskflow_testkit::server::{PASSWORD, Server};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Starts a node with these settings besides the database and the relay that all share.
async fn node(url: &str, relay: &str, own: &[(&'static str, String)]) -> Server {
    let mut settings = vec![
        ("DATABASE_URL", url),
        ("SECRET_KEY", KEY),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", relay),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
    ];
    settings.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    Server::start(&settings).await
}

async fn sign_in(server: &Server) -> reqwest::Response {
    let body = json!({ "username": "ada", "password": PASSWORD });
    server.request(Method::POST, "/api/auth/login").json(&body).send().await.expect("an answer")
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_is_seen_and_neither_sends_nor_issues_tokens() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let port = relay.port().to_string();
    let holds = [("HOLD_MAIL", "true".to_owned()), ("NODE_ID", "right".to_owned())];
    let right = node(&database.url, &port, &holds).await;
    let ada = right.person("ada").await;
    let promote = sqlx::query("UPDATE taskflow.users SET is_admin = true WHERE username = 'ada'");
    promote.execute(&mut database.connection().await).await.expect("an update");
    for ahead in [-3600.0, 3600.0, 6.0] {
        let mut own = faketime::wrong(ahead).to_vec();
        own.push(("NODE_ID", "wrong".to_owned()));
        let wrong = node(&database.url, &port, &own).await;
        let answer = sign_in(&wrong).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{ahead}");
        assert!(answer.headers().contains_key("retry-after"));
        let problem: Value = answer.json().await.expect("a problem");
        assert_eq!(problem["code"], "not_ready", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("clock")), "{problem}");
        let health: Value = wrong.get("/health").await.json().await.expect("a body");
        let seen = health["clock_ahead_seconds"].as_f64().expect("a number");
        assert!((seen - ahead).abs() <= 1.5, "{ahead}: {health}");
        assert_eq!(wrong.get("/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        // By the database's clock the token of the other node is good, whatever this one's shows.
        let me = wrong.request(Method::GET, "/api/auth/me").bearer_auth(&ada.token).send().await.expect("an answer");
        assert_eq!(me.status(), StatusCode::OK, "{ahead}");
        assert!(relay.mails().is_empty(), "a mail left by a wrong clock");
        let (_, nodes) = ada.get("/api/nodes").await;
        let listed = nodes["items"].as_array().and_then(|nodes| nodes.iter().find(|node| node["id"] == "wrong"));
        let told = listed.and_then(|node| node["clock_ahead_seconds"].as_f64());
        assert!(told.is_some_and(|told| (told - ahead).abs() <= 1.5), "{ahead}: {nodes}");
        assert!(wrong.log().contains("the clock of this node is wrong"), "{}", wrong.log());
        assert!(wrong.terminate().await.0.success());
    }
}

#[tokio::test]
async fn a_clock_that_is_a_little_off_is_warned_about_and_works() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let node = node(&database.url, &relay.port().to_string(), &faketime::wrong(3.0)).await;
    let ada = node.person("ada").await;
    assert_eq!(relay.await_mails(1).await.len(), 1);
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::OK);
    let health: Value = node.get("/health").await.json().await.expect("a body");
    assert_eq!(health["clock_ahead_seconds"], 3.0, "{health}");
    assert!(node.log().contains("differs from the database's"), "{}", node.log());
}
