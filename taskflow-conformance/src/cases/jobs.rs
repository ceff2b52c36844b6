//! Scheduled jobs as a host runs them: by schedule and by hand, paused, dry, caught up and given up.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Actor, DeliveryState, Error, JobName, JobRun, JobState, Jobs, RunState, Timestamp, Trigger, UniqueField,
    shipped_jobs,
};

use super::app::World;
use super::cluster::Watched;
use super::sweeps::{add_tasks, add_users, person};
use crate::OpenStore;
use crate::sample::{at, new_user, noon, task};

/// The names of the shipped jobs.
pub(super) fn shipped() -> Vec<JobName> {
    shipped_jobs().iter().map(|job| job.name()).collect()
}

/// These jobs and no other, with their default plans.
pub(super) fn only(names: &[JobName]) -> Jobs {
    let mut jobs = Jobs::default();
    jobs.plans.retain(|job, _| names.contains(job));
    jobs
}

/// A world in which only these jobs are done, in small pages, begun at noon.
pub(super) async fn doing(open: &dyn OpenStore, jobs: &[JobName]) -> World {
    let world = World::building(open, |builder| builder.jobs(Jobs { page: 5, ..only(jobs) }));
    assert_eq!(tick(&world, noon()).await, [], "what lies behind is nobody's duty");
    world
}

/// Turns the clock, does what is due and sends it; the runs it had.
pub(super) async fn tick(world: &World, now: Timestamp) -> Vec<JobRun> {
    world.clock.set(now);
    let reports = world.app.jobs().run_due().await.expect("a step");
    assert!(reports.iter().all(|report| !report.lost), "{reports:?}");
    world.deliver().await;
    reports.into_iter().map(|report| report.run).collect()
}

/// So many people with an open task, who chose 09:00 in Berlin, where it is 13:00 at noon.
pub(super) async fn people(world: &World, numbers: std::ops::RangeInclusive<u64>) {
    add_users(&world.storage, numbers.clone().map(|n| person(n, "Europe/Berlin", "09:00"))).await;
    add_tasks(&world.storage, numbers.map(|n| task(n, n))).await;
}

/// The next 09:00 in Berlin.
pub(super) fn nine() -> Timestamp {
    at("2026-11-23T08:00:00Z")
}

async fn states(world: &World) -> Vec<JobState> {
    world.app.jobs().list(Actor::System).await.expect("a list")
}

/// The summaries that there are: how many, and how many of them were sent.
pub(super) async fn summaries(world: &World) -> (usize, usize) {
    let all = world.storage.deliveries_with_key("daily-summary/", 1000).await.expect("a list");
    (all.len(), all.iter().filter(|one| one.state == DeliveryState::Delivered).count())
}

pub(super) async fn a_run_tells_what_it_did(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    people(&world, 1..=12).await;
    add_users(&world.storage, [person(13, "Europe/Berlin", "09:00")]).await;
    assert_eq!(tick(&world, nine() - Duration::from_micros(1)).await, []);
    let late = nine() + Duration::from_secs(59);
    let runs = tick(&world, late).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = &runs[0];
    assert_eq!((run.slot, run.trigger, run.tries, run.state()), (nine(), Trigger::Schedule, 1, RunState::Finished));
    assert_eq!((run.created_at, run.started_at, run.finished_at), (late, Some(late), Some(late)));
    assert_eq!((run.counts.get("examined"), run.counts.get("found"), run.counts.get("missed")), (13, 12, 0));
    let kept = world.app.jobs().get_run(Actor::System, run.job, run.id).await.expect("kept");
    assert_eq!(JobRun { cursor: None, ..kept.clone() }, *run);
    let listed = world.app.jobs().runs(Actor::System, run.job, None, 10).await.expect("a list");
    assert_eq!(listed, [kept], "minutes that are nobody's leave no run");
    assert_eq!(summaries(&world).await, (12, 12));
    assert_eq!(tick(&world, late).await, []);
    assert_eq!(tick(&world, nine() + Duration::from_hours(2)).await, []);
    assert_eq!(states(&world).await.len(), shipped().len(), "also those that nobody looks after");
}

