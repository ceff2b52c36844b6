//! Deletion of accounts: absent from the first commit on, cleared by bounded steps, and nothing that nobody can end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use taskflow_core::{
    AccessWrite, Actor, Changes, Login, MeetingWrite, NewMeeting, ParticipantWrite, Precondition, Scope, SessionWrite,
    StartsAt, StoreError, TaskWrite, TokenId, TokenPurpose, TokenWrite, User, UserWrite, Viewer, Write,
};

use super::app::World;
use super::jobs::{doing, tick};
use super::reminders::{Board, board};
use crate::OpenStore;
use crate::sample::{
    at, called, credential, event, guest, invitee, meeting, meeting_id, member, new_user, noon, session, task, task_id,
    tomorrow, user, user_id, users,
};

fn deleted(n: u64) -> User {
    user(n).deleted(noon())
}

fn is_stale(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Stale { write: 0 }))
}

pub(super) async fn a_deleted_account_is_absent_and_its_name_is_free(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let verified = User { email_verified: true, ..user(1) };
    let setup = users([2]).write(UserWrite::Insert(verified.clone())).write(credential(1, "hash-1"));
    store.commit(&setup).await.expect("users");
    store.commit(&Changes::new().write(UserWrite::Update(verified.deleted(noon())))).await.expect("deleted");
    assert_eq!(store.user(user_id(1)).await.expect("a read"), None);
    assert!(store.users(&[user_id(1)]).await.expect("a read").is_empty());
    assert_eq!(store.users_after(None, 10).await.expect("a read"), [user(2)]);
    assert_eq!(store.users_by_email(&[verified.email]).await.expect("a read"), []);
    let placeholder = verified.username.to_string();
    for login in ["user-1", "user-1@example.org", placeholder.as_str()] {
        assert_eq!(store.account(&Login::parse(login)).await.expect("a read"), None, "{login}");
    }
    let again = User { id: user_id(3), ..user(1) };
    store.commit(&Changes::new().write(UserWrite::Insert(again))).await.expect("name and address are free");
    assert_eq!(store.deleted_users(None, 10).await.expect("a read"), [user_id(1)]);
    assert_eq!(store.deleted_users(Some(user_id(1)), 10).await.expect("a read"), []);
}

pub(super) async fn nobody_acts_as_a_deleted_account_or_invites_it(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let there = called(meeting(2, 2), [member(1, 2, 1)]);
    store.commit(&users([1, 2]).and(there)).await.expect("users");
    let both = called(meeting(3, 2), [guest(2, 3)]);
    store.commit(&both).await.expect("a meeting");
    store.commit(&Changes::new().write(UserWrite::Update(deleted(1)))).await.expect("deleted");
    let token = taskflow_core::Token::new(
        TokenId::from_uuid(user_id(9).as_uuid()),
        TokenPurpose::ResetPassword,
        user_id(1),
        user(1).email,
        noon(),
    );
    let refused: [Write; 5] = [
        AccessWrite::Require(Scope::own(user_id(1))).into(),
        MeetingWrite::Insert(meeting(1, 1)).into(),
        ParticipantWrite::Insert(member(3, 3, 1)).into(),
        SessionWrite::Open(session(1, 1)).into(),
        TokenWrite::Insert(token).into(),
    ];
    for write in refused {
        let result = store.commit(&Changes::new().write(write.clone())).await;
        assert!(is_stale(&result), "{write:?}: {result:?}");
    }
    // Others go on with what names it, until it has left.
    let declined = taskflow_core::Participant { version: 2, ..member(1, 2, 1) };
    store.commit(&Changes::new().write(ParticipantWrite::Update(declined))).await.expect("an update");
    let told = Changes::new().write(TaskWrite::Insert(task(1, 2))).announce(event(1, &task(1, 2), &[1, 2]));
    store.commit(&told).await.expect("a task");
    assert_eq!(store.feed(Scope::own(user_id(1)), 0, 10).await.expect("a feed").len(), 0);
    assert_eq!(store.feed(Scope::own(user_id(2)), 0, 10).await.expect("a feed").len(), 1);
}

pub(super) async fn what_an_account_leaves_is_cleared_by_bounded_commits(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let mut setup = users([1, 2]);
    for n in 1..=5 {
        setup = setup.write(TaskWrite::Insert(task(n, 1))).announce(event(n, &task(n, 1), &[1, 2]));
        setup = setup.and(called(meeting(n, 1), [member(n, n, 1)]));
    }
    store.commit(&setup).await.expect("an account in use");
    let clear = Changes::new().write(UserWrite::Clear { id: user_id(1), limit: 2, at: noon() });
    assert!(is_stale(&store.commit(&clear).await), "it is not deleted");
    store.commit(&Changes::new().write(UserWrite::Update(deleted(1)))).await.expect("deleted");
    let (meetings, tasks): (Vec<_>, Vec<_>) = (1..=5).map(|n| (meeting_id(n), task_id(n))).unzip();
    let left = async || {
        let found = store.meetings_by_id(&meetings, Viewer::Service).await.expect("a read");
        let organized = found.values().filter(|row| row.as_ref().is_ok_and(|row| row.created_by.is_some())).count();
        let people = store.participants(&meetings).await.expect("a read");
        let people = people.iter().filter(|one| one.user_id.is_some()).count();
        (organized, people, store.tasks_by_id(&tasks, Viewer::Service).await.expect("a read").len())
    };
    for rest in [3, 1, 0] {
        store.commit(&clear).await.expect("a step");
        assert_eq!(left().await, (rest, rest, rest));
    }
    while store.commit(&clear).await.is_ok() {}
    assert!(is_stale(&store.commit(&clear).await), "nothing is left");
    let theirs = store.feed(Scope::own(user_id(2)), 0, 10).await.expect("a feed");
    assert_eq!(theirs.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5], "others keep their feeds");
    let people = store.participants(&meetings).await.expect("a read");
    assert!(people.iter().all(|one| one.version == 2), "decisions that name the account are made anew");
    let delete = Changes::new().write(UserWrite::Delete { id: user_id(1), at: noon() });
    store.commit(&delete).await.expect("removed");
    assert_eq!(store.deleted_users(None, 10).await.expect("a read"), []);
}

