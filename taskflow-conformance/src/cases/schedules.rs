//! Schedules: a scheduled time that is also run by hand, a clock that was wrong, and jobs that follow one clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{Actor, CatchUp, Error, JobName, JobPlan, JobState, Jobs, RunState, Timestamp, Trigger};

use super::app::World;
use super::jobs::{doing, nine, only, people, shipped, summaries, tick};
use super::summaries::{crowd, told};
use super::sweeps::{MICRO, add_tasks, add_users, person};
use crate::OpenStore;
use crate::sample::{at, noon, task};

async fn state(world: &World, job: JobName) -> JobState {
    let states = world.app.jobs().list(Actor::System).await.expect("a list");
    states.into_iter().find(|state| state.job == job).expect("every job")
}

/// The slot of the jobs that are taken up at noon.
fn twelve() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

pub(super) async fn a_slot_that_lies_ahead_cannot_be_asked_for(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    for (job, dry_run) in shipped().into_iter().flat_map(|job| [(job, true), (job, false)]) {
        let asked = world.app.jobs().request_run(Actor::System, job, Some(noon() + MICRO), dry_run).await;
        assert!(matches!(&asked, Err(Error::Invalid(errors)) if errors[0].field == "at"), "{job}: {asked:?}");
        world.app.jobs().request_run(Actor::System, job, Some(noon()), dry_run).await.expect("now is not ahead");
    }
}

pub(super) async fn any_slot_that_lies_behind_is_run_and_any_ahead_is_refused(open: Arc<dyn OpenStore>) {
    let plans = [JobName::DATA_CLEANUP, JobName::STATISTICS].map(|job| {
        let schedule = "daily 00:00 Pacific/Kiritimati".parse().expect("a schedule");
        (job, JobPlan { schedule, catch_up: CatchUp::Latest })
    });
    let mut jobs = only(&shipped());
    jobs.plans.extend(plans);
    let world = World::building(&*open, |builder| builder.jobs(jobs));
    tick(&world, noon()).await;
    people(&world, 1..=3).await;
    for job in shipped() {
        for (slot, dry_run) in ["0001-01-01T00:00:00Z", "0001-01-02T09:00:00Z", "1582-10-10T08:00:00Z"]
            .into_iter()
            .flat_map(|slot| [(slot, true), (slot, false)])
        {
            let asked =
                world.app.jobs().request_run(Actor::System, job, Some(at(slot)), dry_run).await.expect("asked for");
            let reports = world.app.jobs().run(job).await.expect("a step");
            let run = reports.into_iter().map(|report| report.run).find(|run| run.id == asked.id).expect("the run");
            assert_eq!((run.state(), run.slot), (RunState::Finished, at(slot)), "{job}: {run:?}");
        }
        for slot in [Timestamp::MAX, at("2100-02-28T00:00:00Z")] {
            let asked = world.app.jobs().request_run(Actor::System, job, Some(slot), false).await;
            assert!(matches!(&asked, Err(Error::Invalid(errors)) if errors[0].field == "at"), "{job}: {asked:?}");
        }
    }
}

pub(super) async fn a_slot_by_hand_brings_with_it_what_came_due_before(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    people(&world, 1..=3).await;
    add_users(&world.storage, [person(4, "Europe/Berlin", "08:30"), person(5, "Europe/Berlin", "09:01")]).await;
    add_tasks(&world.storage, [task(4, 4), task(5, 5)]).await;
    // Nobody was there since noon, and the schedule passes this slot together with everything before it.
    world.clock.set(nine());
    let asked = world
        .app
        .jobs()
        .request_run(Actor::System, JobName::DAILY_SUMMARIES, Some(nine()), false)
        .await
        .expect("asked for");
    assert_eq!((asked.since, asked.trigger), (twelve(), Trigger::Slot));
    assert_eq!(tick(&world, nine()).await.len(), 1);
    assert_eq!(state(&world, JobName::DAILY_SUMMARIES).await.slot, nine());
    assert_eq!(summaries(&world).await, (4, 4), "also that of half past eight");
    // One that is taken care of is run alone, and so is one of a schedule that is not followed.
    let earlier = nine() - Duration::from_mins(5);
    let ask = |slot| world.app.jobs().request_run(Actor::System, JobName::DAILY_SUMMARIES, Some(slot), true);
    assert_eq!(ask(earlier).await.expect("asked for").since, earlier - Duration::from_mins(1));
    let later = nine() + Duration::from_mins(5);
    world.clock.set(later);
    assert_eq!(ask(later).await.expect("asked for").since, nine());
    world.app.jobs().pause(Actor::System, JobName::DAILY_SUMMARIES).await.expect("paused");
    assert_eq!(ask(later).await.expect("asked for").since, later - Duration::from_mins(1));
}

