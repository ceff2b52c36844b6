use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use taskflow_core::{FieldCode, FieldError, OverQuota, Quota, RateLimit, UniqueField};

use super::ApiError;
use crate::limits::Exceeded;

/// The place of a kind in the list below. A new kind does not compile before it has one.
fn place(error: &ApiError) -> usize {
    match error {
        ApiError::Malformed(_) => 0,
        ApiError::BadHeader(_) => 1,
        ApiError::Unauthorized => 2,
        ApiError::InvalidToken => 3,
        ApiError::WrongCredentials => 4,
        ApiError::SessionOver => 5,
        ApiError::RegistrationClosed => 6,
        ApiError::NotFound => 7,
        ApiError::MethodNotAllowed(_) => 8,
        ApiError::TooSlow => 9,
        ApiError::Taken(_) => 10,
        ApiError::Conflict => 11,
        ApiError::Outdated(_) => 12,
        ApiError::Resync(_) => 13,
        ApiError::Stale(_) => 14,
        ApiError::TooLarge => 15,
        ApiError::UnsupportedMedia(_) => 16,
        ApiError::UnsupportedCoding => 17,
        ApiError::Invalid(_) => 18,
        ApiError::UpgradeRequired => 19,
        ApiError::TooMany => 20,
        ApiError::Internal(_) => 21,
        ApiError::Unavailable(_) => 22,
        ApiError::NotReady(_) => 23,
        ApiError::Busy => 24,
        ApiError::Overdue => 25,
        ApiError::Limited(_) => 26,
        ApiError::OverQuota(_) => 27,
        ApiError::WrongHost => 28,
        ApiError::Reauthenticate(_) => 29,
    }
}

const KINDS: usize = 30;

fn all() -> [ApiError; KINDS] {
    let field = |name: &str, message: &str, code| FieldError::new(name, message).with_code(code);
    [
        ApiError::Malformed("the body is not JSON"),
        ApiError::BadHeader(field("If-Match", "must be * or a list of entity tags", FieldCode::InvalidFormat)),
        ApiError::Unauthorized,
        ApiError::InvalidToken,
        ApiError::WrongCredentials,
        ApiError::SessionOver,
        ApiError::RegistrationClosed,
        ApiError::NotFound,
        ApiError::MethodNotAllowed("GET, HEAD, OPTIONS".to_owned()),
        ApiError::TooSlow,
        ApiError::Taken(UniqueField::Email),
        ApiError::Conflict,
        ApiError::Outdated(json!({ "title": "the meeting as it is now" })),
        ApiError::Resync(7),
        ApiError::Stale(Some(json!({ "title": "the task as it is now" }))),
        ApiError::TooLarge,
        ApiError::UnsupportedMedia("application/json"),
        ApiError::UnsupportedCoding,
        ApiError::Invalid(vec![
            field("title", "is required", FieldCode::Required),
            FieldError::new("reminder_minutes", "needs due_at"),
        ]),
        ApiError::UpgradeRequired,
        ApiError::TooMany,
        ApiError::Internal("a secret of the log".into()),
        ApiError::Unavailable("db.internal:5432".into()),
        ApiError::NotReady("the scheduler has not looked for jobs for a while"),
        ApiError::Busy,
        ApiError::Overdue,
        ApiError::Limited(Exceeded {
            policy: "sign-in",
            limit: RateLimit::new(5, Duration::from_mins(5)).expect("a limit"),
            retry_after: Duration::from_millis(41_500),
        }),
        ApiError::OverQuota(OverQuota { quota: Quota::Tasks, limit: 10_000, used: 10_000, until: None }),
        ApiError::WrongHost,
        ApiError::Reauthenticate(Duration::from_mins(10)),
    ]
}

#[tokio::test]
async fn every_kind_of_problem_is_answered_as_before() {
    let mut text = String::new();
    for error in all() {
        let mut response = error.response();
        text.push_str(&format!("HTTP {}\n", response.status().as_u16()));
        for (name, value) in response.headers() {
            text.push_str(&format!("{name}: {}\n", value.to_str().expect("ASCII")));
        }
        let body = response.take_body().into_vec().await.expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        text.push_str(&format!("\n{body:#}\n\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_kind_of_problem_is_in_the_list() {
    let places: BTreeSet<_> = all().iter().map(place).collect();
    assert_eq!(places.len(), KINDS);
}
