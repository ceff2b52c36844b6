//! Errors that pass, each provoked in a real file: the call is `Unavailable`, and the store works again by itself. And files
//! that are replaced or removed while they are open.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection, SqlitePool};
use taskflow_conformance::workbench::text;
use taskflow_core::ports::{Store, Users};
use taskflow_core::{StoreError, User};
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use taskflow_testkit::wait::{eventually, eventually_within};
use tempfile::TempDir;

use crate::world::{World, url};

/// The primary result code of an error that passes; panics at any other.
#[track_caller]
fn passes<T: std::fmt::Debug>(result: Result<T, StoreError>) -> u32 {
    let error = result.expect_err("an error that passes");
    let StoreError::Unavailable(source) = &error else { panic!("{error:?}") };
    let database = source.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error());
    let code = database.and_then(sqlx::error::DatabaseError::code).unwrap_or_else(|| panic!("{error:?}"));
    code.parse::<u32>().expect("a number") & 0xff
}

async fn works_again(world: &World, ada: &User) {
    let committed = async || world.store.commit(&world.task(ada)).await.ok();
    eventually_within(Duration::from_secs(15), "it recovers by itself", committed).await;
    world.store.ping().await.expect("writable");
}

fn file(world: &World) -> PathBuf {
    world.folder.path().join("data/taskflow.db")
}

/// A consistent copy, as `VACUUM INTO` makes it.
async fn backup(world: &World) -> PathBuf {
    let copy = world.folder.path().join("backup.db");
    let vacuum = format!("VACUUM INTO '{}'", copy.display());
    world.connection().await.execute(AssertSqlSafe(vacuum)).await.expect("a copy");
    copy
}

/// What a host's connection to the file of a world may do.
async fn host(world: &World, options: SqliteConnectOptions) -> SqliteStore {
    let options = options.filename(file(world)).busy_timeout(Duration::from_millis(20));
    SqliteStore::from_pool(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options))
}

#[tokio::test]
async fn a_file_that_another_program_has_locked_is_busy() {
    let world = World::with(SqliteOptions::default().busy_timeout(Duration::from_millis(20))).await;
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    assert_eq!(passes(world.store.commit(&world.task(&ada)).await), 5);
    other.execute("ROLLBACK").await.expect("unlocked");
    works_again(&world, &ada).await;
}

#[tokio::test]
async fn a_table_locked_in_a_shared_cache_passes() {
    let shared: SqliteConnectOptions = "sqlite:file:locked?mode=memory&cache=shared".parse().expect("options");
    let mut anchor = shared.connect().await.expect("a database");
    let store = SqliteStore::from_pool(SqlitePool::connect_with(shared).await.expect("a host"));
    store.migrate().await.expect("a schema");
    anchor.execute("BEGIN; DELETE FROM taskflow_users").await.expect("a lock of the table");
    assert_eq!(passes(store.users_after(None, 1).await), 6);
    anchor.execute("ROLLBACK").await.expect("unlocked");
    store.users_after(None, 1).await.expect("a page");
}

#[tokio::test]
async fn a_database_that_only_reads_is_unavailable_for_writes_and_for_a_look() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let reading = host(&world, SqliteConnectOptions::new().read_only(true)).await;
    assert_eq!(passes(reading.ping().await), 8, "seen without anybody having written");
    assert_eq!(passes(reading.commit(&world.task(&ada)).await), 8);
    assert!(reading.ping().await.is_err());
    assert!(reading.user(ada.id).await.expect("reading goes on").is_some());
    let told = host(&world, SqliteConnectOptions::new().pragma("query_only", "1")).await;
    assert_eq!(passes(told.commit(&world.task(&ada)).await), 8);
}

#[tokio::test]
async fn a_full_disk_passes_and_is_seen() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let options = SqliteConnectOptions::new().filename(file(&world)).pragma("max_page_count", "1");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a host");
    let small = SqliteStore::from_pool(pool.clone());
    small.ping().await.expect("nothing is wrong yet");
    let filling = async {
        loop {
            if let Err(error) = small.commit(&world.task(&ada)).await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), filling).await.expect("full at last");
    assert_eq!(passes::<()>(Err(error)), 13);
    assert!(matches!(small.ping().await, Err(StoreError::Unavailable(_))));
    pool.execute("PRAGMA max_page_count = 1000000").await.expect("room");
    small.commit(&world.task(&ada)).await.expect("the same again");
    small.ping().await.expect("writable");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_passes() {
    let world = World::new().await;
    let nowhere = SqliteConnectOptions::new().filename(world.folder.path().join("absent.db"));
    let store = SqliteStore::from_pool(SqlitePoolOptions::new().connect_lazy_with(nowhere));
    assert_eq!(passes(store.ping().await), 14);
}

/// Of the file; the rest is told by its name.
async fn overwritten(text: &[u8]) -> u32 {
    let world = World::new().await;
    world.somebody("ada").await;
    world.store.close().await;
    let length = file(&world).metadata().expect("a file").len() as usize;
    let mut whole = std::fs::read(file(&world)).expect("a file");
    whole[..text.len()].copy_from_slice(text);
    // The root of the table of people, and everything after it, is not what it was.
    for byte in &mut whole[4096..length] {
        *byte ^= 0x5a;
    }
    std::fs::write(file(&world), whole).expect("overwritten");
    let pool = SqlitePoolOptions::new().connect_lazy_with(SqliteConnectOptions::new().filename(file(&world)));
    passes(SqliteStore::from_pool(pool).users_after(None, 1).await)
}

