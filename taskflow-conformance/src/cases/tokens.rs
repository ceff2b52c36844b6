//! Links that were mailed to an account: each is good once, for a while, and for the address it was sent to.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::notice::{PasswordResetNotice, VerifyEmailNotice, WelcomeNotice};
use taskflow_core::ports::{Link, LinkPurpose, Links};
use taskflow_core::{
    Actor, Changes, Entity, Error, EventKind, FeedEntry, MeetingQuery, Notice, PasswordHash, Precondition,
    ProfileChange, Scope, StoreError, Token, TokenId, TokenPurpose, TokenWrite, UserWrite,
};

use super::app::World;
use super::reminders::board;
use crate::sample::{invitee, new_user, noon, user, user_id, users};
use crate::{OpenStore, PlainLinks};

fn token(n: u64, owner: u64) -> Token {
    let id = TokenId::from_uuid(user_id(n).as_uuid());
    Token::new(id, TokenPurpose::ResetPassword, user_id(owner), user(owner).email, noon())
}

pub(super) async fn a_token_round_trips_and_is_used_once(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let verify =
        Token { purpose: TokenPurpose::VerifyEmail, expires_at: noon() + Duration::from_micros(1), ..token(2, 1) };
    let used = Token { used_at: Some(noon() + Duration::from_micros(2)), ..token(3, 2) };
    let tokens = [token(1, 1), verify, used];
    let insert = tokens.iter().cloned().map(TokenWrite::Insert).fold(users([1, 2]), Changes::write);
    store.commit(&insert).await.expect("tokens");
    for token in &tokens {
        assert_eq!(store.token(token.id).await.expect("a read").as_ref(), Some(token));
    }
    assert_eq!(store.token(token(9, 1).id).await.expect("a read"), None);
    let at = noon() + Duration::from_micros(7);
    let using = |n| Changes::new().write(TokenWrite::Use { id: token(n, 1).id, at });
    store.commit(&using(1)).await.expect("used");
    let after = store.token(tokens[0].id).await.expect("a read");
    assert_eq!(after, Some(Token { used_at: Some(at), ..tokens[0].clone() }));
    for n in [1, 3, 9] {
        let error = store.commit(&using(n)).await.expect_err("used or unknown");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{n}: {error:?}");
    }
}

pub(super) async fn a_token_goes_with_its_owner(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let setup = users([1, 2]).write(TokenWrite::Insert(token(1, 1))).write(TokenWrite::Insert(token(2, 2)));
    store.commit(&setup).await.expect("tokens");
    store.commit(&Changes::new().write(UserWrite::Delete { id: user_id(1), at: noon() })).await.expect("deleted");
    assert_eq!(store.token(token(1, 1).id).await.expect("a read"), None);
    assert_eq!(store.token(token(2, 2).id).await.expect("a read"), Some(token(2, 2)));
    let orphan = Changes::new().write(TokenWrite::Insert(token(3, 1)));
    assert!(matches!(store.commit(&orphan).await, Err(StoreError::Stale { write: 0 })));
    let both = Changes::new().write(TokenWrite::Insert(token(3, 1))).write(UserWrite::Insert(user(1)));
    store.commit(&both).await.expect("made together, in any order");
}

pub(super) async fn tokens_are_revoked_by_person_and_purpose(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let verify = Token { purpose: TokenPurpose::VerifyEmail, ..token(3, 1) };
    let used = Token { used_at: Some(noon()), ..token(4, 1) };
    let tokens = [token(1, 1), token(2, 2), verify, used];
    let insert = tokens.iter().cloned().map(TokenWrite::Insert).fold(users([1, 2]), Changes::write);
    store.commit(&insert).await.expect("tokens");
    let at = noon() + Duration::from_secs(7);
    let purpose = TokenPurpose::ResetPassword;
    let revoke = Changes::new().write(TokenWrite::Revoke { user_id: user_id(1), purpose, at });
    store.commit(&revoke).await.expect("revoked");
    let mut found = Vec::new();
    for token in &tokens {
        found.push(store.token(token.id).await.expect("a read").expect("a token").used_at);
    }
    assert_eq!(found, [Some(at), None, None, Some(noon())]);
    store.commit(&revoke).await.expect("nothing is left to revoke");
}

