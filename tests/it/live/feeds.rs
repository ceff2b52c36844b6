//! What is told, and to whom.

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::letters::{letter, link};
use crate::live::{id, rename, verify_everybody};
use crate::times::soon;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::{Events, Handshake, Socket};
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, Server};

on_each_store![
    each_kind_of_event_reaches_the_screen_with_the_next_sequence,
    everybody_in_a_meeting_sees_what_becomes_of_it,
    whoever_is_no_longer_in_a_meeting_learns_of_that_and_of_nothing_afterwards,
    a_guest_who_turns_out_to_be_somebody_sees_their_meetings_appear,
    nobody_is_told_what_is_anothers_by_any_path_header_or_topic,
    a_reminder_that_leaves_shows_at_once_and_has_no_place_in_the_feed,
    several_processes_on_one_database_make_one_feed,
];

const DATE: &str = "2099-01-01T00:00:00Z";

fn path(of: &str, entity: &Value) -> String {
    format!("/api/{of}/{}", entity["id"].as_str().expect("an id"))
}

async fn done(person: &Person<'_>, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = person.call(method, path, body).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
    answer
}

/// Something that enters the feed of nobody else.
async fn mark(person: &Person<'_>) -> Value {
    person.task(json!({ "title": "a mark" })).await
}

/// Reads one message and holds it against what happened.
async fn expect(socket: &mut Socket, seq: u64, kind: &str, entity: &Value) -> Value {
    let message = socket.said().await;
    assert_eq!(
        (&message["seq"], &message["type"], &message["data"]["id"]),
        (&json!(seq), &json!(kind), &entity["id"]),
        "{message}"
    );
    assert!(message["at"].as_str().is_some_and(|time| time.ends_with('Z')), "{message}");
    message
}

fn participant<'a>(meeting: &'a Value, email: &str) -> &'a Value {
    let people = meeting["participants"].as_array().expect("people");
    people.iter().find(|one| one["email"] == email).expect("somebody")
}

