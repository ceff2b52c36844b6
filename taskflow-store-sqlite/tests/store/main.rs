//! What only this store promises: files, hosts, dropped calls and damaged rows.

mod bystanders;
mod jobs;
mod mail;
mod meetings;
mod passing;
mod stored;
mod texts;
mod tokens;
mod world;

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Executor, SqlitePool};
use taskflow_conformance::workbench::{TestKit, noon, text};
use taskflow_core::ports::{Accounts, Deliveries, Ids, Maintenance, Outbox, Settled, Signal, Store, Users};
use taskflow_core::{
    Actor, App, Changes, Outcome, Precondition, ProfileChange, Settlement, StoreError, Timestamp, User, UserId,
    UserWrite,
};
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use world::{World, url};

#[tokio::test]
async fn a_new_file_gets_its_folder_and_belongs_to_its_owner_alone() {
    let world = World::new().await;
    world.somebody("ada").await;
    #[cfg(unix)]
    for file in ["taskflow.db", "taskflow.db-wal", "taskflow.db-shm"] {
        let path = world.folder.path().join("data").join(file);
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect(file).permissions());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.close().await;
    let again = SqliteStore::open(&url(&world.folder), SqliteOptions::default()).await.expect("the same file");
    assert_eq!(again.user(ada.id).await.expect("a read"), Some(ada));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_open_a_new_file_at_once() {
    let folder = Arc::new(TempDir::new().expect("a folder"));
    let opened: Vec<_> = (0..12)
        .map(|_| {
            let folder = folder.clone();
            tokio::spawn(async move { SqliteStore::open(&url(&folder), SqliteOptions::default()).await })
        })
        .collect();
    for store in opened {
        store.await.expect("no panic").expect("a store").ping().await.expect("an answer");
    }
}

#[tokio::test]
async fn a_file_that_a_newer_release_migrated_still_opens() {
    let world = World::new().await;
    let newer = "INSERT INTO taskflow_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', TRUE, x'00', 0)";
    world.connection().await.execute(newer).await.expect("a migration of tomorrow");
    SqliteStore::open(&url(&world.folder), SqliteOptions::default()).await.expect("a store");
}

#[tokio::test]
async fn a_file_opened_as_it_is_tells_what_is_pending() {
    let folder = TempDir::new().expect("a folder");
    let bare = SqliteStore::open(&url(&folder), SqliteOptions::default().without_migrating()).await.expect("a file");
    assert!(bare.migrations_status().await.expect("a list").iter().all(|migration| !migration.applied));
    bare.migrate().await.expect("a schema");
    assert!(bare.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_unavailable_and_named() {
    let error = SqliteStore::open("/proc/nowhere/taskflow.db", SqliteOptions::default()).await.expect_err("no place");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(text(&error).contains("/proc/nowhere"), "{}", text(&error));
}

#[tokio::test]
async fn a_closed_or_locked_store_is_unavailable() {
    let world = World::with(SqliteOptions::default().busy_timeout(Duration::from_millis(20))).await;
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let error = world.store.commit(&world.task(&ada)).await.expect_err("locked");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(world.count(&ada).await, (0, 0), "reading goes on");
    other.execute("ROLLBACK").await.expect("unlocked");
    world.store.commit(&world.task(&ada)).await.expect("the same again");
    world.store.close().await;
    let error = world.store.user(ada.id).await.expect_err("closed");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_writers_at_once_never_fail() {
    let world = Arc::new(World::new().await);
    let ada = world.somebody("ada").await;
    let writers: Vec<_> = (0..50)
        .map(|_| {
            let (world, ada) = (world.clone(), ada.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    world.store.commit(&world.task(&ada)).await.expect("a commit");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no failure");
    }
    assert_eq!(world.count(&ada).await, (500, 500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_is_all_or_nothing_and_leaves_no_transaction_open() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    for micros in 0..200 {
        let changes = world.task(&ada);
        let _ = tokio::time::timeout(Duration::from_micros(micros * 5), world.store.commit(&changes)).await;
        let _ = tokio::time::timeout(Duration::from_micros(micros * 5), world.store.claim(&world.claim())).await;
    }
    world.store.commit(&world.task(&ada)).await.expect("a commit after all that");
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
    let mut other = world.connection().await;
    other.execute("BEGIN IMMEDIATE").await.expect("nobody holds the lock");
}

#[tokio::test]
async fn a_store_in_memory_serves_readers_and_writers_at_once() {
    let store = SqliteStore::in_memory().await.expect("a store");
    let folder = TempDir::new().expect("a folder");
    let world = Arc::new(World { bench: TestKit::new(store), folder });
    let ada = world.somebody("ada").await;
    let busy: Vec<_> = (0..20)
        .map(|_| {
            let (world, ada) = (world.clone(), ada.clone());
            tokio::spawn(async move {
                world.store.commit(&world.task(&ada)).await.expect("a commit");
                world.count(&ada).await
            })
        })
        .collect();
    for task in busy {
        task.await.expect("no failure");
    }
    assert_eq!(world.count(&ada).await, (20, 20));
    let other = SqliteStore::in_memory().await.expect("another one");
    assert_eq!(other.user(ada.id).await.expect("a read"), None);
}

#[tokio::test]
async fn a_host_commits_our_changes_with_its_own() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let pool = SqlitePool::connect(&url(&world.folder)).await.expect("a host");
    pool.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)").await.expect("a table of the host");
    let guest = SqliteStore::from_pool(pool.clone());

    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    transaction.execute("INSERT INTO invoices VALUES (1)").await.expect("a row of the host");
    let changes = world.task(&ada).deliver([world.welcome(&ada)]);
    let receipt = guest.commit_in(&mut transaction, &changes).await.expect("our rows");
    assert_eq!(world.count(&ada).await, (0, 0), "nothing before the host commits");
    transaction.commit().await.expect("a commit");

    assert_eq!(world.count(&ada).await, (1, 1));
    assert!(matches!(receipt.signals(), [Signal::Announced(_), Signal::Planned { .. }]), "{receipt:?}");
}

#[tokio::test]
async fn an_error_in_a_hosts_transaction_leaves_nothing_of_ours_though_the_host_commits() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.user("bob"));
    let pool = SqlitePool::connect(&url(&world.folder)).await.expect("a host");
    pool.execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)").await.expect("a table of the host");
    let guest = SqliteStore::from_pool(pool.clone());

    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    transaction.execute("INSERT INTO invoices VALUES (1)").await.expect("a row of the host");
    let stale = User { version: 7, ..ada.clone() };
    let gone = UserWrite::Delete { id: UserId::from_uuid(world.ids.next(noon())), at: noon() };
    for failing in [UserWrite::Update(stale), gone] {
        let changes = world.task(&ada).write(UserWrite::Insert(bob.clone())).write(failing);
        let error = guest.commit_in(&mut transaction, &changes).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 2 }), "{error:?}");
    }
    // A call that is dropped half-way leaves nothing either.
    for micros in [1, 50, 100, 200, 400] {
        let changes = (0..50).fold(world.task(&ada), |changes, n| {
            changes.write(UserWrite::Insert(world.user(&format!("somebody-{micros}-{n}"))))
        });
        let call = guest.commit_in(&mut transaction, &changes);
        if tokio::time::timeout(Duration::from_micros(micros), call).await.is_ok() {
            break;
        }
    }
    transaction.execute("INSERT INTO invoices VALUES (2)").await.expect("the transaction goes on");
    transaction.commit().await.expect("a commit");

    let invoices: i64 = sqlx::query_scalar("SELECT count(*) FROM invoices").fetch_one(&pool).await.expect("a count");
    assert_eq!(invoices, 2);
    assert_eq!(world.store.user(bob.id).await.expect("a read"), None);
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
}

