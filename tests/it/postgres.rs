//! What people see, on PostgreSQL, and what only several servers on one database can show.

#[path = "accounts.rs"]
mod accounts;
#[path = "bounces.rs"]
mod bounces;
#[path = "by_hand.rs"]
mod by_hand;
#[path = "costs.rs"]
mod costs;
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
#[path = "live/nodes.rs"]
mod live_nodes;
#[path = "mail.rs"]
mod mail;
#[path = "meetings.rs"]
mod meetings;
#[path = "mornings.rs"]
mod mornings;
#[path = "nodes.rs"]
mod nodes;
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
#[path = "waves.rs"]
mod waves;
#[path = "year.rs"]
mod year;

use std::sync::Arc;

use taskflow::ports::Storage;
use taskflow::store::{PgOptions, PgStore};

use taskflow_testkit::cluster::Database;
use taskflow_testkit::server::Server;

/// A server on a database of its own.
async fn start(settings: &[(&str, &str)]) -> Server {
    Server::start_on(database().await, settings).await
}

async fn database() -> Database {
    Database::migrated(|url| async move {
        PgStore::connect(&url, PgOptions::default()).await.expect("a schema").close().await;
    })
    .await
}

/// A store without a server, and the database that must stay as long.
async fn store() -> (Arc<dyn Storage>, Database) {
    let database = database().await;
    let options = PgOptions::default().without_migrating();
    (Arc::new(PgStore::connect(&database.url, options).await.expect("a store")), database)
}
