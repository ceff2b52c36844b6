use std::hash::{BuildHasher, Hasher, RandomState};

use taskflow::testing::year::simulate;
use taskflow_testkit::backend::Backend;
use taskflow_testkit::on_each_store;

on_each_store![every_reminder_of_a_year_is_mailed_once_in_its_minute,];

const PEOPLE: usize = 50;
const MEETINGS: usize = 1000;

/// `SEED` repeats the year of an earlier run; `.ci/long` has larger ones.
async fn every_reminder_of_a_year_is_mailed_once_in_its_minute(backend: Backend) {
    let seed = std::env::var("SEED").map(|seed| seed.parse().expect("SEED is a whole number"));
    let seed = seed.unwrap_or_else(|_| RandomState::new().build_hasher().finish());
    println!("{{\"case\": \"year\", \"SEED\": {seed}, \"people\": {PEOPLE}, \"meetings\": {MEETINGS}}}");
    let (storage, _home) = backend.store().await;
    let year = simulate(storage, PEOPLE, MEETINGS, seed).await;
    assert!(year.reminders > MEETINGS, "{year:?}");
}
