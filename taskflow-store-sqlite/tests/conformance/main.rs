//! The suite over files of SQLite, each case a test of its own; and that it leaves no statement unexecuted.

mod costs;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Trial};
use sqlx::{Connection, Executor, SqliteConnection};
use taskflow_conformance::OpenStore;
use taskflow_conformance::sql::{self, Executed, Statement};
use taskflow_conformance::workbench::TestKit;
use taskflow_core::Changes;
use taskflow_core::ports::{Deliveries, Outbox, Storage, Store};
use taskflow_store_sql::expand;
use taskflow_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

fn main() {
    let executed = Executed::capture();
    let cases = taskflow_conformance::cases().into_iter().map(|case| {
        Trial::test(format!("sqlite::{}", case.name), move || {
            runtime()?.block_on(async { (case.run)(File::open().await).await });
            Ok(())
        })
    });
    let complete = Trial::test("sqlite::sql::every_constant_is_executed_by_the_suite", move || {
        runtime()?.block_on(run_everything());
        Ok(executed.all_of(&statements())?)
    });
    let limits =
        Trial::test("sqlite::sql::no_statement_is_prepared_again_because_of_its_limit", || Ok(plain_limits()?));
    let costs = [
        cost("no_statement_reads_a_whole_table", costs::no_statement_reads_a_whole_table),
        cost(
            "a_claim_with_nothing_due_costs_the_same_among_many",
            costs::a_claim_with_nothing_due_costs_the_same_among_many,
        ),
        cost(
            "a_claim_costs_the_same_when_one_account_has_made_many_due",
            costs::a_claim_costs_the_same_when_one_account_has_made_many_due,
        ),
        cost(
            "sweeps_cost_the_same_among_many_meetings_that_are_over",
            costs::sweeps_cost_the_same_among_many_meetings_that_are_over,
        ),
        cost(
            "a_page_of_people_costs_the_same_among_many_of_other_zones_and_minutes",
            costs::a_page_of_people_costs_the_same_among_many_of_other_zones_and_minutes,
        ),
        cost(
            "a_purge_costs_the_same_among_many_deliveries_that_are_kept",
            costs::a_purge_costs_the_same_among_many_deliveries_that_are_kept,
        ),
        cost(
            "what_went_wrong_is_found_among_all_that_was_sent",
            costs::what_went_wrong_is_found_among_all_that_was_sent,
        ),
        cost(
            "what_waits_for_its_next_try_is_found_among_many_that_wait_for_their_time",
            costs::what_waits_for_its_next_try_is_found_among_many_that_wait_for_their_time,
        ),
        cost(
            "a_page_of_a_count_costs_the_same_among_many_rows",
            costs::a_page_of_a_count_costs_the_same_among_many_rows,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), cases.chain([complete, limits]).chain(costs).collect()).exit();
}

fn cost(name: &str, run: impl AsyncFnOnce(Arc<File>) + Send + 'static) -> Trial {
    Trial::test(format!("sqlite::sql::{name}"), move || {
        runtime()?.block_on(async { run(File::open().await).await });
        Ok(())
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// The statements of this store.
fn statements() -> Vec<Statement> {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    sql::statements(sources, expand::<sqlx::Sqlite>).expect("the sources of this store")
}

/// SQLite prepares a statement anew whenever a parameter that its planner has looked at is bound: since 3.47 the bare
/// parameter of a `LIMIT` is one. It does not look behind an operator, so that `LIMIT +?1` is prepared once.
fn plain_limits() -> Result<(), String> {
    let statements = statements();
    assert!(statements.iter().any(|statement| statement.sql.contains("LIMIT +?")));
    let bare: Vec<_> = statements.iter().filter(|statement| statement.sql.contains("LIMIT ?")).collect();
    if bare.is_empty() { Ok(()) } else { Err(format!("write LIMIT +?N instead of LIMIT ?N in {bare:#?}")) }
}

/// The suite, and what a host does before and after.
async fn run_everything() {
    for case in taskflow_conformance::cases() {
        let file = File::open().await;
        let own = Arc::clone(&file);
        (case.run)(file).await;
        if case.name.starts_with("tasks::") || case.name.starts_with("meetings::") {
            own.fold_anew().await;
        }
    }
    let file = File::open().await;
    assert!(file.store.migrations_status().await.expect("a list").iter().all(|migration| migration.applied));
    file.store.checkpoint_when_idle(std::time::Duration::ZERO).await.expect("idle");
    file.storage().ping().await.expect("an answer");
    set_a_delivery_aside(file.store.clone(), &mut file.connection().await).await;
    let now = taskflow_core::Timestamp::from_micros(0);
    file.store.backup(&file.folder.path().join("backup.db"), false, now).await.expect("a backup");
    file.store.close().await;
}

/// A delivery that cannot be read is set aside.
async fn set_a_delivery_aside(store: SqliteStore, conn: &mut SqliteConnection) {
    let kit = TestKit::new(store);
    let ada = kit.somebody("ada").await;
    kit.store.commit(&Changes::new().deliver([kit.welcome(&ada)])).await.expect("a delivery");
    let damage = "UPDATE taskflow_deliveries SET recipient_user = NULL, recipient_address = 'x'";
    conn.execute(damage).await.expect("damage");
    assert!(kit.store.claim(&kit.claim()).await.expect("a claim").is_empty());
    assert!(kit.store.ledger().await.expect("a ledger").balances());
}

/// A store on a fresh file.
struct File {
    store: SqliteStore,
    folder: TempDir,
}

impl File {
    async fn open() -> Arc<Self> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("taskflow.db");
        let path = path.to_str().expect("a path in UTF-8");
        let store = SqliteStore::open(path, SqliteOptions::default()).await.expect("a store");
        Arc::new(Self { store, folder })
    }

    /// Stores texts for searches as an earlier release did, and migrates.
    async fn fold_anew(&self) {
        let mut conn = self.connection().await;
        for statement in [
            "UPDATE taskflow_tasks SET search_text = 'cafe\u{301}'",
            "UPDATE taskflow_meetings SET search_text = 'cafe\u{301}'",
            "UPDATE taskflow_search_refolds SET after = ''",
        ] {
            sqlx::query(statement).execute(&mut conn).await.expect(statement);
        }
        self.store.migrate().await.expect("migrated");
    }

    /// A connection that is none of the store's.
    async fn connection(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.folder.path().join("taskflow.db").display());
        SqliteConnection::connect(&url).await.expect("a connection")
    }
}

#[async_trait]
impl OpenStore for File {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.store.clone())
    }

    async fn lapse_leases(&self) {
        let mut conn = self.connection().await;
        conn.execute("UPDATE taskflow_deliveries SET lease_until = 0 WHERE state = 'claimed'").await.expect("lapsed");
        conn.execute("UPDATE taskflow_job_runs SET lease_until = 0 WHERE lease IS NOT NULL").await.expect("lapsed");
        conn.close().await.expect("closed");
    }
}
