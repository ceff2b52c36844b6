use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;

on_each_store![
    a_task_is_made_read_changed_and_trashed,
    lists_are_filtered_sorted_and_paged_with_links,
    somebody_elses_task_is_byte_for_byte_an_absent_one,
    a_deleted_task_is_an_absent_one_by_every_method_until_it_is_restored,
    a_write_survives_kill_nine,
    a_repeated_request_is_done_once_and_answered_the_same_byte_for_byte,
    a_request_sent_many_times_at_once_is_done_once,
    many_changes_are_done_each_for_itself,
    many_changes_are_done_together_or_not_at_all,
    a_task_has_a_history_of_who_changed_what,
    a_change_is_made_only_to_the_version_that_was_seen,
    of_many_changes_at_once_none_is_refused_and_the_last_one_counts,
    what_a_client_has_already_is_not_sent_again,
];

const ABSENT: &str = "0198c0de-0000-7000-8000-000000000001";

async fn a_task_is_made_read_changed_and_trashed(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({ "title": "Water the plants", "priority": "high", "due_at": "2099-03-29T08:00:00+02:00", "reminder_minutes": 15 });
    let answer = ada.request(Method::POST, "/api/tasks/").json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().expect("ASCII").to_owned();
    let task: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(task["due_at"], "2099-03-29T06:00:00.000000Z");
    assert_eq!((&task["status"], &task["version"]), (&json!("pending"), &json!(1)));
    assert!(location.ends_with(&format!("/api/tasks/{}", task["id"].as_str().expect("an id"))), "{location}");

    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    assert_eq!(ada.get(&path).await, (StatusCode::OK, task.clone()));
    // PUT keeps what is left out; PATCH clears what is null.
    let (status, put) = ada.call(Method::PUT, &path, Some(json!({ "status": "completed" }))).await;
    assert_eq!((status, &put["title"], &put["status"]), (StatusCode::OK, &task["title"], &json!("completed")));
    assert!(put["completed_at"].is_string());
    let (status, patched) = ada.call(Method::PATCH, &path, Some(json!({ "due_at": null, "status": "pending" }))).await;
    assert_eq!(status, StatusCode::OK, "{patched}");
    assert!(patched.get("due_at").is_none() && patched.get("reminder_minutes").is_none());
    assert!(patched.get("completed_at").is_none());

    let gone = ada.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ada.get("/api/tasks/trash").await.1["total"], 1);
    let (status, back) = ada.call(Method::POST, &format!("{path}/restore"), None).await;
    assert_eq!((status, &back["id"]), (StatusCode::OK, &task["id"]));
}

async fn lists_are_filtered_sorted_and_paged_with_links(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for n in 0..5 {
        let priority = ["low", "medium", "high"][n % 3];
        ada.task(json!({ "title": format!("Task {n}"), "priority": priority, "description": "B\u{fc}ro" })).await;
    }
    let titles = |list: &serde_json::Value| -> Vec<String> {
        let items = list["items"].as_array().expect("items");
        items.iter().map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
    };
    let (status, list) = ada.get("/api/tasks/?sort=-priority,title&size=2").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(titles(&list), ["Task 2", "Task 1"]);
    assert_eq!((&list["total"], &list["page"], &list["size"]), (&json!(5), &json!(1), &json!(2)));
    assert_eq!(titles(&ada.get("/api/tasks?priority=low&sort=title").await.1), ["Task 0", "Task 3"]);
    assert_eq!(ada.get("/api/tasks/?q=B%C3%9CRO%20task%203").await.1["total"], 1);
    let answer = ada.request(Method::GET, "/api/tasks/?size=2&page=2").send().await.expect("an answer");
    let links = answer.headers()["link"].to_str().expect("ASCII").to_owned();
    for relation in ["first", "prev", "next", "last"] {
        assert!(links.contains(&format!("rel=\"{relation}\"")), "{links}");
    }
    let (_, summary) = ada.get("/api/tasks/summary/").await;
    assert_eq!(summary, json!({ "total": 5, "pending": 5, "in_progress": 0, "completed": 0, "overdue": 0 }));
}

async fn somebody_elses_task_is_byte_for_byte_an_absent_one(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let id = ada.task(json!({ "title": "mine" })).await["id"].as_str().expect("an id").to_owned();
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let mut bodies = Vec::new();
        for id in [id.as_str(), ABSENT] {
            let path = format!("/api/tasks/{id}");
            let mut request = bob.request(method.clone(), &path);
            if matches!(method, Method::PUT | Method::PATCH) {
                request = request.json(&json!({ "title": "yours" }));
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            bodies.push(answer.text().await.expect("a body"));
        }
        assert_eq!(bodies[0], bodies[1], "{method}");
    }
    assert_eq!(bob.get("/api/tasks/").await.1["total"], 0);
}

