//! Statistics of users: counted hourly for those who were active, and shown.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::{Clock, Expired};
use taskflow_core::{
    Actor, JobName, Meeting, NewTask, Scope, TaskCounts, TaskId, TaskStatistics, Timestamp, Totals, User, UserWrite,
};

use super::app::World;
use super::jobs::{doing, tick};
use super::sweeps::{add_meeting, add_tasks, done};
use crate::OpenStore;
use crate::sample::{self, at, meeting, noon, user, user_id, users, welcome};

async fn task(world: &World, owner: Actor) -> TaskId {
    let new =
        NewTask { due_at: Some(at("2026-11-26T12:00:00Z")), ..NewTask::titled("something".parse().expect("a title")) };
    world.app.tasks().create(owner, new).await.expect("a task").id
}

/// Somebody completes something that they began an hour before.
async fn complete_at(world: &World, owner: Actor, now: Timestamp) {
    world.clock.set(now - Duration::from_hours(1));
    let id = task(world, owner).await;
    world.clock.set(now);
    world.app.tasks().complete(owner, id).await.expect("done");
}

async fn shown(world: &World, owner: Actor) -> TaskStatistics {
    world.app.statistics().of_tasks(owner).await.expect("statistics")
}

pub(super) async fn a_streak_grows_by_the_day_and_breaks(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    let ada = Actor::User(world.somebody("ada").await);
    assert_eq!((shown(&world, ada).await.streak_days, shown(&world, ada).await.counts), (0, TaskCounts::default()));
    task(&world, ada).await;
    // In Berlin these are the 22nd, the 23rd and the 24th.
    for (day, now) in (1..).zip(["2026-11-22T22:59:00Z", "2026-11-22T23:00:00Z", "2026-11-24T22:59:59Z"]) {
        complete_at(&world, ada, at(now)).await;
        assert_eq!(tick(&world, at(now) + Duration::from_hours(1)).await.len(), 1);
        let counted = shown(&world, ada).await;
        assert_eq!((counted.streak_days, counted.counts.completed), (day, u64::from(day)), "{now}");
        assert_eq!(counted.counted_at, at(now) + Duration::from_hours(1));
        assert_eq!(counted.lead_time(), Some(Duration::from_hours(1)));
        assert_eq!(counted.completion_rate(), Some(f64::from(day) / f64::from(day + 1)));
    }
    // What is committed late is looked for once more.
    tick(&world, at("2026-11-25T01:00:00Z")).await;
    // A day without anything is forgiven as long as it is not over. Nothing happens, and yet it is known.
    let kept = async |now| {
        assert_eq!(tick(&world, at(now)).await[0].counts.get("counted"), 0, "nothing has happened");
        let counted = shown(&world, ada).await;
        (counted.streak_days, counted.counts.overdue)
    };
    assert_eq!(kept("2026-11-25T22:30:00Z").await, (3, 0));
    assert_eq!(kept("2026-11-25T23:30:00Z").await, (0, 0));
    assert_eq!(kept("2026-11-26T12:30:00Z").await, (0, 1));
}

pub(super) async fn only_whose_tasks_changed_are_counted_again(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let counted = async |now: &str| tick(&world, at(now)).await[0].counts.get("counted");
    task(&world, Actor::User(ada)).await;
    task(&world, Actor::User(bob)).await;
    assert_eq!(counted("2026-11-22T13:00:00Z").await, 2);
    world.clock.set(at("2026-11-22T13:30:00Z"));
    task(&world, Actor::User(bob)).await;
    assert_eq!(counted("2026-11-22T14:00:00Z").await, 1);
    assert_eq!(world.storage.statistics(Scope::own(bob)).await.expect("a read").expect("counted").counts.total, 2);
    let ada_then = world.storage.statistics(Scope::own(ada)).await.expect("a read").expect("counted");
    assert_eq!((ada_then.counts.total, ada_then.counted_at), (1, at("2026-11-22T13:00:00Z")));
    assert_eq!(counted("2026-11-22T15:00:00Z").await, 0);
    // Everybody is counted when somebody asks for it; a dry run says whom.
    for (dry_run, expected) in [(true, 0), (false, 2)] {
        let now = at("2026-11-22T15:10:00Z");
        world.clock.set(now);
        world.app.jobs().request_run(Actor::System, JobName::STATISTICS, None, dry_run).await.expect("asked for");
        assert_eq!(tick(&world, now).await[0].counts.get("counted"), 2);
        let again = [ada, bob].map(|id| world.storage.statistics(Scope::own(id)));
        let again = futures_util::future::join_all(again).await;
        let fresh = again
            .into_iter()
            .filter(|found| found.as_ref().expect("a read").as_ref().is_some_and(|one| one.counted_at == now));
        assert_eq!(fresh.count(), expected);
    }
}

