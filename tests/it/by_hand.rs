use std::process::Output;

use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::SmtpServer;
use tempfile::TempDir;

use crate::admins::admin;
use crate::letters::{letter, letters};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::taskflow;

on_each_store![
    a_letter_reaches_everybody_and_nobody_learns_of_hidden_readers,
    a_letter_that_was_sent_twice_under_one_key_arrives_once,
    every_bad_field_of_a_letter_is_named_and_nothing_is_sent,
    samples_come_to_oneself_and_the_alert_to_the_administrator,
    whoever_is_signed_in_learns_whether_mail_gets_out_and_nothing_more,
    administrators_see_what_every_notice_looks_like,
    every_mail_in_the_mailbox_has_a_page_with_three_views,
];

async fn a_letter_reaches_everybody_and_nobody_learns_of_hidden_readers(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    let ada = admin(&server, "ada").await;
    relay.await_mails(1).await;
    let body = json!({
        "to": "bob@example.org", "cc": ["cleo@example.org", "Bob@example.org"], "bcc": ["dora@example.org"],
        "subject": "News", "html_content": "<p>Good <b>morning</b></p>", "reply_to": "grace@example.org",
    });
    let (status, answer) = ada.call(Method::POST, "/api/email/send", Some(body)).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
    assert_eq!(answer["delivery_ids"].as_array().map(Vec::len), Some(3));
    let mails = relay.await_mails(4).await;
    let mut to: Vec<_> = mails[1..].iter().flat_map(|mail| mail.to.clone()).collect();
    to.sort_unstable();
    assert_eq!(to, ["bob@example.org", "cleo@example.org", "dora@example.org"]);
    for mail in &mails[1..] {
        let parsed = MessageParser::default().parse(&mail.data).expect("a mail");
        assert_eq!(parsed.subject(), Some("News"));
        assert!(parsed.body_text(0).expect("text").contains("Good morning"));
        assert!(!String::from_utf8_lossy(&mail.data).contains("dora"), "hidden readers stay hidden");
        let answers = parsed.reply_to().and_then(|to| to.first()).and_then(|one| one.address());
        assert_eq!(answers, Some("grace@example.org"));
    }
}

async fn a_letter_that_was_sent_twice_under_one_key_arrives_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let post = async |path: &str, key: &str, body: Option<Value>| {
        let request = ada.request(Method::POST, path).header("Idempotency-Key", key);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a body"))
    };
    let news = |to: &str| Some(json!({ "to": to, "subject": "News", "text_content": "There is news." }));
    let first = post("/api/email/send", "k", news("bob@example.org")).await;
    assert_eq!(first.0, StatusCode::OK, "{}", first.1);
    assert_eq!(post("/api/email/send", "k", news("bob@example.org")).await, first);
    let (status, problem) = post("/api/email/send", "k", news("cleo@example.org")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(problem.contains("Idempotency-Key"), "{problem}");
    let sample = post("/api/email/test-summary", "s", None).await;
    assert_eq!(sample.0, StatusCode::OK, "{}", sample.1);
    assert_eq!(post("/api/email/test-summary", "s", None).await, sample);
    assert_eq!(post("/api/email/test-reminder", "s", None).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    for kind in ["letter", "sample"] {
        let (_, list) = ada.get(&format!("/api/deliveries?kind={kind}")).await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    }
    letters(&server, "bob@example.org", "News", 1).await;
}

async fn every_bad_field_of_a_letter_is_named_and_nothing_is_sent(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let bad = json!({ "to": ["bob@example.org", "x"], "subject": "a\r\nBcc: y@example.org", "cc": 7 });
    let (status, problem) = ada.call(Method::POST, "/api/email/send", Some(bad)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let errors = problem["errors"].as_array().expect("errors").iter();
    let mut fields: Vec<_> = errors.map(|error| error["field"].as_str().expect("a field")).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["cc", "subject", "text_content", "to.1"]);
    for to in [json!([]), json!(vec!["a@example.org"; 101])] {
        let body = json!({ "to": to, "subject": "x", "text_content": "y" });
        let (status, problem) = ada.call(Method::POST, "/api/email/send", Some(body)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("to")));
    }
    assert_eq!(ada.get("/api/deliveries?kind=letter").await.1["items"], json!([]));
}

