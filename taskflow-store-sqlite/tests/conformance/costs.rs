//! What statements cost: by their plans, and by the steps that SQLite's virtual machine takes for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};
use taskflow_conformance::sql::Statement;

use super::{File, statements};

/// Every statement finds its rows by an index, except the few that are meant to read all.
pub(crate) async fn no_statement_reads_a_whole_table(file: Arc<File>) {
    let mut conn = file.connection().await;
    let all = [
        "LEDGERS",
        "PURGED_DELIVERIES",
        "JOBS",
        "MAILS",
        "RECENT_MAIL",
        "KEEP",
        "HAS_TABLE",
        "APPLIED",
        "CONTENTS",
        "NODES",
        "FORGET_NODES",
        "PENDING",
    ];
    let complete = |sql: &str| !sql.ends_with('=') && !sql.starts_with("PRAGMA");
    for Statement { name, sql } in statements().into_iter().filter(|statement| complete(&statement.sql)) {
        let steps = plan(&mut conn, &sql).await;
        let scans = steps.iter().filter_map(|step| step.strip_prefix("SCAN "));
        let scans = scans.filter(|scan| is_of_a_table(scan, &sql) && !is_made_by_a_step(scan, &sql, &steps));
        assert!(scans.count() == 0 || all.contains(&name.as_str()), "{name}: {steps:#?}");
    }
}

/// Parameters, sub-queries and recursions are read as a whole: they hold what was asked for.
fn is_of_a_table(scan: &str, sql: &str) -> bool {
    let name = scan.split(' ').next().unwrap_or_default();
    let recursion = sql.strip_prefix("WITH RECURSIVE ").and_then(|rest| rest.split(' ').next());
    let of_recursion = recursion.is_some_and(|recursion| sql.contains(&format!("FROM {recursion} AS {name} ")));
    !of_recursion && !scan.contains("VIRTUAL TABLE") && !scan.contains('(') && !scan.contains("CONSTANT")
}

/// What a step has made before is read under its name, or under another that the statement gives it.
fn is_made_by_a_step(scan: &str, sql: &str, steps: &[String]) -> bool {
    let made = |step: &String| {
        let name = step.strip_prefix("CO-ROUTINE ").or_else(|| step.strip_prefix("MATERIALIZE "));
        name.is_some_and(|name| name == scan || sql.contains(&format!("FROM {name} AS {scan} ")))
    };
    steps.iter().any(made)
}

async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for statement in sql.split(';') {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained).fetch_all(&mut *conn).await.expect("a plan");
        steps.extend(plan.into_iter().map(|(_, _, _, step)| step));
    }
    steps
}

/// The one statement of this name.
fn statement(name: &str) -> String {
    let mut found = statements().into_iter().filter(|statement| statement.name == name);
    let statement = found.next().unwrap_or_else(|| panic!("there is no {name}"));
    assert_eq!(found.next(), None, "{name}");
    statement.sql
}

/// How many steps of the virtual machine a statement takes, and how many rows it gives.
async fn cost(conn: &mut SqliteConnection, name: &str, parameters: &[Parameter]) -> (u64, usize) {
    let sql = statement(name);
    let bound = || {
        parameters.iter().fold(sqlx::query(AssertSqlSafe(sql.clone())), |query, parameter| match parameter {
            Parameter::Text(text) => query.bind(*text),
            Parameter::Number(number) => query.bind(*number),
            Parameter::Null => query.bind(None::<String>),
        })
    };
    // Prepared and warm, so that only the execution is counted.
    bound().fetch_all(&mut *conn).await.expect("an answer");
    let steps = Arc::new(AtomicU64::new(0));
    let counter = steps.clone();
    conn.lock_handle().await.expect("the connection").set_progress_handler(1, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        true
    });
    let rows = bound().fetch_all(&mut *conn).await.expect("an answer").len();
    conn.lock_handle().await.expect("the connection").remove_progress_handler();
    (steps.load(Ordering::Relaxed), rows)
}

