//! Everybody hears of their day once a day and of what is open twice, by the clock on their own wall.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Days;
use taskflow_core::ports::Storage;
use taskflow_core::{Actor, DeliveryState, JobName, LocalMinute, Precondition, ProfileChange, Timestamp, User, Zone};

use super::app::World;
use super::jobs::{doing, only, tick};
use super::sweeps::{add_tasks, add_users, minute, person};
use crate::OpenStore;
use crate::sample::{at, task, zone};
use crate::year::chance::Chance;

/// Expected due times, by the keys of deliveries.
pub(super) type Expected = BTreeMap<String, Timestamp>;

/// Zones of both hemispheres, at the ends of the world, and such whose clocks change by half an hour, by two, or stand
/// a quarter of an hour aside.
const PLACES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
];

/// The usual one; one that is skipped or comes twice in some of these zones; the ends of the day.
const MINUTES: [&str; 4] = ["09:00", "02:15", "00:00", "23:59"];

const BOTH: [JobName; 2] = [JobName::TASK_REMINDERS, JobName::DAILY_SUMMARIES];

/// So many people for each place and minute, each with an open task.
pub(super) async fn crowd(storage: &Arc<dyn Storage>, places: &[&str], minutes: &[&str], each: usize) -> Vec<User> {
    let of = |place| minutes.iter().map(move |at| (place, *at));
    let chosen = places.iter().flat_map(|place| of(*place)).flat_map(|one| std::iter::repeat_n(one, each));
    // They have had their accounts for long, whenever the case takes place.
    let created_at = crate::sample::noon() - Duration::from_hours(24 * 366);
    let person = |(n, (place, at))| User { created_at, ..person(n, place, at) };
    let people: Vec<User> = (1..).zip(chosen).map(person).collect();
    add_users(storage, people.clone()).await;
    let numbers = 1..=people.len() as u64;
    add_tasks(storage, numbers.map(|n| task(n, n))).await;
    people
}

/// Returns the dates on which a clock of a zone shows this minute, and when, after `begin` and up to `end`. Each date
/// occurs once.
fn days(zone: &Zone, at: LocalMinute, begin: Timestamp, end: Timestamp) -> Vec<(chrono::NaiveDate, Timestamp)> {
    let first = begin.to_chrono().date_naive() - Days::new(2);
    let dates = first.iter_days().take_while(|date| *date <= end.to_chrono().date_naive() + Days::new(2));
    let instants = dates.map(|date| (date, zone.instant(date.and_time(at.time()))));
    instants.filter(|(_, at)| *at > begin && *at <= end).collect()
}

/// The summaries of somebody who stays where they are.
pub(super) fn summaries_of(user: &User, begin: Timestamp, end: Timestamp) -> Expected {
    let days = days(&user.time_zone, user.preferences.summary_at, begin, end);
    days.into_iter().map(|(date, at)| (format!("daily-summary/{date}/{}", user.id), at)).collect()
}

/// The reminders of somebody who stays where they are.
pub(super) fn reminders_of(user: &User, begin: Timestamp, end: Timestamp) -> Expected {
    let at = |text: &'static str| {
        let days = days(&user.time_zone, minute(text), begin, end).into_iter();
        days.map(move |(date, at)| (format!("task-reminder/{date}T{text}/{}", user.id), at))
    };
    at("08:00").chain(at("20:00")).collect()
}

/// Returns the planned notices of both kinds.
pub(super) async fn told(storage: &Arc<dyn Storage>) -> Expected {
    let mut told = Expected::new();
    for prefix in ["daily-summary/", "task-reminder/"] {
        let all = storage.deliveries_with_key(prefix, 100_000).await.expect("a list");
        told.extend(all.into_iter().map(|one| (one.dedupe_key.to_string(), one.due_at)));
    }
    told
}

/// A host that looks now and then, never later than after two hours.
async fn live(world: &World, until: Timestamp, chance: &mut Chance, now: &mut Timestamp) {
    while *now < until {
        *now = until.min(*now + Duration::from_mins(1 + chance.below(119)));
        tick(world, *now).await;
    }
}

