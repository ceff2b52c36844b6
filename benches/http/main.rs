//! Requests per second beside a yardstick in the same run: a bare handler (poem, sqlx, a JWT) with the same SQL.
//!
//! `cargo bench --features server --bench http` measures on PostgreSQL with a million tasks and prints a line of JSON per
//! round; `HTTP_BENCH_SECONDS` and `HTTP_BENCH_TASKS` make it shorter.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]

mod bare;
mod load;

use std::time::Duration;

use load::{Figures, Load};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor};
use taskflow_testkit::cluster::Cluster;
use taskflow_testkit::server::Server;
use tokio::runtime::Runtime;

/// Connections of the clients, as in the targets.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 3;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let port = taskflow_testkit::server::free_port();
        // With everything that makes a commit durable.
        let cluster =
            tokio::task::spawn_blocking(move || Cluster::start_with(&[], Some(port))).await.expect("a cluster");
        measure(&cluster.url("postgres")).await;
        drop(cluster);
    });
}

async fn measure(url: &str) {
    let server = Server::start(&[("DATABASE_URL", url), ("LOG", "warn")]).await;
    let mut tokens = Vec::new();
    for n in 0..CONNECTIONS {
        tokens.push(server.person(&format!("person-{n}")).await.token);
    }
    let pool = PgPool::connect(url).await.expect("a pool");
    fill(&pool, setting("HTTP_BENCH_TASKS", 1_000_000)).await;
    let bare = bare::start(url).await;
    let bare_tokens: Vec<_> = tokens.iter().map(|token| bare::token_for(token)).collect();
    let seconds = Duration::from_secs(setting("HTTP_BENCH_SECONDS", 5));
    let list = "GET /api/tasks/?size=20 HTTP/1.1\r\n".to_owned();
    let body = r#"{"title":"Water the plants"}"#;
    let create =
        format!("POST /api/tasks/ HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    for (name, head, body) in [("list_20_tasks", list, ""), ("create_task", create, body)] {
        let load = |port: u16, tokens: &[String]| {
            let request =
                |token| format!("{head}Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n{body}");
            Load { port, requests: tokens.iter().map(request).collect() }
        };
        let (ours, yardstick) = (load(server.port, &tokens), load(bare, &bare_tokens));
        // Once for caches and prepared statements.
        ours.run(Duration::from_secs(1)).await;
        yardstick.run(Duration::from_secs(1)).await;
        let mut ratios = Vec::new();
        for round in 1..=ROUNDS {
            let (yardstick, ours) = (yardstick.run(seconds).await, ours.run(seconds).await);
            ratios.push(ours.per_second / yardstick.per_second);
            report(name, round, &yardstick, &ours);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{{\"bench\": \"{name}\", \"median_ratio\": {:.2}}}", ratios[ratios.len() / 2]);
    }
}

fn report(name: &str, round: usize, yardstick: &Figures, ours: &Figures) {
    println!(
        "{{\"bench\": \"{name}\", \"round\": {round}, \"yardstick_per_s\": {:.0}, \"per_s\": {:.0}, \"ratio\": {:.2}, \
         \"p50_ms\": {:.2}, \"p99_ms\": {:.2}, \"yardstick_p99_ms\": {:.2}}}",
        yardstick.per_second,
        ours.per_second,
        ours.per_second / yardstick.per_second,
        ours.p50_ms,
        ours.p99_ms,
        yardstick.p99_ms
    );
}

/// Twenty tasks of the one who is signed in among many of others.
async fn fill(pool: &PgPool, tasks: u64) {
    let users = tasks / 20;
    let statements = [
        format!(
            "INSERT INTO taskflow.users (id, username, username_key, email, email_key, email_verified, time_zone, locale,
                is_active, is_admin, version, created_at, updated_at)
            SELECT gen_random_uuid(), 'other-' || n, 'other-' || n, 'other-' || n || '@example.org',
                'other-' || n || '@example.org', false, 'UTC', 'en', true, false, 1, now(), now()
            FROM generate_series(1, {users}) AS n"
        ),
        "INSERT INTO taskflow.tasks (id, user_id, title, title_key, description, search_text, status, priority, version,
            created_at, updated_at)
        SELECT gen_random_uuid(), u.id, 'Water the plants', 'water the plants', NULL, 'water the plants', 'pending', 2, 1,
            now() - n * interval '1 minute', now()
        FROM taskflow.users AS u, generate_series(1, 20) AS n"
            .to_owned(),
        "ANALYZE".to_owned(),
    ];
    for statement in statements {
        pool.execute(AssertSqlSafe(statement)).await.expect("rows");
    }
}