async fn a_deleted_task_is_an_absent_one_by_every_method_until_it_is_restored(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let id = ada.task(json!({ "title": "gone" })).await["id"].as_str().expect("an id").to_owned();
    let methods = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
    let send = async |method: &Method, id: &str| {
        let mut request = ada.request(method.clone(), &format!("/api/tasks/{id}"));
        if matches!(*method, Method::PUT | Method::PATCH) {
            request = request.json(&json!({ "title": "back again" }));
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a body"))
    };
    assert_eq!(send(&Method::DELETE, &id).await.0, StatusCode::NO_CONTENT);
    for method in &methods {
        let gone = send(method, &id).await;
        assert_eq!(gone.0, StatusCode::NOT_FOUND, "{method}");
        assert_eq!(gone, send(method, ABSENT).await, "{method}");
    }
    // None of them has done anything to it.
    let trash = ada.get("/api/tasks/trash").await.1;
    assert_eq!((&trash["total"], &trash["items"][0]["title"]), (&json!(1), &json!("gone")));
    let restore = format!("/api/tasks/{id}/restore");
    assert_eq!(ada.call(Method::POST, &restore, None).await.0, StatusCode::OK);
    for method in &methods {
        assert!(send(method, &id).await.0.is_success(), "{method}");
    }
}

async fn a_write_survives_kill_nine(backend: Backend) {
    let server = backend.start(&[]).await;
    let id = {
        let ada = server.person("ada").await;
        ada.task(json!({ "title": "durable" })).await["id"].as_str().expect("an id").to_owned()
    };
    let server = server.restart(&[]).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(ada.get(&format!("/api/tasks/{id}")).await.1["title"], "durable");
}

/// Everything about an answer that a client may rely on.
async fn whole(answer: reqwest::Response) -> (StatusCode, Vec<Option<String>>, String) {
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    let headers = ["content-type", "location", "etag"].map(header).to_vec();
    (answer.status(), headers, answer.text().await.expect("a body"))
}

async fn a_repeated_request_is_done_once_and_answered_the_same_byte_for_byte(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let body = r#"{"title":"once \u00e9","due_at":"2099-01-01T00:00:00.1+01:00"}"#;
    let send = |token: &str, key: &str, body: &str| {
        let request = server.request(Method::POST, "/api/tasks").bearer_auth(token).header("Idempotency-Key", key);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        async { request.send().await.expect("an answer") }
    };
    let first = whole(send(&ada.token, "one", body).await).await;
    assert_eq!(first.0, StatusCode::CREATED, "{}", first.2);
    assert!(first.1.iter().all(Option::is_some), "{:?}", first.1);
    // The task moves on, and the answer stands; also for another session, and after a crash.
    let path = first.1[1].clone().expect("a location");
    assert_eq!(ada.call(Method::PATCH, &path, Some(json!({ "title": "moved" }))).await.0, StatusCode::OK);
    assert_eq!(whole(send(&ada.token, "one", body).await).await, first);
    let again = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(whole(send(&again.token, "one", body).await).await, first);

    let other = send(&ada.token, "one", r#"{"title":"another"}"#).await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: serde_json::Value = other.json().await.expect("JSON");
    assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    // What was refused is not remembered, and a key is everybody's own.
    assert_eq!(send(&ada.token, "two", "{}").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(&ada.token, "two", body).await.status(), StatusCode::CREATED);
    assert_eq!(send(&bob.token, "one", r#"{"title":"his"}"#).await.status(), StatusCode::CREATED);
    for key in ["", "a b", &"x".repeat(256)] {
        let answer = send(&ada.token, key, body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{key:.10}");
        assert!(answer.text().await.expect("a body").contains("Idempotency-Key"));
    }
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 2);
}

async fn a_request_sent_many_times_at_once_is_done_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let send = |path: &'static str, body: serde_json::Value| {
        let request = ada.request(Method::POST, path).header("Idempotency-Key", path).json(&body);
        async { whole(request.send().await.expect("an answer")).await }
    };
    let bulk = json!({ "operations": [{ "op": "create", "task": { "title": "x" } }, { "op": "create" }] });
    for (path, body) in [("/api/tasks/", json!({ "title": "x" })), ("/api/tasks/bulk", bulk)] {
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..8 {
            waiting.spawn(send(path, body.clone()));
        }
        let answers = waiting.join_all().await;
        assert!(answers[0].0.is_success(), "{}", answers[0].2);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 2);
}

async fn many_changes_are_done_each_for_itself(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let (old, gone) = (ada.task(json!({ "title": "old" })).await, ada.task(json!({ "title": "gone" })).await);
    let theirs = bob.task(json!({ "title": "theirs" })).await;
    let operations = json!([
        { "op": "create", "task": { "title": "new", "priority": "high" } },
        { "op": "update", "id": old["id"], "task": { "status": "completed" } },
        { "op": "delete", "id": gone["id"] },
        { "op": "update", "id": theirs["id"], "task": { "title": "mine now" } },
        { "op": "create", "task": { "title": "", "due_at": "tomorrow" } },
        { "op": "create", "task": { "title": "x", "reminder_minutes": 5 } },
        { "op": "explode" },
        7,
        { "op": "update", "id": old["id"], "task": { "title": "twice" } },
    ]);
    let (status, answer) = ada.call(Method::POST, "/api/tasks/bulk", Some(json!({ "operations": operations }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let results = answer["results"].as_array().expect("results");
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().expect("a status")).collect();
    assert_eq!(statuses, [201, 200, 204, 404, 422, 422, 422, 422, 422]);
    assert_eq!((&results[0]["task"]["title"], &results[1]["task"]["version"]), (&json!("new"), &json!(2)));
    assert!(results[2].get("task").is_none() && results[2].get("problem").is_none());
    let fields = |result: &serde_json::Value| -> Vec<String> {
        let errors = result["problem"]["errors"].as_array().unwrap_or_else(|| panic!("errors in {result}"));
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    };
    assert_eq!(results[3]["problem"]["code"], "not_found");
    assert_eq!(fields(&results[4]), ["operations[4].task.title", "operations[4].task.due_at"]);
    assert_eq!(fields(&results[5]), ["operations[5].task.reminder_minutes"]);
    assert_eq!(fields(&results[6]), ["operations[6].op"]);
    assert_eq!(fields(&results[7]), ["operations[7]"]);
    assert_eq!(fields(&results[8]), ["operations[8].id"]);
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 2);
    assert_eq!(ada.get("/api/tasks/trash").await.1["total"], 1);
    assert_eq!(bob.get("/api/tasks/").await.1["items"][0]["title"], "theirs");
}

async fn many_changes_are_done_together_or_not_at_all(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let old = ada.task(json!({ "title": "old" })).await;
    let bulk = async |operations: serde_json::Value| {
        ada.call(Method::POST, "/api/tasks/bulk", Some(json!({ "atomic": true, "operations": operations }))).await
    };
    let (status, problem) = bulk(json!([
        { "op": "create", "task": { "title": "new" } },
        { "op": "update", "id": ABSENT, "task": { "title": "x" } },
        { "op": "delete", "id": old["id"] },
        { "op": "create", "task": { "title": "", "status": "done" } },
        { "op": "update", "task": [] },
    ]))
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let errors = problem["errors"].as_array().expect("errors");
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().expect("a field")).collect();
    let all = ["[1].id", "[3].task.title", "[3].task.status", "[4].id", "[4].task"];
    assert_eq!(fields, all.map(|field| format!("operations{field}")));
    assert_eq!(ada.get("/api/tasks/").await.1["items"], json!([old]));

    let (status, answer) =
        bulk(json!([{ "op": "create", "task": { "title": "new" } }, { "op": "delete", "id": old["id"] }])).await;
    assert_eq!((status, &answer["results"][1]), (StatusCode::OK, &json!({ "status": 204 })));
    assert_eq!(ada.get("/api/tasks/").await.1["items"], json!([answer["results"][0]["task"]]));

    assert_eq!(bulk(json!([])).await, (StatusCode::OK, json!({ "results": [] })));
    let one = json!({ "op": "create", "task": { "title": "x" } });
    assert_eq!(bulk(json!(vec![one.clone(); 100])).await.0, StatusCode::OK);
    for bad in [json!(vec![one; 101]), json!({}), json!(null)] {
        let (status, problem) = bulk(bad).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("operations")));
    }
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 101);
}

