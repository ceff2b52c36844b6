use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use poem::endpoint::make;
use poem::http::{HeaderMap, Method, StatusCode, Version};
use poem::{EndpointExt, Request, Response};
use serde_json::{Value, json};
use taskflow_core::ports::{NoBus, SystemClock};
use taskflow_core::{AccountStatusChange, Actor, App, ClockCheck, MemoryStore, UserId};
use taskflow_runtime::{Live, SchedulerPulse};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::front::Pipeline;
use crate::api::{ApiError, JsonEncoder};
use crate::auth::{
    Authenticator, DeviceTokens, GuessLimits, KnownSessions, Passwords, RevocationBus, RevocationList, Successors,
    Tokens,
};
use crate::config::{Config, PasswordPolicy, Registration};
use crate::samples::Samples;
use crate::service::{MAX_EVENT_STREAMS, Service};

fn service(config: Config) -> Arc<Service> {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(SystemClock::new());
    let lifetime = Duration::from_secs(1800);
    let revoked = Arc::new(RevocationList::new(store.clone(), clock.clone(), lifetime));
    let bus = Arc::new(RevocationBus::new(Arc::new(NoBus), revoked.clone()));
    let app = Arc::new(App::builder(store.clone()).clock(clock.clone()).bus(bus.clone()).build());
    revoked.refresh().now_or_never().expect("memory does not wait").expect("a refresh");
    Arc::new(Service {
        live: Arc::new(Live::new(app.clone(), bus, revoked.clone(), Arc::new(JsonEncoder))),
        auth: Authenticator {
            app: app.clone(),
            accounts: store.clone(),
            clock: clock.clone(),
            clock_check: Arc::new(ClockCheck::new(clock.clone(), Duration::ZERO)),
            tokens: Tokens::new(&config.secret_key, &config.previous_keys, lifetime),
            successors: Successors::new(&config.secret_key, &config.previous_keys),
            revoked,
            known: KnownSessions::new(store.clone()),
            passwords: Passwords::new(PasswordPolicy::Basic, 2),
            guesses: GuessLimits::new(store, &config.limits, &config.secret_key),
            devices: DeviceTokens::new(&config.secret_key, &config.previous_keys),
            reauthenticate_after: config.reauthenticate_after,
        },
        app,
        clock,
        event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
        samples: Samples::new(&config),
        config: Arc::new(config),
        scheduler: SchedulerPulse::default(),
        refused: Arc::default(),
    })
}

fn front() -> Pipeline {
    Pipeline::new(service(Config::for_tests()), TaskTracker::new())
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(mut response: Response) -> Self {
        let body = response.take_body().into_string().await.expect("text");
        Self { status: response.status(), headers: response.headers().clone(), body }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }

    fn fields(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    }
}

