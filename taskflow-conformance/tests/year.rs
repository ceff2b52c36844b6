//! A year of meetings over the store in memory.

use std::sync::Arc;

use taskflow_conformance::year::simulate;
use taskflow_core::MemoryStore;

#[tokio::test]
async fn every_reminder_of_a_year_is_mailed_once_in_its_minute() {
    // Printed by a failing test; set to see that year again.
    let seed = std::env::var("TASKFLOW_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
    println!("seed {seed}");
    let report = simulate(Arc::new(MemoryStore::new()), 50, 1000, seed).await;
    println!("{report:?}");
    assert!(report.reminders > 2000, "{report:?}");
}