pub(super) async fn an_interrupted_deletion_is_completed_by_its_job(open: Arc<dyn OpenStore>) {
    let world = doing(&*open, &[taskflow_core::JobName::ACCOUNT_DELETION]).await;
    let (ada, bob) = (world.verified("ada").await, world.verified("bob").await);
    let theirs = world.app.meetings().create(Actor::User(ada), board(&["bob", "kim"])).await.expect("a meeting");
    let others = world.app.meetings().create(Actor::User(bob), board(&["ada"])).await.expect("a meeting");
    assert_eq!(world.told().await, ["ada: Invitation", "bob: Invitation", "kim: Invitation"]);
    assert!(tick(&world, at("2026-11-22T12:01:00Z")).await.is_empty(), "nothing to do leaves no run behind");
    // As a process leaves it that is killed after the first commit.
    let before = world.app.accounts().get(Actor::System, ada).await.expect("an account");
    let gone = Changes::new().write(UserWrite::Update(before.deleted(world.clock_now())));
    world.storage.commit(&gone).await.expect("deleted");
    let runs = tick(&world, at("2026-11-22T12:02:00Z")).await;
    assert_eq!(runs.iter().map(|run| run.counts.get("accounts_deleted")).collect::<Vec<_>>(), [1]);
    assert_eq!(world.told().await, ["bob: Cancelled", "bob: ada@example.org can't make it", "kim: Cancelled"]);
    let found = world.app.meetings().get(Actor::User(bob), theirs.meeting.id).await.expect("still there").meeting;
    assert!(found.created_by.is_none() && found.cancelled_at.is_some());
    let people = world.storage.participants(&[others.meeting.id]).await.expect("a read");
    let who = people.iter().find(|one| one.email.as_str() == "ada@example.org").expect("a row");
    assert!(who.user_id.is_none() && !who.is_in());
    assert_eq!(world.storage.deleted_users(None, 10).await.expect("a read"), []);
    assert!(tick(&world, at("2026-11-22T12:03:00Z")).await.is_empty());
}

pub(super) async fn an_account_that_others_keep_inviting_is_deleted(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (world.verified("ada").await, world.verified("bob").await);
    let call = |actor, name: &'static str| {
        let starts_at = StartsAt::Instant(tomorrow());
        let new = NewMeeting::titled("Sync".parse().expect("a title"), starts_at);
        let new = NewMeeting { invitees: vec![invitee(name)], ..new };
        world.app.meetings().create(actor, new)
    };
    for _ in 0..120 {
        call(Actor::User(bob), "ada").await.expect("a meeting");
        call(Actor::User(ada), "bob").await.expect("a meeting");
    }
    let inviting = async {
        for _ in 0..60 {
            call(Actor::User(bob), "ada").await.expect("a meeting with a guest");
        }
    };
    let calling = async {
        let mut called = 0;
        while call(Actor::User(ada), "bob").await.is_ok() {
            called += 1;
            assert!(called < 10_000, "somebody who is deleted goes on");
        }
    };
    let deletion = world.app.accounts().delete(Actor::User(ada), ada);
    let (deleted, _) = join(deletion, join(inviting, calling)).await;
    deleted.expect("deleted");
    assert_eq!(world.storage.deleted_users(None, 10).await.expect("a read"), []);
    let mut after = None;
    loop {
        let page = world.storage.meetings_to_leave(bob, noon(), after, 100).await.expect("a read");
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let found = world.storage.meetings_by_id(&page, Viewer::Service).await.expect("a read");
        for row in found.into_values() {
            assert_eq!(row.expect("a readable row").created_by, Some(bob), "each that is on has an organizer");
        }
        let people = world.storage.participants(&page).await.expect("a read");
        assert!(people.iter().all(|one| one.user_id != Some(ada)), "nobody names the account any more");
    }
    world.app.accounts().register(new_user("ada"), None).await.expect("the name is free again");
}

pub(super) async fn somebody_whose_session_outlives_the_account_revives_no_meeting(open: Arc<dyn OpenStore>) {
    let Board { world, ada, id: meeting, .. } = Board::new(&*open).await;
    let person = ada.user_id().expect("a person");
    world.app.meetings().cancel(ada, meeting, Precondition::Any).await.expect("cancelled");
    let before = world.app.accounts().get(Actor::System, person).await.expect("an account");
    let gone = Changes::new().write(UserWrite::Update(before.deleted(world.clock_now())));
    world.storage.commit(&gone).await.expect("deleted");
    world.clock.advance(Duration::from_secs(11));
    let restored = world.app.meetings().restore(ada, meeting).await;
    assert!(restored.is_err(), "{restored:?}");
    let found = world.storage.meetings_by_id(&[meeting], Viewer::Service).await.expect("a read");
    assert!(found[&meeting].as_ref().is_ok_and(|row| row.cancelled_at.is_some()));
}
