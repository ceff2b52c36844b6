//! What the recurring duties cost among many people.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::plans::{buffers, explain, statement};
use crate::world::World;

const SWEEPS: &str = include_str!("../../src/sweeps.rs");
const DIGESTS: &str = include_str!("../../src/sweeps/digests.rs");
const PURGE: &str = include_str!("../../src/upkeep/purge.rs");
const FEED: &str = include_str!("../../src/upkeep/feed.rs");
const TOTALS: &str = include_str!("../../src/upkeep/totals.rs");
const OUTBOX: &str = include_str!("../../src/outbox.rs");

/// 40,000 people in four zones with a task each, half of them open, and one with 20,000; a ledger of 40,000 and feeds of
/// 40,000 entries, of which half are old.
async fn many_people(world: &World) -> PgConnection {
    let mut conn = world.connection().await;
    for fill in [
        "CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
            RETURN ('01980000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
        "CREATE FUNCTION pg_temp.at(n bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
            RETURN '2026-11-22 12:00:00+00'::timestamptz + (n - 20000) * interval '1 min'",
        "INSERT INTO taskflow.users (id, username, username_key, email, email_key, email_verified, time_zone, locale,
            is_active, is_admin, version, created_at, updated_at)
        SELECT pg_temp.id(n), 'user-' || n, 'user-' || n, n || '@example.org', n || '@example.org', true,
            (ARRAY['Europe/Berlin', 'Asia/Tokyo', 'America/New_York', 'Etc/UTC'])[1 + n % 4], 'en', true, false, 1,
            now(), now()
        FROM generate_series(1, 40000) AS n",
        "INSERT INTO taskflow.tasks (id, user_id, title, title_key, search_text, status, priority, due_at, completed_at,
            deleted_at, version, created_at, updated_at)
        SELECT gen_random_uuid(), pg_temp.id(CASE WHEN n > 40000 THEN 4 ELSE n END), 'x', 'x', 'x',
            CASE WHEN n % 2 = 1 THEN 'completed' ELSE 'pending' END, 1 + n % 3, pg_temp.at(n),
            CASE WHEN n % 2 = 1 THEN pg_temp.at(n) END, CASE WHEN n % 10 = 9 THEN pg_temp.at(n) END, 1, pg_temp.at(0),
            pg_temp.at(0)
        FROM generate_series(1, 60000) AS n",
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
            due_at, next_at, attempts, cancel_requested, reason, settled_at)
        SELECT gen_random_uuid(), 'daily-summary/' || n, 'daily_summary', '{}', 3, pg_temp.id(n),
            CASE WHEN n % 2 = 0 THEN 'delivered' ELSE 'scheduled' END, pg_temp.at(0), pg_temp.at(n), pg_temp.at(n), 0,
            false, 'test', CASE WHEN n % 2 = 0 THEN pg_temp.at(n) END
        FROM generate_series(1, 40000) AS n",
        "INSERT INTO taskflow.events (id, at, entity_kind, entity_id, kind, data)
        SELECT pg_temp.id(n), pg_temp.at(n), 'task', pg_temp.id(n), 'task_created', '{}'
        FROM generate_series(1, 40000) AS n",
        "INSERT INTO taskflow.feed (user_id, seq, event_id)
        SELECT pg_temp.id(1 + n % 10000), 1 + (n - 1) / 10000, pg_temp.id(n) FROM generate_series(1, 40000) AS n",
        "INSERT INTO taskflow.feed_heads (user_id, seq, changed_at)
        SELECT f.user_id, max(f.seq), max(e.at)
        FROM taskflow.feed AS f JOIN taskflow.events AS e ON e.id = f.event_id
        GROUP BY f.user_id",
    ] {
        conn.execute(fill).await.expect(fill);
    }
    for table in ["users", "tasks", "deliveries", "events", "feed", "feed_heads"] {
        conn.execute(AssertSqlSafe(format!("VACUUM ANALYZE taskflow.{table}"))).await.expect("as after a while");
    }
    conn
}

#[tokio::test]
async fn a_sweep_looks_at_a_page_of_people_and_at_what_is_theirs() {
    let world = World::new().await;
    let mut conn = many_people(&world).await;
    let zones = "SELECT json_agg(json_build_object('place', n, 'zone', 'Mars/' || n, 'first', 540, 'last', 540))::text
        FROM generate_series(1, 600) AS n";
    let zones: String = sqlx::query_scalar(zones).fetch_one(&mut conn).await.expect("zones");
    let plan = explain(&mut conn, &statement(SWEEPS, "OCCUPIED", &[&format!("'{zones}'")])).await;
    assert!(plan.contains("idx_users_summary") && !plan.contains("Seq Scan"), "{plan}");
    assert!(buffers(&plan) < 2000, "{plan}");

    let days = ["'2026-11-21'::timestamptz", "'2026-11-22'::timestamptz", "'2026-11-23'::timestamptz"];
    let nobody = "'00000000-0000-0000-0000-000000000000'::uuid";
    let page = ["'Etc/UTC'", "540::smallint", nobody, "540::smallint", "1001", "'daily_summary'::text", "1::smallint"];
    let with_days: Vec<&str> = page.into_iter().chain([days[0], days[1], days[1], days[2]]).collect();
    let plan = explain(&mut conn, &statement(SWEEPS, "RECIPIENTS", &with_days)).await;
    assert!(plan.contains("idx_users_summary") && plan.contains("idx_tasks_user_status"), "{plan}");
    assert!(!plan.contains("Seq Scan on users") && !plan.contains("Seq Scan on tasks"), "{plan}");
    assert!(plan.contains("rows=1001") && buffers(&plan) < 12_000, "{plan}");
}

