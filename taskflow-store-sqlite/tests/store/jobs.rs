//! What the recurring duties need of this store alone.

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{CohortScan, Deliveries, DigestQuery, Expired, JobStore, Maintenance, Outbox, Store};
use taskflow_core::{Changes, Day, JobName, Settlement, User, UserId, UserWrite, Zone};

use super::world::World;

fn open_tasks_of(user: UserId) -> DigestQuery {
    let date = noon().to_chrono().date_naive();
    DigestQuery { user_id: user, date, now: noon(), day: Day::of(date, &Zone::utc()), whole: false }
}

#[tokio::test]
async fn a_damaged_task_spoils_no_digest() {
    let world = World::new().await;
    let (ada, bob) = (world.somebody("ada").await, world.somebody("bob").await);
    for owner in [&ada, &bob] {
        world.store.commit(&world.task(owner)).await.expect("a task");
    }
    let damage = "UPDATE taskflow_tasks SET due_at = 9223372036854775807
        WHERE user_id = (SELECT id FROM taskflow_users WHERE username = 'ada')";
    world.connection().await.execute(damage).await.expect("damage");

    let queries = [ada.id, bob.id].map(open_tasks_of);
    let digests = world.store.digests(&queries).await.expect("digests");
    assert!(digests.iter().all(|digest| digest.as_ref().expect("a digest").open() == 1));
}

#[tokio::test]
async fn a_damaged_task_does_not_keep_others_from_the_trash() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    for _ in 0..2 {
        world.store.commit(&world.task(&ada)).await.expect("a task");
    }
    let mut other = world.connection().await;
    other.execute("UPDATE taskflow_tasks SET status = 'completed', completed_at = 1").await.expect("done");
    let damage = "UPDATE taskflow_tasks SET due_at = 9223372036854775807 WHERE rowid = 1";
    other.execute(damage).await.expect("damage");
    assert_eq!(world.store.tasks_completed_before(noon(), 10).await.expect("a read").len(), 2);
}

#[tokio::test]
async fn a_purge_removes_as_many_as_were_asked_for_and_counts_them() {
    let world = World::new().await;
    let users: Vec<User> = (0..450).map(|n| world.user(&format!("user-{n}"))).collect();
    let changes = users.iter().fold(Changes::new(), |changes, user| {
        changes.write(UserWrite::Insert(user.clone())).deliver([world.welcome(user)])
    });
    world.store.commit(&changes).await.expect("people");
    loop {
        let claimed = world.store.claim(&world.claim()).await.expect("a claim");
        if claimed.is_empty() {
            break;
        }
        let outcome = |reply: &str| taskflow_core::Outcome::Delivered { reply: reply.to_owned() };
        let settle = |claim: &taskflow_core::ports::Claimed| Settlement {
            id: claim.delivery.id,
            lease: claim.lease,
            at: noon(),
            outcome: outcome("250 ok"),
            effect: None,
        };
        let settlements: Vec<Settlement> = claimed.iter().map(settle).collect();
        world.store.settle(&settlements).await.expect("settled");
    }
    let before = world.store.ledger().await.expect("a ledger");
    let expired = Expired::Deliveries(noon() + std::time::Duration::from_secs(1));
    let mut removed = Vec::new();
    for limit in [410, 410] {
        removed.push(world.store.purge(expired, limit).await.expect("purged"));
        assert_eq!(world.store.ledger().await.expect("a ledger"), before);
    }
    assert_eq!(removed, [410, 40]);
    let (day, count): (String, i64) = sqlx::query_as("SELECT day, count FROM taskflow_ledger_totals")
        .fetch_one(&mut world.connection().await)
        .await
        .expect("one total");
    assert_eq!((day.as_str(), count), ("2026-11-22", 450));
}

#[tokio::test]
async fn runs_that_core_could_not_read_are_refused_by_the_schema() {
    let world = World::new().await;
    assert!(world.store.advance_to(JobName::STATISTICS, None, noon()).await.expect("an answer"));
    let mut other = world.connection().await;
    let run = "INSERT INTO taskflow_job_runs (id, job, slot, since, trigger, dry_run, created_at, tries, counts)
        VALUES ('0198c0de-0000-7000-8000-000000000001', 'statistics', 1, 0, 'slot', 0, 0, 0, '{}')";
    other.execute(run).await.expect("a run");
    for damage in [
        "UPDATE taskflow_job_runs SET trigger = 'chance'",
        "UPDATE taskflow_job_runs SET counts = 'no JSON'",
        "UPDATE taskflow_job_runs SET lease = 'x'",
        "UPDATE taskflow_job_runs SET lease = 'x', lease_until = 1, finished_at = 1",
        "UPDATE taskflow_job_runs SET job = 'unknown'",
        "INSERT INTO taskflow_ledger_totals (day, kind, state, count) VALUES ('2026-11-22', 'welcome', 'scheduled', 1)",
    ] {
        assert!(other.execute(damage).await.is_err(), "{damage}");
    }
}
