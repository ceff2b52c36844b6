//! Damaged rows, odd texts and looks from outside.

use std::sync::Arc;

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Deliveries, Maintenance, Outbox, Settled, Store, Tasks, Users};
use taskflow_core::{
    Actor, App, Changes, Outcome, Precondition, ProfileChange, Scope, Settlement, Task, TaskWrite, Timestamp, Write,
};

use crate::world::World;

#[tokio::test]
async fn an_unknown_zone_is_recorded_by_table_and_column_kept_as_it_is_and_can_be_mended() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    let damage = "UPDATE taskflow.users SET time_zone = 'Mars/Olympus' WHERE username = 'ada'";
    world.connection().await.execute(damage).await.expect("damage");

    let before = world.store.user(ada.id).await.expect("a read").expect("ada");
    assert_eq!(before.time_zone.name(), "Mars/Olympus", "kept, and goes by UTC");
    let recorded = || world.store.unreadable_rows().into_iter().filter(|row| row.id == ada.id.to_string());
    let columns: Vec<_> = recorded().map(|row| (row.table, row.column)).collect();
    assert_eq!(columns, [("taskflow.users", "time_zone")]);
    let loaded = world.store.users(&[ada.id, bob.id]).await.expect("a read");
    assert_eq!(loaded[&bob.id], Ok(bob.clone()));

    let app = App::builder(Arc::new(world.store.clone())).build();
    let change =
        ProfileChange { time_zone: Some("Europe/Berlin".parse().expect("a zone")), ..ProfileChange::default() };
    let update = app.accounts().update_profile(Actor::User(ada.id), ada.id, change, Precondition::Any);
    update.await.expect("mended");
    let after = world.store.user(ada.id).await.expect("a read").expect("ada");
    assert_eq!((after.time_zone.name(), recorded().count()), ("Europe/Berlin", 0));
}

#[tokio::test]
async fn a_poisoned_delivery_does_not_hold_up_the_others() {
    let world = World::new().await;
    let (ada, bob, cyd) = (world.somebody("ada").await, world.somebody("bob").await, world.somebody("cyd").await);
    let planned = [&ada, &bob, &cyd].map(|user| world.welcome(user));
    let [unknown, unreadable, good] = [planned[0].id, planned[1].id, planned[2].id];
    world.store.commit(&Changes::new().deliver(planned)).await.expect("deliveries");
    let mut other = world.connection().await;
    for (damage, id) in [
        ("UPDATE taskflow.deliveries SET notice = '{\"kind\": \"of tomorrow\"}' WHERE id = $1", unknown),
        ("UPDATE taskflow.deliveries SET recipient_user = NULL, recipient_address = 'x' WHERE id = $1", unreadable),
    ] {
        sqlx::query(damage).bind(id.as_uuid()).execute(&mut other).await.expect("damage");
    }

    let claimed = world.store.claim(&world.claim()).await.expect("a claim");
    let ids: Vec<_> = claimed.iter().map(|claim| claim.delivery.id).collect();
    assert_eq!(ids, [unknown, good], "the sender holds the first until it is mended and sends the second");
    let reason = claimed[0].delivery.notice.clone().expect_err("a notice nobody can read");
    assert!(reason.contains("taskflow.deliveries.notice"), "{reason}");
    assert!(claimed[1].delivery.notice.is_ok());
}

