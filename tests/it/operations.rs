use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use taskflow_testkit::server::{Server, taskflow};
use taskflow_testkit::wait::eventually;

#[tokio::test]
async fn health_is_constant_and_tells_nothing_about_the_host() {
    let server = Server::start(&[]).await;
    let first = server.get("/health").await;
    assert_eq!(first.status(), StatusCode::OK);
    let first = first.text().await.expect("a body");
    assert_eq!(server.get("/health/").await.text().await.expect("a body"), first);
    let database = server.get("/health/db").await;
    assert_eq!(database.status(), StatusCode::OK);
    let text = database.text().await.expect("a body");
    assert!(!text.contains("sqlite") && !text.contains('/'), "{text}");
}

#[tokio::test]
async fn the_documentation_needs_no_foreign_host() {
    let server = Server::start(&[]).await;
    for path in ["/docs", "/docs/"] {
        let page = server.get(path).await;
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.text().await.expect("a page");
        assert!(page.contains("/api/tasks"));
        for tag in ["src=\"http", "href=\"http", "src=\"//", "@import url(http"] {
            assert!(!page.contains(tag), "{tag}");
        }
    }
}

#[tokio::test]
async fn the_committed_openapi_document_is_what_is_served() {
    let server = Server::start(&[]).await;
    let served: Value = server.get("/openapi.json").await.json().await.expect("JSON");
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed: Value =
        serde_json::from_str(&std::fs::read_to_string(committed).expect("the document")).expect("JSON");
    assert_eq!(served, committed, "write it anew: cargo run --features server -- openapi > docs/openapi.json");
}

#[tokio::test]
async fn sigterm_ends_cleanly_and_says_so() {
    let server = Server::start(&[]).await;
    server.person("ada").await;
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{status}\n{log}");
}

#[tokio::test]
async fn the_log_names_requests_but_neither_addresses_nor_secrets() {
    let server = Server::start(&[("LOG", "debug")]).await;
    let ada = server.person("ada").await;
    ada.get("/api/tasks/?q=secret-search").await;
    let id = server.get("/health").await.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    let token = ada.token.clone();
    let key = std::fs::read_dir(&server.folder)
        .expect("a folder")
        .filter_map(|entry| {
            std::fs::read_to_string(entry.expect("an entry").path()).ok().filter(|text| text.len() < 500)
        })
        .collect::<Vec<_>>();
    let log =
        eventually("the request is logged", || async { Some(server.log()).filter(|log| log.contains(&id)) }).await;
    for secret in ["ada@example.org", taskflow_testkit::server::PASSWORD, &token, "secret-search", "$argon2"] {
        assert!(!log.contains(secret), "{secret:.20} is in the log");
    }
    assert!(key.iter().map(|text| text.trim()).filter(|text| text.len() >= 32).all(|key| !log.contains(key)));
}

#[tokio::test]
async fn cross_origin_reads_need_permission() {
    let server = Server::start(&[("ALLOWED_ORIGINS", "https://app.example.org")]).await;
    let with_origin = |origin: &'static str| {
        let request = server.request(Method::GET, "/health").header("origin", origin);
        async move { request.send().await.expect("an answer") }
    };
    let allowed = with_origin("https://app.example.org").await;
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example.org");
    let foreign = with_origin("https://evil.example").await;
    assert_eq!(foreign.status(), StatusCode::OK);
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));
}

fn run(folder: &TempDir, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    taskflow(folder.path(), settings).args(arguments).output().expect("an end")
}

#[test]
fn every_wrong_setting_is_named_at_once_with_its_cure_and_no_secret_is_shown() {
    let folder = TempDir::new().expect("a folder");
    let settings = [
        ("HOST", "0.0.0.0"),
        ("PORT", "99999"),
        ("SECRET_KEY", "too-short-a-secret"),
        ("ALGORITHM", "RS256"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("LEASE_SECONDS", "soon"),
    ];
    let output = run(&folder, &settings, &[]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    for name in ["PORT", "SECRET_KEY", "ALGORITHM", "DATABASE_URL", "LEASE_SECONDS"] {
        assert!(text.contains(name), "{name} is missing in:\n{text}");
    }
    assert!(!text.contains("too-short-a-secret") && !text.contains("hunter2"), "{text}");
}

#[test]
fn accounts_are_kept_from_the_command_line() {
    let folder = TempDir::new().expect("a folder");
    let create = [
        "user",
        "create",
        "--admin",
        "--username",
        "root",
        "--email",
        "root@example.org",
        "--password",
        "correct horse battery staple",
    ];
    assert!(!run(&folder, &[], &create).status.success(), "there is no database yet");
    assert!(run(&folder, &[], &["db", "migrate"]).status.success());
    let output = run(&folder, &[], &create);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!run(&folder, &[], &create).status.success(), "the name is taken");
    let list = run(&folder, &[], &["user", "list"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("root"));
    assert!(run(&folder, &[], &["user", "disable", "root"]).status.success());
    assert!(!run(&folder, &[], &["user", "disable", "nobody"]).status.success());
    for arguments in
        [&["db", "migrate"][..], &["db", "status"], &["db", "schema"], &["openapi"], &["--help"], &["--version"]]
    {
        let output = run(&folder, &[], arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let schema = run(&folder, &[], &["db", "schema"]);
    assert!(String::from_utf8_lossy(&schema.stdout).contains("CREATE TABLE taskflow_tasks"));
}
