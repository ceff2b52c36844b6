use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Person;

on_each_store![
    a_meeting_is_called_read_changed_cancelled_and_restored,
    everything_that_does_not_fit_is_named_at_once,
    a_time_without_an_offset_is_what_the_clock_on_the_wall_shows,
    lists_are_filtered_sorted_and_paged_with_links,
    a_meeting_of_others_is_byte_for_byte_an_absent_one,
    a_change_is_meant_for_the_version_that_was_seen,
    a_meeting_that_is_called_many_times_at_once_under_one_key_is_called_once,
    a_meeting_goes_into_a_calendar,
    five_hundred_people_are_invited_at_once_and_not_one_more,
];

const ABSENT: &str = "0198c0de-0000-7000-8000-000000000001";

fn path(meeting: &Value) -> String {
    format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"))
}

fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("errors in {problem}"));
    errors.iter().map(|error| error["field"].as_str().expect("a field")).collect()
}

fn titles(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("items in {list}"));
    items.iter().map(|meeting| meeting["title"].as_str().expect("a title")).collect()
}

/// RFC 3339, that many seconds from now.
fn ahead(seconds: u64) -> String {
    use taskflow::ports::{Clock, SystemClock};
    (SystemClock::new().now() + std::time::Duration::from_secs(seconds)).to_string()
}

async fn a_meeting_is_called_read_changed_cancelled_and_restored(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({
        "title": "Board", "meeting_date": "2099-03-29T09:00:00+02:00", "participant_emails": ["guest@example.org"],
        "location": "Room 1", "meeting_url": "https://meet.example.org/a b",
    });
    let answer = ada.request(Method::POST, "/api/meetings/").json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["etag"], "\"1\"");
    let location = answer.headers()["location"].to_str().expect("ASCII").to_owned();
    let meeting: Value = answer.json().await.expect("JSON");
    assert_eq!(location, path(&meeting));
    let expected = json!({
        "title": "Board", "meeting_date": "2099-03-29T07:00:00.000000Z", "duration_minutes": 60, "location": "Room 1",
        "meeting_url": "https://meet.example.org/a%20b", "meeting_type": "in_person", "time_zone": "UTC",
        "reminder_minutes": 15, "status": "scheduled", "is_active": true, "sequence": 0, "version": 1,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&meeting[name], value, "{name}");
    }
    let people = meeting["participants"].as_array().expect("people");
    let people: Vec<_> = people.iter().map(|one| (&one["email"], &one["role"], &one["response_status"])).collect();
    assert_eq!(
        people,
        [
            (&json!("ada@example.org"), &json!("organizer"), &json!("accepted")),
            (&json!("guest@example.org"), &json!("attendee"), &json!("pending")),
        ]
    );
    assert_eq!(meeting["created_by"], ada.get("/api/users/me").await.1["id"]);
    assert!(meeting["participants"].to_string().find("user").is_none(), "{meeting}");
    assert_eq!(ada.get(&location).await, (StatusCode::OK, meeting.clone()));

    // PUT keeps what is left out; PATCH clears what is null. Another time is another sequence, another title is not.
    let (status, put) = ada.call(Method::PUT, &location, Some(json!({ "title": "Board!" }))).await;
    assert_eq!((status, &put["location"], &put["sequence"]), (StatusCode::OK, &json!("Room 1"), &json!(0)));
    let change = json!({ "location": null, "meeting_date": "2099-03-30T09:00:00Z", "duration_minutes": 30 });
    let (status, patched) = ada.call(Method::PATCH, &location, Some(change)).await;
    assert_eq!((status, &patched["sequence"], &patched["version"]), (StatusCode::OK, &json!(1), &json!(3)));
    assert!(patched.get("location").is_none());

    for _ in 0..2 {
        let gone = ada.request(Method::DELETE, &location).send().await.expect("an answer");
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    }
    let (status, off) = ada.get(&location).await;
    assert_eq!((status, &off["status"], &off["is_active"]), (StatusCode::OK, &json!("cancelled"), &json!(false)));
    assert_eq!(ada.get("/api/meetings/").await.1["total"], 0);
    assert_eq!(titles(&ada.get("/api/meetings/?status=cancelled").await.1), ["Board!"]);
    let (status, problem) = ada.call(Method::PATCH, &location, Some(json!({ "title": "x" }))).await;
    assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["status"]));
    let (status, back) = ada.call(Method::POST, &format!("{location}/restore"), None).await;
    assert_eq!((status, &back["status"], &back["sequence"]), (StatusCode::OK, &json!("scheduled"), &json!(3)));

    let (status, over) = ada.call(Method::PATCH, &location, Some(json!({ "status": "completed" }))).await;
    assert_eq!((status, &over["status"], &over["is_active"]), (StatusCode::OK, &json!("completed"), &json!(true)));
}

