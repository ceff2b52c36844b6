use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::letters::{letter, letters, link};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, Server};
use taskflow_testkit::wait::eventually;

on_each_store![
    whoever_is_verified_sees_the_meeting_and_answers_and_only_the_organizer_changes_it,
    an_address_that_nobody_verified_stays_a_guest_until_somebody_does,
    people_are_added_given_roles_and_taken_off,
    everybody_has_their_own_reminders_and_the_ledger_tells_of_each,
    a_burst_of_changes_is_one_mail_about_what_came_of_them,
    answers_and_a_move_at_once_leave_nobody_without_the_reminder_of_the_new_start,
];

const DATE: &str = "2099-01-01T00:00:00Z";

fn path(meeting: &Value) -> String {
    format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"))
}

/// Somebody whose address is verified by the link in their welcome mail.
async fn verified<'a>(server: &'a Server, name: &str) -> Person<'a> {
    let person = server.person(name).await;
    let welcome = letter(server, &format!("{name}@example.org"), "Welcome").await;
    let answer = server.request(Method::POST, &link(&welcome, "/v/")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(person.get("/api/users/me").await.1["email_verified"], true);
    person
}

fn named<'a>(meeting: &'a Value, email: &str) -> &'a Value {
    let people = meeting["participants"].as_array().unwrap_or_else(|| panic!("people in {meeting}"));
    people.iter().find(|one| one["email"] == email).unwrap_or(&Value::Null)
}

