//! What a store costs: commit a task, list 20, plan, claim and settle 500 deliveries, one caller at a time. Each store
//! that speaks SQL stands beside its yardstick, in the same group and on the same database: the barest statements that
//! do the same to the same rows, through sqlx and without our code.
//!
//! `cargo bench --features postgres --bench stores` takes about a minute; with `-- --test` each runs once.

mod bare;
mod ours;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bare::{BarePostgres, BareSqlite};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use ours::{Ours, Tables};
use sqlx::types::Uuid;
use taskflow::store::{MemoryStore, PgOptions, PgStore, SqliteOptions, SqliteStore};
use taskflow_testkit::cluster::Cluster;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Deliveries planned, claimed and settled at once.
const BATCH: u32 = 500;

/// Tasks of the person whose list is read.
const TASKS: u32 = 1000;

/// Tasks on a page.
const PAGE: u32 = 20;

/// Whose list is read.
const READER: Uuid = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001);

/// Whose tasks are committed.
const WRITER: Uuid = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0002);

/// What is claimed, and the lease that holds it.
type Held = (Uuid, Vec<Uuid>);

/// A store, or a yardstick.
#[async_trait]
trait Subject {
    /// Writes a task with its event and its place in the feed, durably.
    async fn commit(&self);

    /// Reads the first page of a list and counts the whole.
    async fn list(&self);

    /// Adds deliveries that are due.
    async fn plan(&self);

    /// Takes all that are due, up to [`BATCH`], under a new lease.
    async fn claim(&self) -> Held;

    /// Writes that all of them were delivered, where the lease still holds.
    async fn settle(&self, held: Held);

    /// Forgets all deliveries.
    async fn reset(&self);
}

/// A step of a delivery's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Plan,
    Claim,
    Settle,
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    // With everything that makes a commit durable.
    let cluster = Cluster::start_with(&[], None);
    let folder = TempDir::new().expect("a folder");
    let subjects = runtime.block_on(subjects(&folder, &cluster));
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(20)
        .configure_from_args();

    // Before anybody adds tasks: the store in memory looks at all there are.
    let mut group = criterion.benchmark_group("list_20_tasks");
    group.throughput(Throughput::Elements(1));
    for (name, subject) in &subjects {
        let id = BenchmarkId::from_parameter(name);
        group.bench_function(id, |bencher| bencher.to_async(&runtime).iter(|| subject.list()));
    }
    group.finish();

    let mut group = criterion.benchmark_group("commit_a_task");
    group.throughput(Throughput::Elements(1));
    for (name, subject) in &subjects {
        let id = BenchmarkId::from_parameter(name);
        group.bench_function(id, |bencher| bencher.to_async(&runtime).iter(|| subject.commit()));
    }
    group.finish();

    for (title, step) in [("plan_500", Step::Plan), ("claim_500", Step::Claim), ("settle_500", Step::Settle)] {
        let mut group = criterion.benchmark_group(title);
        group.throughput(Throughput::Elements(BATCH.into())).sampling_mode(SamplingMode::Flat);
        for (name, subject) in &subjects {
            let id = BenchmarkId::from_parameter(name);
            group.bench_function(id, |bencher| {
                bencher.to_async(&runtime).iter_custom(|rounds| deliver(subject.as_ref(), step, rounds));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Every store, and behind it its yardstick.
async fn subjects(folder: &TempDir, cluster: &Cluster) -> Vec<(&'static str, Box<dyn Subject>)> {
    let file = folder.path().join("bench.db");
    let file = file.to_str().expect("a path in UTF-8");
    let sqlite = SqliteStore::open(file, SqliteOptions::default()).await.expect("a store");
    let url = cluster.url("postgres");
    let postgres = PgStore::connect(&url, PgOptions::default()).await.expect("a store");
    let (bare_sqlite, bare_postgres) = (BareSqlite::new(file).await, BarePostgres::new(&url).await);
    vec![
        ("memory", Box::new(Ours::new(Arc::new(MemoryStore::new()), Tables::Memory).await)),
        ("sqlite", Box::new(Ours::new(Arc::new(sqlite), Tables::Sqlite(bare_sqlite.clone())).await)),
        ("sqlite, bare", Box::new(bare_sqlite)),
        ("postgres", Box::new(Ours::new(Arc::new(postgres), Tables::Postgres(bare_postgres.clone())).await)),
        ("postgres, bare", Box::new(bare_postgres)),
    ]
}

/// How long one step took, of `rounds` in which deliveries are planned, claimed and settled.
async fn deliver(subject: &dyn Subject, step: Step, rounds: u64) -> Duration {
    subject.reset().await;
    // An empty table has everybody plan their statements anew: not counted.
    round(subject, step).await;
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        took += round(subject, step).await;
    }
    took
}

async fn round(subject: &dyn Subject, step: Step) -> Duration {
    let begun = Instant::now();
    subject.plan().await;
    let planned = Instant::now();
    let held = subject.claim().await;
    let claimed = Instant::now();
    assert_eq!(held.1.len(), BATCH as usize);
    subject.settle(held).await;
    match step {
        Step::Plan => planned - begun,
        Step::Claim => claimed - planned,
        Step::Settle => claimed.elapsed(),
    }
}
