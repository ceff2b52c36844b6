//! Use cases over a store, with a clock that is set by hand and a mailer that captures mail.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::Storage;
use taskflow_core::{
    AccountStatusChange, Actor, App, AppBuilder, Changes, Error, Ledger, NewTask, PasswordHash, Precondition,
    ProfileChange, ReminderMinutes, Sending, Task, TaskChange, TaskQuery, Timestamp, UserId, UserWrite,
};

use crate::sample::{at, new_user, noon};
use crate::{ManualClock, OpenStore, RecordingMailer};

/// An app over the store under test, at noon.
pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: Arc<ManualClock>,
    pub(super) mailer: Arc<RecordingMailer>,
    pub(super) storage: Arc<dyn Storage>,
}

impl World {
    pub(super) fn new(open: &dyn OpenStore) -> Self {
        Self::sending(open, Sending::default())
    }

    pub(super) fn sending(open: &dyn OpenStore, sending: Sending) -> Self {
        Self::building(open, |builder| builder.sending(sending))
    }

    /// With more adapters than a clock and a mailer, or others.
    pub(super) fn building(open: &dyn OpenStore, with: impl FnOnce(AppBuilder) -> AppBuilder) -> Self {
        let (clock, mailer) = (Arc::new(ManualClock::at(noon())), Arc::new(RecordingMailer::new()));
        let storage = open.storage();
        let app = App::builder(storage.clone()).clock(clock.clone()).mailer(mailer.clone());
        Self { app: with(app).build(), clock, mailer, storage }
    }

    /// Somebody who has been welcomed already.
    pub(super) async fn somebody(&self, name: &str) -> UserId {
        let user = self.app.accounts().register(new_user(name), None).await.expect("an account");
        self.deliver().await;
        let _welcome = self.mailer.take();
        user.id
    }

    /// Somebody who has shown that their address is theirs.
    pub(super) async fn verified(&self, name: &str) -> UserId {
        let id = self.somebody(name).await;
        self.app.accounts().mark_email_verified(Actor::System, id).await.expect("verified");
        id
    }

    /// Turns the clock, takes a step and tells who got which mail, by the names in the addresses and the first words of
    /// the subjects, sorted.
    pub(super) async fn told_at(&self, now: &str) -> Vec<String> {
        self.clock.set(at(now));
        self.told().await
    }

    /// The same without turning the clock.
    pub(super) async fn told(&self) -> Vec<String> {
        self.deliver().await;
        let told = |mail: taskflow_core::Mail| {
            let who = mail.to.address.as_str().split('@').next().unwrap_or_default().to_owned();
            let what = mail.content.subject.split(':').next().unwrap_or_default();
            format!("{who}: {what}")
        };
        let mut told: Vec<_> = self.mailer.take().into_iter().map(told).collect();
        told.sort_unstable();
        told
    }

    /// Returns the time of the clock.
    pub(super) fn clock_now(&self) -> Timestamp {
        taskflow_core::ports::Clock::now(&*self.clock)
    }

    pub(super) async fn deliver(&self) {
        self.app.outbox().deliver_due().await.expect("a step");
    }

    /// Turns the clock, takes a step and tells the subjects of what was sent.
    pub(super) async fn subjects_at(&self, now: Timestamp) -> Vec<String> {
        self.clock.set(now);
        self.deliver().await;
        self.mailer.take().into_iter().map(|mail| mail.content.subject).collect()
    }
}

/// Due at 14:00 with a reminder a quarter of an hour before.
pub(super) fn due_at_two() -> NewTask {
    NewTask {
        due_at: Some(at("2026-11-22T14:00:00Z")),
        reminder_minutes: Some(ReminderMinutes::new(15).expect("fits")),
        ..NewTask::titled("Water the plants".parse().expect("a title"))
    }
}

