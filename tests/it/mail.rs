use std::collections::BTreeSet;

use mail_parser::MessageParser;
use reqwest::StatusCode;
use serde_json::Value;
use taskflow_mail::testing::{Fault, SmtpServer, Stage};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::wait::eventually;

on_each_store![
    registering_welcomes_through_a_real_relay,
    without_a_relay_mail_lands_in_the_mailbox_page,
    held_mail_survives_kill_nine_and_leaves_exactly_once,
    killed_between_the_relays_answer_and_the_ledger_a_mail_repeats_once_as_itself,
    a_relay_that_is_away_at_first_gets_everything_once_when_it_is_back,
    a_reminder_leaves_when_its_minute_comes,
];

/// What a server needs to know to send through this relay.
fn through(port: &str) -> [(&str, &str); 6] {
    [
        // Restarts listen elsewhere; what mail links to stays the same.
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_TIMEOUT", "2s"),
        ("LEASE_SECONDS", "3"),
    ]
}

fn message_id(data: &[u8]) -> String {
    let mail = MessageParser::default().parse(data).expect("a mail");
    mail.message_id().expect("a Message-ID").to_owned()
}

async fn registering_welcomes_through_a_real_relay(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = backend.start(&through(&relay.port().to_string())).await;
    server.person("ada").await;
    let mails = relay.await_mails(1).await;
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("taskflow@example.org", &["ada@example.org".to_owned()][..])
    );
    let mail = MessageParser::default().parse(&mails[0].data).expect("a mail");
    assert!(mail.subject().expect("a subject").contains("Welcome"));
    assert!(mail.body_text(0).expect("text").contains("ada"));
    assert!(mail.body_html(0).expect("HTML").contains("<"));
    assert_eq!(mail.header("Auto-Submitted").and_then(|value| value.as_text()), Some("auto-generated"));
    // Nothing follows: the ledger knows it was taken.
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{log}");
    assert_eq!(relay.count(), 1);
    assert!(!log.contains("ada@example.org"), "addresses do not belong in logs:\n{log}");
}

async fn without_a_relay_mail_lands_in_the_mailbox_page(backend: Backend) {
    let server = backend.start(&[]).await;
    let hostile = serde_json::json!({ "username": "ada", "email": "ada@example.org", "password": "password123" });
    assert_eq!(server.post("/api/auth/register", hostile).await.status(), StatusCode::CREATED);
    let mails = eventually("the welcome is in the mailbox", || async {
        let mails: Value = server.get("/api/mailbox").await.json().await.expect("JSON");
        mails["items"].as_array().filter(|mails| !mails.is_empty()).cloned()
    })
    .await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["to"], "ada@example.org");
    let page = server.get("/mailbox").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.expect("a page").contains("ada@example.org"));
}

async fn held_mail_survives_kill_nine_and_leaves_exactly_once(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let mut held = through(&port).to_vec();
    held.push(("HOLD_MAIL", "true"));
    let server = backend.start(&held).await;
    server.person("ada").await;
    let server = server.restart(&through(&port)).await;
    relay.await_mails(1).await;
    let server = server.restart(&through(&port)).await;
    server.person("bob").await;
    let mails = relay.await_mails(2).await;
    let to: Vec<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    assert_eq!(to, ["ada@example.org", "bob@example.org"]);
}

async fn killed_between_the_relays_answer_and_the_ledger_a_mail_repeats_once_as_itself(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    // The relay takes the mail and never says so: the server cannot know.
    relay.once(Stage::Taken, Fault::Hang);
    let mut server = backend.start(&through(&port)).await;
    server.person("ada").await;
    relay.await_mails(1).await;
    server.kill();
    let server = server.restart(&through(&port)).await;
    let mails = relay.await_mails(2).await;
    assert!(mails[0].data == mails[1].data, "not byte for byte the same");
    assert_eq!(message_id(&mails[0].data), message_id(&mails[1].data));
    let (status, _) = server.terminate().await;
    assert!(status.success());
    assert_eq!(relay.count(), 2);
}

async fn a_relay_that_is_away_at_first_gets_everything_once_when_it_is_back(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    relay.stop().await;
    let server = backend.start(&through(&port)).await;
    for name in ["ada", "bob", "cleo"] {
        server.person(name).await;
    }
    relay.restart().await.expect("a relay");
    let mails = relay.await_mails(3).await;
    let ids: BTreeSet<_> = mails.iter().map(|mail| message_id(&mail.data)).collect();
    assert_eq!(ids.len(), 3);
    assert!(server.terminate().await.0.success());
    assert_eq!(relay.count(), 3);
}

async fn a_reminder_leaves_when_its_minute_comes(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = backend.start(&through(&relay.port().to_string())).await;
    let ada = server.person("ada").await;
    // Due in the past of its minute already: the reminder leaves at once, as the task is still ahead.
    let task = serde_json::json!({ "title": "<b>Ring & run</b>", "due_at": "2099-01-01T00:00:00Z", "reminder_minutes": 40320 });
    ada.task(task).await;
    let soon = time_ahead(20);
    ada.task(serde_json::json!({ "title": "<b>Ring & run</b>", "due_at": soon, "reminder_minutes": 5 })).await;
    let mails = relay.await_mails(2).await;
    let parsed = MessageParser::default().parse(&mails[1].data).expect("a mail");
    assert!(parsed.subject().expect("a subject").contains("<b>Ring & run</b>"));
    let html = parsed.body_html(0).expect("HTML");
    assert!(html.contains("&lt;b&gt;Ring &amp; run") && !html.contains("<b>Ring"), "{html}");
    assert!(server.terminate().await.0.success());
    assert_eq!(relay.count(), 2, "the welcome and one reminder; the other is decades away");
}

/// RFC 3339, that many seconds from now.
fn time_ahead(seconds: u64) -> String {
    use taskflow::ports::{Clock, SystemClock};
    (SystemClock::new().now() + std::time::Duration::from_secs(seconds)).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_test_says_what_the_relay_answered() {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let folder = tempfile::TempDir::new().expect("a folder");
    let run = |port: &str| {
        let mut command = taskflow_testkit::server::taskflow(folder.path(), &through(port));
        command.args(["mail", "test", "ada@example.org"]).output().expect("an end")
    };
    let good = tokio::task::block_in_place(|| run(&port));
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(relay.count(), 1);
    relay.when(Stage::Rcpt, Fault::Answer(550));
    let refused = tokio::task::block_in_place(|| run(&port));
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("550"));
}
