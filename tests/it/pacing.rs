use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow::ports::{Clock, SystemClock};
use taskflow_mail::testing::{Fault, SmtpServer, Stage};

use crate::admins::admin;
use crate::live::verify_everybody;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::{eventually, eventually_within};

on_each_store![
    no_more_mails_leave_in_a_second_than_the_rate_allows,
    mails_are_claimed_in_batches_with_a_pause_between,
    held_mail_stays_until_the_service_is_started_without_holding_it,
    health_tells_that_the_relay_is_down_until_it_is_back,
    others_are_reminded_within_seconds_while_one_account_floods_a_slow_relay,
];

async fn sending(backend: Backend, relay: &SmtpServer, pace: &[(&str, &str)]) -> Server {
    let port = relay.port().to_string();
    let through = [("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), ("SMTP_FROM_EMAIL", "taskflow@example.org")];
    backend.start(&[&through, pace].concat()).await
}

/// A letter to that many people.
async fn write_to(admin: &Person<'_>, people: usize) {
    let to: Vec<_> = (0..people).map(|n| format!("reader-{n}@example.org")).collect();
    let letter = json!({ "to": to, "subject": "News", "text_content": "There is news." });
    let (status, answer) = admin.call(Method::POST, "/api/email/send", Some(letter)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// How long a letter to that many people takes from being written until the last of them has it, once each.
async fn time_for(backend: Backend, people: usize, pace: &[(&str, &str)]) -> Duration {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = sending(backend, &relay, pace).await;
    let ada = admin(&server, "ada").await;
    relay.await_mails(1).await;
    let clock = SystemClock::new();
    write_to(&ada, people).await;
    relay.await_mails(1 + people).await;
    let took = clock.monotonic();
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{log}");
    assert_eq!(relay.count(), 1 + people, "nobody gets it twice");
    took
}

async fn no_more_mails_leave_in_a_second_than_the_rate_allows(backend: Backend) {
    let took = time_for(backend, 60, &[("EMAIL_RATE_PER_SECOND", "20")]).await;
    // A tenth of a second's worth may begin at once.
    assert!(took >= Duration::from_millis(58 * 50), "{took:?}");
}

async fn mails_are_claimed_in_batches_with_a_pause_between(backend: Backend) {
    let took = time_for(backend, 20, &[("BATCH_SIZE", "5"), ("BATCH_DELAY", "700ms")]).await;
    assert!(took >= Duration::from_millis(3 * 700), "{took:?}");
}

async fn held_mail_stays_until_the_service_is_started_without_holding_it(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = sending(backend, &relay, &[("HOLD_MAIL", "true")]).await;
    let ada = admin(&server, "ada").await;
    write_to(&ada, 10).await;
    let (_, list) = ada.get("/api/deliveries?kind=letter&state=scheduled").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(10), "{list}");
    let (_, health) = ada.get("/api/email/health").await;
    assert_eq!((&health["is_held"], &health["has_backlog"]), (&json!(true), &json!(true)), "{health}");
    assert_eq!(relay.count(), 0);
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = server.restart(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    relay.await_mails(11).await;
    assert!(server.terminate().await.0.success());
    assert_eq!(relay.count(), 11);
}

async fn health_tells_that_the_relay_is_down_until_it_is_back(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    relay.stop().await;
    let server = sending(backend, &relay, &[]).await;
    let ada = server.person("ada").await;
    let health = async || ada.get("/api/email/health").await.1;
    let down = eventually("it is known to be down", || async {
        Some(health().await).filter(|health| health["is_relay_down"] == true)
    })
    .await;
    assert!(down["relay_down_since"].is_string() && down["relay_configured"] == true, "{down}");
    assert!(!down.to_string().contains("127.0.0.1"), "{down}");
    relay.restart().await.expect("a relay");
    relay.await_mails(1).await;
    let up = eventually("it is known to be back", || async {
        Some(health().await).filter(|health| health["is_relay_down"] == false)
    })
    .await;
    assert!(up.get("relay_down_since").is_none() && up["has_backlog"] == false, "{up}");
}

async fn others_are_reminded_within_seconds_while_one_account_floods_a_slow_relay(backend: Backend) {
    const LETTERS: usize = 1_500;
    const READERS: usize = 5;
    let relay = SmtpServer::start().await.expect("a relay");
    let server = sending(backend, &relay, &[("SMTP_CONNECTIONS", "4")]).await;
    let ada = admin(&server, "ada").await;
    let mut readers = Vec::new();
    for n in 0..READERS {
        readers.push(server.person(&format!("reader{n}")).await);
    }
    relay.await_mails(1 + READERS).await;
    verify_everybody(&server).await;
    // Fifty mails a second at most: half a minute for all of what is written by hand.
    relay.when(Stage::Dot, Fault::Delay(Duration::from_millis(80)));
    for _ in 0..LETTERS / 100 {
        write_to(&ada, 100).await;
    }
    let clock = SystemClock::new();
    let due = clock.now() + Duration::from_secs(2);
    for reader in &readers {
        let task = json!({
            "title": "Water the plants",
            "due_at": (due + Duration::from_mins(15)).to_string(),
            "reminder_minutes": 15,
        });
        let (status, answer) = reader.call(Method::POST, "/api/tasks/", Some(task)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    let is_reminder = |to: &[String]| to[0].starts_with("reader") && !to[0].starts_with("reader-");
    let count = eventually_within(Duration::from_secs(20), "everybody is reminded", || async {
        let mails = relay.mails();
        let reminders = mails.iter().skip(1 + READERS).filter(|mail| is_reminder(&mail.to)).count();
        (reminders == READERS).then_some(mails.len())
    })
    .await;
    let late = clock.now().since(due);
    assert!(late <= Duration::from_secs(5), "{late:?}");
    assert!(count < 1 + READERS + LETTERS, "what floods has left before: {count} mails");
}