pub(super) async fn a_due_day_ends_where_its_owner_lives_and_moves_with_them(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let actor = Actor::User(ada);
    let zone =
        |name: &str| ProfileChange { time_zone: Some(name.parse().expect("a zone")), ..ProfileChange::default() };
    world.app.accounts().update_profile(actor, ada, zone("Europe/Berlin"), Precondition::Any).await.expect("a zone");
    let day = "2026-11-22".parse().expect("a date");
    let new = NewTask { due_at: None, due_on: Some(day), ..due_at_two() };
    let task = world.app.tasks().create(actor, new.clone()).await.expect("a task");
    assert_eq!((task.due_on, task.due_at), (Some(day), Some(at("2026-11-22T22:59:59.999999Z"))));
    assert_eq!(world.app.tasks().get(actor, task.id).await.expect("a task"), task);
    let both = NewTask { due_at: Some(noon()), ..new };
    let refused = world.app.tasks().create(actor, both).await;
    assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields[0].field == "due_on"), "{refused:?}");

    let overdue = async || {
        let query = TaskQuery { overdue: Some(true), ..TaskQuery::default() };
        world.app.tasks().list(actor, &query).await.expect("a page").total
    };
    world.clock.set(at("2026-11-22T22:59:00Z"));
    assert_eq!(overdue().await, 0);
    world.clock.set(at("2026-11-22T23:00:00Z"));
    assert_eq!(overdue().await, 1);
    world.app.accounts().update_profile(actor, ada, zone("America/New_York"), Precondition::Any).await.expect("a zone");
    assert_eq!(overdue().await, 0, "there the day goes on");
    let moved = world.app.tasks().get(actor, task.id).await.expect("a task");
    assert_eq!((moved.due_on, moved.due_at), (Some(day), Some(at("2026-11-23T04:59:59.999999Z"))));
    assert_eq!(world.told_at("2026-11-23T04:44:00Z").await, [""; 0], "the reminder went along");
    assert_eq!(world.told_at("2026-11-23T04:45:00Z").await, ["ada: Due soon"]);
    let later = TaskChange { due_at: Some(Some(at("2026-11-24T10:00:00Z"))), ..TaskChange::default() };
    let timed = world.app.tasks().update(actor, task.id, later, Precondition::Any).await.expect("a change");
    assert_eq!(timed.due_on, None);
}

fn move_to(due_at: &str) -> TaskChange {
    TaskChange { due_at: Some(Some(at(due_at))), ..TaskChange::default() }
}

pub(super) async fn registering_welcomes_exactly_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let user = world.app.accounts().register(new_user("ada"), Some(PasswordHash::new("x"))).await.expect("an account");
    for _ in 0..3 {
        world.deliver().await;
    }
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to.address.clone(), mails[0].date), (user.email.clone(), noon()));
    assert_eq!(world.app.accounts().get(Actor::User(user.id), user.id).await.expect("the account"), user);
}

pub(super) async fn a_taken_name_plans_no_mail(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.somebody("ada").await;
    let error = world.app.accounts().register(new_user("ADA"), None).await.expect_err("taken");
    assert!(matches!(error, Error::Taken(_)), "{error:?}");
    world.deliver().await;
    assert_eq!(world.mailer.take(), []);
}

pub(super) async fn another_password_is_told_to_the_address_before_the_change(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let change = ProfileChange {
        email: Some("new@example.org".parse().expect("an address")),
        password: Some(PasswordHash::new("second")),
        ..ProfileChange::default()
    };
    let after =
        world.app.accounts().update_profile(Actor::User(ada), ada, change, Precondition::Any).await.expect("a change");
    assert_eq!((after.version, after.email.as_str()), (2, "new@example.org"));
    world.deliver().await;
    let mails = world.mailer.take();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.address.as_str(), "ada@example.org");
    let kept = world.storage.password(ada).await.expect("a read");
    assert_eq!(kept, Some(PasswordHash::new("second")));
}

pub(super) async fn a_locked_account_gets_no_mail(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    world.app.tasks().create(Actor::User(ada), due_at_two()).await.expect("a task");
    let lock = AccountStatusChange { is_active: Some(false), ..AccountStatusChange::default() };
    world.app.accounts().set_standing(Actor::System, ada, lock).await.expect("locked");
    assert_eq!(world.subjects_at(at("2026-11-22T13:45:00Z")).await, [""; 0]);
    assert_eq!(world.app.deliveries().ledger().await.expect("a ledger").cancelled, 1);
}

pub(super) async fn a_task_reminds_its_owner_once_in_its_minute(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    world.app.tasks().create(Actor::User(ada), due_at_two()).await.expect("a task");
    assert_eq!(world.subjects_at(at("2026-11-22T13:44:59.999999Z")).await, [""; 0]);
    assert_eq!(world.subjects_at(at("2026-11-22T13:45:00Z")).await, ["Due soon: Water the plants"]);
    assert_eq!(world.subjects_at(at("2026-11-22T15:00:00Z")).await, [""; 0]);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!(ledger, Ledger { planned: 2, delivered: 2, ..Ledger::default() });
}

pub(super) async fn moving_a_task_cancels_its_reminder_and_moving_it_back_revives_it(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let id = world.app.tasks().create(ada, due_at_two()).await.expect("a task").id;
    for due_at in ["2026-11-23T14:00:00Z", "2026-11-22T14:00:00Z", "2026-11-24T14:00:00Z", "2026-11-22T14:00:00Z"] {
        world.app.tasks().update(ada, id, move_to(due_at), Precondition::Any).await.expect("moved");
    }
    assert_eq!(world.subjects_at(at("2026-11-22T13:45:00Z")).await.len(), 1);
    // Away and back again after it was sent: never twice.
    for due_at in ["2026-11-23T14:00:00Z", "2026-11-22T14:00:00Z"] {
        world.app.tasks().update(ada, id, move_to(due_at), Precondition::Any).await.expect("moved");
    }
    assert_eq!(world.subjects_at(at("2026-11-25T00:00:00Z")).await, [""; 0]);
    let ledger = world.app.deliveries().ledger().await.expect("a ledger");
    assert_eq!((ledger.delivered, ledger.cancelled, ledger.balances()), (2, 2, true));
}