pub(super) async fn a_slot_far_ahead_of_the_clock_is_set_back(open: Arc<dyn OpenStore>) {
    let jobs = [JobName::DAILY_SUMMARIES, JobName::STATISTICS];
    let world = doing(&*open, &jobs).await;
    people(&world, 1..=3).await;
    let far = at("2099-01-01T00:00:00Z");
    for job in jobs {
        let done = state(&world, job).await.slot;
        assert!(world.storage.advance_to(job, Some(done), far).await.expect("an answer"), "a clock was wrong");
    }
    world.app.jobs().pause(Actor::System, JobName::STATISTICS).await.expect("paused");
    assert_eq!(world.app.jobs().due().await.expect("a list"), [JobName::DAILY_SUMMARIES]);
    assert_eq!(tick(&world, noon()).await, []);
    assert_eq!(state(&world, JobName::DAILY_SUMMARIES).await.slot, twelve());
    assert_eq!(state(&world, JobName::STATISTICS).await.slot, far, "it is not followed");
    world.app.jobs().resume(Actor::System, JobName::STATISTICS).await.expect("resumed");
    assert_eq!(state(&world, JobName::STATISTICS).await.slot, twelve());
    assert_eq!(world.app.jobs().due().await.expect("a list"), []);
    assert_eq!(tick(&world, nine()).await.len(), 2);
    assert_eq!(summaries(&world).await, (3, 3));
    // The clocks of nodes differ by a little.
    let close = nine() + Duration::from_mins(10);
    assert!(world.storage.advance_to(JobName::DAILY_SUMMARIES, Some(nine()), close).await.expect("an answer"));
    assert_eq!(tick(&world, nine()).await, []);
    assert_eq!(state(&world, JobName::DAILY_SUMMARIES).await.slot, close);
}

pub(super) async fn what_is_done_by_one_clock_is_due_at_its_slot_for_everybody(open: Arc<dyn OpenStore>) {
    let plan = |job, text: &str| {
        let schedule = text.parse().expect("a schedule");
        (job, JobPlan { schedule, catch_up: CatchUp::Latest })
    };
    let plans =
        [plan(JobName::TASK_REMINDERS, "every 4h"), plan(JobName::DAILY_SUMMARIES, "daily 16:00 Europe/Berlin")];
    let jobs = Jobs { plans: BTreeMap::from(plans), ..only(&[]) };
    let world = World::building(&*open, |builder| builder.jobs(jobs));
    tick(&world, noon()).await;
    let people = crowd(&world.storage, &["Europe/Berlin", "Asia/Tokyo"], &["09:00", "23:59"], 1).await;
    let due = |text: &str| at(&format!("2026-11-22T{text}:00Z"));
    assert_eq!(tick(&world, due("15:00")).await.len(), 1);
    assert_eq!(tick(&world, due("16:02")).await.len(), 1);
    assert_eq!(world.mailer.take().len(), 2 * people.len(), "nobody waits for a minute of their own");
    for (key, due_at) in told(&world.storage).await {
        let expected = if key.starts_with("daily-summary/") { due("15:00") } else { due("16:00") };
        assert_eq!(due_at, expected, "{key}");
    }
}
