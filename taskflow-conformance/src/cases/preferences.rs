//! Mail preferences: the store keeps them, and mail follows them.

use std::sync::Arc;
use std::time::Duration;

use chrono::Weekday;
use taskflow_core::ports::{Asked, Link, LinkPurpose, Links, MailError, Reply};
use taskflow_core::{
    Actor, Changes, DeliveryState, Error, LocalMinute, Mail, NewTask, NoticeKind, PasswordHash, Precondition,
    Preferences, PreferencesChange, ProfileChange, QuietHours, StoreError, User, UserId, UserWrite, Weekdays,
};

use super::app::{World, due_at_two};
use super::reminders::{Board, NOBODY, own};
use crate::sample::{at, new_user, noon, user, user_id, users};
use crate::{OpenStore, PlainLinks};

pub(super) fn minute(text: &str) -> LocalMinute {
    text.parse().expect("a minute")
}

/// Mail waits between these minutes of the reader's zone, which is Berlin's: an hour ahead of UTC.
pub(super) fn quiet(from: &str, until: &str) -> Preferences {
    let quiet_hours = Some(QuietHours::new(minute(from), minute(until)).expect("quiet hours"));
    Preferences { quiet_hours, ..Preferences::default() }
}

pub(super) async fn set(world: &World, actor: Actor, preferences: Preferences) {
    world.app.accounts().change_preferences(actor, &preferences.into(), Precondition::Any).await.expect("set");
}

async fn preferences(world: &World, actor: Actor) -> Preferences {
    let id = actor.user_id().expect("a person");
    world.app.accounts().get(actor, id).await.expect("an account").preferences
}

/// With links that anybody can read.
fn with_links(open: &dyn OpenStore) -> World {
    World::building(open, |builder| builder.links(Arc::new(PlainLinks)))
}

pub(super) async fn preferences_round_trip_wherever_a_person_is_read(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    assert_eq!(store.user(user_id(1)).await.expect("a read"), Some(user(1)));
    let everything = Preferences {
        off: NoticeKind::ALL.into_iter().filter(|kind| kind.can_be_switched_off()).collect(),
        quiet_hours: quiet("23:59", "00:00").quiet_hours,
        summary_at: minute("23:59"),
        summary_days: Weekdays::new([Weekday::Mon, Weekday::Sun]),
    };
    let nothing =
        Preferences { summary_at: minute("00:00"), summary_days: Weekdays::new([]), ..Preferences::default() };
    let mut before = user(1);
    for preferences in [everything, nothing, Preferences::default()] {
        let after = before.with_preferences(preferences, noon());
        store.commit(&Changes::new().write(UserWrite::Update(after.clone()))).await.expect("a change");
        assert_eq!(store.user(after.id).await.expect("a read").as_ref(), Some(&after));
        assert_eq!(store.users(&[after.id]).await.expect("a read")[&after.id].as_ref(), Ok(&after));
        assert_eq!(store.users_after(None, 1).await.expect("a page"), std::slice::from_ref(&after));
        let found = store.account(&taskflow_core::Login::Email(after.email.key())).await.expect("a read");
        assert_eq!(found.map(|account| account.user), Some(after.clone()));
        before = after;
    }
    let made = User { id: user_id(3), preferences: quiet("22:00", "07:00"), ..user(3) };
    store.commit(&Changes::new().write(UserWrite::Insert(made.clone()))).await.expect("a user");
    assert_eq!(store.user(made.id).await.expect("a read"), Some(made));
    assert_eq!(store.user(user_id(2)).await.expect("a read"), Some(user(2)));
}

pub(super) async fn of_two_changes_of_preferences_at_once_one_is_stale(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let change = |from: &str| UserWrite::Update(user(1).with_preferences(quiet(from, "07:00"), noon()));
    store.commit(&Changes::new().write(change("22:00"))).await.expect("the first");
    let error = store.commit(&Changes::new().write(change("23:00"))).await.expect_err("the second");
    assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
}

/// A link as in a mail of this kind to somebody.
fn link(kind: NoticeKind, to: UserId) -> String {
    let expires_at = taskflow_core::Timestamp::MAX;
    PlainLinks.url(&Link { purpose: LinkPurpose::Unsubscribe(kind), id: to.as_uuid(), expires_at, version: None })
}

fn quieter() -> PreferencesChange {
    PreferencesChange { quiet_hours: Some(quiet("22:00", "07:00").quiet_hours), ..PreferencesChange::default() }
}

