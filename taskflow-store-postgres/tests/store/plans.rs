//! What statements cost: by which index they find their rows, and how much they read.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres};
use taskflow_core::ports::{ClaimRequest, Outbox};
use taskflow_core::{ChannelKind, NoticeKind, Rank, User};
use taskflow_store_sql::expand;

use crate::world::World;

/// More pages than a look at each rank reads when nothing is due: the index is three pages deep, also among a million.
const EMPTY_RANKS: u64 = 300;

/// The statement of a constant or of a static [`Statement`], with these parameters.
///
/// [`Statement`]: taskflow_store_sql::Statement
pub(crate) fn statement(source: &str, name: &str, parameters: &[&str]) -> String {
    let constant = format!("const {name}: &str = ");
    let (declared, entity) = source.split_once(&constant).map(|(_, text)| (text, "")).unwrap_or_else(|| {
        let (_, declared) = source.split_once(&format!("static {name}: Statement<")).expect("the statement");
        (declared, declared.split('>').next().unwrap_or_default())
    });
    let (_, text) = declared.split_once('"').expect("its text");
    let mut quotes = text.match_indices('"').map(|(at, _)| at);
    let end = quotes.find(|at| !text[..*at].ends_with('\\')).expect("its end");
    let sql = text[..end].trim_start_matches('\\');
    let with = |sql: String, (n, parameter): (usize, &&str)| sql.replace(&format!("${}", n + 1), parameter);
    parameters.iter().enumerate().rev().fold(expand::<Postgres>(entity, sql), with)
}

/// The statement that claims what is due.
fn claim(channel: ChannelKind) -> String {
    let (priorities, laps): (Vec<_>, Vec<_>) =
        Rank::in_order(channel).into_iter().map(|rank| (rank.priority, rank.lap)).unzip();
    let ranks = [priorities, laps].map(|numbers| format!("ARRAY{numbers:?}::smallint[]"));
    let [priorities, laps] = ranks.each_ref().map(String::as_str);
    match channel.is_mail() {
        true => claim_statement("CLAIM_SCHEDULED", &[priorities, laps]),
        false => claim_statement("CLAIM_SCHEDULED_ON", &[priorities, laps, &format!("'{channel}'")]),
    }
}

/// The statement that claims what has lapsed.
fn claim_lapsed() -> String {
    claim_statement("CLAIM_LAPSED", &["'mail'"])
}

fn claim_statement(name: &str, more: &[&str]) -> String {
    let now = "'2026-11-22 12:00:00+00'::timestamptz";
    let kinds = "ARRAY['welcome', 'task_due', 'meeting_reminder']";
    let parameters = [&["gen_random_uuid()", "60000000", now, kinds, "500"], more].concat();
    statement(include_str!("../../src/outbox/claim.rs"), name, &parameters)
}

pub(crate) async fn explain(conn: &mut PgConnection, sql: &str) -> String {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}");
    conn.execute("BEGIN").await.expect("a transaction");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_all(&mut *conn).await.expect("a plan");
    conn.execute("ROLLBACK").await.expect("as it was");
    plan.join("\n")
}

/// How many pages a plan has touched: the first line that tells is about the whole.
pub(crate) fn buffers(plan: &str) -> u64 {
    let line = plan.lines().find(|line| line.contains("Buffers:")).expect("buffers");
    line.split(['=', ' ']).filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// Returns the number of pages that a plan has read. Those that were dirtied and written are some of them once more.
fn pages_read(plan: &str) -> u64 {
    let line = plan.lines().find(|line| line.contains("Buffers:")).expect("buffers");
    let counts = line.split(' ').filter_map(|word| word.strip_prefix("hit=").or_else(|| word.strip_prefix("read=")));
    counts.map(|count| count.parse::<u64>().expect("a number")).sum()
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
    let claims =
        [(claim(ChannelKind::MAIL), "idx_deliveries_lap", EMPTY_RANKS), (claim_lapsed(), "idx_deliveries_claimed", 20)];
    for (claim, index, most) in claims {
        let plan = explain(&mut conn, &claim).await;
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < most, "{plan}");
    }
    conn.execute(
        "UPDATE taskflow.deliveries SET next_at = '2026-11-22 11:00:00+00' WHERE state = 'scheduled' AND priority = 2",
    )
    .await
    .expect("due");
    conn.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");
    let plan = explain(&mut conn, &claim(ChannelKind::MAIL)).await;
    assert!(plan.contains("idx_deliveries_lap") && !plan.contains("Seq Scan"), "{plan}");
    assert!(plan.contains("rows=500"), "{plan}");
}

