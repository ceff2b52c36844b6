//! The mail preferences of a user: which mail they want, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveTime, Timelike, Weekday};

use crate::error::FieldError;
use crate::{EmailAddress, InvalidValue, NoticeKind, Timestamp, Zone};

/// A minute of a day as the clock on the wall shows it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalMinute(u16);

impl LocalMinute {
    /// Minutes of a day.
    pub const PER_DAY: u16 = 24 * 60;
    /// Midnight.
    pub const FIRST: Self = Self(0);
    /// The minute before midnight.
    pub const LAST: Self = Self(Self::PER_DAY - 1);

    /// Returns the minute that many minutes after midnight.
    pub fn new(minutes: u16) -> Result<Self, InvalidValue> {
        if minutes < Self::PER_DAY { Ok(Self(minutes)) } else { Err(InvalidValue::new("must be from 0 to 1439")) }
    }

    /// Minutes after midnight.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }

    /// Returns the minute that contains a time of day.
    #[must_use]
    pub fn of(time: NaiveTime) -> Self {
        Self((time.num_seconds_from_midnight() / 60) as u16)
    }

    /// Returns the time of day at which it begins.
    #[must_use]
    pub fn time(self) -> NaiveTime {
        NaiveTime::from_num_seconds_from_midnight_opt(u32::from(self.0) * 60, 0).unwrap_or_default()
    }
}

impl FromStr for LocalMinute {
    type Err = InvalidValue;

    /// Reads `09:00`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new("must be a time of day such as 09:00 or 22:30");
        let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse());
        let (hours, minutes) = text.split_once(':').ok_or_else(refused)?;
        match (digits(hours), digits(minutes)) {
            (Some(Ok(hours @ 0..24)), Some(Ok(minutes @ 0..60))) => Ok(Self(hours * 60 + minutes)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for LocalMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for LocalMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Days of the week.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// Returns the set of these days.
    #[must_use]
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Self {
        Self(days.into_iter().fold(0, |bits, day| bits | 1 << day.num_days_from_monday()))
    }

    /// Returns whether a day is included.
    #[must_use]
    pub fn has(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    /// Returns the days, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        let week = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
        week.into_iter().filter(move |day| self.has(*day))
    }

    /// Returns the form in which stores keep it: a bit for each day, Monday the lowest.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Returns the days of those bits; `None` if other bits are set.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A part of each day in which mail waits: from one minute to another, past midnight if need be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: LocalMinute,
    until: LocalMinute,
}

impl QuietHours {
    /// Creates quiet hours from the first minute until the second; not all day.
    pub fn new(from: LocalMinute, until: LocalMinute) -> Result<Self, FieldError> {
        if from == until {
            return Err(FieldError::new("quiet_hours", "must end at another minute than they begin"));
        }
        Ok(Self { from, until })
    }

    /// Returns the start of the quiet hours.
    #[must_use]
    pub fn from(self) -> LocalMinute {
        self.from
    }

    /// Returns the end of the quiet hours.
    #[must_use]
    pub fn until(self) -> LocalMinute {
        self.until
    }

    /// Returns the end of the quiet hours that contain `now` in `zone`; `None` if `now` is outside of them.
    #[must_use]
    pub fn end_after(self, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
        self.around(zone, now).map(|(_, end)| end)
    }

    /// Returns the start and end of the quiet hours that contain `now` in `zone`; `None` if `now` is outside of them.
    ///
    /// A time that is skipped by the clocks, or comes twice, is found as every local time is: see [`Zone::instant`].
    #[must_use]
    pub fn around(self, zone: &Zone, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let wall = zone.wall_clock(now).at;
        let minute = LocalMinute::of(wall.time());
        let over_midnight = self.until < self.from;
        let inside = match over_midnight {
            true => minute >= self.from || minute < self.until,
            false => minute >= self.from && minute < self.until,
        };
        if !inside {
            return None;
        }
        let (begins, ends) = match (over_midnight, minute >= self.from) {
            (true, true) => (wall.date(), wall.date().checked_add_days(Days::new(1))?),
            (true, false) => (wall.date().checked_sub_days(Days::new(1))?, wall.date()),
            (false, _) => (wall.date(), wall.date()),
        };
        let (begin, end) = (begins.and_time(self.from.time()), ends.and_time(self.until.time()));
        // Where clocks went back meanwhile the end may lie behind; then it is over.
        Some((zone.instant(begin).min(now), zone.instant(end))).filter(|(_, end)| *end > now)
    }
}

/// The mail preferences of a user: which mail they want, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// The kinds of mail that are turned off; only kinds that [can be switched off](NoticeKind::can_be_switched_off).
    pub off: BTreeSet<NoticeKind>,
    /// The hours in which optional mail waits.
    pub quiet_hours: Option<QuietHours>,
    /// The local time at which the daily summary is made.
    pub summary_at: LocalMinute,
    /// The days on which the daily summary is made.
    pub summary_days: Weekdays,
}

