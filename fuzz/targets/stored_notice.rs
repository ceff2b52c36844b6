//! Notices as stores keep them: a newer release or a hand may have written them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskflow_core::Notice;

fuzz_target!(|json: &[u8]| {
    if let Ok(notice) = serde_json::from_slice::<Notice>(json) {
        let written = serde_json::to_string(&notice).expect("a notice is written");
        let again: Notice = serde_json::from_str(&written).expect("what is written is read");
        assert_eq!(serde_json::to_string(&again).expect("a notice is written"), written);
    }
});
