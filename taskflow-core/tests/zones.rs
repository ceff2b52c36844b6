//! Local times in every zone of the database around every change of its clock from 2020 to 2035, as RFC 5545 §3.3.5 has
//! it, and meetings placed there.

use std::time::Duration;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use taskflow_core::{
    Mailbox, Meeting, MeetingChange, MeetingDetails, MeetingId, NewMeeting, Participant, ParticipantId,
    ReminderMinutes, StartsAt, Timestamp, User, UserId, Zone, meeting_reminders,
};

/// A change of the clock: from its instant on the offset is another one. Seconds east of UTC.
#[derive(Debug, Clone, Copy)]
struct Transition {
    at: Timestamp,
    before: i32,
    after: i32,
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn local(text: &str) -> NaiveDateTime {
    text.parse().expect("a local time")
}

fn zone(name: &str) -> Zone {
    name.parse().expect("a zone of the database")
}

/// What a clock shows that is so many seconds ahead of UTC.
fn wall(at: Timestamp, offset: i32) -> NaiveDateTime {
    at.to_chrono().naive_utc() + TimeDelta::seconds(offset.into())
}

/// The instant at which such a clock shows it.
fn by_offset(wall: NaiveDateTime, offset: i32) -> Timestamp {
    (wall - TimeDelta::seconds(offset.into())).and_utc().into()
}

/// Every zone with its changes of offset, by the library's own list of them.
fn zones() -> Vec<(Zone, Vec<Transition>)> {
    let database = TimeZoneDatabase::bundled();
    let begin: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().expect("a time");
    let end: jiff::Timestamp = "2036-01-01T00:00:00Z".parse().expect("a time");
    let of = |name: &str| {
        let library = database.get(name).expect("a listed zone");
        let mut before = library.to_offset(begin).seconds();
        let mut transitions = Vec::new();
        for change in library.following(begin).take_while(|change| change.timestamp() < end) {
            let after = change.offset().seconds();
            // A zone may change its abbreviation alone.
            if after != before {
                transitions.push(Transition {
                    at: Timestamp::from_micros(change.timestamp().as_microsecond()),
                    before,
                    after,
                });
            }
            before = after;
        }
        (zone(name), transitions)
    };
    Zone::names().iter().map(|name| of(name)).collect()
}

#[test]
fn the_clock_changes_often_enough_to_be_worth_a_test() {
    let zones = zones();
    let all: usize = zones.iter().map(|(_, transitions)| transitions.len()).sum();
    assert!(zones.len() > 500 && all > 5000, "{} zones, {all} changes", zones.len());
    let half_an_hour = |change: &Transition| (change.after - change.before).abs() == 1800;
    assert!(zones.iter().any(|(_, changes)| changes.iter().any(half_an_hour)), "Lord Howe Island");
}

#[test]
fn a_skipped_time_counts_with_the_offset_before_and_one_that_comes_twice_is_the_first() {
    for (zone, transitions) in zones() {
        for change in transitions {
            let Transition { at, before, after } = change;
            let span = i64::from((after - before).abs());
            // From the first local time that is skipped or comes twice to the last.
            let first = wall(at, before.min(after));
            for into in [0, 1, span / 2, span - 1] {
                let local = first + TimeDelta::seconds(into);
                let instant = zone.instant(local);
                assert_eq!(instant, by_offset(local, before), "{zone} {local} {change:?}");
                let shown = zone.wall_clock(instant).at;
                match after > before {
                    true => assert_eq!(shown, local + TimeDelta::seconds(span), "{zone} {local} is skipped"),
                    false => assert_eq!(shown, local, "{zone} {local} comes twice"),
                }
            }
        }
    }
}

#[test]
fn times_around_a_change_come_back_as_they_were() {
    let micro = TimeDelta::microseconds(1);
    for (zone, transitions) in zones() {
        for change in transitions {
            let Transition { at, before, after } = change;
            let (low, high) = (wall(at, before.min(after)), wall(at, before.max(after)));
            for local in [low - micro, low - TimeDelta::hours(1), high, high + micro, high + TimeDelta::hours(1)] {
                assert_eq!(zone.wall_clock(zone.instant(local)).at, local, "{zone} {local} {change:?}");
            }
            // Both instants that show the same are told apart by their offsets.
            let edge = Duration::from_micros(1);
            assert_eq!(zone.wall_clock(at - edge).offset_seconds, before, "{zone} {change:?}");
            assert_eq!(zone.wall_clock(at).offset_seconds, after, "{zone} {change:?}");
        }
    }
}

#[test]
fn leap_days_and_the_turn_of_the_year_are_days_like_any_other() {
    for name in Zone::names() {
        let zone = zone(&name);
        for year in 2020..=2035 {
            let leaps = NaiveDate::from_ymd_opt(year, 2, 29).is_some();
            assert_eq!(leaps, year % 4 == 0);
            let last = if leaps { 29 } else { 28 };
            for text in [
                format!("{year}-02-{last}T23:59:59.999999"),
                format!("{year}-03-01T12:00:00"),
                format!("{year}-12-31T23:59:59.999999"),
                format!("{year}-01-01T00:00:00"),
            ] {
                let local = local(&text);
                let back = zone.wall_clock(zone.instant(local)).at;
                assert!(back == local || back - local <= TimeDelta::hours(1), "{zone} {local} {back}");
                assert_eq!((back.year(), back.ordinal()), (local.year(), local.ordinal()), "{zone}");
            }
        }
    }
}

fn organizer() -> User {
    let new = taskflow_core::NewUser {
        username: "ada".parse().expect("a name"),
        email: "ada@example.org".parse().expect("an address"),
        time_zone: None,
        locale: None,
        is_admin: false,
    };
    User::new(UserId::from_uuid(uuid::Uuid::nil()), new, Timestamp::from_micros(0))
}

fn meeting(zone: &Zone, starts_at: StartsAt, minutes: u32, now: Timestamp) -> MeetingDetails {
    let user = organizer();
    let id = MeetingId::from_uuid(uuid::Uuid::nil());
    let mailbox = Mailbox { name: None, address: user.email.clone() };
    let reminder_minutes = ReminderMinutes::new(minutes).expect("fits");
    let new = NewMeeting { reminder_minutes, ..NewMeeting::titled("x".parse().expect("a title"), starts_at) };
    let meeting = Meeting::new(id, user.id, mailbox, zone, new, now).expect("lies ahead");
    let me = Participant::organizer(ParticipantId::from_uuid(uuid::Uuid::nil()), id, &user, now);
    MeetingDetails { meeting, participants: vec![me] }
}

#[test]
fn meetings_around_a_change_keep_their_wall_time_and_remind_in_elapsed_minutes() {
    let now = at("2019-06-01T00:00:00Z");
    for (zone, transitions) in zones() {
        for change in transitions {
            for (hours, minutes) in [(-30, 1440), (-1, 15), (0, 0), (1, 120), (3, 240), (30, 40_320)] {
                let local = wall(change.at, change.before) + TimeDelta::hours(hours);
                let details = meeting(&zone, StartsAt::Local(local), minutes, now);
                let meeting = &details.meeting;
                let shown = zone.wall_clock(meeting.starts_at).at;
                assert_eq!(meeting.local_start, shown, "{zone} {local}");
                // What was agreed on is what the wall shows, unless the wall never shows it.
                let skipped = (0..i64::from(change.after - change.before)).contains(&(hours * 3600));
                assert!(shown == local || skipped, "{zone} {local} {shown} {change:?}");
                let reminders = meeting_reminders(&details);
                assert_eq!(reminders.len(), 1);
                assert_eq!(meeting.starts_at.since(reminders[0].due_at), Duration::from_mins(minutes.into()));
                // The same rules never move it.
                let quiet = Duration::from_mins(1);
                assert_eq!(meeting.by_current_rules(now, quiet), *meeting, "{zone} {local}");
                let renamed = MeetingChange { title: Some("y".parse().expect("a title")), ..MeetingChange::default() };
                let renamed = meeting.apply(renamed, now, quiet).expect("legal");
                assert_eq!((renamed.starts_at, renamed.local_start), (meeting.starts_at, meeting.local_start));
            }
            // Called for an instant it begins then, also in the second of two equal hours.
            for seconds in [-3601_i64, -1, 0, 1, 1799, 3599, 7200] {
                let starts_at = Timestamp::from_micros(change.at.as_micros() + seconds * 1_000_000);
                let details = meeting(&zone, StartsAt::Instant(starts_at), 15, now);
                assert_eq!(details.meeting.starts_at, starts_at);
                assert_eq!(details.meeting.by_current_rules(now, Duration::ZERO), details.meeting, "{zone} {change:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_instant_of_every_zone_is_shown_by_a_wall_clock_that_leads_back_to_it(
        index in any::<prop::sample::Index>(),
        micros in 1_577_836_800_000_000_i64..2_082_758_400_000_000,
    ) {
        let names = Zone::names();
        let zone = zone(index.get::<String>(&names));
        let instant = Timestamp::from_micros(micros);
        let clock = zone.wall_clock(instant);
        prop_assert_eq!(by_offset(clock.at, clock.offset_seconds), instant);
        // The same, or the first of two.
        let back = zone.instant(clock.at);
        prop_assert!(back <= instant);
        prop_assert_eq!(zone.wall_clock(back).at, clock.at);
    }

    #[test]
    fn later_wall_times_never_come_earlier_than_the_clock_was_turned(
        index in any::<prop::sample::Index>(),
        days in 0_i64..5843,
        minutes in 0_i64..2880,
        later in 0_i64..2880,
    ) {
        let names = Zone::names();
        let zone = zone(index.get::<String>(&names));
        let first = local("2020-01-01T00:00:00") + TimeDelta::days(days) + TimeDelta::minutes(minutes);
        let (one, other) = (zone.instant(first), zone.instant(first + TimeDelta::minutes(later)));
        // No zone of today turns its clock by more than a day.
        prop_assert!(one <= other + Duration::from_hours(24));
        prop_assert!(other.since(one) <= Duration::from_mins(later as u64) + Duration::from_hours(24));
    }
}
