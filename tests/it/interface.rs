//! What lies between a client and the service: proxies, encodings, misspelt parameters, odd texts.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Person;

on_each_store![
    a_tag_that_a_proxy_weakened_still_names_the_version,
    a_body_with_a_content_coding_is_415_and_says_that_none_is_supported,
    a_parameter_that_an_operation_does_not_know_is_named_with_what_was_meant,
    filters_take_several_values,
    every_refused_field_has_a_code_for_programs,
    texts_of_nothing_but_invisible_characters_are_empty,
    a_search_ignores_accents_and_case_on_both_sides,
    a_task_is_due_on_a_day_or_at_a_time,
    the_relay_is_greeted_with_a_full_name_or_an_address,
];

async fn task(ada: &Person<'_>, title: &str) -> String {
    ada.task(json!({ "title": title })).await["id"].as_str().expect("an id").to_owned()
}

async fn totals(ada: &Person<'_>, query: &str) -> u64 {
    let (status, page) = ada.get(&format!("/api/tasks?{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page["total"].as_u64().expect("a number")
}

fn errors(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("errors in {problem}"));
    errors.iter().map(|one| (one["field"].as_str().expect("a field"), one["code"].as_str().expect("a code"))).collect()
}

async fn a_tag_that_a_proxy_weakened_still_names_the_version(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let path = format!("/api/tasks/{}", task(&ada, "x").await);
    let answer = ada.request(Method::GET, &path).send().await.expect("an answer");
    let cache = answer.headers()["cache-control"].to_str().expect("ASCII");
    assert!(cache.contains("no-transform") && cache.contains("no-store"), "{cache}");
    let weak = format!("W/{}", answer.headers()["etag"].to_str().expect("ASCII"));
    let change = |tag: &str| ada.request(Method::PATCH, &path).header("if-match", tag).json(&json!({ "title": "y" }));
    assert_eq!(change(&weak).send().await.expect("an answer").status(), StatusCode::OK);
    let stale = change(&weak).send().await.expect("an answer");
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED, "it names the version before");
    let list = ada.request(Method::GET, "/api/tasks").send().await.expect("an answer");
    assert_eq!(list.headers()["cache-control"], "no-store", "without a tag proxies may compress");
}

async fn a_body_with_a_content_coding_is_415_and_says_that_none_is_supported(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let post = |path: &str, coding: &str| {
        ada.request(Method::POST, path)
            .header("content-type", "application/json")
            .header("content-encoding", coding)
            .body(json!({ "title": "x" }).to_string())
    };
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        for path in ["/api/tasks", "/api/tasks/bulk", "/api/meetings", "/api/auth/login"] {
            let answer = post(path, coding).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} {coding}");
            assert_eq!(answer.headers()["accept-encoding"], "identity");
            let problem: Value = answer.json().await.expect("JSON");
            assert_eq!(problem["code"], "unsupported_content_encoding");
        }
    }
    let answer = post("/api/tasks", "identity").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let nothing = ada.request(Method::GET, "/api/tasks").header("content-encoding", "gzip").send().await;
    assert_eq!(nothing.expect("an answer").status(), StatusCode::OK, "there is no body");
}

