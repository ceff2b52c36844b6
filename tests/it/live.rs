//! Screens that follow along.

mod details;
mod doors;
mod feeds;
mod leaving;
mod limits;
mod resuming;
mod stopping;
mod talk;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{Person, Server};

/// Whose id it is that a token stands for.
pub(crate) async fn id(person: &Person<'_>) -> String {
    let (status, me) = person.get("/api/users/me").await;
    assert_eq!(status, StatusCode::OK, "{me}");
    me["id"].as_str().expect("an id").to_owned()
}

/// Has everybody's address count as verified, so that they are people and no guests in meetings.
pub(crate) async fn verify_everybody(server: &Server) {
    Rows::open(&server.database_url()).await.edit("UPDATE taskflow_users SET email_verified = (1 = 1)").await;
}

/// Changes something about somebody's meeting.
pub(crate) async fn rename(person: &Person<'_>, meeting: &Value, title: &str) {
    let path = format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"));
    let (status, answer) = person.call(Method::PATCH, &path, Some(json!({ "title": title }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}
