//! A fan-out piece by piece, on each store that speaks SQL: planning a page of 1,000 people by the sweep (whom there is
//! something to tell, and one commit of their deliveries with how far the run has come), claiming and settling 1,000, and
//! what 250 summaries say, read and rendered.
//!
//! Planning stands beside its yardstick on the same database: one plain `INSERT … SELECT` of the same rows into the same
//! table with the same indexes, which asks nobody whether there is anything to tell. The yardsticks of claiming and settling
//! are in `stores`, the whole is `taskflow bench fanout`.
//!
//! `cargo bench --features postgres,smtp --bench fanout` takes about a minute; with `-- --test` each runs once.

mod bare;
mod ours;

use std::time::Duration;

use bare::Bare;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use ours::Ours;
use taskflow::store::{PgOptions, PgStore, SqliteOptions, SqliteStore};
use taskflow_testkit::cluster::Cluster;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// People there are, all of whom have an open task.
const PEOPLE: u32 = 20_000;

/// People of a page, and deliveries that are claimed and settled at once.
const PAGE: u32 = 1_000;

/// Summaries that are read at once, as the sender does it.
const READ: u32 = 250;

/// A store with its yardstick.
struct Subject {
    name: &'static str,
    ours: Ours,
    bare: Bare,
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    // With everything that makes a commit durable.
    let cluster = Cluster::start_with(&[], None);
    let folder = TempDir::new().expect("a folder");
    let subjects = runtime.block_on(subjects(&folder, &cluster));
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();

    let mut group = group(&mut criterion, "plan_1000", PAGE);
    for subject in &subjects {
        group.bench_function(BenchmarkId::from_parameter(subject.name), |bencher| {
            bencher.to_async(&runtime).iter_custom(|rounds| plan(subject, rounds, false));
        });
        group.bench_function(BenchmarkId::from_parameter(format!("{}, INSERT … SELECT", subject.name)), |bencher| {
            bencher.to_async(&runtime).iter_custom(|rounds| plan(subject, rounds, true));
        });
    }
    group.finish();

    for (title, settles) in [("claim_1000", false), ("settle_1000", true)] {
        let mut group = self::group(&mut criterion, title, PAGE);
        for subject in &subjects {
            group.bench_function(BenchmarkId::from_parameter(subject.name), |bencher| {
                bencher.to_async(&runtime).iter_custom(|rounds| send(subject, rounds, settles));
            });
        }
        group.finish();
    }

    let mut group = self::group(&mut criterion, "read_250", READ);
    for subject in &subjects {
        group.bench_function(BenchmarkId::from_parameter(subject.name), |bencher| {
            bencher.to_async(&runtime).iter(|| subject.ours.digests());
        });
    }
    group.finish();

    let mut group = self::group(&mut criterion, "render_250", READ);
    for subject in &subjects {
        let digests = runtime.block_on(subject.ours.digests());
        group.bench_function(BenchmarkId::from_parameter(subject.name), |bencher| {
            bencher.iter(|| subject.ours.render(&digests));
        });
    }
    group.finish();
    criterion.final_summary();
}

fn group<'a>(criterion: &'a mut Criterion, title: &str, elements: u32) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(title);
    group.throughput(Throughput::Elements(elements.into())).sampling_mode(SamplingMode::Flat);
    group
}

async fn subjects(folder: &TempDir, cluster: &Cluster) -> Vec<Subject> {
    let file = folder.path().join("bench.db");
    let file = file.to_str().expect("a path in UTF-8");
    let sqlite = SqliteStore::open(file, SqliteOptions::default()).await.expect("a store");
    let url = cluster.url("postgres");
    let postgres = PgStore::connect(&url, PgOptions::default()).await.expect("a store");
    let subjects = vec![
        Subject { name: "sqlite", ours: Ours::new(sqlite).await, bare: Bare::sqlite(file).await },
        Subject { name: "postgres", ours: Ours::new(postgres).await, bare: Bare::postgres(&url).await },
    ];
    for subject in &subjects {
        subject.bare.analyze().await;
    }
    subjects
}

/// How long so many pages took, one after the other through all people and then from the first again.
async fn plan(subject: &Subject, rounds: u64, barely: bool) -> Duration {
    subject.bare.reset().await;
    let (mut took, mut after) = (Duration::ZERO, None);
    for _ in 0..rounds {
        if after.is_none() {
            subject.bare.reset().await;
        }
        let begun = Instant::now();
        after = match barely {
            false => subject.ours.plan(after).await,
            true => subject.bare.plan(after).await,
        };
        took += begun.elapsed();
    }
    took
}

/// How long claiming, or settling, took in so many rounds.
async fn send(subject: &Subject, rounds: u64, settles: bool) -> Duration {
    subject.bare.reset().await;
    let (mut took, mut after) = (Duration::ZERO, None);
    for _ in 0..rounds {
        if after.is_none() {
            subject.bare.reset().await;
        }
        after = subject.ours.plan(after).await;
        let begun = Instant::now();
        let held = subject.ours.claim().await;
        let claimed = Instant::now();
        subject.ours.settle(held).await;
        took += if settles { claimed.elapsed() } else { claimed - begun };
    }
    took
}
