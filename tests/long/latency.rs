use std::fmt;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow::ports::{Clock, Storage, SystemClock};
use taskflow::store::{PgOptions, PgStore, SqliteOptions, SqliteStore};
use taskflow_mail::testing::SmtpServer;
use tokio::task::JoinSet;

use taskflow_testkit::accounts::{ZonedAccount, insert_accounts};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::fanout::arrived;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{PASSWORD, Person, Server};

/// From one request to the next.
const PERIOD: Duration = Duration::from_millis(10);
/// How long it is measured with nothing else going on.
const IDLE: Duration = Duration::from_secs(15);
/// Tasks on a page, as a client shows them.
const PAGE: usize = 20;

/// S12: how long requests take while everybody is reminded, with as much mail a second as the relay takes and with half of
/// that, for 20,000 people (`LONG_LATENCY_PEOPLE` for another number). Times depend on the machine and are only printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_quickly_while_everybody_is_reminded() {
    let people = crate::amount("LONG_LATENCY_PEOPLE", 20_000) as usize;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let relay = SmtpServer::builder().count_only().start().await.expect("a relay");
        let port = relay.port().to_string();
        let server = backend.hold(&settings(&port, "0")).await;
        populate(&server, people).await;
        let server = server.restart(&settings(&port, "0")).await;
        let ada = ada(&server).await;
        // What an idle server takes is measured for as long as this.
        let idle = load(&ada, tokio::time::sleep(IDLE)).await;
        let (busy, rate) = fan_out(&ada, &relay, people).await;
        idle.print(backend, people, "idle", 0.0, &idle);
        busy.print(backend, people, "unthrottled", rate, &idle);
        let half = (rate / 2.0).ceil().to_string();
        let server = server.restart(&settings(&port, &half)).await;
        let (busy, rate) = fan_out(&server.sign_in("ada", PASSWORD).await, &relay, people).await;
        busy.print(backend, people, "half", rate, &idle);
        let (status, log) = server.terminate().await;
        assert!(status.success() && !log.contains("\"level\":\"ERROR\""), "{log}");
    }
}

/// The settings of a server that begins nothing by itself.
fn settings<'a>(port: &'a str, rate: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_RATE_PER_SECOND", rate),
        // The share of the rate is the next one's at once when it starts again.
        ("NODE_ID", "one"),
        ("RATE_LIMITS", "off"),
        ("JOB_TASK_REMINDERS", "off"),
        ("JOB_DAILY_SUMMARIES", "off"),
        ("LOG", "warn"),
    ]
}

/// Lets people move in who each have something to be reminded of.
async fn populate(server: &Server, people: usize) {
    let url = server.database_url();
    let store: Box<dyn Storage> = match url.starts_with("sqlite:") {
        true => Box::new(SqliteStore::open(&url, SqliteOptions::default()).await.expect("a store")),
        false => Box::new(PgStore::connect(&url, PgOptions::default()).await.expect("a store")),
    };
    let accounts: Vec<_> = (0..people).map(|_| ZonedAccount::of("UTC", "09:00", true)).collect();
    insert_accounts(store.as_ref(), &accounts).await;
}

/// Whoever measures: an administrator with a page of tasks.
async fn ada(server: &Server) -> Person<'_> {
    let ada = server.person("ada").await;
    let promote = "UPDATE taskflow_users SET is_admin = (1 = 1) WHERE username = 'ada'";
    assert_eq!(Rows::open(&server.database_url()).await.edit(promote).await, 1);
    for n in 0..PAGE {
        ada.task(json!({ "title": format!("task {n}") })).await;
    }
    ada
}

/// Has everybody reminded; tells how long requests take until all have their mail, and how many mails a second that is.
async fn fan_out(ada: &Person<'_>, relay: &SmtpServer, people: usize) -> (Latencies, f64) {
    let (before, clock) = (relay.count(), SystemClock::new());
    let (status, run) = ada.call(Method::POST, "/api/jobs/task_reminders/run", None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    let latencies = load(ada, arrived(relay, before + people)).await;
    (latencies, people as f64 / clock.monotonic().as_secs_f64())
}

/// What requests took, in milliseconds, ascending.
#[derive(Debug, Default)]
struct Latencies {
    get: Vec<f64>,
    post: Vec<f64>,
}

/// Reads a page of tasks and makes a task in turn, one request each period however long those before it take, until
/// something has happened.
async fn load(ada: &Person<'_>, until: impl Future<Output = ()>) -> Latencies {
    let (mut requests, mut ticks) = (JoinSet::new(), tokio::time::interval(PERIOD));
    tokio::pin!(until);
    for n in 0_usize.. {
        tokio::select! {
            () = &mut until => break,
            _ = ticks.tick() => {}
        }
        let is_read = n.is_multiple_of(2);
        let request = match is_read {
            true => ada.request(Method::GET, &format!("/api/tasks/?size={PAGE}")),
            false => ada.request(Method::POST, "/api/tasks/").json(&json!({ "title": "Meanwhile" })),
        };
        requests.spawn(async move {
            let clock = SystemClock::new();
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let body = answer.bytes().await.expect("a body");
            (is_read, status, clock.monotonic().as_secs_f64() * 1000.0, body)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(request) = requests.join_next().await {
        let (is_read, status, took, body) = request.expect("a client");
        assert!(status.is_success(), "{status}: {body:?}");
        if is_read { &mut latencies.get } else { &mut latencies.post }.push(took);
    }
    latencies.get.sort_by(f64::total_cmp);
    latencies.post.sort_by(f64::total_cmp);
    latencies
}

/// Of so many hundred, the one that takes longer than so many; not a number when there are none.
fn percentile(took: &[f64], part: usize) -> f64 {
    took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

impl Latencies {
    fn print(&self, backend: impl fmt::Display, people: usize, phase: &str, rate: f64, idle: &Self) {
        let of = |one: &Self| [percentile(&one.get, 50), percentile(&one.get, 99), percentile(&one.post, 99)];
        let ([get_p50, get_p99, post_p99], [_, idle_get, idle_post]) = (of(self), of(idle));
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        println!(
            "{{\"case\": \"latency\", \"store\": \"{backend}\", \"build\": \"{build}\", \"people\": {people}, \
             \"phase\": \"{phase}\", \"mails_per_s\": {rate:.0}, \"requests\": {}, \"get_p50_ms\": {get_p50:.1}, \
             \"get_p99_ms\": {get_p99:.1}, \"post_p99_ms\": {post_p99:.1}, \"get_ratio\": {:.2}, \"post_ratio\": {:.2}}}",
            self.get.len() + self.post.len(),
            get_p99 / idle_get,
            post_p99 / idle_post,
        );
    }
}