pub(super) async fn a_click_between_reading_and_changing_preferences_is_not_lost(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let id = world.somebody("ada").await;
    let ada = Actor::User(id);
    // Somebody looks at their preferences, and decides; before they say so, a mail program ends a kind for them.
    let seen = preferences(&world, ada).await;
    world.app.links().unsubscribe(&link(NoticeKind::TaskDue, id)).await.expect("ended");
    let kinds = [(NoticeKind::MeetingReminder, false)].into();
    world
        .app
        .accounts()
        .change_preferences(ada, &PreferencesChange { kinds, ..quieter() }, Precondition::Any)
        .await
        .expect("changed");
    let after = preferences(&world, ada).await;
    assert_eq!(after, seen.with(&quieter()).without(NoticeKind::TaskDue).without(NoticeKind::MeetingReminder));
    // Nothing is left to end, or to change: neither makes another version.
    let version = world.app.accounts().get(ada, id).await.expect("an account").version;
    world.app.links().unsubscribe(&link(NoticeKind::TaskDue, id)).await.expect("ended already");
    let same = world.app.accounts().change_preferences(ada, &quieter(), Precondition::Any).await.expect("the same");
    assert_eq!(same.version, version);
}

pub(super) async fn a_click_and_a_change_at_once_both_hold(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let id = world.somebody("ada").await;
    let (ada, quieter) = (Actor::User(id), quieter());
    for _ in 0..20 {
        set(&world, ada, Preferences::default()).await;
        let (first, second) = (link(NoticeKind::TaskDue, id), link(NoticeKind::DailySummary, id));
        let (first, second, changed) = futures_util::future::join3(
            world.app.links().unsubscribe(&first),
            world.app.links().unsubscribe(&second),
            world.app.accounts().change_preferences(ada, &quieter, Precondition::Any),
        )
        .await;
        assert!(first.is_ok() && second.is_ok() && changed.is_ok(), "{first:?} {second:?} {changed:?}");
        let expected = Preferences::default().with(&quieter);
        let expected = expected.without(NoticeKind::TaskDue).without(NoticeKind::DailySummary);
        assert_eq!(preferences(&world, ada).await, expected);
    }
}

pub(super) async fn an_expected_version_of_preferences_decides_who_wins(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let id = world.somebody("ada").await;
    let ada = Actor::User(id);
    let seen = world.app.accounts().get(ada, id).await.expect("an account").version;
    world.app.links().unsubscribe(&link(NoticeKind::TaskDue, id)).await.expect("ended");
    let late = world.app.accounts().change_preferences(ada, &quieter(), Precondition::Version(seen)).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let changed = world
        .app
        .accounts()
        .change_preferences(ada, &quieter(), Precondition::Version(seen + 1))
        .await
        .expect("changed");
    assert_eq!((changed.version, changed.preferences.quiet_hours), (seen + 2, quiet("22:00", "07:00").quiet_hours));
}

pub(super) async fn a_kind_that_is_switched_off_gets_no_mail(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    let without = Preferences::default().without(NoticeKind::TaskDue);
    set(&world, ada, without.clone()).await;
    assert_eq!(preferences(&world, ada).await, without);
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    let ledger = world.storage.deliveries_after(None, 9).await.expect("a ledger");
    let cancelled: Vec<_> = ledger.iter().filter(|one| one.state == DeliveryState::Cancelled).collect();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0].reason, "the reader has switched it off");

    // What protects the account is told to everybody.
    let change = ProfileChange { password: Some(PasswordHash::new("x")), ..ProfileChange::default() };
    let id = ada.user_id().expect("a person");
    set(&world, ada, Preferences { off: NoticeKind::ALL.into(), ..without }).await;
    world.app.accounts().update_profile(ada, id, change, Precondition::Any).await.expect("a change");
    assert_eq!(world.told().await, ["ada: Your password was changed"]);
}

pub(super) async fn quiet_hours_hold_mail_until_they_end_and_use_no_attempt(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    set(&world, ada, quiet("14:45", "14:55")).await;
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    let held = world.storage.deliveries_after(None, 9).await.expect("a ledger").pop().expect("a reminder");
    assert_eq!((held.state, held.attempts, held.last_error), (DeliveryState::Scheduled, 0, None));
    assert_eq!(held.next_at.to_string(), "2026-11-22T13:55:00.000000Z");
    assert_eq!(held.due_at.to_string(), "2026-11-22T13:45:00.000000Z");
    assert_eq!(world.told_at("2026-11-22T13:54:59.999999Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-22T13:55:00Z").await, ["ada: Due soon"]);
    let (sent, failed) = world.storage.delivery(held.id).await.expect("a read").expect("the reminder");
    assert_eq!((sent.state, sent.attempts, failed.len()), (DeliveryState::Delivered, 0, 0));
}

