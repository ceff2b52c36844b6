//! Reminders of meetings from outside: who gets which, when, and what the ledger says about it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mail_parser::MessageParser;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow::Timestamp;
use taskflow::ports::{Clock, SystemClock};
use taskflow_mail::testing::{Fault, Received, SmtpServer, Stage};
use tokio::task::JoinSet;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::faketime;
use taskflow_testkit::meetings::create_at_once;
use taskflow_testkit::on_each_store;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually;

on_each_store![
    what_fell_due_while_the_server_was_down_leaves_at_once_or_is_counted_as_expired,
    everybody_gets_their_own_reminders_and_nobody_elses,
    a_reminder_leaves_as_its_minute_comes_and_not_before,
    meetings_of_hundreds_are_called_at_once_without_standing_in_each_others_way[threads],
    a_meeting_that_moves_while_people_answer_reminds_those_who_come[threads],
];

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What a server needs to know to send through this relay.
fn through(port: &str) -> [(&str, &str); 5] {
    [
        // Restarts listen elsewhere; what mail links to stays the same.
        ("PUBLIC_URL", "http://tasks.example.org"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_FROM_EMAIL", "taskflow@example.org"),
        ("EMAIL_TIMEOUT", "10s"),
    ]
}

/// A meeting so far from now.
fn meeting(title: &str, ahead: Duration, reminder_minutes: u32, people: &[&str]) -> Value {
    json!({
        "title": title,
        "meeting_date": (SystemClock::new().now() + ahead).to_string(),
        "reminder_minutes": reminder_minutes,
        "participant_emails": people,
    })
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("{name} in {object}"))
}

fn time(object: &Value, name: &str) -> Timestamp {
    text(object, name).parse().expect("a time")
}

/// Ends a server and starts it again when so much time has passed by its clock on the wall.
async fn down_for(mut server: Server, relay: &SmtpServer, time: Duration) -> Server {
    // Killed, it could not have written down what its last mails came to.
    assert!(server.stop().await.success(), "{}", server.log());
    let port = relay.port().to_string();
    let shifted = faketime::ahead(time);
    let mut settings = through(&port).to_vec();
    settings.extend(shifted.iter().map(|(name, value)| (*name, value.as_str())));
    server.restart(&settings).await
}

/// The ledger of a meeting's reminders: by whom and how long before.
async fn ledger(person: &Person<'_>, meeting: &Value) -> BTreeMap<(String, u64), Value> {
    let path = format!("/api/meetings/{}/reminders?size=100", text(meeting, "id"));
    let (status, page) = person.get(&path).await;
    assert_eq!((status, page.get("next")), (StatusCode::OK, None), "{page}");
    let rows = page["items"].as_array().expect("rows").iter();
    rows.map(|row| ((text(row, "email").to_owned(), row["minutes"].as_u64().expect("minutes")), row.clone())).collect()
}

/// The id of its delivery that every Message-ID carries.
fn delivery(mail: &Received) -> String {
    let parsed = MessageParser::default().parse(&mail.data).expect("a mail");
    parsed.message_id().and_then(|id| id.split_once('@')).expect("a Message-ID").0.to_owned()
}

fn subject(mail: &Received) -> String {
    MessageParser::default().parse(&mail.data).expect("a mail").subject().expect("a subject").to_owned()
}

/// Verifies the address of somebody by the link in the mail that welcomed them.
async fn verify(server: &Server, relay: &SmtpServer, address: &str) {
    let mails = relay.mails();
    let welcome = mails.iter().find(|mail| mail.to == [address]).expect("a welcome");
    let welcome = MessageParser::default().parse(&welcome.data).expect("a mail");
    let words = welcome.body_text(0).expect("text").into_owned();
    let (_, token) = words.split_once("http://tasks.example.org/v/").expect("a link");
    let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
    let answer = server.post("/api/auth/email/verify", json!({ "token": token })).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", answer.text().await.unwrap_or_default());
}