async fn each_kind_of_event_reaches_the_screen_with_the_next_sequence(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (mut screen, seq) = Socket::follow(&server, &ada.token).await;
    let mut stream = Events::follow(&server, &ada.token, "").await;
    assert_eq!((seq, &stream.said().await["seq"]), (0, &json!(0)));

    let task = ada.task(json!({ "title": "Sow", "priority": "high" })).await;
    let told = expect(&mut screen, 1, "task_created", &task).await;
    assert_eq!(told["data"]["changes"]["title"], json!({ "was": null, "is": "Sow" }));
    let task_path = path("tasks", &task);
    done(&ada, Method::PATCH, &task_path, Some(json!({ "status": "completed" }))).await;
    let told = expect(&mut screen, 2, "task_updated", &task).await;
    assert_eq!(told["data"]["changes"]["status"], json!({ "was": "pending", "is": "completed" }));
    done(&ada, Method::DELETE, &task_path, None).await;
    expect(&mut screen, 3, "task_deleted", &task).await;
    done(&ada, Method::POST, &format!("{task_path}/restore"), None).await;
    expect(&mut screen, 4, "task_restored", &task).await;

    let meeting = ada.meeting(json!({ "title": "Board", "meeting_date": DATE })).await;
    let told = expect(&mut screen, 5, "meeting_created", &meeting).await;
    assert_eq!(told["data"]["changes"]["title"]["is"], "Board");
    rename(&ada, &meeting, "Council").await;
    let told = expect(&mut screen, 6, "meeting_updated", &meeting).await;
    assert_eq!(told["data"]["changes"], json!({ "title": { "was": "Board", "is": "Council" } }));
    done(&ada, Method::DELETE, &path("meetings", &meeting), None).await;
    expect(&mut screen, 7, "meeting_cancelled", &meeting).await;
    assert_eq!(screen.ping().await, 7);

    // The stream and the pages have told the same.
    let (_, changes) = ada.get("/api/changes").await;
    assert_eq!((&changes["seq"], changes.get("next")), (&json!(7), None));
    let items = changes["items"].as_array().expect("items");
    assert_eq!(items.len(), 7);
    for item in items {
        assert_eq!(&stream.said().await, item);
        assert_eq!(stream.last, item["seq"].as_u64());
    }
    // What is refused or changes nothing is no event.
    let (status, _) = ada.call(Method::POST, "/api/tasks/", Some(json!({ "title": "" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(screen.ping().await, 7);
}

async fn everybody_in_a_meeting_sees_what_becomes_of_it(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob, cleo) = (server.person("ada").await, server.person("bob").await, server.person("cleo").await);
    verify_everybody(&server).await;
    let mut screens = Vec::new();
    for person in [&ada, &bob, &cleo] {
        screens.push(Socket::follow(&server, &person.token).await.0);
    }
    let people = ["bob@example.org", "cleo@example.org", "guest@example.org"];
    let meeting = ada.meeting(json!({ "title": "Board", "meeting_date": DATE, "participant_emails": people })).await;
    // It says what is so when it leaves, so that it is waited for.
    let invitation = letter(&server, "guest@example.org", "Board").await;
    rename(&ada, &meeting, "Council").await;
    done(
        &bob,
        Method::POST,
        &format!("{}/respond", path("meetings", &meeting)),
        Some(json!({ "response": "accepted" })),
    )
    .await;
    // A guest has no account, only a link.
    let form = [("response", "declined")];
    let answer = server.request(Method::POST, &link(&invitation, "/r/")).form(&form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    done(&ada, Method::DELETE, &path("meetings", &meeting), None).await;
    for screen in &mut screens {
        expect(screen, 1, "meeting_created", &meeting).await;
        expect(screen, 2, "meeting_updated", &meeting).await;
        for (seq, email, is) in [(3, "bob@example.org", "accepted"), (4, "guest@example.org", "declined")] {
            let told = expect(screen, seq, "participant_responded", &meeting).await;
            assert_eq!(told["data"]["participant_id"], participant(&meeting, email)["id"]);
            assert_eq!(told["data"]["changes"]["response_status"], json!({ "was": "pending", "is": is }));
        }
        expect(screen, 5, "meeting_cancelled", &meeting).await;
        assert_eq!(screen.ping().await, 5);
    }
}

async fn whoever_is_no_longer_in_a_meeting_learns_of_that_and_of_nothing_afterwards(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob, cleo) = (server.person("ada").await, server.person("bob").await, server.person("cleo").await);
    verify_everybody(&server).await;
    let people = ["bob@example.org", "cleo@example.org"];
    let meeting = ada.meeting(json!({ "title": "Board", "meeting_date": DATE, "participant_emails": people })).await;
    let (mut bobs, _) = Socket::follow(&server, &bob.token).await;
    let (mut cleos, _) = Socket::follow(&server, &cleo.token).await;
    let member = |email| {
        format!(
            "{}/participants/{}",
            path("meetings", &meeting),
            participant(&meeting, email)["id"].as_str().expect("an id")
        )
    };
    // One is taken off, the other leaves.
    done(&ada, Method::DELETE, &member("bob@example.org"), None).await;
    expect(&mut bobs, 2, "meeting_updated", &meeting).await;
    expect(&mut cleos, 2, "meeting_updated", &meeting).await;
    done(&cleo, Method::DELETE, &member("cleo@example.org"), None).await;
    expect(&mut cleos, 3, "participant_responded", &meeting).await;
    rename(&ada, &meeting, "without them").await;
    for (person, screen, seq) in [(&bob, &mut bobs, 3), (&cleo, &mut cleos, 4)] {
        expect(screen, seq, "task_created", &mark(person).await).await;
        assert_eq!(screen.ping().await, seq);
        let (_, changes) = person.get("/api/changes?since=0").await;
        assert_eq!(changes["seq"], json!(seq));
        assert!(!changes.to_string().contains("without them"), "{changes}");
        let mut again = Socket::follow_since(&server, &person.token, 0).await;
        for _ in 0..seq {
            assert!(!again.said().await.to_string().contains("without them"));
        }
    }
}

async fn a_guest_who_turns_out_to_be_somebody_sees_their_meetings_appear(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let people = ["eve@example.org"];
    let meeting = ada.meeting(json!({ "title": "Board", "meeting_date": DATE, "participant_emails": people })).await;
    let (mut adas, before) = Socket::follow(&server, &ada.token).await;
    let eve = server.person("eve").await;
    let (mut screen, seq) = Socket::follow(&server, &eve.token).await;
    assert_eq!(seq, 0);
    assert_eq!(eve.get(&path("meetings", &meeting)).await.0, StatusCode::NOT_FOUND);
    let button = link(&letter(&server, "eve@example.org", "Welcome").await, "/v/");
    // People press twice.
    for _ in 0..2 {
        let answer = server.request(Method::POST, &button).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let told = expect(&mut screen, 1, "meeting_updated", &meeting).await;
    assert_eq!(told["data"], json!({ "id": meeting["id"], "changes": {} }));
    let shown = done(&eve, Method::GET, &path("meetings", &meeting), None).await;
    assert_eq!((&shown["id"], &shown["title"]), (&meeting["id"], &json!("Board")));
    // Nobody else learns that she has an account.
    assert_eq!((screen.ping().await, adas.ping().await), (1, before));
}

async fn nobody_is_told_what_is_anothers_by_any_path_header_or_topic(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let (ada_id, bob_id) = (id(&ada).await, id(&bob).await);
    for n in 0..5 {
        ada.task(json!({ "title": format!("secret {n}") })).await;
    }
    let before = mark(&bob).await;
    let own = || Handshake::of(&server, "/ws").token(&bob.token);
    let at = |path: String| Handshake::of(&server, &path).token(&bob.token);
    // By the path: what it leads to is one's own, or nothing.
    for path in [
        format!("/ws/{ada_id}"),
        format!("/ws/{ada_id}/"),
        format!("/ws/{ada_id}?since=0"),
        format!("/ws//{ada_id}"),
        format!("/ws/{bob_id}/{ada_id}"),
        format!("/ws/{bob_id}/../{ada_id}"),
        format!("/ws/{bob_id}%2F..%2F{ada_id}"),
        format!("/ws/{ada_id}%00"),
        format!("/ws/{ada_id},{bob_id}"),
        format!("/ws/./{ada_id}"),
    ] {
        match at(path.clone()).make().await {
            Ok(mut socket) => assert_eq!(socket.next().await, Err(4403), "{path}"),
            Err(status) => assert!([400, 404].contains(&status), "{path}: {status}"),
        }
    }
    // By everything else that a handshake may say.
    let strangers = [
        own().header("authorization", "Bearer x"),
        own().header("x-user-id", &ada_id),
        own().header("x-forwarded-user", "ada").header("x-real-ip", "127.0.0.1"),
        own().header("cookie", &format!("user_id={ada_id}; session={ada_id}")),
        own().header("last-event-id", "0"),
        own().header("sec-websocket-protocol", &format!("bearer, {ada_id}")),
        own().header("origin", "http://127.0.0.1").header("x-http-method-override", "POST"),
        at(format!("/ws?user_id={ada_id}&owner={ada_id}&actor={ada_id}")),
        at(format!("/ws?topics=tasks,meetings,reminders&user={ada_id}")),
        at(format!("/ws/{bob_id}?user_id={ada_id}")),
    ];
    let mut sockets = Vec::new();
    for handshake in strangers {
        let asked = format!("{handshake:?}");
        let mut socket = handshake.open().await;
        match socket.next().await {
            Ok(ready) => assert_eq!((&ready["type"], &ready["seq"]), (&json!("ready"), &json!(1)), "{asked}"),
            // Two tokens are none.
            Err(code) => {
                assert_eq!(code, 4401, "{asked}");
                continue;
            }
        }
        sockets.push((asked, socket));
    }
    // By the conversation.
    for request in [
        json!({ "type": "subscribe", "topics": ["tasks", "meetings", "reminders"], "user_id": ada_id, "owner": ada_id }),
        json!({ "type": "subscribe", "topics": [format!("tasks:{ada_id}")] }),
        json!({ "type": "subscribe", "topics": [ada_id] }),
        json!({ "type": "subscribe", "topics": ["tasks", "*"] }),
        json!({ "type": "auth", "token": bob.token, "user_id": ada_id }),
        json!({ "type": "replay", "since": 0, "user_id": ada_id }),
    ] {
        let mut socket = own().open().await;
        assert_eq!(socket.said().await["type"], "ready");
        socket.say(request.clone()).await;
        let answer = socket.said().await;
        assert!(["topics", "error", "ready"].contains(&answer["type"].as_str().expect("a type")), "{answer}");
        assert!(answer.get("seq").is_none_or(|seq| seq == 1), "{answer}");
        sockets.push((request.to_string(), socket));
    }
    // By sequences that only the other's feed has.
    for since in [2, 5, 6, 1000] {
        let (mut socket, seq) = Socket::claim(&server, &bob.token, since).await;
        assert_eq!((seq, socket.said().await), (1, json!({ "type": "resync", "seq": 1 })), "{since}");
        sockets.push((format!("since {since}"), socket));
        let (status, problem) = bob.get(&format!("/api/changes?since={since}")).await;
        assert_eq!((status, &problem["seq"]), (StatusCode::GONE, &json!(1)), "{problem}");
    }
    let mut streams = Vec::new();
    for (query, last) in [("", None), ("?since=0", Some("1")), ("?since=1", None)] {
        let mut request = bob.request(Method::GET, &format!("/api/events{query}")).header("x-user-id", &ada_id);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let mut stream = Events::of(request).await;
        assert_eq!(stream.said().await["seq"], json!(1));
        streams.push(stream);
    }
    let user_id = HeaderValue::from_str(&ada_id).expect("a header");
    for path in [format!("/api/events?user_id={ada_id}"), format!("/api/changes?since=0&user_id={ada_id}")] {
        let (status, problem) = bob.get(&path).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("user_id")));
    }
    for query in ["since=0", "size=100"] {
        let request = bob.request(Method::GET, &format!("/api/changes?{query}")).header("x-user-id", user_id.clone());
        let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!((&page["seq"], &page["items"][0]["data"]["id"]), (&json!(1), &before["id"]), "{page}");
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    }
    // All of them are told what is their own, and nothing else.
    let secret = ada.task(json!({ "title": "secret" })).await;
    ada.meeting(json!({ "title": "secret", "meeting_date": DATE })).await;
    done(&ada, Method::DELETE, &path("tasks", &secret), None).await;
    let own = mark(&bob).await;
    for (asked, mut socket) in sockets {
        let message = socket.said().await;
        assert_eq!((&message["seq"], &message["data"]["id"]), (&json!(2), &own["id"]), "{asked}: {message}");
        assert_eq!(socket.ping().await, 2, "{asked}");
    }
    for mut stream in streams {
        let message = stream.said().await;
        assert_eq!((&message["seq"], &message["data"]["id"]), (&json!(2), &own["id"]), "{message}");
    }
}

async fn a_reminder_that_leaves_shows_at_once_and_has_no_place_in_the_feed(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    verify_everybody(&server).await;
    let (mut adas, _) = Socket::follow(&server, &ada.token).await;
    let (mut bobs, _) = Socket::follow(&server, &bob.token).await;
    let mut stream = Events::follow(&server, &bob.token, "?topics=reminders").await;
    assert_eq!(stream.said().await["type"], "ready");
    let mut deaf = Handshake::of(&server, "/ws?topics=tasks,meetings").token(&bob.token).open().await;
    assert_eq!(deaf.said().await["type"], "ready");
    // Due in two seconds, a minute before.
    let people = ["bob@example.org"];
    let meeting =
        json!({ "title": "Board", "meeting_date": soon(62), "reminder_minutes": 1, "participant_emails": people });
    let meeting = ada.meeting(meeting).await;
    let task = ada.task(json!({ "title": "Sow", "due_at": soon(62), "reminder_minutes": 1 })).await;
    expect(&mut adas, 1, "meeting_created", &meeting).await;
    expect(&mut adas, 2, "task_created", &task).await;
    expect(&mut bobs, 1, "meeting_created", &meeting).await;
    let mut reminders = [adas.said().await, adas.said().await];
    // Which of the two leaves first is nobody's business.
    reminders.sort_by_key(|reminder| reminder["data"].get("task_id").is_some());
    for (reminder, data) in
        reminders.iter().zip([json!({ "meeting_id": meeting["id"] }), json!({ "task_id": task["id"] })])
    {
        assert_eq!((&reminder["type"], &reminder["data"], reminder.get("seq")), (&json!("reminder_sent"), &data, None));
        assert!(reminder["at"].as_str().is_some_and(|time| time.ends_with('Z')), "{reminder}");
    }
    let data = json!({ "meeting_id": meeting["id"] });
    let reminder = bobs.said().await;
    assert_eq!((&reminder["type"], &reminder["data"]), (&json!("reminder_sent"), &data), "{reminder}");
    assert_eq!(stream.said().await, reminder);
    assert_eq!((adas.ping().await, bobs.ping().await), (2, 1));
    expect(&mut deaf, 1, "meeting_created", &meeting).await;
    assert_eq!(deaf.ping().await, 1);
    // It is not told again.
    let mut again = Socket::follow_since(&server, &ada.token, 0).await;
    expect(&mut again, 1, "meeting_created", &meeting).await;
    expect(&mut again, 2, "task_created", &task).await;
    assert_eq!(again.ping().await, 2);
}

async fn several_processes_on_one_database_make_one_feed(backend: Backend) {
    const KEY: (&str, &str) = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    let one = backend.start(&[KEY]).await;
    let two = Server::start(&[KEY, ("DATABASE_URL", &one.database_url())]).await;
    let ada = one.person("ada").await;
    let (mut here, _) = Socket::follow(&one, &ada.token).await;
    let (mut there, _) = Socket::follow(&two, &ada.token).await;
    for seq in 1..=4 {
        let node = if seq % 2 == 0 { &one } else { &two };
        let request = node.request(Method::POST, "/api/tasks/").bearer_auth(&ada.token);
        let answer = request.json(&json!({ "title": "a task" })).send().await.expect("an answer");
        let task: Value = answer.json().await.expect("JSON");
        expect(&mut here, seq, "task_created", &task).await;
        expect(&mut there, seq, "task_created", &task).await;
    }
}