#[derive(Clone, Copy)]
enum Parameter {
    Text(&'static str),
    Number(i64),
    Null,
}

use Parameter::{Null, Number, Text};

/// Nothing is due at this instant.
const NOW: i64 = 1_000_000;

pub(crate) async fn a_claim_with_nothing_due_costs_the_same_among_many(file: Arc<File>) {
    let mut conn = file.connection().await;
    let kinds = Text(r#"["welcome", "task_due", "meeting_reminder"]"#);
    let due = [Number(NOW), kinds, Number(1), Number(0), Text("mail"), Number(100)];
    let lapsed = [Text("lease"), Number(60), Number(NOW), kinds, Number(100), Text("mail")];
    let planned = |first: u32, last: u32| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, attempts, cancel_requested, reason)
            SELECT printf('%036d', n), 'meeting-reminder/' || n, 'meeting_reminder', '{{}}', 1, 'ada@example.org',
                'scheduled', 0, 2000000 + n, 2000000 + n, 0, 0, 'a test'
            FROM n"
        ))
    };
    conn.execute(planned(1, 1)).await.expect("one planned delivery");
    let ranks = [Text("[[0, 0], [1, 0], [1, 1], [3, 16]]"), Number(NOW), Text("mail")];
    let one = (cost(&mut conn, "DUE", &due).await, cost(&mut conn, "CLAIM_LAPSED", &lapsed).await);
    let one_look = cost(&mut conn, "DUE_RANKS", &ranks).await;
    conn.execute(planned(2, 100_000)).await.expect("many planned deliveries");
    let many = (cost(&mut conn, "DUE", &due).await, cost(&mut conn, "CLAIM_LAPSED", &lapsed).await);
    assert_eq!(one, many);
    assert_eq!((many.0.1, many.1.1), (0, 0), "nothing is due");
    assert_eq!(cost(&mut conn, "DUE_RANKS", &ranks).await, one_look);

    let scheduled = "USING INDEX taskflow_idx_deliveries_scheduled (priority=? AND lap=? AND next_at<?)";
    let before_it = "USING INDEX taskflow_idx_deliveries_gathered (recipient_user=? AND next_at<?)";
    // The first one goes from what the index gave to its rows.
    let its_rows = "INTEGER PRIMARY KEY (rowid=?)";
    let lapsed = "USING INDEX taskflow_idx_deliveries_claimed (lease_until<?)";
    let on_a_channel =
        "USING INDEX taskflow_idx_deliveries_channel_lap (channel=? AND priority=? AND lap=? AND next_at<?)";
    for (name, searches) in
        [("DUE", vec![scheduled, before_it]), ("DUE_ON", vec![on_a_channel]), ("CLAIM_LAPSED", vec![its_rows, lapsed])]
    {
        let steps = plan(&mut conn, &statement(name)).await;
        let of_the_ledger: Vec<_> = steps.iter().filter(|step| step.starts_with("SEARCH ")).collect();
        assert_eq!(of_the_ledger.len(), searches.len(), "{name}: {steps:#?}");
        for (step, search) in of_the_ledger.iter().zip(searches) {
            assert!(step.ends_with(search), "{name}: {steps:#?}");
        }
    }
}

