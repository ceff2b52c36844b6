//! The suite over databases of PostgreSQL, each case a test of its own; and that it leaves no statement unexecuted.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use libtest_mimic::{Arguments, Trial};
use sqlx::{Executor, PgConnection, Row};
use taskflow_conformance::OpenStore;
use taskflow_conformance::sql::{self, Executed, Statement};
use taskflow_conformance::workbench::TestKit;
use taskflow_core::ports::{Deliveries, EventBus, NoBus, Outbox, Signal, Storage, Store};
use taskflow_core::{Changes, Timestamp, UserId};
use taskflow_store_postgres::{PgOptions, PgPulse, PgStore};
use taskflow_store_sql::expand;
use taskflow_testkit::cluster::Database;
use uuid::Uuid;

fn main() {
    let executed = Executed::capture();
    let cases = taskflow_conformance::cases().into_iter().map(|case| {
        Trial::test(format!("postgres::{}", case.name), move || {
            runtime()?.block_on(async { (case.run)(Own::open().await).await });
            Ok(())
        })
    });
    let complete = Trial::test("postgres::sql::every_constant_is_executed_by_the_suite", move || {
        runtime()?.block_on(run_everything());
        Ok(executed.all_of(&statements())?)
    });
    let planned = Trial::test("postgres::sql::no_statement_reads_a_whole_table", || {
        runtime()?.block_on(explain_everything());
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), cases.chain([complete, planned]).collect()).exit();
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// The statements of this store.
fn statements() -> Vec<Statement> {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    sql::statements(sources, expand::<sqlx::Postgres>).expect("the sources of this store")
}

/// The suite, and what a host does before and after.
async fn run_everything() {
    let cases = taskflow_conformance::cases().into_iter().map(|case| async move {
        let own = Own::open().await;
        (case.run)(Arc::<Own>::clone(&own)).await;
        if case.name.starts_with("tasks::") || case.name.starts_with("meetings::") {
            own.fold_anew().await;
        }
    });
    stream::iter(cases).buffer_unordered(4).collect::<()>().await;
    let own = Own::open().await;
    assert!(own.store.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
    // Long enough for a connection to be asked before it is used.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    own.storage().ping().await.expect("an answer");
    set_a_delivery_aside(own.store.clone(), &mut own.database.connection().await).await;
    let pulse = PgPulse::start(&own.store, Arc::new(NoBus));
    let user = UserId::from_uuid(Uuid::nil());
    pulse.publish(&[Signal::SessionsEnded { user, only: None, at: Timestamp::from_micros(0) }]);
    pulse.close().await;
    own.store.close().await;
}

/// A delivery that cannot be read is set aside.
async fn set_a_delivery_aside(store: PgStore, conn: &mut PgConnection) {
    let kit = TestKit::new(store);
    let ada = kit.somebody("ada").await;
    kit.store.commit(&Changes::new().deliver([kit.welcome(&ada)])).await.expect("a delivery");
    let damage = "UPDATE taskflow.deliveries SET recipient_user = NULL, recipient_address = 'x'";
    conn.execute(damage).await.expect("damage");
    assert!(kit.store.claim(&kit.claim()).await.expect("a claim").is_empty());
    assert!(kit.store.ledger().await.expect("a ledger").balances());
}

/// Every statement finds its rows by an index whatever its parameters are, except the few that are meant to read all.
async fn explain_everything() {
    let own = Own::open().await;
    let mut conn = own.database.connection().await;
    conn.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").await.expect("settings");
    // The last reads a row per kind of text.
    let all = ["LEDGERS", "PURGED_DELIVERIES", "NODES", "FORGET_NODES", "PENDING"];
    for Statement { name, sql } in statements() {
        // What is completed at run time, and what reads no table of ours.
        if sql.ends_with('=') || sql.starts_with("CREATE") || !sql.contains(" taskflow.") {
            continue;
        }
        let parameters = (1..20).take_while(|n| sql.contains(&format!("${n}"))).map(|_| "NULL").collect::<Vec<_>>();
        let arguments = if parameters.is_empty() { String::new() } else { format!("({})", parameters.join(", ")) };
        conn.execute(sqlx::AssertSqlSafe(format!("PREPARE s AS {sql}"))).await.expect(&name);
        let explain = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE s{arguments}")));
        let plan: Vec<String> =
            explain.fetch_all(&mut conn).await.expect(&name).iter().map(|row| row.get::<String, _>(0)).collect();
        let scans = plan.iter().any(|step| step.contains("Seq Scan") || step.contains("Full"));
        assert!(!scans || all.contains(&name.as_str()), "{name}: {plan:#?}");
        conn.execute("DEALLOCATE s").await.expect("forgotten");
    }
}

/// A store in a fresh database.
struct Own {
    store: PgStore,
    database: Database,
}

impl Own {
    /// Stores texts for searches and a reminder as an earlier release did, and migrates.
    async fn fold_anew(&self) {
        let mut conn = self.database.connection().await;
        for statement in [
            "UPDATE taskflow.tasks SET search_text = 'cafe\u{301}'",
            "UPDATE taskflow.meetings SET search_text = 'cafe\u{301}'",
            "UPDATE taskflow.search_refolds SET after = '00000000-0000-0000-0000-000000000000'",
            "INSERT INTO taskflow.deliveries (id, dedupe_key, kind, notice, priority, recipient_address, state, planned_at,
                due_at, next_at, attempts, cancel_requested, reason)
            VALUES (gen_random_uuid(), 'of the release before', 'task_due', '{}', 2, 'ada@example.org', 'scheduled', now(),
                now(), now(), 0, false, 'test')",
        ] {
            conn.execute(statement).await.expect(statement);
        }
        self.store.migrate().await.expect("migrated");
    }

    async fn open() -> Arc<Self> {
        let database = Database::migrated(|url| async move {
            PgStore::connect(&url, PgOptions::default()).await.expect("a store").close().await;
        });
        let database = database.await;
        let options = PgOptions::default().without_migrating().connections(8);
        Arc::new(Self { store: PgStore::connect(&database.url, options).await.expect("a store"), database })
    }
}

#[async_trait]
impl OpenStore for Own {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.store.clone())
    }

    async fn lapse_leases(&self) {
        let lapse = "
            UPDATE taskflow.deliveries SET lease_until = '1970-01-01 00:00:00+00' WHERE state = 'claimed';
            UPDATE taskflow.job_runs SET lease_until = '1970-01-01 00:00:00+00' WHERE lease IS NOT NULL";
        self.database.connection().await.execute(lapse).await.expect("lapsed");
    }
}