async fn a_parameter_that_an_operation_does_not_know_is_named_with_what_was_meant(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for (path, field, meant) in [
        ("/api/tasks?statuss=pending", "statuss", "status"),
        ("/api/meetings/?start_after=2026-01-01T00:00:00Z", "start_after", "starts_after"),
        ("/api/deliveries?recipent=ada@example.org", "recipent", "recipient"),
        ("/api/users/me?x=1", "x", "no query parameters"),
        ("/api/changes?since=0&sinse=0", "sinse", "since"),
    ] {
        let (status, problem) = ada.get(path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {problem}");
        assert_eq!(errors(&problem), [(field, "unknown_parameter")], "{path}");
        assert!(problem["errors"][0]["message"].as_str().expect("text").contains(meant), "{problem}");
    }
    let (status, _) = ada.call(Method::POST, "/api/tasks?titel=x", Some(json!({ "title": "x" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(totals(&ada, "").await, 0, "nothing is done");
    // Probes and mail gateways add their own.
    for path in ["/health?t=1", "/docs?x", "/openapi.json?v=2"] {
        assert_eq!(server.get(path).await.status(), StatusCode::OK, "{path}");
    }
    let preflight = server.request(Method::OPTIONS, "/api/tasks?x=1").send().await.expect("an answer");
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
}

async fn filters_take_several_values(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for (title, status, priority) in
        [("one", "pending", "low"), ("two", "in_progress", "high"), ("three", "completed", "medium")]
    {
        ada.task(json!({ "title": title, "status": status, "priority": priority })).await;
    }
    assert_eq!(totals(&ada, "status=pending,in_progress").await, 2);
    assert_eq!(totals(&ada, "status=pending&status=completed").await, 2);
    assert_eq!(totals(&ada, "status=pending,in_progress&priority=high,medium").await, 1);
    let (status, problem) = ada.get("/api/tasks?status=pending,done&page=1&page=2&q=&size=0").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let mut found = errors(&problem);
    found.sort_unstable();
    assert_eq!(found, [("page", "too_many"), ("size", "too_small"), ("status", "unknown_value")]);
    let (status, page) = ada.get("/api/meetings?status=scheduled,cancelled").await;
    assert_eq!((status, &page["total"]), (StatusCode::OK, &json!(0)));
}

async fn every_refused_field_has_a_code_for_programs(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let bad = json!({
        "description": "x".repeat(10_001), "status": "done", "priority": null, "due_at": "tomorrow",
        "reminder_minutes": -1,
    });
    let (_, problem) = ada.call(Method::POST, "/api/tasks", Some(bad)).await;
    let mut found = errors(&problem);
    found.sort_unstable();
    let expected = [
        ("description", "too_long"),
        ("due_at", "invalid_format"),
        ("reminder_minutes", "too_small"),
        ("status", "unknown_value"),
        ("title", "required"),
    ];
    assert_eq!(found, expected);
    let taken = json!({ "username": "ada", "email": "other@example.org", "password": "correct horse battery" });
    let answer = server.post("/api/auth/register", taken).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(errors(&problem), [("username", "taken")]);
}

async fn texts_of_nothing_but_invisible_characters_are_empty(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for blank in
        ["\u{200b}", "\u{feff}", "\u{2060}", "\u{ad}", "\u{115f}", "\u{3164}", "\u{fe0f}", "\u{2800}", "\u{e0041}"]
    {
        let (status, problem) = ada.call(Method::POST, "/api/tasks", Some(json!({ "title": blank }))).await;
        assert_eq!(
            (status, errors(&problem)),
            (StatusCode::UNPROCESSABLE_ENTITY, vec![("title", "too_short")]),
            "{blank:?}"
        );
        let meeting = json!({ "title": blank, "meeting_date": "2099-01-01T00:00:00Z" });
        let (status, _) = ada.call(Method::POST, "/api/meetings", Some(meeting)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{blank:?}");
        let person = json!({ "email": "bob@example.org", "name": blank });
        let meeting = json!({ "title": "x", "meeting_date": "2099-01-01T00:00:00Z", "participants": [person] });
        let (status, _) = ada.call(Method::POST, "/api/meetings", Some(meeting)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{blank:?}");
    }
    ada.task(json!({ "title": "\u{1f468}\u{200d}\u{1f469}" })).await;
}

async fn a_search_ignores_accents_and_case_on_both_sides(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for title in ["Café", "naïve plan", "Müller", "İstanbul", "Łódź", "がく"] {
        task(&ada, title).await;
    }
    for (q, found) in [
        ("cafe", 1),
        ("CAFÉ", 1),
        ("cafe%CC%81", 1),
        ("naive", 1),
        ("muller", 1),
        ("istanbul", 1),
        ("lodz", 1),
        ("がく", 1),
        ("かく", 0),
        ("%E2%80%8B", 6),
    ] {
        assert_eq!(totals(&ada, &format!("q={q}")).await, found, "{q}");
    }
}

async fn a_task_is_due_on_a_day_or_at_a_time(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let made = ada.task(json!({ "title": "x", "due_on": "2099-03-29", "reminder_minutes": 60 })).await;
    assert_eq!((&made["due_on"], made.get("due_at")), (&json!("2099-03-29"), None), "{made}");
    let path = format!("/api/tasks/{}", made["id"].as_str().expect("an id"));
    let (_, timed) = ada.call(Method::PATCH, &path, Some(json!({ "due_at": "2099-03-30T10:00:00Z" }))).await;
    assert_eq!((timed.get("due_on"), &timed["due_at"]), (None, &json!("2099-03-30T10:00:00.000000Z")), "{timed}");
    let (_, due) = ada.call(Method::PUT, &path, Some(json!({ "due_on": "2099-04-01", "due_at": null }))).await;
    assert_eq!((&due["due_on"], due.get("due_at")), (&json!("2099-04-01"), None), "{due}");
    let (_, none) = ada.call(Method::PATCH, &path, Some(json!({ "due_on": null }))).await;
    assert_eq!((none.get("due_on"), none.get("due_at"), none.get("reminder_minutes")), (None, None, None), "{none}");
    for (body, field) in [
        (json!({ "title": "x", "due_on": "2099-03-29", "due_at": "2099-03-29T10:00:00Z" }), "due_on"),
        (json!({ "title": "x", "due_on": "2099-02-30" }), "due_on"),
        (json!({ "title": "x", "due_on": "2099-03-29T10:00:00Z" }), "due_on"),
        (json!({ "title": "x", "due_on": 20_990_329 }), "due_on"),
        (json!({ "title": "x", "due_on": "+12099-03-29" }), "due_on"),
        (json!({ "title": "x", "due_at": "2099-03-29" }), "due_at"),
    ] {
        let (status, problem) = ada.call(Method::POST, "/api/tasks", Some(body.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let create = json!({ "op": "create", "task": { "title": "y", "due_on": "2020-01-01" } });
    let bulk = json!({ "operations": [create] });
    let (status, results) = ada.call(Method::POST, "/api/tasks/bulk", Some(bulk)).await;
    assert_eq!((status, &results["results"][0]["task"]["due_on"]), (StatusCode::OK, &json!("2020-01-01")), "{results}");
    assert_eq!(totals(&ada, "overdue=true").await, 1);
}

/// A relay that hears one EHLO and hangs up.
async fn heard(backend: Backend, settings: &[(&str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port().to_string();
    let mut all = vec![("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), ("SMTP_FROM_EMAIL", "t@example.org")];
    all.extend(settings);
    let server = backend.start(&all).await;
    let hearing = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        tcp.write_all(b"220 relay\r\n").await.expect("a greeting");
        let mut line = String::new();
        BufReader::new(tcp).read_line(&mut line).await.expect("a line");
        line.trim().to_owned()
    });
    server.person("ada").await;
    tokio::time::timeout(std::time::Duration::from_secs(20), hearing).await.expect("in time").expect("heard")
}

async fn the_relay_is_greeted_with_a_full_name_or_an_address(backend: Backend) {
    let usual = heard(backend, &[]).await;
    let name = usual.strip_prefix("EHLO ").unwrap_or_else(|| panic!("{usual}"));
    assert!(name == "[127.0.0.1]" || name.contains('.') && !name.starts_with('['), "{usual}");
    assert_eq!(heard(backend, &[("SMTP_HELLO", "mail.example.org")]).await, "EHLO mail.example.org");
    assert_eq!(heard(backend, &[("SMTP_HELLO", "192.0.2.1")]).await, "EHLO [192.0.2.1]");
    assert_eq!(heard(backend, &[("SMTP_HELLO", "[IPv6:2001:db8::1]")]).await, "EHLO [IPv6:2001:db8::1]");
}
