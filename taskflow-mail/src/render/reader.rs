//! How times and spans are told to one reader: in their language, in their zone.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use taskflow_core::ports::RenderError;
use taskflow_core::{Timestamp, Zone};

use super::catalogue::Catalogue;

/// Whom a letter is written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// In which words.
    pub(super) words: &'a Catalogue,
    /// In which zone.
    pub(super) zone: &'a Zone,
}

impl Reader<'_> {
    /// Words without gaps.
    pub(super) fn say(&self, key: &str) -> Result<String, RenderError> {
        self.words.say(key, &[])
    }

    /// Words that go by a number.
    pub(super) fn count(&self, key: &str, count: u64) -> Result<String, RenderError> {
        self.words.say(key, &[("count", &count.to_string())])
    }

    /// For example `Sunday, 22 November 2026 at 10:30 CET (Europe/Berlin)`.
    pub(super) fn long(&self, at: Timestamp) -> Result<String, RenderError> {
        let clock = self.zone.wall_clock(at);
        let mut zone = self.zone_name(&clock.abbreviation)?;
        if self.zone.name() != clock.abbreviation {
            zone = format!("{zone} ({})", self.zone.name());
        }
        self.date("dates.long", clock.at, &zone)
    }

    /// With the year, for example `Sun 22 Nov 2026, 10:30 CET`.
    pub(super) fn short(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.short", at)
    }

    /// For what is near, for example `Sun 22 Nov, 10:30 CET`.
    pub(super) fn brief(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.brief", at)
    }

    /// For what is today, for example `10:30 CET`.
    pub(super) fn clock(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.clock", at)
    }

    /// A day by itself, for example `Sunday, 22 November`.
    pub(super) fn day(&self, day: NaiveDate) -> Result<String, RenderError> {
        self.date("dates.day", day.and_time(NaiveTime::MIN), "")
    }

    /// For example `1 hour 30 minutes`.
    pub(super) fn lasts(&self, minutes: u32) -> Result<String, RenderError> {
        let count = |key, number: u32| if number == 0 { Ok(None) } else { self.count(key, number.into()).map(Some) };
        let parts = [count("units.hours", minutes / 60)?, count("units.minutes", minutes % 60)?];
        Ok(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn on_the_wall(&self, pattern: &str, at: Timestamp) -> Result<String, RenderError> {
        let clock = self.zone.wall_clock(at);
        self.date(pattern, clock.at, &self.zone_name(&clock.abbreviation)?)
    }

    /// What people call a zone who speak the language: `MEZ`, and `UTC+03` where the database knows only a number.
    fn zone_name(&self, abbreviation: &str) -> Result<String, RenderError> {
        let key = format!("zones.{abbreviation}");
        if self.words.has(&key) {
            self.say(&key)
        } else if abbreviation.starts_with(['+', '-']) {
            Ok(format!("UTC{abbreviation}"))
        } else {
            Ok(abbreviation.to_owned())
        }
    }

    fn date(&self, pattern: &str, local: NaiveDateTime, zone: &str) -> Result<String, RenderError> {
        let mut told = String::with_capacity(LONG);
        self.words.fill(&mut told, pattern, None, &|told, slot| {
            let day_of_week = local.weekday().num_days_from_monday() as usize;
            match slot {
                "weekday" => self.name(told, WEEKDAYS[day_of_week])?,
                "weekday_short" => self.name(told, WEEKDAYS_SHORT[day_of_week])?,
                "day" => number(told, local.day(), 1),
                "month" => self.name(told, MONTHS[local.month0() as usize])?,
                "month_short" => self.name(told, MONTHS_SHORT[local.month0() as usize])?,
                "year" => number(told, local.year().unsigned_abs(), 4),
                "time" => self.time(told, local)?,
                "zone" => told.push_str(zone),
                _ => return Ok(None),
            }
            Ok(Some(()))
        })?;
        Ok(told)
    }

    fn time(&self, told: &mut String, local: NaiveDateTime) -> Result<(), RenderError> {
        self.words.fill(told, "dates.time", None, &|told, slot| {
            let (is_pm, hour12) = local.hour12();
            match slot {
                "hour" => number(told, local.hour(), 2),
                "hour12" => number(told, hour12, 1),
                "half" => self.name(told, if is_pm { "dates.pm" } else { "dates.am" })?,
                "minute" => number(told, local.minute(), 2),
                _ => return Ok(None),
            }
            Ok(Some(()))
        })
    }

    fn name(&self, told: &mut String, key: &str) -> Result<(), RenderError> {
        self.words.fill(told, key, None, &|_, _| Ok(None))
    }
}

/// Room for the longest way to tell a time, in octets.
const LONG: usize = 80;

/// The keys of the names of days, Monday first, and of months.
const WEEKDAYS: [&str; 7] = [
    "dates.weekdays.1",
    "dates.weekdays.2",
    "dates.weekdays.3",
    "dates.weekdays.4",
    "dates.weekdays.5",
    "dates.weekdays.6",
    "dates.weekdays.7",
];
const WEEKDAYS_SHORT: [&str; 7] = [
    "dates.weekdays_short.1",
    "dates.weekdays_short.2",
    "dates.weekdays_short.3",
    "dates.weekdays_short.4",
    "dates.weekdays_short.5",
    "dates.weekdays_short.6",
    "dates.weekdays_short.7",
];
const MONTHS: [&str; 12] = [
    "dates.months.1",
    "dates.months.2",
    "dates.months.3",
    "dates.months.4",
    "dates.months.5",
    "dates.months.6",
    "dates.months.7",
    "dates.months.8",
    "dates.months.9",
    "dates.months.10",
    "dates.months.11",
    "dates.months.12",
];
const MONTHS_SHORT: [&str; 12] = [
    "dates.months_short.1",
    "dates.months_short.2",
    "dates.months_short.3",
    "dates.months_short.4",
    "dates.months_short.5",
    "dates.months_short.6",
    "dates.months_short.7",
    "dates.months_short.8",
    "dates.months_short.9",
    "dates.months_short.10",
    "dates.months_short.11",
    "dates.months_short.12",
];

/// Writes a number with at least so many digits.
fn number(told: &mut String, number: u32, digits: usize) {
    let mut written = [b'0'; 10];
    let (mut left, mut begin) = (number, written.len());
    while left > 0 || written.len() - begin < digits {
        begin -= 1;
        written[begin] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    told.extend(written[begin..].iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogues;
    use super::super::shipped::WORDS;
    use super::*;

    fn told(locale: &str, zone: &str, tell: impl Fn(&Reader<'_>) -> Result<String, RenderError>) -> String {
        let sources = WORDS.iter().map(|(tag, text)| (*tag, *tag, *text));
        let catalogues = Catalogues::read(sources).expect("shipped words can be read");
        let words = catalogues.closest(&locale.parse().expect("a tag")).expect("English at least");
        tell(&Reader { words, zone: &zone.parse().expect("a zone") }).expect("it is told")
    }

    #[test]
    fn times_are_told_in_the_readers_zone_with_its_name() {
        let at = "2026-07-01T12:00:00Z".parse().expect("a time");
        let long = |locale: &str, zone: &str| told(locale, zone, |reader| reader.long(at));
        assert_eq!(long("en", "Europe/Berlin"), "Wednesday, 1 July 2026 at 14:00 CEST (Europe/Berlin)");
        assert_eq!(long("en", "Europe/Istanbul"), "Wednesday, 1 July 2026 at 15:00 UTC+03 (Europe/Istanbul)");
        assert_eq!(long("en", "UTC"), "Wednesday, 1 July 2026 at 12:00 UTC");
        assert_eq!(long("de-AT", "Europe/Vienna"), "Mittwoch, 1. Juli 2026 um 14:00 Uhr MESZ (Europe/Vienna)");
        assert_eq!(long("de", "America/New_York"), "Mittwoch, 1. Juli 2026 um 08:00 Uhr EDT (America/New_York)");
        assert_eq!(long("en-US", "America/New_York"), "Wednesday, July 1, 2026 at 8:00 AM EDT (America/New_York)");
    }

    #[test]
    fn lists_tell_times_shortly() {
        let at = "2026-11-23T23:05:00Z".parse().expect("a time");
        assert_eq!(told("en", "Europe/Berlin", |reader| reader.short(at)), "Tue 24 Nov 2026, 00:05 CET");
        assert_eq!(told("en-US", "UTC", |reader| reader.short(at)), "Mon, Nov 23, 2026, 11:05 PM UTC");
        assert_eq!(told("de", "Europe/Berlin", |reader| reader.brief(at)), "Di., 24. Nov., 00:05 Uhr MEZ");
        assert_eq!(told("de", "Asia/Kolkata", |reader| reader.clock(at)), "04:35 Uhr IST");
    }

    #[test]
    fn every_month_and_weekday_has_its_name() {
        for month in 1..=12 {
            let at = format!("2026-{month:02}-{month:02}T00:00:00Z").parse().expect("a time");
            for locale in ["en", "de"] {
                assert!(told(locale, "UTC", |reader| reader.long(at)).contains("2026"));
            }
        }
        let at = "2028-02-29T00:00:00Z".parse().expect("a time");
        assert_eq!(told("en-US", "UTC", |reader| reader.clock(at)), "12:00 AM UTC");
    }

    #[test]
    fn spans_are_told_in_hours_and_minutes() {
        let lasts = |locale: &str, minutes| told(locale, "UTC", |reader| reader.lasts(minutes));
        let told: Vec<_> = [1, 45, 60, 90, 121, 1440].map(|minutes| lasts("en", minutes)).into();
        let expected = ["1 minute", "45 minutes", "1 hour", "1 hour 30 minutes", "2 hours 1 minute", "24 hours"];
        assert_eq!(told, expected.map(str::to_owned));
        assert_eq!(lasts("de", 61), "1 Stunde 1 Minute");
    }
}
