//! A server that others can reach runs as in production, and knows its own names.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::{Method, StatusCode};
use taskflow_testkit::server::{PASSWORD, Server};
use taskflow_testkit::wait::eventually;

const KEY: &str = "Zk3h0xq9VbX7uYwT1rPsLmNaQeDfGj2cH5t8";

/// The status of `GET path` with these header lines.
fn status(server: &Server, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[tokio::test]
async fn the_development_mailbox_answers_only_on_this_machine_under_a_loopback_name() {
    let server = Server::start(&[]).await;
    for path in ["/mailbox", "/api/mailbox"] {
        assert_eq!(status(&server, path, "Host: localhost\r\n"), 200, "{path}");
        assert_eq!(status(&server, path, "Host: 127.0.0.1:8000\r\n"), 200, "{path}");
        for headers in [
            "Host: 192.168.1.7\r\n",
            "Host: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n",
            "Host: localhost\r\nForwarded: for=203.0.113.9\r\n",
            "Host: localhost\r\nX-Real-IP: 203.0.113.9\r\n",
        ] {
            assert_eq!(status(&server, path, headers), 401, "{path} {headers}");
        }
        assert_eq!(status(&server, path, "Host: evil.example\r\n"), 421, "{path}");
    }
    let log =
        eventually("the proxy is noticed", || async { Some(server.log()).filter(|log| log.contains("reverse proxy")) })
            .await;
    assert_eq!(log.matches("reverse proxy").count(), 1);
}

#[tokio::test]
async fn a_host_that_is_not_the_services_own_is_refused() {
    let settings = [
        ("HOST", "127.0.0.1"),
        ("PUBLIC_URL", "https://tasks.example.org/app"),
        ("ALLOWED_HOSTS", ".corp.example"),
        ("MAILBOX", "true"),
        ("SECRET_KEY", KEY),
    ];
    let server = Server::start(&settings).await;
    for host in ["tasks.example.org", "a.corp.example:8080", "localhost", "10.0.0.7:80", "[::1]"] {
        assert_eq!(status(&server, "/api/tasks", &format!("Host: {host}\r\n")), 401, "{host}");
    }
    for host in ["evil.example", "tasks.example.org.evil.example", "127.0.0.1.evil.example"] {
        for path in ["/api/tasks", "/", "/nowhere", "/ws"] {
            assert_eq!(status(&server, path, &format!("Host: {host}\r\n")), 421, "{host}{path}");
        }
        assert_eq!(status(&server, "/health/db", &format!("Host: {host}\r\n")), 200, "{host}");
    }
}

#[tokio::test]
async fn an_https_public_url_switches_development_off() {
    let public = [("PUBLIC_URL", "https://tasks.example.org"), ("MAILBOX", "true"), ("SECRET_KEY", KEY)];
    let server = Server::start(&public).await;
    eventually("the mode is logged", || async { server.log().contains("production").then_some(()) }).await;
    for path in ["/docs", "/openapi.json", "/"] {
        assert_eq!(server.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let page = server.request(Method::GET, "/").header("Accept", "text/html").send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.text().await.expect("a page").contains("docs"));
    assert_eq!(server.get("/api/mailbox").await.status(), StatusCode::UNAUTHORIZED);
    let with_docs = server.restart(&[&public[..], &[("API_DOCS", "true")]].concat()).await;
    for path in ["/docs", "/openapi.json"] {
        assert_eq!(with_docs.get(path).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_start_names_what_is_probably_not_meant_with_what_would_be_right() {
    let guessable = "the-secret-key-of-our-own-service";
    let server = Server::start(&[
        ("SECRET_KEY", guessable),
        ("SMTP_SERVR", "relay.example.org"),
        ("TASKFLOW_PORT", "80"),
        ("HOME", "/nowhere"),
    ])
    .await;
    server.person("ada").await;
    let file = server.folder.join("taskflow.db");
    let server = {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("the data").permissions().mode() & 0o077, 0, "others can read it");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("permissions");
        server.restart(&[]).await
    };
    let log = eventually("the last remark is logged", || async {
        Some(server.log()).filter(|log| log.contains("taskflow.db; run: chmod 600"))
    })
    .await;
    for part in [
        "SECRET_KEY or SECRET_KEY_PREVIOUS can be guessed",
        "SMTP_SERVR in the environment is not a setting and has no effect; did you mean SMTP_SERVER?",
        "TASKFLOW_PORT in the environment is not a setting and has no effect; settings have no prefix: did you mean PORT?",
    ] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("this process")) == 0;
    assert_eq!(log.contains("runs as root"), root);
    assert!(!log.contains(guessable) && !log.contains("relay.example.org") && !log.contains("HOME"), "{log}");
}

#[tokio::test]
async fn a_token_in_an_unknown_path_never_reaches_the_log() {
    let server = Server::start(&[("LOG", "debug")]).await;
    let token = "eyJhbGciOiJIUzI1NiJ9_AbCdEfGhIjKlMnOpQrStUvWxYz";
    for path in ["", "/p/x", "/reset", "/api/auth/reset-password", "/p%2F", "//p", "/P"] {
        let answer = server.get(&format!("{path}/{token}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        server.get(&format!("/p/{token}{path}?token={token}")).await;
    }
    server.post("/api/auth/login", serde_json::json!({ "username": token, "password": PASSWORD })).await;
    let id = server.get("/health").await.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    let log =
        eventually("the request is logged", || async { Some(server.log()).filter(|log| log.contains(&id)) }).await;
    assert!(!log.contains(token), "{log}");
}
