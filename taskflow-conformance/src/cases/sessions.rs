use std::sync::Arc;
use std::time::Duration;

use taskflow_core::{
    AccountStatusChange, Actor, Changes, Error, PasswordHash, Precondition, ProfileChange, Session, SessionWrite,
    StoreError, Timestamp, TokenHash, UserWrite,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{noon, session, session_id, user_id, users};

fn open_sessions(sessions: impl IntoIterator<Item = Session>) -> Changes {
    sessions.into_iter().fold(users([1, 2]), |changes, session| changes.write(SessionWrite::Open(session)))
}

fn later(seconds: u64) -> Timestamp {
    noon() + Duration::from_secs(seconds)
}

fn end(user: u64, only: Option<u64>, at: Timestamp) -> Changes {
    Changes::new().write(SessionWrite::End { user_id: user_id(user), only: only.map(session_id), at })
}

pub(super) async fn a_session_round_trips_open_and_ended(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let full = Session {
        device: Some("Firefox \u{1F600} 'on' \"Linux\"".to_owned()),
        previous: Some(TokenHash::new("before")),
        repeated: true,
        ..session(1, 1)
    };
    store.commit(&open_sessions([full.clone(), session(2, 1)])).await.expect("sessions");
    assert_eq!(store.session(session_id(1)).await.expect("a read"), Some(full.clone()));
    assert_eq!(store.session(session_id(2)).await.expect("a read"), Some(session(2, 1)));
    assert_eq!(store.session(session_id(9)).await.expect("a read"), None);
    store.commit(&end(1, Some(1), later(5))).await.expect("ended");
    assert_eq!(store.session(session_id(1)).await.expect("a read"), Some(Session { ended_at: Some(later(5)), ..full }));
}

pub(super) async fn a_refresh_needs_the_version_before_it_and_an_open_session(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&open_sessions([session(1, 1)])).await.expect("a session");
    let next = Session { token: TokenHash::new("next"), version: 2, used_at: later(1), ..session(1, 1) };
    let update = |session: &Session| Changes::new().write(SessionWrite::Update(session.clone()));
    store.commit(&update(&next)).await.expect("refreshed");
    let again = Session { repeated: true, version: 3, ..next.clone() };
    store.commit(&update(&again)).await.expect("handed out once more");
    assert_eq!(store.session(session_id(1)).await.expect("a read"), Some(again));
    let error = store.commit(&update(&next)).await.expect_err("stale");
    assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    store.commit(&end(1, None, later(2))).await.expect("ended");
    let error = store.commit(&update(&Session { version: 4, ..next })).await.expect_err("over");
    assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    let orphan = Changes::new().write(SessionWrite::Open(session(5, 9)));
    assert!(matches!(store.commit(&orphan).await, Err(StoreError::Stale { write: 0 })));
}

pub(super) async fn open_sessions_are_listed_and_ended_ones_announced(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let used = Session { used_at: later(9), ..session(1, 1) };
    let expired = Session { expires_at: later(10), ..session(2, 1) };
    store
        .commit(&open_sessions([used.clone(), expired, session(3, 1), session(4, 2), session(5, 1)]))
        .await
        .expect("sessions");
    store.commit(&end(1, Some(5), later(3))).await.expect("ended");
    let ids = |sessions: Vec<Session>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(ids(store.sessions(user_id(1), later(10)).await.expect("a read")), [session_id(1), session_id(3)]);
    assert_eq!(store.ended_sessions(later(3)).await.expect("a read"), [session_id(5)]);
    assert_eq!(store.ended_sessions(later(4)).await.expect("a read"), []);
    // Somebody else's session is not ended by naming it, and an ended one keeps its time.
    store.commit(&end(1, Some(4), later(5))).await.expect("nothing");
    store.commit(&end(1, None, later(6))).await.expect("ended");
    let mut ended = store.ended_sessions(later(6)).await.expect("a read");
    ended.sort_unstable();
    assert_eq!(ended, [session_id(1), session_id(2), session_id(3)]);
    assert_eq!(
        store.session(session_id(5)).await.expect("a read").and_then(|session| session.ended_at),
        Some(later(3))
    );
}

pub(super) async fn deleting_a_user_ends_their_sessions(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&open_sessions([session(1, 1), session(2, 2)])).await.expect("sessions");
    store.commit(&Changes::new().write(UserWrite::Delete { id: user_id(1), at: later(1) })).await.expect("gone");
    assert_eq!(store.ended_sessions(noon()).await.expect("a read"), [session_id(1)]);
}