pub(super) async fn a_slot_that_is_run_by_hand_is_run_once(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    people(&world, 1..=3).await;
    let ask =
        async |at, dry| world.app.jobs().request_run(Actor::System, JobName::DAILY_SUMMARIES, Some(at), dry).await;
    // This morning nobody was there.
    let morning = at("2026-11-22T08:00:00Z");
    let asked = ask(morning, false).await.expect("asked for");
    assert_eq!((asked.state(), asked.trigger), (RunState::Waiting, Trigger::Slot));
    assert!(matches!(ask(morning, false).await, Err(Error::Taken(UniqueField::Slot))));
    let runs = tick(&world, noon()).await;
    assert_eq!((runs.len(), runs[0].id, runs[0].counts.get("found")), (1, asked.id, 3));
    assert_eq!(summaries(&world).await, (3, 3));
    assert!(matches!(ask(morning, false).await, Err(Error::Taken(UniqueField::Slot))));
    // A dry one tells the same and does nothing.
    ask(at("2026-11-21T08:00:00Z"), true).await.expect("asked for");
    let runs = tick(&world, noon()).await;
    assert_eq!((runs.len(), runs[0].dry_run, runs[0].counts.get("found")), (1, true, 3));
    assert_eq!(summaries(&world).await, (3, 3));
    // What was asked for by hand as its time came is not run by the schedule as well.
    world.clock.set(nine());
    let asked = ask(nine(), false).await.expect("asked for");
    let runs = tick(&world, nine()).await;
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [asked.id]);
    assert_eq!(summaries(&world).await, (6, 6));
    assert_eq!(tick(&world, nine()).await, []);
}

pub(super) async fn a_run_for_now_is_for_whoever_has_not_had_theirs_today(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    people(&world, 1..=3).await;
    assert_eq!(tick(&world, nine()).await.len(), 1);
    assert_eq!(summaries(&world).await, (3, 3));
    add_users(&world.storage, [person(4, "America/Los_Angeles", "09:00"), person(5, "Asia/Tokyo", "22:00")]).await;
    add_tasks(&world.storage, [task(4, 4), task(5, 5)]).await;
    let now = nine() + Duration::from_secs(7);
    world.clock.set(now);
    let asked =
        world.app.jobs().request_run(Actor::System, JobName::DAILY_SUMMARIES, None, false).await.expect("asked for");
    assert_eq!((asked.slot, asked.trigger), (now, Trigger::Now));
    let runs = tick(&world, now).await;
    assert_eq!(runs[0].counts.get("examined"), 5);
    assert_eq!(summaries(&world).await, (5, 5));
    // Their own time comes later that day, and they have had it.
    for hours in 1..=14 {
        tick(&world, nine() + Duration::from_hours(hours)).await;
    }
    assert_eq!(summaries(&world).await, (5, 5), "nobody hears of a date twice");
}

pub(super) async fn a_paused_job_waits_and_does_not_make_up_for_it(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES, JobName::STATISTICS]).await;
    people(&world, 1..=3).await;
    world.app.jobs().pause(Actor::System, JobName::DAILY_SUMMARIES).await.expect("paused");
    let runs = tick(&world, nine() + Duration::from_mins(5)).await;
    assert_eq!(runs.iter().map(|run| run.job).collect::<Vec<_>>(), [JobName::STATISTICS]);
    assert_eq!(world.app.jobs().due().await.expect("a list"), []);
    // By hand it can be run all the same.
    let ask = |dry| world.app.jobs().request_run(Actor::System, JobName::DAILY_SUMMARIES, Some(nine()), dry);
    ask(true).await.expect("asked for");
    assert_eq!(world.app.jobs().due().await.expect("a list"), [JobName::DAILY_SUMMARIES]);
    assert_eq!(tick(&world, nine() + Duration::from_mins(5)).await.len(), 1);
    world.app.jobs().resume(Actor::System, JobName::DAILY_SUMMARIES).await.expect("resumed");
    assert_eq!(tick(&world, nine() + Duration::from_mins(30)).await, []);
    assert_eq!(summaries(&world).await, (0, 0));
    assert_eq!(tick(&world, nine() + Duration::from_hours(24)).await.len(), 2);
    assert_eq!(summaries(&world).await, (3, 3));
}