pub(super) async fn a_token_used_by_many_at_once_is_used_by_one(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1]).write(TokenWrite::Insert(token(1, 1)))).await.expect("a token");
    let uses = (0..8).map(|_| {
        let store = store.clone();
        async move { store.commit(&Changes::new().write(TokenWrite::Use { id: token(1, 1).id, at: noon() })).await }
    });
    let results = futures_util::future::join_all(uses).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
}

fn with_links(open: &dyn OpenStore) -> World {
    World::building(open, |builder| builder.links(Arc::new(PlainLinks)))
}

/// The link that was mailed last, out of the ledger.
async fn mailed(world: &World, purpose: LinkPurpose) -> String {
    let all = world.storage.deliveries_after(None, 100).await.expect("a read");
    let id = all.iter().rev().find_map(|delivery| match (&delivery.notice, purpose) {
        (Ok(Notice::Welcome(WelcomeNotice { token: Some(token) })), LinkPurpose::VerifyEmail) => Some(*token),
        (Ok(Notice::VerifyEmail(VerifyEmailNotice { token, .. })), LinkPurpose::VerifyEmail) => Some(*token),
        (Ok(Notice::PasswordReset(PasswordResetNotice { token, .. })), LinkPurpose::ResetPassword) => Some(*token),
        _ => None,
    });
    let id = id.expect("a mail with such a link");
    let token = world.storage.token(id).await.expect("a read").expect("behind every link");
    PlainLinks.url(&Link { purpose, id: id.as_uuid(), expires_at: token.expires_at, version: None })
}

pub(super) async fn who_verifies_their_address_finds_the_meetings_that_wait_for_it(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.verified("ada").await);
    world.app.meetings().create(ada, board(&["eve"])).await.expect("a meeting");
    let eve = world.app.accounts().register(new_user("eve"), None).await.expect("an account").id;
    let link = mailed(&world, LinkPurpose::VerifyEmail).await;
    let mine =
        async || world.app.meetings().list(Actor::User(eve), &MeetingQuery::default()).await.expect("a page").total;
    assert_eq!(mine().await, 0);
    assert!(world.app.accounts().verify_email(&link).await.expect("verified").email_verified);
    assert_eq!(mine().await, 1);
    // Mail scanners and impatient fingers open it again.
    assert!(world.app.accounts().verify_email(&link).await.expect("no harm").email_verified);
    assert!(!world.app.accounts().request_verification(Actor::User(eve)).await.expect("nothing to do"));
    assert!(matches!(world.app.accounts().verify_email("nonsense").await, Err(Error::NotFound("link"))));
}