async fn samples_come_to_oneself_and_the_alert_to_the_administrator(backend: Backend) {
    let server = backend.start(&[("ADMIN_EMAIL", "root@example.org")]).await;
    let ada = admin(&server, "ada").await;
    for (name, to, subject) in [
        ("test-notification", "ada@example.org", "quarterly report"),
        ("test-summary", "ada@example.org", "day"),
        ("test-reminder", "ada@example.org", "Quarterly review"),
        ("test-server-alert", "root@example.org", ""),
    ] {
        let (status, answer) = ada.call(Method::POST, &format!("/api/email/{name}"), None).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{name}: {answer}");
        let sample = letter(&server, to, subject).await;
        assert!(answer["delivery_ids"].as_array().expect("ids").contains(&sample["id"]) || subject == "day", "{name}");
    }
    let bob = server.person("bob").await;
    let (status, _) = bob.call(Method::POST, "/api/email/test-server-alert", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

async fn whoever_is_signed_in_learns_whether_mail_gets_out_and_nothing_more(backend: Backend) {
    let server = backend.start(&[("HOLD_MAIL", "true")]).await;
    assert_eq!(server.get("/api/email/health").await.status(), StatusCode::UNAUTHORIZED);
    let ada = server.person("ada").await;
    let (status, health) = ada.get("/api/email/health").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&health["relay_configured"], &health["is_held"]), (&json!(false), &json!(true)));
    assert!(health["has_backlog"] == true && health["oldest_due_at"].is_string(), "{health}");
    assert!(!health.to_string().contains("127.0.0.1"));
}

async fn administrators_see_what_every_notice_looks_like(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let (status, all) = ada.get("/api/templates").await;
    assert_eq!(status, StatusCode::OK);
    assert!(all["locales"].as_array().expect("tags").contains(&json!("de")));
    let notices = all["notices"].as_array().expect("notices");
    assert!(notices.len() >= 15, "{all}");
    for notice in notices {
        let path = format!("/api/templates/{}/preview", notice.as_str().expect("a word"));
        let (status, preview) = ada.get(&format!("{path}?locale=de&zone=Europe/Berlin")).await;
        assert_eq!(status, StatusCode::OK, "{preview}");
        assert!(preview["subject"].is_string() && preview["text"].is_string());
    }
    let path = "/api/templates/daily_summary/preview?format=html";
    let page = ada.request(Method::GET, path).send().await.expect("an answer");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().expect("ASCII").to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("sandbox") && !policy.contains("script"));
    assert!(page.text().await.expect("a page").contains("<html"));
    assert_eq!(ada.get("/api/templates/pigeon/preview").await.0, StatusCode::NOT_FOUND);
    let bad = ada.get("/api/templates/welcome/preview?locale=-&zone=Mars&format=pdf").await;
    assert_eq!((bad.0, bad.1["errors"].as_array().map(Vec::len)), (StatusCode::UNPROCESSABLE_ENTITY, Some(3)));
}

async fn every_mail_in_the_mailbox_has_a_page_with_three_views(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let welcome = letters(&server, "ada@example.org", "Welcome", 1).await.remove(0);
    let id = welcome["id"].as_str().expect("an id");
    let alone: Value = server.get(&format!("/api/mailbox/{id}")).await.json().await.expect("JSON");
    assert_eq!(alone, welcome);
    let list = server.get("/mailbox").await.text().await.expect("a page");
    assert!(list.contains(&format!("href=\"/mailbox/{id}\"")));
    for (view, has) in [("", "<iframe sandbox="), ("?view=text", "<pre>"), ("?view=source", "Message-ID")] {
        let page = server.get(&format!("/mailbox/{id}{view}")).await;
        assert!(!page.headers()["content-security-policy"].to_str().expect("ASCII").contains("script-src"));
        let page = page.text().await.expect("a page");
        assert!(page.contains(has) && !page.contains("<script"), "{view}: {page}");
    }
    let german = server.request(Method::GET, "/mailbox").header("accept-language", "de");
    let german = german.send().await.expect("an answer").text().await.expect("a page");
    assert!(german.contains("<html lang=\"de\">") && german.contains("<h1 dir=\"auto\">Postfach</h1>"), "{german}");
    let none = server.get("/api/mailbox/0198c0de-0000-7000-8000-000000000001").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}

fn preview(folder: &TempDir, arguments: &[&str]) -> Output {
    taskflow(folder.path(), &[]).args(["mail", "preview"]).args(arguments).output().expect("an end")
}

#[test]
fn a_preview_is_written_into_a_file() {
    let folder = TempDir::new().expect("a folder");
    let output = preview(&folder, &["meeting_invite", "--locale", "de", "--zone", "Europe/Berlin"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let html = std::fs::read_to_string(folder.path().join("meeting_invite.de.html")).expect("a file");
    assert!(html.contains("Quarterly review"));
    let source = preview(&folder, &["meeting_invite", "--format", "source", "--output", "-"]);
    let mail = MessageParser::default().parse(&source.stdout).expect("a mail");
    assert!(mail.body_text(0).is_some() && mail.body_html(0).is_some());
    assert!(String::from_utf8_lossy(&source.stdout).contains("text/calendar"));
    let wrong = preview(&folder, &["pigeon"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("daily_summary"), "it names what there is");
    assert!(!wrong.status.success());
}
