//! Calculates when a job is due. Pure; follows the zones of the users concerned, also across changes of their clocks.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Days, NaiveDate};

use crate::{InvalidValue, LocalMinute, Timestamp, Zone};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(24 * 365);

/// The schedule of a job. Its instants are the scheduled times of the job.
///
/// ```
/// use taskflow_core::Schedule;
///
/// let schedule: Schedule = "daily 09:00 Europe/Berlin".parse()?;
/// let before = "2027-03-27T12:00:00Z".parse()?;
/// // The clocks went forward that night.
/// assert_eq!(schedule.next(before).to_string(), "2027-03-28T07:00:00.000000Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At whole multiples of this since 1970-01-01T00:00:00Z.
    Every(Duration),
    /// Daily at a local time in a zone.
    Daily {
        /// The local time.
        at: LocalMinute,
        /// The zone of the local time.
        zone: Zone,
    },
    /// Each user's own local time is one of these; checked every minute.
    Local(Vec<LocalMinute>),
    /// Each user's own local time is the minute that the user chose; checked every minute.
    Own,
}

impl Schedule {
    /// Returns the last scheduled time that is not after `now`.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(period) => multiple(now, *period),
            Self::Local(_) | Self::Own => multiple(now, MINUTE),
            Self::Daily { at, zone } => {
                let today = zone.wall_clock(now).at.date();
                // Across the date line a day may be missing; the one before it then was the last.
                let days =
                    (0..3).filter_map(|back| today.checked_add_days(Days::new(1))?.checked_sub_days(Days::new(back)));
                let slots = days.map(|date| zone.instant(date.and_time(at.time())));
                slots.filter(|slot| *slot <= now).max().unwrap_or(Timestamp::MIN)
            }
        }
    }

    /// Returns the first scheduled time after `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(period) => multiple(now, *period) + *period,
            Self::Local(_) | Self::Own => multiple(now, MINUTE) + MINUTE,
            Self::Daily { at, zone } => {
                let today = zone.wall_clock(now).at.date();
                let days = (0..4).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
                let slots = days.map(|date| zone.instant(date.and_time(at.time())));
                slots.filter(|slot| *slot > now).min().unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Returns how many scheduled times lie after `since` and not after `until`; more than a year back a day counts as one.
    #[must_use]
    pub fn count(&self, since: Timestamp, until: Timestamp) -> u64 {
        if until <= since {
            return 0;
        }
        match self {
            Self::Every(period) => number(until, *period) - number(since, *period),
            Self::Local(_) | Self::Own => number(until, MINUTE) - number(since, MINUTE),
            Self::Daily { .. } => {
                let counted_from = since.max(until - YEAR);
                let slots = std::iter::successors(Some(self.latest(until)), |slot| {
                    Some(self.latest(*slot - Duration::from_micros(1)))
                });
                let near = slots.take_while(|slot| *slot > counted_from && *slot > Timestamp::MIN).count() as u64;
                near + number(counted_from, DAY) - number(since, DAY)
            }
        }
    }

    /// Returns whether the schedule depends on each user's own local time.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_) | Self::Own)
    }
}

/// Returns the last multiple of a period that is not after `now`; a period of zero is a microsecond.
fn multiple(now: Timestamp, period: Duration) -> Timestamp {
    let period = micros(period);
    Timestamp::from_micros(now.as_micros().div_euclid(period) * period)
}

fn number(at: Timestamp, period: Duration) -> u64 {
    let earliest = Timestamp::MIN.as_micros().div_euclid(micros(period));
    (at.as_micros().div_euclid(micros(period)) - earliest) as u64
}

fn micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(period) => match period.as_secs() {
                seconds if seconds % 3600 == 0 => write!(f, "every {}h", seconds / 3600),
                seconds if seconds % 60 == 0 => write!(f, "every {}m", seconds / 60),
                seconds => write!(f, "every {seconds}s"),
            },
            Self::Daily { at, zone } => write!(f, "daily {at} {zone}"),
            Self::Local(minutes) => {
                let minutes: Vec<_> = minutes.iter().map(ToString::to_string).collect();
                write!(f, "local {}", minutes.join(","))
            }
            Self::Own => f.write_str("own"),
        }
    }
}

