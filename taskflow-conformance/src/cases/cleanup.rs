//! Data cleanup from the first day of a task to its last, and what a dry run says of it.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Actor, Entity, EventKind, JobName, JobRun, Jobs, NewMeeting, NewTask, RepairReport, RetentionPolicy, RunState,
    Scope, TaskQuery,
};

use super::app::World;
use super::jobs::{doing, only, tick};
use super::reminders::{Board, board, own, person};
use super::slots::{by_hand, insert};
use crate::OpenStore;
use crate::sample::{at, noon};

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

pub(super) async fn a_completed_task_goes_to_the_trash_and_then_for_good(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DATA_CLEANUP]).await;
    let ada = world.somebody("ada").await;
    let actor = Actor::User(ada);
    let new = |n: u64| NewTask::titled(format!("task {n}").parse().expect("a title"));
    let mut tasks = Vec::new();
    // More than a page of them.
    for n in 0..=7 {
        tasks.push(world.app.tasks().create(actor, new(n)).await.expect("a task").id);
    }
    let open_task = tasks.pop().expect("one more");
    for task in &tasks {
        world.app.tasks().complete(actor, *task).await.expect("done");
    }
    world.deliver().await;
    let planned = world.app.deliveries().ledger().await.expect("a ledger").planned;
    let two = at("2026-11-23T02:00:00Z");
    let runs = tick(&world, two + days(29)).await;
    assert_eq!((runs.len(), runs[0].counts.get("tasks_trashed"), runs[0].state()), (1, 0, RunState::Finished));

    let when = two + days(30);
    let before = when - Duration::from_secs(1);
    world.clock.set(before);
    world.app.jobs().request_run(Actor::System, JobName::DATA_CLEANUP, Some(before), true).await.expect("asked for");
    let dry = tick(&world, before).await;
    assert_eq!((dry.len(), dry[0].dry_run, dry[0].counts.get("tasks_trashed")), (1, true, 7));
    assert_eq!(dry[0].counts.get("deliveries_purged"), 8, "seven that were done and a welcome");
    assert_eq!(world.app.tasks().list(actor, &TaskQuery::default()).await.expect("a page").total, 8);

    let runs = tick(&world, when).await;
    assert_eq!((runs.len(), runs[0].counts.get("tasks_trashed")), (1, 7), "{runs:?}");
    assert_eq!(runs[0].counts.get("deliveries_purged"), 8);
    let left = world.app.tasks().list(actor, &TaskQuery::default()).await.expect("a page");
    assert_eq!(left.items.iter().map(|task| task.id).collect::<Vec<_>>(), [open_task]);
    let trash = TaskQuery { trash: true, ..TaskQuery::default() };
    assert_eq!(world.app.tasks().list(actor, &trash).await.expect("a page").total, 7);
    let (history, _) = world.app.tasks().history(actor, tasks[0], None, 1).await.expect("a history");
    let last = history.first().expect("what happened last");
    assert_eq!((last.kind, last.actor, last.at), (EventKind::TaskDeleted, None, when));
    let feed = world.storage.feed(Scope::own(ada), 0, 100).await.expect("a feed");
    assert_eq!(
        feed.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        (16..=22).collect::<Vec<_>>(),
        "and nothing older"
    );
    world.app.tasks().restore(actor, tasks[6]).await.expect("somebody wants it back");

    let runs = tick(&world, when + days(30)).await;
    assert_eq!(runs[0].counts.get("tasks_purged"), 0, "thirty days are not over before the last microsecond");
    let runs = tick(&world, when + days(31)).await;
    assert_eq!(runs[0].counts.get("tasks_purged"), 6);
    let trash = world.app.tasks().list(actor, &trash).await.expect("a page");
    assert_eq!(trash.items.iter().map(|task| task.id).collect::<Vec<_>>(), [tasks[6]], "tidied away once more");
    assert_eq!(world.storage.history(Entity::Task(tasks[0])).await.expect("a history"), []);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.planned, ledger.balances()), (planned, true));
}

pub(super) async fn a_slot_of_another_time_removes_nothing_before_it_has_served(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DATA_CLEANUP]).await;
    let actor = Actor::User(world.somebody("ada").await);
    let done = NewTask::titled("done".parse().expect("a title"));
    let done = world.app.tasks().create(actor, done).await.expect("a task");
    world.app.tasks().complete(actor, done.id).await.expect("done");
    world.deliver().await;
    // Asked for by a node whose clock was wrong.
    let far = JobRun { job: JobName::DATA_CLEANUP, ..by_hand(1, at("2099-01-01T02:00:00Z")) };
    world.storage.commit(&insert(&far)).await.expect("a run");
    let runs = tick(&world, noon()).await;
    assert_eq!((runs.len(), runs[0].id, runs[0].counts.iter().count()), (1, far.id, 0), "{runs:?}");
    assert_eq!(world.app.tasks().list(actor, &TaskQuery::default()).await.expect("a page").total, 1);
    assert_eq!(world.storage.deliveries_after(None, 10).await.expect("a list").len(), 2);
}

