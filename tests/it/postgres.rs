//! What people see, on PostgreSQL, and what only several servers on one database can show.

#[path = "accounts.rs"]
mod accounts;
#[path = "costs.rs"]
mod costs;
#[path = "hostile.rs"]
mod hostile;
#[path = "mail.rs"]
mod mail;
#[path = "nodes.rs"]
mod nodes;
#[path = "reminders.rs"]
mod reminders;
#[path = "sessions.rs"]
mod sessions;
#[path = "tasks.rs"]
mod tasks;
#[path = "waves.rs"]
mod waves;

use taskflow::store::{PgOptions, PgStore};

use crate::cluster::Database;
use crate::server::Server;

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
