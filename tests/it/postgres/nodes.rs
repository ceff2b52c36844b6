use std::collections::BTreeMap;
use std::time::Duration;

use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};
use taskflow_mail::testing::SmtpServer;

use taskflow_testkit::backend::migrated;
use taskflow_testkit::cluster::{Cluster, Database, Stop};
use taskflow_testkit::server::{PASSWORD, Person, Server, free_port};
use taskflow_testkit::wait::eventually;

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
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
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
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
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

/// Somebody who runs the service.
async fn admin<'a>(server: &'a Server, database: &Database) -> Person<'a> {
    let person = server.person("ada").await;
    let promote = sqlx::query("UPDATE taskflow.users SET is_admin = true WHERE username = 'ada'");
    let promoted = promote.execute(&mut database.connection().await).await.expect("an update");
    assert_eq!(promoted.rows_affected(), 1);
    person
}

/// Three servers that send through `relay`, all together thirty mails a second.
async fn limited_nodes(url: &str, relay: &str) -> [Server; 3] {
    let node = async |id| {
        let settings = [
            ("DATABASE_URL", url),
            ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
            ("SMTP_SERVER", "127.0.0.1"),
            ("SMTP_PORT", relay),
            ("SMTP_FROM_EMAIL", "taskflow@example.org"),
            ("EMAIL_RATE_PER_SECOND", "30"),
            ("NODE_ID", id),
        ];
        Server::start(&settings).await
    };
    [node("one").await, node("two").await, node("three").await]
}

/// What `/api/nodes` tells of each: whether it is live, and its mails per second.
async fn rates(admin: &Person<'_>) -> BTreeMap<String, (bool, f64)> {
    let (status, list) = admin.get("/api/nodes").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let items = list["items"].as_array().expect("items").iter();
    let one = |item: &Value| {
        let (live, rate) = (item["live"].as_bool().expect("live"), item["mails_per_second"].as_f64().expect("a rate"));
        (item["id"].as_str().expect("an id").to_owned(), (live, rate))
    };
    items.map(one).collect()
}

/// When the relay had got how many mails.
struct Watch(Vec<(Duration, usize)>);

impl Watch {
    /// Looks every few milliseconds until `until` mails have come: a rate is seen by the passing of time.
    async fn over(relay: &SmtpServer, clock: &SystemClock, until: usize) -> Self {
        let mut seen = vec![(clock.monotonic(), relay.count())];
        while relay.count() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
            seen.push((clock.monotonic(), relay.count()));
            assert!(seen[seen.len() - 1].0 - seen[0].0 < Duration::from_mins(1), "{seen:?}");
        }
        Self(seen)
    }

    /// The most mails beyond `rate` that had come at any look since the first. A machine that is busy makes mails come
    /// late, and then several at once, but never early.
    fn excess(&self, rate: f64) -> f64 {
        let first = self.0[0];
        let beyond = |look: &(Duration, usize)| (look.1 - first.1) as f64 - rate * (look.0 - first.0).as_secs_f64();
        self.0.iter().map(beyond).fold(0.0, f64::max)
    }

    /// Mails per second over all of it.
    fn rate(&self) -> f64 {
        let (first, last) = (self.0[0], self.0[self.0.len() - 1]);
        (last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64()
    }
}

/// Two letters to a hundred people each.
async fn two_hundred_mails(admin: &Person<'_>, prefix: &str) {
    for letter in 0..2 {
        let to: Vec<_> = (0..100).map(|n| format!("{prefix}-{letter}-{n}@example.org")).collect();
        let letter = json!({ "to": to, "subject": "Hello", "text_content": "Hello." });
        let (status, answer) = admin.call(Method::POST, "/api/email/send", Some(letter)).await;
        assert!(status.is_success(), "{status}: {answer}");
    }
}