#[tokio::test]
async fn an_unknown_zone_is_recorded_by_table_and_column_kept_as_it_is_and_can_be_mended() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let damage = "UPDATE taskflow_users SET time_zone = 'Mars/Olympus' WHERE username = 'ada'";
    world.connection().await.execute(damage).await.expect("damage");

    let before = world.store.user(ada.id).await.expect("a read").expect("ada");
    assert_eq!(before.time_zone.name(), "Mars/Olympus", "kept, and goes by UTC");
    let recorded = || world.store.unreadable_rows().into_iter().filter(|row| row.id == ada.id.to_string());
    let columns: Vec<_> = recorded().map(|row| (row.table, row.column)).collect();
    assert_eq!(columns, [("taskflow_users", "time_zone")]);
    let loaded = world.store.users(&[ada.id, bob.id]).await.expect("a read");
    assert_eq!(loaded[&bob.id], Ok(bob.clone()));

    let app = App::builder(Arc::new(world.store.clone())).build();
    let change =
        ProfileChange { time_zone: Some("Europe/Berlin".parse().expect("a zone")), ..ProfileChange::default() };
    let update = app.accounts().update_profile(Actor::User(ada.id), ada.id, change, Precondition::Any);
    update.await.expect("mended");
    let after = world.store.user(ada.id).await.expect("a read").expect("ada");
    assert_eq!((after.time_zone.name(), recorded().count()), ("Europe/Berlin", 0));
    assert!(world.store.password(ada.id).await.is_ok(), "what is not read does no harm");
}

