//! Contents of summaries and task reminders, and that none is sent when it would be empty.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    Actor, DeliveryState, JobName, MeetingTitle, NewMeeting, NewTask, NoticeKind, Precondition, StartsAt, Task,
    Timestamp, UserId,
};

use super::app::World;
use super::jobs::{doing, nine, tick};
use crate::OpenStore;
use crate::sample::{at, noon};

async fn task(world: &World, owner: UserId, title: &str, due_at: Option<Timestamp>) -> Task {
    let new = NewTask { due_at, ..NewTask::titled(title.parse().expect("a title")) };
    world.app.tasks().create(Actor::User(owner), new).await.expect("a task")
}

async fn meeting(world: &World, owner: UserId, title: &str, starts_at: Timestamp) {
    let title = title.parse::<MeetingTitle>().expect("a title");
    let new = NewMeeting::titled(title, StartsAt::Instant(starts_at));
    world.app.meetings().create(Actor::User(owner), new).await.expect("a meeting");
}

async fn in_state(world: &World, prefix: &str) -> Vec<DeliveryState> {
    let all = world.storage.deliveries_with_key(prefix, 100).await.expect("a list");
    all.into_iter().map(|one| one.state).collect()
}

pub(super) async fn a_summary_tells_what_was_done_and_what_the_day_brings(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES]).await;
    let ada = world.somebody("ada").await;
    let done = task(&world, ada, "done", None).await;
    world.app.tasks().complete(Actor::User(ada), done.id).await.expect("done");
    task(&world, ada, "overdue", Some(noon() + Duration::from_hours(1))).await;
    task(&world, ada, "open", None).await;
    task(&world, ada, "later", Some(nine() + Duration::from_hours(1))).await;
    meeting(&world, ada, "today", nine() + Duration::from_hours(3)).await;
    meeting(&world, ada, "tomorrow", nine() + Duration::from_hours(24)).await;
    world.deliver().await;
    let _news = world.mailer.take();
    assert_eq!(tick(&world, nine()).await[0].counts.get("found"), 1);
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 1);
    let content = &mails[0].content;
    assert_eq!(content.subject, "Your day: 2026-11-23");
    assert!(content.text.contains("1 done, 1 overdue, 2 open, 1 meetings."), "{}", content.text);
    assert_eq!((mails[0].to.address.as_str(), mails[0].date), ("ada@example.org", nine()));
    // What was planned and has nothing to say as it leaves is not sent.
    let all =
        world.app.tasks().list(Actor::User(ada), &taskflow_core::TaskQuery::default()).await.expect("a page").items;
    let tomorrow = nine() + Duration::from_hours(24);
    world.clock.set(tomorrow);
    assert_eq!(world.app.jobs().run_due().await.expect("a step").len(), 1);
    for task in all {
        world.app.tasks().delete(Actor::User(ada), task.id, Precondition::Any).await.expect("trashed");
    }
    let upcoming = world
        .app
        .meetings()
        .list(Actor::User(ada), &taskflow_core::MeetingQuery::default())
        .await
        .expect("a page")
        .items;
    for details in upcoming {
        world.app.meetings().cancel(Actor::User(ada), details.meeting.id, Precondition::Any).await.expect("cancelled");
    }
    tick(&world, tomorrow).await;
    assert_eq!(in_state(&world, "daily-summary/2026-11-24/").await, [DeliveryState::Expired]);
}

pub(super) async fn whom_there_is_nothing_to_tell_gets_no_mail(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::DAILY_SUMMARIES, JobName::TASK_REMINDERS]).await;
    world.somebody("ada").await;
    let bob = world.somebody("bob").await;
    let done = task(&world, bob, "done long ago", None).await;
    world.app.tasks().complete(Actor::User(bob), done.id).await.expect("done");
    world.deliver().await;
    let _news = world.mailer.take();
    // Bob's summary of the next day tells of it; afterwards there is nothing.
    for (day, expected) in [(0, 1), (1, 0), (2, 0)] {
        for hours in [0, 1, 12] {
            tick(&world, at("2026-11-23T07:00:00Z") + Duration::from_hours(24 * day + hours)).await;
        }
        assert_eq!(world.mailer.take().len(), expected, "day {day}");
    }
    assert_eq!(in_state(&world, "task-reminder/").await, []);
}

pub(super) async fn open_tasks_are_told_of_in_the_morning_and_in_the_evening(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[JobName::TASK_REMINDERS]).await;
    let ada = world.somebody("ada").await;
    for n in 1..=21 {
        task(&world, ada, &format!("task {n}"), (n < 3).then(|| noon() + Duration::from_hours(1))).await;
    }
    tick(&world, at("2026-11-22T19:00:00Z")).await;
    let evening = world.mailer.take();
    assert_eq!((evening.len(), evening[0].content.subject.as_str()), (1, "21 open tasks"));
    let preferences = taskflow_core::Preferences::default().without(NoticeKind::TaskReminder);
    world
        .app
        .accounts()
        .change_preferences(Actor::User(ada), &preferences.into(), Precondition::Any)
        .await
        .expect("switched off");
    tick(&world, at("2026-11-23T07:00:00Z")).await;
    assert_eq!(world.mailer.take(), []);
    world
        .app
        .accounts()
        .change_preferences(Actor::User(ada), &taskflow_core::Preferences::default().into(), Precondition::Any)
        .await
        .expect("switched on");
    tick(&world, at("2026-11-23T19:00:00Z")).await;
    assert_eq!(world.mailer.take().len(), 1);
}