#[tokio::test]
async fn three_servers_share_one_rate_and_the_others_take_over_the_share_of_a_dead_one() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let clock = SystemClock::new();
    let [one, two, mut victim] = limited_nodes(&database.url, &relay.port().to_string()).await;
    let ada = admin(&one, &database).await;
    relay.await_mails(1).await;
    eventually("all have the same share", || async {
        let rates = rates(&ada).await;
        (rates.len() == 3 && rates.values().all(|(live, rate)| *live && *rate == 10.0)).then_some(())
    })
    .await;
    two_hundred_mails(&ada, "early").await;
    let seen = Watch::over(&relay, &clock, 201).await;
    // Each may begin one mail at once.
    assert!(seen.excess(30.0) <= 5.0, "{}", seen.excess(30.0));
    assert!(seen.rate() > 20.0, "{}", seen.rate());

    victim.kill();
    eventually("the other two share all of it", || async {
        let rates = rates(&ada).await;
        let shares = [&rates["one"], &rates["two"]].map(|(live, rate)| *live && *rate == 15.0);
        (shares == [true, true] && !rates["three"].0).then_some(())
    })
    .await;
    two_hundred_mails(&ada, "late").await;
    let seen = Watch::over(&relay, &clock, 401).await;
    assert!(seen.excess(30.0) <= 5.0, "{}", seen.excess(30.0));
    assert!(seen.rate() > 20.0, "{}", seen.rate());

    // Who says good-bye is not waited for.
    let (status, log) = two.terminate().await;
    assert!(status.success(), "{log}");
    assert!(log.lines().all(|line| line.starts_with("{\"node\":\"two\",")), "{log}");
    eventually("one has all of it", || async {
        let rates = rates(&ada).await;
        (rates["one"] == (true, 30.0) && !rates.contains_key("two")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nodes_are_listed_page_by_page_for_administrators_alone() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let nodes = nodes(&database.url, &relay.port().to_string()).await;
    let (ada, bob) = (admin(&nodes[0], &database).await, nodes[1].person("bob").await);
    assert_eq!(bob.get("/api/nodes").await.0, StatusCode::NOT_FOUND);
    assert_eq!(nodes[0].get("/api/nodes/").await.status(), StatusCode::UNAUTHORIZED);
    let both = eventually("both are there", || async {
        let (status, list) = ada.get("/api/nodes/").await;
        assert_eq!(status, StatusCode::OK, "{list}");
        list["items"].as_array().filter(|items| items.len() == 2).cloned()
    })
    .await;
    for node in &both {
        assert_eq!((&node["live"], &node["sends_mail"]), (&json!(true), &json!(true)));
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert!(node["started_at"].as_str() < node["seen_at"].as_str(), "{node}");
        assert!(node.get("mails_per_second").is_none(), "there is no limit");
    }
    let (_, first) = ada.get("/api/nodes?size=1").await;
    assert_eq!((&first["items"][0]["id"], &first["next"]), (&both[0]["id"], &both[0]["id"]));
    let (_, second) = ada.get(&format!("/api/nodes?size=1&cursor={}", first["next"].as_str().expect("a cursor"))).await;
    assert_eq!((&second["items"][0]["id"], second.get("next")), (&both[1]["id"], None));
    let (status, problem) = ada.get("/api/nodes?cursor=a%20b&size=0").await;
    assert_eq!((status, problem["errors"].as_array().map(Vec::len)), (StatusCode::UNPROCESSABLE_ENTITY, Some(2)));
}

#[tokio::test]
async fn of_two_processes_with_one_name_the_later_one_sends_and_the_other_says_so() {
    let (database, relay) = (migrated().await, SmtpServer::start().await.expect("a relay"));
    let port = relay.port().to_string();
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_RATE_PER_SECOND", "50"),
        ("NODE_ID", "twin"),
    ];
    let (first, second) = (Server::start(&settings).await, Server::start(&settings).await);
    eventually("the first one knows", || async { first.log().contains("give each its own NODE_ID").then_some(()) })
        .await;
    second.person("ada").await;
    relay.await_mails(1).await;
    assert!(!second.log().contains("NODE_ID"));
}
