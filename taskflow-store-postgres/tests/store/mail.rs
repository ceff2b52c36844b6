//! Preferences, suppressions and the ledger: what other releases write, and what the schema refuses.

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{ClaimRequest, Deliveries, DeliveryQuery, Outbox, Store, Suppressions, Users};
use taskflow_core::{
    Changes, ChannelKind, NoticeKind, Preferences, Recipient, Suppression, SuppressionCause, SuppressionWrite,
    UserWrite,
};

use crate::world::World;

fn suppression(detail: &str) -> Suppression {
    let email = "ada@example.org".parse().expect("an address");
    Suppression::new(email, SuppressionCause::Admin, detail.to_owned(), noon())
}

#[tokio::test]
async fn what_the_release_before_writes_gets_the_usual_preferences_and_keeps_others() {
    let world = World::new().await;
    let mut other = world.connection().await;
    let by_the_release_before =
        "INSERT INTO taskflow.users (id, username, username_key, email, email_key, email_verified,
            time_zone, locale, is_active, is_admin, version, created_at, updated_at)
        VALUES (gen_random_uuid(), 'ada', 'ada', 'a@example.org', 'a@example.org', false, 'UTC', 'en', true, false, 1,
            now(), now())";
    other.execute(by_the_release_before).await.expect("a person");
    let ada = world.store.users_after(None, 1).await.expect("a read").remove(0);
    assert_eq!(ada.preferences, Preferences::default());

    let without = ada.with_preferences(ada.preferences.without(NoticeKind::TaskDue), noon());
    world.store.commit(&Changes::new().write(UserWrite::Update(without.clone()))).await.expect("a change");
    other.execute("UPDATE taskflow.users SET locale = 'de', version = 3").await.expect("a change");
    let after = world.store.user(ada.id).await.expect("a read").expect("a person");
    assert_eq!(after.preferences, without.preferences);
}

#[tokio::test]
async fn what_the_release_before_planned_is_listed_and_gathered() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    for (n, kind, priority) in
        [(1, "task_due", 2), (2, "task_due", 2), (3, "password_changed", 0), (4, "daily_summary", 3)]
    {
        let by_the_release_before = format!(
            "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            VALUES (gen_random_uuid(), 'x/{n}', '{kind}', '{{}}', {priority}, '{}', 'scheduled', now(), '2026-11-22', '2026-11-22',
                0, false, 'test')",
            ada.id
        );
        other.execute(sqlx::AssertSqlSafe(by_the_release_before)).await.expect("a delivery");
    }
    let listed = async |kind| {
        let query = DeliveryQuery { kinds: vec![kind], ..DeliveryQuery::default() };
        world.store.deliveries(&query, None, 9).await.expect("a page").len()
    };
    assert_eq!((listed(NoticeKind::PasswordChanged).await, listed(NoticeKind::DailySummary).await), (1, 1));

    world.store.migrate().await.expect("as at the next start");
    let reminders =
        ClaimRequest { channel: ChannelKind::MAIL, kinds: vec![NoticeKind::TaskDue], limit: 1, ..world.claim() };
    let claimed = world.store.claim(&reminders).await.expect("a claim");
    assert_eq!(claimed.len(), 2, "they are one mail");
    assert!(world.store.ledger().await.expect("a count").balances());
}

#[tokio::test]
async fn a_kind_of_a_newer_release_is_no_error_and_stays_switched_off() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let mut other = world.connection().await;
    let newer = "UPDATE taskflow.users SET mail_off = '{of_tomorrow,task_due}', updated_at = now()";
    other.execute(newer).await.expect("by a newer release");
    let found = world.store.user(ada.id).await.expect("a read").expect("a person");
    assert_eq!(Vec::from_iter(found.preferences.off.clone()), [NoticeKind::TaskDue]);
    let on = found.with_preferences(Preferences::default().without(NoticeKind::DailySummary), noon());
    world.store.commit(&Changes::new().write(UserWrite::Update(on.clone()))).await.expect("a change");
    assert_eq!(world.store.user(ada.id).await.expect("a read"), Some(on));
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT mail_off FROM taskflow.users").fetch_one(&mut other).await.expect("a read");
    assert_eq!(kept, ["daily_summary", "of_tomorrow"]);
}

