use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::{Received, SmtpServer};

use crate::times::soon;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, Server};

on_each_store![
    one_click_in_a_real_mail_ends_that_kind_at_once_without_signing_in,
    looking_at_the_page_ends_nothing_and_its_button_does,
    a_link_that_is_none_ends_nothing_and_says_so,
];

const PUBLIC_URL: &str = "http://tasks.example.org";

async fn sending(backend: Backend, relay: &SmtpServer) -> Server {
    let port = relay.port().to_string();
    let settings = [
        ("PUBLIC_URL", PUBLIC_URL),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
    ];
    backend.start(&settings).await
}

/// A task that reminds at once.
async fn remind(person: &Person<'_>, title: &str) -> Value {
    let due = soon(60);
    person.task(json!({ "title": title, "due_at": due, "reminder_minutes": 5 })).await
}

/// Where one click ends mail of this kind, as the headers of a mail say it (RFC 8058 §3.1); the path alone.
fn one_click(mail: &Received) -> String {
    let text = String::from_utf8_lossy(&mail.data).replace("\r\n ", "").replace("\r\n\t", "");
    let header = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    assert_eq!(header("List-Unsubscribe-Post:"), "List-Unsubscribe=One-Click");
    let url = header("List-Unsubscribe:");
    let url = url.trim_start_matches('<').trim_end_matches('>').to_owned();
    url.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned()
}

/// What mail programs send: no cookie, no sign-in.
async fn click(server: &Server, path: &str) -> StatusCode {
    let request = server.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    request.body("List-Unsubscribe=One-Click").send().await.expect("an answer").status()
}

async fn one_click_in_a_real_mail_ends_that_kind_at_once_without_signing_in(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = sending(backend, &relay).await;
    let ada = server.person("ada").await;
    let welcome = relay.await_mails(1).await.remove(0);
    let headers = MessageParser::default().parse_headers(&welcome.data).expect("a mail");
    assert!(headers.header("List-Unsubscribe").is_none(), "a welcome comes once");
    let first = remind(&ada, "First").await;
    let mails = relay.await_mails(2).await;
    let path = one_click(&mails[1]);
    assert!(path.starts_with("/u/"), "{path}");
    for _ in 0..2 {
        assert_eq!(click(&server, &path).await, StatusCode::OK);
    }
    let kinds = ada.get("/api/users/me/notifications").await.1["kinds"].clone();
    assert_eq!((&kinds["task_due"], &kinds["meeting_reminder"]), (&json!(false), &json!(true)));
    remind(&ada, "Second").await;
    // Mail of another kind still comes, and shows that the reminder before it did not.
    let task = format!("/api/tasks/{}", first["id"].as_str().expect("an id"));
    let (status, _) = ada.call(Method::PATCH, &task, Some(json!({ "status": "completed" }))).await;
    assert_eq!(status, StatusCode::OK);
    relay.await_mails(3).await;
    assert!(server.terminate().await.0.success());
    assert_eq!(relay.count(), 3);
    let told = MessageParser::default().parse(&relay.mails()[2].data).expect("a mail").subject().map(str::to_owned);
    assert!(told.as_ref().is_some_and(|subject| subject.contains("First")), "{told:?}");
}

async fn looking_at_the_page_ends_nothing_and_its_button_does(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = sending(backend, &relay).await;
    let ada = server.person("ada").await;
    remind(&ada, "First").await;
    let mails = relay.await_mails(2).await;
    let reminder = mails.iter().find(|mail| String::from_utf8_lossy(&mail.data).contains("List-Unsubscribe"));
    let path = one_click(reminder.expect("a reminder"));
    let wanted = async || ada.get("/api/users/me/notifications").await.1["kinds"]["task_due"].clone();
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let answer = server.request(method, &path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(wanted().await, true);
    let answer = server.get(&path).await;
    assert!(answer.headers()["content-security-policy"].to_str().expect("ASCII").starts_with("default-src 'none'"));
    let page = answer.text().await.expect("a page");
    assert!(page.contains("<form method=\"post\">") && page.contains("ada@example.org") && !page.contains("<script"));
    let form = [("List-Unsubscribe", "One-Click")];
    let answer = server.request(Method::POST, &path).form(&form).send().await.expect("an answer");
    assert!(answer.text().await.expect("a page").contains("switched off"));
    assert_eq!(wanted().await, false);
    // What was ended can be begun again, and nothing else.
    let page = server.get(&path).await.text().await.expect("a page");
    assert!(page.matches("<form").count() == 1 && page.contains("again=true"), "{page}");
}

async fn a_link_that_is_none_ends_nothing_and_says_so(backend: Backend) {
    let server = backend.start(&[]).await;
    for path in ["/u/x", "/u/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(click(&server, path).await, StatusCode::NOT_FOUND);
        let answer = server.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(answer.text().await.expect("a page").contains("leads nowhere"));
    }
}