#[tokio::test]
async fn a_claim_of_mail_reads_past_nothing_that_waits_on_other_channels() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    for statement in [
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at, due_at,
            next_at, attempts, cancel_requested, reason, channel)
        SELECT gen_random_uuid(), 'task-due/' || n || '@push', 'task_due', '{}', 4 + n % 4, gen_random_uuid(),
            'scheduled', '2026-11-22 10:00:00+00', '2026-11-22 11:00:00+00', '2026-11-22 11:00:00+00', 0, false, 'test',
            CASE n % 1000 WHEN 2 THEN 'chat' ELSE 'push' END
        FROM generate_series(1, 50000) AS n",
        "VACUUM ANALYZE taskflow.deliveries",
    ] {
        conn.execute(statement).await.expect(statement);
    }
    let mut read = 0;
    for claim in [claim(ChannelKind::MAIL), claim_lapsed()] {
        read += buffers(&explain(&mut conn, &claim).await);
    }
    assert!(read < EMPTY_RANKS, "{read} pages");
    let chat = explain(&mut conn, &claim(ChannelKind::new("chat"))).await;
    assert!(chat.contains("idx_deliveries_channel_lap") && chat.contains("rows=50 "), "{chat}");
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

#[tokio::test]
async fn a_claim_reads_a_handful_of_pages_among_a_million_planned_deliveries() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    let plan =
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
            due_at, next_at, attempts, cancel_requested, reason)
        SELECT gen_random_uuid(), 'meeting-reminder/' || n, 'meeting_reminder', '{}', 1, gen_random_uuid(), 'scheduled',
            '2026-11-22 10:00:00+00', at, at, 0, false, 'test'
        FROM generate_series(1, 1000000) AS n
        CROSS JOIN LATERAL (SELECT '2026-11-22 12:00:00+00'::timestamptz + n * interval '1 s' AS at) AS later";
    conn.execute(plan).await.expect("deliveries");
    conn.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");
    let mut read = 0;
    // A whole tick: rank by rank, and what has lapsed.
    for claim in [claim(ChannelKind::MAIL), claim_lapsed()] {
        let plan = explain(&mut conn, &claim).await;
        assert!(!plan.contains("Seq Scan"), "{plan}");
        read += buffers(&plan);
    }
    assert!(read < EMPTY_RANKS, "{read} pages");
}