pub(crate) async fn a_claim_costs_the_same_when_one_account_has_made_many_due(file: Arc<File>) {
    let mut conn = file.connection().await;
    let due = |first: u32, last: u32, causer: &str, lap: &str| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, lap, causer, turn, recipient_address,
                state, planned_at, due_at, next_at, attempts, cancel_requested, reason)
            SELECT printf('%036d', n), 'meeting-reminder/' || n, 'meeting_reminder', '{{}}', 1, {lap}, {causer}, n,
                'ada@example.org', 'scheduled', 0, 0, 0, 0, 0, 'a test'
            FROM n"
        ))
    };
    let ranks = [Text("[[0, 0], [1, 0], [1, 1], [1, 13], [3, 16]]"), Number(NOW), Text("mail")];
    let groups = [Text(r#"[{"causer": "ada", "priority": 1, "begins": 0, "ends": 60000000}]"#)];
    conn.execute(due(1, 500, "n", "0")).await.expect("of many");
    conn.execute(due(501, 502, "'ada'", "13")).await.expect("of one");
    let few = (cost(&mut conn, "DUE_RANKS", &ranks).await, cost(&mut conn, "LAST_TURNS", &groups).await);
    conn.execute(due(503, 50_000, "'ada'", "13")).await.expect("many of one");
    let many = (cost(&mut conn, "DUE_RANKS", &ranks).await, cost(&mut conn, "LAST_TURNS", &groups).await);
    assert_eq!(few, many);
    let steps = plan(&mut conn, &statement("LAST_TURNS")).await;
    let index = "INDEX taskflow_idx_deliveries_turn (causer=? AND priority=? AND turn>? AND turn<?)";
    assert!(steps.iter().any(|step| step.ends_with(index)), "{steps:#?}");
    let kinds = Text(r#"["meeting_reminder"]"#);
    let due = [Number(NOW), kinds, Number(1), Number(13), Text("mail"), Number(100)];
    let (steps, rows) = cost(&mut conn, "DUE", &due).await;
    assert!(rows == 100 && steps < 10_000, "{steps} steps for {rows} rows");
}

pub(crate) async fn sweeps_cost_the_same_among_many_meetings_that_are_over(file: Arc<File>) {
    let mut conn = file.connection().await;
    let unplanned = [Number(NOW), Text("~"), Number(NOW + 1_000_000), Number(0), Number(200)];
    let before_tzdb = [Text("2026f"), Number(NOW), Number(100)];
    let meetings = |first: i64, last: i64, starts_at: i64| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_meetings (id, organizer_email, title, title_key, search_text, meeting_date,
                local_start, time_zone, tzdb, duration_minutes, meeting_type, reminder_minutes, sequence, version,
                created_at, updated_at)
            SELECT printf('%036d', n), 'ada@example.org', 'a', 'a', 'a', {starts_at}, 0, 'UTC', '2026e', 60,
                'in_person', 15, 0, 1, 0, 0
            FROM n"
        ))
    };
    conn.execute(meetings(1, 3, NOW + 500_000)).await.expect("a few that lie ahead");
    conn.execute(meetings(4, 4, NOW)).await.expect("one that has begun");
    conn.execute(meetings(5, 5, NOW + 9_000_000)).await.expect("one that begins much later");
    let by_new_rules = "UPDATE taskflow_meetings SET tzdb = '2026f' WHERE meeting_date > 9000000";
    conn.execute(by_new_rules).await.expect("new rules");
    let few = (cost(&mut conn, "UNPLANNED", &unplanned).await, cost(&mut conn, "BEFORE_TZDB", &before_tzdb).await);
    conn.execute(meetings(6, 20_000, NOW)).await.expect("many that are over");
    conn.execute(meetings(20_001, 40_000, NOW + 9_000_000)).await.expect("many that begin much later");
    conn.execute(by_new_rules).await.expect("new rules");
    let many = (cost(&mut conn, "UNPLANNED", &unplanned).await, cost(&mut conn, "BEFORE_TZDB", &before_tzdb).await);
    assert_eq!((many.0.1, many.1.1), (3, 3));
    assert_eq!(few, many);
}

