//! What nobody should send, and somebody will.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Person;

on_each_store![
    every_bad_field_is_named_at_once,
    values_of_the_wrong_type_or_with_forbidden_characters_are_422,
    bodies_that_are_no_json_are_400_and_other_types_415,
    a_body_of_ten_megabytes_is_413_with_and_without_its_length,
    unknown_paths_are_404_and_wrong_methods_405_with_allow,
    huge_pages_and_numbers_are_422,
];

/// Sends a body as it is.
async fn raw(ada: &Person<'_>, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let request = ada.request(method, path).header("content-type", "application/json").body(body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    assert!(answer.headers().contains_key("x-request-id"));
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["status"], status.as_u16());
    for member in ["type", "title", "code"] {
        assert!(problem[member].is_string(), "{member} in {problem}");
    }
    (status, problem)
}

fn fields(problem: &Value) -> Vec<&str> {
    let mut fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap_or_else(|| panic!("errors in {problem}"))
        .iter()
        .map(|error| error["field"].as_str().expect("a field"))
        .collect();
    fields.sort_unstable();
    fields
}

async fn every_bad_field_is_named_at_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let bad = json!({
        "title": "", "description": "x".repeat(10_001), "status": "done", "priority": 3, "due_at": "tomorrow",
        "reminder_minutes": -1,
    });
    let (status, problem) = raw(&ada, Method::POST, "/api/tasks/", bad.to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fields(&problem), ["description", "due_at", "priority", "reminder_minutes", "status", "title"]);

    let (status, problem) = raw(
        &ada,
        Method::POST,
        "/api/auth/register",
        r#"{"username":"a b","email":"x","password":"short","time_zone":"Mars"}"#,
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fields(&problem), ["email", "password", "time_zone", "username"]);

    let query =
        "/api/tasks/?page=0&size=101&status=x&priority=x&due_before=x&due_after=2026-01-01T00:00:00&overdue=x&sort=x";
    let (status, problem) = raw(&ada, Method::GET, query, "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let expected = ["due_after", "due_before", "overdue", "page", "priority", "size", "sort", "status"];
    assert_eq!(fields(&problem), expected);
}

async fn values_of_the_wrong_type_or_with_forbidden_characters_are_422(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for title in [
        "null",
        "7",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"   \"",
        "\"a\\u0000b\"",
        "\"a\\nb\"",
        &format!("{:?}", "x".repeat(201)),
    ] {
        let (status, problem) = raw(&ada, Method::POST, "/api/tasks/", format!("{{\"title\":{title}}}")).await;
        assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["title"]), "{title:.40}");
    }
    let (status, problem) = raw(&ada, Method::POST, "/api/tasks/", "{}").await;
    assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["title"]));
    let reminder = r#"{"title":"x","reminder_minutes":5}"#;
    let (status, problem) = raw(&ada, Method::POST, "/api/tasks/", reminder).await;
    assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["reminder_minutes"]));
    for huge in ["99999999999999999999", "-1", "1.5", "1e400", "\"15\""] {
        let body = format!(r#"{{"title":"x","due_at":"2099-01-01T00:00:00Z","reminder_minutes":{huge}}}"#);
        let (status, _) = raw(&ada, Method::POST, "/api/tasks/", body).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY || status == StatusCode::BAD_REQUEST, "{huge}: {status}");
    }
}

async fn bodies_that_are_no_json_are_400_and_other_types_415(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let surrogate = r#"{"title":"\ud800"}"#.as_bytes().to_vec();
    let not_utf8 = b"{\"title\":\"\xff\"}".to_vec();
    let deep = "[".repeat(100_000).into_bytes();
    for body in [
        b"".to_vec(),
        b"{".to_vec(),
        b"nonsense".to_vec(),
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        surrogate,
        not_utf8,
        deep,
    ] {
        let (status, _) = raw(&ada, Method::POST, "/api/tasks/", body.clone()).await;
        let expected = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
        assert!(expected.contains(&status), "{status} for {:?}", String::from_utf8_lossy(&body[..body.len().min(30)]));
    }
    for content_type in ["text/plain", "application/xml", "x"] {
        let request = ada.request(Method::POST, "/api/tasks/").header("content-type", content_type).body("{}");
        assert_eq!(
            request.send().await.expect("an answer").status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type}"
        );
    }
}

async fn a_body_of_ten_megabytes_is_413_with_and_without_its_length(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for path in ["/api/tasks/", "/api/auth/login", "/api/auth/register"] {
        let body = format!("{{\"title\":\"{}\"}}", "x".repeat(10 << 20));
        let request = ada.request(Method::POST, path).header("content-type", "application/json").body(body);
        // The server may answer and close before the body is through.
        if let Ok(answer) = request.send().await {
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        }
    }
    let just_over = format!("{{\"title\":\"{}\"}}", "x".repeat((1 << 20) + 1));
    let (status, _) = raw(&ada, Method::POST, "/api/tasks/", just_over).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(ada.get("/api/tasks/").await.0, StatusCode::OK);
}

async fn unknown_paths_are_404_and_wrong_methods_405_with_allow(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for path in
        ["/api/nothing", "/api/tasks/x/y/z", "/%00", "/api/tasks/not-a-uuid", "/api/tasks/%ff", "/../etc/passwd"]
    {
        let (status, _) = raw(&ada, Method::GET, path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/api/tasks/", "GET"),
        (Method::PATCH, "/api/auth/login", "POST"),
        (Method::POST, "/health", "GET"),
        (Method::POST, "/api/tasks/summary", "GET"),
    ] {
        let answer = ada.request(method.clone(), path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(answer.headers()["allow"].to_str().expect("ASCII").contains(allowed), "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

async fn huge_pages_and_numbers_are_422(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for query in [
        "page=999999999999999999999",
        "page=4294967296",
        "page=-1",
        "page=x",
        "page=",
        "size=0",
        "size=1000000",
        "size=1.5",
    ] {
        let (status, problem) = raw(&ada, Method::GET, &format!("/api/tasks/?{query}"), "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {problem}");
    }
    let (status, _) = ada.get("/api/tasks/?page=1000000&size=100").await;
    assert_eq!(status, StatusCode::OK);
}