#[tokio::test]
async fn preferences_and_suppressions_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    world.somebody("ada").await;
    world.store.commit(&Changes::new().write(SuppressionWrite::Add(suppression("")))).await.expect("suppressed");
    let mut other = world.connection().await;
    for damage in [
        "UPDATE taskflow.users SET mail_off = NULL",
        "UPDATE taskflow.users SET mail_off = ARRAY[NULL]",
        "UPDATE taskflow.users SET quiet_from = 60",
        "UPDATE taskflow.users SET quiet_until = 60",
        "UPDATE taskflow.users SET quiet_from = 60, quiet_until = 60",
        "UPDATE taskflow.users SET quiet_from = 60, quiet_until = 1440",
        "UPDATE taskflow.users SET quiet_from = -1, quiet_until = 60",
        "UPDATE taskflow.users SET summary_minute = 1440",
        "UPDATE taskflow.users SET summary_days = 128",
        "UPDATE taskflow.users SET summary_days = NULL",
        "UPDATE taskflow.suppressions SET cause = 'boredom'",
        "UPDATE taskflow.suppressions SET at = 'infinity'",
        "UPDATE taskflow.suppressions SET email = ''",
        "INSERT INTO taskflow.suppressions SELECT * FROM taskflow.suppressions",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
    other.execute("UPDATE taskflow.users SET quiet_from = 1320, quiet_until = 420").await.expect("quiet hours");
}

#[tokio::test]
async fn the_character_nul_is_replaced_in_what_a_report_says() {
    let world = World::new().await;
    world.store.commit(&Changes::new().write(SuppressionWrite::Add(suppression("a\0b")))).await.expect("suppressed");
    let found = world.store.suppressions_after(None, 1).await.expect("a page");
    assert_eq!(found, [suppression("a\u{fffd}b")]);
}

#[tokio::test]
async fn what_somebody_got_is_found_without_reading_what_others_got() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&Changes::new().deliver([world.welcome(&ada)])).await.expect("a delivery");
    let mut other = world.connection().await;
    let many = "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_user,
            recipient_address, state, planned_at, due_at, next_at, attempts, cancel_requested, reason)
        SELECT gen_random_uuid(), 'of others/' || n, 'welcome', '{\"kind\": \"welcome\"}', 0,
            CASE WHEN n % 2 = 0 THEN gen_random_uuid() END,
            CASE WHEN n % 2 = 1 THEN 'Somebody-' || n || '@example.org' END, 'scheduled', now(), now(), now(), 0, false, 'test'
        FROM generate_series(1, 50000) AS n";
    other.execute(many).await.expect("deliveries of others");
    other.execute("VACUUM ANALYZE taskflow.deliveries").await.expect("as after a while");

    let to = |email: &str| vec![Recipient::User(ada.id), Recipient::Address(email.parse().expect("an address"))];
    let query = DeliveryQuery { recipients: Some(to("SOMEBODY-4711@example.org")), ..DeliveryQuery::default() };
    let found = world.store.deliveries(&query, None, 50).await.expect("a page");
    assert_eq!(found.len(), 2);

    let source = include_str!("../../src/deliveries/list.rs");
    let start = source.find("DELIVERIES_TO: &str = \"").expect("the statement") + "DELIVERIES_TO: &str = \"".len();
    let sql = source[start..start + source[start..].find("\";").expect("its end")].replace("\\\"", "\"");
    other.execute("SET plan_cache_mode = force_generic_plan").await.expect("a setting");
    other.execute(sqlx::AssertSqlSafe(format!("PREPARE page AS {sql}"))).await.expect("prepared");
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF)
        EXECUTE page ('ffffffff-ffff-ffff-ffff-ffffffffffff', NULL, NULL, 50, '00000000-0000-0000-0000-000000000000',
            ARRAY['{}'::uuid], ARRAY['somebody-4711@example.org'])",
        ada.id
    );
    let plan: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_all(&mut other).await.expect("a plan");
    let plan = plan.join("\n");
    assert!(plan.contains("idx_deliveries_recipient_user"), "{plan}");
    assert!(plan.contains("idx_deliveries_recipient_address"), "{plan}");
    let buffers = plan.lines().find(|line| line.contains("Buffers:")).expect("buffers");
    let pages: u64 = buffers.split(['=', ' ']).filter_map(|word| word.parse::<u64>().ok()).sum();
    assert!(pages < 20, "{plan}");
}
