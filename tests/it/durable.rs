//! What an answer promises is committed before it is given: a server that is killed right after it keeps the promise.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::SmtpServer;

use crate::admins::admin;
use taskflow::ports::{Clock, SystemClock};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

on_each_store![
    a_forgotten_password_is_mailed_although_the_server_is_killed_right_after_the_answer,
    other_promises_are_kept_although_the_server_is_killed_right_after_the_answer,
    a_forgotten_password_takes_as_long_when_no_account_has_the_address,
];

const KEY: &str = "a key for these tests that is long enough to sign with";

fn settings(port: &str) -> Vec<(&str, &str)> {
    vec![
        ("SECRET_KEY", KEY),
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("INBOUND_SECRET", KEY),
        // What a dead process held is taken over soon.
        ("EMAIL_TIMEOUT", "2s"),
        ("LEASE_SECONDS", "4s"),
    ]
}

fn held<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [settings, &[("HOLD_MAIL", "true")]].concat()
}

async fn forgot(server: &Server, email: &str) {
    let answer = server.post("/api/auth/password/forgot", json!({ "email": email })).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

async fn states(server: &Server, kind: &str) -> Vec<(String, i64)> {
    Rows::open(&server.database_url()).await.states(kind).await.into_iter().collect()
}

async fn a_forgotten_password_is_mailed_although_the_server_is_killed_right_after_the_answer(backend: Backend) {
    const ROUNDS: usize = 4;
    let names = ["ada", "bob", "cleo", "dora"];
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let settings = settings(&port);
    let mut server = backend.start(&held(&settings)).await;
    join_all(names.map(|name| server.person(name))).await;
    for round in 1..=ROUNDS {
        // Several at once: the last answer comes while others are being written.
        let emails = names.map(|name| format!("{name}@example.org"));
        join_all(emails.iter().map(|email| forgot(&server, email))).await;
        server.kill();
        assert_eq!(states(&server, "password_reset").await, [("scheduled".to_owned(), (round * names.len()) as i64)]);
        server = server.restart(&held(&settings)).await;
    }
    let server = server.restart(&settings).await;
    let resets = eventually("all arrive", || async {
        let mails = relay.mails();
        let resets = mails.iter().filter(|mail| String::from_utf8_lossy(&mail.data).contains("tasks.example.org/p/"));
        let to: Vec<_> = resets.flat_map(|mail| mail.to.clone()).collect();
        (to.len() == ROUNDS * names.len()).then_some(to)
    })
    .await;
    for name in names {
        assert_eq!(resets.iter().filter(|to| to.starts_with(name)).count(), ROUNDS, "{resets:?}");
    }
    assert!(server.terminate().await.0.success());
}

async fn other_promises_are_kept_although_the_server_is_killed_right_after_the_answer(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let settings = settings(&port);
    // No job begins before the server is killed.
    let quiet = [held(&settings), vec![("JOB_TICK", "1h")]].concat();
    let mut server = backend.start(&quiet).await;
    admin(&server, "ada").await;
    let before = states(&server, "verify_email").await;
    let token = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await.token;
    let call = async |server: &Server, method: Method, path: &str, body: Option<Value>| {
        let request = server.request(method, path).bearer_auth(&token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };
    // Another link to verify the address.
    let (status, _) = call(&server, Method::POST, "/api/auth/email/resend", None).await;
    server.kill();
    assert_eq!(status, StatusCode::ACCEPTED);
    let count = |states: &[(String, i64)]| states.iter().map(|(_, count)| count).sum::<i64>();
    assert_eq!(count(&states(&server, "verify_email").await), count(&before) + 1);
    // A run of a job.
    server = server.restart(&quiet).await;
    let (status, run) = call(&server, Method::POST, "/api/jobs/statistics/run", None).await;
    server.kill();
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    // A mail by hand, and a sample.
    server = server.restart(&quiet).await;
    let letter = json!({ "to": "eve@example.org", "subject": "News", "text_content": "There is news." });
    let (status, sent) = call(&server, Method::POST, "/api/email/send", Some(letter)).await;
    server.kill();
    assert_eq!(status, StatusCode::OK, "{sent}");
    assert_eq!(states(&server, "letter").await, [("scheduled".to_owned(), 1)]);
    server = server.restart(&quiet).await;
    let (status, sent) = call(&server, Method::POST, "/api/email/test-notification", None).await;
    server.kill();
    assert_eq!(status, StatusCode::OK, "{sent}");
    assert_eq!(states(&server, "sample").await, [("scheduled".to_owned(), 1)]);
    // A bounce that a mail gateway brings.
    server = server.restart(&quiet).await;
    let bounce =
        json!([{ "email": "gone@example.org", "type": "bounce", "status": "5.1.1", "detail": "no such user" }]);
    let brought = server.request(Method::POST, "/api/inbound/bounce").bearer_auth(KEY).json(&bounce).send().await;
    server.kill();
    assert_eq!(brought.expect("an answer").status(), StatusCode::OK);

    let server = server.restart(&settings).await;
    let (_, suppressions) = call(&server, Method::GET, "/api/suppressions", None).await;
    assert_eq!(suppressions["items"][0]["email"], "gone@example.org", "{suppressions}");
    let path = format!("/api/jobs/statistics/runs/{}", run["id"].as_str().expect("an id"));
    let done = eventually("the run is over", || async {
        let (status, run) = call(&server, Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{run}");
        run["finished_at"].is_string().then_some(run)
    });
    assert_eq!(done.await["state"], "finished");
    eventually("the mail by hand arrives", || async {
        relay.mails().iter().any(|mail| mail.to == ["eve@example.org"]).then_some(())
    })
    .await;
}

/// The shortest time shows the work that is done; all longer ones show what else the machine does.
async fn a_forgotten_password_takes_as_long_when_no_account_has_the_address(backend: Backend) {
    let server = backend.start(&[("HOLD_MAIL", "true")]).await;
    server.person("ada").await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..60 {
        for (fastest, email) in fastest.iter_mut().zip(["ada@example.org", "nobody@example.org"]) {
            let clock = SystemClock::new();
            forgot(&server, email).await;
            *fastest = clock.monotonic().min(*fastest);
        }
    }
    let [known, unknown] = fastest;
    println!(
        "{{\"case\": \"forgotten_password\", \"store\": \"{backend}\", \"known\": {known:?}, \"unknown\": {unknown:?}}}"
    );
    assert!(known < unknown * 2 && unknown < known * 2, "{known:?} with an account, {unknown:?} without");
}
