use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::letters::{letter, link};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{Person, Server};

on_each_store![
    a_guest_sees_the_meeting_by_a_link_and_answers_with_a_form,
    a_link_that_is_none_is_a_page_that_says_so,
    a_cancelled_meeting_is_shown_and_takes_no_answer,
    links_outlive_another_secret_as_long_as_it_is_known,
];

const GUEST: &str = "guest@example.org";

/// A meeting with a guest, its path, and the path of the link that the guest got.
async fn invited(server: &Server, ada: &Person<'_>) -> (String, String) {
    let body = json!({
        "title": "<b>Plans & costs</b>", "meeting_date": "2099-07-01T09:00:00", "time_zone": "Europe/Berlin",
        "location": "Room <1>", "participants": [{ "email": GUEST, "name": "Grace" }],
    });
    let meeting = ada.meeting(body).await;
    let mail = letter(server, GUEST, "Plans").await;
    (format!("/api/meetings/{}", meeting["id"].as_str().expect("an id")), link(&mail, "/r/"))
}

async fn guest(ada: &Person<'_>, meeting: &str) -> Value {
    let (_, meeting) = ada.get(meeting).await;
    let people = meeting["participants"].as_array().expect("people");
    people.iter().find(|one| one["email"] == GUEST).expect("the guest").clone()
}

async fn a_guest_sees_the_meeting_by_a_link_and_answers_with_a_form(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (meeting, link) = invited(&server, &ada).await;
    // Mail scanners look before people do.
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let answer = server.request(method, &link).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(guest(&ada, &meeting).await["response_status"], "pending");
    let answer = server.get(&link).await;
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    assert!(answer.headers()["content-security-policy"].to_str().expect("ASCII").starts_with("default-src 'none'"));
    let page = answer.text().await.expect("a page");
    for text in [
        "&lt;b&gt;Plans &amp; costs&lt;/b&gt;",
        "Wednesday, 1 July 2099, 09:00\u{a0}\u{2013}\u{2060}\u{a0}10:00\u{a0}CEST (Europe/Berlin)",
        "Room &lt;1&gt;",
        "ada (taskflow@localhost.localdomain)",
        "You have not answered yet",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("src="));

    let form = [("response", "accepted"), ("comment", "see you\r\nthere")];
    let answer = server.request(Method::POST, &link).form(&form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.expect("a page");
    assert!(page.contains("Your answer is saved: accepted.") && page.contains("Keep my answer: accepted"), "{page}");
    let one = guest(&ada, &meeting).await;
    assert_eq!((&one["response_status"], &one["comment"]), (&json!("accepted"), &json!("see you\r\nthere")));
    // Another answer replaces it; programs may speak JSON.
    let answer =
        server.request(Method::POST, &link).json(&json!({ "response": "declined" })).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let one: Value = answer.json().await.expect("JSON");
    assert_eq!(guest(&ada, &meeting).await, one);
    assert_eq!((&one["response_status"], one.get("comment")), (&json!("declined"), None));
}

async fn a_link_that_is_none_is_a_page_that_says_so(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (meeting, link) = invited(&server, &ada).await;
    let mut wrong = vec!["/r/x".to_owned(), format!("{link}A"), link.replace("/r/", "/r/A")];
    let form = [("response", "accepted")];
    let id = guest(&ada, &meeting).await["id"].as_str().expect("an id").to_owned();
    for (path, status) in [(link.clone(), StatusCode::OK), (wrong.remove(0), StatusCode::NOT_FOUND)] {
        let answer = server.request(Method::POST, &path).form(&form).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
    for path in &wrong {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(answer.text().await.expect("a page").contains("leads nowhere"));
    }
    for bad in [vec![("response", "pending")], vec![], vec![("response", "accepted"), ("comment", &"x".repeat(1001))]] {
        let answer = server.request(Method::POST, &link).form(&bad).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().await.expect("a page").contains("has not been saved"));
    }
    let bad = server.request(Method::POST, &link).json(&json!({})).send().await.expect("an answer");
    assert_eq!(bad.headers()["content-type"], "application/problem+json");
    assert_eq!(bad.json::<Value>().await.expect("JSON")["errors"][0]["field"], "response");
    // Whoever was taken off has no meeting any more.
    let gone = ada.request(Method::DELETE, &format!("{meeting}/participants/{id}")).send().await.expect("an answer");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.get(&link).await.status(), StatusCode::NOT_FOUND);
}

async fn a_cancelled_meeting_is_shown_and_takes_no_answer(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (meeting, link) = invited(&server, &ada).await;
    assert_eq!(ada.call(Method::DELETE, &meeting, None).await.0, StatusCode::NO_CONTENT);
    let page = server.get(&link).await.text().await.expect("a page");
    assert!(page.contains("is cancelled") && !page.contains("<form"), "{page}");
    let answer = server.request(Method::POST, &link).form(&[("response", "accepted")]).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

async fn links_outlive_another_secret_as_long_as_it_is_known(backend: Backend) {
    let (one, two) = ("the first secret of two that are long", "the second secret of two that are long");
    let server = backend.start(&[("SECRET_KEY", one)]).await;
    let link = invited(&server, &server.person("ada").await).await.1;
    let server = server.restart(&[("SECRET_KEY", two), ("SECRET_KEY_PREVIOUS", one)]).await;
    assert_eq!(server.get(&link).await.status(), StatusCode::OK);
    let server = server.restart(&[("SECRET_KEY", two)]).await;
    assert_eq!(server.get(&link).await.status(), StatusCode::NOT_FOUND);
}
