//! Postponing a reminder. Pure rules, no input or output.

use std::time::Duration;

use chrono::{Days, NaiveTime};

use crate::{Timestamp, Zone};

/// For how long a reminder is postponed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Snooze {
    /// One hour from now.
    OneHour,
    /// Until 09:00 of the next day where the reader is.
    TomorrowMorning,
}

impl Snooze {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::OneHour, Self::TomorrowMorning];

    /// Its word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneHour => "hour",
            Self::TomorrowMorning => "tomorrow",
        }
    }

    /// When to remind again if it is chosen at `now` by somebody in `zone`.
    #[must_use]
    pub fn until(self, now: Timestamp, zone: &Zone) -> Timestamp {
        match self {
            Self::OneHour => now + Duration::from_hours(1),
            Self::TomorrowMorning => {
                let today = zone.wall_clock(now).at.date();
                let morning = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
                today.checked_add_days(Days::new(1)).map_or(now, |tomorrow| zone.instant(tomorrow.and_time(morning)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(snooze: Snooze, now: &str, zone: &str) -> String {
        snooze.until(now.parse().expect("a time"), &zone.parse().expect("a zone")).to_string()
    }

    #[test]
    fn an_hour_is_an_hour_also_when_clocks_change() {
        assert_eq!(until(Snooze::OneHour, "2026-10-25T00:30:00Z", "Europe/Berlin"), "2026-10-25T01:30:00.000000Z");
    }

    #[test]
    fn tomorrow_morning_is_nine_where_the_reader_is() {
        for (now, zone, expected) in [
            ("2026-11-23T08:30:00Z", "Europe/Berlin", "2026-11-24T08:00:00.000000Z"),
            ("2026-11-23T23:30:00Z", "Europe/Berlin", "2026-11-25T08:00:00.000000Z"),
            ("2026-11-23T23:30:00Z", "America/New_York", "2026-11-24T14:00:00.000000Z"),
            ("2026-10-24T10:00:00Z", "Europe/Berlin", "2026-10-25T08:00:00.000000Z"),
        ] {
            assert_eq!(until(Snooze::TomorrowMorning, now, zone), expected, "{now} {zone}");
        }
    }
}