impl FromStr for Schedule {
    type Err = InvalidValue;

    /// Parses the format that [`Display`](fmt::Display) writes: `every 5m`, `daily 02:00 UTC`, `local 08:00,20:00` or
    /// `own`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || {
            InvalidValue::new(
                "must be a schedule such as every 5m, every 12h, daily 02:00 UTC, local 08:00,20:00 or own",
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match *words.as_slice() {
            ["own"] => Ok(Self::Own),
            ["every", period] => {
                let unit = period.chars().last().ok_or_else(refused)?;
                let number: u64 = period[..period.len() - unit.len_utf8()].parse().map_err(|_| refused())?;
                let seconds = match unit {
                    's' => Some(number),
                    'm' => number.checked_mul(60),
                    'h' => number.checked_mul(3600),
                    _ => None,
                };
                let seconds = seconds.filter(|seconds| (1..=366 * 24 * 3600).contains(seconds)).ok_or_else(refused)?;
                Ok(Self::Every(Duration::from_secs(seconds)))
            }
            ["daily", at] => Ok(Self::Daily { at: at.parse()?, zone: Zone::utc() }),
            ["daily", at, zone] => {
                let zone = zone.parse().map_err(|_| InvalidValue::new("must name an IANA time zone after the time"))?;
                Ok(Self::Daily { at: at.parse()?, zone })
            }
            ["local", minutes] => Ok(Self::Local(minutes.split(',').map(str::parse).collect::<Result<_, _>>()?)),
            _ => Err(refused()),
        }
    }
}

/// A cohort of users who are due at about the same time by their own clocks: those of a zone who chose a minute in a
/// range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTimeCohort {
    /// The zone of the users.
    pub zone: Zone,
    /// The date in that zone.
    pub date: NaiveDate,
    /// The range of minutes that users chose for their summary, including the last one: only these users belong to it.
    pub chosen: (LocalMinute, LocalMinute),
    /// The rule for the time at which it is due for each user.
    pub when: CohortTime,
}

/// The rule for the time at which a cohort is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortTime {
    /// At the local minute that each user chose.
    Chosen,
    /// At this local minute.
    Shown(LocalMinute),
    /// At this instant, whatever the local time.
    Instant(Timestamp),
}

impl LocalTimeCohort {
    /// Returns the time at which the cohort is due for a user who chose this minute.
    #[must_use]
    pub fn due_at(&self, chosen: LocalMinute) -> Timestamp {
        match self.when {
            CohortTime::Chosen => self.zone.instant(self.date.and_time(chosen.time())),
            CohortTime::Shown(minute) => self.zone.instant(self.date.and_time(minute.time())),
            CohortTime::Instant(at) => at,
        }
    }

    /// Returns the local minute at which the cohort is due, if it is due at one.
    fn shown(&self) -> Option<LocalMinute> {
        match self.when {
            CohortTime::Shown(minute) => Some(minute),
            CohortTime::Chosen | CohortTime::Instant(_) => None,
        }
    }

    /// Returns the sort key of cohorts: the earliest comes first.
    fn rank(&self) -> (Timestamp, &str) {
        (self.due_at(self.chosen.0), self.zone.name())
    }
}

