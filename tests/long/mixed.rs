use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};
use taskflow_mail::testing::SmtpServer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{PASSWORD, Server};

/// People who use the service as people do.
const PEOPLE: u8 = 10;
/// From one request of theirs to the next.
const PERIOD: Duration = Duration::from_millis(200);
/// The time for which they are alone at first.
const ALONE: Duration = Duration::from_secs(60);
/// From one look at the memory to the next.
const LOOK: Duration = Duration::from_secs(10);

/// R18, R21, R22: ten people list tasks and make some that they are reminded of a few seconds later, while one account and
/// connections without a token do what they can, for an hour in all (`LONG_MIXED_MINUTES` for another time).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_else_is_reminded_and_answered_in_time_beside_an_attacker() {
    let minutes = u64::from(crate::amount("LONG_MIXED_MINUTES", 60));
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let relay = SmtpServer::builder().count_only().start().await.expect("a relay");
        let port = relay.port().to_string();
        let server = backend
            .start(&[
                ("PUBLIC_URL", "http://tasks.example.org"),
                ("ALLOWED_HOSTS", "127.0.0.1"),
                ("SMTP_SERVER", "127.0.0.1"),
                ("SMTP_PORT", &port),
                ("SMTP_FROM_EMAIL", "taskflow@example.org"),
                // A relay of ordinary speed.
                ("EMAIL_RATE_PER_SECOND", "50"),
                ("RATE_LIMITS", "on"),
                ("LIMIT_REGISTER", "100/1m"),
                ("LOG", "warn"),
            ])
            .await;
        let people = join_all((1..=PEOPLE).map(|n| Guest::register(&server, n))).await;
        let attacker = Arc::new(Guest::register(&server, 66).await);
        let verify = "UPDATE taskflow_users SET email_verified = (1 = 1)";
        assert_eq!(Rows::open(&server.database_url()).await.edit(verify).await, u64::from(PEOPLE) + 1);
        let alone = load(&people, tokio::time::sleep(ALONE)).await;
        let stop = CancellationToken::new();
        let attack = tokio::spawn(attack(attacker, server.url(""), stop.clone()));
        let memory = tokio::spawn(memory(server.process(), stop.clone()));
        let time = Duration::from_secs(minutes * 60 / 2);
        let beside = load(&people, tokio::time::sleep(time)).await;
        stop.cancel();
        let (memory, refusals) = (memory.await.expect("memory"), attack.await.expect("an attack"));
        let late = lateness(&server).await;
        let [late_p50, late_p99, late_most] = [50, 99, 100].map(|part| percentile(&late, part));
        let ratio = percentile(&beside.took, 99) / percentile(&alone.took, 99);
        let (most, slope) = (memory.iter().map(|look| look.1).fold(0.0, f64::max), slope(&memory));
        println!(
            "{{\"case\": \"mixed\", \"store\": \"{backend}\", \"build\": \"{}\", \"minutes\": {}, \"requests\": {}, \
             \"alone_p99_ms\": {:.1}, \"beside_p99_ms\": {:.1}, \"ratio\": {ratio:.2}, \"reminders\": {}, \
             \"late_p50_s\": {late_p50:.2}, \"late_p99_s\": {late_p99:.2}, \"late_most_s\": {late_most:.2}, \
             \"memory_mb\": {most:.0}, \"mb_in_10_minutes\": {slope:.2}, \"attacker\": {}}}",
            if cfg!(debug_assertions) { "debug" } else { "release" },
            minutes / 2,
            beside.took.len(),
            percentile(&alone.took, 99),
            percentile(&beside.took, 99),
            late.len(),
            json!(refusals),
        );
        assert_eq!(alone.refused, [] as [String; 0]);
        assert_eq!(beside.refused, [] as [String; 0], "others are refused because of one");
        assert!(!late.is_empty() && late_p99 <= 5.0, "reminders are late");
        assert!(most < 256.0, "{most} MB");
        let (status, log) = server.terminate().await;
        assert!(status.success() && !log.contains("\"level\":\"ERROR\""), "{log}");
    }
}

