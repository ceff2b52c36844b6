use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::{Fault, SmtpServer, Stage};

use crate::admins::admin;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Person;
use taskflow_testkit::wait::eventually;

on_each_store![
    the_ledger_is_read_by_pages_and_by_kind_state_and_recipient,
    a_delivery_shows_every_attempt_and_goes_out_when_it_is_tried_again,
    what_has_not_left_can_be_cancelled_once,
    many_are_retried_and_cancelled_by_what_they_have_in_common,
    to_everybody_else_there_is_nothing_to_administer,
];

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("items in {list}"))
}

/// The first delivery that a query finds; waits until there is one.
async fn first(admin: &Person<'_>, query: &str) -> Value {
    eventually(query, || async {
        let (_, list) = admin.get(&format!("/api/deliveries?{query}")).await;
        items(&list).first().cloned()
    })
    .await
}

fn path(delivery: &Value) -> String {
    format!("/api/deliveries/{}", delivery["id"].as_str().expect("an id"))
}

async fn the_ledger_is_read_by_pages_and_by_kind_state_and_recipient(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    for name in ["bob", "cleo"] {
        server.person(name).await;
    }
    ada.task(json!({ "title": "Far", "due_at": "2099-01-01T00:00:00Z", "reminder_minutes": 5 })).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = ada.get(&format!("/api/deliveries?kind=welcome&size=2{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(items(&page).iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first");
    let (_, bobs) = ada.get("/api/deliveries/?recipient=Bob@Example.org").await;
    assert_eq!((items(&bobs).len(), &items(&bobs)[0]["kind"]), (1, &json!("welcome")));
    assert_eq!((&items(&bobs)[0]["email"], &items(&bobs)[0]["name"]), (&json!("bob@example.org"), &json!("bob")));
    let (_, open) = ada.get("/api/deliveries?state=scheduled,claimed&kind=welcome,task_due").await;
    let (_, repeated) = ada.get("/api/deliveries?state=scheduled&state=claimed&kind=task_due").await;
    assert_eq!((items(&open).len(), items(&repeated).len()), (1, 1), "{open} {repeated}");
    assert_eq!((&items(&open)[0]["subject"], &open["counts"]["scheduled"]), (&json!("Far"), &json!(1)));
    let (_, found) = ada.get("/api/deliveries?q=far%20ADA").await;
    assert_eq!((items(&found).len(), found.get("counts")), (1, None), "{found}");
    let (_, later) = ada.get("/api/deliveries?since=2098-01-01T00:00:00Z").await;
    assert_eq!((items(&later).len(), &later["counts"]["delivered"]), (0, &json!(0)), "{later}");
    let scheduled = first(&ada, "state=scheduled&kind=task_due").await;
    assert_eq!(scheduled["due_at"], "2098-12-31T23:55:00.000000Z");
    let (status, problem) = ada.get("/api/deliveries?kind=x&state=x&recipient=x&cursor=x&size=0").await;
    assert_eq!((status, problem["errors"].as_array().map(Vec::len)), (StatusCode::UNPROCESSABLE_ENTITY, Some(5)));
}

async fn a_delivery_shows_every_attempt_and_goes_out_when_it_is_tried_again(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    relay.when_to("bob@example.org", Stage::Rcpt, Fault::Say("552 5.2.2 mailbox full"));
    let ada = admin(&server, "ada").await;
    server.person("bob").await;
    let refused = first(&ada, "state=discarded").await;
    assert!(refused.get("failed_attempts").is_none());
    let (status, detail) = ada.get(&path(&refused)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&detail["kind"], &detail["reason"]), (&json!("welcome"), &json!("the account was made")));
    let attempts = detail["failed_attempts"].as_array().expect("attempts");
    assert_eq!((attempts.len(), &attempts[0]["attempt"]), (1, &json!(1)));
    assert!(attempts[0]["error"].as_str().expect("an error").contains("5.2.2"), "{detail}");

    relay.obey();
    let (status, again) = ada.call(Method::POST, &format!("{}/retry", path(&refused)), None).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    let sent = eventually("it is sent", || async {
        let (_, detail) = ada.get(&path(&refused)).await;
        (detail["state"] == "delivered").then_some(detail)
    })
    .await;
    assert!(sent["reply"].as_str().expect("a reply").contains("250") && sent["sent_at"].is_string(), "{sent}");
    let (status, problem) = ada.call(Method::POST, &format!("{}/retry", path(&refused)), None).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("state")));
}

