//! Formats times and time spans for one reader, in their language and zone.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use taskflow_core::ports::RenderError;
use taskflow_core::{Timestamp, Zone};

use super::catalogue::Catalogue;

/// The reader of a mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The words of the reader's language.
    pub(super) words: &'a Catalogue,
    /// The zone in which times are shown.
    pub(super) zone: &'a Zone,
    /// The Date of the mail, which relative times count from.
    pub(super) date: Timestamp,
}

/// The position of an instant relative to the Date of the mail, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    Ahead,
    Now,
    Late,
}

impl Timing {
    /// Returns the last part of the keys of words that depend on it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Now => "now",
            Self::Late => "late",
        }
    }
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

    /// Formats a time, for example `Sunday, 22 November 2026 at 10:30 CET (Europe/Berlin)`.
    pub(super) fn long(&self, at: Timestamp) -> Result<String, RenderError> {
        let clock = self.zone.wall_clock(at);
        self.date("dates.long", clock.at, &self.full_zone_name(&clock.abbreviation)?)
    }

    /// Does the same for a time beside `other`: the zone is left out if both have the same.
    pub(super) fn long_beside(&self, at: Timestamp, other: Timestamp) -> Result<String, RenderError> {
        let (clock, other) = (self.zone.wall_clock(at), self.zone.wall_clock(other));
        if clock.abbreviation != other.abbreviation {
            return self.long(at);
        }
        self.date("dates.long", clock.at, "").map(|told| told.trim_end().to_owned())
    }

    /// Formats a time with the year, for example `Sun 22 Nov 2026, 10:30 CET`.
    pub(super) fn short(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.short", at)
    }

    /// Formats a time that is near, for example `Sun 22 Nov, 10:30 CET`.
    pub(super) fn brief(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.brief", at)
    }

    /// Formats a time in a list: without the day if it is today, and with the year only if it is far off.
    pub(super) fn in_list(&self, at: Timestamp) -> Result<String, RenderError> {
        let date = |at| self.zone.wall_clock(at).at.date();
        if date(at) == date(self.date) {
            return self.clock(at);
        }
        if self.minutes_until(at).abs() < NEAR { self.brief(at) } else { self.short(at) }
    }

    /// Formats a time of today, for example `10:30 CET`.
    pub(super) fn clock(&self, at: Timestamp) -> Result<String, RenderError> {
        self.on_the_wall("dates.clock", at)
    }

    /// Formats a day by itself, for example `Sunday, 22 November`.
    pub(super) fn day(&self, day: NaiveDate) -> Result<String, RenderError> {
        self.date("dates.day", day.and_time(NaiveTime::MIN), "")
    }

    /// Formats a day in a sentence, for example `on Sunday, 22 November`.
    pub(super) fn on_day(&self, day: NaiveDate) -> Result<String, RenderError> {
        self.words.say("when.later", &[("date", &self.day(day)?)])
    }

    /// Formats a duration, for example `1 hour 30 minutes`.
    pub(super) fn lasts(&self, minutes: u32) -> Result<String, RenderError> {
        let count = |key, number: u32| if number == 0 { Ok(None) } else { self.count(key, number.into()).map(Some) };
        let parts = [count("units.hours", minutes / 60)?, count("units.minutes", minutes % 60)?];
        Ok(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    /// Returns whether `at` lies ahead, is now or has passed.
    pub(super) fn timing(&self, at: Timestamp) -> Timing {
        match self.minutes_until(at) {
            0 => Timing::Now,
            minutes if minutes > 0 => Timing::Ahead,
            _ => Timing::Late,
        }
    }

    /// Returns the time until `at`: `now`, `in 15 minutes`, `today at 18:00`, `tomorrow at 09:00`, and beyond that the
    /// date.
    pub(super) fn relative(&self, at: Timestamp) -> Result<String, RenderError> {
        let (clock, today) = (self.zone.wall_clock(at).at, self.zone.wall_clock(self.date).at.date());
        let minutes = self.minutes_until(at);
        if minutes == 0 {
            return self.say("when.now");
        }
        if let Some(minutes) = u32::try_from(minutes).ok().filter(|minutes| *minutes <= SOON) {
            return self.words.say("when.soon", &[("span", &self.lasts(minutes)?)]);
        }
        let key = match (clock.date() - today).num_days() {
            0 => "when.today",
            1 => "when.tomorrow",
            _ => return self.words.say("when.later", &[("date", &self.brief(at)?)]),
        };
        let mut time = String::new();
        self.time(&mut time, clock)?;
        self.words.say(key, &[("time", &time)])
    }

    /// Returns the minutes until `at`, rounded because a mail is sent seconds after it is due.
    fn minutes_until(&self, at: Timestamp) -> i64 {
        const MINUTE: i64 = 60_000_000;
        (at.as_micros() - self.date.as_micros() + MINUTE / 2).div_euclid(MINUTE)
    }

    /// Formats a period, for example `Sunday, 22 November 2026, 10:30 – 11:30 CET (Europe/Berlin)`.
    pub(super) fn period(&self, starts_at: Timestamp, ends_at: Timestamp) -> Result<String, RenderError> {
        let end = self.zone.wall_clock(ends_at);
        self.period_in(starts_at, ends_at, &self.full_zone_name(&end.abbreviation)?)
    }

    /// Does the same for a period beside one that ends at `other`: the zone is left out if both have the same.
    pub(super) fn period_beside(
        &self,
        starts_at: Timestamp,
        ends_at: Timestamp,
        other: Timestamp,
    ) -> Result<String, RenderError> {
        if self.zone.wall_clock(ends_at).abbreviation != self.zone.wall_clock(other).abbreviation {
            return self.period(starts_at, ends_at);
        }
        self.period_in(starts_at, ends_at, "").map(|told| told.trim_end().to_owned())
    }

    fn period_in(&self, starts_at: Timestamp, ends_at: Timestamp, zone: &str) -> Result<String, RenderError> {
        let (begin, end) = (self.zone.wall_clock(starts_at), self.zone.wall_clock(ends_at));
        let time = |local: NaiveDateTime| {
            let mut told = String::new();
            self.time(&mut told, local).map(|()| told)
        };
        let (date, mut from, until) = (self.date("page.date", begin.at, "")?, time(begin.at)?, time(end.at)?);
        if begin.abbreviation != end.abbreviation {
            from = format!("{from}\u{a0}{}", self.zone_name(&begin.abbreviation)?);
        }
        if begin.at.date() == end.at.date() {
            let gaps = [("date", date.as_str()), ("from", &from), ("until", &until), ("zone", zone)];
            return self.words.say("page.period", &gaps);
        }
        let point = |date: &str, time: &str| self.words.say("page.point", &[("date", date), ("time", time)]);
        let begin = point(&date, &from)?;
        let end = point(&self.date("page.date", end.at, "")?, &until)?;
        self.words.say("page.span", &[("begin", &begin), ("end", &end), ("zone", zone)])
    }

    fn on_the_wall(&self, pattern: &str, at: Timestamp) -> Result<String, RenderError> {
        let clock = self.zone.wall_clock(at);
        self.date(pattern, clock.at, &self.zone_name(&clock.abbreviation)?)
    }

    /// Returns the name of a zone in the reader's language: `MEZ`, and `UTC+03` where the database knows only a number.
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

    /// Does the same with the name in the database: `MEZ (Europe/Berlin)`.
    fn full_zone_name(&self, abbreviation: &str) -> Result<String, RenderError> {
        let name = self.zone_name(abbreviation)?;
        Ok(if self.zone.name() == abbreviation { name } else { format!("{name} ({})", self.zone.name()) })
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

/// Number of minutes within which a date is shown without its year: half a year.
const NEAR: i64 = 180 * 24 * 60;

/// Number of minutes ahead up to which a time is shown as a span.
const SOON: u32 = 120;

/// Room for the longest formatted time, in octets.
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
mod tests;
