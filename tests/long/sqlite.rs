use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use taskflow_testkit::server::{PASSWORD, Server};

/// R17: 200 kills under writes (`LONG_KILLS` for another number).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_by_killing_the_server_again_and_again() {
    let kills = crate::amount("LONG_KILLS", 200);
    let mut random = crate::seed("sqlite_kills");
    let mut server = Server::start(&[]).await;
    let mut token = server.person("ada").await.token;
    let mut acknowledged = Vec::new();
    for kill in 0..kills {
        let writers = (0..4).map(|writer| {
            let (client, url, token) = (server.client.clone(), server.url("/api/tasks/"), token.clone());
            tokio::spawn(async move {
                let mut made = Vec::new();
                for n in 0.. {
                    let task = json!({ "title": format!("{kill}-{writer}-{n}") });
                    match client.request(Method::POST, &url).bearer_auth(&token).json(&task).send().await {
                        Ok(answer) if answer.status() == StatusCode::CREATED => {
                            made.push(format!("{kill}-{writer}-{n}"));
                        }
                        Ok(answer) => panic!("{} while the server lived", answer.status()),
                        Err(_) => return made,
                    }
                }
                made
            })
        });
        let writers: Vec<_> = writers.collect();
        // A moment by chance: nothing happens that could be waited for.
        tokio::time::sleep(Duration::from_millis(crate::next(&mut random) % 100)).await;
        server.kill();
        for writer in writers {
            acknowledged.extend(writer.await.expect("a writer"));
        }
        server = server.restart(&[]).await;
        token = server.sign_in("ada", PASSWORD).await.token;
    }
    let mut database =
        SqliteConnectOptions::new().filename(server.folder.join("taskflow.db")).connect().await.expect("the database");
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut database).await.expect("a verdict");
    assert_eq!(verdict, "ok");
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT title FROM taskflow_tasks").fetch_all(&mut database).await.expect("titles");
    database.close().await.expect("closed");
    let stored: std::collections::HashSet<_> = stored.into_iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|title| !stored.contains(*title)).collect();
    println!(
        "{{\"case\": \"sqlite_kills\", \"kills\": {kills}, \"acknowledged\": {}, \"lost\": {}}}",
        acknowledged.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!acknowledged.is_empty());
}