async fn whoever_is_verified_sees_the_meeting_and_answers_and_only_the_organizer_changes_it(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, verified(&server, "bob").await);
    let body = json!({ "title": "Board", "meeting_date": DATE, "participant_emails": ["BOB@example.org"] });
    let meeting = ada.meeting(body).await;
    let path = path(&meeting);
    assert_eq!(bob.get("/api/meetings/").await.1["items"], json!([meeting]));
    assert_eq!(bob.get(&path).await, (StatusCode::OK, meeting.clone()));
    for (method, rest, body) in [
        (Method::PATCH, "", Some(json!({ "title": "mine" }))),
        (Method::DELETE, "", None),
        (Method::POST, "/restore", None),
        (Method::POST, "/reminder", None),
        (Method::POST, "/participants", Some(json!({ "email": "x@example.org" }))),
    ] {
        let (status, problem) = bob.call(method.clone(), &format!("{path}{rest}"), body).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {rest} {problem}");
    }
    let answer = json!({ "response": "tentative", "comment": "if the train is on time" });
    let (status, answered) = bob.call(Method::POST, &format!("{path}/respond"), Some(answer)).await;
    assert_eq!((status, &answered["response_status"]), (StatusCode::OK, &json!("tentative")));
    let (_, seen) = ada.get(&path).await;
    assert_eq!(named(&seen, "BOB@example.org"), &answered);
    assert_eq!((&answered["comment"], &seen["version"]), (&json!("if the train is on time"), &json!(1)));
    assert!(answered["responded_at"].is_string());
    for bad in [json!({ "response": "pending" }), json!({}), json!({ "response": "accepted", "comment": 7 })] {
        let (status, _) = bob.call(Method::POST, &format!("{path}/respond"), Some(bad)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

async fn an_address_that_nobody_verified_stays_a_guest_until_somebody_does(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let body = json!({ "title": "Board", "meeting_date": DATE, "participants": [{ "email": "bob@example.org" }] });
    let meeting = ada.meeting(body).await;
    assert_eq!(bob.get("/api/meetings/").await.1["total"], 0);
    assert_eq!(bob.get(&path(&meeting)).await.0, StatusCode::NOT_FOUND);
    let welcome = letter(&server, "bob@example.org", "Welcome").await;
    let token = link(&welcome, "/v/").replace("/v/", "");
    let wrong = server.post("/api/auth/email/verify", json!({ "token": format!("{token}x") })).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.post("/api/auth/email/verify", json!({ "token": token })).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(bob.get("/api/meetings/").await.1["items"], json!([meeting]));
    // Nobody learns from the list whether an address has an account.
    assert_eq!(ada.get(&path(&meeting)).await.1, meeting);
}

async fn people_are_added_given_roles_and_taken_off(backend: Backend) {
    let server = backend.start(&[("CHANGE_QUIET_SECONDS", "0")]).await;
    let (ada, bob) = (server.person("ada").await, verified(&server, "bob").await);
    let meeting = ada.meeting(json!({ "title": "Board", "meeting_date": DATE })).await;
    let (path, participants) = (path(&meeting), format!("{}/participants", path(&meeting)));
    let invite = async |body: Value| ada.call(Method::POST, &participants, Some(body)).await;
    assert_eq!(invite(json!({ "email": "bob@example.org", "role": "optional" })).await.0, StatusCode::OK);
    let list = json!({ "participants": [{ "email": "one@example.org", "name": "One" }], "participant_emails": ["two@example.org"] });
    let (status, more) = invite(list).await;
    assert_eq!((status, more["participants"].as_array().map(Vec::len)), (StatusCode::OK, Some(4)), "{more}");
    assert_eq!((&named(&more, "bob@example.org")["role"], &more["version"]), (&json!("optional"), &json!(3)));
    // Whoever is in it stays as they are.
    assert_eq!(invite(json!({ "email": "ONE@example.org", "role": "optional" })).await.1, more);
    assert_eq!(invite(json!({})).await.1["errors"][0]["field"], "email");

    let member = |email: &str| format!("{participants}/{}", named(&more, email)["id"].as_str().expect("an id"));
    let (status, one) = ada.call(Method::PUT, &member("one@example.org"), Some(json!({ "role": "optional" }))).await;
    assert_eq!((status, &one["role"], &one["name"]), (StatusCode::OK, &json!("optional"), &json!("One")));
    let (status, _) = ada.call(Method::PUT, &member("one@example.org"), Some(json!({ "role": "organizer" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ada.call(Method::DELETE, &member("ada@example.org"), None).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // A participant takes nobody off but themselves.
    assert_eq!(bob.call(Method::DELETE, &member("two@example.org"), None).await.0, StatusCode::NOT_FOUND);
    letter(&server, "two@example.org", "Board").await;
    assert_eq!(ada.call(Method::DELETE, &member("two@example.org"), None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.call(Method::DELETE, &member("two@example.org"), None).await.0, StatusCode::NOT_FOUND);
    assert!(
        letters(&server, "two@example.org", "Board", 2).await[0]["source"]
            .as_str()
            .expect("a source")
            .contains("CANCEL")
    );

    assert_eq!(bob.call(Method::DELETE, &member("bob@example.org"), None).await.0, StatusCode::NO_CONTENT);
    letters(&server, "ada@example.org", "Board", 1).await;
    assert_eq!(
        (bob.get(&path).await.0, bob.get("/api/meetings/").await.1["total"].as_u64()),
        (StatusCode::NOT_FOUND, Some(0))
    );
    let (_, left) = ada.get(&path).await;
    assert_eq!(left["participants"].as_array().map(Vec::len), Some(2), "{left}");
    // Whoever left is invited again.
    assert_eq!(invite(json!({ "email": "bob@example.org" })).await.0, StatusCode::OK);
    assert_eq!(bob.get(&path).await.0, StatusCode::OK);
}

async fn everybody_has_their_own_reminders_and_the_ledger_tells_of_each(backend: Backend) {
    let server = backend.start(&[("HOLD_MAIL", "false")]).await;
    let (ada, bob) = (server.person("ada").await, verified(&server, "bob").await);
    let body = json!({ "title": "Board", "meeting_date": DATE, "participant_emails": ["bob@example.org", "guest@example.org"] });
    let path = path(&ada.meeting(body).await);
    let (own, ledger) = (format!("{path}/reminders/me"), format!("{path}/reminders"));
    assert_eq!(bob.get(&own).await, (StatusCode::OK, json!({ "minutes": [15] })));
    let chosen = json!({ "minutes": [60, 15, 60] });
    assert_eq!(bob.call(Method::PUT, &own, Some(chosen)).await.1, json!({ "minutes": [15, 60] }));
    for bad in [json!({ "minutes": [1, 2, 3, 4, 5, 6] }), json!({ "minutes": [40321] }), json!({})] {
        let (status, problem) = bob.call(Method::PUT, &own, Some(bad)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("minutes")));
    }
    let rows = async |person: &Person<'_>| person.get(&ledger).await.1["items"].as_array().expect("rows").clone();
    let of = |rows: &[Value]| -> Vec<(String, u64, String)> {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let row = |row: &Value| (text(&row["email"]), row["minutes"].as_u64().expect("minutes"), text(&row["state"]));
        let mut all: Vec<_> = rows.iter().map(row).collect();
        all.sort();
        all
    };
    let scheduled = |email: &str, minutes| (format!("{email}@example.org"), minutes, "scheduled".to_owned());
    let all = rows(&ada).await;
    assert_eq!(of(&all), [scheduled("ada", 15), scheduled("bob", 15), scheduled("bob", 60), scheduled("guest", 15)]);
    assert_eq!(all[3]["due_at"], "2098-12-31T23:00:00.000000Z", "the latest due first");
    assert!(
        all.iter()
            .all(|row| row["planned_at"].is_string() && row["reason"].is_string() && row.get("sent_at").is_none())
    );
    assert_eq!(of(&rows(&bob).await), [scheduled("bob", 15), scheduled("bob", 60)]);
    // Page by page.
    let (_, first) = ada.get(&format!("{ledger}?size=3")).await;
    let (_, second) = ada.get(&format!("{ledger}?size=3&cursor={}", first["next"].as_str().expect("a cursor"))).await;
    assert_eq!((second["items"].as_array().map(Vec::len), second.get("next")), (Some(1), None));

    // Whoever declines is not reminded; whoever comes after all is, as before.
    let respond = async |response| {
        bob.call(Method::POST, &format!("{path}/respond"), Some(json!({ "response": response }))).await.0
    };
    assert_eq!(respond("declined").await, StatusCode::OK);
    let cancelled = rows(&bob).await;
    assert!(cancelled.iter().all(|row| row["state"] == "cancelled" && row["reason"] == "the participant declined"));
    let (_, reminded) = ada.call(Method::POST, &format!("{path}/reminder"), None).await;
    assert_eq!((&reminded["total_participants"], &reminded["emails_sent"]), (&json!(3), &json!(2)), "{reminded}");
    assert_eq!(respond("accepted").await, StatusCode::OK);
    assert_eq!(of(&rows(&bob).await), [scheduled("bob", 15), scheduled("bob", 60)]);
    let note = json!({ "reminder_minutes": 30, "message": "bring cake" });
    let (_, reminded) = ada.call(Method::POST, &format!("{path}/reminder"), Some(note)).await;
    assert_eq!(reminded["emails_sent"], 3);
    let mail = eventually("a reminder with a note", || async {
        let mails = letters(&server, "guest@example.org", "Board", 2).await;
        mails.into_iter().find(|mail| mail["text"].as_str().is_some_and(|text| text.contains("bring cake")))
    });
    mail.await;
    let sent = eventually("the ledger tells what was sent", || async {
        let rows = rows(&ada).await;
        let sent: Vec<_> = rows.into_iter().filter(|row| row["state"] == "delivered").collect();
        (sent.len() == 5).then_some(sent)
    });
    assert!(sent.await.iter().all(|row| row["sent_at"].is_string() && row["reply"].is_string()));
    assert_eq!(bob.call(Method::PUT, &own, Some(json!({ "minutes": null }))).await.1, json!({ "minutes": [15] }));
}

async fn a_burst_of_changes_is_one_mail_about_what_came_of_them(backend: Backend) {
    let server = backend.start(&[("CHANGE_QUIET_SECONDS", "1")]).await;
    let ada = server.person("ada").await;
    let body = json!({ "title": "Board", "meeting_date": DATE, "location": "Room 1", "participant_emails": ["guest@example.org"] });
    let path = path(&ada.meeting(body).await);
    letter(&server, "guest@example.org", "Board").await;
    for change in [
        json!({ "location": "Room 2" }),
        json!({ "title": "Bored" }),
        json!({ "title": "Board", "location": "Room 3" }),
    ] {
        assert_eq!(ada.call(Method::PATCH, &path, Some(change)).await.0, StatusCode::OK);
    }
    let mails = letters(&server, "guest@example.org", "Board", 2).await;
    let text = mails[0]["text"].as_str().expect("text");
    assert!(
        text.contains("Room 1") && text.contains("Room 3") && !text.contains("Room 2") && !text.contains("Bored"),
        "{text}"
    );
    assert!(mails[0]["source"].as_str().expect("a source").contains("REQUEST"));
    // There and back again is nothing to tell; the cancellation that follows is the next mail.
    for location in ["Room 9", "Room 3"] {
        assert_eq!(ada.call(Method::PATCH, &path, Some(json!({ "location": location }))).await.0, StatusCode::OK);
    }
    assert_eq!(ada.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    let mails = letters(&server, "guest@example.org", "", 3).await;
    assert!(mails[0]["source"].as_str().expect("a source").contains("method=CANCEL"), "{}", mails[0]);
    assert_eq!(mails.len(), 3);
}

async fn answers_and_a_move_at_once_leave_nobody_without_the_reminder_of_the_new_start(backend: Backend) {
    let server = backend.start(&[("CHANGE_QUIET_SECONDS", "0")]).await;
    let ada = server.person("ada").await;
    let guests: Vec<_> = (0..6).map(|n| format!("guest{n}@example.org")).collect();
    let path =
        path(&ada.meeting(json!({ "title": "Board", "meeting_date": DATE, "participant_emails": guests })).await);
    let mut links = Vec::new();
    for guest in &guests {
        links.push(link(&letter(&server, guest, "Board").await, "/r/"));
    }
    let mut waiting = tokio::task::JoinSet::new();
    let moved = json!({ "meeting_date": "2099-02-01T00:00:00Z" });
    let moving = ada.request(Method::PATCH, &path).json(&moved);
    waiting.spawn(async move { moving.send().await.expect("an answer").status() });
    for link in &links {
        let answering = server.request(Method::POST, link).json(&json!({ "response": "accepted" }));
        waiting.spawn(async move { answering.send().await.expect("an answer").status() });
    }
    let statuses = waiting.join_all().await;
    // An answer that came after the move was given to the old time: it is refused, and the guest is asked again.
    assert!(statuses.iter().all(|status| status.is_success() || *status == StatusCode::CONFLICT), "{statuses:?}");
    let (_, meeting) = ada.get(&path).await;
    assert_eq!(meeting["meeting_date"], "2099-02-01T00:00:00.000000Z", "the move itself always succeeds");
    let people = meeting["participants"].as_array().expect("people");
    let (organizer, guests): (Vec<_>, Vec<_>) = people.iter().partition(|one| one["role"] == "organizer");
    assert!(organizer.iter().all(|one| one["response_status"] == "accepted"), "{meeting}");
    assert!(guests.iter().all(|one| one["response_status"] == "pending"), "{meeting}");
    let (_, ledger) = ada.get(&format!("{path}/reminders")).await;
    let rows = ledger["items"].as_array().expect("rows");
    let count =
        |due_at: &str, state: &str| rows.iter().filter(|row| row["due_at"] == due_at && row["state"] == state).count();
    assert_eq!(count("2098-12-31T23:45:00.000000Z", "cancelled"), 7, "{ledger}");
    assert_eq!(count("2099-01-31T23:45:00.000000Z", "scheduled"), 7, "{ledger}");
}
