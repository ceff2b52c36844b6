use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server::Server;

const ABSENT: &str = "0198c0de-0000-7000-8000-000000000001";

#[tokio::test]
async fn a_task_is_made_read_changed_and_trashed() {
    let server = Server::start(&[]).await;
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

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged_with_links() {
    let server = Server::start(&[]).await;
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

#[tokio::test]
async fn somebody_elses_task_is_byte_for_byte_an_absent_one() {
    let server = Server::start(&[]).await;
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

#[tokio::test]
async fn a_write_survives_kill_nine() {
    let server = Server::start(&[]).await;
    let id = {
        let ada = server.person("ada").await;
        ada.task(json!({ "title": "durable" })).await["id"].as_str().expect("an id").to_owned()
    };
    let server = server.restart(&[]).await;
    let ada = server.sign_in("ada", crate::server::PASSWORD).await;
    assert_eq!(ada.get(&format!("/api/tasks/{id}")).await.1["title"], "durable");
}
