//! Times that lie ahead.

use std::time::Duration;

use taskflow::ports::{Clock, SystemClock};

/// RFC 3339, that many seconds from now.
pub(crate) fn soon(seconds: u64) -> String {
    (SystemClock::new().now() + Duration::from_secs(seconds)).to_string()
}
