//! What people see, on SQLite.

#[path = "accounts.rs"]
mod accounts;
#[path = "bounces.rs"]
mod bounces;
#[path = "by_hand.rs"]
mod by_hand;
#[path = "live/feeds.rs"]
mod feeds;
#[path = "hostile.rs"]
mod hostile;
#[path = "inbound.rs"]
mod inbound;
#[path = "interface.rs"]
mod interface;
#[path = "invitations.rs"]
mod invitations;
#[path = "jobs.rs"]
mod jobs;
#[path = "live/leaving.rs"]
mod leaving;
#[path = "ledger.rs"]
mod ledger;
#[path = "mail.rs"]
mod mail;
#[path = "meetings.rs"]
mod meetings;
#[path = "pacing.rs"]
mod pacing;
#[path = "pages.rs"]
mod pages;
#[path = "people.rs"]
mod people;
#[path = "preferences.rs"]
mod preferences;
#[path = "reminders.rs"]
mod reminders;
#[path = "live/resuming.rs"]
mod resuming;
#[path = "sessions.rs"]
mod sessions;
#[path = "tasks.rs"]
mod tasks;
#[path = "unsubscribe.rs"]
mod unsubscribe;
#[path = "verification.rs"]
mod verification;
#[path = "year.rs"]
mod year;

use std::sync::Arc;

use taskflow::ports::Storage;
use taskflow::store::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use taskflow_testkit::server::Server;

async fn start(settings: &[(&str, &str)]) -> Server {
    Server::start(settings).await
}

/// A store without a server, and the folder that must stay as long.
async fn store() -> (Arc<dyn Storage>, TempDir) {
    let home = TempDir::new().expect("a folder");
    let file = home.path().join("taskflow.db").display().to_string();
    (Arc::new(SqliteStore::open(&file, SqliteOptions::default()).await.expect("a store")), home)
}
