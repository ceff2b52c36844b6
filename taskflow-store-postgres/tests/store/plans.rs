//! What statements cost: by which index they find their rows, and how much they read.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::world::World;

/// The statement that claims, without what the tests cannot know.
fn claim(lapsed: bool) -> String {
    let source = include_str!("../../src/outbox/claim.rs");
    let name = if lapsed { "const CLAIM_LAPSED: &str = \"" } else { "const CLAIM_SCHEDULED: &str = \"" };
    let start = source.find(name).expect("the statement") + name.len();
    let sql = &source[start..start + source[start..].find("\";").expect("its end")];
    sql.replace("$1", "gen_random_uuid()")
        .replace("$2", "60000000")
        .replace("$3", "'2026-11-22 12:00:00+00'::timestamptz")
        .replace("$4", "ARRAY['welcome', 'task_due']")
        .replace("$5", "500")
        .replace("$6", "2::smallint")
}

async fn explain(conn: &mut PgConnection, sql: &str) -> String {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}");
    conn.execute("BEGIN").await.expect("a transaction");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&mut *conn).await.expect("a plan");
    conn.execute("ROLLBACK").await.expect("as it was");
    plan.join("\n")
}

/// How many pages a plan has touched: the first line that tells is about the whole.
fn buffers(plan: &str) -> u64 {
    let line = plan.lines().find(|line| line.contains("Buffers:")).expect("buffers");
    line.split(['=', ' ']).filter_map(|word| word.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn a_claim_uses_its_indexes_and_reads_next_to_nothing_when_nothing_is_due() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    for statement in [
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at, due_at,
            next_at, attempts, cancel_requested, reason)
        SELECT gen_random_uuid(), 'task-due/' || n, 'task_due', '{\"kind\": \"welcome\"}', n % 4, gen_random_uuid(),
            'scheduled', '2026-11-22 10:00:00+00', '2027-01-01 00:00:00+00', '2027-01-01 00:00:00+00', 0, false, 'test'
        FROM generate_series(1, 100000) AS n",
        "UPDATE taskflow.deliveries SET state = 'claimed', lease = gen_random_uuid(), lease_until = now() + interval '1 h'
        WHERE dedupe_key LIKE 'task-due/1%'",
        "VACUUM ANALYZE taskflow.deliveries",
    ] {
        conn.execute(statement).await.expect(statement);
    }
    for (lapsed, index) in [(false, "idx_deliveries_scheduled"), (true, "idx_deliveries_claimed")] {
        let plan = explain(&mut conn, &claim(lapsed)).await;
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < 20, "{plan}");
    }
    conn.execute(
        "UPDATE taskflow.deliveries SET next_at = '2026-11-22 11:00:00+00' WHERE state = 'scheduled' AND priority = 2",
    )
    .await
    .expect("due");
    conn.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");
    let plan = explain(&mut conn, &claim(false)).await;
    assert!(plan.contains("idx_deliveries_scheduled") && !plan.contains("Seq Scan"), "{plan}");
    assert!(plan.contains("rows=500"), "{plan}");
}

#[tokio::test]
async fn the_usual_list_of_tasks_is_read_in_the_order_of_its_index() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let mut conn = world.connection().await;
    let insert = "INSERT INTO taskflow.tasks (id, user_id, title, title_key, search_text, status, priority, version,
            created_at, updated_at)
        SELECT gen_random_uuid(), $1, 'x', 'x', 'x', 'pending', 2, 1, now() - n * interval '1 s', now()
        FROM generate_series(1, 20000) AS n";
    sqlx::query(insert).bind(ada.id.as_uuid()).execute(&mut conn).await.expect("tasks");
    conn.execute("VACUUM ANALYZE taskflow.tasks").await.expect("as after a while");
    let list = format!(
        "SELECT id FROM taskflow.tasks WHERE user_id = '{}' AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 20",
        ada.id
    );
    let plan = explain(&mut conn, &list).await;
    assert!(plan.contains("idx_tasks_user_id") && !plan.contains("Sort"), "{plan}");
    assert!(buffers(&plan) < 40, "{plan}");
    let count = format!("SELECT count(*) FROM taskflow.tasks WHERE user_id = '{}' AND deleted_at IS NULL", ada.id);
    let plan = explain(&mut conn, &count).await;
    assert!(plan.contains("Index Only Scan using idx_tasks_user_status"), "{plan}");
}