async fn call(front: &Pipeline, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
    let mut request = Request::builder().method(method).uri(path.parse().expect("a URI")).header("Host", "localhost");
    if !token.is_empty() {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let request = match body {
        Some(body) => request.content_type("application/json").body(body.to_string()),
        None => request.finish(),
    };
    Answer::of(front.answer(request).await).await
}

/// Registers somebody and signs them in.
async fn person(front: &Pipeline, name: &str) -> (UserId, String) {
    let email = format!("{name}@example.org");
    let new = json!({ "username": name, "email": email, "password": "password123" });
    let made = call(front, Method::POST, "/api/auth/register", "", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let login = json!({ "username": email, "password": "password123" });
    let token = call(front, Method::POST, "/api/auth/login", "", Some(login)).await.json();
    let id = made.json()["id"].as_str().expect("an id").parse().expect("an id");
    (id, token["access_token"].as_str().expect("a token").to_owned())
}

async fn panics() -> poem::Result<()> {
    panic!("secret")
}

#[tokio::test]
async fn a_panic_is_an_answer_without_details() {
    let mut front = front();
    front.operations = Arc::new(make(|_| async { panics().await }).map_to_response().boxed());
    let answer = call(&front, Method::GET, "/health", "", None).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (500, Some("internal")));
    assert!(!answer.body.contains("secret"));
}

#[tokio::test]
async fn an_unreachable_store_asks_to_come_back_later_and_says_no_more() {
    let mut front = front();
    let refuse = make(|_| async { Err::<(), poem::Error>(ApiError::Unavailable("db.internal:5432".into()).into()) });
    front.operations = Arc::new(refuse.map_to_response().boxed());
    let answer = call(&front, Method::GET, "/health/db", "", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("Retry-After")), (503, "5"));
    assert!(!answer.body.contains("internal"));
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_request() {
    let mut front = front();
    let done = Arc::new(AtomicBool::new(false));
    let witness = done.clone();
    let operation = make(move |_| {
        let done = witness.clone();
        async move {
            tokio::task::yield_now().await;
            done.store(true, Ordering::SeqCst);
            Ok::<_, poem::Error>(())
        }
    });
    front.operations = Arc::new(operation.map_to_response().boxed());
    let running = TaskTracker::new();
    front.running = running.clone();
    {
        let request = Request::builder().uri("/health".parse().expect("a URI")).header("Host", "localhost").finish();
        let mut answer = Box::pin(front.answer(request));
        while running.is_empty() {
            let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending));
        }
    }
    running.close();
    running.wait().await;
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_operation_that_hangs_is_answered_for_and_goes_on() {
    let mut front = front();
    front.deadline = Duration::from_millis(10);
    let gate = Arc::new(tokio::sync::Notify::new());
    let (held, done) = (gate.clone(), Arc::new(AtomicBool::new(false)));
    let witness = done.clone();
    let operation = make(move |_| {
        let (gate, done) = (held.clone(), witness.clone());
        async move {
            gate.notified().await;
            done.store(true, Ordering::SeqCst);
            Ok::<_, poem::Error>(())
        }
    });
    front.operations = Arc::new(operation.map_to_response().boxed());
    let answer = call(&front, Method::GET, "/health", "", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("Retry-After")), (503, "5"));
    assert_eq!(answer.json()["code"], "overdue");
    gate.notify_one();
    front.running.close();
    front.running.wait().await;
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let front = front();
    for path in ["/health", "/nope", "/docs", "/api/tasks"] {
        let answer = call(&front, Method::GET, path, "", None).await;
        assert_eq!(answer.header("X-Request-Id").len(), 32, "{path}");
        assert_eq!(answer.header("X-Content-Type-Options"), "nosniff", "{path}");
        assert!(answer.header("Content-Security-Policy").contains("frame-ancestors 'none'"), "{path}");
    }
    assert_eq!(call(&front, Method::GET, "/api/tasks", "", None).await.header("Cache-Control"), "no-store");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let front = front();
    let with = async |version: Version, hosts: &[&str]| {
        let request = Request::builder().version(version).uri("/health".parse().expect("a URI"));
        let request = hosts.iter().fold(request, |request, host| request.header("Host", *host));
        front.answer(request.finish()).await.status().as_u16()
    };
    assert_eq!(with(Version::HTTP_11, &["a.example"]).await, 200);
    assert_eq!(with(Version::HTTP_10, &[]).await, 200);
    assert_eq!(with(Version::HTTP_11, &[]).await, 400);
    assert_eq!(with(Version::HTTP_11, &["a.example", "b.example"]).await, 400);
}

#[tokio::test]
async fn a_foreign_origin_is_answered_without_leave_to_read() {
    let mut config = Config::for_tests();
    config.allowed_origins = vec!["https://app.example.org".to_owned()];
    let front = Pipeline::new(service(config), TaskTracker::new());
    let from = async |origin: &str| {
        let request = Request::builder()
            .uri("/health".parse().expect("a URI"))
            .header("Host", "localhost")
            .header("Origin", origin)
            .finish();
        Answer::of(front.answer(request).await).await
    };
    let own = from("https://app.example.org").await;
    assert_eq!(own.header("Access-Control-Allow-Origin"), "https://app.example.org");
    let foreign = from("https://evil.example.org").await;
    assert_eq!((foreign.status, foreign.header("Access-Control-Allow-Origin")), (StatusCode::OK, ""));
    assert_eq!(foreign.header("Vary"), "Origin");
}

#[tokio::test]
async fn somebody_elses_task_looks_like_none() {
    let front = front();
    let (_, ada) = person(&front, "ada").await;
    let (_, bob) = person(&front, "bob").await;
    let task = call(&front, Method::POST, "/api/tasks/", &ada, Some(json!({ "title": "x" }))).await;
    assert_eq!(task.status, StatusCode::CREATED);
    let own = task.header("Location").to_owned();
    assert_eq!(call(&front, Method::GET, &own, &ada, None).await.header("ETag"), "\"1\"");
    for method in [Method::GET, Method::DELETE, Method::PUT, Method::PATCH] {
        let change = (method == Method::PUT || method == Method::PATCH).then(|| json!({ "title": "mine" }));
        let foreign = call(&front, method.clone(), &own, &bob, change.clone()).await;
        let unknown = "/api/tasks/01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f";
        let absent = call(&front, method, unknown, &bob, change).await;
        assert_eq!((foreign.status, foreign.body), (StatusCode::NOT_FOUND, absent.body));
    }
}

