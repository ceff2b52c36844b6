use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use taskflow::ports::{Clock, SystemClock};
use tokio::task::JoinSet;

use taskflow_testkit::backend::Backend;
use taskflow_testkit::guesses::{BEHIND_PROXY, guess, known_device, sign_in_from};
use taskflow_testkit::server::{PASSWORD, Person};

/// Three nodes on one database are asked a thousand times a minute (`LONG_GUESSES` for another number in all) from 200
/// addresses whether a password is that of one name. Times depend on the machine and are only printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_one_name_cost_its_owner_and_others_nothing() {
    const ADDRESSES: usize = 200;
    const EVERY: Duration = Duration::from_millis(60);
    let guesses = crate::amount("LONG_GUESSES", 1_000) as usize;
    let one = Backend::Postgres.start(&BEHIND_PROXY).await;
    let database = one.database_url();
    let more = [&BEHIND_PROXY[..], &[("DATABASE_URL", &database)]].concat();
    let (two, three) = (Backend::Postgres.start(&more).await, Backend::Postgres.start(&more).await);
    let nodes = [&one, &two, &three];
    one.person("ada").await;
    let device = known_device(&one, "ada").await;
    one.person("bob").await;
    let bob = [one.sign_in("bob", PASSWORD).await, two.sign_in("bob", PASSWORD).await];
    let idle = load(&bob, tokio::time::sleep(EVERY * u32::try_from(guesses / 2).expect("a number"))).await;
    let clock = SystemClock::new();
    let attack = guess(&nodes, "ada", guesses, ADDRESSES, EVERY);
    let (statuses, signed_in) = (tokio::sync::Mutex::new(Vec::new()), tokio::sync::Mutex::new(0));
    let everything = async {
        let owner = async {
            loop {
                tokio::time::sleep(Duration::from_secs(3)).await;
                let own = json!({ "username": "ada", "password": PASSWORD, "device_token": device });
                let (status, answer) = sign_in_from(&three, "192.0.2.7", &own).await;
                assert_eq!(status, StatusCode::OK, "{answer}");
                *signed_in.lock().await += 1;
            }
        };
        tokio::select! {
            () = owner => {}
            all = attack => *statuses.lock().await = all,
        }
    };
    let busy = load(&bob, everything).await;
    let minutes = clock.monotonic().as_secs_f64() / 60.0;
    let (statuses, signed_in) = (statuses.into_inner(), signed_in.into_inner());
    let hashed = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    let refused = statuses.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
    println!(
        "{{\"case\": \"guesses\", \"build\": \"{}\", \"guesses\": {guesses}, \"a_minute\": {:.0}, \"hashed\": {hashed}, \
         \"owner_signed_in\": {signed_in}, \"idle_p99_ms\": {idle:.1}, \"busy_p99_ms\": {busy:.1}, \"ratio\": {:.2}}}",
        if cfg!(debug_assertions) { "debug" } else { "release" },
        guesses as f64 / minutes,
        busy / idle,
    );
    // One more is earned every two minutes.
    assert!((30..=32).contains(&hashed), "{hashed} guesses were hashed");
    assert_eq!(hashed + refused, guesses, "{statuses:?}");
}

/// Reads tasks every few milliseconds until something has happened, and returns the 99th percentile of what that took, in
/// milliseconds.
async fn load(people: &[Person<'_>], until: impl Future<Output = ()>) -> f64 {
    let (mut requests, mut ticks) = (JoinSet::new(), tokio::time::interval(Duration::from_millis(30)));
    tokio::pin!(until);
    for n in 0_usize.. {
        tokio::select! {
            () = &mut until => break,
            _ = ticks.tick() => {}
        }
        let request = people[n % people.len()].request(Method::GET, "/api/tasks/");
        requests.spawn(async move {
            let clock = SystemClock::new();
            let status = request.send().await.expect("an answer").status();
            (status, clock.monotonic().as_secs_f64() * 1000.0)
        });
    }
    let mut took: Vec<f64> = Vec::new();
    for (status, milliseconds) in requests.join_all().await {
        assert_eq!(status, StatusCode::OK);
        took.push(milliseconds);
    }
    took.sort_by(f64::total_cmp);
    took[(took.len() * 99 / 100).min(took.len() - 1)]
}
