use std::collections::BTreeMap;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn minute(text: &str) -> LocalMinute {
    text.parse().expect("a minute")
}

#[test]
fn schedules_are_read_as_they_are_written() {
    for text in [
        "every 5m",
        "every 12h",
        "every 7s",
        "daily 02:00 UTC",
        "daily 09:00 Europe/Berlin",
        "local 08:00,20:00",
        "own",
    ] {
        assert_eq!(text.parse::<Schedule>().expect(text).to_string(), text);
    }
    for bad in
        ["", "every", "every m", "every 0m", "every 5", "daily", "daily 25:00", "daily 09:00 Mars", "local", "hourly x"]
    {
        assert!(bad.parse::<Schedule>().is_err(), "{bad}");
    }
}

#[test]
fn slots_of_a_period_are_its_multiples() {
    let five = Schedule::Every(Duration::from_mins(5));
    assert_eq!(five.latest(at("2026-01-01T10:04:59.999999Z")), at("2026-01-01T10:00:00Z"));
    assert_eq!(five.latest(at("2026-01-01T10:05:00Z")), at("2026-01-01T10:05:00Z"));
    assert_eq!(five.next(at("2026-01-01T10:05:00Z")), at("2026-01-01T10:10:00Z"));
    assert_eq!(five.count(at("2026-01-01T10:00:00Z"), at("2026-01-01T11:00:00Z")), 12);
    assert_eq!(five.latest(at("1969-12-31T23:59:59Z")), at("1969-12-31T23:55:00Z"));
}

#[test]
fn a_daily_slot_comes_once_a_day_also_when_clocks_change() {
    for (zone, time) in [("Europe/Berlin", "02:30"), ("America/New_York", "01:30"), ("Pacific/Apia", "09:00")] {
        let daily = Schedule::Daily { at: minute(time), zone: zone.parse().expect("a zone") };
        let mut now = at("2026-01-01T00:00:00Z");
        let mut dates = BTreeMap::new();
        for _ in 0..730 {
            let next = daily.next(now);
            assert!(next > now);
            assert_eq!(daily.latest(next), next);
            assert_eq!(daily.latest(next - Duration::from_micros(1)), daily.latest(now), "{zone} {now}");
            assert_eq!(daily.count(now, next), 1);
            let Schedule::Daily { zone, .. } = &daily else { unreachable!() };
            *dates.entry(zone.wall_clock(next).at.date()).or_insert(0) += 1;
            now = next;
        }
        assert!(dates.values().all(|count| *count == 1), "{zone}");
        assert_eq!(dates.len(), 730);
    }
}

/// Every minute of every day of a zone, found by steps of `step`.
fn reached(zone: &str, from: Timestamp, days: u64, step: Duration) -> BTreeMap<(NaiveDate, LocalMinute), u32> {
    let zone: Zone = zone.parse().expect("a zone");
    let mut found = BTreeMap::new();
    let mut since = from;
    while since < from + Duration::from_hours(24 * days) {
        let until = since + step;
        for minute in local_minutes(&zone, since, until) {
            *found.entry(minute).or_insert(0) += 1;
        }
        since = until;
    }
    found
}

#[test]
fn each_minute_of_each_day_is_reached_once_also_when_clocks_change() {
    for (zone, from) in [
        ("Europe/Berlin", "2027-03-27T00:00:00Z"),
        ("Europe/Berlin", "2027-10-30T00:00:00Z"),
        ("America/New_York", "2027-03-13T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-10-02T00:00:00Z"),
        ("Africa/Casablanca", "2026-02-14T00:00:00Z"),
        ("Antarctica/Troll", "2026-03-28T00:00:00Z"),
    ] {
        for step in [Duration::from_mins(1), Duration::from_mins(5), Duration::from_hours(26)] {
            let found = reached(zone, at(from), 4, step);
            assert!(found.values().all(|count| *count == 1), "{zone}: twice");
            // The days in the middle are whole.
            let mut days: BTreeMap<NaiveDate, u32> = BTreeMap::new();
            found.keys().for_each(|(date, _)| *days.entry(*date).or_default() += 1);
            let whole = days.values().filter(|minutes| **minutes == 1440).count();
            assert!(whole >= 2, "{zone} {step:?}: {days:?}");
        }
    }
}

