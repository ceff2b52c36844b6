//! Databases that a release left behind, with mail in every state: `tests/upgrade/make` wrote them with that release's
//! binary. This release opens them; nothing is lost, renamed or sent twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use taskflow::ports::Storage;
use taskflow::store::{PgOptions, PgStore, SqliteOptions, SqliteStore};
use taskflow::testing::{ManualClock, RecordingMailer};
use taskflow::{App, Delivery, DeliveryState, Timestamp};
use taskflow_testkit::backend::Backend;
use taskflow_testkit::cluster::Database;
use taskflow_testkit::on_each_store;
use tempfile::TempDir;

const SQLITE: &str = include_str!("../upgrade/sqlite.sql");
const POSTGRES: &str = include_str!("../upgrade/postgres.sql");

/// A delivery as the release before wrote it: id, state, kind, key and the mails that failed.
type Row = (String, String, String, String, i64);

/// A database of the release before, opened by this one.
struct Upgraded {
    before: Vec<Row>,
    store: Arc<dyn Storage>,
    _folder: TempDir,
    _database: Option<Database>,
}

impl Upgraded {
    async fn open(backend: Backend) -> Self {
        let folder = TempDir::new().expect("a folder");
        match backend {
            Backend::Sqlite => {
                let file = folder.path().join("taskflow.db").display().to_string();
                let url = format!("sqlite://{file}?mode=rwc");
                let mut old = SqliteConnection::connect(&url).await.expect("a file");
                // The dump makes tables in any order.
                old.execute("PRAGMA foreign_keys = OFF").await.expect("a pragma");
                old.execute(sqlx::raw_sql(AssertSqlSafe(SQLITE))).await.expect("the database of the release before");
                let select = "SELECT id, state, kind, dedupe_key, attempts FROM taskflow_deliveries ORDER BY id";
                let before = sqlx::query_as(select).fetch_all(&mut old).await.expect("its mail");
                old.close().await.expect("closed");
                let store = SqliteStore::open(&file, SqliteOptions::default()).await.expect("an upgraded store");
                Self { before, store: Arc::new(store), _folder: folder, _database: None }
            }
            Backend::Postgres => {
                let database = Database::empty().await;
                let mut old = database.connection().await;
                old.execute(sqlx::raw_sql(AssertSqlSafe(POSTGRES))).await.expect("the database of the release before");
                let select =
                    "SELECT id::text, state, kind, dedupe_key, attempts::bigint FROM taskflow.deliveries ORDER BY id";
                let before = sqlx::query_as(select).fetch_all(&mut old).await.expect("its mail");
                old.close().await.expect("closed");
                let store = PgStore::connect(&database.url, PgOptions::default()).await.expect("an upgraded store");
                Self { before, store: Arc::new(store), _folder: folder, _database: Some(database) }
            }
        }
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        self.store.deliveries_after(None, 1_000).await.expect("the ledger")
    }
}

fn row(delivery: &Delivery) -> Row {
    let (id, state) = (delivery.id.to_string(), delivery.state.as_str().to_owned());
    (id, state, delivery.kind.to_string(), delivery.dedupe_key.to_string(), i64::from(delivery.attempts))
}

async fn mail_in_every_state_is_as_it_was_and_leaves_once(backend: Backend) {
    let upgraded = Upgraded::open(backend).await;
    let states: BTreeSet<_> = upgraded.before.iter().map(|(_, state, ..)| state.as_str()).collect();
    assert_eq!(states, DeliveryState::ALL.iter().map(|state| state.as_str()).collect());

    let deliveries = upgraded.deliveries().await;
    assert_eq!(deliveries.iter().map(row).collect::<Vec<_>>(), upgraded.before);
    assert!(upgraded.store.ledger().await.expect("the ledger").balances());

    // Far enough for what is to be tried again, and then for what is due in years.
    let last = deliveries.iter().map(|one| one.planned_at).max().expect("mail");
    let (clock, mailer) = (Arc::new(ManualClock::at(last)), Arc::new(RecordingMailer::new()));
    let app = App::builder(upgraded.store.clone()).clock(clock.clone()).mailer(mailer.clone()).build();
    let end: Timestamp = "2031-05-07T00:00:00Z".parse().expect("an instant");
    let mut from = last + Duration::from_hours(2);
    while from < end {
        clock.set(from);
        app.outbox().deliver_due().await.expect("mail");
        let next = app.outbox().backlog().await.expect("the backlog").next_at;
        from = next.map_or(end, |next| next.max(from + Duration::from_secs(1)));
    }

    let after: BTreeMap<_, _> = upgraded.deliveries().await.into_iter().map(|one| (one.id, one)).collect();
    let sent: Vec<_> = mailer.mails().into_iter().map(|mail| mail.id).collect();
    for before in &deliveries {
        let times = sent.iter().filter(|id| **id == before.id).count();
        let after = &after[&before.id];
        if matches!(before.state, DeliveryState::Scheduled | DeliveryState::Claimed) {
            assert_eq!((times, after.state), (1, DeliveryState::Delivered), "{before:?}");
        } else {
            assert_eq!((times, after), (0, before));
        }
    }
    assert!(upgraded.store.ledger().await.expect("the ledger").balances());
}

on_each_store!(mail_in_every_state_is_as_it_was_and_leaves_once);
