use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::letters::letter;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Server;

on_each_store![
    the_answer_of_a_calendar_is_recorded_when_it_counts,
    a_proposal_of_another_time_is_a_tentative_answer_of_which_the_organizer_reads,
    only_whoever_knows_the_secret_brings_messages_and_they_must_be_some,
];

const SECRET: &str = "a secret between gateway and service";
const GUEST: &str = "guest@example.org";

/// What a calendar answers.
fn reply(uid: &str, attendee: &str, status: &str, sequence: u32) -> String {
    [
        "BEGIN:VCALENDAR",
        "PRODID:-//Example//Calendar//EN",
        "VERSION:2.0",
        "METHOD:REPLY",
        "BEGIN:VEVENT",
        &format!("UID:{uid}"),
        &format!("SEQUENCE:{sequence}"),
        // Later than anything that is answered here.
        "DTSTAMP:20980101T000000Z",
        "ORGANIZER:mailto:ada@example.org",
        &format!("ATTENDEE;PARTSTAT={status};CN=\"Grace; Hopper\":mailto:{attendee}"),
        "COMMENT:on my way\\, late",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    .join("\r\n")
}

fn mail(from: &str, calendar: &str) -> String {
    format!(
        "From: Grace <{from}>\r\nTo: taskflow@example.org\r\nSubject: Accepted\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nyes\r\n--b\r\n\
         Content-Type: text/calendar; method=REPLY; charset=UTF-8\r\n\r\n{calendar}\r\n--b--\r\n"
    )
}

async fn bring(server: &Server, media: &str, message: String) -> (StatusCode, Value) {
    let request = server.request(Method::POST, "/api/inbound/itip").bearer_auth(SECRET).header("content-type", media);
    let answer = request.body(message).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// The UID that the invitation has, which a calendar keeps.
fn uid(calendar: &str) -> String {
    let unfolded = calendar.replace("\r\n ", "");
    let line = unfolded.lines().find_map(|line| line.strip_prefix("UID:"));
    line.expect("a UID").trim().to_owned()
}

async fn the_answer_of_a_calendar_is_recorded_when_it_counts(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let ada = server.person("ada").await;
    let body = json!({ "title": "Board", "meeting_date": "2099-01-01T00:00:00Z", "participant_emails": [GUEST] });
    let meeting = ada.meeting(body).await;
    let path = format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"));
    let ics = ada.request(Method::GET, &format!("{path}.ics")).send().await.expect("an answer");
    let uid = uid(&ics.text().await.expect("text"));
    let ignored = async |media: &str, message: String| {
        let (status, answer) = bring(&server, media, message).await;
        assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!("ignored")), "{answer}");
        assert!(answer["reason"].is_string());
    };
    ignored("text/calendar", reply(&uid, "stranger@example.org", "ACCEPTED", 0)).await;
    ignored("message/rfc822", mail("stranger@example.org", &reply(&uid, GUEST, "ACCEPTED", 0))).await;
    let other = uid.replace(meeting["id"].as_str().expect("an id"), "0198c0de-0000-7000-8000-000000000001");
    ignored("text/calendar", reply(&other, GUEST, "ACCEPTED", 0)).await;
    let answered = async || {
        let (_, meeting) = ada.get(&path).await;
        let people = meeting["participants"].as_array().expect("people").clone();
        let guest = people.into_iter().find(|one| one["email"] == GUEST).expect("the guest");
        (guest["response_status"].clone(), guest.get("comment").cloned())
    };
    assert_eq!(answered().await, (json!("pending"), None));
    let (status, taken) = bring(&server, "message/rfc822", mail(GUEST, &reply(&uid, GUEST, "ACCEPTED", 0))).await;
    assert_eq!((status, taken), (StatusCode::OK, json!({ "result": "recorded" })));
    assert_eq!(answered().await, (json!("accepted"), Some(json!("on my way, late"))));
    let (_, taken) = bring(&server, "text/calendar; method=REPLY", reply(&uid, GUEST, "DECLINED", 0)).await;
    assert_eq!(taken["result"], "recorded");
    // The meeting moves: everybody is asked again, and an answer to what it was before no longer counts.
    let moved = json!({ "meeting_date": "2099-02-01T00:00:00Z" });
    assert_eq!(ada.call(Method::PATCH, &path, Some(moved)).await.0, StatusCode::OK);
    ignored("text/calendar", reply(&uid, GUEST, "ACCEPTED", 0)).await;
    assert_eq!(answered().await.0, json!("pending"));
}

async fn a_proposal_of_another_time_is_a_tentative_answer_of_which_the_organizer_reads(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    let ada = server.person("ada").await;
    let body = json!({ "title": "Board", "meeting_date": "2099-01-01T00:00:00Z", "participant_emails": [GUEST] });
    let meeting = ada.meeting(body).await;
    let uid = meeting["id"].as_str().expect("an id");
    let counter = reply(uid, GUEST, "NEEDS-ACTION", 0)
        .replace("METHOD:REPLY", "METHOD:COUNTER")
        .replace("ORGANIZER:", "DTSTART:20990102T110000Z\r\nORGANIZER:");
    let counter = mail(GUEST, &counter).replace("method=REPLY", "method=COUNTER");
    let (status, taken) = bring(&server, "message/rfc822", counter).await;
    assert_eq!((status, taken), (StatusCode::OK, json!({ "result": "recorded" })));
    let (_, meeting) = ada.get(&format!("/api/meetings/{uid}")).await;
    let people = meeting["participants"].as_array().expect("people");
    let guest = people.iter().find(|one| one["email"] == GUEST).expect("the guest");
    assert_eq!(guest["response_status"], "tentative");
    assert_eq!(guest["proposed_start"], "2099-01-02T11:00:00.000000Z");
    let told = letter(&server, "ada@example.org", "proposes another time").await;
    assert!(told["text"].as_str().expect("text").contains("on my way, late"), "{told}");
}

async fn only_whoever_knows_the_secret_brings_messages_and_they_must_be_some(backend: Backend) {
    let server = backend.start(&[("INBOUND_SECRET", SECRET)]).await;
    for token in ["", "wrong", &format!("{SECRET}x"), &SECRET[1..]] {
        let request = server.request(Method::POST, "/api/inbound/itip").bearer_auth(token);
        let answer = request.header("content-type", "text/calendar").body("x").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert!(answer.headers().contains_key("www-authenticate"));
    }
    let (status, problem) = bring(&server, "text/calendar", "hello".to_owned()).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("message")));
    assert_eq!(bring(&server, "application/json", "{}".to_owned()).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let server = backend.start(&[]).await;
    assert_eq!(bring(&server, "text/calendar", "hello".to_owned()).await.0, StatusCode::NOT_FOUND);
}
