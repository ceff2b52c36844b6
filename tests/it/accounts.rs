use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::PASSWORD;

on_each_store![
    a_person_registers_signs_in_by_name_or_address_and_sees_themselves,
    the_password_form_of_oauth2_signs_in_too,
    a_taken_name_or_address_is_409_in_any_case,
    wrong_sign_ins_look_alike,
    every_token_but_a_fresh_one_of_ours_is_401,
    a_profile_changes_and_another_password_or_address_needs_the_current_one,
    a_deleted_account_is_gone_with_its_tasks_and_its_name_is_free,
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

async fn a_password_is_the_same_on_every_keyboard(backend: Backend) {
    let server = backend.start(&[]).await;
    let registration = json!({ "username": "ada", "email": "ada@example.org", "password": "Gr\u{fc}n am See" });
    assert_eq!(server.post("/api/auth/register", registration).await.status(), StatusCode::CREATED);
    let ada = server.sign_in("ada", "Gru\u{308}n am\u{a0}See").await;
    assert_eq!(ada.get("/api/auth/me").await.0, StatusCode::OK);
}
