use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::letters::{letter, letters, link};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::PASSWORD;
use taskflow_testkit::wait::eventually;

on_each_store![
    an_address_is_verified_by_the_button_behind_the_link_in_its_mail,
    a_forgotten_password_is_set_anew_by_a_link_that_works_once,
    administrators_find_and_lock_accounts_and_nobody_else_learns_of_it,
    an_operator_vouches_for_the_address_of_an_account_they_make,
];

const NEW: &str = "another good password entirely";

async fn an_address_is_verified_by_the_button_behind_the_link_in_its_mail(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let link = link(&letter(&server, "ada@example.org", "Welcome").await, "/v/");
    let page = server.get(&link).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.expect("a page").contains("<form method=\"post\">"));
    assert_eq!(ada.get("/api/users/me").await.1["email_verified"], false);
    let press = async |path: &str| server.request(Method::POST, path).send().await.expect("an answer").status();
    assert_eq!(press("/v/nonsense").await, StatusCode::NOT_FOUND);
    assert_eq!(press(&link).await, StatusCode::OK);
    assert_eq!(ada.get("/api/users/me").await.1["email_verified"], true);
    // People press twice.
    assert_eq!(press(&link).await, StatusCode::OK);
    assert_eq!(ada.call(Method::POST, "/api/auth/email/resend", None).await.0, StatusCode::ACCEPTED);

    let change = json!({ "email": "ada@new.example", "current_password": PASSWORD });
    let (_, user) = ada.call(Method::PATCH, "/api/users/me", Some(change)).await;
    assert_eq!(user["email_verified"], false, "{user}");
    let first = letter(&server, "ada@new.example", "").await;
    assert_eq!(ada.call(Method::POST, "/api/auth/email/resend", None).await.0, StatusCode::ACCEPTED);
    letters(&server, "ada@new.example", "", 2).await;
    let token = crate::letters::link(&first, "/v/").replace("/v/", "");
    assert_eq!(server.post("/api/auth/email/verify", json!({ "token": token })).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/users/me").await.1["email_verified"], true);
    // The link to the old address says nothing about the new one.
    assert_eq!(press(&link).await, StatusCode::NOT_FOUND);
}

async fn a_forgotten_password_is_set_anew_by_a_link_that_works_once(backend: Backend) {
    let server = backend.start(&[]).await;
    let ada = server.person("ada").await;
    let mut answers = Vec::new();
    for email in ["ADA@example.org", "nobody@example.org"] {
        let answer = server.post("/api/auth/password/forgot", json!({ "email": email })).await;
        answers.push((answer.status(), answer.text().await.expect("a body")));
    }
    assert_eq!(answers[0], (StatusCode::ACCEPTED, String::new()));
    assert_eq!(answers[0], answers[1]);
    let bad = server.post("/api/auth/password/forgot", json!({ "email": "x" })).await;
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);

    let link = eventually("a link", || async {
        let mails = letters(&server, "ada@example.org", "", 2).await;
        mails.into_iter().find(|mail| mail["text"].as_str().is_some_and(|text| text.contains("/p/")))
    });
    let link = crate::letters::link(&link.await, "/p/");
    let page = server.get(&link).await.text().await.expect("a page");
    assert!(page.contains("type=\"password\"") && !page.contains("<script"), "{page}");
    let reset = async |token: &str, password: &str| {
        let body = json!({ "token": token, "password": password });
        let answer = server.post("/api/auth/password/reset", body).await;
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };
    let token = link.replace("/p/", "");
    let (status, problem) = reset(&token, "short").await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("password")));
    let (status, problem) = reset("nonsense", NEW).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("token")));
    let form = server.request(Method::POST, &link).form(&[("password", "short")]).send().await.expect("an answer");
    assert_eq!(form.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(form.text().await.expect("a page").contains("8 to 128 characters"));
    assert_eq!(reset(&token, NEW).await.0, StatusCode::NO_CONTENT);

    assert_eq!(ada.get("/api/users/me").await.0, StatusCode::UNAUTHORIZED);
    let again = server.sign_in("ada", NEW).await;
    assert_eq!(again.get("/api/users/me").await.1["email_verified"], true);
    assert_eq!(reset(&token, PASSWORD).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get(&link).await.status(), StatusCode::NOT_FOUND);
    let form = server.request(Method::POST, &link).form(&[("password", PASSWORD)]).send().await.expect("an answer");
    assert_eq!(form.status(), StatusCode::NOT_FOUND);
}

async fn administrators_find_and_lock_accounts_and_nobody_else_learns_of_it(backend: Backend) {
    let server = backend.start(&[]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let bobs_id = bob.get("/api/users/me").await.1["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/users/{bobs_id}");
    let lock = || Some(json!({ "is_active": false }));
    for (method, path, body) in [(Method::GET, "/api/users", None), (Method::PATCH, path.as_str(), lock())] {
        let (status, problem) = ada.call(method, path, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    }
    let database = server.database_url();
    let mut command = taskflow_testkit::server::taskflow(&server.folder, &[("DATABASE_URL", &database)]);
    assert!(command.args(["user", "admin", "ada"]).output().expect("an end").status.success());

    let names = |list: &Value| -> Vec<String> {
        let users = list["items"].as_array().unwrap_or_else(|| panic!("items in {list}"));
        users.iter().map(|user| user["username"].as_str().expect("a name").to_owned()).collect()
    };
    let (_, first) = ada.get("/api/users?size=1").await;
    let (_, second) = ada.get(&format!("/api/users/?size=1&cursor={}", first["next"].as_str().expect("more"))).await;
    assert_eq!((names(&first), names(&second), second.get("next")), (vec!["ada".into()], vec!["bob".into()], None));
    assert_eq!(names(&ada.get("/api/users?q=BOB%20example").await.1), ["bob"]);
    assert_eq!(names(&ada.get("/api/users?q=nobody").await.1), [""; 0]);
    let (status, locked) = ada.call(Method::PATCH, &path, lock()).await;
    assert_eq!((status, &locked["is_active"]), (StatusCode::OK, &json!(false)));
    assert_eq!(bob.get("/api/users/me").await.0, StatusCode::UNAUTHORIZED);
    let (status, problem) = ada.call(Method::PATCH, &path, Some(json!({ "is_admin": "yes" }))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("is_admin")));
}

async fn an_operator_vouches_for_the_address_of_an_account_they_make(backend: Backend) {
    let server = backend.start(&[]).await;
    let database = server.database_url();
    let mut command = taskflow_testkit::server::taskflow(&server.folder, &[("DATABASE_URL", &database)]);
    let create = ["user", "create", "--username", "root", "--email", "root@example.org", "--password", PASSWORD];
    let made = command.args(create).output().expect("an end");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = server.sign_in("root", PASSWORD).await;
    assert_eq!(root.get("/api/users/me").await.1["email_verified"], true);
}
