//! Quotas: what one account may store and cause, counted in the commit.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use taskflow_core::{
    Actor, Bulk, Changes, Error, Invitee, NewMeeting, NewTask, OverQuota, Precondition, Quota, QuotaSubject,
    QuotaWrite, Quotas, StartsAt, StoreError, TaskOperation, TaskWrite, UserWrite,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{invitee, noon, task, tomorrow, user_id, users};

const DAY: Duration = Duration::from_hours(24);

/// The write that counts `amount` more for the user number `owner`, of whom `limit` is allowed.
fn take(quota: Quota, owner: u64, amount: u64, limit: u64) -> QuotaWrite {
    let subject = QuotaSubject::User(user_id(owner));
    QuotaWrite::Take { subject, quota, amount, limit, at: noon(), until: noon() + DAY }
}

fn world(open: &dyn OpenStore, quotas: Quotas) -> World {
    World::building(open, |builder| builder.quotas(quotas))
}

fn new_task(n: usize) -> NewTask {
    NewTask::titled(format!("task-{n}").parse().expect("a title"))
}

fn new_meeting(invitees: Vec<Invitee>) -> NewMeeting {
    let new = NewMeeting::titled("Sync".parse().expect("a title"), StartsAt::Instant(tomorrow()));
    NewMeeting { invitees, ..new }
}

fn over<T: std::fmt::Debug>(result: Result<T, Error>) -> OverQuota {
    match result {
        Err(Error::OverQuota(over)) => over,
        other => panic!("must be over a quota: {other:?}"),
    }
}

pub(super) async fn what_fits_is_counted_and_what_does_not_is_refused(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let invited = |owner, amount| Changes::new().write(take(Quota::Invitations, owner, amount, 10));
    store.commit(&invited(1, 4)).await.expect("4 of 10");
    store.commit(&invited(1, 6)).await.expect("10 of 10");
    let error = store.commit(&invited(1, 1).write(TaskWrite::Insert(task(1, 1)))).await.expect_err("11 of 10");
    let StoreError::OverQuota { over, write: 0 } = error else { panic!("{error:?}") };
    assert_eq!(over, OverQuota { quota: Quota::Invitations, limit: 10, used: 10, until: Some(noon() + DAY) });
    assert!(
        !store
            .tasks_by_id(&[task(1, 1).id], taskflow_core::Viewer::Service)
            .await
            .expect("a read")
            .contains_key(&task(1, 1).id)
    );
    store.commit(&invited(2, 10)).await.expect("another account has its own");
    let orphan = store.commit(&invited(9, 1)).await;
    assert!(matches!(orphan, Err(StoreError::Stale { write: 0 })), "{orphan:?}");
}

pub(super) async fn counting_begins_anew_after_its_time_and_with_a_new_account(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let at = |at, until, amount| {
        let (subject, quota) = (QuotaSubject::User(user_id(1)), Quota::Invitations);
        Changes::new().write(QuotaWrite::Take { subject, quota, amount, limit: 3, at, until })
    };
    let (evening, next) = (noon() + DAY, noon() + 2 * DAY);
    store.commit(&at(noon(), evening, 3)).await.expect("all");
    let last = evening - Duration::from_micros(1);
    let StoreError::OverQuota { over, .. } = store.commit(&at(last, next, 1)).await.expect_err("used up") else {
        panic!("must be over")
    };
    assert_eq!(over.until, Some(evening));
    store.commit(&at(evening, next, 2)).await.expect("a new time");
    // A node whose clock is behind does not begin the old time again.
    store.commit(&at(noon(), evening, 1)).await.expect("the third");
    assert!(store.commit(&at(noon(), evening, 1)).await.is_err());
    store.commit(&Changes::new().write(UserWrite::Delete { id: user_id(1), at: noon() })).await.expect("deleted");
    store.commit(&users([1])).await.expect("again");
    store.commit(&at(evening, next, 3)).await.expect("nothing of the former account counts");
}

pub(super) async fn of_many_commits_at_once_those_that_fit_succeed(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let commits = (0..24).map(|n| {
        let changes = Changes::new()
            .write(take(Quota::Tasks, 1, 1, 7))
            .write(take(Quota::StoredTasks, 1, 1, 14))
            .write(TaskWrite::Insert(task(n, 1)));
        let store = store.clone();
        async move { store.commit(&changes).await }
    });
    let results = join_all(commits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 7, "{results:?}");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::OverQuota { over, .. } if over.used == 7), "{error:?}");
    }
}

pub(super) async fn rows_that_were_there_before_are_counted_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    // As an earlier release has written them: nothing was counted.
    let old = (0..5).fold(users([1]), |changes, n| changes.write(TaskWrite::Insert(task(n, 1))));
    store.commit(&old).await.expect("tasks");
    let new = |n| Changes::new().write(take(Quota::Tasks, 1, 1, 6)).write(TaskWrite::Insert(task(n, 1)));
    store.commit(&new(5)).await.expect("the sixth");
    let error = store.commit(&new(6)).await.expect_err("the seventh");
    assert!(matches!(error, StoreError::OverQuota { over, .. } if over.used == 6), "{error:?}");
}

