//! What an account can make the service mail to people who do not know it.

use std::collections::BTreeSet;

use crate::letters::letter;
use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow_mail::testing::SmtpServer;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{PASSWORD, Person, Server};
use taskflow_testkit::wait::eventually;

on_each_store![
    an_unverified_account_mails_at_most_five_strangers_a_day,
    a_verified_account_mails_as_many_strangers_as_the_setting_says,
    an_invitation_of_an_unverified_account_names_the_address_of_the_service,
    a_person_is_reminded_by_hand_once_within_the_cool_down,
    verification_mails_to_other_addresses_and_samples_are_bounded,
];

/// Follows the link to verify an address, out of the text of the mail that has it.
async fn verify(server: &Server, mail: &str) {
    let start = mail.find("/v/").unwrap_or_else(|| panic!("no link in {mail}"));
    let end =
        mail[start..].find(|c: char| c.is_whitespace() || ")>.\"".contains(c)).map_or(mail.len(), |end| start + end);
    let answer = server.request(Method::POST, &mail[start..end]).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn invite(person: &Person<'_>, people: impl IntoIterator<Item = String>) -> (StatusCode, Value) {
    let people: Vec<_> = people.into_iter().map(|email| json!({ "email": email })).collect();
    let meeting = json!({ "title": "Sync", "meeting_date": "2099-03-01T10:00:00Z", "participants": people });
    person.call(Method::POST, "/api/meetings/", Some(meeting)).await
}

fn stranger(n: usize) -> String {
    format!("stranger-{n}@example.com")
}

/// The strangers to whom the relay has taken a mail.
fn reached(relay: &SmtpServer) -> BTreeSet<String> {
    let recipients = relay.mails().into_iter().flat_map(|mail| mail.to);
    recipients.filter(|address| address.starts_with("stranger-")).collect()
}

async fn an_unverified_account_mails_at_most_five_strangers_a_day(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.org");
    let server =
        backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from, ("RATE_LIMITS", "on")]).await;
    let ada = server.person("ada").await;
    let (status, problem) = invite(&ada, (0..200).map(stranger)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")), "{problem}");
    assert!(problem["detail"].as_str().expect("text").contains("verify your address"), "{problem}");
    let tries = futures_util::future::join_all((0..30).map(|n| invite(&ada, [stranger(n)]))).await;
    assert_eq!(tries.iter().filter(|(status, _)| *status == StatusCode::CREATED).count(), 5, "{tries:?}");
    eventually("five invitations", || async { (reached(&relay).len() == 5).then_some(()) }).await;

    let welcome = relay.mails().into_iter().find(|mail| mail.to == ["ada@example.org"]).expect("a welcome");
    let welcome = MessageParser::default().parse(&welcome.data).and_then(|mail| Some(mail.body_text(0)?.into_owned()));
    verify(&server, &welcome.expect("text")).await;
    let (status, made) = invite(&ada, (30..80).map(stranger)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    eventually("fifty more", || async { (reached(&relay).len() == 55).then_some(()) }).await;
}

async fn a_verified_account_mails_as_many_strangers_as_the_setting_says(backend: Backend) {
    let server = backend.start(&[("QUOTA_STRANGERS", "3")]).await;
    let ada = server.person("ada").await;
    let welcome = letter(&server, "ada@example.org", "Welcome").await;
    verify(&server, welcome["text"].as_str().expect("text")).await;
    let tries = futures_util::future::join_all((0..9).map(|n| invite(&ada, [stranger(n)]))).await;
    assert_eq!(tries.iter().filter(|(status, _)| *status == StatusCode::CREATED).count(), 3, "{tries:?}");
    let (status, problem) = invite(&ada, [stranger(9)]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = problem["detail"].as_str().expect("text");
    let begins =
        "an account may invite 3 people a day who have never accepted an invitation from it; more is possible from ";
    assert!(detail.starts_with(begins), "{detail}");
}

async fn an_invitation_of_an_unverified_account_names_the_address_of_the_service(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let port = relay.port().to_string();
    let from = ("SMTP_FROM_EMAIL", "taskflow@example.net");
    let server = backend.start(&[("SMTP_SERVER", "127.0.0.1"), ("SMTP_PORT", &port), from]).await;
    let ada = server.person("ada").await;
    invite(&ada, [stranger(1)]).await;
    let invitation =
        eventually("an invitation", || async { relay.mails().into_iter().find(|mail| mail.to == [stranger(1)]) }).await;
    let parsed = MessageParser::default().parse(&invitation.data).expect("a mail");
    let whole: Vec<_> = parsed.parts.iter().filter_map(|part| part.text_contents()).collect();
    assert!(whole.iter().all(|text| !text.contains("ada@example.org")), "{whole:?}");
    assert!(!String::from_utf8_lossy(&invitation.data).contains("ada@example.org"));
    assert!(whole.iter().any(|text| text.contains("mailto:taskflow@example.net")), "{whole:?}");
}

async fn a_person_is_reminded_by_hand_once_within_the_cool_down(backend: Backend) {
    let server = backend.start(&[("REMINDER_COOLDOWN", "10m")]).await;
    let ada = server.person("ada").await;
    let (_, meeting) = invite(&ada, [stranger(1)]).await;
    let path = format!("/api/meetings/{}/reminder", meeting["id"].as_str().expect("an id"));
    assert_eq!(ada.call(Method::POST, &path, None).await.1["emails_sent"], 2);
    let (status, problem) = ada.call(Method::POST, &path, None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("quota")), "{problem}");
    assert!(problem["detail"].as_str().expect("text").contains("more is possible from"), "{problem}");
}

async fn verification_mails_to_other_addresses_and_samples_are_bounded(backend: Backend) {
    let limits = [("RATE_LIMITS", "on"), ("LIMIT_MAIL", "2/1h"), ("LIMIT_MAIL_ADDRESS", "3/1h")];
    let server = backend.start(&limits).await;
    let ada = server.person("ada").await;
    let moves = async |n: usize| {
        let change = json!({ "email": stranger(n), "current_password": PASSWORD });
        ada.call(Method::PATCH, "/api/users/me", Some(change)).await.0
    };
    assert_eq!((moves(1).await, moves(2).await), (StatusCode::OK, StatusCode::OK));
    assert_eq!(moves(3).await, StatusCode::TOO_MANY_REQUESTS);
    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(ada.call(Method::POST, "/api/email/test-summary", None).await.0, expected);
    }
}
