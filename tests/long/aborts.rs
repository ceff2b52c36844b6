use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, query_scalar};

use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::server::{Server, eventually};

/// R8: 2,000 requests that their clients give up at random moments, while every answer of the database takes 100 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_lose_nothing_that_was_acknowledged_and_leave_nothing_open() {
    let mut random = crate::seed("aborts");
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let server = Server::start(&[("DATABASE_URL", &proxy.url("postgres")), ("DB_ACQUIRE_TIMEOUT", "30s")]).await;
    let ada = server.person("ada").await;
    proxy.delay(Duration::from_millis(100));
    let (mut acknowledged, mut given_up, mut busy) = (Vec::new(), 0, 0);
    for wave in 0..125 {
        let requests: Vec<_> = (0..16)
            .map(|n| {
                let title = format!("{wave}-{n}");
                let request = ada.request(Method::POST, "/api/tasks/").json(&json!({ "title": title }));
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
        (ada.call(Method::POST, "/api/tasks/", task).await.0 == StatusCode::CREATED).then_some(())
    })
    .await;
    assert!(!server.log().contains("25P02"), "a poisoned connection was used");
    let mut database = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    let open: i64 = query_scalar("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        .fetch_one(&mut database)
        .await
        .expect("a number");
    let titles: Vec<String> =
        query_scalar("SELECT title FROM taskflow.tasks").fetch_all(&mut database).await.expect("titles");
    let titles: HashSet<_> = titles.into_iter().collect();
    let lost = acknowledged.iter().filter(|title| !titles.contains(*title)).count();
    println!(
        "{{\"case\": \"aborts\", \"requests\": 2000, \"acknowledged\": {}, \"given_up\": {given_up}, \"busy\": {busy}, \
         \"lost\": {lost}, \"open_transactions\": {open}}}",
        acknowledged.len()
    );
    assert_eq!((lost, open), (0, 0));
    assert!(!acknowledged.is_empty() && given_up > 0);
}
