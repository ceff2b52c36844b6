//! Whoever is signed out, anywhere, is told nothing more, anywhere.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};

use crate::admins::admin;
use crate::live::id;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::live::{Events, Socket};
use taskflow_testkit::on_each_store;
use taskflow_testkit::server::{PASSWORD, Person, Server};

on_each_store![what_ends_a_session_ends_its_screens_within_a_second_on_every_node,];

/// A second, and some more because this machine may be busy.
const SOON: Duration = Duration::from_secs(3);

/// What somebody has open: a socket and a stream on each node.
struct Screens {
    sockets: Vec<Socket>,
    streams: Vec<Events>,
}

impl Screens {
    async fn of(person: &Person<'_>, nodes: [&Server; 2]) -> Self {
        let (mut sockets, mut streams) = (Vec::new(), Vec::new());
        for node in nodes {
            sockets.push(Socket::follow(node, &person.token).await.0);
            let mut stream = Events::follow(node, &person.token, "").await;
            assert_eq!(stream.said().await["type"], "ready");
            streams.push(stream);
        }
        Self { sockets, streams }
    }

    /// Waits until all of it is closed, and tells how long that takes.
    async fn closed(mut self, why: &str) -> Duration {
        let clock = SystemClock::new();
        for socket in &mut self.sockets {
            assert_eq!(socket.closed().await, 4401, "{why}");
        }
        for stream in &mut self.streams {
            assert_eq!(stream.closed().await, 4401, "{why}");
        }
        let took = clock.monotonic();
        assert!(took < SOON, "{why}: {took:?}");
        took
    }
}

async fn done(person: &Person<'_>, method: Method, path: &str, body: Option<Value>) {
    let (status, answer) = person.call(method, path, body).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
}

async fn what_ends_a_session_ends_its_screens_within_a_second_on_every_node(backend: Backend) {
    const KEY: (&str, &str) = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    let one = backend.start(&[KEY]).await;
    let two = Server::start(&[KEY, ("DATABASE_URL", &one.database_url())]).await;
    let nodes = [&one, &two];
    let root = admin(&one, "root").await;
    // Sessions of the same person and of others that stay.
    let ada = one.person("ada").await;
    let stays = one.sign_in("ada", PASSWORD).await;
    let (mut bystander, _) = Socket::follow(&one, &stays.token).await;
    let (mut afar, _) = Socket::follow(&two, &stays.token).await;
    let mut slowest = Duration::ZERO;

    let screens = Screens::of(&ada, nodes).await;
    done(&ada, Method::POST, "/api/auth/logout", None).await;
    slowest = slowest.max(screens.closed("signing out").await);

    let ada = one.sign_in("ada", PASSWORD).await;
    let (_, sessions) = ada.get("/api/auth/sessions").await;
    let items = sessions["items"].as_array().expect("sessions");
    let current = items.iter().find(|item| item["current"] == true).expect("this one")["id"].as_str().expect("an id");
    let screens = Screens::of(&ada, nodes).await;
    done(&stays, Method::DELETE, &format!("/api/auth/sessions/{current}"), None).await;
    slowest = slowest.max(screens.closed("ending it from afar").await);
    // None of this was the other session's.
    let task = stays.task(json!({ "title": "still here" })).await;
    for screen in [&mut bystander, &mut afar] {
        assert_eq!(screen.said().await["data"]["id"], task["id"]);
    }

    let (bob, bob_elsewhere) = (one.person("bob").await, two.sign_in("bob", PASSWORD).await);
    let (screens, elsewhere) = (Screens::of(&bob, nodes).await, Screens::of(&bob_elsewhere, nodes).await);
    done(&bob, Method::POST, "/api/auth/logout-all", None).await;
    slowest = slowest.max(screens.closed("signing out everywhere").await);
    elsewhere.closed("signing out everywhere, elsewhere").await;

    let (cleo, cleo_elsewhere) = (one.person("cleo").await, two.sign_in("cleo", PASSWORD).await);
    let screens = Screens::of(&cleo_elsewhere, nodes).await;
    let change = json!({ "password": "another good password", "current_password": PASSWORD });
    done(&cleo, Method::PATCH, "/api/users/me", Some(change)).await;
    slowest = slowest.max(screens.closed("another password").await);

    let dora = one.person("dora").await;
    let screens = Screens::of(&dora, nodes).await;
    done(&dora, Method::DELETE, "/api/users/me", None).await;
    slowest = slowest.max(screens.closed("leaving for good").await);

    let eve = one.person("eve").await;
    let screens = Screens::of(&eve, nodes).await;
    let path = format!("/api/users/{}", id(&eve).await);
    done(&root, Method::PATCH, &path, Some(json!({ "is_active": false }))).await;
    slowest = slowest.max(screens.closed("being locked out").await);
    // Nor do they get in again.
    for node in nodes {
        assert_eq!(taskflow_testkit::live::Handshake::of(node, "/ws").token(&eve.token).refused().await, 4401);
        let answer = node.request(Method::GET, "/api/events").bearer_auth(&eve.token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }

    println!("{{\"case\": \"revoked\", \"slowest_ms\": {}}}", slowest.as_millis());
    let task = stays.task(json!({ "title": "and still here" })).await;
    for screen in [&mut bystander, &mut afar] {
        assert_eq!(screen.said().await["data"]["id"], task["id"]);
    }
}