/// Returns the cohorts that are due after `since` and up to `until`, the earliest first: users whose local time is one
/// of `minutes`, or the minute they chose if there are none.
#[must_use]
pub fn cohorts_due(minutes: Option<&[LocalMinute]>, since: Timestamp, until: Timestamp) -> Vec<LocalTimeCohort> {
    let mut moments = Vec::new();
    for zone in Zone::all() {
        let mut reached = local_minutes(zone, since, until);
        match minutes {
            None => {
                reached.sort_unstable();
                moments.extend(ranges(&reached).map(|(date, chosen)| LocalTimeCohort {
                    zone: zone.clone(),
                    date,
                    chosen,
                    when: CohortTime::Chosen,
                }));
            }
            Some(minutes) => {
                let wanted = reached.into_iter().filter(|(_, minute)| minutes.contains(minute));
                let shown = wanted.map(|(date, minute)| LocalTimeCohort {
                    zone: zone.clone(),
                    date,
                    chosen: (LocalMinute::FIRST, LocalMinute::LAST),
                    when: CohortTime::Shown(minute),
                });
                // A minute that clocks leave out comes together with a later one, which counts for both.
                let mut shown: Vec<_> = shown.map(|cohort| (cohort.due_at(LocalMinute::FIRST), cohort)).collect();
                shown.sort_by_key(|(at, cohort)| Reverse((*at, cohort.date, cohort.shown())));
                shown.dedup_by_key(|(at, _)| *at);
                moments.extend(shown.into_iter().map(|(_, cohort)| cohort));
            }
        }
    }
    moments.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.date.cmp(&b.date)));
    moments
}

/// Returns cohorts of all users at `now`, by zone, each on its local date.
#[must_use]
pub fn all_zones(now: Timestamp) -> Vec<LocalTimeCohort> {
    let cohort = |zone: &Zone| LocalTimeCohort {
        zone: zone.clone(),
        date: zone.wall_clock(now).at.date(),
        chosen: (LocalMinute::FIRST, LocalMinute::LAST),
        when: CohortTime::Instant(now),
    };
    let mut moments: Vec<_> = Zone::all().iter().map(cohort).collect();
    moments.sort_by(|a, b| a.zone.name().cmp(b.zone.name()));
    moments
}

/// Returns the local minutes of a zone after `since` and up to `until`, each once. Where clocks go back, the first
/// occurrence counts. A skipped minute counts with the offset before it (RFC 5545 §3.3.5), unless a whole day is
/// skipped.
fn local_minutes(zone: &Zone, since: Timestamp, until: Timestamp) -> Vec<(NaiveDate, LocalMinute)> {
    // What is left out by a clock that goes forward comes up to a day later, where a day is left out.
    let (least, most) = zone.offsets(since - Duration::from_hours(26), until);
    let minutes = |at: Timestamp, offset: i32| (at.as_micros() + i64::from(offset) * 1_000_000).div_euclid(60_000_000);
    let candidates = minutes(since, least)..=minutes(until, most);
    let local = |minute: i64| chrono::DateTime::from_timestamp(minute * 60, 0).map(|at| at.naive_utc());
    let instant = |minute: i64| match least == most {
        // Most zones have one offset at most times; looking up each minute would be the cost of a sweep.
        true => Some(Timestamp::from_micros((minute * 60 - i64::from(least)) * 1_000_000)),
        false => local(minute).map(|local| zone.instant(local)),
    };
    let reached = candidates.filter(|minute| instant(*minute).is_some_and(|at| at > since && at <= until));
    let due = reached.filter_map(local);
    let mut found: Vec<_> = due.map(|local| (local.date(), LocalMinute::of(local.time()))).collect();
    // A whole day that clocks skip has no minutes: they would come together with those of the next. Only where clocks change
    // by that much is it worth asking.
    if most - least > 12 * 3600 {
        found.retain(|(date, _)| zone.has_date(*date));
    }
    found
}

/// Minutes that follow each other, as their first and last.
fn ranges(minutes: &[(NaiveDate, LocalMinute)]) -> impl Iterator<Item = (NaiveDate, (LocalMinute, LocalMinute))> {
    let follows = |a: &(NaiveDate, LocalMinute), b: &(NaiveDate, LocalMinute)| a.0 == b.0 && a.1.get() + 1 == b.1.get();
    minutes.chunk_by(follows).filter_map(|run| Some((run.first()?.0, (run.first()?.1, run.last()?.1))))
}

#[cfg(test)]
mod tests;