async fn everything_that_does_not_fit_is_named_at_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({
        "title": "", "meeting_date": "tomorrow", "duration_minutes": 1441, "meeting_url": "javascript:alert(1)",
        "reminder_minutes": -1, "meeting_type": "party", "time_zone": "Mars/Olympus",
        "participant_emails": ["ok@example.org", "nobody"],
        "participants": [{ "email": "x" }, { "email": "ok@example.org", "role": "organizer" }, 7],
    });
    let (status, problem) = ada.call(Method::POST, "/api/meetings/", Some(body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut named = fields(&problem);
    named.sort_unstable();
    let all = [
        "duration_minutes",
        "meeting_date",
        "meeting_type",
        "meeting_url",
        "participant_emails.1",
        "participants.0.email",
        "participants.1.role",
        "participants.2",
        "reminder_minutes",
        "time_zone",
        "title",
    ];
    assert_eq!(named, all);
    for date in ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "9999-12-31T00:00:00Z"] {
        let body = json!({ "title": "x", "meeting_date": date });
        let (status, problem) = ada.call(Method::POST, "/api/meetings/", Some(body)).await;
        assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["meeting_date"]), "{date}");
    }
    for query in
        ["upcoming/?hours_ahead=0", "upcoming/?hours_ahead=169", "?status=off", "?starts_after=2030", "?sort=id"]
    {
        assert_eq!(ada.get(&format!("/api/meetings/{query}")).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    assert_eq!(ada.get("/api/meetings/").await.1["total"], 0);
}

async fn a_time_without_an_offset_is_what_the_clock_on_the_wall_shows(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    assert_eq!(
        ada.call(Method::PATCH, "/api/users/me", Some(json!({ "time_zone": "Asia/Tokyo" }))).await.0,
        StatusCode::OK
    );
    for (local, zone, instant) in [
        // In the gap the offset before it counts, in the hour that comes twice the first one.
        ("2027-03-28T02:30:00", Some("Europe/Berlin"), "2027-03-28T01:30:00.000000Z"),
        ("2027-10-31T02:30:00", Some("Europe/Berlin"), "2027-10-31T00:30:00.000000Z"),
        ("2027-01-15T09:00", Some("America/Vancouver"), "2027-01-15T16:00:00.000000Z"),
        ("2027-07-01T09:00:00", None, "2027-07-01T00:00:00.000000Z"),
    ] {
        let body = json!({ "title": "x", "meeting_date": local, "time_zone": zone });
        let meeting = ada.meeting(body).await;
        assert_eq!(meeting["meeting_date"], instant, "{local} {zone:?}");
        assert_eq!(meeting["time_zone"], zone.unwrap_or("Asia/Tokyo"));
    }
    let meeting = ada.meeting(json!({ "title": "x", "meeting_date": "2027-07-01T09:00:00" })).await;
    let change = json!({ "time_zone": "Europe/Berlin", "meeting_date": "2027-07-01T09:00:00" });
    let (_, moved) = ada.call(Method::PATCH, &path(&meeting), Some(change)).await;
    assert_eq!(moved["meeting_date"], "2027-07-01T07:00:00.000000Z");
    // Another zone alone leaves the instant.
    let (_, same) = ada.call(Method::PATCH, &path(&meeting), Some(json!({ "time_zone": "UTC" }))).await;
    assert_eq!((&same["meeting_date"], &same["sequence"]), (&moved["meeting_date"], &moved["sequence"]));
}

async fn lists_are_filtered_sorted_and_paged_with_links(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    for (title, date) in [("Third", "2099-03-01T00:00:00Z"), ("First", "2099-01-01T00:00:00Z")] {
        ada.meeting(json!({ "title": title, "meeting_date": date, "location": "B\u{fc}ro" })).await;
    }
    ada.meeting(json!({ "title": "Soon", "meeting_date": ahead(3600) })).await;
    ada.meeting(json!({ "title": "In two days", "meeting_date": ahead(48 * 3600) })).await;
    let list = async |query: &str| ada.get(&format!("/api/meetings{query}")).await.1;
    assert_eq!(titles(&list("/").await), ["Third", "First", "In two days", "Soon"]);
    assert_eq!(titles(&list("/?sort=meeting_date&size=2").await), ["Soon", "In two days"]);
    assert_eq!(titles(&list("?sort=title&q=B%C3%9CRO").await), ["First", "Third"]);
    assert_eq!(
        titles(&list("/?starts_after=2099-01-01T00:00:00Z&starts_before=2099-03-01T00:00:00Z").await),
        ["First"]
    );
    assert_eq!(titles(&list("/upcoming/").await), ["Soon"]);
    assert_eq!(titles(&list("/upcoming?hours_ahead=72").await), ["Soon", "In two days"]);
    assert_eq!(list("/?status=in_progress").await["total"], 0);
    for path in ["/api/meetings/?size=1&page=2", "/api/meetings/upcoming/?hours_ahead=72&size=1"] {
        let answer = ada.request(Method::GET, path).send().await.expect("an answer");
        let links = answer.headers()["link"].to_str().expect("ASCII").to_owned();
        assert!(links.contains("rel=\"next\"") && links.contains("rel=\"last\""), "{links}");
    }
}

async fn a_meeting_of_others_is_byte_for_byte_an_absent_one(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let meeting = ada.meeting(json!({ "title": "mine", "meeting_date": "2099-01-01T00:00:00Z" })).await;
    let id = meeting["id"].as_str().expect("an id").to_owned();
    let someone = meeting["participants"][0]["id"].as_str().expect("an id").to_owned();
    let change = || {
        Some(
            json!({ "title": "x", "email": "x@example.org", "role": "optional", "response": "accepted", "minutes": [5] }),
        )
    };
    for (method, rest, body) in [
        (Method::GET, String::new(), None),
        (Method::PUT, String::new(), change()),
        (Method::PATCH, String::new(), change()),
        (Method::DELETE, String::new(), None),
        (Method::POST, "/restore".to_owned(), None),
        (Method::GET, ".ics".to_owned(), None),
        (Method::POST, "/participants".to_owned(), change()),
        (Method::PUT, format!("/participants/{someone}"), change()),
        (Method::DELETE, format!("/participants/{someone}"), None),
        (Method::POST, "/respond".to_owned(), change()),
        (Method::POST, "/reminder".to_owned(), None),
        (Method::GET, "/reminders".to_owned(), None),
        (Method::GET, "/reminders/me".to_owned(), None),
        (Method::PUT, "/reminders/me".to_owned(), change()),
    ] {
        let theirs = bob.call(method.clone(), &format!("/api/meetings/{id}{rest}"), body.clone()).await;
        let absent = bob.call(method.clone(), &format!("/api/meetings/{ABSENT}{rest}"), body).await;
        assert_eq!(theirs.0, StatusCode::NOT_FOUND, "{method} {rest}");
        assert_eq!(theirs.1.to_string(), absent.1.to_string(), "{method} {rest}");
    }
    assert_eq!(bob.get("/api/meetings/").await.1["total"], 0);
}

async fn a_change_is_meant_for_the_version_that_was_seen(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let meeting = ada.meeting(json!({ "title": "x", "meeting_date": "2099-01-01T00:00:00Z" })).await;
    let send = async |method: Method, rest: &str, tag: &str, body: Value| {
        let request = ada.request(method, &format!("{}{rest}", path(&meeting))).header("If-Match", tag);
        let answer = request.json(&body).send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!(send(Method::PATCH, "", "\"1\"", json!({ "title": "y" })).await.0, StatusCode::OK);
    let invitation = json!({ "email": "guest@example.org" });
    for (method, rest, body) in [
        (Method::PUT, "", json!({ "title": "z" })),
        (Method::DELETE, "", json!({})),
        (Method::POST, "/participants", invitation.clone()),
    ] {
        let (status, problem) = send(method.clone(), rest, "\"1\"", body).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{method}");
        assert_eq!((&problem["current"]["version"], &problem["current"]["title"]), (&json!(2), &json!("y")));
    }
    assert_eq!(send(Method::POST, "/participants", "\"2\"", invitation).await.1["version"], 3);
}

async fn a_meeting_that_is_called_many_times_at_once_under_one_key_is_called_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let call = |ada: &Person<'_>| {
        let body =
            json!({ "title": "x", "meeting_date": "2099-01-01T00:00:00Z", "participant_emails": ["g@example.org"] });
        let request = ada.request(Method::POST, "/api/meetings/").header("Idempotency-Key", "one").json(&body);
        async {
            let answer = request.send().await.expect("an answer");
            (answer.status(), answer.headers()["location"].clone(), answer.text().await.expect("a body"))
        }
    };
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        waiting.spawn(call(&ada));
    }
    let answers = waiting.join_all().await;
    assert_eq!(answers[0].0, StatusCode::CREATED, "{}", answers[0].2);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let other =
        ada.request(Method::POST, "/api/meetings/").header("Idempotency-Key", "one").json(&json!({ "title": "y" }));
    assert_eq!(other.send().await.expect("an answer").status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ada.get("/api/meetings/").await.1["total"], 1);
}