/// The mails after the first `known`, once there are `more` and nothing else that is due is on its way.
async fn new_mails(server: Server, relay: &SmtpServer, known: usize, more: usize) -> Vec<Received> {
    relay.await_mails(known + more).await;
    let (status, log) = server.terminate().await;
    assert!(status.success(), "{log}");
    relay.mails().split_off(known)
}

async fn what_fell_due_while_the_server_was_down_leaves_at_once_or_is_counted_as_expired(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = backend.start(&through(&relay.port().to_string())).await;
    let ada = server.person("ada").await;
    let begun = ada.meeting(meeting("begun", HOUR, 15, &["guest@example.org"])).await;
    let ahead = ada.meeting(meeting("ahead", 3 * HOUR, 90, &["guest@example.org", "gone@example.org"])).await;
    let later = ada.meeting(meeting("later", 5 * HOUR, 15, &["guest@example.org"])).await;
    let off = ada.meeting(meeting("off", 3 * HOUR, 90, &["guest@example.org"])).await;
    // A welcome and five invitations; then the word that one of the meetings is off.
    relay.await_mails(6).await;
    let path = format!("/api/meetings/{}", text(&off, "id"));
    assert_eq!(ada.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    relay.await_mails(7).await;
    relay.when_to("gone@example.org", Stage::Rcpt, Fault::Say("550 5.1.1 no such user"));

    let up_at = SystemClock::new().now() + 2 * HOUR;
    let server = down_for(server, &relay, 2 * HOUR).await;
    let counts = |states: [(&str, i64); 5]| states.map(|(state, count)| (state.to_owned(), count)).into();
    let expected: BTreeMap<String, i64> =
        counts([("cancelled", 2), ("delivered", 2), ("discarded", 1), ("expired", 2), ("scheduled", 2)]);
    // Nine were planned, and each is accounted for.
    eventually(&format!("the reminders are {expected:?}"), async || {
        let seen = Rows::open(&server.database_url()).await.states("meeting_reminder").await;
        (seen == expected).then_some(())
    })
    .await;

    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    let rows = ledger(&ada, &ahead).await;
    assert_eq!(rows.len(), 3);
    for email in ["ada@example.org", "guest@example.org"] {
        let row = &rows[&(email.to_owned(), 90)];
        assert_eq!(text(row, "state"), "delivered");
        assert_eq!(time(row, "due_at") + 90 * MINUTE, time(&ahead, "meeting_date"));
        let sent_at = time(row, "sent_at");
        assert!(sent_at >= up_at && sent_at.since(up_at) < Duration::from_secs(20), "{row}");
        assert!(text(row, "reply").starts_with("250"), "{row}");
    }
    let refused = &rows[&("gone@example.org".to_owned(), 90)];
    assert_eq!((text(refused, "state"), refused.get("sent_at")), ("discarded", None));
    assert!(text(refused, "last_error").contains("550"), "{refused}");
    for (meeting, state) in [(&begun, "expired"), (&later, "scheduled"), (&off, "cancelled")] {
        let rows = ledger(&ada, meeting).await;
        assert_eq!(rows.len(), 2);
        for row in rows.values() {
            assert_eq!((text(row, "state"), row.get("sent_at")), (state, None), "{row}");
            assert!(!text(row, "reason").is_empty());
        }
    }
    let mails = new_mails(server, &relay, 7, 3).await;
    // The organizer is told, too, whom the refused mail did not reach.
    let (undelivered, mails): (Vec<_>, Vec<_>) =
        mails.into_iter().partition(|mail| subject(mail).contains("could not be delivered"));
    let told = |mails: &[Received]| mails.iter().map(|mail| mail.to[0].clone()).collect::<BTreeSet<_>>();
    assert_eq!((undelivered.len(), told(&undelivered)), (1, BTreeSet::from(["ada@example.org".to_owned()])));
    let both = ["ada@example.org", "guest@example.org"].map(str::to_owned);
    assert_eq!((mails.len(), told(&mails)), (2, BTreeSet::from(both)));
    assert!(mails.iter().all(|mail| subject(mail).contains("ahead")));
}

async fn everybody_gets_their_own_reminders_and_nobody_elses(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = backend.start(&through(&relay.port().to_string())).await;
    let ada = server.person("ada").await;
    let (bob, dora, eve) = (server.person("bob").await, server.person("dora").await, server.person("eve").await);
    relay.await_mails(4).await;
    for address in ["bob@example.org", "dora@example.org", "eve@example.org"] {
        verify(&server, &relay, address).await;
    }
    let people = ["bob@example.org", "carl@example.org", "dora@example.org", "eve@example.org", "fay@example.org"];
    let meeting = ada.meeting(meeting("the meeting", 26 * HOUR, 15, &people)).await;
    let path = format!("/api/meetings/{}", text(&meeting, "id"));
    let own = Some(json!({ "minutes": [1500, 30] }));
    assert_eq!(bob.call(Method::PUT, &format!("{path}/reminders/me"), own).await.0, StatusCode::OK);
    let no = Some(json!({ "response": "declined", "comment": "a dentist" }));
    assert_eq!(dora.call(Method::POST, &format!("{path}/respond"), no).await.0, StatusCode::OK);
    let none = Some(json!({ "minutes": [] }));
    assert_eq!(eve.call(Method::PUT, &format!("{path}/reminders/me"), none).await.0, StatusCode::OK);
    relay.await_mails(4 + people.len()).await;
    let fay = meeting["participants"].as_array().expect("people").iter().find(|one| one["email"] == "fay@example.org");
    let fay = format!("{path}/participants/{}", text(fay.expect("fay"), "id"));
    assert_eq!(ada.call(Method::DELETE, &fay, None).await.0, StatusCode::NO_CONTENT);
    let known = relay.await_mails(4 + people.len() + 1).await.len();

    let server = down_for(server, &relay, 26 * HOUR - 10 * MINUTE).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    relay.await_mails(known + 3).await;
    let rows = eventually("every reminder is settled", || async {
        let rows = ledger(&ada, &meeting).await;
        rows.values()
            .all(|row| ["delivered", "cancelled", "expired"].map(Value::from).contains(&row["state"]))
            .then_some(rows)
    })
    .await;
    let mails = new_mails(server, &relay, known, 3).await;
    let sent = |((email, minutes), row): (&(String, u64), &Value)| {
        (row["state"] == "delivered").then(|| (text(row, "id").to_owned(), email.clone(), *minutes))
    };
    let sent: Vec<_> = rows.iter().filter_map(sent).collect();
    let whose: Vec<_> = sent.iter().map(|(_, email, minutes)| (email.as_str(), *minutes)).collect();
    assert_eq!(whose, [("ada@example.org", 15), ("bob@example.org", 30), ("carl@example.org", 15)]);
    // Of the two that bob asked for and that have passed, only the nearest leaves.
    assert_eq!(text(&rows[&("bob@example.org".to_owned(), 1500)], "state"), "expired");
    let planned: BTreeSet<_> = sent.into_iter().map(|(id, email, _)| (id, email)).collect();
    let arrived: BTreeSet<_> = mails.iter().map(|mail| (delivery(mail), mail.to[0].clone())).collect();
    assert_eq!((mails.len(), arrived), (3, planned));
}

async fn a_reminder_leaves_as_its_minute_comes_and_not_before(backend: Backend) {
    let relay = SmtpServer::start().await.expect("a relay");
    let server = backend.start(&through(&relay.port().to_string())).await;
    let ada = server.person("ada").await;
    relay.await_mails(1).await;
    let meeting = ada.meeting(meeting("soon", MINUTE + Duration::from_secs(3), 1, &[])).await;
    relay.await_mails(2).await;
    let arrived_at = SystemClock::new().now();
    let row = eventually("the ledger knows", || async {
        let rows = ledger(&ada, &meeting).await;
        rows.into_values().find(|row| row["state"] == "delivered")
    })
    .await;
    let due_at = time(&row, "due_at");
    assert!(arrived_at >= due_at, "{arrived_at} {row}");
    assert!(arrived_at.since(due_at) < Duration::from_secs(10), "{arrived_at} {row}");
}

/// Many commits at once that write to the feeds of the same people.
async fn meetings_of_hundreds_are_called_at_once_without_standing_in_each_others_way(backend: Backend) {
    let relay = SmtpServer::builder().count_only().start().await.expect("a relay");
    let port = relay.port().to_string();
    let mut settings = through(&port).to_vec();
    // Whoever comes last waits for all others, which takes a while on a busy machine.
    settings.push(("DB_ACQUIRE_TIMEOUT", "60s"));
    settings.push(("QUOTA_INVITATIONS", "0"));
    let server = backend.start(&settings).await;
    let took = create_at_once(&server, 20).await;
    println!("{{\"case\": \"meetings_at_once\", \"milliseconds\": {took:?}}}");
}

/// Whoever comes is reminded of the last start and of no other, in whatever order moves and answers were written down.
async fn a_meeting_that_moves_while_people_answer_reminds_those_who_come(backend: Backend) {
    const NAMES: [&str; 6] = ["bob", "cleo", "dora", "eve", "fay", "gus"];
    const ROUNDS: u64 = 8;
    let server = backend.start(&[("HOLD_MAIL", "true")]).await;
    let ada = server.person("ada").await;
    let mut people = Vec::new();
    for name in NAMES {
        people.push(server.person(name).await);
    }
    Rows::open(&server.database_url()).await.edit("UPDATE taskflow_users SET email_verified = (1 = 1)").await;
    let emails = NAMES.map(|name| format!("{name}@example.org"));
    let meeting = ada.meeting(meeting("moving", 48 * HOUR, 15, &emails.each_ref().map(String::as_str))).await;
    let path = format!("/api/meetings/{}", text(&meeting, "id"));
    let mut requests = JoinSet::new();
    for round in 1..=ROUNDS {
        let date = time(&meeting, "meeting_date") + Duration::from_hours(round);
        let move_it = json!({ "meeting_date": date.to_string() });
        requests.spawn(ada.request(Method::PUT, &path).json(&move_it).send());
        for (place, person) in people.iter().enumerate() {
            let response = ["declined", "accepted", "tentative"][(place + round as usize) % 3];
            let respond = person.request(Method::POST, &format!("{path}/respond"));
            requests.spawn(respond.json(&json!({ "response": response })).send());
        }
    }
    let mut taken = 0;
    while let Some(answer) = requests.join_next().await {
        let status = answer.expect("a client").expect("an answer").status();
        // Whoever loses against the others again and again is told so.
        assert!(matches!(status, StatusCode::OK | StatusCode::CONFLICT), "{status}");
        taken += u64::from(status == StatusCode::OK);
    }
    println!("{{\"case\": \"moves_and_answers\", \"of\": {}, \"taken\": {taken}}}", ROUNDS * 7);
    let (_, meeting) = ada.get(&path).await;
    let due_at = (time(&meeting, "meeting_date") - 15 * MINUTE).to_string();
    let participants = meeting["participants"].as_array().expect("people").iter();
    let comes = participants.filter(|one| one["response_status"] != "declined");
    let expected: BTreeSet<_> = comes.map(|one| (text(one, "email").to_owned(), due_at.clone())).collect();
    let (_, page) = ada.get(&format!("{path}/reminders?size=100")).await;
    let rows: Vec<_> =
        page["items"].as_array().expect("rows").iter().filter(|row| row["state"] == "scheduled").collect();
    let planned = rows.iter().map(|row| (text(row, "email").to_owned(), text(row, "due_at").to_owned()));
    assert_eq!((rows.len(), planned.collect::<BTreeSet<_>>()), (expected.len(), expected));
}