#[test]
fn a_day_that_is_skipped_has_no_minutes() {
    for (zone, from, skipped) in [
        ("Pacific/Apia", "2011-12-28T00:00:00Z", "2011-12-30"),
        ("Pacific/Fakaofo", "2011-12-28T00:00:00Z", "2011-12-30"),
        ("Pacific/Kwajalein", "1993-08-19T00:00:00Z", "1993-08-21"),
        ("Pacific/Enderbury", "1994-12-29T00:00:00Z", "1994-12-31"),
    ] {
        for step in [Duration::from_mins(1), Duration::from_hours(1), Duration::from_hours(26)] {
            let found = reached(zone, at(from), 5, step);
            let skipped: NaiveDate = skipped.parse().expect("a date");
            assert!(found.keys().all(|(date, _)| *date != skipped), "{zone} {step:?}");
            assert!(found.values().all(|count| *count == 1), "{zone}: twice");
            let place: Zone = zone.parse().expect("a zone");
            let mut instants: Vec<_> =
                found.keys().map(|(date, minute)| place.instant(date.and_time(minute.time()))).collect();
            let all = instants.len();
            instants.sort_unstable();
            instants.dedup();
            assert_eq!(instants.len(), all, "{zone}: two at the same instant");
        }
    }
}

#[test]
fn of_two_minutes_that_come_at_once_the_later_counts() {
    let since = at("2027-03-28T00:00:00Z");
    let both = [minute("02:30"), minute("03:30")];
    let found = cohorts_due(Some(&both), since, since + Duration::from_hours(2));
    let berlin: Vec<_> = found.iter().filter(|cohort| cohort.zone.name() == "Europe/Berlin").collect();
    assert_eq!(berlin.len(), 1);
    assert_eq!(
        (berlin[0].when, berlin[0].due_at(minute("09:00"))),
        (CohortTime::Shown(both[1]), at("2027-03-28T01:30:00Z"))
    );
}

#[test]
fn moments_name_whom_the_clocks_reach() {
    let found = cohorts_due(None, at("2026-06-01T06:59:00Z"), at("2026-06-01T07:00:00Z"));
    let berlin = found.iter().find(|cohort| cohort.zone.name() == "Europe/Berlin").expect("Berlin");
    assert_eq!((berlin.chosen, berlin.date.to_string().as_str()), ((minute("09:00"), minute("09:00")), "2026-06-01"));
    assert_eq!(berlin.due_at(minute("09:00")), at("2026-06-01T07:00:00Z"));
    let eight = cohorts_due(Some(&[minute("08:00")]), at("2026-06-01T06:59:00Z"), at("2026-06-01T07:00:00Z"));
    assert!(eight.iter().any(|cohort| cohort.zone.name() == "Europe/London"));
    assert!(eight.iter().all(|cohort| cohort.when == CohortTime::Shown(minute("08:00"))));
    assert!(!eight.iter().any(|cohort| cohort.zone.name() == "Europe/Berlin"));
}

#[test]
fn what_is_for_everybody_is_due_at_one_instant() {
    let now = at("2026-06-01T06:00:00Z");
    let all = all_zones(now);
    assert!(all.iter().all(|cohort| cohort.due_at(minute("09:00")) == now));
    let date = |zone: &str| all.iter().find(|cohort| cohort.zone.name() == zone).expect(zone).date.to_string();
    assert_eq!((date("Asia/Tokyo"), date("America/Los_Angeles")), ("2026-06-01".to_owned(), "2026-05-31".to_owned()));
}

#[test]
fn a_long_interval_is_a_few_ranges_in_the_order_of_time() {
    let found = cohorts_due(None, at("2026-06-01T07:00:00Z"), at("2026-06-02T07:00:00Z"));
    let berlin: Vec<_> = found.iter().filter(|cohort| cohort.zone.name() == "Europe/Berlin").collect();
    assert_eq!(berlin.len(), 2);
    assert_eq!(berlin[0].chosen, (minute("09:01"), minute("23:59")));
    assert_eq!(berlin[1].chosen, (minute("00:00"), minute("09:00")));
    assert!(found.is_sorted_by(|a, b| a.due_at(a.chosen.0) <= b.due_at(b.chosen.0)));
}

#[test]
fn daily_times_are_counted_over_a_thousand_years_and_no_step_is_made_for_each() {
    let daily: Schedule = "daily 02:00 Europe/Berlin".parse().expect("a schedule");
    let now = at("2026-03-29T12:00:00Z");
    assert_eq!(daily.count(at("2026-03-22T12:00:00Z"), now), 7);
    assert_eq!(daily.count(at("2025-03-22T12:00:00Z"), now), 372);
    assert_eq!(
        daily.count(at("1026-03-29T12:00:00Z"), now),
        365_243,
        "1026 is before the Gregorian calendar, which RFC 3339 goes on with"
    );
    assert_eq!(daily.count(Timestamp::MIN, now), 739_703);
}
