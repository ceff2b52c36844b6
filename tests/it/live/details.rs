//! What messages say of what has changed: enough to tell what happened, and to know which of two states is newer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::live::{id, verify_everybody};
use taskflow_testkit::live::Socket;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{Person, Server};

async fn done(person: &Person<'_>, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = person.call(method, path, Some(body)).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
    answer
}

fn person_of<'a>(meeting: &'a Value, email: &str) -> &'a Value {
    let people = meeting["participants"].as_array().expect("people");
    people.iter().find(|one| one["email"] == email).expect("somebody")
}

/// Somebody as messages have them.
fn row(participant: &Value, role: &str, response: &str) -> Value {
    json!({ "id": participant["id"], "role": role, "response_status": response })
}

#[tokio::test]
async fn versions_are_those_of_the_resources() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (mut screen, _) = Socket::follow(&server, &ada.token).await;
    let task = ada.task(json!({ "title": "Sow" })).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let told = screen.said().await;
    assert_eq!((&told["data"]["version"], &told["data"]["changes"]["completed_at"]), (&task["version"], &Value::Null));
    let after = done(&ada, Method::PATCH, &path, json!({ "status": "completed" })).await;
    let told = screen.said().await;
    assert_eq!(told["data"]["version"], after["version"]);
    assert_eq!(told["data"]["changes"]["completed_at"], json!({ "was": null, "is": after["completed_at"] }));
}

#[tokio::test]
async fn messages_tell_who_came_went_and_changed_without_their_addresses() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    verify_everybody(&server).await;
    let (mut screen, _) = Socket::follow(&server, &ada.token).await;
    let new = json!({
        "title": "Board",
        "meeting_date": "2099-01-01T00:00:00Z",
        "participant_emails": ["bob@example.org", "guest@example.org"],
    });
    let meeting = ada.meeting(new).await;
    let path = format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"));
    let [organizer, bobs, guest] =
        ["ada@example.org", "bob@example.org", "guest@example.org"].map(|email| person_of(&meeting, email).clone());

    let told = screen.said().await;
    let created = &told["data"]["changes"];
    assert_eq!(told["data"]["version"], meeting["version"]);
    assert_eq!(created["status"], json!({ "was": null, "is": "scheduled" }));
    let mut rows = created["participants"]["is"].as_array().expect("people").clone();
    let mut expected = vec![
        row(&organizer, "organizer", "accepted"),
        row(&bobs, "attendee", "pending"),
        row(&guest, "attendee", "pending"),
    ];
    for rows in [&mut rows, &mut expected] {
        rows.sort_by_key(Value::to_string);
    }
    assert_eq!(rows, expected);
    assert!(!told.to_string().contains('@'), "{told}");

    let guest_path = format!("{path}/participants/{}", guest["id"].as_str().expect("an id"));
    done(&ada, Method::PUT, &guest_path, json!({ "role": "optional" })).await;
    let (was, is) = (row(&guest, "attendee", "pending"), row(&guest, "optional", "pending"));
    assert_eq!(screen.said().await["data"]["changes"], json!({ "participants": { "was": [was], "is": [is] } }));

    let (status, _) = ada.call(Method::DELETE, &guest_path, None).await;
    assert!(status.is_success());
    let was = row(&guest, "optional", "pending");
    assert_eq!(screen.said().await["data"]["changes"], json!({ "participants": { "was": [was], "is": [] } }));

    let answer = json!({ "response": "accepted", "comment": "with cake" });
    done(&bob, Method::POST, &format!("{path}/respond"), answer).await;
    let told = screen.said().await;
    assert_eq!((&told["type"], &told["data"]["version"]), (&json!("participant_responded"), &Value::Null));
    let changes = json!({
        "response_status": { "was": "pending", "is": "accepted" },
        "comment": { "was": null, "is": "with cake" },
    });
    assert_eq!(told["data"]["changes"], changes);

    // Leaving is more than declining.
    let own_path = format!("{path}/participants/{}", bobs["id"].as_str().expect("an id"));
    let (status, _) = bob.call(Method::DELETE, &own_path, None).await;
    assert!(status.is_success());
    let told = screen.said().await;
    assert_eq!((&told["type"], &told["data"]["participant_id"]), (&json!("participant_responded"), &bobs["id"]));
    let gone = json!({ "was": [row(&bobs, "attendee", "accepted")], "is": [] });
    assert_eq!(told["data"]["changes"]["participants"], gone);

    done(&ada, Method::PATCH, &path, json!({ "status": "completed" })).await;
    let told = screen.said().await;
    assert_eq!(told["data"]["changes"], json!({ "status": { "was": "scheduled", "is": "completed" } }));
}

#[tokio::test]
async fn a_feed_that_cannot_be_read_keeps_nobody_else_waiting() {
    let server = Server::start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let (mut adas, _) = Socket::follow(&server, &ada.token).await;
    let (mut bobs, _) = Socket::follow(&server, &bob.token).await;
    // By hand: what it is about has an id that is none.
    let event = "0198c0de-0000-7000-8000-00000000000e";
    let user = id(&ada).await;
    let mut rows = Rows::open(&server.database_url()).await;
    for statement in [
        format!(
            "INSERT INTO taskflow_events (id, at, entity_kind, entity_id, kind, data)
             VALUES ('{event}', 0, 'task', 'zzzzzzzz-0000-7000-8000-00000000000e', 'task_updated', '{{}}')"
        ),
        format!("INSERT INTO taskflow_feed (user_id, seq, event_id) VALUES ('{user}', 1, '{event}')"),
        format!("INSERT INTO taskflow_feed_heads (user_id, seq) VALUES ('{user}', 1)"),
    ] {
        assert_eq!(rows.edit(&statement).await, 1);
    }
    assert_eq!(adas.next().await, Err(1013));
    let task = bob.task(json!({ "title": "Sow" })).await;
    assert_eq!(bobs.said().await["data"]["id"], task["id"]);
}
