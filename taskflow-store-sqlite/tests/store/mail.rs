//! Preferences, suppressions and the ledger: what other releases write, and what the schema refuses.

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{ClaimRequest, Deliveries, DeliveryQuery, Outbox, Store, Users};
use taskflow_core::{
    Changes, ChannelKind, NoticeKind, Preferences, Suppression, SuppressionCause, SuppressionWrite, UserWrite,
};

use crate::world::World;

#[tokio::test]
async fn what_the_release_before_writes_gets_the_usual_preferences_and_keeps_others() {
    let world = World::new().await;
    let mut other = world.connection().await;
    let by_the_release_before = "INSERT INTO taskflow_users (id, username, username_key, email, email_key, email_verified,
            time_zone, locale, is_active, is_admin, version, created_at, updated_at)
        VALUES ('0198c0de-0000-7000-8000-000000000001', 'ada', 'ada', 'a@example.org', 'a@example.org', 0, 'UTC', 'en', 1,
            0, 1, 0, 0)";
    other.execute(by_the_release_before).await.expect("a person");
    let ada = world.store.users_after(None, 1).await.expect("a read").remove(0);
    assert_eq!(ada.preferences, Preferences::default());

    let without = ada.with_preferences(ada.preferences.without(NoticeKind::TaskDue), noon());
    world.store.commit(&Changes::new().write(UserWrite::Update(without.clone()))).await.expect("a change");
    other.execute("UPDATE taskflow_users SET locale = 'de', version = 3").await.expect("a change");
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
            "INSERT INTO taskflow_deliveries (id, dedupe_key, kind, notice, priority, recipient_user, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            VALUES ('0198c0de-0000-7000-8000-00000000000{n}', 'x/{n}', '{kind}', '{{}}', {priority}, '{}', 'scheduled', 0,
                0, 0, 0, 0, 'test')",
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
    let newer = "UPDATE taskflow_users SET mail_off = '[\"of_tomorrow\", \"task_due\"]'";
    other.execute(newer).await.expect("by a newer release");
    let found = world.store.user(ada.id).await.expect("a read").expect("a person");
    assert_eq!(Vec::from_iter(found.preferences.off.clone()), [NoticeKind::TaskDue]);
    let on = found.with_preferences(Preferences::default().without(NoticeKind::DailySummary), noon());
    world.store.commit(&Changes::new().write(UserWrite::Update(on.clone()))).await.expect("a change");
    assert_eq!(world.store.user(ada.id).await.expect("a read"), Some(on));
    let kept: String =
        sqlx::query_scalar("SELECT mail_off FROM taskflow_users").fetch_one(&mut other).await.expect("a read");
    assert_eq!(kept, r#"["daily_summary","of_tomorrow"]"#);
}

#[tokio::test]
async fn preferences_and_suppressions_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    world.somebody("ada").await;
    let email = "ada@example.org".parse().expect("an address");
    let new = Suppression::new(email, SuppressionCause::Admin, String::new(), noon());
    world.store.commit(&Changes::new().write(SuppressionWrite::Add(new))).await.expect("suppressed");
    let mut other = world.connection().await;
    for damage in [
        "UPDATE taskflow_users SET mail_off = 'nothing'",
        "UPDATE taskflow_users SET mail_off = '{}'",
        "UPDATE taskflow_users SET mail_off = NULL",
        "UPDATE taskflow_users SET quiet_from = 60",
        "UPDATE taskflow_users SET quiet_until = 60",
        "UPDATE taskflow_users SET quiet_from = 60, quiet_until = 60",
        "UPDATE taskflow_users SET quiet_from = 60, quiet_until = 1440",
        "UPDATE taskflow_users SET quiet_from = -1, quiet_until = 60",
        "UPDATE taskflow_users SET summary_minute = 1440",
        "UPDATE taskflow_users SET summary_days = 128",
        "UPDATE taskflow_users SET summary_days = NULL",
        "UPDATE taskflow_suppressions SET cause = 'boredom'",
        "UPDATE taskflow_suppressions SET at = 'yesterday'",
        "INSERT INTO taskflow_suppressions SELECT * FROM taskflow_suppressions",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
    other.execute("UPDATE taskflow_users SET quiet_from = 1320, quiet_until = 420").await.expect("quiet hours");
    other.execute("UPDATE taskflow_users SET mail_off = '[1]'").await.expect("what no check looks at");
    let user = world.store.users_after(None, 1).await.expect("a read").remove(0);
    assert!(NoticeKind::ALL.iter().all(|kind| user.preferences.wants(*kind) != kind.can_be_switched_off()));
}

#[tokio::test]
async fn whose_summary_is_due_and_what_somebody_got_are_found_by_indexes() {
    let world = World::new().await;
    let mut other = world.connection().await;
    for (question, index) in [
        (
            "SELECT id FROM taskflow_users WHERE time_zone = 'UTC' AND summary_minute = 540 AND id > '' ORDER BY id LIMIT 9",
            "COVERING INDEX taskflow_idx_users_summary (time_zone=? AND summary_minute=? AND id>?)",
        ),
        (
            "SELECT id FROM taskflow_deliveries WHERE recipient_user = 'x' AND state IN ('scheduled', 'claimed')",
            "INDEX taskflow_idx_deliveries_recipient_user (recipient_user=?)",
        ),
        (
            "SELECT state FROM taskflow_deliveries WHERE lower(recipient_address) = 'x' AND recipient_address IS NOT NULL
                AND id > '' ORDER BY id LIMIT 9",
            "INDEX taskflow_idx_deliveries_recipient_address (<expr>=? AND id>?)",
        ),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut other).await.expect("a plan");
        assert!(plan.len() == 1 && plan[0].3.ends_with(index), "{plan:?}");
    }
}
