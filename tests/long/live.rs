use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow::ports::{Clock, SystemClock};
use tokio::task::JoinSet;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::{Events, Socket, deaf_stream, memory};
use taskflow_testkit::resuming::resume;
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually;

/// Sockets of one person at most.
const OF_ONE: usize = 1_000;
/// What one of a thousand sockets is told.
const EVENTS: u64 = 100;
/// Nobody waits longer than that for the last message.
const PATIENCE: Duration = Duration::from_mins(2);

/// Has so many files open at once as these sockets need, in this process; the server sees to it by itself.
fn make_room(sockets: usize) {
    let wanted = sockets as u64 + 1000;
    let limit = rlimit::increase_nofile_limit(wanted).expect("a limit");
    assert!(limit >= wanted, "{sockets} sockets need more open files than the {limit} that may be opened here");
}

fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// 5,000 sockets (`LONG_SOCKETS` for another number) of fifty people, of whom each is told one thing in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_sockets_cost_little_and_are_told_all_the_same() {
    let count = crate::amount("LONG_SOCKETS", 5000) as usize;
    make_room(count);
    let server = Server::start(&[("RATE_LIMITS", "off"), ("LOG", "warn")]).await;
    let mut people = Vec::new();
    for n in 0..50 {
        people.push(server.person(&format!("person-{n}")).await);
    }
    // What the first few cost is what the server needs once.
    for person in &people {
        Socket::follow(&server, &person.token).await.0.leave().await;
    }
    let (before, clock) = (memory(&server), SystemClock::new());
    let mut sockets = Vec::new();
    for n in 0..count {
        sockets.push(Socket::follow(&server, &people[n % people.len()].token).await.0);
    }
    let (open, opened_in) = (memory(&server), clock.monotonic().as_secs_f64());
    let clock = SystemClock::new();
    for person in &people {
        person.task(json!({ "title": "for everybody" })).await;
    }
    for socket in &mut sockets {
        assert_eq!(socket.said().await["seq"], json!(1));
    }
    let told_in = clock.monotonic().as_millis();
    let told = memory(&server);
    let each = |now: u64| now.saturating_sub(before) / count as u64;
    println!(
        "{{\"case\": \"idle_sockets\", \"build\": \"{}\", \"sockets\": {count}, \"bytes_each\": {}, \
         \"bytes_each_told\": {}, \"server_mb\": {}, \"opened_in_s\": {opened_in:.1}, \"told_in_ms\": {told_in}}}",
        build(),
        each(open),
        each(told),
        told / 1024 / 1024
    );
    let clock = SystemClock::new();
    let (status, log) = server.terminate().await;
    assert!(status.success() && !log.contains("\"level\":\"ERROR\""), "{log}");
    println!("{{\"case\": \"idle_sockets\", \"stopped_in_ms\": {}}}", clock.monotonic().as_millis());
    assert!(clock.monotonic() < Duration::from_secs(30));
}

async fn bulk(person: &Person<'_>, tasks: u64) {
    let operations: Vec<_> =
        (0..tasks).map(|n| json!({ "op": "create", "task": { "title": format!("task {n}") } })).collect();
    let body = json!({ "atomic": true, "operations": operations });
    let (status, answer) = person.call(Method::POST, "/api/tasks/bulk", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// A person with a thousand sockets is told a hundred things, one after the other and then all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_a_thousand_sockets_of_one_person_is_told_everything() {
    make_room(OF_ONE);
    let server = Server::start(&[("RATE_LIMITS", "off"), ("LOG", "warn")]).await;
    let ada = server.person("ada").await;
    let mut sockets = Vec::new();
    for _ in 0..OF_ONE {
        sockets.push(Socket::follow(&server, &ada.token).await.0);
    }
    let mut known = 0;
    for phase in ["one by one", "at once"] {
        let clock = SystemClock::new();
        let mut readers = JoinSet::new();
        for mut socket in sockets.drain(..) {
            readers.spawn(async move {
                for seq in known + 1..=known + EVENTS {
                    assert_eq!(socket.said().await["seq"], json!(seq));
                }
                socket
            });
        }
        match phase {
            "at once" => bulk(&ada, EVENTS).await,
            _ => {
                for n in 0..EVENTS {
                    ada.task(json!({ "title": format!("task {n}") })).await;
                }
            }
        }
        let written_in = clock.monotonic().as_millis();
        let reading = readers.join_all();
        sockets = tokio::time::timeout(PATIENCE, reading).await.expect("everybody is told in time");
        println!(
            "{{\"case\": \"many_sockets\", \"build\": \"{}\", \"phase\": \"{phase}\", \"sockets\": {OF_ONE}, \
             \"events\": {EVENTS}, \"written_in_ms\": {written_in}, \"last_told_in_ms\": {}}}",
            build(),
            clock.monotonic().as_millis()
        );
        known += EVENTS;
    }
}

/// 10,000 changes (`LONG_CHANGES` for another number) on each store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_lose_their_connection_again_and_again_miss_nothing_of_ten_thousand_changes() {
    let changes: u64 = crate::amount("LONG_CHANGES", 10_000).into();
    let mut random = crate::seed("resuming");
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = backend.hold(&[("RATE_LIMITS", "off"), ("LOG", "warn")]).await;
        let resumed = resume(&server, changes, crate::next(&mut random)).await;
        println!(
            "{{\"case\": \"resuming\", \"store\": \"{backend}\", \"build\": \"{}\", \"changes\": {changes}, \"connections\": {}, \
             \"too_slow\": {}, \"seconds\": {:.1}}}",
            build(),
            resumed.connections,
            resumed.too_slow,
            resumed.seconds
        );
    }
}

