//! Sharing the database of a host.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool};
use taskflow_conformance::workbench::{noon, text};
use taskflow_core::ports::{Ids, Signal, Store, Users};
use taskflow_core::{StoreError, User, UserId, UserWrite};
use taskflow_store_postgres::PgStore;

use crate::world::World;

async fn host(world: &World) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(1).connect(world.url()).await.expect("a host");
    pool.execute("CREATE TABLE invoices (id integer PRIMARY KEY)").await.expect("a table of the host");
    pool
}

async fn invoices(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM invoices").fetch_one(pool).await.expect("a count")
}

#[tokio::test]
async fn a_host_commits_our_changes_with_its_own() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = host(&world).await;
    let guest = PgStore::from_pool(pool.clone());

    let mut transaction = pool.begin().await.expect("a transaction");
    transaction.execute("INSERT INTO invoices VALUES (1)").await.expect("a row of the host");
    let changes = world.task(&ada).deliver([world.welcome(&ada)]);
    let receipt = guest.commit_in(&mut transaction, &changes).await.expect("our rows");
    assert_eq!(world.count(&ada).await, (0, 0), "nothing before the host commits");
    transaction.execute("INSERT INTO invoices VALUES (2)").await.expect("the transaction goes on");
    transaction.commit().await.expect("a commit");

    assert_eq!(world.count(&ada).await, (1, 1));
    assert_eq!(invoices(&pool).await, 2);
    assert!(matches!(receipt.signals(), [Signal::Announced(_), Signal::Planned { .. }]), "{receipt:?}");
}

#[tokio::test]
async fn without_a_transaction_nothing_is_applied() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let error =
        world.store.commit_in(&mut world.connection().await, &world.task(&ada)).await.expect_err("no transaction");
    assert!(text(&error).contains("transaction"), "{error:?}");
    assert_eq!(world.count(&ada).await, (0, 0));
}

#[tokio::test]
async fn what_a_host_rolls_back_is_gone() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = host(&world).await;
    let guest = PgStore::from_pool(pool.clone());
    let mut transaction = pool.begin().await.expect("a transaction");
    let _ = guest.commit_in(&mut transaction, &world.task(&ada)).await.expect("our rows");
    transaction.rollback().await.expect("a rollback");
    assert_eq!(world.count(&ada).await, (0, 0));
    guest.commit(&world.task(&ada)).await.expect("the connection is as good as before");
    assert_eq!(world.count(&ada).await, (1, 1));
}

#[tokio::test]
async fn an_error_in_a_hosts_transaction_leaves_nothing_of_ours_though_the_host_commits() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.user("bob"));
    let pool = host(&world).await;
    let guest = PgStore::from_pool(pool.clone());

    let mut transaction = pool.begin().await.expect("a transaction");
    transaction.execute("INSERT INTO invoices VALUES (1)").await.expect("a row of the host");
    let stale = User { version: 7, ..ada.clone() };
    let gone = UserWrite::Delete { id: UserId::from_uuid(world.ids.next(noon())), at: noon() };
    for failing in [UserWrite::Update(stale), gone] {
        let changes = world.task(&ada).write(UserWrite::Insert(bob.clone())).write(failing);
        let error = guest.commit_in(&mut transaction, &changes).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 2 }), "{error:?}");
    }
    // An error of the database itself does no more harm.
    let again = world.task(&ada).write(UserWrite::Insert(world.user("ada")));
    let error = guest.commit_in(&mut transaction, &again).await.expect_err("taken");
    assert!(matches!(error, StoreError::Taken { write: 1, .. }), "{error:?}");
    transaction.execute("INSERT INTO invoices VALUES (2)").await.expect("the transaction goes on");
    transaction.commit().await.expect("a commit");

    assert_eq!(invoices(&pool).await, 2);
    assert_eq!(world.store.user(bob.id).await.expect("a read"), None);
    assert_eq!(world.count(&ada).await, (0, 0));
}

#[tokio::test]
async fn a_call_dropped_at_any_point_is_all_or_nothing_and_the_hosts_transaction_goes_on() {
    let world = World::new().await;
    let pool = host(&world).await;
    let guest = PgStore::from_pool(pool.clone());
    let ada = world.somebody("ada").await;
    let (mut invoice, mut finished) = (0, 0);
    for micros in (0..6000).step_by(25) {
        let mut transaction = pool.begin().await.expect("a transaction");
        invoice += 1;
        let insert = sqlx::query("INSERT INTO invoices VALUES ($1)").bind(invoice);
        insert.execute(&mut *transaction).await.expect("a row of the host");
        let changes = world.task(&ada).deliver([world.welcome(&world.user("nobody"))]);
        let call = guest.commit_in(&mut transaction, &changes);
        finished += u32::from(tokio::time::timeout(Duration::from_micros(micros), call).await.is_ok_and(|r| r.is_ok()));
        invoice += 1;
        let insert = sqlx::query("INSERT INTO invoices VALUES ($1)").bind(invoice);
        insert.execute(&mut *transaction).await.expect("the transaction goes on");
        transaction.commit().await.expect("a commit");
        assert_eq!(invoices(&pool).await, i64::from(invoice), "after {micros} us");
    }
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
    assert!(tasks >= u64::from(finished) && finished < 240, "{tasks} tasks, {finished} calls finished");
}

#[tokio::test]
async fn a_transaction_that_a_host_left_open_is_not_joined() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = host(&world).await;
    let guest = PgStore::from_pool(pool.clone());
    for left_open in [&["BEGIN", "INSERT INTO invoices VALUES (1)"][..], &["BEGIN", "INSERT INTO nowhere VALUES (1)"]] {
        let mut conn = pool.acquire().await.expect("a connection");
        for statement in left_open {
            let _ = conn.execute(*statement).await;
        }
        drop(conn);
        let before = world.count(&ada).await.0;
        guest.commit(&world.task(&ada)).await.expect("a commit on another connection");
        assert_eq!(world.count(&ada).await.0, before + 1);
    }
    assert_eq!(invoices(&pool).await, 0);
}