pub(super) async fn a_task_fits_again_once_another_is_in_the_trash(open: Arc<dyn OpenStore>) {
    let world = world(&*open, Quotas { tasks: 2, ..Quotas::default() });
    let ada = Actor::User(world.somebody("ada").await);
    let tasks = || world.app.tasks();
    let first = tasks().create(ada, new_task(1)).await.expect("the first");
    tasks().create(ada, new_task(2)).await.expect("the second");
    let refused = over(tasks().create(ada, new_task(3)).await);
    assert_eq!((refused.quota, refused.limit, refused.used, refused.until), (Quota::Tasks, 2, 2, None));
    assert!(refused.to_string().contains("delete some first"), "{refused}");
    tasks().delete(ada, first.id, Precondition::Any).await.expect("trashed");
    tasks().create(ada, new_task(3)).await.expect("one fits again");
    assert_eq!(over(tasks().restore(ada, first.id).await).quota, Quota::Tasks);
    // The trash has room for as many again, and no more.
    let fourth = tasks().create(ada, new_task(4)).await;
    assert_eq!(over(fourth).quota, Quota::Tasks);
    for n in 4..6 {
        let some = tasks().list(ada, &taskflow_core::TaskQuery::default()).await.expect("a list").items[0].id;
        tasks().delete(ada, some, Precondition::Any).await.expect("trashed");
        let result = tasks().create(ada, new_task(n)).await;
        assert!(n == 4 && result.is_ok() || n == 5 && over(result).quota == Quota::StoredTasks, "task {n}");
    }
    tasks().restore(ada, first.id).await.expect("restored");
    world.app.tasks().create(Actor::User(world.somebody("bob").await), new_task(1)).await.expect("bob has his own");
}

pub(super) async fn operations_in_bulk_are_refused_from_the_first_that_does_not_fit(open: Arc<dyn OpenStore>) {
    let world = world(&*open, Quotas { tasks: 3, ..Quotas::default() });
    let ada = Actor::User(world.somebody("ada").await);
    let five = || (0..5).map(|n| TaskOperation::Create(new_task(n))).collect();
    let all = world.app.tasks().bulk(ada, five(), Bulk::AllOrNothing, None).await;
    assert_eq!(over(all.map(|_| ())).quota, Quota::Tasks);
    let taskflow_core::Idempotent::Done(results) =
        world.app.tasks().bulk(ada, five(), Bulk::Each, None).await.expect("each")
    else {
        panic!("not a repeat")
    };
    let done: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(done, [true, true, true, false, false]);
    assert!(results.into_iter().skip(3).all(|result| over(result).quota == Quota::Tasks));
}

pub(super) async fn meetings_that_lie_ahead_and_people_who_are_invited_are_counted(open: Arc<dyn OpenStore>) {
    let world = world(&*open, Quotas { meetings: 2, invitations: 4, ..Quotas::default() });
    let ada = Actor::User(world.somebody("ada").await);
    let meetings = || world.app.meetings();
    let first = meetings().create(ada, new_meeting(vec![invitee("bob"), invitee("cyd")])).await.expect("the first");
    meetings().create(ada, new_meeting(Vec::new())).await.expect("the second");
    assert_eq!(over(meetings().create(ada, new_meeting(Vec::new())).await).quota, Quota::Meetings);
    meetings().cancel(ada, first.meeting.id, Precondition::Any).await.expect("cancelled");
    let third = meetings().create(ada, new_meeting(Vec::new())).await.expect("there is room again");
    assert_eq!(over(meetings().restore(ada, first.meeting.id).await).quota, Quota::Meetings);
    meetings().cancel(ada, third.meeting.id, Precondition::Any).await.expect("cancelled");
    let fourth = meetings().create(ada, new_meeting(vec![invitee("dan")])).await.expect("there is room again");
    meetings().cancel(ada, fourth.meeting.id, Precondition::Any).await.expect("cancelled");
    // Both are invited once more, which would be the fifth.
    let refused = over(meetings().restore(ada, first.meeting.id).await);
    assert_eq!((refused.quota, refused.used), (Quota::Invitations, 3));
    assert_eq!(refused.until, Some("2026-11-23T00:00:00Z".parse().expect("a time")));
    world.clock.set("2026-11-23T00:00:00Z".parse().expect("a time"));
    meetings().restore(ada, first.meeting.id).await.expect("the next day");
    // What is over needs no room.
    world.clock.set(tomorrow() + DAY);
    let later = NewMeeting { starts_at: StartsAt::Instant(tomorrow() + 3 * DAY), ..new_meeting(Vec::new()) };
    meetings().create(ada, later).await.expect("the others are over");
}