/// A stream is an answer like any other: who does not take it is cut off after twenty seconds, also while the server stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads_cost_little_and_keep_no_server_from_stopping() {
    const STREAMS: usize = 100;
    const FILLS: u64 = 20;
    make_room(STREAMS);
    let server = Server::start(&[("RATE_LIMITS", "off"), ("LOG", "warn")]).await;
    let ada = server.person("ada").await;
    let fill = async || {
        let task = json!({ "title": "long", "description": "x".repeat(10_000) });
        let operations: Vec<_> = (0..90).map(|_| json!({ "op": "create", "task": task })).collect();
        let body = json!({ "atomic": true, "operations": operations });
        let (status, answer) = ada.call(Method::POST, "/api/tasks/bulk", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    };
    fill().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(deaf_stream(&server, &ada.token).await);
    }
    let (before, mut most) = (memory(&server), 0);
    for _ in 0..FILLS {
        fill().await;
        most = memory(&server).max(most);
    }
    // Those that were there first are cut off meanwhile; these are there when it stops.
    for _ in 0..5 {
        streams.push(deaf_stream(&server, &ada.token).await);
    }
    fill().await;
    let clock = SystemClock::new();
    let (status, log) = server.terminate().await;
    let (stopped, grown) = (clock.monotonic(), most.saturating_sub(before) / 1024 / 1024);
    println!(
        "{{\"case\": \"deaf_streams\", \"build\": \"{}\", \"streams\": {STREAMS}, \"grown_mb\": {grown}, \
         \"stopped_in_ms\": {}}}",
        build(),
        stopped.as_millis()
    );
    assert!(status.success() && !log.contains("\"level\":\"ERROR\""), "{log}");
    assert!(grown < 200 && stopped < Duration::from_secs(30));
}

/// Each stream keeps a connection busy, of which a node has 4,096 for all requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_leave_room_for_requests() {
    const STREAMS: usize = 2_048;
    make_room(STREAMS);
    let server = Server::start(&[("RATE_LIMITS", "off"), ("LOG", "warn")]).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "cleo"] {
        people.push(server.person(name).await);
    }
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        streams.push(deaf_stream(&server, &people[n % people.len()].token).await);
    }
    let (status, problem) = people[0].get("/api/events").await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("busy")), "{problem}");
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
    Socket::follow(&server, &people[0].token).await;
    drop(streams);
    eventually("there is room again", || async {
        let answer = people[0].request(Method::GET, "/api/events").send().await.expect("an answer");
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

/// Both are looked at together since both take more than a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_silent_is_closed_and_so_is_who_lets_a_token_expire() {
    let server = Server::start(&[("RATE_LIMITS", "off")]).await;
    let brief = Server::start(&[("RATE_LIMITS", "off"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "1")]).await;
    let (ada, bob) = (server.person("ada").await, brief.person("bob").await);
    let (silent, _) = Socket::follow(&server, &ada.token).await;
    let (mut answering, _) = Socket::follow(&server, &ada.token).await;
    let (mut expiring, _) = Socket::follow(&brief, &bob.token).await;
    let mut stream = Events::follow(&brief, &bob.token, "").await;
    let ((silence, after), (expired, age), (ended, length)) = tokio::select! {
        all = async { tokio::join!(timed(silent.hang()), timed(expiring.outlast()), timed(stream.closed())) } => all,
        code = answering.outlast() => panic!("who answers pings was closed with {code}"),
    };
    println!("{{\"case\": \"silence\", \"silent_closed_after_s\": {after:.1}, \"expired_closed_after_s\": {age:.1}}}");
    assert_eq!((silence, expired, ended), (4408, 4401, 4401));
    assert!((74.0..80.0).contains(&after) && (55.0..65.0).contains(&age) && (55.0..65.0).contains(&length));
}

/// With what it ends, and after how many seconds.
async fn timed(ending: impl Future<Output = u16>) -> (u16, f64) {
    let clock = SystemClock::new();
    let code = tokio::time::timeout(PATIENCE, ending).await.expect("it ends");
    (code, clock.monotonic().as_secs_f64())
}