/// A change of preferences. A field that is left out keeps its value at the time of writing, so that changes of
/// different parts by different users and programs do not undo each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// Some kinds, and whether they are wanted; those that cannot be switched off stay on.
    pub kinds: BTreeMap<NoticeKind, bool>,
    /// The hours in which optional mail waits; `Some(None)` removes them.
    pub quiet_hours: Option<Option<QuietHours>>,
    /// The local time at which the daily summary is made.
    pub summary_at: Option<LocalMinute>,
    /// The days on which the daily summary is made.
    pub summary_days: Option<Weekdays>,
}

impl PreferencesChange {
    /// Returns a change that turns off mail of this kind.
    #[must_use]
    pub fn without(kind: NoticeKind) -> Self {
        Self { kinds: [(kind, false)].into(), ..Self::default() }
    }
}

impl From<Preferences> for PreferencesChange {
    /// Makes any preferences these.
    fn from(wanted: Preferences) -> Self {
        Self {
            kinds: NoticeKind::ALL.into_iter().map(|kind| (kind, wanted.wants(kind))).collect(),
            quiet_hours: Some(wanted.quiet_hours),
            summary_at: Some(wanted.summary_at),
            summary_days: Some(wanted.summary_days),
        }
    }
}

impl Default for Preferences {
    /// Returns preferences for all mail at any time and the summary at 09:00 every day.
    fn default() -> Self {
        Self { off: BTreeSet::new(), quiet_hours: None, summary_at: LocalMinute(9 * 60), summary_days: Weekdays::ALL }
    }
}

impl Preferences {
    /// Returns the preferences without mail of this kind, if it can be switched off.
    #[must_use]
    pub fn without(&self, kind: NoticeKind) -> Self {
        self.with(&PreferencesChange::without(kind))
    }

    /// Returns the preferences after a change.
    #[must_use]
    pub fn with(&self, change: &PreferencesChange) -> Self {
        let mut off = self.off.clone();
        for (&kind, &wanted) in &change.kinds {
            if wanted {
                off.remove(&kind);
            } else if kind.can_be_switched_off() {
                off.insert(kind);
            }
        }
        Self {
            off,
            quiet_hours: change.quiet_hours.unwrap_or(self.quiet_hours),
            summary_at: change.summary_at.unwrap_or(self.summary_at),
            summary_days: change.summary_days.unwrap_or(self.summary_days),
        }
    }

    /// Returns whether mail of this kind is wanted.
    #[must_use]
    pub fn wants(&self, kind: NoticeKind) -> bool {
        !self.off.contains(&kind) || !kind.can_be_switched_off()
    }
}

