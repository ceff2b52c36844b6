//! Jobs of a host, and jobs that only the store knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskflow_core::notice::WelcomeNotice;
use taskflow_core::{
    Actor, CatchUp, Changes, DedupeKey, Error, Job, JobContext, JobName, JobPage, JobPlan, JobRun, Jobs, Notice,
    Recipient, RunState, Schedule, Timestamp, Trigger, UserId,
};

use super::app::World;
use super::jobs::{only, shipped, tick};
use super::sweeps::{add_users, person};
use crate::OpenStore;
use crate::sample::{at, noon};

const NIGHTLY: JobName = JobName::new("nightly_greetings");

/// Greets every person once a night, a page of people at a time, and remembers how many there were.
struct NightlyGreetings;

#[async_trait]
impl Job for NightlyGreetings {
    fn name(&self) -> JobName {
        NIGHTLY
    }

    fn summary(&self) -> &'static str {
        "greets everybody"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_hours(24)), catch_up: CatchUp::Latest }
    }

    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let run = context.run();
        let after: Option<UserId> = run.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let people = context.app().accounts().list_after(after, context.size()).await?;
        let greeting = |id: UserId| {
            let key = DedupeKey::new(format!("greeting/{}/{id}", run.slot));
            context.delivery(
                key,
                Notice::Welcome(WelcomeNotice { token: None }),
                Recipient::User(id),
                run.slot,
                "it is night",
            )
        };
        let next = people.last().filter(|_| people.len() == context.size() as usize).map(|last| last.id.to_string());
        let before = context.memo().await?.unwrap_or_else(|| "nobody".to_owned());
        Ok(JobPage::new()
            .commit(Changes::new().deliver(people.iter().map(|user| greeting(user.id))))
            .count("greeted", people.len() as u64)
            .count(&format!("after_{before}"), 1)
            .next(next)
            .leave_memo(Some("somebody".to_owned())))
    }
}

fn hosting(open: &dyn OpenStore) -> World {
    World::building(open, |builder| builder.jobs(Jobs { page: 5, ..only(&[]) }).job(NightlyGreetings))
}

fn midnight(nights: u64) -> Timestamp {
    at("2026-11-22T00:00:00Z") + Duration::from_hours(24 * nights)
}

pub(super) async fn a_job_of_a_host_is_run_by_its_schedule_page_by_page(open: Arc<dyn OpenStore>) {
    let world = hosting(&*open);
    assert_eq!(tick(&world, noon()).await, [], "what lies behind is nobody's job");
    add_users(&world.storage, (1..=12).map(|n| person(n, "Europe/Berlin", "09:00"))).await;
    assert_eq!(tick(&world, midnight(1) - Duration::from_micros(1)).await, []);
    let runs = tick(&world, midnight(1)).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((runs[0].job, runs[0].slot, runs[0].state()), (NIGHTLY, midnight(1), RunState::Finished));
    assert_eq!((runs[0].counts.get("greeted"), runs[0].counts.get("after_nobody")), (12, 3), "in three pages");
    assert_eq!(world.mailer.take().len(), 12);
    assert_eq!(tick(&world, midnight(1)).await, [], "a scheduled time is run once");
    // Two nights without a node are one run.
    let runs = tick(&world, midnight(4)).await;
    assert_eq!((runs.len(), runs[0].counts.get("missed"), runs[0].counts.get("after_somebody")), (1, 2, 3));
    assert_eq!(world.mailer.take().len(), 12);
    let states = world.app.jobs().list(Actor::System).await.expect("a list");
    assert_eq!(states.len(), shipped().len() + 1);
    assert_eq!((states[shipped().len()].job, states[shipped().len()].slot), (NIGHTLY, midnight(4)));
    assert_eq!(world.app.jobs().next_due(NIGHTLY).await.expect("a time"), Some(midnight(5)));
}

