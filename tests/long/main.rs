//! What takes minutes: run by `.ci/long`. Seeds and figures are printed, each a line of JSON.
//!
//! `cargo test --all-features --test long -- --nocapture`

#![expect(clippy::print_stdout, reason = "figures are what this is run for")]

mod aborts;
mod guesses;
mod jobs;
mod kills;
mod latency;
mod live;
mod mixed;
mod reminders;
mod sqlite;
mod year;

use taskflow_testkit::fanout::next;

/// A random number that is printed, so that a failure can be repeated: `LONG_SEED` sets it.
fn seed(case: &str) -> u64 {
    let seed = setting("LONG_SEED").unwrap_or_else(now);
    println!("{{\"case\": \"{case}\", \"seed\": {seed}}}");
    seed
}

/// How much of something to do: `usual`, unless the environment says otherwise.
fn amount(name: &str, usual: u32) -> u32 {
    setting(name).map_or(usual, |amount| amount.try_into().unwrap_or_else(|_| panic!("{name} is too large")))
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {number:?}")))
}

fn now() -> u64 {
    use taskflow::ports::{Clock, SystemClock};
    SystemClock::new().now().as_micros().unsigned_abs()
}