pub(crate) async fn a_page_of_people_costs_the_same_among_many_of_other_zones_and_minutes(file: Arc<File>) {
    let mut conn = file.connection().await;
    let day = [Number(NOW - 1000), Number(NOW), Number(NOW), Number(NOW + 1000)];
    let chosen =
        [Text("Europe/Berlin"), Number(540), Text(""), Number(540), Number(11), Text("daily_summary"), Number(1)];
    let recipients: Vec<Parameter> = chosen.into_iter().chain(day).collect();
    let places =
        Text(r#"[{"zone": "Europe/Berlin", "first": 540, "last": 540}, {"zone": "UTC", "first": 1, "last": 2}]"#);
    let people = |first: u32, last: u32, zone: &str, minute: &str| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_users (id, username, username_key, email, email_key, email_verified, time_zone, locale,
                is_active, is_admin, version, created_at, updated_at, summary_minute)
            SELECT printf('%036d', n), n, n, n, n, 1, '{zone}', 'en', 1, 0, 1, 0, 0, {minute}
            FROM n"
        ))
    };
    conn.execute(people(50_000, 50_019, "Europe/Berlin", "540")).await.expect("twenty of this minute");
    conn.execute(people(1, 1, "UTC", "540")).await.expect("somebody elsewhere");
    let few = (cost(&mut conn, "RECIPIENTS", &recipients).await, cost(&mut conn, "OCCUPIED", &[places]).await);
    conn.execute(people(2, 49_999, "UTC", "540")).await.expect("many elsewhere");
    conn.execute(people(50_020, 99_999, "Europe/Berlin", "541 + n % 800")).await.expect("many of other minutes");
    let many = (cost(&mut conn, "RECIPIENTS", &recipients).await, cost(&mut conn, "OCCUPIED", &[places]).await);
    assert_eq!((many.0.1, many.1.1), (11, 1));
    assert_eq!(few, many);
}

pub(crate) async fn a_purge_costs_the_same_among_many_deliveries_that_are_kept(file: Arc<File>) {
    let mut conn = file.connection().await;
    let deliveries = |first: u32, last: u32, state: &str, settled_at: &str| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, attempts, settled_at, cancel_requested, reason)
            SELECT printf('%036d', n), 'welcome/' || n, 'welcome', '{{}}', 1, 'ada@example.org', '{state}', 0, 0, 0, 0,
                {settled_at}, 0, 'a test'
            FROM n"
        ))
    };
    conn.execute(deliveries(50_000, 50_009, "delivered", "999999")).await.expect("ten that were settled long ago");
    let slice = [Number(NOW), Number(5)];
    let few = cost(&mut conn, "PICK_DELIVERIES", &slice).await;
    // Planned long ago for a time to come, and settled lately.
    conn.execute(deliveries(1, 49_999, "scheduled", "NULL")).await.expect("many that are open");
    conn.execute(deliveries(50_010, 99_999, "delivered", "1000000")).await.expect("many that were settled lately");
    let many = cost(&mut conn, "PICK_DELIVERIES", &slice).await;
    assert_eq!(many.1, 5);
    assert_eq!(few, many);
}