#[tokio::test]
async fn a_claim_reads_as_much_when_one_account_has_made_a_hundred_thousand_due() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    let due = |first: u32, last: u32, causer: &str, lap: &str| {
        AssertSqlSafe(format!(
            "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, lap, causer, turn, recipient_user, state,
                planned_at, due_at, next_at, attempts, cancel_requested, reason)
            SELECT gen_random_uuid(), 'meeting-reminder/' || n, 'meeting_reminder', '{{}}', 1, {lap}, {causer},
                '2026-11-22 11:00:00+00'::timestamptz + n * interval '1 us', gen_random_uuid(), 'scheduled',
                '2026-11-22 10:00:00+00', '2026-11-22 11:00:00+00', '2026-11-22 11:00:00+00', 0, false, 'test'
            FROM generate_series({first}, {last}) AS n"
        ))
    };
    let analyze = "VACUUM ANALYZE taskflow.deliveries";
    conn.execute(due(1, 1000, "gen_random_uuid()", "0")).await.expect("of many");
    conn.execute(analyze).await.expect("as after a while");
    let few = explain(&mut conn, &claim(ChannelKind::MAIL)).await;
    let one = "'00000000-0000-0000-0000-000000000001'::uuid";
    conn.execute(due(100_001, 200_000, one, "least(15, floor(log(2, n - 100000)))::smallint")).await.expect("of one");
    conn.execute(analyze).await.expect("as after a while");
    let many = explain(&mut conn, &claim(ChannelKind::MAIL)).await;
    for plan in [&few, &many] {
        assert!(plan.contains("idx_deliveries_lap") && !plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
    }
    assert!(pages_read(&many) * 2 < pages_read(&few) * 3, "{few}\n{many}");
    // Nor does it cost more to plan one more.
    let group = "'[{\"n\": 0, \"causer\": \"00000000-0000-0000-0000-000000000001\", \"priority\": 1,
        \"begins\": \"2026-11-22T11:00:00Z\", \"ends\": \"2026-11-22T11:01:00Z\"}]'";
    let last = statement(include_str!("../../src/deliveries/turns.rs"), "LAST_TURNS", &[group]);
    let plan = explain(&mut conn, &last).await;
    assert!(plan.contains("idx_deliveries_turn") && buffers(&plan) < 10, "{plan}");
}

#[tokio::test]
async fn what_an_earlier_release_planned_is_claimed_between_ours() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    // As an earlier release writes them: by priority, without a causer, a turn and a lap.
    conn.execute(
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state, planned_at,
            due_at, next_at, attempts, cancel_requested, reason)
        SELECT gen_random_uuid(), kind || '/' || n, kind, '{}', priority, 'x@example.org', 'scheduled', at, at, at, 0, false,
            'test'
        FROM (VALUES (0, 'welcome'), (1, 'meeting_invite'), (2, 'task_due'), (3, 'daily_summary')) AS k (priority, kind)
        CROSS JOIN generate_series(1, 3) AS n
        CROSS JOIN LATERAL (SELECT '2026-11-22 11:00:00+00'::timestamptz + n * interval '1 s' AS at) AS due",
    )
    .await
    .expect("rows of an earlier release");
    let request = ClaimRequest { kinds: NoticeKind::ALL.to_vec(), limit: 99, ..world.claim() };
    let claims = world.store.claim(&request).await.expect("a claim");
    let kinds: Vec<_> = claims.iter().map(|claim| claim.delivery.kind.as_str()).collect();
    assert_eq!(kinds[..3], ["welcome"; 3]);
    assert_eq!(kinds[3..6], ["meeting_invite"; 3]);
    assert_eq!(kinds[6..9], ["task_due"; 3]);
    assert_eq!(kinds[9..], ["daily_summary"; 3]);
}