async fn a_week(open: &dyn OpenStore, begin: &str, checked: &[(&str, &str, &str)]) {
    let world = World::building(open, |builder| builder.jobs(only(&BOTH)));
    let begin = at(begin);
    let end = begin + Duration::from_hours(8 * 24 + 16);
    let people = crowd(&world.storage, &PLACES, &MINUTES, 1).await;
    tick(&world, begin).await;
    live(&world, end, &mut Chance::new(7), &mut begin.clone()).await;
    let mut expected = Expected::new();
    for user in &people {
        let summaries = summaries_of(user, begin, end);
        assert!((8..=10).contains(&summaries.len()), "{user:?}");
        expected.extend(summaries);
        expected.extend(reminders_of(user, begin, end));
    }
    let told = told(&world.storage).await;
    assert_eq!(told, expected);
    for (place, key, due_at) in checked {
        let (key, minute) = key.split_once(' ').expect("a date and a minute");
        let chose = |user: &&User| user.time_zone == zone(place) && user.preferences.summary_at.to_string() == minute;
        let user = people.iter().find(chose).expect("somebody");
        assert_eq!(told.get(&format!("daily-summary/{key}/{}", user.id)), Some(&at(due_at)), "{place} {key}");
    }
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered), (expected.len() as u64, expected.len() as u64), "{ledger:?}");
    assert_eq!(world.mailer.take().len(), expected.len());
}

pub(super) async fn a_week_of_march_and_april_tells_everybody_once_a_day(open: Arc<dyn OpenStore>) {
    let checked = [
        ("Europe/Berlin", "2026-03-28 09:00", "2026-03-28T08:00:00Z"),
        ("Europe/Berlin", "2026-03-29 09:00", "2026-03-29T07:00:00Z"),
        ("Europe/Berlin", "2026-03-29 02:15", "2026-03-29T01:15:00Z"),
        ("Antarctica/Troll", "2026-03-29 02:15", "2026-03-29T02:15:00Z"),
        ("Australia/Sydney", "2026-04-05 02:15", "2026-04-04T15:15:00Z"),
        ("Australia/Lord_Howe", "2026-04-05 09:00", "2026-04-04T22:30:00Z"),
        ("Pacific/Chatham", "2026-04-05 09:00", "2026-04-04T20:15:00Z"),
        ("Asia/Kathmandu", "2026-04-01 09:00", "2026-04-01T03:15:00Z"),
    ];
    a_week(&*open, "2026-03-28T00:00:00Z", &checked).await;
}

pub(super) async fn a_week_of_october_and_november_tells_everybody_once_a_day(open: Arc<dyn OpenStore>) {
    let checked = [
        ("Europe/Berlin", "2026-10-25 02:15", "2026-10-25T00:15:00Z"),
        ("Europe/Berlin", "2026-10-25 09:00", "2026-10-25T08:00:00Z"),
        ("America/New_York", "2026-11-01 09:00", "2026-11-01T14:00:00Z"),
        ("America/St_Johns", "2026-11-01 09:00", "2026-11-01T12:30:00Z"),
        ("Pacific/Kiritimati", "2026-10-25 00:00", "2026-10-24T10:00:00Z"),
    ];
    a_week(&*open, "2026-10-24T00:00:00Z", &checked).await;
}