pub(super) async fn what_was_sent_is_not_planned_again_however_short_the_ledger_is(open: Arc<dyn OpenStore>) {
    let keeping = RetentionPolicy { ledger: Duration::ZERO, ..RetentionPolicy::default() };
    let jobs = Jobs { keeping, ..only(&[]) };
    let world = World::building(&*open, |builder| builder.jobs(jobs));
    let Board { world, bob, id, .. } = Board::calling(world, board(&["bob", "eve"])).await;
    world.app.meetings().set_own_reminders(bob, id, own(&[60])).await.expect("an hour before");
    assert_eq!(world.told_at("2026-11-23T09:00:00Z").await, ["bob: Soon"]);
    let clean = async |now| {
        world.clock.set(now);
        world.app.jobs().request_run(Actor::System, JobName::DATA_CLEANUP, None, false).await.expect("asked for");
        tick(&world, now).await[0].counts.get("deliveries_purged")
    };
    assert_eq!(clean(at("2026-11-23T09:30:00Z")).await, 0);
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    let all = world.storage.deliveries_after(None, 100).await.expect("a list").len() as u64;
    assert_eq!(clean(at("2026-11-25T10:00:00Z")).await, all, "two days later they go");
}

pub(super) async fn a_dry_run_counts_what_a_run_removes_however_short_things_are_kept(open: Arc<dyn OpenStore>) {
    let zero = Duration::ZERO;
    let keeping = RetentionPolicy { completed: zero, trash: zero, ledger: zero, feed: zero };
    let world = World::building(&*open, |builder| builder.jobs(Jobs { keeping, page: 5, ..only(&[]) }));
    let actor = Actor::User(world.somebody("ada").await);
    for n in 0..9 {
        let new = NewTask::titled(format!("task {n}").parse().expect("a title"));
        let task = world.app.tasks().create(actor, new).await.expect("a task").id;
        match n {
            0..2 => world.app.tasks().delete(actor, task, taskflow_core::Precondition::Any).await.expect("trashed"),
            _ => world.app.tasks().complete(actor, task).await.expect("done"),
        };
    }
    let clean = async |now, dry_run| {
        world.clock.set(now);
        world.app.jobs().request_run(Actor::System, JobName::DATA_CLEANUP, None, dry_run).await.expect("asked for");
        let reports = world.app.jobs().run_due().await.expect("a step");
        assert_eq!(reports.iter().map(|report| report.run.state()).collect::<Vec<_>>(), [RunState::Finished]);
        reports.into_iter().next().expect("a run").run.counts
    };
    let dry = clean(at("2026-11-22T13:00:00Z"), true).await;
    assert_eq!((dry.get("tasks_trashed"), dry.get("tasks_purged")), (7, 2), "{dry:?}");
    let done = clean(at("2026-11-22T13:00:01Z"), false).await;
    let mut expected = dry.clone();
    expected.add("runs_purged", 1);
    assert_eq!(done, expected, "the dry run itself goes, and what went to the trash stays there until the next run");
    let next = clean(at("2026-11-22T13:00:02Z"), false).await;
    assert_eq!((next.get("tasks_trashed"), next.get("tasks_purged")), (0, 7), "{next:?}");
}

pub(super) async fn a_reminder_cancelled_by_hand_is_not_planned_again_however_short_the_ledger_is(
    open: Arc<dyn OpenStore>,
) {
    let keeping = RetentionPolicy { ledger: Duration::ZERO, ..RetentionPolicy::default() };
    let world = World::building(&*open, |builder| builder.jobs(Jobs { keeping, ..only(&[]) }));
    let starts_at = taskflow_core::StartsAt::Instant(at("2026-12-10T10:00:00Z"));
    let Board { world, ada, id, .. } = Board::calling(world, NewMeeting { starts_at, ..board(&["bob", "eve"]) }).await;
    let (rows, _) = world.app.meetings().ledger(ada, id).await.expect("a ledger");
    let bobs = person(&world.app.meetings().get(ada, id).await.expect("a meeting"), "bob").id.to_string();
    let reminder = rows.iter().find(|row| row.dedupe_key.as_str().contains(&bobs)).expect("planned");
    world.app.deliveries().cancel(Actor::System, reminder.id).await.expect("cancelled");
    let clean = async |now| {
        world.clock.set(now);
        world.app.jobs().request_run(Actor::System, JobName::DATA_CLEANUP, None, false).await.expect("asked for");
        tick(&world, now).await[0].counts.get("deliveries_purged")
    };
    assert_eq!(clean(at("2026-11-30T10:00:00Z")).await, 4, "two welcomes and two invitations");
    world.clock.set(at("2026-12-09T12:00:00Z"));
    assert_eq!(world.app.meetings().repair_reminders().await.expect("a sweep"), RepairReport::default());
    assert_eq!(world.told_at("2026-12-10T09:45:00Z").await, ["ada: Soon", "eve: Soon"]);
    assert_eq!(clean(at("2026-12-13T10:00:00Z")).await, 3, "when it could not be planned any more it goes");
}
