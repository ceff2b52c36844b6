use std::sync::Arc;

use taskflow_core::{
    Actor, Changes, DeliveryState, Entity, Error, NewUser, Precondition, ProfileChange, Recipient, Scope, StoreError,
    TaskWrite, UniqueField, User, UserWrite,
};

use super::app::World;
use crate::OpenStore;
use crate::sample::{at, credential, delivery_id, event, noon, task, task_id, user, user_id, users, welcome};

pub(super) async fn a_user_round_trips_to_the_microsecond(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let odd = User {
        username: "Zo\u{eb}.Stra\u{df}e".parse().expect("a name"),
        email: "O'Neil+x@Sub.Example.org".parse().expect("an address"),
        email_verified: true,
        time_zone: "America/Argentina/Buenos_Aires".parse().expect("a zone"),
        locale: "de-CH".parse().expect("a locale"),
        is_active: false,
        is_admin: true,
        created_at: at("0001-01-01T00:00:00.000001Z"),
        updated_at: at("9999-12-31T23:59:59.999999Z"),
        ..user(1)
    };
    store.commit(&Changes::new().write(UserWrite::Insert(odd.clone()))).await.expect("a user");
    assert_eq!(store.user(odd.id).await.expect("a read"), Some(odd));
    assert_eq!(store.user(user_id(2)).await.expect("a read"), None);
}

pub(super) async fn names_are_unique_regardless_of_case_and_unicode_form(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let named = |n, name: &str| User { username: name.parse().expect("a name"), ..user(n) };
    store.commit(&Changes::new().write(UserWrite::Insert(named(1, "Stra\u{df}e")))).await.expect("a user");
    let error = store.commit(&Changes::new().write(UserWrite::Insert(named(2, "STRASSE")))).await;
    let error = error.expect_err("the same name");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Username, write: 0 }), "{error:?}");
}

pub(super) async fn addresses_are_unique_regardless_of_case(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let same = User { email: "USER-1@Example.ORG".parse().expect("an address"), ..user(2) };
    let error = store.commit(&users([3]).write(UserWrite::Insert(same))).await.expect_err("the same address");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Email, write: 1 }), "{error:?}");
    assert_eq!(store.user(user_id(3)).await.expect("a read"), None);
}

pub(super) async fn a_change_to_a_taken_name_or_address_is_refused(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2])).await.expect("users");
    let named = User { username: user(1).username, version: 2, ..user(2) };
    let error = store.commit(&Changes::new().write(UserWrite::Update(named))).await.expect_err("taken");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Username, write: 0 }), "{error:?}");
    let addressed = User { email: user(1).email, version: 2, ..user(2) };
    let error = store.commit(&Changes::new().write(UserWrite::Update(addressed))).await.expect_err("taken");
    assert!(matches!(error, StoreError::Taken { field: UniqueField::Email, write: 0 }), "{error:?}");
    assert_eq!(store.user(user_id(2)).await.expect("a read"), Some(user(2)));
}

pub(super) async fn an_update_needs_the_version_before_it(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let second = User { is_active: false, version: 2, ..user(1) };
    store.commit(&Changes::new().write(UserWrite::Update(second.clone()))).await.expect("the next version");
    for version in [1, 2, 4] {
        let other = User { version, ..user(1) };
        let error = store.commit(&Changes::new().write(UserWrite::Update(other))).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{version}: {error:?}");
    }
    assert_eq!(store.user(user_id(1)).await.expect("a read"), Some(second));
}

pub(super) async fn people_are_listed_by_id_page_by_page(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([3, 1, 2])).await.expect("users");
    assert_eq!(store.users_after(None, 2).await.expect("a page"), [user(1), user(2)]);
    assert_eq!(store.users_after(Some(user_id(2)), 2).await.expect("a page"), [user(3)]);
    assert_eq!(store.users_after(Some(user_id(3)), 2).await.expect("a page"), []);
}

pub(super) async fn people_are_loaded_at_once_and_unknown_ids_are_left_out(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2, 3])).await.expect("users");
    let loaded = store.users(&[user_id(1), user_id(3), user_id(9)]).await.expect("a read");
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[&user_id(3)], Ok(user(3)));
    assert!(store.users(&[]).await.expect("a read").is_empty());
}

