//! Time zones that a calendar object brings along (RFC 5545 §3.6.5), as far as calendars write them: a standard time and
//! a summer time that each begin once a year.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Weekday};
use taskflow_core::{Timestamp, Zone};

use super::line::Property;
use super::reply::local_time;

/// Maximum number of offsets of one zone that are examined.
const MOST: usize = 100;

/// A VTIMEZONE.
#[derive(Default)]
pub(super) struct Observances {
    name: String,
    location: Option<String>,
    observances: Vec<Observance>,
}

/// A STANDARD or DAYLIGHT in it.
#[derive(Default)]
struct Observance {
    /// The first local time at which it applies, by the clock before it.
    starts: Option<NaiveDateTime>,
    /// The offset since then, in seconds.
    offset: Option<i32>,
    /// The yearly start: the month, the occurrence of the weekday in it (negative: from its end), and the weekday.
    yearly: Option<(u32, i8, Weekday)>,
}

impl Observances {
    /// Begins another offset.
    pub(super) fn begin(&mut self) {
        if self.observances.len() < MOST {
            self.observances.push(Observance::default());
        }
    }

    /// Adds a property of the zone, or of the offset that was begun last.
    pub(super) fn add(&mut self, property: Property, inside: bool) {
        let value = property.value.trim();
        let observance = self.observances.last_mut().filter(|_| inside);
        match (property.name.as_str(), observance) {
            ("TZID", None) => self.name = value.to_owned(),
            ("X-LIC-LOCATION", None) => self.location = Some(value.to_owned()),
            ("DTSTART", Some(observance)) => observance.starts = local_time(value),
            ("TZOFFSETTO", Some(observance)) => observance.offset = offset(value),
            ("RRULE", Some(observance)) => observance.yearly = yearly(value),
            _ => {}
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Returns the name of the zone in the IANA database, if the calendar contains it.
    pub(super) fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Returns the instant of a local time in this zone.
    pub(super) fn instant(&self, local: NaiveDateTime) -> Option<Timestamp> {
        let begun = self.observances.iter().filter_map(|one| Some((one.last_beginning(local)?, one.offset?)));
        let first = self.observances.iter().find_map(|one| one.offset);
        let offset = begun.max().map(|(_, offset)| offset).or(first)?;
        Some(Zone::utc().instant(local.checked_sub_signed(Duration::seconds(offset.into()))?))
    }
}

impl Observance {
    /// Returns the last start that is not after `local`.
    fn last_beginning(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let starts = self.starts?;
        let in_year = |year| {
            let (month, nth, weekday) = self.yearly?;
            Some(nth_weekday(year, month, nth, weekday)?.and_time(starts.time()))
        };
        let candidates = [in_year(local.year()), in_year(local.year().checked_sub(1)?), Some(starts)];
        candidates.into_iter().flatten().filter(|at| *at <= local && *at >= starts).max()
    }
}

fn nth_weekday(year: i32, month: u32, nth: i8, weekday: Weekday) -> Option<NaiveDate> {
    if nth > 0 {
        return NaiveDate::from_weekday_of_month_opt(year, month, weekday, nth.unsigned_abs());
    }
    let from_end = (1..=5).rev().filter_map(|n| NaiveDate::from_weekday_of_month_opt(year, month, weekday, n));
    from_end.into_iter().nth(usize::from(nth.unsigned_abs()).checked_sub(1)?)
}

/// Reads `+0100` or `-043000`, in seconds.
fn offset(value: &str) -> Option<i32> {
    let (sign, digits) = match value.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let fits = matches!(digits.len(), 4 | 6) && digits.bytes().all(|b| b.is_ascii_digit());
    let number =
        |from: usize| fits.then(|| digits.get(from..from + 2)).flatten().map_or(Some(0), |two| two.parse().ok());
    let (hours, minutes, seconds): (i32, i32, i32) = (number(0)?, number(2)?, number(4)?);
    (fits && hours < 24 && minutes < 60 && seconds < 60).then(|| sign * (hours * 3600 + minutes * 60 + seconds))
}

/// Reads `FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU`.
fn yearly(rule: &str) -> Option<(u32, i8, Weekday)> {
    let rule = rule.to_ascii_uppercase();
    let part = |name: &str| rule.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let day = part("BYDAY")?;
    let (nth, day) = day.split_at_checked(day.len().checked_sub(2)?)?;
    let weekday = match day {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    };
    let (month, nth) = (part("BYMONTH")?.parse().ok()?, nth.parse().ok()?);
    ((1..=12).contains(&month) && nth != 0 && (-5..=5).contains(&nth)).then_some((month, nth, weekday))
}
