//! Times, zones and minutes of the day, as bodies and settings hold them.
#![no_main]

use chrono::NaiveDateTime;
use libfuzzer_sys::fuzz_target;
use taskflow_core::{LocalMinute, Timestamp, Zone};

fuzz_target!(|text: &str| {
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse(), Ok(at), "{at} is not read as it was written");
    }
    if let Ok(minute) = text.parse::<LocalMinute>() {
        assert_eq!(minute.to_string().parse(), Ok(minute), "{minute} is not read as it was written");
    }
    let (zone, rest) = text.split_once(' ').unwrap_or((text, ""));
    let Ok(zone) = zone.parse::<Zone>() else { return };
    assert_eq!(zone.name().parse(), Ok(zone.clone()), "{zone} is not read as it was written");
    if let Ok(micros) = rest.parse() {
        let _ = zone.wall_clock(Timestamp::from_micros(micros));
    }
    if let Ok(local) = rest.parse::<NaiveDateTime>() {
        let _ = zone.instant(local);
    }
});