/// Somebody with an address of their own.
struct Guest {
    client: Client,
    url: String,
    token: String,
}

impl Guest {
    async fn register(server: &Server, n: u8) -> Self {
        let (client, name) = (client(n), format!("guest{n}"));
        let sign = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let mut guest = Self { client, url: server.url(""), token: String::new() };
        let (status, answer) = guest.call(Method::POST, "/api/auth/register", Some(sign.clone())).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let (status, answer) = guest.call(Method::POST, "/api/auth/login", Some(sign)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["access_token"].as_str().expect("a token").clone_into(&mut guest.token);
        guest
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let Ok(answer) = request.send().await else { return (StatusCode::BAD_GATEWAY, Value::Null) };
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Makes a task with a reminder that is due five seconds from now.
    async fn task(&self) -> (StatusCode, Value) {
        let due_at = SystemClock::new().now() + Duration::from_secs(65);
        let task = json!({ "title": "Mine", "due_at": due_at.to_string(), "reminder_minutes": 1 });
        self.call(Method::POST, "/api/tasks/", Some(task)).await
    }
}

/// A client on a loopback address of its own.
fn client(n: u8) -> Client {
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 1, n));
    Client::builder().no_proxy().local_address(address).timeout(Duration::from_secs(30)).build().expect("a client")
}

/// Latencies of people's requests in milliseconds, ascending, and the refusals.
#[derive(Default)]
struct Answers {
    took: Vec<f64>,
    refused: Vec<String>,
}

/// Has people list tasks and make tasks in turn, one request each period however long those before it take.
async fn load(people: &[Guest], until: impl Future<Output = ()>) -> Answers {
    let answers = Mutex::new(Answers::default());
    let mut ticks = tokio::time::interval(PERIOD);
    let mut requests = FuturesUnordered::new();
    tokio::pin!(until);
    let mut n = 0;
    loop {
        tokio::select! {
            () = &mut until => break,
            Some(()) = requests.next(), if !requests.is_empty() => continue,
            _ = ticks.tick() => n += 1,
        }
        let (guest, is_read, answers) = (&people[n / 2 % people.len()], n.is_multiple_of(2), &answers);
        requests.push(async move {
            let clock = SystemClock::new();
            let (status, body) = match is_read {
                true => guest.call(Method::GET, "/api/tasks/?size=20", None).await,
                false => guest.task().await,
            };
            let mut answers = answers.lock().expect("answers");
            answers.took.push(clock.monotonic().as_secs_f64() * 1000.0);
            if !status.is_success() {
                answers.refused.push(format!("{status}: {body}"));
            }
        });
    }
    while requests.next().await.is_some() {}
    drop(requests);
    let mut answers = answers.into_inner().expect("answers");
    answers.took.sort_by(f64::total_cmp);
    answers
}

