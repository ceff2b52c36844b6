use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::rows::Rows;
use taskflow_testkit::server::{PASSWORD, Server};

on_each_store![
    a_person_registers_signs_in_by_name_or_address_and_sees_themselves,
    the_password_form_of_oauth2_signs_in_too,
    a_taken_name_or_address_is_409_in_any_case,
    wrong_sign_ins_look_alike,
    every_token_but_a_fresh_one_of_ours_is_401,
    a_profile_changes_and_another_password_or_address_needs_the_current_one,
    a_deleted_account_is_gone_with_its_tasks_and_its_name_is_free,
    deleting_an_account_needs_a_fresh_proof,
    guesses_at_a_confirmation_are_counted_as_sign_ins,
    a_password_is_the_same_on_every_keyboard,
];

async fn a_person_registers_signs_in_by_name_or_address_and_sees_themselves(backend: Backend) {
    let server = backend.start(&[]).await;
    let registration = json!({
        "username": "Ada", "email": "Ada@Example.org", "password": "password123", "time_zone": "europe/berlin",
    });
    let answer = server.post("/api/auth/register", registration).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let user: Value = answer.json().await.expect("JSON");
    assert_eq!(user["time_zone"], "Europe/Berlin");
    assert_eq!(
        (&user["is_active"], &user["is_admin"], &user["email_verified"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert!(user.get("password").is_none());
    for name in ["Ada", "ada", "ADA@example.ORG"] {
        let ada = server.sign_in(name, "password123").await;
        assert_eq!(ada.get("/api/auth/me").await, (StatusCode::OK, user.clone()));
        assert_eq!(ada.get("/api/users/me").await.1, user);
    }
}

async fn the_password_form_of_oauth2_signs_in_too(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", "")];
    let answer = server.request(Method::POST, "/api/auth/login").form(&form).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let token: Value = answer.json().await.expect("JSON");
    assert_eq!(token["token_type"], "bearer");
    assert_eq!(token["expires_in"], 1800);
}

async fn a_taken_name_or_address_is_409_in_any_case(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    for (name, email) in [("ADA", "new@example.org"), ("other", "ADA@example.org")] {
        let taken = json!({ "username": name, "email": email, "password": PASSWORD });
        let answer = server.post("/api/auth/register", taken).await;
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

async fn wrong_sign_ins_look_alike(backend: Backend) {
    let server = backend.start(&[]).await;
    server.person("ada").await;
    let mut answers = Vec::new();
    for (name, password) in [("ada", "wrong password"), ("nobody", PASSWORD), ("nobody@example.org", PASSWORD)] {
        let answer = server.post("/api/auth/login", json!({ "username": name, "password": password })).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().contains_key("www-authenticate"));
        answers.push(answer.text().await.expect("a body"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

async fn every_token_but_a_fresh_one_of_ours_is_401(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let mut parts: Vec<&str> = ada.token.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let forged = format!("{}.{}.{}", none, parts[1], "");
    parts[2] = "AAAA";
    let long = "x".repeat(20_000);
    for token in ["", "x", "a.b.c", &parts.join("."), &forged, &long] {
        let answer = server.request(Method::GET, "/api/auth/me").bearer_auth(token).send().await.expect("an answer");
        let status = answer.status();
        // A header of that size may be refused before anybody looks at it.
        let expected = [StatusCode::UNAUTHORIZED, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE];
        assert!(expected.contains(&status), "{status} for {token:.20}");
    }
    assert_eq!(server.get("/api/auth/me").await.status(), StatusCode::UNAUTHORIZED);
}

async fn a_profile_changes_and_another_password_or_address_needs_the_current_one(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let (status, user) = ada.call(Method::PATCH, "/api/users/me", Some(json!({ "time_zone": "Asia/Tokyo" }))).await;
    assert_eq!((status, &user["time_zone"]), (StatusCode::OK, &json!("Asia/Tokyo")));
    for change in [json!({ "password": "another good password" }), json!({ "email": "new@example.org" })] {
        let (status, problem) = ada.call(Method::PATCH, "/api/users/me", Some(change)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["errors"][0]["field"], "current_password");
    }
    let wrong = json!({ "password": "another good password", "current_password": "not this" });
    let (status, problem) = ada.call(Method::PUT, "/api/users/me", Some(wrong)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let right = json!({ "password": "another good password", "current_password": PASSWORD });
    assert_eq!(ada.call(Method::PUT, "/api/users/me", Some(right)).await.0, StatusCode::OK);
    // What was signed in with the old password no longer is.
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::UNAUTHORIZED);
    let again = server.sign_in("ada", "another good password").await;
    assert_eq!(again.get("/api/auth/me").await.0, StatusCode::OK);
}

async fn a_deleted_account_is_gone_with_its_tasks_and_its_name_is_free(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    ada.task(json!({ "title": "x" })).await;
    let answer = ada.request(Method::DELETE, "/api/users/me").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::UNAUTHORIZED);
    let next = server.person("ada").await;
    assert_eq!(next.get("/api/tasks/").await.1["total"], 0);
}

/// Makes every proof eleven minutes older.
async fn age_proofs(server: &Server) {
    let url = server.database_url();
    let span = if url.starts_with("sqlite:") { "660000000" } else { "interval '11 minutes'" };
    let aged =
        format!("UPDATE taskflow_sessions SET created_at = created_at - {span}, confirmed_at = confirmed_at - {span}");
    assert!(Rows::open(&url).await.edit(&aged).await > 0);
}

async fn deleting_an_account_needs_a_fresh_proof(backend: Backend) {
    let server = backend.start(&[]).await;
    let delete = async |person: &taskflow_testkit::server::Person<'_>, body: Option<Value>| {
        let request = person.request(Method::DELETE, "/api/users/me");
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.expect("an answer")
    };
    let ada = server.person("ada").await;
    age_proofs(&server).await;
    let refused = delete(&ada, None).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().expect("ASCII").to_owned();
    assert!(
        challenge.contains("error=\"insufficient_user_authentication\"") && challenge.contains("max_age=\"600\""),
        "{challenge}"
    );
    let problem: Value = refused.json().await.expect("JSON");
    assert_eq!(problem["code"], "reauthenticate");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("POST /api/auth/confirm")), "{problem}");
    let wrong = delete(&ada, Some(json!({ "password": "not the password" }))).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let (status, problem) = ada.call(Method::POST, "/api/auth/confirm", Some(json!({ "password": "wrong one" }))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("password")));
    assert_eq!(delete(&ada, None).await.status(), StatusCode::UNAUTHORIZED);

    let (status, confirmed) = ada.call(Method::POST, "/api/auth/confirm", Some(json!({ "password": PASSWORD }))).await;
    assert_eq!((status, &confirmed["token_type"]), (StatusCode::OK, &json!("bearer")), "{confirmed}");
    let token = confirmed["access_token"].as_str().expect("a token");
    let me = server.request(Method::GET, "/api/users/me").bearer_auth(token).send().await.expect("an answer");
    assert_eq!(me.status(), StatusCode::OK);
    // A confirmation is of its session alone, and passes as a sign-in does.
    let other = server.sign_in("ada", PASSWORD).await;
    age_proofs(&server).await;
    assert_eq!(delete(&ada, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        ada.call(Method::POST, "/api/auth/confirm", Some(json!({ "password": PASSWORD }))).await.0,
        StatusCode::OK
    );
    assert_eq!(delete(&other, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(delete(&ada, None).await.status(), StatusCode::NO_CONTENT);

    let bob = server.person("bob").await;
    age_proofs(&server).await;
    assert_eq!(delete(&bob, Some(json!({ "password": PASSWORD }))).await.status(), StatusCode::NO_CONTENT);
}

async fn guesses_at_a_confirmation_are_counted_as_sign_ins(backend: Backend) {
    let server = backend.start(&[("RATE_LIMITS", "on")]).await;
    let ada = server.person("ada").await;
    let mut statuses = Vec::new();
    for n in 0..9 {
        let guess = json!({ "password": "not the password" });
        let answer = match n % 3 {
            0 => ada.call(Method::POST, "/api/auth/confirm", Some(guess)).await,
            1 => ada.call(Method::DELETE, "/api/users/me", Some(guess)).await,
            _ => {
                let change = json!({ "password": "another good password", "current_password": "not this" });
                ada.call(Method::PATCH, "/api/users/me", Some(change)).await
            }
        };
        statuses.push(answer.0);
    }
    let hashed = statuses.iter().filter(|status| **status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert!((5..=6).contains(&hashed), "{statuses:?}");
    assert_eq!(statuses[8], StatusCode::TOO_MANY_REQUESTS, "{statuses:?}");
}

async fn a_password_is_the_same_on_every_keyboard(backend: Backend) {
    let server = backend.start(&[]).await;
    let registration = json!({ "username": "ada", "email": "ada@example.org", "password": "Gr\u{fc}n am See" });
    assert_eq!(server.post("/api/auth/register", registration).await.status(), StatusCode::CREATED);
    let ada = server.sign_in("ada", "Gru\u{308}n am\u{a0}See").await;
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::OK);
}