async fn a_task_has_a_history_of_who_changed_what(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let user = ada.get("/api/users/me").await.1["id"].clone();
    let task = ada.task(json!({ "title": "one" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    ada.call(Method::PATCH, &path, Some(json!({ "title": "two", "status": "completed" }))).await;
    ada.call(Method::DELETE, &path, None).await;
    ada.call(Method::POST, &format!("{path}/restore"), None).await;
    let history = format!("{path}/history");
    let (status, list) = ada.get(&history).await;
    assert_eq!(status, StatusCode::OK);
    let items = list["items"].as_array().expect("items");
    let kinds: Vec<_> = items.iter().map(|item| item["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["task_restored", "task_deleted", "task_updated", "task_created"]);
    let changes = &items[2]["changes"];
    assert_eq!(changes["title"], json!({ "was": "one", "is": "two" }));
    assert_eq!(changes["status"], json!({ "was": "pending", "is": "completed" }));
    assert_eq!(
        (&changes["completed_at"]["was"], changes.as_object().map(serde_json::Map::len)),
        (&json!(null), Some(3))
    );
    assert_eq!(items[2]["actor"], user);
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("{history}?size=3{next}")).await.1;
        seen.extend(page["items"].as_array().expect("items").clone());
        match page.get("next") {
            Some(cursor) => next = format!("&cursor={}", cursor.as_str().expect("a cursor")),
            None => break,
        }
    }
    assert_eq!(seen, *items);
    let absent = format!("/api/tasks/{ABSENT}/history");
    assert_eq!(bob.get(&history).await, bob.get(&absent).await);
    assert_eq!(bob.get(&history).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ada.get(&format!("{history}?cursor=x&size=0")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn a_change_is_made_only_to_the_version_that_was_seen(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let task = ada.task(json!({ "title": "one" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let change = |method: Method, path: &str, tags: &[u8], body: serde_json::Value| {
        let request = ada.request(method, path).header("If-Match", tags).json(&body);
        async {
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.expect("a body");
            (status, serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default())
        }
    };
    for (version, tags) in [(1, "\"1\""), (2, "\"7\", \"2\""), (3, "*")] {
        let title = json!({ "title": format!("version {version}") });
        let (status, after) = change(Method::PATCH, &path, tags.as_bytes(), title).await;
        assert_eq!((status, &after["version"]), (StatusCode::OK, &json!(version + 1)), "{tags}");
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        for tags in ["\"1\"", "W/\"3\"", "\"x\", \"3\"", "\"04\"", ""] {
            let (status, problem) = change(method.clone(), &path, tags.as_bytes(), json!({ "title": "late" })).await;
            assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{method} {tags}");
            assert_eq!(problem["current"], ada.get(&path).await.1);
        }
        for tags in [&b"4"[..], b"\"4", b"\"\xe9\""] {
            let (status, problem) = change(method.clone(), &path, tags, json!({ "title": "odd" })).await;
            assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("If-Match")));
        }
    }
    assert_eq!(ada.get(&path).await.1["version"], 4);
    let (status, problem) = change(Method::PATCH, "/api/users/me", b"\"9\"", json!({ "locale": "de" })).await;
    assert_eq!((status, &problem["current"]["username"]), (StatusCode::PRECONDITION_FAILED, &json!("ada")));
    assert_eq!(change(Method::PUT, "/api/users/me", b"\"1\"", json!({ "locale": "de" })).await.0, StatusCode::OK);
}

async fn what_a_client_has_already_is_not_sent_again(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let id = ada.task(json!({ "title": "x" })).await["id"].as_str().expect("an id").to_owned();
    for path in [&format!("/api/tasks/{id}"), "/api/users/me", "/api/auth/me"] {
        let read = async |tags: &str| {
            let request = ada.request(Method::GET, path).header("If-None-Match", tags);
            whole(request.send().await.expect("an answer")).await
        };
        let (status, headers, body) = read("\"9\", W/\"1\"").await;
        assert_eq!((status, headers[2].as_deref(), body.as_str()), (StatusCode::NOT_MODIFIED, Some("\"1\""), ""));
        assert_eq!(read("\"9\"").await.0, StatusCode::OK);
        assert_eq!(read("nonsense").await.0, StatusCode::BAD_REQUEST);
    }
}

async fn of_many_changes_at_once_none_is_refused_and_the_last_one_counts(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let task = ada.task(json!({ "title": "x" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..32 {
        let member = if n % 2 == 0 { "title" } else { "description" };
        let change = ada.request(Method::PATCH, &path).json(&json!({ member: format!("text {n}") }));
        waiting.spawn(async move { change.send().await.expect("an answer").status() });
    }
    let statuses = waiting.join_all().await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    let (_, after) = ada.get(&path).await;
    assert_eq!(after["version"], 33, "each change is applied: {after}");
    // Neither kind of writer undid what the other wrote.
    assert!(after["title"] != "x" && after["description"].is_string(), "{after}");
    // Whoever names a version is refused as before.
    let stale = ada.request(Method::PATCH, &path).header("If-Match", "\"1\"").json(&json!({ "title": "y" }));
    assert_eq!(stale.send().await.expect("an answer").status(), StatusCode::PRECONDITION_FAILED);
}
