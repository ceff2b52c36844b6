//! Many at once, and callers who go away.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Outbox, Store, Tasks};
use taskflow_core::{Changes, Scope, StoreError, Task, TaskQuery, TaskWrite, User, UserWrite, Write};
use taskflow_store_postgres::{PgOptions, PgStore};

use crate::world::World;
use taskflow_testkit::cluster::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_writers_who_share_feeds_never_fail() {
    let world = Arc::new(World::with(PgOptions::default().connections(50)).await);
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(world.somebody(&format!("person-{n}")).await);
    }
    let people = Arc::new(people);
    let writers: Vec<_> = (0..50)
        .map(|writer| {
            let (world, people) = (world.clone(), people.clone());
            tokio::spawn(async move {
                for n in 0..10 {
                    let mut changes = world.task(&people[(writer + n) % 5]);
                    // Everybody, each time in another order.
                    changes.events[0].audience = (0..5).map(|k| people[(writer * 3 + n + k * 2) % 5].id).collect();
                    world.store.commit(&changes).await.expect("a commit");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no failure");
    }
    for person in people.iter() {
        assert_eq!(world.count(person).await, (100, 500));
    }
    let deadlocks: i64 =
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut world.connection().await)
            .await
            .expect("a count");
    assert_eq!(deadlocks, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bulk_updates_of_the_same_rows_in_any_order_have_one_winner_and_no_deadlock() {
    let world = Arc::new(World::new().await);
    let ada = world.somebody("ada").await;
    let tasks: Vec<Task> = (0..60)
        .map(|_| match world.task(&ada).writes.remove(0) {
            Write::Task(TaskWrite::Insert(task)) => task,
            other => panic!("{other:?}"),
        })
        .collect();
    let insert = |changes: Changes, task: &Task| changes.write(TaskWrite::Insert(task.clone()));
    world.store.commit(&tasks.iter().fold(Changes::new(), insert)).await.expect("tasks");
    for version in 2..12 {
        let rounds: Vec<_> = (0..6)
            .map(|n| {
                let mut tasks: Vec<Task> = tasks.iter().map(|task| Task { version, ..task.clone() }).collect();
                tasks.rotate_left(n * 10);
                if n % 2 == 0 {
                    tasks.reverse();
                }
                let update = |changes: Changes, task: Task| changes.write(TaskWrite::Update(task));
                let (changes, world) = (tasks.into_iter().fold(Changes::new(), update), world.clone());
                tokio::spawn(async move { world.store.commit(&changes).await })
            })
            .collect();
        let mut won = 0;
        for round in rounds {
            match round.await.expect("no panic") {
                Ok(()) => won += 1,
                Err(StoreError::Stale { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(won, 1);
    }
}

/// Two transactions that lock the same two rows in opposite orders: one of them is rolled back by the database, and run
/// again by the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_loser_of_a_deadlock_is_run_again() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let mut other = world.connection().await;
    // The store is to be the loser: the other side looks for deadlocks much later.
    other.execute("SET deadlock_timeout = '1h'; BEGIN").await.expect("a transaction");
    let lock = sqlx::query("SELECT 1 FROM taskflow.feed_heads WHERE user_id = $1 FOR UPDATE");
    world.store.commit(&world.task(&ada)).await.expect("a head");
    lock.bind(ada.id.as_uuid()).execute(&mut other).await.expect("the head of a feed");
    let mut changes = world.task(&ada).write(UserWrite::Update(User { version: 2, ..bob.clone() }));
    changes.events[0].audience = vec![ada.id];
    let store = world.store.clone();
    let commit = tokio::spawn(async move { store.commit(&changes).await });
    world.somebody_waits_for_a_lock().await;
    let update = sqlx::query("UPDATE taskflow.users SET locale = 'de', version = version WHERE id = $1");
    update.bind(bob.id.as_uuid()).execute(&mut other).await.expect("after the store was rolled back");
    other.execute("COMMIT").await.expect("a commit");
    commit.await.expect("no panic").expect("run again");
    assert_eq!(world.count(&ada).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_is_all_or_nothing_and_leaves_no_transaction_open() {
    let world = World::with(PgOptions::default().connections(2)).await;
    let ada = world.somebody("ada").await;
    for n in 0..400 {
        let wait = Duration::from_micros(n * 10);
        let _ = tokio::time::timeout(wait, world.store.commit(&world.task(&ada))).await;
        let _ = tokio::time::timeout(wait, world.store.claim(&world.claim())).await;
        let _ =
            tokio::time::timeout(wait / 4, world.store.tasks(Scope::own(ada.id), &TaskQuery::default(), noon())).await;
    }
    world.store.commit(&world.task(&ada)).await.expect("a commit after all that");
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
    assert_eq!(world.open_transactions().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_migrate_at_once() {
    let database = Arc::new(Database::empty().await);
    let starts: Vec<_> = (0..12)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { PgStore::connect(&database.url, PgOptions::default().connections(1)).await })
        })
        .collect();
    for store in starts {
        let store = store.await.expect("no panic").expect("a store");
        assert!(store.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
        store.close().await;
    }
}