/// A write of the mail that an address without an account gets.
#[derive(Debug, Clone, PartialEq)]
pub enum UnsubscribeWrite {
    /// Ends mail of a kind to an address; does nothing when it was ended already.
    Add {
        /// The address.
        email: EmailAddress,
        /// The kind of mail.
        kind: NoticeKind,
        /// The time at which it was ended.
        at: Timestamp,
    },
    /// Allows mail of a kind to an address again.
    Remove {
        /// The address.
        email: EmailAddress,
        /// The kind of mail.
        kind: NoticeKind,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(text: &str) -> LocalMinute {
        text.parse().expect("a minute")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn quiet(from: &str, until: &str) -> QuietHours {
        QuietHours::new(minute(from), minute(until)).expect("quiet hours")
    }

    #[test]
    fn minutes_are_read_as_they_are_written() {
        for text in ["00:00", "09:05", "23:59"] {
            assert_eq!(minute(text).to_string(), text);
        }
        for bad in ["24:00", "9:00", "09:60", "0900", "", "-1:00", "09:00:00", "+9:00"] {
            assert!(bad.parse::<LocalMinute>().is_err(), "{bad}");
        }
    }

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let night = quiet("22:00", "07:00");
        assert_eq!(night.end_after(&berlin, at("2026-06-01T20:00:00Z")), Some(at("2026-06-02T05:00:00Z")));
        assert_eq!(night.end_after(&berlin, at("2026-06-02T04:59:59Z")), Some(at("2026-06-02T05:00:00Z")));
        assert_eq!(night.end_after(&berlin, at("2026-06-02T05:00:00Z")), None);
        let noon = quiet("12:00", "13:00");
        assert_eq!(noon.end_after(&berlin, at("2026-06-01T10:30:00Z")), Some(at("2026-06-01T11:00:00Z")));
        assert_eq!(noon.end_after(&berlin, at("2026-06-01T11:00:00Z")), None);
        assert!(QuietHours::new(minute("09:00"), minute("09:00")).is_err());
    }

    #[test]
    fn quiet_hours_end_by_the_clock_on_the_wall_when_clocks_change() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let night = quiet("22:00", "07:00");
        assert_eq!(night.end_after(&berlin, at("2027-03-27T22:00:00Z")), Some(at("2027-03-28T05:00:00Z")));
        assert_eq!(night.end_after(&berlin, at("2027-10-30T21:00:00Z")), Some(at("2027-10-31T06:00:00Z")));
        // The end itself is skipped: it counts with the offset before the gap.
        let skipped = quiet("22:00", "02:30");
        assert_eq!(skipped.end_after(&berlin, at("2027-03-28T00:30:00Z")), Some(at("2027-03-28T01:30:00Z")));
    }

    #[test]
    fn the_end_of_quiet_always_lies_ahead() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let twice = quiet("01:00", "02:30");
        for minutes in 0..300 {
            let now = at("2027-10-30T22:00:00Z") + std::time::Duration::from_mins(minutes);
            assert!(twice.end_after(&berlin, now).is_none_or(|end| end > now), "{now}");
        }
    }

    #[test]
    fn days_round_trip_as_bits() {
        let days = Weekdays::new([Weekday::Mon, Weekday::Fri]);
        assert!(days.has(Weekday::Fri) && !days.has(Weekday::Sun));
        assert_eq!(Weekdays::from_bits(days.bits()), Some(days));
        assert_eq!(Weekdays::from_bits(0x80), None);
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let before = Preferences { quiet_hours: Some(quiet("22:00", "07:00")), ..Preferences::default() };
        let before = before.without(NoticeKind::TaskDue).without(NoticeKind::DailySummary);
        assert_eq!(before.with(&PreferencesChange::default()), before);
        let kinds = [(NoticeKind::TaskDue, true), (NoticeKind::PasswordReset, false)].into();
        let change = PreferencesChange { kinds, quiet_hours: Some(None), ..PreferencesChange::default() };
        let after = before.with(&change);
        assert_eq!(after, Preferences::default().without(NoticeKind::DailySummary));
        assert_eq!(after.with(&before.clone().into()), before);
    }

    #[test]
    fn what_protects_the_account_cannot_be_switched_off() {
        let off = Preferences::default().without(NoticeKind::PasswordChanged).without(NoticeKind::TaskDue);
        assert!(off.wants(NoticeKind::PasswordChanged) && !off.wants(NoticeKind::TaskDue));
    }
}