pub(crate) async fn what_went_wrong_is_found_among_all_that_was_sent(file: Arc<File>) {
    let mut conn = file.connection().await;
    let rows = |first: u32, last: u32, state: &str, kind: &str| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, attempts, settled_at, lease, lease_until, cancel_requested, reason)
            SELECT printf('%036d', n), 'x/' || n, '{kind}', '{{}}', 1, 'ada@example.org', '{state}', 0, 0, 0, 0,
                CASE WHEN '{state}' IN ('scheduled', 'claimed') THEN NULL ELSE 0 END,
                CASE WHEN '{state}' = 'claimed' THEN 'x' END, CASE WHEN '{state}' = 'claimed' THEN 0 END, 0, 'a test'
            FROM n"
        ))
    };
    for (first, state, kind) in [
        (900_001, "scheduled", "task_due"),
        (900_101, "claimed", "task_due"),
        (900_201, "discarded", "task_due"),
        (900_301, "cancelled", "task_due"),
        (900_401, "expired", "task_due"),
        (900_501, "delivered", "server_alert"),
    ] {
        conn.execute(rows(first, first + 4, state, kind)).await.expect("a few of each");
    }
    // The middle two are the kinds and the states.
    let asked: [(&str, [Parameter; 5]); 6] = [
        ("DELIVERIES_IN", [Text("~"), Null, Text(r#"["scheduled"]"#), Number(50), Text("")]),
        ("DELIVERIES_IN", [Text("~"), Null, Text(r#"["claimed"]"#), Number(50), Text("")]),
        ("DELIVERIES_IN", [Text("~"), Null, Text(r#"["discarded"]"#), Number(50), Text("")]),
        ("DELIVERIES_IN", [Text("~"), Text(r#"["task_due"]"#), Text(r#"["cancelled"]"#), Number(50), Text("")]),
        ("DELIVERIES_IN", [Text("~"), Text(r#"["task_due"]"#), Text(r#"["expired"]"#), Number(50), Text("")]),
        ("DELIVERIES_OF", [Text("~"), Text(r#"["server_alert"]"#), Null, Number(50), Text("")]),
    ];
    let mut few = Vec::new();
    for (name, parameters) in &asked {
        few.push(cost(&mut conn, name, parameters).await);
    }
    assert!(few.iter().all(|(_, rows)| *rows == 5), "{few:?}");
    conn.execute(rows(1, 50_000, "delivered", "task_due")).await.expect("many that were sent");
    for ((name, parameters), few) in asked.iter().zip(few) {
        assert_eq!(cost(&mut conn, name, parameters).await, few, "{name}");
    }
}

pub(crate) async fn what_waits_for_its_next_try_is_found_among_many_that_wait_for_their_time(file: Arc<File>) {
    let mut conn = file.connection().await;
    let rows = |first: u32, last: u32, error: &str| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, first_claimed_at, last_error, attempts, cancel_requested, reason)
            SELECT printf('%036d', n), 'meeting-reminder/' || n, 'meeting_reminder', '{{}}', 1, 'ada@example.org',
                'scheduled', 0, 500000, 2000000 + n, 500000, {error}, 0, 0, 'a test'
            FROM n"
        ))
    };
    let backlog = [Number(NOW), Text("[[0, 0], [1, 0], [2, 0], [3, 0]]")];
    conn.execute(rows(1, 5, "'450 later'")).await.expect("a few that could not be sent");
    conn.execute(rows(6, 6, "NULL")).await.expect("one that waits for its time");
    let few = cost(&mut conn, "BACKLOG", &backlog).await;
    conn.execute(rows(7, 50_000, "NULL")).await.expect("many that wait for their time");
    assert_eq!(cost(&mut conn, "BACKLOG", &backlog).await, few);
    let steps = plan(&mut conn, &statement("BACKLOG")).await;
    let search = "USING INDEX taskflow_idx_deliveries_failed (due_at<?)";
    assert!(steps.iter().any(|step| step.ends_with(search)), "{steps:#?}");
}

pub(crate) async fn a_page_of_a_count_costs_the_same_among_many_rows(file: Arc<File>) {
    let mut conn = file.connection().await;
    let rows = |first: u32, last: u32| {
        AssertSqlSafe(format!(
            "WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last})
            INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state,
                planned_at, due_at, next_at, attempts, settled_at, cancel_requested, reason)
            SELECT printf('%036d', n), 'welcome/' || n, 'welcome', '{{}}', 1, 'ada@example.org', 'delivered', 0, 0, 0,
                0, 0, 0, 'a test'
            FROM n"
        ))
    };
    let (page, expired) = ([Text(""), Number(10)], [Number(NOW), Number(10)]);
    conn.execute(rows(1, 20)).await.expect("a few");
    let few = (cost(&mut conn, "DELIVERIES_PAGE", &page).await, cost(&mut conn, "COUNT_DELIVERIES", &expired).await);
    conn.execute(rows(21, 50_000)).await.expect("many");
    let many = (cost(&mut conn, "DELIVERIES_PAGE", &page).await, cost(&mut conn, "COUNT_DELIVERIES", &expired).await);
    assert_eq!(few, many);
}