async fn what_has_not_left_can_be_cancelled_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    ada.task(json!({ "title": "Far", "due_at": "2099-01-01T00:00:00Z", "reminder_minutes": 5 })).await;
    let planned = first(&ada, "kind=task_due").await;
    let cancel = format!("{}/cancel", path(&planned));
    let (status, cancelled) = ada.call(Method::POST, &cancel, None).await;
    assert_eq!((status, &cancelled["state"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(ada.call(Method::POST, &cancel, None).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn many_are_retried_and_cancelled_by_what_they_have_in_common(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    relay.when(Stage::Dot, Fault::Say("554 5.6.0 malformed"));
    let ada = admin(&server, "ada").await;
    for name in ["bob", "cleo"] {
        server.person(name).await;
    }
    let discarded = eventually("all are discarded", || async {
        let (_, list) = ada.get("/api/deliveries?state=discarded&kind=welcome").await;
        (items(&list).len() == 3).then_some(())
    });
    discarded.await;
    let post = async |what: &str, filter: Value| {
        ada.call(Method::POST, &format!("/api/deliveries/{what}"), Some(filter)).await
    };
    let filter =
        json!({ "kind": ["welcome"], "code": "5.6.0", "error": "MALFORMED", "due_before": "2099-01-01T00:00:00Z" });
    let mut dry = filter.clone();
    dry["dry_run"] = json!(true);
    let (status, counted) = post("retry", dry).await;
    assert_eq!((status, &counted["matched"], &counted["changed"]), (StatusCode::OK, &json!(3), &json!(0)), "{counted}");
    relay.obey();
    let (status, done) = post("retry", filter.clone()).await;
    assert_eq!((status, &done["matched"], &done["changed"]), (StatusCode::OK, &json!(3), &json!(3)), "{done}");
    assert_eq!(done["more"], json!(false));
    let mut sent: Vec<_> = relay.await_mails(3).await.into_iter().flat_map(|mail| mail.to).collect();
    sent.sort();
    assert_eq!(sent, ["ada@example.org", "bob@example.org", "cleo@example.org"]);
    let (_, again) = post("retry", filter).await;
    assert_eq!(again["matched"], json!(0), "{again}");

    ada.task(json!({ "title": "Far", "due_at": "2099-01-01T00:00:00Z", "reminder_minutes": 5 })).await;
    let bob = json!({ "recipient": "bob@example.org", "kind": ["task_due"] });
    assert_eq!(post("cancel", bob).await.1["matched"], json!(0));
    let far = json!({ "recipient": "ADA@example.org", "channel": "mail", "due_after": "2098-01-01T00:00:00Z" });
    let (status, done) = post("cancel", far).await;
    assert_eq!((status, &done["changed"]), (StatusCode::OK, &json!(1)), "{done}");
    assert_eq!(first(&ada, "kind=task_due").await["state"], "cancelled");

    for (what, filter, fields) in [
        ("retry", json!({}), 1),
        ("cancel", json!({ "as_of": "2099-01-01T00:00:00Z" }), 1),
        ("retry", json!({ "state": ["delivered"] }), 1),
        ("cancel", json!({ "state": ["discarded"] }), 1),
        ("cancel", json!({ "state": ["x"], "code": "250", "channel": "!", "recipient": "x", "due_after": 7 }), 5),
    ] {
        let (status, problem) = post(what, filter).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(fields), "{problem}");
    }
}

async fn to_everybody_else_there_is_nothing_to_administer(backend: Backend) {
    let server = backend.start(&[]).await;
    let bob = server.person("bob").await;
    let id = "0198c0de-0000-7000-8000-000000000001";
    let own = [
        (Method::GET, "/api/deliveries".to_owned()),
        (Method::GET, "/api/deliveries?size=0".to_owned()),
        (Method::GET, format!("/api/deliveries/{id}")),
        (Method::POST, format!("/api/deliveries/{id}/retry")),
        (Method::POST, format!("/api/deliveries/{id}/cancel")),
        (Method::POST, "/api/deliveries/retry".to_owned()),
        (Method::POST, "/api/deliveries/cancel".to_owned()),
        (Method::GET, "/api/suppressions".to_owned()),
        (Method::POST, "/api/suppressions".to_owned()),
        (Method::DELETE, "/api/suppressions?email=a@example.org".to_owned()),
        (Method::GET, "/api/templates".to_owned()),
        (Method::GET, "/api/templates/welcome/preview".to_owned()),
        (Method::POST, "/api/email/send".to_owned()),
    ];
    for (method, path) in own {
        let body = (method == Method::POST).then(|| json!({}));
        let (status, problem) = bob.call(method.clone(), &path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
        let nobody = server.request(method, &path).send().await.expect("an answer");
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}
