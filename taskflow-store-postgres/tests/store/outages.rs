//! Servers that are restarted, killed, cut off or frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Outbox, Store, Tasks};
use taskflow_core::{Scope, StoreError, TaskQuery, TaskWrite, User, Viewer, Write};
use taskflow_store_postgres::PgOptions;

use crate::world::World;
use taskflow_testkit::cluster::{Cluster, Stop};
use taskflow_testkit::proxy::Proxy;
use taskflow_testkit::wait::eventually;
use tokio::sync::Mutex;

#[expect(clippy::disallowed_methods, reason = "how long something really takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}

const WRITERS: usize = 8;

/// Waits until each writer has heard it once more.
async fn every_writer(heard: &[AtomicUsize; WRITERS], what: &str) {
    let counts = || heard.each_ref().map(|count| count.load(Ordering::Relaxed));
    let before = counts();
    let all = async || counts().iter().zip(&before).all(|(now, before)| now > before).then_some(());
    eventually(&format!("every writer {what}"), all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_or_a_crash_loses_nothing_and_needs_no_help() {
    let cluster = tokio::task::spawn_blocking(Cluster::start_on_loopback).await.expect("a cluster");
    let world = Arc::new(World::at(&cluster.url("postgres"), PgOptions::default().connections(8)).await);
    let ada = world.somebody("ada").await;
    let busy = Arc::new(AtomicBool::new(true));
    // What each writer has heard so far.
    let [written, refused] = [(); 2].map(|()| Arc::new([const { AtomicUsize::new(0) }; WRITERS]));
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let (world, ada, busy) = (world.clone(), ada.clone(), busy.clone());
            let (written, refused) = (written.clone(), refused.clone());
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                while busy.load(Ordering::Relaxed) {
                    let changes = world.task(&ada);
                    let Write::Task(TaskWrite::Insert(task)) = &changes.writes[0] else { panic!("a task") };
                    match world.store.commit(&changes).await {
                        Ok(()) => {
                            acknowledged.push(task.id);
                            written[n].fetch_add(1, Ordering::Relaxed);
                        }
                        Err(StoreError::Unavailable(_)) => {
                            refused[n].fetch_add(1, Ordering::Relaxed);
                            // Whoever was refused comes back a little later, as clients do.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut cluster = Some(cluster);
    for how in [Stop::Fast, Stop::Crash] {
        every_writer(&written, "has written").await;
        let mut stopping = cluster.take().expect("a cluster");
        let stopped = tokio::task::spawn_blocking(move || {
            stopping.stop(how);
            stopping
        });
        let mut starting = stopped.await.expect("stopped");
        every_writer(&refused, "was refused").await;
        let error = world.store.ping().await.expect_err("nobody is there");
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        cluster = Some(
            tokio::task::spawn_blocking(move || {
                starting.resume();
                starting
            })
            .await
            .expect("started"),
        );
        let back = now();
        while let Err(error) = world.store.commit(&world.task(&ada)).await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            assert!(back.elapsed() < Duration::from_secs(10), "healthy within 10 s: {error:?}");
        }
    }
    every_writer(&written, "writes again").await;
    busy.store(false, Ordering::Relaxed);
    for writer in writers {
        let acknowledged = writer.await.expect("no other error than Unavailable");
        let found = world.store.tasks_by_id(&acknowledged, Viewer::Service).await.expect("a read");
        assert_eq!(found.len(), acknowledged.len(), "no acknowledged write is lost");
    }
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_notices_that_idle_connections_have_died() {
    let world = Arc::new(World::new().await);
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    for _ in 0..5 {
        // Just used, so the pool takes them for fit.
        calls(&world, &ada, 32).await;
        let ended: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_all(&mut other)
        .await
        .expect("all ended");
        assert!(ended.len() > 1 && ended.iter().all(|ended| *ended), "{ended:?}");
        calls(&world, &ada, 50).await;
    }
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!((tasks, entries), (5 * (11 + 17), 5 * (11 + 17)), "each write once");
}

/// As many calls at once, of several kinds. Each of them succeeds.
async fn calls(world: &Arc<World>, ada: &User, number: usize) {
    let calls: Vec<_> = (0..number)
        .map(|n| {
            let (world, ada) = (world.clone(), ada.clone());
            tokio::spawn(async move {
                match n % 3 {
                    0 => world.store.commit(&world.task(&ada)).await,
                    1 => world.store.tasks(Scope::own(ada.id), &TaskQuery::default(), noon()).await.map(drop),
                    _ => world.store.claim(&world.claim()).await.map(drop),
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("a connection that works");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_unavailable_within_five_seconds_and_the_store_recovers() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let options = PgOptions::default().connections(3);
    let world = Arc::new(World::at(&proxy.url("postgres"), options).await);
    let ada = world.somebody("ada").await;
    proxy.freeze(true);
    let calls: Vec<_> = (0..12)
        .map(|n| {
            let (world, ada) = (world.clone(), ada.clone());
            tokio::spawn(async move {
                let start = now();
                let result = match n % 3 {
                    0 => world.store.commit(&world.task(&ada)).await,
                    1 => world.store.tasks(Scope::own(ada.id), &TaskQuery::default(), noon()).await.map(drop),
                    _ => world.store.claim(&world.claim()).await.map(drop),
                };
                (result, start.elapsed())
            })
        })
        .collect();
    for call in calls {
        let (result, took) = call.await.expect("no panic");
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    proxy.freeze(false);
    let back = now();
    while let Err(error) = world.store.commit(&world.task(&ada)).await {
        assert!(back.elapsed() < Duration::from_secs(10), "healthy within 10 s: {error:?}");
    }
    let (tasks, entries) = world.count(&ada).await;
    assert_eq!(tasks, entries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_give_up_on_a_slow_database_lose_nothing_and_leave_nothing_open() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let proxy = Proxy::start(cluster.socket()).await;
    let world = Arc::new(World::at(&proxy.url("postgres"), PgOptions::default().connections(40)).await);
    let mut people = Vec::new();
    for n in 0..20 {
        people.push(world.somebody(&format!("person-{n}")).await);
    }
    proxy.delay(Duration::from_millis(20));
    let callers: Vec<_> = (0..200_u64)
        .map(|n| {
            let (world, ada) = (world.clone(), people[n as usize % 20].clone());
            tokio::spawn(async move {
                let changes = world.task(&ada);
                let Write::Task(TaskWrite::Insert(task)) = &changes.writes[0] else { panic!("a task") };
                let id = task.id;
                let patience = Duration::from_millis(n * 37 % 1500);
                let committed = tokio::time::timeout(patience, world.store.commit(&changes)).await;
                let everything = TaskQuery::default();
                let read = world.store.tasks(Scope::own(ada.id), &everything, noon());
                let read = tokio::time::timeout(patience / 8, read).await;
                assert!(!matches!(read, Ok(Err(StoreError::Internal(_)))), "{read:?}");
                match committed {
                    Ok(Ok(())) => Some(id),
                    Ok(Err(StoreError::Internal(error))) => panic!("{error:?}"),
                    _ => None,
                }
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for caller in callers {
        acknowledged.extend(caller.await.expect("no failure"));
    }
    proxy.delay(Duration::ZERO);
    let mut conn = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    let at_work = Mutex::new(&mut conn);
    eventually("what was begun goes on by itself, and ends", async || {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taskflow' AND state <> 'idle'";
        let at_work: i64 = sqlx::query_scalar(sessions).fetch_one(&mut **at_work.lock().await).await.expect("a count");
        (at_work == 0).then_some(())
    })
    .await;
    let found = world.store.tasks_by_id(&acknowledged, Viewer::Service).await.expect("a read");
    assert!(!found.is_empty());
    assert_eq!(found.len(), acknowledged.len(), "no acknowledged write is lost");
    for person in &people {
        let (tasks, entries) = world.count(person).await;
        assert_eq!(tasks, entries);
    }
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        .fetch_one(&mut conn)
        .await
        .expect("a count");
    assert_eq!(open, 0);
}

#[tokio::test]
async fn nobody_there_and_a_closed_store_are_unavailable() {
    let options = PgOptions::default().acquire_timeout(Duration::from_millis(200));
    let nowhere = "postgres://taskflow@localhost/taskflow?host=/nonexistent";
    let error = taskflow_store_postgres::PgStore::connect(nowhere, options).await.expect_err("nobody is there");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let world = World::new().await;
    world.store.close().await;
    let error = world.store.ping().await.expect_err("closed");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

/// A connection is asked after a second of rest, which only time brings.
#[tokio::test]
async fn a_connection_that_has_rested_and_is_in_order_is_kept() {
    let world = World::with(PgOptions::default().connections(1)).await;
    let backend =
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'taskflow' AND datname = current_database()";
    let mut witness = world.connection().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        world.store.ping().await.expect("an answer");
        seen.extend(sqlx::query_scalar::<_, i32>(backend).fetch_all(&mut witness).await.expect("backends"));
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}