pub(super) async fn held_mail_is_dated_at_the_end_of_the_hold_however_often_it_is_tried(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    set(&world, ada, quiet("14:45", "14:55")).await;
    assert_eq!(world.told_at("2026-11-22T13:45:00Z").await, NOBODY);
    world.mailer.fail_next(MailError::Transient(Reply::new(Asked::Recipient, 450, "4.2.1 later")));
    assert_eq!(world.told_at("2026-11-22T13:55:07Z").await, NOBODY);
    world.clock.advance(Duration::from_mins(2));
    world.deliver().await;
    let dates: Vec<_> = world.mailer.take().iter().map(|mail| mail.date.to_string()).collect();
    assert_eq!(dates, ["2026-11-22T13:55:00.000000Z"]);
}

pub(super) async fn what_protects_the_account_does_not_wait_for_quiet_to_end(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    set(&world, Actor::User(ada), quiet("12:00", "16:00")).await;
    let change = ProfileChange { password: Some(PasswordHash::new("x")), ..ProfileChange::default() };
    world.app.accounts().update_profile(Actor::User(ada), ada, change, Precondition::Any).await.expect("a change");
    assert_eq!(world.told().await, ["ada: Your password was changed"]);
}

pub(super) async fn a_reminder_of_a_meeting_that_begins_in_quiet_hours_passes_them(open: Arc<dyn OpenStore>) {
    let Board { world, bob, id, .. } = Board::new(&*open).await;
    world.app.meetings().set_own_reminders(bob, id, own(&[120, 15])).await.expect("two");
    // Over before the meeting begins at 10:00Z: the first reminder is held, the second comes after them.
    set(&world, bob, quiet("08:30", "10:30")).await;
    assert_eq!(world.told_at("2026-11-23T08:00:00Z").await, NOBODY);
    assert_eq!(world.told_at("2026-11-23T09:30:00Z").await, ["bob: Soon"]);
    // Over only after it has begun.
    set(&world, bob, quiet("08:30", "11:00")).await;
    assert_eq!(world.told_at("2026-11-23T09:45:00Z").await, ["ada: Soon", "bob: Soon", "eve: Soon"]);
}

pub(super) async fn one_click_ends_a_kind_for_a_person(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.somebody("ada").await);
    let another = NewTask { due_at: Some(at("2026-11-22T16:00:00Z")), ..due_at_two() };
    world.app.tasks().create(ada, due_at_two()).await.expect("a task");
    world.app.tasks().create(ada, another).await.expect("another");
    world.clock.set(at("2026-11-22T13:45:00Z"));
    world.deliver().await;
    let link = unsubscribe_url(&world.mailer.take(), "ada").expect("a link");
    assert!(world.app.links().subscription(&link).await.expect("known").is_on, "looking changes nothing");
    for _ in 0..2 {
        let ended = world.app.links().unsubscribe(&link).await.expect("ended");
        assert_eq!((ended.kind, ended.email.as_str(), ended.is_on), (NoticeKind::TaskDue, "ada@example.org", false));
        let off = preferences(&world, ada).await.off;
        assert_eq!(Vec::from_iter(off), [NoticeKind::TaskDue]);
    }
    assert_eq!(world.told_at("2026-11-22T15:45:00Z").await, NOBODY);
    set(&world, ada, Preferences::default()).await;
    assert!(world.app.links().subscription(&link).await.expect("known").is_on);
}

pub(super) async fn only_what_recurs_carries_a_link_that_ends_it(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = world.app.accounts().register(new_user("ada"), None).await.expect("an account");
    world.app.tasks().create(Actor::User(ada.id), due_at_two()).await.expect("a task");
    world.deliver().await;
    assert_eq!(unsubscribe_url(&world.mailer.take(), "ada"), None, "a welcome");
    world.clock.set(at("2026-11-22T13:45:00Z"));
    world.deliver().await;
    let link = unsubscribe_url(&world.mailer.take(), "ada").expect("a link");
    let id = ada.id.as_uuid();
    let of =
        |purpose, id| PlainLinks.url(&Link { purpose, id, expires_at: taskflow_core::Timestamp::MAX, version: None });
    assert_eq!(link, of(LinkPurpose::Unsubscribe(NoticeKind::TaskDue), id));
    for wrong in [
        "nonsense".to_owned(),
        of(LinkPurpose::Respond, id),
        of(LinkPurpose::Unsubscribe(NoticeKind::PasswordChanged), id),
        of(LinkPurpose::Unsubscribe(NoticeKind::TaskDue), uuid::Uuid::nil()),
    ] {
        let answer = world.app.links().unsubscribe(&wrong).await;
        assert!(matches!(answer, Err(Error::NotFound("subscription"))), "{wrong}: {answer:?}");
    }
}

/// Returns the unsubscribe URL of the mail to the user of this name.
fn unsubscribe_url(mails: &[Mail], name: &str) -> Option<String> {
    let address = format!("{name}@example.org");
    let mail = mails.iter().find(|mail| mail.to.address.as_str() == address).expect("a mail");
    mail.headers.unsubscribe_url.clone()
}