pub(super) async fn screens_hear_once_of_the_meetings_that_a_verified_address_brings(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = Actor::User(world.verified("ada").await);
    let call =
        async |people: &[&str]| world.app.meetings().create(ada, board(people)).await.expect("a meeting").meeting.id;
    let (first, off, others, second) =
        (call(&["eve", "kim"]).await, call(&["eve"]).await, call(&["kim"]).await, call(&["eve", "lea"]).await);
    world.app.meetings().cancel(ada, off, Precondition::Any).await.expect("cancelled");
    let register = async |name: &str| world.app.accounts().register(new_user(name), None).await.expect("an account").id;
    let told = async |user| {
        let feed = world.storage.feed(user, 0, 100).await.expect("a feed");
        let entries = feed.into_iter().map(|FeedEntry { seq, event }| {
            assert_eq!((event.kind, event.actor), (EventKind::MeetingUpdated, None));
            let Entity::Meeting(id) = event.entity else { panic!("about {:?}", event.entity) };
            assert_eq!(event.data, serde_json::json!({ "id": id, "changes": {} }));
            (seq, id)
        });
        entries.collect::<Vec<_>>()
    };
    let adas = world.storage.feed_heads(&[ada.user_id().expect("a person")]).await.expect("heads");
    // By the link that was mailed, pressed twice.
    let eve = register("eve").await;
    assert_eq!(told(Scope::own(eve)).await, []);
    let link = mailed(&world, LinkPurpose::VerifyEmail).await;
    for _ in 0..2 {
        world.app.accounts().verify_email(&link).await.expect("verified");
        assert_eq!(told(Scope::own(eve)).await, [(1, second), (2, first)]);
    }
    // By whoever runs the service.
    let kim = register("kim").await;
    for _ in 0..2 {
        world.app.accounts().mark_email_verified(Actor::System, kim).await.expect("verified");
        assert_eq!(told(Scope::own(kim)).await, [(1, others), (2, first)]);
    }
    // By a new password for a lost one, which says nothing new of an address that was verified.
    let lea = register("lea").await;
    for password in ["second", "third"] {
        world.app.accounts().forgot_password(&invitee("lea").email).await.expect("asked");
        let link = mailed(&world, LinkPurpose::ResetPassword).await;
        world.app.accounts().reset_password(&link, PasswordHash::new(password)).await.expect("replaced");
        assert_eq!(told(Scope::own(lea)).await, [(1, second)]);
    }
    // Nobody else hears of it.
    assert_eq!(world.storage.feed_heads(&[ada.user_id().expect("a person")]).await.expect("heads"), adas);
    assert_eq!(told(Scope::own(eve)).await.len(), 2);
}

pub(super) async fn a_link_is_worth_nothing_for_another_address_and_after_its_time(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let eve = world.app.accounts().register(new_user("eve"), None).await.expect("an account").id;
    let first = mailed(&world, LinkPurpose::VerifyEmail).await;
    let moved = ProfileChange { email: Some(invitee("other").email), ..ProfileChange::default() };
    world.app.accounts().update_profile(Actor::User(eve), eve, moved, Precondition::Any).await.expect("moved");
    assert!(matches!(world.app.accounts().verify_email(&first).await, Err(Error::NotFound("link"))));
    assert!(world.app.accounts().request_verification(Actor::User(eve)).await.expect("asked"));
    let second = mailed(&world, LinkPurpose::VerifyEmail).await;
    world.clock.advance(TokenPurpose::VerifyEmail.lifetime());
    assert!(matches!(world.app.accounts().verify_email(&second).await, Err(Error::NotFound("link"))));
}

pub(super) async fn a_lost_password_is_replaced_once_by_link(open: Arc<dyn OpenStore>) {
    let world = with_links(&*open);
    let ada = world.somebody("ada").await;
    world.app.accounts().forgot_password(&invitee("nobody").email).await.expect("the same answer");
    world.deliver().await;
    assert_eq!(world.mailer.take(), []);
    world.app.accounts().forgot_password(&invitee("ADA").email).await.expect("the same answer");
    world.deliver().await;
    assert_eq!(world.mailer.take().len(), 1);
    let link = mailed(&world, LinkPurpose::ResetPassword).await;
    assert!(world.app.accounts().can_reset_password(&link).await.expect("an answer"));
    world.app.accounts().reset_password(&link, PasswordHash::new("second")).await.expect("replaced");
    assert_eq!(world.storage.password(ada).await.expect("a read"), Some(PasswordHash::new("second")));
    assert!(!world.app.accounts().can_reset_password(&link).await.expect("an answer"));
    assert!(matches!(
        world.app.accounts().reset_password(&link, PasswordHash::new("third")).await,
        Err(Error::NotFound("link"))
    ));
    assert_eq!(world.storage.password(ada).await.expect("a read"), Some(PasswordHash::new("second")));
    world.app.accounts().forgot_password(&invitee("ada").email).await.expect("asked");
    let late = mailed(&world, LinkPurpose::ResetPassword).await;
    world.clock.advance(TokenPurpose::ResetPassword.lifetime());
    assert!(matches!(
        world.app.accounts().reset_password(&late, PasswordHash::new("x")).await,
        Err(Error::NotFound("link"))
    ));
}
