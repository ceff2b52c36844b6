use std::sync::Arc;

use taskflow::ports::{Clock, Storage, SystemClock};
use taskflow::store::{PgOptions, PgStore, SqliteOptions, SqliteStore};
use taskflow::testing::year::simulate;
use tempfile::TempDir;

use taskflow_testkit::cluster::Database;

/// 20,000 meetings (`LONG_MEETINGS` for another number) of a twentieth as many people.
async fn year(case: &str, storage: Arc<dyn Storage>) {
    let meetings = crate::amount("LONG_MEETINGS", 20_000) as usize;
    let seed = crate::seed(case);
    let clock = SystemClock::new();
    let year = simulate(storage, meetings.div_ceil(20).max(10), meetings, seed).await;
    println!(
        "{{\"case\": \"{case}\", \"meetings\": {meetings}, \"deeds\": {}, \"reminders\": {}, \"mails\": {}, \
         \"instants\": {}, \"seconds\": {:.0}}}",
        year.deeds,
        year.reminders,
        year.mails,
        year.instants,
        clock.monotonic().as_secs_f64()
    );
    assert!(year.reminders > meetings, "{year:?}");
}

#[tokio::test]
async fn a_year_on_sqlite() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("year.db").display().to_string();
    let store = SqliteStore::open(&file, SqliteOptions::default()).await.expect("a store");
    year("year_on_sqlite", Arc::new(store)).await;
}

#[tokio::test]
async fn a_year_on_postgresql() {
    let database = Database::empty().await;
    let store = PgStore::connect(&database.url, PgOptions::default()).await.expect("a store");
    year("year_on_postgresql", Arc::new(store)).await;
}