async fn a_meeting_goes_into_a_calendar(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let title = "Plans; costs, \u{1f389}\\ and a title that is long enough to be folded in any calendar object at all";
    let meeting = ada.meeting(json!({ "title": title, "meeting_date": "2099-03-29T09:00:00Z" })).await;
    let request = ada.request(Method::GET, &format!("{}.ics", path(&meeting)));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers()["content-type"].to_str().expect("ASCII").starts_with("text/calendar; charset=utf-8"));
    let text = answer.text().await.expect("text");
    assert!(text.lines().all(|line| line.len() <= 75) && text.contains("\r\n"), "{text}");
    let unfolded = text.replace("\r\n ", "");
    for line in ["METHOD:PUBLISH", "DTSTART:20990329T090000Z", "SUMMARY:Plans\\; costs\\, \u{1f389}\\\\ and a title"] {
        assert!(unfolded.contains(line), "{line} is missing in {unfolded}");
    }
    assert!(unfolded.contains(meeting["id"].as_str().expect("an id")));
}

/// Prints how long 500 people take; asserts no time, since tests share their machine.
async fn five_hundred_people_are_invited_at_once_and_not_one_more(backend: Backend) {
    let server = backend.start(&[("HOLD_MAIL", "true")]).await;
    let ada = server.person("ada").await;
    let people: Vec<_> = (1..500).map(|n| json!({ "email": format!("guest{n}@example.org") })).collect();
    let body = json!({ "title": "All hands", "meeting_date": "2099-01-01T00:00:00Z", "participants": people });
    #[expect(clippy::disallowed_methods, reason = "it is measured from outside")]
    let began = std::time::Instant::now();
    let meeting = ada.meeting(body).await;
    println!("a meeting of 500 people: {:?}", began.elapsed());
    assert_eq!(meeting["participants"].as_array().expect("people").len(), 500);
    let one_more = json!({ "email": "one.too.many@example.org" });
    let (status, problem) = ada.call(Method::POST, &format!("{}/participants", path(&meeting)), Some(one_more)).await;
    assert_eq!((status, fields(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec!["participants"]));
    assert_eq!(
        ada.get(&format!("{}/reminders?size=100", path(&meeting))).await.1["items"].as_array().map(Vec::len),
        Some(100)
    );
}
