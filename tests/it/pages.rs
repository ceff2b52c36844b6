//! Pages behind links, and what browsers are shown instead of problems.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admins::admin;
use crate::letters::{letter, link};
use crate::times::soon;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::Server;

on_each_store![
    each_answer_of_an_invitation_has_its_own_link_that_only_its_form_confirms,
    a_due_task_is_completed_and_postponed_by_the_links_of_its_reminder,
    each_task_of_a_reminder_of_several_is_done_or_postponed_behind_its_own_link,
    a_summary_in_the_mail_leads_to_its_meetings_as_the_page_of_the_day_does,
    a_link_to_verify_that_is_none_shows_no_button_and_a_password_page_names_the_account,
    browsers_read_errors_as_pages_and_programs_as_problems,
    the_root_is_for_people_and_says_so_to_browsers_only,
    guests_read_pages_in_the_language_that_was_given_for_them,
    a_link_that_leads_nowhere_speaks_the_language_of_whom_it_was_for,
];

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A link of a mail whose line has these words; the path alone.
fn labelled(mail: &Value, page: &str, words: &str) -> String {
    let text = mail["text"].as_str().expect("text");
    let line = text.lines().find(|line| line.contains(page) && line.contains(words));
    let line = line.unwrap_or_else(|| panic!("no {words} in {text}"));
    line[line.find(page).expect("a link")..].trim().to_owned()
}

async fn page(server: &Server, path: &str) -> String {
    let answer = server.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.text().await.expect("a page")
}

async fn press(server: &Server, path: &str, form: &[(&str, &str)]) -> String {
    let answer = server.request(Method::POST, path).form(form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.text().await.expect("a page")
}

async fn each_answer_of_an_invitation_has_its_own_link_that_only_its_form_confirms(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({
        "title": "Quarterly review", "meeting_date": "2099-07-01T11:30:00", "time_zone": "Europe/Berlin",
        "participant_emails": ["guest@example.org"],
    });
    let meeting = ada.meeting(body).await;
    let path = format!("/api/meetings/{}", meeting["id"].as_str().expect("an id"));
    let mail = letter(&server, "guest@example.org", "Quarterly review").await;
    let response = async || {
        let (_, meeting) = ada.get(&path).await;
        let people = meeting["participants"].as_array().expect("people").clone();
        let guest = people.iter().find(|one| one["email"] == "guest@example.org").expect("the guest").clone();
        guest["response_status"].as_str().expect("a response").to_owned()
    };
    let mut before = "pending".to_owned();
    for (label, answer) in [("Accept", "accepted"), ("Maybe", "tentative"), ("Decline", "declined")] {
        let link = labelled(&mail, "/r/", label);
        for method in [Method::GET, Method::HEAD] {
            let looked = server.request(method, &link).send().await.expect("an answer");
            assert_eq!(looked.status(), StatusCode::OK);
        }
        assert_eq!(response().await, before, "looking changes nothing");
        let shown = page(&server, &link).await;
        let primary = format!("<button name=\"response\" value=\"{answer}\" class=\"primary\">Confirm");
        assert!(shown.contains(&primary) && shown.matches("<button").count() == 3, "{shown}");
        assert!(shown.contains("Quarterly review") && shown.contains("11:30"), "{shown}");
        let saved = press(&server, &link, &[("response", answer), ("comment", "")]).await;
        assert!(saved.contains("Saved") && saved.contains(".ics"), "{saved}");
        assert_eq!(response().await, answer);
        before = answer.to_owned();
        let calendar = server.get(&format!("{link}.ics")).await;
        assert_eq!(calendar.headers()["content-type"], "text/calendar; charset=utf-8");
        assert!(calendar.text().await.expect("a calendar").contains("SUMMARY:Quarterly review"));
    }
}

async fn a_due_task_is_completed_and_postponed_by_the_links_of_its_reminder(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({ "title": "Water the plants", "due_at": soon(300), "reminder_minutes": 30 });
    let task = ada.task(body).await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let mail = letter(&server, "ada@example.org", "Water the plants").await;
    let (done, hour) = (labelled(&mail, "/t/", "Done"), labelled(&mail, "/t/", "1 hour"));
    for link in [&done, &hour] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(server.request(method, link).send().await.expect("an answer").status(), StatusCode::OK);
        }
    }
    assert_eq!(ada.get(&path).await.1, task, "looking changes nothing");
    assert!(page(&server, &hour).await.contains("value=\"hour\" class=\"primary\""));
    for _ in 0..2 {
        let saved = press(&server, &hour, &[("action", "hour")]).await;
        assert!(saved.contains("Saved") && saved.contains("value=\"unsnooze\""), "{saved}");
    }
    assert_eq!(ada.get(&path).await.1, task, "the due time stays");
    assert!(press(&server, &hour, &[("action", "unsnooze")]).await.contains("no longer postponed"));
    for _ in 0..2 {
        assert!(press(&server, &done, &[("action", "done")]).await.contains("The task is done"));
        assert_eq!(ada.get(&path).await.1["status"], "completed");
    }
    let told = press(&server, &hour, &[("action", "tomorrow")]).await;
    assert!(told.contains("Nothing was changed"), "{told}");
    assert!(press(&server, &done, &[("action", "reopen"), ("status", "pending")]).await.contains("open again"));
    assert_eq!(ada.get(&path).await.1["status"], "pending");
    let bad = server.request(Method::POST, &done).form(&[("action", "burn")]).send().await.expect("an answer");
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

