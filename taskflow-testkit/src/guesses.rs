//! Somebody who guesses a password from many addresses.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{PASSWORD, Server};

/// Settings of a node that believes a proxy on this machine.
pub const BEHIND_PROXY: [(&str, &str); 3] = [
    ("RATE_LIMITS", "on"),
    ("TRUSTED_PROXIES", "127.0.0.1"),
    ("SECRET_KEY", "a key for these tests that is long enough to sign with"),
];

/// Signs in from an address, and returns status and answer.
pub async fn sign_in_from(node: &Server, address: &str, body: &Value) -> (StatusCode, Value) {
    let request = node.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address).json(body);
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// Guesses at `name` at each of some nodes in turn, from `addresses` addresses in turn. Each guess names another address
/// before its own, as anybody can. Returns how each was answered.
pub async fn guess(
    nodes: &[&Server],
    name: &str,
    guesses: usize,
    addresses: usize,
    every: Duration,
) -> Vec<StatusCode> {
    let (mut all, mut ticks) = (JoinSet::new(), tokio::time::interval(every.max(Duration::from_micros(1))));
    for n in 0..guesses {
        ticks.tick().await;
        let forwarded = format!("203.0.113.{}, 198.51.100.{}", n % 256, n % addresses);
        let request = nodes[n % nodes.len()].request(Method::POST, "/api/auth/login");
        let request =
            request.header("x-forwarded-for", forwarded).header("forwarded", format!("for=192.0.2.{}", n % 256));
        let request = request.json(&json!({ "username": name, "password": format!("not the password {n}") }));
        all.spawn(async move { request.send().await.expect("an answer").status() });
    }
    all.join_all().await
}

/// Signs in once, and returns the token that makes the device a known one.
pub async fn known_device(node: &Server, name: &str) -> String {
    let own = json!({ "username": name, "password": PASSWORD });
    let (status, answer) = sign_in_from(node, "192.0.2.200", &own).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["device_token"].as_str().expect("a device token").to_owned()
}