pub(super) async fn slots_that_nobody_was_there_for_are_skipped_or_made_up_for_and_counted(open: Arc<dyn OpenStore>) {
    let (skips, makes_up, daily) = (JobName::SERVER_MONITORING, JobName::MEETING_REMINDERS, JobName::DATA_CLEANUP);
    let world = doing(&*open, &[skips, makes_up, daily]).await;
    let missed = |runs: &[JobRun]| runs.iter().map(|run| (run.job, run.counts.get("missed"))).collect::<Vec<_>>();
    let quarter = at("2026-11-22T12:05:00Z");
    assert_eq!(missed(&tick(&world, quarter).await), [(makes_up, 0), (skips, 0)]);
    let later = at("2026-11-22T13:02:00Z");
    assert_eq!(missed(&tick(&world, later).await), [(makes_up, 10)], "two minutes late is too late to look");
    let days = at("2026-11-25T02:00:30Z");
    let all = missed(&tick(&world, days).await);
    assert_eq!(all, [(makes_up, 731), (skips, 731), (daily, 2)]);
    assert_eq!(tick(&world, days).await, []);
}

pub(super) async fn only_who_runs_the_service_sees_and_moves_jobs(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::STATISTICS]).await;
    let ada = Actor::User(world.app.accounts().register(new_user("ada"), None).await.expect("an account").id);
    let app = &world.app;
    let run = app.jobs().request_run(Actor::System, JobName::STATISTICS, None, false).await.expect("asked for");
    for refused in [
        app.jobs().list(ada).await.map(drop),
        app.jobs().runs(ada, JobName::STATISTICS, None, 9).await.map(drop),
        app.jobs().get_run(ada, run.job, run.id).await.map(drop),
        app.jobs().request_run(ada, JobName::STATISTICS, None, true).await.map(drop),
        app.jobs().pause(ada, JobName::STATISTICS).await,
        app.jobs().resume(ada, JobName::STATISTICS).await,
        app.statistics().totals(ada).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    // A run of another job is none of this one's.
    let unknown = app.jobs().get_run(Actor::System, JobName::DATA_CLEANUP, run.id).await;
    assert!(matches!(unknown, Err(Error::NotFound("run"))), "{unknown:?}");
}

pub(super) async fn a_store_that_is_away_is_waited_for_a_day_and_not_for_ever(open: Arc<dyn OpenStore>) {
    let watched = Watched::new(&*open);
    let jobs = Jobs { page: 5, ..only(&[JobName::DAILY_SUMMARIES]) };
    let world = World::building(&*open, |builder| builder.jobs(jobs).sweeps(watched.clone()));
    tick(&world, noon()).await;
    people(&world, 1..=12).await;
    watched.fail_at(2, 1);
    world.clock.set(nine());
    let failed = world.app.jobs().run_due().await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    let runs = tick(&world, nine() + Duration::from_secs(1)).await;
    assert_eq!((runs.len(), runs[0].tries, runs[0].counts.get("examined")), (1, 2, 12));
    assert_eq!(summaries(&world).await, (12, 12));

    let next = nine() + Duration::from_hours(24);
    watched.fail_at(1, u32::MAX);
    world.clock.set(next);
    for hours in 0..=24 {
        world.clock.set(next + Duration::from_hours(hours));
        let waits = world.app.jobs().run_due().await;
        assert!(matches!(waits, Err(Error::Unavailable(_))), "{waits:?}");
    }
    let runs = world.app.jobs().runs(Actor::System, JobName::DAILY_SUMMARIES, None, 10).await.expect("runs");
    let given_up = runs.iter().find(|run| run.slot == next).expect("the run");
    assert_eq!((given_up.state(), given_up.tries), (RunState::Failed, 25));
    assert_eq!(given_up.error.as_deref(), Some("storage is unavailable"));
    watched.fail_at(1, 0);
    assert_eq!(tick(&world, next + Duration::from_hours(24)).await.len(), 1, "the next slot is another matter");
    assert_eq!(summaries(&world).await, (24, 24));
}