pub(super) async fn a_token_refreshes_once_and_its_second_use_ends_the_session(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let hash = TokenHash::new;
    let opened = world.app.sessions().open(ada, hash("one"), Some("curl")).await.expect("a session");
    world.clock.advance(Duration::from_secs(60));
    let refresh = async |shown, next| world.app.sessions().refresh(opened.id, &hash(shown), &[hash(next)]).await;
    refresh("one", "two").await.expect("refreshed");
    // The answer may have been lost, or there are two windows.
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(refresh("one", "two").await.expect("once more").token, hash("two"));
    let twice = refresh("one", "two").await;
    assert!(matches!(twice, Err(Error::NotFound("session"))), "{twice:?}");
    assert_eq!(world.app.sessions().list(Actor::User(ada)).await.expect("a list").len(), 1);
    world.clock.advance(Duration::from_secs(1));
    let stolen = refresh("one", "two").await;
    assert!(matches!(stolen, Err(Error::NotFound("session"))), "{stolen:?}");
    let after = refresh("two", "three").await;
    assert!(matches!(after, Err(Error::NotFound("session"))), "{after:?}");
    assert_eq!(world.app.sessions().ended_within(Duration::from_secs(60)).await.expect("a list"), [opened.id]);
}

pub(super) async fn two_windows_that_refresh_at_once_get_one_successor(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let hash = TokenHash::new;
    let opened = world.app.sessions().open(ada, hash("one"), None).await.expect("a session");
    let (one, two) = (hash("one"), [hash("two")]);
    let refresh = || world.app.sessions().refresh(opened.id, &one, &two);
    let (first, second) = futures_util::future::join(refresh(), refresh()).await;
    assert_eq!(first.expect("a successor").token, second.expect("the same").token);
    assert!(world.app.sessions().refresh(opened.id, &hash("two"), &[hash("three")]).await.is_ok());
    let stolen = world.app.sessions().refresh(opened.id, &one, &two).await;
    assert!(matches!(stolen, Err(Error::NotFound("session"))), "its successor was used: {stolen:?}");
    assert_eq!(world.app.sessions().list(Actor::User(ada)).await.expect("a list"), []);
}

pub(super) async fn another_password_and_a_locked_account_end_every_session(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let ada = world.somebody("ada").await;
    let actor = Actor::User(ada);
    for _ in 0..2 {
        world.app.sessions().open(ada, TokenHash::new("x"), None).await.expect("a session");
    }
    let change = ProfileChange { password: Some(PasswordHash::new("new")), ..ProfileChange::default() };
    world.app.accounts().update_profile(actor, ada, change, Precondition::Any).await.expect("a change");
    assert_eq!(world.app.sessions().list(actor).await.expect("a list"), []);
    world.app.sessions().open(ada, TokenHash::new("x"), None).await.expect("a session");
    let lock = AccountStatusChange { is_active: Some(false), ..AccountStatusChange::default() };
    world.app.accounts().set_standing(Actor::System, ada, lock).await.expect("locked");
    assert_eq!(world.app.sessions().list(actor).await.expect("a list"), []);
    assert_eq!(world.app.sessions().ended_within(Duration::from_secs(1)).await.expect("a list").len(), 3);
}

pub(super) async fn nobody_ends_somebody_elses_session(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let hers = world.app.sessions().open(ada, TokenHash::new("x"), None).await.expect("a session");
    let refused = world.app.sessions().end(Actor::User(bob), hers.id).await;
    assert!(matches!(refused, Err(Error::NotFound("session"))), "{refused:?}");
    world.app.sessions().end_all(Actor::User(bob)).await.expect("his own, none");
    assert_eq!(world.app.sessions().list(Actor::User(ada)).await.expect("a list").len(), 1);
    world.app.sessions().end(Actor::User(ada), hers.id).await.expect("her own");
    assert_eq!(world.app.sessions().list(Actor::User(ada)).await.expect("a list"), []);
}

pub(super) async fn a_confirmed_session_has_a_fresh_proof_until_it_ends(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let sessions = || world.app.sessions();
    let session = sessions().open(ada, TokenHash::new("one"), None).await.expect("a session");
    assert_eq!(session.authenticated_at(), noon());
    world.clock.advance(Duration::from_secs(600));
    let refreshed = sessions().refresh(session.id, &TokenHash::new("one"), &[TokenHash::new("two")]).await;
    assert_eq!(refreshed.expect("refreshed").authenticated_at(), noon(), "refreshing proves nothing");
    let foreign = sessions().confirm(Actor::User(bob), session.id).await;
    assert!(matches!(foreign, Err(Error::NotFound("session"))), "{foreign:?}");
    let confirmed = sessions().confirm(Actor::User(ada), session.id).await.expect("confirmed");
    assert_eq!(confirmed.authenticated_at(), noon() + Duration::from_secs(600));
    assert_eq!(world.storage.session(session.id).await.expect("a read"), Some(confirmed));
    sessions().end(Actor::User(ada), session.id).await.expect("ended");
    assert!(sessions().confirm(Actor::User(ada), session.id).await.is_err());
}