pub(super) async fn a_completed_or_trashed_task_does_not_remind(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let done = world.app.tasks().create(ada, due_at_two()).await.expect("a task").id;
    let trashed = world.app.tasks().create(ada, due_at_two()).await.expect("a task").id;
    world.app.tasks().complete(ada, done).await.expect("done");
    world.app.tasks().delete(ada, trashed, Precondition::Any).await.expect("trashed");
    let subjects = world.subjects_at(at("2026-11-22T13:45:00Z")).await;
    assert!(subjects.len() == 1 && subjects[0].ends_with(": completed"), "{subjects:?}");
}

pub(super) async fn a_reminder_whose_minute_passed_leaves_at_once(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.clock.set(at("2026-11-22T13:50:00Z"));
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.subjects_at(at("2026-11-22T13:50:00Z")).await.len(), 1);
    world.clock.set(at("2026-11-22T14:00:00Z"));
    world.app.tasks().create(ada, due_at_two()).await.expect("a task that is due already");
    assert_eq!(world.subjects_at(at("2026-11-22T14:00:00Z")).await, [""; 0]);
}

pub(super) async fn a_reminder_that_slept_too_long_expires(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    assert_eq!(world.subjects_at(at("2026-11-23T13:45:00.000001Z")).await, [""; 0]);
    assert_eq!(world.app.deliveries().ledger().await.expect("a ledger").expired, 1);
}

pub(super) async fn somebody_elses_task_does_not_exist(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let bob = Actor::User(world.somebody("bob").await);
    let id = world.app.tasks().create(ada, due_at_two()).await.expect("a task").id;
    let app = &world.app;
    let absent = [
        app.tasks().get(bob, id).await.map(drop),
        app.tasks().update(bob, id, TaskChange::default(), Precondition::Any).await.map(drop),
        app.tasks().complete(bob, id).await.map(drop),
        app.tasks().delete(bob, id, Precondition::Any).await.map(drop),
        app.tasks().restore(bob, id).await.map(drop),
        app.tasks().history(bob, id, None, 10).await.map(drop),
    ];
    assert!(absent.iter().all(|result| matches!(result, Err(Error::NotFound("task")))), "{absent:?}");
    assert_eq!(app.tasks().list(bob, &TaskQuery::default()).await.expect("a page").total, 0);
}

pub(super) async fn an_expected_version_decides_who_wins(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    let change = |title: &str| TaskChange { title: Some(title.parse().expect("a title")), ..TaskChange::default() };
    let first =
        world.app.tasks().update(ada, task.id, change("one"), Precondition::Version(1)).await.expect("the first wins");
    assert_eq!(first.version, 2);
    let second = world.app.tasks().update(ada, task.id, change("two"), Precondition::Version(1)).await;
    assert!(matches!(second, Err(Error::Stale)), "{second:?}");
    let (history, more) = world.app.tasks().history(ada, task.id, None, 2).await.expect("a history");
    assert_eq!((history.len(), more), (2, false));
    assert_eq!(history[0].data["changes"]["title"]["was"], "Water the plants");
}

pub(super) async fn a_trashed_task_comes_back_as_it_was(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let task = world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    world.app.tasks().delete(ada, task.id, Precondition::Any).await.expect("trashed");
    assert!(matches!(world.app.tasks().get(ada, task.id).await, Err(Error::NotFound("task"))));
    let back = world.app.tasks().restore(ada, task.id).await.expect("restored");
    assert_eq!(Task { version: 1, ..back.clone() }, task);
    assert_eq!(world.app.tasks().restore(ada, task.id).await.expect("no change"), back);
    assert_eq!(world.subjects_at(at("2026-11-22T13:45:00Z")).await.len(), 1);
}

pub(super) async fn only_who_runs_the_service_changes_standing(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let bob = world.somebody("bob").await;
    let promote = AccountStatusChange { is_admin: Some(true), ..AccountStatusChange::default() };
    let refused = world.app.accounts().set_standing(Actor::User(ada), ada, promote).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    world.app.accounts().set_standing(Actor::System, ada, promote).await.expect("promoted");
    let admin = world.app.accounts().set_standing(Actor::User(ada), bob, promote).await.expect("by an admin");
    assert!(admin.is_admin);
    assert!(matches!(world.app.accounts().delete(Actor::User(bob), ada).await, Err(Error::NotFound(_))));
    world.app.accounts().delete(Actor::User(bob), bob).await.expect("deleted");
    assert!(matches!(world.app.accounts().get(Actor::System, bob).await, Err(Error::NotFound(_))));
    let nothing = Changes::new().write(UserWrite::Delete { id: bob, at: noon() + Duration::from_secs(1) });
    assert!(world.storage.commit(&nothing).await.is_err());
}
