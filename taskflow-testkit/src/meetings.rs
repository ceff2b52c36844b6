//! Large meetings that are created at the same time, with the same participants.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow_core::ports::{Clock, SystemClock};
use tokio::task::JoinSet;

use crate::rows::Rows;
use crate::server::Server;

/// In each meeting, the organizer included.
const PEOPLE: usize = 500;
/// Those of them who have an account, whose feeds all commits write to, and who create the meetings.
const ACCOUNTS: [&str; 4] = ["ada", "bob", "cleo", "dora"];

/// Creates that many meetings at once on a fresh server, and returns how many milliseconds each took, ascending.
///
/// # Panics
///
/// One of them is not created, or lacks an invitation or a reminder.
pub async fn create_at_once(server: &Server, meetings: usize) -> Vec<u128> {
    let mut callers = Vec::new();
    for name in ACCOUNTS {
        callers.push(server.person(name).await);
    }
    let mut rows = Rows::open(&server.database_url()).await;
    let verified = rows.edit("UPDATE taskflow_users SET email_verified = (1 = 1)").await;
    assert_eq!(verified, ACCOUNTS.len() as u64);
    let mut calls = JoinSet::new();
    for n in 0..meetings {
        let guests = (ACCOUNTS.len()..PEOPLE).map(|guest| format!("guest-{guest}@example.org"));
        let mut people: Vec<_> = guests.chain(ACCOUNTS.map(|name| format!("{name}@example.org"))).collect();
        // Nobody comes at the same place in every list.
        people.rotate_left(n * 37 % PEOPLE);
        let meeting = json!({
            "title": format!("meeting {n}"),
            "meeting_date": (SystemClock::new().now() + Duration::from_hours(48)).to_string(),
            "participant_emails": people,
        });
        let request = callers[n % callers.len()].request(Method::POST, "/api/meetings/").json(&meeting);
        calls.spawn(async move {
            let clock = SystemClock::new();
            let status = request.send().await.expect("an answer").status();
            (status, clock.monotonic().as_millis())
        });
    }
    let mut took = Vec::new();
    while let Some(call) = calls.join_next().await {
        let (status, milliseconds) = call.expect("a client");
        assert_eq!(status, StatusCode::CREATED, "{}", server.log());
        took.push(milliseconds);
    }
    took.sort_unstable();
    let reminders: i64 = rows.states("meeting_reminder").await.values().sum();
    let invitations: i64 = rows.states("meeting_invite").await.values().sum();
    assert_eq!((reminders as usize, invitations as usize), (meetings * PEOPLE, meetings * (PEOPLE - 1)));
    let log = server.log();
    assert!(!log.contains("deadlock") && !log.contains("ERROR"), "{log}");
    took
}