#[tokio::test]
async fn a_poisoned_delivery_does_not_hold_up_the_others() {
    let world = World::new().await;
    let (ada, bob, cyd) = (world.somebody("ada").await, world.somebody("bob").await, world.somebody("cyd").await);
    let planned = [&ada, &bob, &cyd].map(|user| world.welcome(user));
    let [unknown, unreadable, good] = [planned[0].id, planned[1].id, planned[2].id];
    world.store.commit(&Changes::new().deliver(planned)).await.expect("deliveries");
    let mut other = world.connection().await;
    for (damage, id) in [
        ("UPDATE taskflow_deliveries SET notice = '{\"kind\": \"of tomorrow\"}' WHERE id = ?1", unknown),
        ("UPDATE taskflow_deliveries SET recipient_user = 'nobody' WHERE id = ?1", unreadable),
    ] {
        sqlx::query(damage).bind(id.to_string()).execute(&mut other).await.expect("damage");
    }

    let claimed = world.store.claim(&world.claim()).await.expect("a claim");
    let ids: Vec<_> = claimed.iter().map(|claim| claim.delivery.id).collect();
    assert_eq!(ids, [unknown, good], "the sender holds the first until it is mended and sends the second");
    let reason = claimed[0].delivery.notice.clone().expect_err("a notice nobody can read");
    assert!(reason.contains("taskflow_deliveries.notice"), "{reason}");
    assert!(claimed[1].delivery.notice.is_ok());
}

#[tokio::test]
async fn rows_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let changes = world.task(&ada).deliver([world.welcome(&ada)]);
    world.store.commit(&changes).await.expect("rows");
    let mut other = world.connection().await;
    for damage in [
        "UPDATE taskflow_users SET id = 'short'",
        "UPDATE taskflow_users SET version = 0",
        "UPDATE taskflow_users SET created_at = 'yesterday'",
        "UPDATE taskflow_tasks SET status = 'done'",
        "UPDATE taskflow_tasks SET status = 'completed'",
        "UPDATE taskflow_tasks SET completed_at = 1",
        "UPDATE taskflow_tasks SET reminder_minutes = 5",
        "UPDATE taskflow_tasks SET priority = 4",
        "UPDATE taskflow_deliveries SET state = 'lost'",
        "UPDATE taskflow_deliveries SET state = 'claimed'",
        "UPDATE taskflow_deliveries SET state = 'delivered'",
        "UPDATE taskflow_deliveries SET lease = 'x'",
        "UPDATE taskflow_deliveries SET cancel_requested = 1",
        "UPDATE taskflow_deliveries SET recipient_user = NULL",
        "UPDATE taskflow_deliveries SET recipient_address = 'ada@example.org'",
        "UPDATE taskflow_events SET data = 'no JSON'",
        "UPDATE taskflow_feed SET event_id = 'unknown'",
        "DELETE FROM taskflow_users",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
}

#[tokio::test]
async fn the_outbox_can_be_looked_at_in_plain_sql() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&Changes::new().deliver([world.welcome(&ada)])).await.expect("a delivery");
    let row: (String, String, String, Option<String>) =
        sqlx::query_as("SELECT recipient, state, due_at, settled_at FROM taskflow_outbox_status")
            .fetch_one(&mut world.connection().await)
            .await
            .expect("a row");
    assert_eq!((row.0.as_str(), row.1.as_str(), row.3), ("ada@example.org", "scheduled", None));
    assert_eq!(row.2.parse::<Timestamp>(), Ok(noon()));
}

#[tokio::test]
async fn the_character_nul_is_kept_in_what_a_relay_says() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let welcome = world.welcome(&ada);
    world.store.commit(&Changes::new().deliver([welcome.clone()])).await.expect("a delivery");
    let claim = world.store.claim(&world.claim()).await.expect("a claim").pop().expect("one delivery");
    let outcome = Outcome::Retry { next_at: noon(), error: "a\0b".to_owned() };
    let settlement = Settlement { id: welcome.id, lease: claim.lease, at: noon(), outcome, effect: None };
    assert_eq!(world.store.settle(&[settlement]).await.expect("settled"), [Settled::Applied]);
    let (delivery, attempts) = world.store.delivery(welcome.id).await.expect("a read").expect("a delivery");
    assert_eq!(delivery.last_error.as_deref(), Some("a\0b"));
    assert_eq!(attempts[0].error, "a\0b");
}

#[tokio::test]
async fn a_full_disk_fails_one_write_and_not_the_next() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.close().await;
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&url(&world.folder)).await.expect("a pool");
    // As full as a disk can be.
    pool.execute("PRAGMA max_page_count = 1").await.expect("a limit");
    let world = World { bench: TestKit::new(SqliteStore::from_pool(pool.clone())), ..world };
    let mut refused = None;
    for _ in 0..200 {
        if let Err(error) = world.store.commit(&world.task(&ada)).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    pool.execute("PRAGMA max_page_count = 1000000").await.expect("room");
    world.store.commit(&world.task(&ada)).await.expect("a commit");
}