#[tokio::test]
async fn the_digest_of_somebody_with_many_tasks_reads_no_others() {
    let world = World::new().await;
    let mut conn = many_people(&world).await;
    let of = |n: u32| {
        let id = format!("01980000-0000-7000-8000-{n:012x}");
        let times = r#""now": "2026-11-22T12:00:00Z", "done_from": "2026-11-21T00:00:00Z", "done_until": "2026-11-22T00:00:00Z",
            "today_until": "2026-11-23T00:00:00Z", "week_from": "2026-11-23T00:00:00Z",
            "week_until": "2026-11-30T00:00:00Z""#;
        format!(r#"'[{{"place": 0, "user_id": "{id}", {times}}}]'"#)
    };
    for (n, most) in [(4, 25_000), (5, 60)] {
        let plan = explain(&mut conn, &statement(DIGESTS, "DIGEST_TASKS", &[&of(n), "20"])).await;
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < most, "{plan}");
    }
}

#[tokio::test]
async fn a_slice_of_what_has_served_its_time_is_found_by_its_age() {
    let world = World::new().await;
    let mut conn = many_people(&world).await;
    let before = "'2026-11-22 12:00:00+00'::timestamptz";
    for (name, index) in [("LOCK_DELIVERIES", "idx_deliveries_settled_at"), ("LOCK_TASKS", "idx_tasks_deleted_at")] {
        let plan = explain(&mut conn, &statement(PURGE, name, &[before, "500", "ARRAY['meeting_reminder']"])).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{plan}");
        assert!(plan.contains("rows=500") && buffers(&plan) < 6000, "{plan}");
    }
    let [first, last] = ["000000000000", "ffffffffffff"].map(|n| format!("'01980000-0000-7000-8000-{n}'::uuid"));
    let (first, last) = (first.as_str(), last.as_str());
    let plan = explain(&mut conn, &statement(FEED, "PURGE_ENTRIES", &[before, last, "500"])).await;
    assert!(plan.contains("idx_feed_event") && !plan.contains("Seq Scan"), "{plan}");
    assert!(plan.contains("rows=500") && buffers(&plan) < 12_000, "{plan}");
    let plan = explain(&mut conn, &statement(FEED, "CHANGED", &[first, before, "500"])).await;
    assert!(plan.contains("feed_heads_pkey") && !plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn a_page_of_a_count_reads_no_more_than_the_page() {
    let world = World::new().await;
    let mut conn = many_people(&world).await;
    let first = "'00000000-0000-0000-0000-000000000000'::uuid";
    for (name, index, most) in [("PEOPLE", "users_pkey", 1_600), ("DELIVERIES_PAGE", "deliveries_pkey", 1_000)] {
        let plan = explain(&mut conn, &statement(TOTALS, name, &[first, "500"]).replace("\\\"", "\"")).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{plan}");
        assert!(plan.contains("rows=500") && buffers(&plan) < most, "{plan}");
    }
    let (before, last) = ("'2026-11-22 12:00:00+00'::timestamptz", "'01980000-0000-7000-8000-ffffffffffff'::uuid");
    let plan =
        explain(&mut conn, &statement(PURGE, "COUNT_DELIVERIES", &[before, "500", "ARRAY['meeting_reminder']"])).await;
    assert!(plan.contains("idx_deliveries_settled_at") && buffers(&plan) < 1_000, "{plan}");
    let plan = explain(&mut conn, &statement(FEED, "COUNT_ENTRIES", &[before, last, "500"])).await;
    assert!(plan.contains("idx_feed_event") && !plan.contains("Seq Scan"), "{plan}");
    assert!(buffers(&plan) < 12_000, "{plan}");
}

#[tokio::test]
async fn what_waits_for_its_next_try_is_found_among_many_that_wait_for_their_time() {
    let world = World::new().await;
    let mut conn = many_people(&world).await;
    // Of a few the relay has said that they shall come later; their next try lies ahead.
    let refused = "UPDATE taskflow.deliveries
        SET last_error = '450 later', first_claimed_at = planned_at, next_at = '2027-01-01 00:00:00+00'
        WHERE state = 'scheduled' AND due_at < '2026-11-09 00:00:00+00'";
    conn.execute(refused).await.expect("refused");
    conn.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");
    let backlog = ["'2026-11-08 18:00:00+00'::timestamptz", "ARRAY[0, 1, 2, 3]", "'mail'", "ARRAY[0, 0, 0, 0]"];
    let plan = explain(&mut conn, &statement(OUTBOX, "BACKLOG", &backlog)).await;
    assert!(plan.contains("idx_deliveries_failed") && !plan.contains("Seq Scan"), "{plan}");
}
