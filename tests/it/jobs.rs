use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admins::admin;
use crate::times::soon;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, taskflow};
use taskflow_testkit::wait::eventually;

on_each_store![
    people_with_something_open_are_reminded_when_the_job_is_run_and_others_are_not,
    a_summary_of_the_day_comes_once_a_day_however_often_it_is_asked_for,
    a_slot_is_run_once_by_hand_also_from_the_command_line,
    jobs_follow_their_schedule_until_they_are_paused,
    statistics_tell_what_somebody_has_done_and_totals_are_for_administrators,
    what_does_not_fit_is_named,
    by_the_clock_of_a_slot_to_come_nothing_is_removed,
];

/// Waits until a run is over and tells it.
async fn over(admin: &Person<'_>, run: &Value) -> Value {
    let (job, id) = (run["job"].as_str().expect("a job"), run["id"].as_str().expect("an id"));
    eventually("the run is over", || async {
        let (status, run) = admin.get(&format!("/api/jobs/{job}/runs/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{run}");
        run["finished_at"].is_string().then_some(run)
    })
    .await
}

async fn run(admin: &Person<'_>, query: &str) -> Value {
    let (status, run) = admin.call(Method::POST, &format!("/api/jobs/{query}"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    over(admin, &run).await
}

/// The mails of a kind that were delivered.
async fn delivered(admin: &Person<'_>, kind: &str, count: usize) -> Vec<Value> {
    eventually(kind, || async {
        let (_, list) = admin.get(&format!("/api/deliveries?kind={kind}&state=delivered")).await;
        let items = list["items"].as_array().expect("items").clone();
        (items.len() == count).then_some(items)
    })
    .await
}

async fn people_with_something_open_are_reminded_when_the_job_is_run_and_others_are_not(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let bob = server.person("bob").await;
    server.person("cleo").await;
    bob.task(json!({ "title": "Water the plants", "priority": "high" })).await;
    let counted = run(&ada, "task_reminders/run?dry_run=true").await;
    assert_eq!(counted["counts"], json!({ "examined": 3, "found": 1 }));
    assert_eq!(counted["dry_run"], json!(true));
    let done = run(&ada, "task_reminders/run").await;
    assert_eq!(
        (&done["counts"]["found"], &done["state"], &done["trigger"]),
        (&json!(1), &json!("finished"), &json!("now"))
    );
    delivered(&ada, "task_reminder", 1).await;
    let (_, mailbox) = ada.get("/api/mailbox").await;
    assert!(mailbox.to_string().contains("bob@example.org"));
}

async fn a_summary_of_the_day_comes_once_a_day_however_often_it_is_asked_for(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let bob = server.person("bob").await;
    bob.meeting(json!({ "title": "Plans", "meeting_date": soon(60) })).await;
    bob.task(json!({ "title": "Sow", "due_at": soon(3600) })).await;
    for _ in 0..2 {
        let done = run(&ada, "daily_summaries/run").await;
        assert_eq!(done["counts"]["found"], json!(1));
    }
    let summary = delivered(&ada, "daily_summary", 1).await.remove(0);
    let (_, mails) = ada.get("/api/mailbox").await;
    let id = summary["id"].as_str().expect("an id");
    let mail =
        mails["items"].as_array().or(mails.as_array()).expect("mails").iter().find(|mail| mail["id"] == id).cloned();
    assert!(mail.expect("the mail")["text"].as_str().expect("text").contains("Sow"));
}

async fn a_slot_is_run_once_by_hand_also_from_the_command_line(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let slot = "2026-03-29T07:00:00Z";
    let done = run(&ada, &format!("daily_summaries/run?at={slot}")).await;
    assert_eq!((&done["slot"], &done["trigger"]), (&json!("2026-03-29T07:00:00.000000Z"), &json!("slot")));
    let (status, problem) = ada.call(Method::POST, &format!("/api/jobs/daily_summaries/run?at={slot}"), None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("taken")));

    let url = server.database_url();
    let command = |arguments: &[&str]| {
        let output = taskflow(&server.folder, &[("DATABASE_URL", &url)]).args(arguments).output().expect("an end");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (ok, text) = command(&["job", "run", "daily_summaries", "--at", slot]);
    assert!(!ok && text.contains("already"), "{text}");
    let (ok, text) = command(&["job", "run", "data_cleanup", "--at", slot, "--dry-run"]);
    assert!(ok && text.contains("finished"), "{text}");
    let (ok, text) = command(&["job", "list"]);
    assert!(ok && text.contains("local 08:00,20:00") && text.contains("daily 02:00 UTC"), "{text}");
    let (ok, text) = command(&["job", "runs", "daily_summaries"]);
    assert!(ok && text.contains("2026-03-29T07:00:00"), "{text}");
    let (ok, text) = command(&["job", "run", "nonsense"]);
    assert!(!ok && text.contains("daily_summaries"), "{text}");
}

async fn jobs_follow_their_schedule_until_they_are_paused(backend: Backend) {
    let server = backend.start(&[("JOB_STATISTICS", "every 1s"), ("JOB_TICK", "50ms")]).await;
    let ada = admin(&server, "ada").await;
    let runs = || async {
        let (_, runs) = ada.get("/api/jobs/statistics/runs").await;
        runs["items"].as_array().expect("runs").len()
    };
    eventually("some runs", || async { (runs().await >= 2).then_some(()) }).await;
    let pause = |what: &'static str| ada.call(Method::POST, what, None);
    assert_eq!(pause("/api/jobs/statistics/pause").await.0, StatusCode::NO_CONTENT);
    let (_, jobs) = ada.get("/api/jobs").await;
    let job = jobs["items"].as_array().expect("jobs").iter().find(|job| job["name"] == "statistics").cloned();
    let job = job.expect("the job");
    assert!(job["paused_at"].is_string() && job.get("next_at").is_none(), "{job}");
    assert_eq!(job["schedule"], json!("every 1s"));
    let quiet = eventually("no run is under way", || async {
        let (_, jobs) = ada.get("/api/jobs").await;
        let busy = jobs["items"]
            .as_array()
            .expect("jobs")
            .iter()
            .any(|job| job["name"] == "statistics" && job["running"] == true);
        (!busy).then_some(runs().await)
    })
    .await;
    // Three of its seconds pass, and it has had none of them.
    let begun = tokio::time::Instant::now();
    eventually("three seconds", || async { (begun.elapsed() > Duration::from_secs(3)).then_some(()) }).await;
    assert_eq!(runs().await, quiet);
    assert_eq!(pause("/api/jobs/statistics/resume").await.0, StatusCode::NO_CONTENT);
    eventually("runs again", || async { (runs().await > quiet).then_some(()) }).await;
}

async fn statistics_tell_what_somebody_has_done_and_totals_are_for_administrators(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let bob = server.person("bob").await;
    let task = bob.task(json!({ "title": "Sow" })).await;
    bob.task(json!({ "title": "Reap" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    bob.call(Method::PATCH, &path, Some(json!({ "status": "completed" }))).await;
    run(&ada, "statistics/run").await;
    let (status, mine) = bob.get("/api/users/me/statistics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&mine["total"], &mine["completed"], &mine["completion_rate"]), (&json!(2), &json!(1), &json!(0.5)));
    assert_eq!(mine["streak_days"], json!(1));
    let (_, totals) = ada.get("/api/stats").await;
    assert_eq!((&totals["users"], &totals["tasks"], &totals["completed_tasks"]), (&json!(2), &json!(2), &json!(1)));
    for path in ["/api/jobs", "/api/stats", "/api/jobs/statistics/runs"] {
        assert_eq!(bob.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/api/jobs/statistics/run", "/api/jobs/statistics/pause", "/api/jobs/statistics/resume"] {
        assert_eq!(bob.call(Method::POST, path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

async fn what_does_not_fit_is_named(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let (status, _) = ada.call(Method::POST, "/api/jobs/nonsense/run", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, problem) = ada.call(Method::POST, "/api/jobs/statistics/run?at=now&dry_run=maybe", None).await;
    let fields: Vec<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| error["field"].clone()).collect();
    assert_eq!((status, fields), (StatusCode::UNPROCESSABLE_ENTITY, vec![json!("at"), json!("dry_run")]));
}

async fn by_the_clock_of_a_slot_to_come_nothing_is_removed(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let task = ada.task(json!({ "title": "Sow" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    ada.call(Method::PATCH, &path, Some(json!({ "status": "completed" }))).await;
    let far = "/api/jobs/data_cleanup/run?at=2099-01-01T00:00:00Z";
    let (status, problem) = ada.call(Method::POST, far, None).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("at")));
    let done = run(&ada, "data_cleanup/run").await;
    assert_eq!(done["counts"], json!({}), "{done}");
    assert_eq!(ada.get(&path).await.0, StatusCode::OK);
}
