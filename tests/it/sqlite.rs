//! What people see, on SQLite.

#[path = "accounts.rs"]
mod accounts;
#[path = "hostile.rs"]
mod hostile;
#[path = "mail.rs"]
mod mail;
#[path = "reminders.rs"]
mod reminders;
#[path = "sessions.rs"]
mod sessions;
#[path = "tasks.rs"]
mod tasks;

use crate::server::Server;

async fn start(settings: &[(&str, &str)]) -> Server {
    Server::start(settings).await
}
