//! People who move past what was to come today, by another zone or another minute.

use std::sync::Arc;
use std::time::Duration;

use super::app::World;
use super::jobs::{doing, nine, people, tick};
use super::summaries::told;
use super::sweeps::minute;
use crate::testing::OpenStore;
use crate::testing::sample::{at, noon, user_id, zone};
use crate::{Actor, Expect, JobName, NoticeKind, Preferences, PreferencesChange, ProfileChange, Timestamp};

async fn move_to(world: &World, now: &str, place: &str) {
    world.clock.set(at(now));
    let change = ProfileChange { time_zone: Some(zone(place)), ..ProfileChange::default() };
    world.app.update_profile(Actor::User(user_id(1)), user_id(1), change, Expect::Any).await.expect("moved");
    world.deliver().await;
}

async fn choose(world: &World, preferences: impl Into<PreferencesChange>) {
    let change = preferences.into();
    world.app.change_preferences(Actor::User(user_id(1)), &change, Expect::Any).await.expect("changed");
    world.deliver().await;
}

/// The keys of what there is, without the person, and when it was due.
async fn all(world: &World) -> Vec<(String, Timestamp)> {
    let person = format!("/{}", user_id(1));
    told(&world.storage).await.into_iter().map(|(key, at)| (key.replace(&person, ""), at)).collect()
}

pub(super) async fn who_moves_past_a_reminder_gets_the_last_one_of_the_day_once(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::TaskReminders]).await;
    people(&world, 1..=1).await;
    let told_of =
        |minute: &str, when: &str| (format!("task-reminder/2026-11-{minute}"), at(&format!("2026-11-{when}Z")));
    let mut expected = vec![told_of("22T20:00", "22T19:00:00")];
    tick(&world, expected[0].1).await;
    // From half past seven to half past eight, back, and through the eight o'clock that comes now.
    move_to(&world, "2026-11-23T06:30:00Z", "Europe/Athens").await;
    expected.push(told_of("23T08:00", "23T06:30:00"));
    assert_eq!(all(&world).await, expected);
    move_to(&world, "2026-11-23T06:40:00Z", "Europe/Berlin").await;
    tick(&world, nine()).await;
    // Where it is the evening before they have had both.
    move_to(&world, "2026-11-23T08:00:00Z", "Pacific/Pago_Pago").await;
    assert_eq!(all(&world).await, expected);
    tick(&world, at("2026-11-24T07:00:00Z")).await;
    expected.push(told_of("23T20:00", "24T07:00:00"));
    assert_eq!(all(&world).await, expected);
    // From half past seven to half past eight in the evening: of two only the last one is of use.
    move_to(&world, "2026-11-24T18:30:00Z", "Europe/Athens").await;
    expected.push(told_of("24T20:00", "24T18:30:00"));
    tick(&world, at("2026-11-24T18:31:00Z")).await;
    assert_eq!((all(&world).await, world.mailer.take().len()), (expected.clone(), 4));
    choose(&world, Preferences::default().without(NoticeKind::TaskReminder)).await;
    move_to(&world, "2026-11-24T18:40:00Z", "Pacific/Kiritimati").await;
    assert_eq!(all(&world).await, expected, "who wants none gets none");
}

pub(super) async fn only_what_is_planned_by_peoples_clocks_is_left_behind(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::Statistics]).await;
    people(&world, 1..=1).await;
    move_to(&world, "2026-11-23T06:30:00Z", "Asia/Tokyo").await;
    assert_eq!(all(&world).await, []);
}

pub(super) async fn who_chooses_a_minute_that_has_passed_gets_their_summary_once(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DailySummaries, JobName::TaskReminders]).await;
    people(&world, 1..=1).await;
    let at_minute = |text| Preferences { summary_at: minute(text), ..Preferences::default() };
    // It is one o'clock in Berlin.
    choose(&world, at_minute("18:00")).await;
    assert_eq!(all(&world).await, []);
    choose(&world, at_minute("12:30")).await;
    let summary = ("daily-summary/2026-11-22".to_owned(), noon());
    assert_eq!(all(&world).await, std::slice::from_ref(&summary));
    assert_eq!(world.mailer.take().len(), 1);
    choose(&world, at_minute("12:45")).await;
    choose(&world, at_minute("13:30")).await;
    tick(&world, noon() + Duration::from_hours(2)).await;
    assert_eq!(all(&world).await, [summary]);
    assert_eq!(world.mailer.take(), []);
}