/// Returns the notices for a user who moved to these zones at these instants.
fn summaries_of_traveller(user: &User, stays: &[(Timestamp, Zone)], end: Timestamp) -> Expected {
    let mut expected = Expected::new();
    for (index, (arrived, zone)) in stays.iter().enumerate() {
        let leaves = stays.get(index + 1).map_or(end + Duration::from_micros(1), |(at, _)| *at);
        let minute = user.preferences.summary_at;
        // What was due before they came is told as they come, as long as it is that day and lay ahead of them where they
        // were; at the very beginning it is not.
        let came_from = index.checked_sub(1).map_or(zone, |before| &stays[before].1);
        let since = if index == 0 { *arrived } else { *arrived - Duration::from_hours(26) };
        for (date, at) in days(zone, minute, since, end) {
            if at < *arrived && came_from.instant(date.and_time(minute.time())) <= *arrived {
                continue;
            }
            let told_at = at.max(*arrived);
            let leaves_later = told_at < leaves || (told_at == leaves && at == leaves);
            if leaves_later && zone.wall_clock(told_at).at.date() == date {
                expected.entry(format!("daily-summary/{date}/{}", user.id)).or_insert(told_at);
            }
        }
    }
    expected
}

pub(super) async fn who_travels_hears_of_each_date_once(open: Arc<dyn OpenStore>) {
    let world = World::building(&*open, |builder| builder.jobs(only(&[JobName::DAILY_SUMMARIES])));
    let begin = at("2026-10-24T00:00:00Z");
    let mut chance = Chance::new(20_261_101);
    let people = crowd(&world.storage, &PLACES[..6], &["09:00", "17:30"], 1).await;
    let mut stays: Vec<Vec<_>> = people.iter().map(|user| vec![(begin, user.time_zone.clone())]).collect();
    tick(&world, begin).await;
    let mut now = begin;
    for _ in 0..60 {
        let until = now + Duration::from_mins(1 + chance.below(400));
        live(&world, until, &mut chance, &mut now).await;
        let who = chance.below(people.len() as u64) as usize;
        let place = zone(chance.pick(&PLACES).expect("a place"));
        let change = ProfileChange { time_zone: Some(place.clone()), ..ProfileChange::default() };
        let id = people[who].id;
        world.app.accounts().update_profile(Actor::User(id), id, change, Precondition::Any).await.expect("moved");
        stays[who].push((now, place));
    }
    live(&world, now + Duration::from_hours(1), &mut chance, &mut now).await;
    let travelled = people.iter().zip(&stays).map(|(user, stays)| summaries_of_traveller(user, stays, now));
    let expected: Expected = travelled.flatten().collect();
    assert_eq!(told(&world.storage).await, expected);
    assert_eq!(world.mailer.take().len(), expected.len());
}

pub(super) async fn after_thirty_hours_what_is_too_late_is_counted(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &BOTH).await;
    let chosen = ["13:30", "14:00", "09:00", "18:00", "19:00"];
    add_users(&world.storage, (1..).zip(chosen).map(|(n, at)| person(n, "Europe/Berlin", at))).await;
    add_tasks(&world.storage, (1..=5).map(|n| task(n, n))).await;
    // Down from 13:00 in Berlin until 19:00 the next day.
    let now = at("2026-11-23T18:00:00Z");
    let runs = tick(&world, now).await;
    let counted =
        |job| runs.iter().find(|run| run.job == job).map(|run| (run.counts.get("found"), run.counts.get("missed")));
    // Those of 13:30 and 14:00 of the first day lie four hours too far back; of the second day each has one.
    assert_eq!(counted(JobName::DAILY_SUMMARIES), Some((7, 240)));
    assert_eq!(counted(JobName::TASK_REMINDERS), Some((10, 240)));
    let all = world.storage.deliveries_with_key("daily-summary/", 100).await.expect("a list");
    let state = |wanted| all.iter().filter(|one| one.state == wanted).map(|one| one.due_at).collect::<Vec<_>>();
    let hour = |text: &str| at(&format!("2026-11-{text}:00Z"));
    let mut delivered = state(DeliveryState::Delivered);
    delivered.sort_unstable();
    assert_eq!(delivered, [hour("23T12:30"), hour("23T13:00"), hour("23T17:00"), hour("23T18:00")]);
    let mut expired = state(DeliveryState::Expired);
    expired.sort_unstable();
    assert_eq!(expired, [hour("22T17:00"), hour("22T18:00"), hour("23T08:00")]);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.delivered, ledger.expired), (17, 4, 13), "{ledger:?}");
}