#[tokio::test]
async fn rows_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let changes = world.task(&ada).deliver([world.welcome(&ada)]);
    world.store.commit(&changes).await.expect("rows");
    let mut other = world.connection().await;
    for row in [
        "INSERT INTO taskflow.jobs (name, slot) VALUES ('statistics', '2026-11-22 12:00:00+00')",
        "INSERT INTO taskflow.job_runs (id, job, slot, since, trigger, dry_run, created_at, tries, counts)
        SELECT gen_random_uuid(), name, slot, slot, 'now', false, slot, 0, '{}' FROM taskflow.jobs",
    ] {
        other.execute(row).await.expect(row);
    }
    for damage in [
        "UPDATE taskflow.jobs SET slot = 'infinity'",
        "UPDATE taskflow.job_runs SET lease = gen_random_uuid()",
        "UPDATE taskflow.job_runs SET lease = gen_random_uuid(), lease_until = now(), finished_at = now()",
        "UPDATE taskflow.job_runs SET trigger = 'chance'",
        "UPDATE taskflow.job_runs SET job = 'unknown'",
        "UPDATE taskflow.job_runs SET tries = -1",
        "UPDATE taskflow.job_runs SET counts = 'no JSON'",
        "INSERT INTO taskflow.job_runs SELECT gen_random_uuid(), job, slot, since, trigger, dry_run, created_at, NULL, NULL,
            NULL, 0, NULL, counts FROM taskflow.job_runs",
        "INSERT INTO taskflow.ledger_totals VALUES ('2026-11-22', 'welcome', 'scheduled', 1)",
        "UPDATE taskflow.feed_heads SET changed_at = 'infinity'",
        "UPDATE taskflow.users SET version = 0",
        "UPDATE taskflow.users SET created_at = 'infinity'",
        "UPDATE taskflow.users SET created_at = '-infinity'",
        "UPDATE taskflow.users SET updated_at = '10000-01-01 00:00:00+00'",
        "UPDATE taskflow.users SET created_at = '0001-12-31 23:59:59+00 BC'",
        "UPDATE taskflow.users SET username = ''",
        "UPDATE taskflow.tasks SET title = ''",
        "UPDATE taskflow.tasks SET title = repeat('x', 201)",
        "UPDATE taskflow.tasks SET due_at = 'infinity'",
        "UPDATE taskflow.tasks SET status = 'done'",
        "UPDATE taskflow.tasks SET status = 'completed'",
        "UPDATE taskflow.tasks SET completed_at = now()",
        "UPDATE taskflow.tasks SET reminder_minutes = 5",
        "UPDATE taskflow.tasks SET priority = 4",
        "UPDATE taskflow.deliveries SET state = 'lost'",
        "UPDATE taskflow.deliveries SET state = 'claimed'",
        "UPDATE taskflow.deliveries SET state = 'delivered'",
        "UPDATE taskflow.deliveries SET lease = gen_random_uuid()",
        "UPDATE taskflow.deliveries SET cancel_requested = true",
        "UPDATE taskflow.deliveries SET recipient_user = NULL",
        "UPDATE taskflow.deliveries SET recipient_address = 'ada@example.org'",
        "UPDATE taskflow.deliveries SET next_at = 'infinity'",
        "UPDATE taskflow.events SET data = 'no JSON'",
        "UPDATE taskflow.events SET at = 'infinity'",
        "UPDATE taskflow.feed SET event_id = gen_random_uuid()",
        "UPDATE taskflow.feed SET seq = 0",
        "DELETE FROM taskflow.users",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
}

#[tokio::test]
async fn a_row_edited_by_hand_gets_a_new_updated_at_and_our_own_writes_keep_theirs() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let changes = world.task(&ada);
    let Write::Task(TaskWrite::Insert(task)) = changes.writes[0].clone() else { panic!("a task") };
    world.store.commit(&changes).await.expect("a task");
    // Another version with the same updated_at, as two changes in one microsecond have.
    let next = Task { version: 2, ..task.clone() };
    world.store.commit(&Changes::new().write(TaskWrite::Update(next.clone()))).await.expect("a change");
    assert_eq!(world.store.task(Scope::own(ada.id), task.id).await.expect("a read"), Some(next.clone()));

    let mut other = world.connection().await;
    other.execute("UPDATE taskflow.tasks SET priority = 3").await.expect("an edit");
    let edited = world.store.task(Scope::own(ada.id), task.id).await.expect("a read").expect("a task");
    assert_ne!(edited.updated_at, next.updated_at);
    other.execute("UPDATE taskflow.tasks SET updated_at = '2026-01-01 00:00:00+00'").await.expect("an edit");
    let set = world.store.task(Scope::own(ada.id), task.id).await.expect("a read").expect("a task");
    assert_eq!(set.updated_at.to_string(), "2026-01-01T00:00:00.000000Z");
}

#[tokio::test]
async fn the_outbox_can_be_looked_at_in_plain_sql() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    world.store.commit(&Changes::new().deliver([world.welcome(&ada)])).await.expect("a delivery");
    let row: (String, String, String, Option<String>) = sqlx::query_as(
        "SELECT recipient, state, to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), settled_at::text
        FROM taskflow.outbox_status",
    )
    .fetch_one(&mut world.connection().await)
    .await
    .expect("a row");
    assert_eq!((row.0.as_str(), row.1.as_str(), row.3), ("ada@example.org", "scheduled", None));
    assert_eq!(row.2.parse::<Timestamp>(), Ok(noon()));
}

#[tokio::test]
async fn the_character_nul_is_replaced_in_what_a_relay_says() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let welcome = world.welcome(&ada);
    world.store.commit(&Changes::new().deliver([welcome.clone()])).await.expect("a delivery");
    let claim = world.store.claim(&world.claim()).await.expect("a claim").pop().expect("one delivery");
    let outcome = Outcome::Retry { next_at: noon(), error: "a\0b".to_owned() };
    let settlement = Settlement { id: welcome.id, lease: claim.lease, at: noon(), outcome, effect: None };
    assert_eq!(world.store.settle(&[settlement]).await.expect("settled"), [Settled::Applied]);
    let (delivery, attempts) = world.store.delivery(welcome.id).await.expect("a read").expect("a delivery");
    assert_eq!(delivery.last_error.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(attempts[0].error, "a\u{fffd}b");
}