async fn each_task_of_a_reminder_of_several_is_done_or_postponed_behind_its_own_link(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let due_at = soon(65);
    for title in ["q3", "q4"] {
        ada.task(json!({ "title": title, "due_at": due_at, "reminder_minutes": 1 })).await;
    }
    let mail = letter(&server, "ada@example.org", "Reminders for 2 tasks, first: q").await;
    let text = mail["text"].as_str().expect("text");
    assert!(text.contains("* q3\n") && text.contains("* q4\n"), "{text}");
    let links: Vec<_> = text.lines().filter_map(|line| line.find("/t/").map(|at| line[at..].to_owned())).collect();
    assert_eq!(links.len(), 2, "{text}");
    let mut titles = Vec::new();
    for link in &links {
        let shown = page(&server, link).await;
        for part in [">Done<", ">Remind me in 1 hour<", ">Remind me tomorrow at 09:00<"] {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
        titles.extend(["q3", "q4"].into_iter().filter(|title| shown.contains(&format!(">{title}</h1>"))));
        assert!(press(&server, link, &[("action", "done")]).await.contains("The task is done"));
    }
    titles.sort_unstable();
    assert_eq!(titles, ["q3", "q4"]);
}

async fn a_summary_in_the_mail_leads_to_its_meetings_as_the_page_of_the_day_does(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = admin(&server, "ada").await;
    // Where it is noon, so that the meeting is today's.
    let hour: i32 = soon(0)[11..13].parse().expect("an hour");
    let zone = if hour >= 12 { format!("Etc/GMT+{}", hour - 12) } else { format!("Etc/GMT-{}", 12 - hour) };
    assert_eq!(ada.call(Method::PATCH, "/api/users/me", Some(json!({ "time_zone": zone }))).await.0, StatusCode::OK);
    ada.meeting(json!({ "title": "Review", "meeting_date": soon(3600), "location": "Room 1" })).await;
    ada.task(json!({ "title": "Prepare", "due_at": soon(3600), "priority": "high" })).await;
    assert_eq!(ada.call(Method::POST, "/api/jobs/daily_summaries/run", None).await.0, StatusCode::ACCEPTED);
    let mail = letter(&server, "ada@example.org", "Your day").await;
    let text = mail["text"].as_str().expect("text");
    let review = &text[text.find("* Review").unwrap_or_else(|| panic!("no meeting in {text}"))..];
    let url = review.lines().find_map(|line| line.find("/r/").map(|at| &line[at..])).expect("a link");
    assert!(page(&server, url).await.contains(">Review</h1>"));
    let day = page(&server, &link(&mail, "/d/")).await;
    assert!(day.contains("/r/") && day.contains("Room 1") && day.contains("high priority"), "{day}");
}

async fn a_link_to_verify_that_is_none_shows_no_button_and_a_password_page_names_the_account(backend: Backend) {
    let server = backend.start(&[]).await;
    let bogus = server.get("/v/abc").await;
    assert_eq!(bogus.status(), StatusCode::NOT_FOUND);
    let bogus = bogus.text().await.expect("a page");
    assert!(!bogus.contains("<button") && !bogus.contains("<form") && bogus.contains("href=\"../\""), "{bogus}");
    let ada = server.person("ada").await;
    drop(ada);
    let body = json!({ "email": "ada@example.org" });
    server.request(Method::POST, "/api/auth/password/forgot").json(&body).send().await.expect("an answer");
    let link = link(&letter(&server, "ada@example.org", "password").await, "/p/");
    let form = page(&server, &link).await;
    for part in ["value=\"ada\" autocomplete=\"username\"", "autocomplete=\"new-password\"", "8 to 128 characters"] {
        assert!(form.contains(part), "{part} is missing in {form}");
    }
}

async fn browsers_read_errors_as_pages_and_programs_as_problems(backend: Backend) {
    let server = backend.start(&[]).await;
    for (method, path, status) in [
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        (Method::DELETE, "/health", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/api/tasks/", StatusCode::UNAUTHORIZED),
    ] {
        let request = |accept: &'static str| server.request(method.clone(), path).header("accept", accept);
        let answer = request(BROWSER).header("accept-language", "de").send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers.contains_key("allow"), status == StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(headers.contains_key("www-authenticate"), status == StatusCode::UNAUTHORIZED);
        assert!(headers["content-security-policy"].to_str().expect("ASCII").starts_with("default-src 'none'"));
        let page = answer.text().await.expect("a page");
        assert!(page.contains("<html lang=\"de\">") && page.contains("<h1") && !page.contains("<script"), "{page}");
        for accept in ["*/*", "application/json"] {
            let answer = request(accept).send().await.expect("an answer");
            assert_eq!(
                (answer.status(), &answer.headers()["content-type"]),
                (status, &"application/problem+json".parse().expect("a value"))
            );
        }
    }
}

async fn the_root_is_for_people_and_says_so_to_browsers_only(backend: Backend) {
    let server = backend.start(&[]).await;
    let people = server.request(Method::GET, "/").header("accept", BROWSER).send().await.expect("an answer");
    let start = people.text().await.expect("a page");
    assert!(start.contains("href=\"docs\"") && !start.contains("<script"), "{start}");
    let icon = server.get("/favicon.ico").await;
    assert_eq!(icon.headers()["content-type"], "image/svg+xml");
    assert!(server.get("/robots.txt").await.text().await.expect("text").contains("Disallow: /"));
}

async fn guests_read_pages_in_the_language_that_was_given_for_them(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let body = json!({
        "title": "Plans", "meeting_date": "2099-07-01T09:00:00", "time_zone": "Europe/Berlin",
        "participants": [{ "email": "gast@example.org", "locale": "de", "time_zone": "America/New_York" }],
    });
    ada.meeting(body).await;
    let link = link(&letter(&server, "gast@example.org", "Plans").await, "/r/");
    let page = page(&server, &link).await;
    assert!(page.contains("<html lang=\"de\">") && page.contains("Einladung zu „Plans“ annehmen?"), "{page}");
    assert!(page.contains("Mittwoch, 1. Juli 2099, 03:00") && page.contains("EDT (America/New_York)"), "{page}");
    assert!(page.contains("Sie haben noch nicht geantwortet.") && !page.contains("gast@example.org"), "{page}");
    let form = [("response", "accepted"), ("comment", &"x".repeat(1001))];
    let refused = server.request(Method::POST, &link).form(&form).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let refused = refused.text().await.expect("a page");
    assert!(
        refused.contains("Der Kommentar ist zu lang") && refused.contains("<h1 dir=\"auto\">Plans</h1>"),
        "{refused}"
    );
    let saved = press(&server, &link, &[("response", "accepted"), ("comment", "")]).await;
    assert!(saved.contains("Ihre Antwort ist gespeichert: zugesagt.") && saved.contains(">Plans</h1>"), "{saved}");
}

async fn a_link_that_leads_nowhere_speaks_the_language_of_whom_it_was_for(backend: Backend) {
    let server = backend.start(&[]).await;
    let karl = server.person("karl").await;
    assert_eq!(karl.call(Method::PATCH, "/api/users/me", Some(json!({ "locale": "de" }))).await.0, StatusCode::OK);
    let task = karl.task(json!({ "title": "Blumen", "due_at": soon(300), "reminder_minutes": 30 })).await;
    let open = link(&letter(&server, "karl@example.org", "Blumen").await, "/t/");
    let meeting = json!({
        "title": "Plans", "meeting_date": "2099-07-01T09:00:00", "time_zone": "Europe/Berlin",
        "participants": [{ "email": "gast@example.org", "locale": "de" }],
    });
    let meeting = karl.meeting(meeting).await;
    let answer = link(&letter(&server, "gast@example.org", "Plans").await, "/r/");
    let body = json!({ "email": "karl@example.org" });
    server.request(Method::POST, "/api/auth/password/forgot").json(&body).send().await.expect("an answer");
    let password = link(&letter(&server, "karl@example.org", "Passwort").await, "/p/");
    let short = server.request(Method::POST, &password).form(&[("password", "short")]).send().await.expect("an answer");
    assert!(short.text().await.expect("a page").contains("Das Passwort ist zu kurz: Es braucht mindestens 8 Zeichen."));

    let delete = async |path: String| assert!(karl.call(Method::DELETE, &path, None).await.0.is_success(), "{path}");
    delete(format!("/api/tasks/{}", task["id"].as_str().expect("an id"))).await;
    let guest =
        meeting["participants"].as_array().expect("people").iter().find(|one| one["email"] == "gast@example.org");
    let guest = guest.expect("the guest")["id"].as_str().expect("an id").to_owned();
    delete(format!("/api/meetings/{}/participants/{guest}", meeting["id"].as_str().expect("an id"))).await;
    press(&server, &password, &[("password", "another good password entirely")]).await;
    for path in [&open, &answer, &password] {
        for method in [Method::GET, Method::POST] {
            let request = server.request(method, path).header("accept-language", "en");
            let form = [("action", "done"), ("response", "accepted"), ("password", "another good password again")];
            let dead = request.form(&form).send().await.expect("an answer");
            assert_eq!(dead.status(), StatusCode::NOT_FOUND, "{path}");
            let dead = dead.text().await.expect("a page");
            assert!(dead.contains("<html lang=\"de\">"), "{path}: {dead}");
        }
    }
    let unknown =
        server.request(Method::GET, "/t/abc").header("accept-language", "en").send().await.expect("an answer");
    assert!(unknown.text().await.expect("a page").contains("<html lang=\"en\">"), "nobody knows whose it is");
}
