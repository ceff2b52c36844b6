use std::collections::BTreeMap;

use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow_mail::testing::SmtpServer;

use super::{Server, database};
use crate::cluster::{Cluster, Stop};
use crate::server::{PASSWORD, eventually, free_port};

/// Two servers that share `url` and a key, as nodes do.
async fn nodes(url: &str, relay: &str) -> [Server; 2] {
    let settings = [
        ("DATABASE_URL", url),
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", relay),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
    ];
    [Server::start(&settings).await, Server::start(&settings).await]
}

#[tokio::test]
async fn two_servers_on_one_database_never_send_a_mail_twice() {
    let (database, relay) = (database().await, SmtpServer::start().await.expect("a relay"));
    let nodes = nodes(&database.url, &relay.port().to_string()).await;
    for n in 0..20 {
        nodes[n % 2].person(&format!("person-{n}")).await;
    }
    let mails = relay.await_mails(20).await;
    for node in nodes {
        assert!(node.terminate().await.0.success());
    }
    let mut by_recipient = BTreeMap::new();
    for mail in relay.mails() {
        assert!(MessageParser::default().parse(&mail.data).is_some());
        *by_recipient.entry(mail.to[0].clone()).or_insert(0) += 1;
    }
    assert_eq!((mails.len(), by_recipient.len()), (20, 20));
    assert!(by_recipient.values().all(|count| *count == 1), "{by_recipient:?}");
}

#[tokio::test]
async fn what_one_node_ends_no_other_lets_in_a_second_later() {
    let (database, relay) = (database().await, SmtpServer::start().await.expect("a relay"));
    let [one, two] = nodes(&database.url, &relay.port().to_string()).await;
    let ada = one.person("ada").await;
    let elsewhere = |path: &str| two.request(Method::GET, path).bearer_auth(&ada.token);
    assert_eq!(elsewhere("/api/auth/me").send().await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(ada.call(Method::POST, "/api/auth/logout", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::UNAUTHORIZED);
    eventually("the other node has heard of it", || async {
        let answer = elsewhere("/api/auth/me").send().await.expect("an answer");
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_is_away_answers_are_503_and_nothing_acknowledged_is_lost() {
    let port = free_port();
    let start = move || Cluster::start_with(&["fsync=off"], Some(port));
    let mut cluster = tokio::task::spawn_blocking(start).await.expect("a cluster");
    let server = Server::start(&[("DATABASE_URL", &cluster.url("postgres"))]).await;
    let ada = server.person("ada").await;
    let mut acknowledged = Vec::new();
    for how in [Stop::Fast, Stop::Crash] {
        acknowledged.push(ada.task(json!({ "title": format!("before {how:?}") })).await["id"].clone());
        cluster = tokio::task::spawn_blocking(move || {
            cluster.stop(how);
            cluster
        })
        .await
        .expect("stopped");
        for _ in 0..5 {
            let request = ada.request(Method::POST, "/api/tasks/").json(&json!({ "title": "meanwhile" }));
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key("retry-after"));
            assert_eq!(server.get("/health/db").await.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(server.get("/health").await.status(), StatusCode::OK);
        }
        cluster = tokio::task::spawn_blocking(move || {
            cluster.resume();
            cluster
        })
        .await
        .expect("resumed");
        eventually("the service is healthy again", || async {
            (server.get("/health/db").await.status() == StatusCode::OK).then_some(())
        })
        .await;
        // A request may still meet a connection that died; it is told so and tries again, as any client would.
        eventually("writes go through again", || async {
            let task = Some(json!({ "title": "afterwards" }));
            let (status, _) = ada.call(Method::POST, "/api/tasks/", task).await;
            assert!(matches!(status, StatusCode::CREATED | StatusCode::SERVICE_UNAVAILABLE), "{status}");
            (status == StatusCode::CREATED).then_some(())
        })
        .await;
    }
    let again = server.sign_in("ada", PASSWORD).await;
    for id in &acknowledged {
        let (status, _) = again.get(&format!("/api/tasks/{}", id.as_str().expect("an id"))).await;
        assert_eq!(status, StatusCode::OK);
    }
}
