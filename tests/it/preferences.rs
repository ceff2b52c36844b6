use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admins::admin;
use crate::times::soon;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::wait::eventually;

on_each_store![
    preferences_are_kept_and_what_is_left_out_stays,
    a_change_of_a_version_that_is_no_longer_there_is_refused_with_the_present_one,
    every_bad_preference_is_named_and_nothing_is_kept,
    mail_that_is_switched_off_is_cancelled_and_the_ledger_says_why,
];

const PATH: &str = "/api/users/me/notifications";

async fn preferences_are_kept_and_what_is_left_out_stays(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (status, usual) = ada.get(PATH).await;
    assert_eq!(status, StatusCode::OK);
    assert!(usual["kinds"].as_object().expect("kinds").values().all(|wanted| wanted == true), "{usual}");
    assert!(usual["kinds"]["daily_summary"] == true && usual["kinds"].get("password_reset").is_none());
    assert_eq!((&usual["quiet_hours"], &usual["summary_time"]), (&Value::Null, &json!("09:00")));
    assert_eq!(usual["summary_weekdays"].as_array().map(Vec::len), Some(7));

    let change = json!({
        "kinds": { "daily_summary": false }, "quiet_hours": { "from": "22:00", "until": "07:00" },
        "summary_weekdays": ["friday", "monday"],
    });
    let (status, changed) = ada.call(Method::PUT, PATH, Some(change)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let (status, again) = ada.call(Method::PUT, PATH, Some(json!({ "summary_time": "06:30" }))).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    assert_eq!(again["quiet_hours"], json!({ "from": "22:00", "until": "07:00" }));
    assert_eq!(again["summary_weekdays"], json!(["monday", "friday"]));
    assert_eq!((&again["kinds"]["daily_summary"], &again["kinds"]["task_due"]), (&json!(false), &json!(true)));
    assert_eq!(ada.get(PATH).await.1, again);
    let (_, over) = ada.call(Method::PUT, PATH, Some(json!({ "quiet_hours": null }))).await;
    assert_eq!((&over["quiet_hours"], &over["summary_time"]), (&Value::Null, &json!("06:30")));
    assert_eq!(server.get(PATH).await.status(), StatusCode::UNAUTHORIZED);
}

async fn a_change_of_a_version_that_is_no_longer_there_is_refused_with_the_present_one(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let tag = async || {
        let answer = ada.request(Method::GET, PATH).send().await.expect("an answer");
        answer.headers()["etag"].to_str().expect("ASCII").to_owned()
    };
    let put = async |tag: &str, change: Value| {
        let request = ada.request(Method::PUT, PATH).header("If-Match", tag).json(&change);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.expect("JSON"))
    };
    let seen = tag().await;
    let known = ada.request(Method::GET, PATH).header("If-None-Match", &seen).send().await.expect("an answer");
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let (status, _) = put(&seen, json!({ "summary_time": "07:00" })).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(tag().await, seen);
    let (status, problem) = put(&seen, json!({ "summary_time": "08:00" })).await;
    assert_eq!((status, &problem["current"]["summary_time"]), (StatusCode::PRECONDITION_FAILED, &json!("07:00")));
    let (status, changed) = put(&tag().await, json!({ "summary_time": "08:00" })).await;
    assert_eq!((status, &changed["summary_time"]), (StatusCode::OK, &json!("08:00")));
}

async fn every_bad_preference_is_named_and_nothing_is_kept(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let before = ada.get(PATH).await.1;
    let bad = json!({
        "kinds": { "password_reset": false, "task_due": 1, "meeting_invite": false },
        "quiet_hours": { "from": "7:00", "until": null }, "summary_time": null, "summary_weekdays": "friday",
    });
    let (status, problem) = ada.call(Method::PUT, PATH, Some(bad)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let errors = problem["errors"].as_array().expect("errors").iter();
    let mut fields: Vec<_> = errors.map(|error| error["field"].as_str().expect("a field")).collect();
    fields.sort_unstable();
    let expected = [
        "kinds.password_reset",
        "kinds.task_due",
        "quiet_hours.from",
        "quiet_hours.until",
        "summary_time",
        "summary_weekdays",
    ];
    assert_eq!(fields, expected);
    assert_eq!(ada.get(PATH).await.1, before);
}

async fn mail_that_is_switched_off_is_cancelled_and_the_ledger_says_why(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let off = json!({ "kinds": { "task_due": false } });
    assert_eq!(ada.call(Method::PUT, PATH, Some(off)).await.0, StatusCode::OK);
    let soon = soon(20);
    ada.task(json!({ "title": "Ring", "due_at": soon, "reminder_minutes": 5 })).await;
    let delivery = eventually("the reminder is cancelled", || async {
        let (_, list) = ada.get("/api/deliveries?kind=task_due&state=cancelled").await;
        list["items"].as_array().and_then(|items| items.first().cloned())
    })
    .await;
    assert!(delivery["reason"].as_str().expect("a reason").contains("switched it off"), "{delivery}");
}
