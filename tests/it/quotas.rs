use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;

on_each_store![beyond_a_quota_the_answer_names_the_figure_and_what_to_do];

async fn beyond_a_quota_the_answer_names_the_figure_and_what_to_do(backend: Backend) {
    let server = backend.start(&[("QUOTA_TASKS", "3"), ("QUOTA_MEETINGS", "1"), ("QUOTA_INVITATIONS", "2")]).await;
    let ada = server.person("ada").await;
    let tries = (0..12).map(|n| ada.call(Method::POST, "/api/tasks/", Some(json!({ "title": format!("Task {n}") }))));
    let answers = futures_util::future::join_all(tries).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == StatusCode::CREATED);
    assert_eq!((made.len(), refused.len()), (3, 9), "{refused:?}");
    for (status, problem) in refused {
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")), "{problem}");
        assert_eq!(problem["detail"], "an account may have 3 tasks: delete some first");
    }
    let path = format!("/api/tasks/{}", made[0].1["id"].as_str().expect("an id"));
    assert_eq!(ada.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.call(Method::POST, "/api/tasks/", Some(json!({ "title": "Last" }))).await.0, StatusCode::CREATED);
    let (status, problem) = ada.call(Method::POST, &format!("{path}/restore"), None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")));

    let meeting = |people: &[&str]| {
        let people: Vec<_> = people.iter().map(|name| json!({ "email": format!("{name}@example.org") })).collect();
        json!({ "title": "Sync", "meeting_date": "2099-03-01T10:00:00Z", "participants": people })
    };
    let (status, problem) = ada.call(Method::POST, "/api/meetings/", Some(meeting(&["x", "y", "z"]))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")), "{problem}");
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.starts_with("an account may invite 2 people a day; more is possible from "), "{detail}");
    let (status, made) = ada.call(Method::POST, "/api/meetings/", Some(meeting(&["x"]))).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (status, problem) = ada.call(Method::POST, "/api/meetings/", Some(meeting(&[]))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")), "{problem}");
    let path = format!("/api/meetings/{}/participants", made["id"].as_str().expect("an id"));
    let two = json!({ "participants": [{ "email": "y@example.org" }, { "email": "z@example.org" }] });
    assert_eq!(ada.call(Method::POST, &path, Some(two)).await.1["code"], "quota");
}
