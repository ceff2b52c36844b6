use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::query_scalar;

use taskflow_testkit::cluster::Cluster;
use taskflow_testkit::proxy::Proxy;
use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

/// R8: 2,000 requests (`LONG_ABORTS` for another number) that their clients give up at random moments, while every answer
/// of the database takes 100 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_lose_nothing_that_was_acknowledged_and_leave_nothing_open() {
    let waves = crate::amount("LONG_ABORTS", 2000).div_ceil(AT_ONCE);
    let mut random = crate::seed("aborts");
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let server = Server::start(&[("DATABASE_URL", &proxy.url("postgres")), ("DB_ACQUIRE_TIMEOUT", "30s")]).await;
    // Writes of one person follow one another; only those of several can use all connections.
    let mut people = Vec::new();
    for n in 0..AT_ONCE {
        people.push(server.person(&format!("person-{n}")).await);
    }
    proxy.delay(Duration::from_millis(100));
    let (mut acknowledged, mut given_up, mut busy) = (Vec::new(), 0, 0);
    for wave in 0..waves {
        let requests: Vec<_> = (0..AT_ONCE)
            .zip(&people)
            .map(|(n, person)| {
                let title = format!("{wave}-{n}");
                let request = person.request(Method::POST, "/api/tasks/").json(&json!({ "title": title }));
                let patience = Duration::from_millis(crate::next(&mut random) % 1500);
                tokio::spawn(async move { (title, tokio::time::timeout(patience, request.send()).await) })
            })
            .collect();
        for request in requests {
            match request.await.expect("a client") {
                (title, Ok(Ok(answer))) if answer.status() == StatusCode::CREATED => acknowledged.push(title),
                (_, Ok(Ok(answer))) => {
                    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
                    busy += 1;
                }
                (_, Ok(Err(_)) | Err(_)) => given_up += 1,
            }
        }
    }
    proxy.delay(Duration::ZERO);
    // Writes that were given up go on in the server for a while.
    eventually("the service has recovered", || async {
        let task = Some(json!({ "title": "after all that" }));
        (people[0].call(Method::POST, "/api/tasks/", task).await.0 == StatusCode::CREATED).then_some(())
    })
    .await;
    assert!(!server.log().contains("25P02"), "a poisoned connection was used");
    let database = PgPoolOptions::new().max_connections(1).connect(&cluster.url("postgres")).await.expect("a database");
    // A write may go on for a while after its client has gone; a transaction that was left open stays.
    eventually("no transaction is open", || async {
        let open: i64 = query_scalar(OPEN_TRANSACTIONS).fetch_one(&database).await.expect("a number");
        (open == 0).then_some(())
    })
    .await;
    let titles: HashSet<String> = query_scalar("SELECT title FROM taskflow.tasks")
        .fetch_all(&database)
        .await
        .expect("titles")
        .into_iter()
        .collect();
    let lost = acknowledged.iter().filter(|title| !titles.contains(*title)).count();
    println!(
        "{{\"case\": \"aborts\", \"requests\": {}, \"acknowledged\": {}, \"given_up\": {given_up}, \"busy\": {busy}, \
         \"lost\": {lost}}}",
        waves * AT_ONCE,
        acknowledged.len()
    );
    assert_eq!(lost, 0);
    assert!(!acknowledged.is_empty() && given_up > 0);
}

/// As many as the server may have connections to its database: while it is slow, hardly one of them is free.
const AT_ONCE: u32 = 16;

const OPEN_TRANSACTIONS: &str = "
    SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND application_name = 'taskflow'";

/// Whether somebody is let in is a matter of what was read lately about ended sessions, which must not have to wait for a
/// connection behind everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_let_in_while_every_connection_is_waited_for() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let server = Server::start(&[("DATABASE_URL", &proxy.url("postgres")), ("DB_MAX_CONNECTIONS", "6")]).await;
    let ada = server.person("ada").await;
    proxy.delay(Duration::from_millis(100));
    let mut turned_away = 0;
    // Ten seconds and more, since what was read counts for five.
    for _ in 0..40 {
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let request = ada.request(Method::POST, "/api/tasks/").json(&json!({ "title": "more than it can do" }));
            waiting.spawn(tokio::time::timeout(Duration::from_millis(250), request.send()));
        }
        waiting.join_all().await;
        // What is refused to whoever is let in needs no connection.
        let (status, _) = ada.call(Method::POST, "/api/tasks/", Some(json!({ "title": "" }))).await;
        turned_away += u32::from(status != StatusCode::UNPROCESSABLE_ENTITY);
    }
    println!("{{\"case\": \"let_in\", \"asked\": 40, \"turned_away\": {turned_away}}}");
    assert_eq!(turned_away, 0);
}
