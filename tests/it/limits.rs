//! Limits on connections without a token, by name and by address, on all nodes together.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::SmtpServer;

use crate::admins::admin;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::guesses::{self, BEHIND_PROXY, known_device};
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{PASSWORD, Server};
use taskflow_testkit::wait::eventually;

on_each_store![
    guesses_at_one_name_from_many_addresses_are_bounded_while_the_owner_signs_in,
    all_nodes_count_failed_sign_ins_together,
    successful_sign_ins_cost_nothing,
    one_address_tries_so_many_names_and_each_counts_once,
    registrations_and_requests_for_mail_are_bounded_by_address,
    one_account_gets_a_few_mails_for_a_lost_password_whether_or_not_it_exists,
    administrators_see_what_limits_refuse_and_are_alerted,
];

const KEY: &str = "a key for these tests that is long enough to sign with";

/// The limits as they are unless somebody sets them, with this machine as a proxy.
const ON: [(&str, &str); 3] = [("RATE_LIMITS", "on"), ("TRUSTED_PROXIES", "127.0.0.1"), ("SECRET_KEY", KEY)];

async fn sign_in(server: &Server, address: &str, body: Value) -> (StatusCode, HeaderMap, Value) {
    let request = server.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address).json(&body);
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.json().await.expect("JSON"))
}

/// Guesses at `name` from an address, and returns the status.
async fn guess(server: &Server, address: &str, name: &str) -> StatusCode {
    sign_in(server, address, json!({ "username": name, "password": "not the password" })).await.0
}

fn count(statuses: &[StatusCode], status: StatusCode) -> usize {
    statuses.iter().filter(|own| **own == status).count()
}

async fn guesses_at_one_name_from_many_addresses_are_bounded_while_the_owner_signs_in(backend: Backend) {
    let server = backend.start(&ON).await;
    server.person("ada").await;
    let own = json!({ "username": "ada", "password": PASSWORD });
    let (_, _, first) = sign_in(&server, "192.0.2.200", own.clone()).await;
    let device = first["device_token"].as_str().expect("a device token");
    for name in ["ada", "nobody", "ADA@example.org"] {
        let addresses: Vec<_> = (0..100).map(|n| format!("198.51.100.{n}")).collect();
        let statuses = join_all(addresses.iter().map(|address| guess(&server, address, name))).await;
        let hashed = count(&statuses, StatusCode::UNAUTHORIZED);
        // The name and the address of an account are one.
        let budget = if name.contains('@') { 0..=1 } else { 30..=31 };
        assert!(budget.contains(&hashed), "{name}: {hashed} of 100 guesses were hashed");
        assert_eq!(count(&statuses, StatusCode::TOO_MANY_REQUESTS), 100 - hashed, "{name}: {statuses:?}");
    }
    let (status, headers, problem) = sign_in(&server, "203.0.113.1", own.clone()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("too_many")));
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default();
    let seconds: u64 = header("retry-after").parse().expect("seconds");
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert_eq!(header("ratelimit-policy"), "\"sign-in\";q=5;w=300");
    assert_eq!(header("ratelimit"), format!("\"sign-in\";r=0;t={seconds}"));

    let known = json!({ "username": "ada", "password": PASSWORD, "device_token": device });
    let (status, _, again) = sign_in(&server, "203.0.113.1", known).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    let made_up = json!({ "username": "ada", "password": PASSWORD, "device_token": "made up" });
    assert_eq!(sign_in(&server, "203.0.113.1", made_up).await.0, StatusCode::TOO_MANY_REQUESTS);
    // A device that is known to one account is not known to another one.
    let other = json!({ "username": "nobody", "password": PASSWORD, "device_token": device });
    assert_eq!(sign_in(&server, "203.0.113.1", other).await.0, StatusCode::TOO_MANY_REQUESTS);
    // Whoever has the device cannot guess without end.
    let wrong = json!({ "username": "ada", "password": "not the password", "device_token": device });
    let statuses: Vec<_> = join_all((0..20).map(|_| sign_in(&server, "203.0.113.1", wrong.clone()))).await;
    let statuses: Vec<_> = statuses.into_iter().map(|(status, ..)| status).collect();
    assert_eq!(count(&statuses, StatusCode::UNAUTHORIZED), 10, "{statuses:?}");
}

