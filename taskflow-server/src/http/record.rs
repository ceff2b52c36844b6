use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::http::Method;
use taskflow_core::ports::Clock;

use crate::api::SignedIn;

/// One request for the log. The line is written when the record is dropped, so that a client who left before the answer
/// is not forgotten.
pub(super) struct AccessLogEntry {
    clock: Arc<dyn Clock>,
    started: Duration,
    id: String,
    method: Method,
    /// The address of the client.
    client: IpAddr,
    /// The path with names in place of ids: what people typed stays out of the log.
    pub(super) path: String,
    /// The requesting account, once it is known.
    pub(super) signed_in: SignedIn,
    /// 499 while there is no answer: the client left.
    pub(super) status: u16,
}

impl AccessLogEntry {
    pub(super) fn new(clock: Arc<dyn Clock>, id: String, method: Method, client: IpAddr) -> Self {
        let started = clock.monotonic();
        let (path, signed_in) = ("(none)".to_owned(), SignedIn::default());
        Self { clock, started, id, method, client, path, signed_in, status: 499 }
    }
}

/// The longest first segment of an unknown path that the log shows; tokens are longer.
const SHOWN_SEGMENT: usize = 20;

/// Returns a path that leads nowhere as the log shows it: its first segment, when that is a plain short word. A mistyped or
/// outdated link may hold a token in any place.
pub(super) fn unknown(path: &str) -> String {
    let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let plain = first.len() <= SHOWN_SEGMENT && first.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match (plain, rest) {
        (true, "") => format!("/{first}"),
        (true, _) => format!("/{first}/…"),
        (false, _) => "/…".to_owned(),
    }
}

impl Drop for AccessLogEntry {
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
    fn unknown_paths_are_logged_without_what_may_be_a_token() {
        let token = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";
        for (path, shown) in [
            ("/wp-admin", "/wp-admin"),
            ("/wp-admin/setup.php", "/wp-admin/…"),
            ("/wp\n\u{1b}[31m", "/…"),
            (&format!("/{token}"), "/…"),
            (&format!("/p/{token}/x"), "/p/…"),
            (&format!("//p/{token}"), "/p/…"),
            (&format!("/p%2F{token}"), "/…"),
            ("*", "/…"),
        ] {
            assert_eq!(unknown(path), shown, "{path}");
        }
    }
}
