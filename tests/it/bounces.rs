use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admins::admin;
use crate::letters::{letter, link};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Server;
use taskflow_testkit::wait::eventually;

on_each_store![
    what_came_back_for_good_suppresses_until_an_administrator_lifts_it,
    a_report_about_a_mail_of_ours_is_about_whom_it_was_sent_to_and_they_see_it,
    the_organizer_sees_and_reads_whom_an_invitation_does_not_reach,
    administrators_suppress_addresses_by_hand,
    only_a_gateway_that_knows_the_secret_is_heard_and_nonsense_changes_nothing,
    a_mailbox_that_the_relay_does_not_know_gets_no_more_mail,
    a_relay_that_does_not_know_the_sender_suppresses_no_reader,
];

const SECRET: &str = "a secret between gateway and service";

async fn bring(server: &Server, media: &str, body: String) -> (StatusCode, Value) {
    let request = server.request(Method::POST, "/api/inbound/bounce").bearer_auth(SECRET);
    let answer = request.header("content-type", media).body(body).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// What a relay sends when a mail could not be delivered (RFC 3464).
fn report(address: &str, status: &str) -> String {
    [
        "From: mailer-daemon@example.com",
        "To: taskflow@example.org",
        "Subject: Undelivered",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "Sorry.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example.com",
        "",
        &format!("Final-Recipient: rfc822; {address}"),
        "Action: failed",
        &format!("Status: {status}"),
        "--b--",
        "",
    ]
    .join("\r\n")
}

async fn what_came_back_for_good_suppresses_until_an_administrator_lifts_it(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let ada = admin(&server, "ada").await;
    let list = json!([
        { "email": "bob@example.org", "type": "bounce", "status": "5.1.1", "detail": "no such user" },
        { "recipient": "cleo@example.org", "type": "complaint" },
        { "email": "full@example.org", "type": "bounce", "permanent": false },
        { "email": "policy@example.org", "type": "bounce", "status": "5.7.1" },
        { "email": "quota@example.org", "type": "bounce", "permanent": true, "status": "5.2.2" },
        { "email": "sender@example.org", "type": "bounce", "status": "5.1.8" },
        { "email": "slow@example.org", "type": "bounce", "status": "5.4.7" },
        { "email": "some@example.org", "type": "bounce", "status": "5.0.0" },
        { "email": "code@example.org", "type": "bounce", "status": "554" },
    ]);
    let (status, taken) = bring(&server, "application/json", list.to_string()).await;
    assert_eq!((status, &taken["suppressed"]), (StatusCode::OK, &json!(2)), "{taken}");
    // Anybody can write such a message: it counts for whom mail was sent to.
    let (_, taken) = bring(&server, "message/rfc822", report("dora@example.org", "5.1.1")).await;
    assert_eq!(taken["suppressed"], 0);
    server.person("dora").await;
    letter(&server, "dora@example.org", "Welcome").await;
    let (status, taken) = bring(&server, "message/rfc822", report("dora@example.org", "5.1.1")).await;
    assert_eq!((status, &taken["suppressed"]), (StatusCode::OK, &json!(1)), "{taken}");
    let (_, taken) = bring(&server, "message/rfc822", report("eve@example.org", "4.2.2")).await;
    assert_eq!(taken["suppressed"], 0);
    let (_, taken) = bring(&server, "message/rfc822", report("fay@example.org", "5.7.26")).await;
    assert_eq!(taken["suppressed"], 0);

    let (_, first) = ada.get("/api/suppressions?size=2").await;
    let next = first["next"].as_str().expect("another page");
    let (_, second) = ada.get(&format!("/api/suppressions?size=2&cursor={next}")).await;
    let found: Vec<_> = [first.clone(), second]
        .iter()
        .flat_map(|page| page["items"].as_array().expect("items").clone())
        .map(|one| (one["email"].as_str().expect("an address").to_owned(), one["cause"].clone()))
        .collect();
    let expected = [("bob", "bounce"), ("cleo", "complaint"), ("dora", "bounce")];
    assert_eq!(found, expected.map(|(name, cause)| (format!("{name}@example.org"), json!(cause))));
    assert!(first["items"][0]["detail"].as_str().expect("a detail").contains("no such user"));

    server.person("bob").await;
    let cancelled = eventually("bob's welcome is cancelled", || async {
        let (_, list) = ada.get("/api/deliveries?recipient=bob@example.org&state=cancelled").await;
        list["items"].as_array().and_then(|items| items.first().cloned())
    })
    .await;
    let lift = "/api/suppressions?email=BOB@example.org";
    assert_eq!(ada.call(Method::DELETE, lift, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.call(Method::DELETE, lift, None).await.0, StatusCode::NOT_FOUND);
    let retry = format!("/api/deliveries/{}/retry", cancelled["id"].as_str().expect("an id"));
    assert_eq!(ada.call(Method::POST, &retry, None).await.0, StatusCode::OK);
    letter(&server, "bob@example.org", "Welcome").await;
}

/// A report that names somebody else and brings the headers of a mail back.
fn forwarded(stranger: &str, id: &str, to: &str) -> String {
    let returned = format!(
        "Status: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: TaskFlow <taskflow@example.org>\r\n\
         To: {to}\r\nMessage-ID: <{id}@example.org>\r\nSubject: Reminder\r\n"
    );
    report(stranger, "5.1.1").replace("Status: 5.1.1\r\n", &returned)
}

async fn a_report_about_a_mail_of_ours_is_about_whom_it_was_sent_to_and_they_see_it(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let ada = admin(&server, "ada").await;
    let lea = server.person("lea").await;
    let welcome = letter(&server, "lea@example.org", "Welcome").await;
    let id = welcome["id"].as_str().expect("an id");
    let (_, me) = lea.get("/api/users/me").await;
    assert_eq!(me.get("email_undeliverable"), None, "{me}");

    let message = forwarded("private@elsewhere.example", id, "lea@example.org");
    let (_, taken) = bring(&server, "message/rfc822", message).await;
    assert_eq!(taken["suppressed"], 1);
    let (_, list) = ada.get("/api/suppressions").await;
    let found: Vec<_> = list["items"].as_array().expect("items").iter().map(|one| &one["email"]).collect();
    assert_eq!(found, [&json!("lea@example.org")]);
    let (_, me) = lea.get("/api/users/me").await;
    assert_eq!(me["email_undeliverable"]["cause"], "bounce", "{me}");
    assert!(me["email_undeliverable"]["since"].is_string(), "{me}");

    // She asks for another password all the same, and using the link proves that mail arrives.
    let forgot = json!({ "email": " Lea <lea@example.org> " });
    assert_eq!(server.post("/api/auth/password/forgot", forgot).await.status(), StatusCode::ACCEPTED);
    let mail = letter(&server, "lea@example.org", "password").await;
    let token = link(&mail, "/p/").trim_start_matches("/p/").to_owned();
    let reset = json!({ "token": token, "password": "another long password 7" });
    assert_eq!(server.post("/api/auth/password/reset", reset).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/suppressions").await.1["items"], json!([]));
}

async fn the_organizer_sees_and_reads_whom_an_invitation_does_not_reach(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let ada = server.person("ada").await;
    let meeting = json!({
        "title": "Plans",
        "meeting_date": "2099-11-23T15:00:00Z",
        "participant_emails": ["gone@example.com"],
    });
    let (status, meeting) = ada.call(Method::POST, "/api/meetings/", Some(meeting)).await;
    assert_eq!(status, StatusCode::CREATED, "{meeting}");
    let invitation = letter(&server, "gone@example.com", "Plans").await;
    let body = json!({ "type": "bounce", "status": "5.2.2", "detail": "mailbox full", "message_id": invitation["id"] });
    for _ in 0..2 {
        let (_, taken) = bring(&server, "application/json", body.to_string()).await;
        assert_eq!(taken["suppressed"], 0);
    }
    let (_, meeting) = ada.get(&format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"))).await;
    let people = meeting["participants"].as_array().expect("people");
    let gone = people.iter().find(|one| one["email"] == "gone@example.com").expect("the guest");
    assert_eq!(gone["delivery_problem"], "5.2.2 mailbox full", "{gone}");
    let told = letter(&server, "ada@example.org", "gone@example.com").await;
    assert!(told["text"].as_str().expect("text").contains("mailbox full"), "{told}");
}

async fn administrators_suppress_addresses_by_hand(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    let body = json!({ "email": "bob@example.org", "detail": "asked by phone" });
    assert_eq!(ada.call(Method::POST, "/api/suppressions", Some(body)).await.0, StatusCode::NO_CONTENT);
    let (_, list) = ada.get("/api/suppressions").await;
    assert_eq!((&list["items"][0]["cause"], &list["items"][0]["detail"]), (&json!("admin"), &json!("asked by phone")));
    let (status, problem) = ada.call(Method::POST, "/api/suppressions", Some(json!({}))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("email")));
}

async fn only_a_gateway_that_knows_the_secret_is_heard_and_nonsense_changes_nothing(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let body = json!({ "email": "bob@example.org", "type": "bounce" });
    let unsigned = server.post("/api/inbound/bounce", body.clone()).await;
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    let wrong = server.request(Method::POST, "/api/inbound/bounce").bearer_auth("x").json(&body);
    assert_eq!(wrong.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    for (media, body, status) in [
        ("text/plain", "x", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "{", StatusCode::BAD_REQUEST),
        ("application/json", "7", StatusCode::BAD_REQUEST),
        ("application/json", r#"[{"email":"x","type":"y"}]"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("message/rfc822", "Subject: hello\r\n\r\nno report\r\n", StatusCode::UNPROCESSABLE_ENTITY),
        ("message/rfc822", "", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (answered, problem) = bring(&server, media, body.to_owned()).await;
        assert_eq!(answered, status, "{body}: {problem}");
    }
    let closed = backend.start(&[]).await;
    assert_eq!(closed.post("/api/inbound/bounce", body).await.status(), StatusCode::NOT_FOUND);
}

/// A relay that knows none of its mailboxes.
fn relay_of_nobody() -> u16 {
    relay_that_refuses("RCPT")
}

/// A relay that says to this command that there is no such mailbox; it ends with the test.
fn relay_that_refuses(refused: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || refuse(&stream, refused).ok());
        }
    });
    port
}

fn refuse(mut stream: &TcpStream, refused: &str) -> std::io::Result<()> {
    stream.write_all(b"220 relay.example.com\r\n")?;
    for line in BufReader::new(stream).lines() {
        let answer = match line?.to_ascii_uppercase().split_whitespace().next() {
            Some(line) if line.starts_with(refused) => "550 5.1.1 no such user here\r\n",
            Some("DATA") => "503 nobody to send it to\r\n",
            Some("QUIT") => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

async fn a_mailbox_that_the_relay_does_not_know_gets_no_more_mail(backend: Backend) {
    let port = relay_of_nobody().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    let ada = admin(&server, "ada").await;
    let one = eventually("ada's address is suppressed", || async {
        let (_, list) = ada.get("/api/suppressions").await;
        list["items"].as_array().and_then(|items| items.first().cloned())
    })
    .await;
    assert_eq!((&one["email"], &one["cause"]), (&json!("ada@example.org"), &json!("refused")));
    assert!(one["detail"].as_str().expect("a detail").contains("5.1.1"), "{one}");
    assert_eq!(ada.call(Method::POST, "/api/email/test-summary", None).await.0, StatusCode::OK);
    eventually("the next mail is not even tried", || async {
        let (_, list) = ada.get("/api/deliveries?kind=sample&state=cancelled").await;
        list["items"].as_array().and_then(|items| items.first().cloned())
    })
    .await;
}

async fn a_relay_that_does_not_know_the_sender_suppresses_no_reader(backend: Backend) {
    let port = relay_that_refuses("MAIL").to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    let ada = admin(&server, "ada").await;
    let welcome = eventually("the welcome waits for the relay", || async {
        let (_, list) = ada.get("/api/deliveries?state=scheduled").await;
        list["items"].as_array().and_then(|items| items.iter().find(|one| one["last_error"].is_string()).cloned())
    })
    .await;
    assert!(welcome["last_error"].as_str().expect("an error").contains("5.1.1"), "{welcome}");
    assert_eq!(ada.get("/api/suppressions").await.1["items"], json!([]));
}
