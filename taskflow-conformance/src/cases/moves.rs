//! People who move past what was to come today, by another zone or another minute.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Actor, JobName, NoticeKind, Precondition, Preferences, PreferencesChange, ProfileChange, Timestamp, User,
};

use super::app::World;
use super::jobs::{doing, nine, people, tick};
use super::summaries::told;
use super::sweeps::{add_tasks, add_users, minute, person};
use crate::OpenStore;
use crate::sample::{at, noon, task, user_id, zone};

async fn move_to(world: &World, now: &str, place: &str) {
    world.clock.set(at(now));
    let change = ProfileChange { time_zone: Some(zone(place)), ..ProfileChange::default() };
    world
        .app
        .accounts()
        .update_profile(Actor::User(user_id(1)), user_id(1), change, Precondition::Any)
        .await
        .expect("moved");
    world.deliver().await;
}

async fn choose(world: &World, preferences: impl Into<PreferencesChange>) {
    let change = preferences.into();
    world
        .app
        .accounts()
        .change_preferences(Actor::User(user_id(1)), &change, Precondition::Any)
        .await
        .expect("changed");
    world.deliver().await;
}

/// The keys of what there is, without the person, and when it was due.
async fn all(world: &World) -> Vec<(String, Timestamp)> {
    let person = format!("/{}", user_id(1));
    told(&world.storage).await.into_iter().map(|(key, at)| (key.replace(&person, ""), at)).collect()
}

pub(super) async fn who_moves_past_a_reminder_gets_the_last_one_of_the_day_once(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::TASK_REMINDERS]).await;
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
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    people(&world, 1..=1).await;
    move_to(&world, "2026-11-23T06:30:00Z", "Asia/Tokyo").await;
    assert_eq!(all(&world).await, []);
}

pub(super) async fn who_chooses_a_minute_that_has_passed_gets_their_summary_once(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES, JobName::TASK_REMINDERS]).await;
    people(&world, 1..=1).await;
    let at_minute = |text| Preferences { summary_at: minute(text), ..Preferences::default() };
    // It is one o'clock in Berlin.
    choose(&world, at_minute("18:00")).await;
    assert_eq!(all(&world).await, []);
    let now = noon() + Duration::from_hours(1);
    world.clock.set(now);
    choose(&world, at_minute("13:30")).await;
    let summary = ("daily-summary/2026-11-22".to_owned(), now);
    assert_eq!(all(&world).await, std::slice::from_ref(&summary));
    assert_eq!(world.mailer.take().len(), 1);
    choose(&world, at_minute("13:45")).await;
    choose(&world, at_minute("14:30")).await;
    tick(&world, noon() + Duration::from_hours(3)).await;
    assert_eq!(all(&world).await, [summary]);
    assert_eq!(world.mailer.take(), []);
}

pub(super) async fn who_says_where_they_are_has_moved_past_nothing(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES, JobName::TASK_REMINDERS]).await;
    // An account of one o'clock in Berlin, when nine and eight o'clock are past for the day.
    people(&world, 1..=1).await;
    let minutes = ["00:00", "08:59", "13:00", "09:00"];
    for (minute_of_day, place) in minutes.into_iter().zip(["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"]) {
        choose(&world, Preferences { summary_at: minute(minute_of_day), ..Preferences::default() }).await;
        move_to(&world, "2026-11-22T12:00:01Z", place).await;
        assert_eq!(all(&world).await, [], "{minute_of_day} {place}");
    }
    assert_eq!(world.mailer.take(), []);
    // From here on it is as for everybody.
    tick(&world, nine() - Duration::from_hours(1)).await;
    tick(&world, nine()).await;
    let keys: Vec<_> = all(&world).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["daily-summary/2026-11-23", "task-reminder/2026-11-22T20:00", "task-reminder/2026-11-23T08:00"]);
}

pub(super) async fn a_day_that_is_skipped_brings_nothing(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES, JobName::TASK_REMINDERS]).await;
    world.clock.set(at("2011-12-28T19:00:00Z"));
    world.app.jobs().run_due().await.expect("a step");
    let sina = User { created_at: at("2011-12-01T00:00:00Z"), ..person(1, "Pacific/Apia", "09:00") };
    add_users(&world.storage, [sina]).await;
    add_tasks(&world.storage, [task(1, 1)]).await;
    for now in ["2011-12-29T19:00:00Z", "2011-12-30T10:30:00Z", "2011-12-30T19:00:00Z", "2011-12-31T19:00:00Z"] {
        tick(&world, at(now)).await;
    }
    let told_of = |day: &str, when: &str| (format!("daily-summary/{day}"), at(when));
    let summaries: Vec<_> = all(&world).await.into_iter().filter(|(key, _)| key.starts_with("daily-summary")).collect();
    let expected = [
        told_of("2011-12-29", "2011-12-29T19:00:00Z"),
        told_of("2011-12-31", "2011-12-30T19:00:00Z"),
        told_of("2012-01-01", "2011-12-31T19:00:00Z"),
    ];
    assert_eq!(summaries, expected);
}