pub(super) async fn the_totals_are_those_of_the_last_count(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    let ada = Actor::User(world.somebody("ada").await);
    let totals = async || world.app.statistics().totals(Actor::System).await.expect("totals");
    let first = Totals { users: 1, active_users: 1, deliveries: 1, ..Totals::default() };
    let counted_at = |text: &str, totals| Totals { counted_at: Some(at(text)), ..totals };
    let now = world.clock.now().to_string();
    assert_eq!(totals().await, counted_at(&now, first.clone()), "counted at once as long as nobody has");
    tick(&world, at("2026-11-22T13:00:00Z")).await;
    complete_at(&world, ada, at("2026-11-22T14:30:00Z")).await;
    assert_eq!(totals().await, counted_at("2026-11-22T13:00:00Z", first.clone()));
    tick(&world, at("2026-11-22T15:00:00Z")).await;
    let second = Totals { tasks: 1, completed_tasks: 1, deliveries: 2, ..first };
    assert_eq!(totals().await, counted_at("2026-11-22T15:00:00Z", second));
}

pub(super) async fn the_whole_service_is_counted_page_by_page_and_whom_nobody_has_counted(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    // As from a backup: no feed tells of them.
    let locked = User { is_active: false, ..user(13) };
    let setup = users(1..=12).write(UserWrite::Insert(locked)).deliver((1..=13).map(welcome));
    world.storage.commit(&setup).await.expect("people");
    let tasks = (1..=12).map(|n| sample::task(n, n)).chain((13..=20).map(|n| done(n, n - 7, noon())));
    add_tasks(&world.storage, tasks).await;
    add_meeting(&world.storage, Meeting { cancelled_at: Some(noon()), ..meeting(1, 1) }, Vec::new()).await;
    for n in 2..=60 {
        add_meeting(&world.storage, meeting(n, 1), Vec::new()).await;
    }
    let expected = |now| Totals {
        counted_at: Some(at(now)),
        users: 13,
        active_users: 12,
        tasks: 20,
        completed_tasks: 8,
        meetings: 59,
        deliveries: 13,
    };
    let one = at("2026-11-22T13:00:00Z");
    let runs = tick(&world, one).await;
    assert_eq!((runs.len(), runs[0].counts.get("counted")), (1, 13), "{runs:?}");
    let totals = async || world.app.statistics().totals(Actor::System).await.expect("totals");
    assert_eq!(totals().await, expected("2026-11-22T13:00:00Z"));
    let kept = world.storage.statistics(Scope::own(user_id(9))).await.expect("a read").expect("counted");
    assert_eq!((kept.counts.total, kept.counts.completed, kept.counted_at), (2, 1, one));
    // What was delivered is purged and goes on counting.
    let two = at("2026-11-22T14:00:00Z");
    assert_eq!(world.storage.purge(Expired::Deliveries(two), 7).await.expect("a slice"), 7);
    let runs = tick(&world, two).await;
    assert_eq!((runs.len(), runs[0].counts.get("counted")), (1, 0), "they are known by now");
    assert_eq!(totals().await, expected("2026-11-22T14:00:00Z"));
}

pub(super) async fn who_asks_for_the_totals_of_many_waits_for_a_part_of_them(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.storage.commit(&users(1..=2_050)).await.expect("people whom nobody has counted");
    let totals = world.app.statistics().totals(Actor::System).await.expect("totals");
    assert_eq!((totals.counted_at, totals.users), (None, 2_000), "at least so many");
}
