//! What takes minutes: run by `.ci/long`, each case until its share of the time is over or its work is done.
//!
//! `cargo test --release --all-features --test long -- --nocapture`

#[path = "../harness/postgres.rs"]
#[expect(dead_code, reason = "shared with the tests that run on every change")]
mod cluster;
#[path = "../harness/proxy.rs"]
#[expect(dead_code, reason = "shared with the tests that run on every change")]
mod proxy;
#[path = "../harness/server.rs"]
#[expect(dead_code, reason = "shared with the tests that run on every change")]
mod server;

mod aborts;
mod sqlite;

/// A random number that is printed, so that a failure can be repeated: `LONG_SEED` sets it.
fn seed(case: &str) -> u64 {
    let given = std::env::var("LONG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(now);
    println!("{{\"case\": \"{case}\", \"seed\": {seed}}}");
    seed
}

fn now() -> u64 {
    use taskflow::ports::{Clock, SystemClock};
    SystemClock::new().now().as_micros().unsigned_abs()
}

/// The next number of a sequence (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