/// Does what one account and a few addresses can, and counts the answers.
async fn attack(account: Arc<Guest>, url: String, stop: CancellationToken) -> BTreeMap<String, u64> {
    let counts = Arc::new(Mutex::new(BTreeMap::new()));
    let mut attackers = JoinSet::new();
    for kind in ["search", "search", "search", "search", "invite", "remind", "crowd", "guess", "guess", "slow"] {
        let (account, url, counts, stop) = (Arc::clone(&account), url.clone(), Arc::clone(&counts), stop.clone());
        attackers.spawn(async move {
            let stranger = client(67);
            for n in 0_u64.. {
                let status = tokio::select! {
                    () = stop.cancelled() => break,
                    status = strike(kind, n, &account, &stranger, &url) => status,
                };
                *counts.lock().expect("counts").entry(format!("{kind} {status}")).or_insert(0) += 1;
                // Whoever is refused comes again, but a client that only loops would measure itself.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    while attackers.join_next().await.is_some() {}
    Arc::try_unwrap(counts).expect("all have ended").into_inner().expect("counts")
}

/// Does one thing of a kind.
async fn strike(kind: &str, n: u64, account: &Guest, stranger: &Client, url: &str) -> u16 {
    let later = |seconds| (SystemClock::new().now() + Duration::from_secs(seconds)).to_string();
    let (status, _) = match kind {
        // Long words that are nowhere: every text is looked at.
        "search" => account.call(Method::GET, "/api/tasks/?q=zzzz%20yyyy%20xxxx&size=100", None).await,
        "invite" => {
            let guests: Vec<_> = (0..100).map(|guest| format!("stranger{n}-{guest}@reader.example")).collect();
            let meeting = json!({
                "title": "Everybody", "meeting_date": later(86_400), "participant_emails": guests,
            });
            account.call(Method::POST, "/api/meetings/", Some(meeting)).await
        }
        // Many reminders in the minute in which others have theirs.
        "remind" => {
            let task = json!({ "title": "Flood", "due_at": later(65), "reminder_minutes": 1, "description": "x".repeat(2_000) });
            account.call(Method::POST, "/api/tasks/", Some(task)).await
        }
        "crowd" => {
            let clients = (0..20).map(|_| account.call(Method::GET, "/api/tasks/?size=100", None));
            let all = join_all(clients).await;
            all.into_iter().max_by_key(|answer| answer.0).expect("answers")
        }
        "guess" => {
            let body = json!({ "username": format!("guest{}", n % 10 + 1), "password": format!("guess {n}") });
            match stranger.post(format!("{url}/api/auth/login")).json(&body).send().await {
                Ok(answer) => (answer.status(), Value::Null),
                Err(_) => (StatusCode::BAD_GATEWAY, Value::Null),
            }
        }
        // A request that does not end, on fifty connections.
        _ => {
            let place = url.trim_start_matches("http://").to_owned();
            let connections = (0..50).map(|_| async {
                let mut connection = TcpStream::connect(&place).await.ok()?;
                connection
                    .write_all(b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n{")
                    .await
                    .ok()?;
                Some(connection)
            });
            let held = join_all(connections).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(held);
            (StatusCode::OK, Value::Null)
        }
    };
    status.as_u16()
}

/// Looks at the memory of a process, in MB, with the time in minutes.
async fn memory(process: u32, stop: CancellationToken) -> Vec<(f64, f64)> {
    let (clock, mut looks, mut ticks) = (SystemClock::new(), Vec::new(), tokio::time::interval(LOOK));
    loop {
        tokio::select! {
            () = stop.cancelled() => return looks,
            _ = ticks.tick() => {}
        }
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kilobytes: f64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        looks.push((clock.monotonic().as_secs_f64() / 60.0, kilobytes / 1024.0));
    }
}

/// The growth in 10 minutes, by least squares over the last two thirds of the looks.
fn slope(looks: &[(f64, f64)]) -> f64 {
    let looks = &looks[looks.len() / 3..];
    let count = looks.len() as f64;
    let (x, y) = looks.iter().fold((0.0, 0.0), |sum, look| (sum.0 + look.0 / count, sum.1 + look.1 / count));
    let (both, own) = looks
        .iter()
        .fold((0.0, 0.0), |sum, look| (sum.0 + (look.0 - x) * (look.1 - y), sum.1 + (look.0 - x) * (look.0 - x)));
    10.0 * both / own
}

/// How long after their time the reminders of people left, in seconds, ascending. One that is to come does not count, one
/// that is due and still there does.
async fn lateness(server: &Server) -> Vec<f64> {
    let people: Vec<_> = (1..=PEOPLE).map(|n| format!("guest{n}@example.org")).collect();
    let rows = Rows::open(&server.database_url()).await.lateness("task_due", &people).await;
    let mut late: Vec<_> = rows.into_iter().filter(|(state, late)| state != "scheduled" || *late > 0.0).collect();
    late.sort_by(|one, other| one.1.total_cmp(&other.1));
    assert!(late.iter().all(|(state, _)| ["delivered", "scheduled", "claimed"].contains(&state.as_str())), "{late:?}");
    late.into_iter().map(|(_, late)| late).collect()
}

fn percentile(took: &[f64], part: usize) -> f64 {
    took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
