//! Failure notices and complaints, as relays and providers send them (RFC 3464, 5965).
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskflow_core::ports::Bounces;
use taskflow_mail::BounceReports;

fuzz_target!(|message: &[u8]| {
    if let Ok(reports) = BounceReports.read(message) {
        assert!(!reports.is_empty(), "what is readable reports something");
    }
});
