//! Claiming and settling on PostgreSQL beside a yardstick in the same run: the barest SQL that does it, without our code.
//!
//! `cargo bench --features postgres --bench outbox` prints a line of JSON per round. Four workers, batches of 500.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, types::Uuid};
use taskflow::ports::{ClaimRequest, Claimed, Clock, Ids, Outbox, RandomIds, SystemClock};
use taskflow::store::{PgOptions, PgStore};
use taskflow::{ChannelKind, LeaseToken, NoticeKind, Outcome, Settlement};
use taskflow_testkit::cluster::Cluster;
use tokio::runtime::Runtime;
use tokio::time::Instant;

const ROWS: u64 = 40_000;
const BATCH: u32 = 500;
const WORKERS: usize = 4;
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    Runtime::new().expect("a runtime").block_on(measure());
}

async fn measure() {
    // With everything that makes a commit durable.
    let cluster = tokio::task::spawn_blocking(|| Cluster::start_with(&[], None)).await.expect("a cluster");
    let url = cluster.url("postgres");
    let store = PgStore::connect(&url, PgOptions::default()).await.expect("a store");
    let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.expect("a pool");
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        plan(&pool).await;
        let yardstick = rate(|| bare(pool.clone())).await;
        plan(&pool).await;
        let ours = rate(|| through(store.clone())).await;
        // The first round warms up.
        if round > 0 {
            let ratio = ours / yardstick;
            ratios.push(ratio);
            println!(
                "{{\"bench\": \"claim_settle\", \"round\": {round}, \"yardstick_per_s\": {yardstick:.0}, \"per_s\": {ours:.0}, \
                 \"ratio\": {ratio:.2}}}"
            );
        }
    }
    ratios.sort_by(f64::total_cmp);
    println!("{{\"bench\": \"claim_settle\", \"median_ratio\": {:.2}}}", ratios[ratios.len() / 2]);
}

/// The same rows for both, planned by SQL.
async fn plan(pool: &PgPool) {
    for statement in [
        "TRUNCATE taskflow.deliveries CASCADE".to_owned(),
        format!(
            "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            SELECT gen_random_uuid(), 'bench/' || n, 'welcome', '{{\"kind\":\"welcome\"}}', 0, 'ada@example.org', 'scheduled',
                now(), now(), now() - n * interval '1 millisecond', 0, false, 'a bench'
            FROM generate_series(1, {ROWS}) AS n"
        ),
        "VACUUM ANALYZE taskflow.deliveries".to_owned(),
        "CHECKPOINT".to_owned(),
    ] {
        pool.execute(AssertSqlSafe(statement)).await.expect("rows");
    }
}

/// Rows per second of four workers that go on until there is nothing left.
async fn rate<F: Future<Output = u64> + Send + 'static>(worker: impl Fn() -> F) -> f64 {
    let begun = Instant::now();
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(worker())).collect();
    let mut rows = 0;
    for worker in workers {
        rows += worker.await.expect("a worker");
    }
    assert_eq!(rows, ROWS);
    rows as f64 / begun.elapsed().as_secs_f64()
}

async fn through(store: PgStore) -> u64 {
    let (clock, ids) = (SystemClock::new(), RandomIds::new());
    let mut rows = 0;
    loop {
        let now = clock.now();
        let request = ClaimRequest {
            channel: ChannelKind::MAIL,
            kinds: NoticeKind::ALL.to_vec(),
            limit: BATCH,
            now,
            lease: LeaseToken::from_uuid(ids.next(now)),
            lease_for: Duration::from_secs(120),
        };
        let claims = store.claim(&request).await.expect("claimed");
        if claims.is_empty() {
            return rows;
        }
        rows += claims.len() as u64;
        let settled = |claim: Claimed| Settlement {
            id: claim.delivery.id,
            lease: claim.lease,
            at: now,
            outcome: Outcome::Delivered { reply: "250 2.0.0 queued".to_owned() },
            effect: None,
        };
        let settlements: Vec<_> = claims.into_iter().map(settled).collect();
        store.settle(&settlements).await.expect("settled");
    }
}

async fn bare(pool: PgPool) -> u64 {
    let mut rows = 0;
    loop {
        let lease = Uuid::new_v4();
        let claimed: Vec<(Uuid, String)> = sqlx::query_as(
            "UPDATE taskflow.deliveries SET state = 'claimed', lease = $1, lease_until = now() + interval '120 seconds',
                first_claimed_at = now()
            WHERE id = ANY (ARRAY (
                SELECT id FROM taskflow.deliveries WHERE state = 'scheduled' AND priority = 0 AND lap = 0 AND next_at <= now()
                ORDER BY next_at, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING id, notice::text",
        )
        .bind(lease)
        .bind(i64::from(BATCH))
        .fetch_all(&pool)
        .await
        .expect("claimed");
        if claimed.is_empty() {
            return rows;
        }
        rows += claimed.len() as u64;
        let ids: Vec<Uuid> = claimed.into_iter().map(|(id, _)| id).collect();
        sqlx::query(
            "UPDATE taskflow.deliveries SET state = 'delivered', settled_at = now(), reply = '250 2.0.0 queued', lease = NULL,
                lease_until = NULL
            WHERE id = ANY ($1) AND lease = $2",
        )
        .bind(ids)
        .bind(lease)
        .execute(&pool)
        .await
        .expect("settled");
    }
}
