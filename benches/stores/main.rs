//! What a store does per second: commit a task, list tasks, plan + claim + settle deliveries.
//!
//! `cargo bench --bench stores`; with `-- --test` each runs once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use taskflow::ports::{ClaimRequest, Clock, Ids, RandomIds, Storage, SystemClock};
use taskflow::store::{MemoryStore, SqliteOptions, SqliteStore};
use taskflow::{
    Actor, App, Changes, DedupeKey, DeliveryId, LeaseToken, NewDelivery, NewTask, NewUser, Notice, NoticeKind, Outcome,
    PageRequest, Recipient, Settlement, TaskQuery, UserId,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Deliveries claimed and settled at once.
const BATCH: u64 = 500;

/// Tasks of the person whose list is read.
const TASKS: usize = 1000;

struct World {
    name: &'static str,
    storage: Arc<dyn Storage>,
    app: App,
    clock: SystemClock,
    ids: RandomIds,
    ada: UserId,
    planned: AtomicU64,
    _folder: TempDir,
}

impl World {
    async fn new(name: &'static str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let storage: Arc<dyn Storage> = match name {
            "memory" => Arc::new(MemoryStore::new()),
            _ => {
                let file = folder.path().join("bench.db");
                let file = file.to_str().expect("a path in UTF-8");
                Arc::new(SqliteStore::open(file, SqliteOptions::default()).await.expect("a store"))
            }
        };
        let app = App::builder(storage.clone()).build();
        let ada = NewUser {
            username: "ada".parse().expect("a name"),
            email: "ada@example.org".parse().expect("an address"),
            time_zone: None,
            locale: None,
            is_admin: false,
        };
        let ada = app.register_user(ada, None).await.expect("an account").id;
        let world = Self {
            name,
            storage,
            app,
            clock: SystemClock::new(),
            ids: RandomIds::new(),
            ada,
            planned: AtomicU64::new(0),
            _folder: folder,
        };
        for _ in 0..TASKS {
            world.create_task().await;
        }
        world
    }

    async fn create_task(&self) {
        let task = NewTask::titled("Water the plants".parse().expect("a title"));
        self.app.create_task(Actor::User(self.ada), task).await.expect("a task");
    }

    async fn list_tasks(&self) {
        let query = TaskQuery { page: PageRequest::new(1, 20).expect("a page"), ..TaskQuery::default() };
        let page = self.app.tasks(Actor::User(self.ada), &query).await.expect("a page");
        assert_eq!(page.items.len(), 20);
    }

    async fn plan_claim_settle(&self) {
        let now = self.clock.now();
        let delivery = |_| NewDelivery {
            id: DeliveryId::from_uuid(self.ids.next(now)),
            dedupe_key: DedupeKey::new(format!("bench/{}", self.planned.fetch_add(1, Ordering::Relaxed))),
            notice: Notice::Welcome,
            recipient: Recipient::User(self.ada),
            planned_at: now,
            due_at: now,
            reason: "a bench".to_owned(),
        };
        self.storage.commit(&Changes::new().deliver((0..BATCH).map(delivery))).await.expect("planned");
        let request = ClaimRequest {
            kinds: NoticeKind::ALL.to_vec(),
            limit: BATCH as u32,
            now,
            lease: LeaseToken::from_uuid(self.ids.next(now)),
            lease_for: Duration::from_secs(120),
        };
        let claims = self.storage.claim(&request).await.expect("claimed");
        assert_eq!(claims.len() as u64, BATCH);
        let settled = |claim: taskflow::ports::Claimed| Settlement {
            id: claim.delivery.id,
            lease: claim.lease,
            at: now,
            outcome: Outcome::Delivered { reply: "250 2.0.0 queued".to_owned() },
        };
        let settlements: Vec<_> = claims.into_iter().map(settled).collect();
        self.storage.settle(&settlements).await.expect("settled");
    }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let worlds = ["memory", "sqlite"].map(|name| runtime.block_on(World::new(name)));
    let mut criterion = Criterion::default().configure_from_args();

    let mut group = criterion.benchmark_group("create_task");
    group.throughput(Throughput::Elements(1));
    for world in &worlds {
        let id = BenchmarkId::from_parameter(world.name);
        group.bench_function(id, |bencher| bencher.to_async(&runtime).iter(|| world.create_task()));
    }
    group.finish();

    let mut group = criterion.benchmark_group("list_20_tasks");
    group.throughput(Throughput::Elements(1));
    for world in &worlds {
        let id = BenchmarkId::from_parameter(world.name);
        group.bench_function(id, |bencher| bencher.to_async(&runtime).iter(|| world.list_tasks()));
    }
    group.finish();

    let mut group = criterion.benchmark_group("plan_claim_settle_500");
    group.throughput(Throughput::Elements(BATCH));
    for world in &worlds {
        let id = BenchmarkId::from_parameter(world.name);
        group.bench_function(id, |bencher| bencher.to_async(&runtime).iter(|| world.plan_claim_settle()));
    }
    group.finish();
    criterion.final_summary();
}
