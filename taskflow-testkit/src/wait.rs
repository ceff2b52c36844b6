//! Waiting for what happens, always with a deadline: tests do not sleep.

use std::thread::sleep;
use std::time::Duration;

use taskflow_core::ports::{Clock, SystemClock};

/// The longest time that a test waits for something, unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(20);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `condition` gives something; panics after twenty seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, condition: impl FnMut() -> F) -> T {
    eventually_within(DEADLINE, what, condition).await
}

/// Waits until `condition` gives something; panics after `deadline`.
pub async fn eventually_within<T, F: Future<Output = Option<T>>>(
    deadline: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let waiting = async {
        loop {
            ticks.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    tokio::time::timeout(deadline, waiting).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Waits until `condition` holds, without a runtime; returns whether it did before the deadline.
pub(crate) fn holds_within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let clock = SystemClock::new();
    while !condition() {
        if clock.monotonic() > deadline {
            return false;
        }
        sleep(LOOK_EVERY);
    }
    true
}