#[tokio::test]
async fn a_damaged_file_and_one_that_is_no_database_pass_once_there_is_another() {
    assert_eq!(overwritten(b"SQLite format 3").await, 11);
    assert_eq!(overwritten(b"something else!").await, 26);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_put_in_the_place_of_the_open_file_is_what_counts_from_then_on() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&world.task(&ada)).await.expect("in the backup");
    let copy = backup(&world).await;
    world.store.commit(&world.task(&ada)).await.expect("not in the backup");
    std::fs::rename(copy, file(&world)).expect("restored");
    let error = world.store.commit(&world.task(&ada)).await.expect_err("not that file");
    assert!(matches!(&error, StoreError::Unavailable(_)), "{error:?}");
    assert!(text(&error).contains("taken the place"), "{error:?}");
    works_again(&world, &ada).await;
    assert_eq!(world.count(&ada).await, (2, 2), "what the backup had, and what came after");
    // Whoever reads the file by its name sees the same, whatever lies beside it.
    world.store.close().await;
    let again = SqliteStore::open(&url(&world.folder), SqliteOptions::default()).await.expect("the file");
    let mut conn = world.connection().await;
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.expect("a check");
    assert_eq!(sound, "ok");
    let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM taskflow_tasks").fetch_one(&mut conn).await.expect("2");
    assert_eq!(tasks, 2);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_while_the_file_is_replaced_again_and_again_is_in_the_file_that_is_there() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    for _ in 0..5 {
        let copy = backup(&world).await;
        let before: i64 = tasks_in(&copy).await;
        std::fs::rename(copy, file(&world)).expect("replaced");
        let mut acknowledged = 0;
        for _ in 0..20 {
            acknowledged += i64::from(world.store.commit(&world.task(&ada)).await.is_ok());
        }
        works_again(&world, &ada).await;
        assert_eq!(tasks_in(&file(&world)).await, before + acknowledged + 1);
    }
}

async fn tasks_in(file: &std::path::Path) -> i64 {
    try_tasks_in(file).await.expect("a count")
}

async fn try_tasks_in(file: &std::path::Path) -> sqlx::Result<i64> {
    let mut conn = SqliteConnectOptions::new().filename(file).connect().await?;
    let tasks = sqlx::query_scalar("SELECT count(*) FROM taskflow_tasks").fetch_one(&mut conn).await;
    SqliteConnection::close(conn).await?;
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_moved_away_has_everything_and_nothing_is_made_in_its_place() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&world.task(&ada)).await.expect("a commit");
    let aside = world.folder.path().join("aside.db");
    std::fs::rename(file(&world), &aside).expect("moved");
    for _ in 0..3 {
        let error = world.store.commit(&world.task(&ada)).await.expect_err("no file");
        assert!(text(&error).contains("there is no database") && text(&error).contains("taskflow.db"), "{error:?}");
    }
    assert!(matches!(world.store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(!file(&world).exists(), "none is made");
    // Until it is complete it is no sound file either.
    let complete = async || matches!(try_tasks_in(&aside).await, Ok(1)).then_some(());
    eventually("what the log held is in the file", complete).await;
    std::fs::rename(&aside, file(&world)).expect("moved back");
    world.store.commit(&world.task(&ada)).await.expect("the same file as before");
    assert_eq!(world.count(&ada).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_something_else_is_not_taken_for_ours() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let copy = backup(&world).await;
    for content in [&b""[..], b"not a database at all, though long enough to be read as the head of one: ............."]
    {
        let foreign = world.folder.path().join("foreign");
        std::fs::write(&foreign, content).expect("a file");
        std::fs::rename(&foreign, file(&world)).expect("in its place");
        for _ in 0..3 {
            assert!(matches!(world.store.commit(&world.task(&ada)).await, Err(StoreError::Unavailable(_))));
            // The store looks at the file again after a while, which only time brings.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        assert!(std::fs::read(file(&world)).expect("a file") == content, "untouched");
    }
    std::fs::rename(copy, file(&world)).expect("in its place");
    works_again(&world, &ada).await;
    assert_eq!(world.count(&ada).await, (1, 1));
}

#[tokio::test]
async fn a_plain_copy_has_everything_once_nothing_is_written_for_a_while() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&world.task(&ada)).await.expect("a commit");
    let quiet = Duration::from_millis(200);
    assert!(!world.store.checkpoint_when_idle(quiet).await.expect("not idle yet"));
    // Being idle is the passing of time.
    tokio::time::sleep(quiet).await;
    assert!(world.store.checkpoint_when_idle(quiet).await.expect("idle"));
    assert!(!world.store.checkpoint_when_idle(quiet).await.expect("nothing left to do"));
    let copy = TempDir::new().expect("a folder");
    let copied = copy.path().join("copy.db");
    std::fs::copy(file(&world), &copied).expect("a copy");
    assert_eq!(tasks_in(&copied).await, 1);
}
