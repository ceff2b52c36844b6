use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::http::Method;
use taskflow_core::ports::Clock;

use crate::api::SignedIn;

/// One request for the log. The line is written when the record is dropped, so that a client who left before the answer
/// is not forgotten.
pub(super) struct Record {
    clock: Arc<dyn Clock>,
    started: Duration,
    id: String,
    method: Method,
    /// The address of the client.
    client: IpAddr,
    /// The path with names in place of ids: what people typed stays out of the log, unless it leads nowhere.
    pub(super) path: String,
    /// Who it was, once that is known.
    pub(super) signed_in: SignedIn,
    /// 499 while there is no answer: the client left.
    pub(super) status: u16,
}

impl Record {
    pub(super) fn new(clock: Arc<dyn Clock>, id: String, method: Method, client: IpAddr) -> Self {
        let started = clock.monotonic();
        let (path, signed_in) = ("(none)".to_owned(), SignedIn::default());
        Self { clock, started, id, method, client, path, signed_in, status: 499 }
    }
}

/// Most characters of an unknown path that are worth a log line.
const UNKNOWN_PATH: usize = 100;

/// A path that leads nowhere as the log shows it: short, and on one line.
pub(super) fn unknown(path: &str) -> String {
    path.chars().take(UNKNOWN_PATH).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Drop for Record {
    fn drop(&mut self) {
        let spent = self.clock.monotonic().saturating_sub(self.started);
        let user = self.signed_in.0.get();
        tracing::info!(
            request = %self.id,
            method = %self.method,
            path = %self.path,
            status = self.status,
            client = %self.client,
            ms = spent.as_micros() as f64 / 1000.0,
            user = user.map(tracing::field::display),
            "request"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_paths_are_logged_short_and_on_one_line() {
        assert_eq!(unknown("/wp-admin\n\u{1b}[31m"), "/wp-admin\u{fffd}\u{fffd}[31m");
        assert_eq!(unknown(&"ä".repeat(300)).chars().count(), 100);
    }
}