#[tokio::test]
async fn a_changed_password_and_a_locked_account_end_what_was_signed_in() {
    let front = front();
    let (ada, token) = person(&front, "ada").await;
    let change = json!({ "password": "another password", "current_password": "password123" });
    assert_eq!(call(&front, Method::PATCH, "/api/users/me", &token, Some(change)).await.status, StatusCode::OK);
    assert_eq!(call(&front, Method::GET, "/api/auth/me", &token, None).await.status, StatusCode::UNAUTHORIZED);
    // Within the same second, and it counts all the same.
    let login = json!({ "username": "ADA", "password": "another password" });
    let again = call(&front, Method::POST, "/api/auth/login", "", Some(login.clone())).await.json();
    let token = again["access_token"].as_str().expect("a token");
    assert_eq!(call(&front, Method::GET, "/api/auth/me", token, None).await.status, StatusCode::OK);
    let lock = AccountStatusChange { is_active: Some(false), ..AccountStatusChange::default() };
    front.service().app.accounts().set_standing(Actor::System, ada, lock).await.expect("locked");
    let locked = call(&front, Method::GET, "/api/auth/me", token, None).await;
    let forged = call(&front, Method::GET, "/api/auth/me", "no.such.token", None).await;
    assert_eq!(forged.header("WWW-Authenticate"), "Bearer realm=\"taskflow\", error=\"invalid_token\"");
    assert_eq!(
        (locked.status, locked.headers.get("WWW-Authenticate")),
        (forged.status, forged.headers.get("WWW-Authenticate"))
    );
    assert_eq!((locked.status, locked.body), (StatusCode::UNAUTHORIZED, forged.body));
    let nobody = call(&front, Method::GET, "/api/auth/me", "", None).await;
    assert_eq!(nobody.header("WWW-Authenticate"), "Bearer realm=\"taskflow\"");
    let refused = call(&front, Method::POST, "/api/auth/login", "", Some(login)).await;
    assert_eq!(refused.json()["code"], "wrong_credentials");
}

#[tokio::test]
async fn everything_that_does_not_fit_is_named_at_once() {
    let front = front();
    let new = json!({ "username": "a", "email": 7, "time_zone": "Mars", "locale": "" });
    let refused = call(&front, Method::POST, "/api/auth/register", "", Some(new)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["username", "email", "password", "time_zone", "locale"]);
    let (_, ada) = person(&front, "ada").await;
    let list = "/api/tasks?page=0&size=x&status=done&overdue=1&sort=id";
    let refused = call(&front, Method::GET, list, &ada, None).await;
    assert_eq!(refused.fields(), ["page", "size", "status", "overdue", "sort"]);
}

#[tokio::test]
async fn a_change_to_what_has_changed_meanwhile_shows_what_it_is() {
    let front = front();
    let (_, ada) = person(&front, "ada").await;
    let task = call(&front, Method::POST, "/api/tasks/", &ada, Some(json!({ "title": "x" }))).await;
    let path = task.header("Location");
    call(&front, Method::PATCH, path, &ada, Some(json!({ "title": "y" }))).await;
    let request = Request::builder()
        .method(Method::DELETE)
        .uri(path.parse().expect("a URI"))
        .header("Authorization", format!("Bearer {ada}"))
        .header("Host", "localhost")
        .header("If-Match", task.header("ETag"))
        .finish();
    let stale = Answer::of(front.answer(request).await).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.json()["current"]["title"], "y");
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let mut config = Config::for_tests();
    config.registration = Registration::Closed;
    config.mailbox = false;
    let front = Pipeline::new(service(config), TaskTracker::new());
    let new = json!({ "username": "ada", "email": "ada@example.org", "password": "password123" });
    assert_eq!(call(&front, Method::POST, "/api/auth/register", "", Some(new)).await.status, StatusCode::FORBIDDEN);
    for path in ["/mailbox", "/api/mailbox"] {
        assert_eq!(call(&front, Method::GET, path, "", None).await.status, StatusCode::NOT_FOUND);
    }
}