async fn all_nodes_count_failed_sign_ins_together(backend: Backend) {
    let one = backend.start(&[&ON[..], &[("LIMIT_SIGN_IN_NAMES", "100/1h")]].concat()).await;
    let database = one.database_url();
    let settings = [("LIMIT_SIGN_IN_NAMES", "100/1h"), ("DATABASE_URL", &database)];
    let two = backend.start(&[&ON[..], &settings].concat()).await;
    let nodes = [&one, &two];
    let guesses = (0..20).map(|n| guess(nodes[n % 2], "198.51.100.1", "ada"));
    assert_eq!(count(&join_all(guesses).await, StatusCode::UNAUTHORIZED), 5, "by one name from one address");
    let names: Vec<_> = (0..100).map(|n| format!("name-{n}")).collect();
    let mut statuses = Vec::new();
    // No more at once than the queue of the permits takes from one address.
    for names in names.chunks(20) {
        let guesses = names.iter().enumerate().map(|(n, name)| guess(nodes[n % 2], "198.51.100.1", name));
        statuses.extend(join_all(guesses).await);
    }
    let hashed = count(&statuses, StatusCode::UNAUTHORIZED);
    assert!((55..=60).contains(&hashed), "{hashed} names from one address");
    assert_eq!(guess(&two, "198.51.100.2", "ada").await, StatusCode::UNAUTHORIZED, "another address");
}