pub(super) async fn a_job_of_a_host_is_run_by_hand_dry_paused_and_by_another_plan(open: Arc<dyn OpenStore>) {
    let world = hosting(&*open);
    tick(&world, noon()).await;
    add_users(&world.storage, (1..=3).map(|n| person(n, "Europe/Berlin", "09:00"))).await;
    world.app.jobs().request_run(Actor::System, NIGHTLY, None, true).await.expect("asked for");
    let runs = tick(&world, noon()).await;
    assert_eq!((runs.len(), runs[0].dry_run, runs[0].counts.get("greeted")), (1, true, 3));
    assert_eq!(world.mailer.take().len(), 0, "a dry run changes nothing");
    world.app.jobs().pause(Actor::System, NIGHTLY).await.expect("paused");
    assert_eq!(tick(&world, midnight(1)).await, []);
    world.app.jobs().request_run(Actor::System, NIGHTLY, Some(midnight(1)), false).await.expect("asked for");
    let runs = tick(&world, midnight(1)).await;
    assert_eq!((runs[0].trigger, runs[0].counts.get("after_nobody")), (Trigger::Slot, 1), "a dry run leaves no memo");
    assert_eq!(world.mailer.take().len(), 3);
    world.app.jobs().resume(Actor::System, NIGHTLY).await.expect("resumed");
    let hourly = JobPlan { schedule: Schedule::Every(Duration::from_hours(1)), catch_up: CatchUp::Latest };
    let jobs = Jobs { plans: BTreeMap::from([(NIGHTLY, hourly)]), ..Jobs::default() };
    let another = World::building(&*open, |builder| builder.job(NightlyGreetings).jobs(jobs));
    let one = midnight(1) + Duration::from_hours(1);
    assert_eq!(tick(&another, one).await.iter().map(|run| run.slot).collect::<Vec<_>>(), [one]);
}

pub(super) async fn a_run_of_a_job_that_this_binary_does_not_have_is_left_alone_and_shown(open: Arc<dyn OpenStore>) {
    let host = hosting(&*open);
    tick(&host, noon()).await;
    let run = host.app.jobs().request_run(Actor::System, NIGHTLY, None, false).await.expect("asked for");
    let other = World::building(&*open, |builder| builder.jobs(only(&[])));
    for now in [noon(), midnight(1), midnight(9)] {
        assert_eq!(tick(&other, now).await, []);
        assert_eq!(other.app.jobs().run(NIGHTLY).await.expect("a step"), []);
    }
    let states = other.app.jobs().list(Actor::System).await.expect("a list");
    let shown = states.iter().find(|state| state.job == NIGHTLY).expect("shown");
    assert_eq!((states.len(), shown.open, shown.busy), (shipped().len() + 1, Some(run.id), false));
    assert_eq!(
        other.app.jobs().runs(Actor::System, NIGHTLY, None, 10).await.expect("a list"),
        std::slice::from_ref(&run)
    );
    assert_eq!(other.app.jobs().get_run(Actor::System, NIGHTLY, run.id).await.expect("a run"), run);
    let refused = |result: Result<JobRun, Error>| matches!(result, Err(Error::NotFound("job")));
    assert!(refused(other.app.jobs().request_run(Actor::System, NIGHTLY, None, false).await));
    assert!(matches!(other.app.jobs().pause(Actor::System, NIGHTLY).await, Err(Error::NotFound("job"))));
    assert!(matches!(other.app.jobs().resume(Actor::System, NIGHTLY).await, Err(Error::NotFound("job"))));
    let nobodys = JobName::new("nobodys");
    assert!(matches!(other.app.jobs().runs(Actor::System, nobodys, None, 10).await, Err(Error::NotFound("job"))));
    // Whoever has the job goes on with the run.
    let runs = tick(&host, noon()).await;
    assert_eq!((runs.len(), runs[0].id, runs[0].state()), (1, run.id, RunState::Finished));
}