/// 20,000 meetings of six people, fifty of them with ada, half of them over; of all others the reminders are planned.
async fn many_meetings(world: &World, conn: &mut PgConnection) -> User {
    let ada = world.somebody("ada").await;
    for fill in [
        "INSERT INTO taskflow.meetings (id, organizer_email, title, title_key, search_text, meeting_date, local_start,
            time_zone, tzdb, duration_minutes, meeting_type, reminder_minutes, sequence, version, created_at, updated_at)
        SELECT gen_random_uuid(), 'x@example.org', 'x', 'x', 'x', at, at AT TIME ZONE 'UTC', 'Etc/UTC',
            CASE WHEN n > 10000 THEN '2026f' ELSE '2026' || chr(97 + n % 5) END, 60, 'virtual', 15, 0, 1, now(), now()
        FROM generate_series(1, 20000) AS n
        CROSS JOIN LATERAL (SELECT '2026-11-22 12:00:00+00'::timestamptz + (n - 10000) * interval '1 min' AS at) AS start",
        "INSERT INTO taskflow.meeting_participants (id, meeting_id, user_id, email, email_key, role, response_status,
            version)
        SELECT gen_random_uuid(), m.id, CASE WHEN p = 1 AND m.place % 400 = 0 THEN u.id END, 'x@example.org', 'x' || p,
            'attendee', 'pending', 1
        FROM (SELECT id, row_number() OVER (ORDER BY meeting_date) AS place FROM taskflow.meetings) AS m
        CROSS JOIN generate_series(1, 6) AS p
        CROSS JOIN taskflow.users AS u",
        "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state, planned_at,
            due_at, next_at, attempts, cancel_requested, reason)
        SELECT gen_random_uuid(), concat('meeting-reminder/', m.id, '/',
                (extract(epoch FROM m.meeting_date) * 1000000)::bigint, '/', p.id, '/15'),
            'meeting_reminder', '{}', 1, 'x@example.org', 'scheduled', now(), m.meeting_date, m.meeting_date, 0, false, 'test'
        FROM taskflow.meetings AS m
        JOIN taskflow.meeting_participants AS p ON p.meeting_id = m.id
        WHERE p.user_id IS NULL",
    ] {
        conn.execute(fill).await.expect(fill);
    }
    for table in ["users", "meetings", "meeting_participants", "deliveries"] {
        conn.execute(AssertSqlSafe(format!("VACUUM ANALYZE taskflow.{table}"))).await.expect("as after a while");
    }
    ada
}

#[tokio::test]
async fn meetings_and_their_people_are_found_by_indexes() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    let ada = many_meetings(&world, &mut conn).await;
    let columns = statement(include_str!("../../src/meetings/list.rs"), "PAGE", &[]);
    let list = format!("{columns} '{}') AND cancelled_at IS NULL", ada.id);
    let upcoming =
        format!("{list} AND meeting_date >= '2026-11-22 12:00:00+00' AND meeting_date < '2026-11-23 12:00:00+00'");
    for list in [list, upcoming] {
        let plan = explain(&mut conn, &format!("{list} ORDER BY meeting_date DESC, id DESC LIMIT 50 OFFSET 0")).await;
        assert!(plan.contains("idx_meeting_participants_user_id"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(buffers(&plan) < 400, "{plan}");
    }
    let source = include_str!("../../src/meetings/participants.rs");
    let ids = "ARRAY(SELECT id FROM taskflow.meetings ORDER BY meeting_date DESC, id DESC LIMIT 20)";
    let plan = explain(&mut conn, &statement(source, "PARTICIPANTS", &[ids])).await;
    assert!(plan.contains("idx_meeting_participants_email") && !plan.contains("Seq Scan"), "{plan}");
    assert!(plan.contains("rows=120") && buffers(&plan) < 400, "{plan}");
}

#[tokio::test]
async fn the_repair_sweep_finds_what_it_looks_for_by_indexes() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    many_meetings(&world, &mut conn).await;
    let source = include_str!("../../src/meetings/repair.rs");
    let (now, nobody) = ("'2026-11-22 12:00:00+00'::timestamptz", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid");
    let tomorrow = "'2026-11-23 13:00:00+00'::timestamptz";
    let look = statement(source, "UNPLANNED", &[now, nobody, tomorrow, "'2026-11-21 12:00:00+00'::timestamptz", "500"]);
    let plan = explain(&mut conn, &look).await;
    assert!(plan.contains("idx_meetings_meeting_date") && plan.contains("idx_deliveries_dedupe_key"), "{plan}");
    assert!(!plan.contains("Seq Scan") && plan.contains("rows=500"), "{plan}");
    let count = format!("SELECT count(*) FROM ({look}) AS looked WHERE unplanned");
    let unplanned: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut conn).await.expect("a count");
    assert_eq!(unplanned, 1, "only ada's, one in four hundred");

    // What is over keeps the version it was found with, and is not read for that.
    let plan = explain(&mut conn, &statement(source, "BEFORE_TZDB", &["'2026f'", now, "100"])).await;
    assert!(plan.contains("idx_meetings_tzdb") && !plan.contains("Seq Scan"), "{plan}");
    assert!(buffers(&plan) < 60, "{plan}");
    let plan = explain(&mut conn, &statement(source, "BEFORE_TZDB", &["'2026g'", now, "100"])).await;
    assert!(plan.contains("rows=100") && buffers(&plan) < 200, "{plan}");
}