async fn one_address_tries_so_many_names_and_each_counts_once(backend: Backend) {
    let server = backend.start(&[&ON[..], &[("LIMIT_SIGN_IN_NAMES", "3/1h")]].concat()).await;
    server.person("ada").await;
    for name in ["one", "one", "two", "one"] {
        assert_eq!(guess(&server, "198.51.100.1", name).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    // Whoever signs in is nobody who was tried.
    for _ in 0..5 {
        let own = json!({ "username": "ada", "password": PASSWORD });
        assert_eq!(sign_in(&server, "198.51.100.1", own).await.0, StatusCode::OK);
    }
    assert_eq!(guess(&server, "198.51.100.1", "three").await, StatusCode::UNAUTHORIZED);
    for _ in 0..2 {
        assert_eq!(guess(&server, "198.51.100.1", "four").await, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(guess(&server, "198.51.100.1", "two").await, StatusCode::UNAUTHORIZED, "it was counted before");
    assert_eq!(guess(&server, "198.51.100.2", "four").await, StatusCode::UNAUTHORIZED, "from another address");
}

async fn successful_sign_ins_cost_nothing(backend: Backend) {
    let settings = [("RATE_LIMITS", "on"), ("LIMIT_SIGN_IN", "2/1h"), ("LIMIT_SIGN_IN_ADDRESS", "3/1h")];
    let server = backend.start(&settings).await;
    server.person("ada").await;
    for _ in 0..6 {
        server.sign_in("ada", PASSWORD).await;
    }
    // A success between guesses does not reset the count.
    assert_eq!(guess(&server, "", "ada").await, StatusCode::UNAUTHORIZED);
    server.sign_in("ada", PASSWORD).await;
    assert_eq!(guess(&server, "", "ada").await, StatusCode::UNAUTHORIZED);
    assert_eq!(guess(&server, "", "ada").await, StatusCode::TOO_MANY_REQUESTS);
}

async fn registrations_and_requests_for_mail_are_bounded_by_address(backend: Backend) {
    let settings = [("RATE_LIMITS", "on"), ("LIMIT_REGISTER", "3/1h"), ("LIMIT_MAIL_ADDRESS", "2/1h")];
    let server = backend.start(&settings).await;
    let register = async |name: &str, password: &str| {
        let email = format!("{name}@example.org");
        let body = json!({ "username": name, "email": email, "password": password });
        server.post("/api/auth/register", body).await.status()
    };
    // What a form lacks costs nothing.
    for _ in 0..5 {
        assert_eq!(register("ada", "short").await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for name in ["ada", "bob", "eve"] {
        assert_eq!(register(name, PASSWORD).await, StatusCode::CREATED);
    }
    assert_eq!(register("zoe", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    // An address that anybody makes up changes nothing while no proxy is trusted.
    let body = json!({ "username": "zoe", "email": "zoe@example.org", "password": PASSWORD });
    let spoofed = server.request(Method::POST, "/api/auth/register").header("x-forwarded-for", "8.8.8.8").json(&body);
    assert_eq!(spoofed.send().await.expect("an answer").status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(server.log().contains("TRUSTED_PROXIES"), "the operator is told");
    let forgot = async |name: &str| {
        let body = json!({ "email": format!("{name}@example.org") });
        server.post("/api/auth/password/forgot", body).await.status()
    };
    assert_eq!(forgot("ada").await, StatusCode::ACCEPTED);
    assert_eq!(forgot("bob").await, StatusCode::ACCEPTED);
    assert_eq!(forgot("eve").await, StatusCode::TOO_MANY_REQUESTS);
}

async fn one_account_gets_a_few_mails_for_a_lost_password_whether_or_not_it_exists(backend: Backend) {
    let server = backend.start(&ON).await;
    let ada = server.person("ada").await;
    for name in ["ada", "nobody"] {
        let forgot = async |n: u32| {
            let request = server.request(Method::POST, "/api/auth/password/forgot");
            let request = request.header("x-forwarded-for", format!("198.51.100.{n}"));
            let body = json!({ "email": format!("{name}@example.org") });
            request.json(&body).send().await.expect("an answer").status()
        };
        let statuses = join_all((0..10).map(forgot)).await;
        assert_eq!(count(&statuses, StatusCode::ACCEPTED), 3, "{name}: {statuses:?}");
    }
    let mut resent = Vec::new();
    for _ in 0..5 {
        resent.push(ada.call(Method::POST, "/api/auth/email/resend", None).await.0);
    }
    assert_eq!(count(&resent, StatusCode::ACCEPTED), 3, "{resent:?}");
}

async fn administrators_see_what_limits_refuse_and_are_alerted(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let mail = [("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), ("SMTP_FROM_EMAIL", "taskflow@example.org")];
    let alerts = [("ADMIN_EMAIL", "root@example.org"), ("ALERT_REFUSED_REQUESTS", "5")];
    let server = backend.start(&[&ON[..], &mail[..], &alerts[..]].concat()).await;
    let ada = admin(&server, "ada").await;
    let bob = server.person("bob").await;
    let (status, report) = ada.get("/api/monitoring").await;
    assert_eq!((status, &report["refused_requests_last_hour"]), (StatusCode::OK, &json!({})), "{report}");
    // The disk of the machine may be nearly full.
    let about_limits = |report: &Value| {
        let problems = report["problems"].as_array().expect("problems").iter();
        problems.filter(|one| one["area"] == "limits").map(|one| one["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(about_limits(&report), [Value::Null; 0]);
    for n in 0..10 {
        let request = server.request(Method::POST, "/api/auth/password/forgot");
        let request = request.header("x-forwarded-for", format!("198.51.100.{n}"));
        let status = request.json(&json!({ "email": "nobody@example.org" })).send().await.expect("an answer").status();
        assert_eq!(status, if n < 3 { StatusCode::ACCEPTED } else { StatusCode::TOO_MANY_REQUESTS });
    }
    let (_, report) = ada.get("/api/monitoring").await;
    assert_eq!(report["refused_requests_last_hour"], json!({ "mail": 7 }), "{report}");
    assert_eq!(about_limits(&report), [json!("Limits refused 7 requests within the last hour (mail: 7)")]);
    assert_eq!(bob.get("/api/monitoring").await.0, StatusCode::NOT_FOUND);
    let (status, run) = ada.call(Method::POST, "/api/jobs/server_monitoring/run", None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    eventually("the administrator is alerted", || async {
        let mails = relay.mails();
        let alert = mails.iter().find(|mail| mail.to == ["root@example.org"])?;
        String::from_utf8_lossy(&alert.data).contains("Limits refused 7 requests").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_flood_from_one_address_leaves_another_address_answered() {
    let server = Server::start(&[&ON[..], &[("LIMIT_REQUESTS_ADDRESS", "100/1h")]].concat()).await;
    let ada = server.person("ada").await;
    let get = async |address: &str| {
        let request = server.request(Method::GET, "/robots.txt").header("x-forwarded-for", address);
        request.send().await.expect("an answer").status()
    };
    let flood = join_all((0..150).map(|_| get("2001:db8::1"))).await;
    assert_eq!(count(&flood, StatusCode::OK), 100);
    assert_eq!(count(&flood, StatusCode::TOO_MANY_REQUESTS), 50);
    assert_eq!(get("2001:db8::ffff:2").await, StatusCode::TOO_MANY_REQUESTS, "the same network");
    assert_eq!(get("2001:db8:0:1::1").await, StatusCode::OK, "another network");
    // Who has a token is counted by account, and whether the process is alive costs nothing.
    let request = ada.request(Method::GET, "/api/users/me").header("x-forwarded-for", "2001:db8::1");
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
    let request = server.request(Method::GET, "/health").header("x-forwarded-for", "2001:db8::1");
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
    let socket = server.request(Method::GET, "/ws").header("x-forwarded-for", "2001:db8::1");
    let socket = socket.header("upgrade", "websocket").header("connection", "upgrade");
    assert_eq!(socket.send().await.expect("an answer").status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(server.log().contains("\"client\":\"2001:db8::1\""), "the log names the client");
}

#[tokio::test]
async fn an_address_that_anybody_makes_up_changes_nothing_while_no_proxy_is_trusted() {
    let server = Server::start(&[("RATE_LIMITS", "on"), ("LIMIT_REQUESTS_ADDRESS", "20/1h")]).await;
    let get = async |n: usize| {
        let request = server.request(Method::GET, "/robots.txt");
        let request = request.header("x-forwarded-for", format!("198.51.100.{n}")).header("forwarded", "for=8.8.8.8");
        request.send().await.expect("an answer").status()
    };
    assert_eq!(count(&join_all((0..40).map(get)).await, StatusCode::OK), 20);
}

/// What a minute of it does to others, `.ci/long` measures.
#[tokio::test]
async fn guesses_at_one_name_on_three_nodes_share_one_budget_and_the_owner_signs_in() {
    let one = Backend::Postgres.start(&BEHIND_PROXY).await;
    let database = one.database_url();
    let more = [&BEHIND_PROXY[..], &[("DATABASE_URL", &database)]].concat();
    let (two, three) = (Backend::Postgres.start(&more).await, Backend::Postgres.start(&more).await);
    one.person("ada").await;
    let device = known_device(&one, "ada").await;
    let statuses = guesses::guess(&[&one, &two, &three], "ada", 200, 200, Duration::from_millis(2)).await;
    let hashed = count(&statuses, StatusCode::UNAUTHORIZED);
    assert!((30..=31).contains(&hashed), "{hashed} of 200 guesses were hashed");
    assert_eq!(count(&statuses, StatusCode::TOO_MANY_REQUESTS), 200 - hashed, "{statuses:?}");
    let own = json!({ "username": "ada", "password": PASSWORD, "device_token": device });
    for node in [&one, &two, &three] {
        assert_eq!(sign_in(node, "203.0.113.1", own.clone()).await.0, StatusCode::OK);
    }
    let elsewhere = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(sign_in(&two, "203.0.113.1", elsewhere).await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_office_behind_one_address_is_not_refused() {
    let server = Server::start(&[("RATE_LIMITS", "on")]).await;
    for n in 0..15 {
        let person = server.person(&format!("person-{n}")).await;
        for _ in 0..20 {
            assert_eq!(person.get("/api/tasks").await.0, StatusCode::OK);
        }
    }
}

/// The work of passwords has one queue, in which one address does not come before all others.
#[tokio::test]
async fn parallel_sign_ins_from_one_address_do_not_keep_another_one_waiting() {
    let limits =
        ["LIMIT_SIGN_IN_ADDRESS", "LIMIT_SIGN_IN_NAMES", "LIMIT_REQUESTS_ADDRESS"].map(|name| (name, "100000/1h"));
    let server = Server::start(&[&ON[..], &limits].concat()).await;
    server.person("ada").await;
    let names: Vec<_> = (0..200).map(|n| format!("name-{n}")).collect();
    let flood = join_all(names.iter().map(|name| guess(&server, "198.51.100.1", name)));
    let ada = async {
        let mut statuses = Vec::new();
        for _ in 0..5 {
            let own = json!({ "username": "ada", "password": PASSWORD });
            statuses.push(sign_in(&server, "203.0.113.1", own).await.0);
        }
        statuses
    };
    let (flood, statuses) = futures_util::future::join(flood, ada).await;
    assert!(count(&flood, StatusCode::SERVICE_UNAVAILABLE) > 0, "the flood is more than the queue takes");
    assert_eq!(count(&statuses, StatusCode::OK), 5, "{statuses:?}");
}