pub(super) async fn deleting_a_user_takes_everything_of_theirs_and_cancels_their_mail(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    let (mine, other) = (task(1, 1), task(2, 2));
    let changes = users([1, 2])
        .write(credential(1, "one"))
        .write(TaskWrite::Insert(mine.clone()))
        .write(TaskWrite::Insert(other.clone()))
        .announce(event(1, &mine, &[1]))
        .announce(event(2, &other, &[2]))
        .deliver([welcome(1), welcome(2)]);
    store.commit(&changes).await.expect("two people");
    let later = noon() + std::time::Duration::from_secs(1);
    store.commit(&Changes::new().write(UserWrite::Delete { id: user_id(1), at: later })).await.expect("gone");

    assert_eq!(store.user(user_id(1)).await.expect("a read"), None);
    assert_eq!(store.password(user_id(1)).await.expect("a read"), None);
    assert_eq!(store.task(Scope::own(user_id(1)), task_id(1)).await.expect("a read"), None);
    assert_eq!(store.history(Entity::Task(task_id(1))).await.expect("a read"), vec![]);
    assert_eq!(store.feed(Scope::own(user_id(1)), 0, 10).await.expect("a read"), vec![]);
    let (cancelled, _) = store.delivery(delivery_id(1)).await.expect("a read").expect("the ledger forgets nothing");
    assert_eq!((cancelled.state, cancelled.settled_at), (DeliveryState::Cancelled, Some(later)));
    assert_eq!(cancelled.recipient, Recipient::User(user_id(1)));

    assert_eq!(store.task(Scope::own(user_id(2)), task_id(2)).await.expect("a read"), Some(other));
    assert_eq!(store.feed(Scope::own(user_id(2)), 0, 10).await.expect("a read").len(), 1);
    let (waiting, _) = store.delivery(delivery_id(2)).await.expect("a read").expect("a delivery");
    assert_eq!(waiting.state, DeliveryState::Scheduled);
    store.commit(&users([1])).await.expect("the name is free again");
}

pub(super) async fn deleting_a_user_who_is_gone_is_stale(open: Arc<dyn OpenStore>) {
    let delete = Changes::new().write(UserWrite::Delete { id: user_id(1), at: noon() });
    let error = open.storage().commit(&delete).await.expect_err("nobody to delete");
    assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
}

pub(super) async fn a_name_that_passes_for_another_is_refused_and_a_stored_one_stays(open: Arc<dyn OpenStore>) {
    let world = World::new(&*open);
    world.somebody("coco").await;
    let register = async |name: &str| {
        let email = "new@example.org".parse().expect("an address");
        let username = name.parse().expect("a name");
        let new = NewUser { username, email, time_zone: None, locale: None, is_admin: false };
        world.app.accounts().register(new, None).await
    };
    // Cyrillic letters, alone and among Latin ones.
    let taken = register("\u{441}\u{43e}\u{441}\u{43e}").await;
    assert!(matches!(taken, Err(Error::Taken(UniqueField::Username))), "{taken:?}");
    for name in ["p\u{430}ypal", "...", "ada.", "a..b", "ab\u{301}\u{301}\u{301}\u{301}c", "\u{301}bc"] {
        let refused = register(name).await;
        assert!(matches!(&refused, Err(Error::Invalid(all)) if all[0].field == "username"), "{name:?}: {refused:?}");
    }
    // Of earlier releases.
    let odd = User { username: "p\u{430}ypal.".parse().expect("a name"), ..user(1) };
    world.storage.commit(&Changes::new().write(UserWrite::Insert(odd.clone()))).await.expect("a user");
    let change = async |change| {
        world.app.accounts().update_profile(Actor::User(odd.id), odd.id, change, Precondition::Any).await
    };
    let kept = ProfileChange {
        username: Some(odd.username.clone()),
        locale: Some("fr".parse().expect("a locale")),
        ..ProfileChange::default()
    };
    assert_eq!(change(kept).await.expect("a change").username, odd.username);
    let renamed =
        |name: &str| ProfileChange { username: Some(name.parse().expect("a name")), ..ProfileChange::default() };
    assert!(matches!(change(renamed("p\u{430}yp\u{430}l")).await, Err(Error::Invalid(_))));
    assert_eq!(change(renamed("paypal")).await.expect("a change").username.as_str(), "paypal");
    register("\u{430}\u{434}\u{430}").await.expect("a name of one script that looks like nobody's");
}