#[tokio::test]
async fn the_ledger_of_a_meeting_is_a_range_of_keys() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    many_meetings(&world, &mut conn).await;
    let last = "SELECT id::text FROM taskflow.meetings ORDER BY meeting_date DESC LIMIT 1";
    let id: String = sqlx::query_scalar(last).fetch_one(&mut conn).await.expect("a meeting");
    let range = [format!("'meeting-reminder/{id}/'"), format!("'meeting-reminder/{id}0'"), "10000".to_owned()];
    let range = range.each_ref().map(String::as_str);
    let plan = explain(&mut conn, &statement(include_str!("../../src/outbox.rs"), "WITH_KEY", &range)).await;
    assert!(plan.contains("idx_deliveries_dedupe_key") && !plan.contains("Sort"), "{plan}");
    assert!(buffers(&plan) < 30, "{plan}");
}

#[tokio::test]
async fn what_went_wrong_is_found_among_all_that_was_sent() {
    let world = World::new().await;
    let mut conn = world.connection().await;
    // Oldest first: what was sent, and after it a few of each that was not.
    let fill = "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
            due_at, next_at, attempts, settled_at, lease, lease_until, cancel_requested, reason, recurring)
        SELECT lpad(to_hex(n), 32, '0')::uuid, 'x/' || n, CASE WHEN n % 10000 = 1 THEN 'server_alert' ELSE 'task_due' END,
            '{}', 1, gen_random_uuid(), state, now(), now(), now(), 0,
            CASE WHEN state NOT IN ('scheduled', 'claimed') THEN now() END,
            CASE WHEN state = 'claimed' THEN gen_random_uuid() END, CASE WHEN state = 'claimed' THEN now() END, false, 'test',
            n % 10000 <> 1
        FROM generate_series(1, 100000) AS n
        CROSS JOIN LATERAL (SELECT CASE WHEN n <= 99000 THEN 'delivered'
            ELSE (ARRAY['scheduled', 'claimed', 'discarded', 'cancelled', 'expired'])[n % 5 + 1] END AS state) AS its";
    conn.execute(fill).await.expect("deliveries");
    conn.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");
    let source = include_str!("../../src/deliveries/list.rs");
    let (first, last) =
        ("'00000000-0000-0000-0000-000000000000'::uuid", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid");
    for (state, kind) in [
        ("scheduled", "NULL"),
        ("claimed", "NULL"),
        ("discarded", "NULL"),
        ("cancelled", "ARRAY['task_due']"),
        ("expired", "ARRAY['task_due']"),
        ("discarded,cancelled", "NULL"),
    ] {
        let states = format!("string_to_array('{state}', ',')");
        let parameters = [last, kind, &states, "50", first];
        let plan = explain(&mut conn, &statement(source, "DELIVERIES_IN", &parameters)).await;
        assert!(!plan.contains("Seq Scan") && buffers(&plan) < 260, "{state}: {plan}");
        assert!(plan.contains("rows=50"), "{state}: {plan}");
    }
    let parameters = [last, "ARRAY['server_alert']", "NULL", "50", first];
    let plan = explain(&mut conn, &statement(source, "DELIVERIES_OF", &parameters)).await;
    assert!(plan.contains("idx_deliveries_by_kind") && buffers(&plan) < 40, "{plan}");
}
