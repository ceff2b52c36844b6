//! Announcement of a server that has started: a few lines on a terminal, log events otherwise.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::cli::mail;
use crate::config::{Config, Database, KeyOrigin, surroundings};
use crate::telemetry;

/// The parts that a first start finds missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    /// The database was created.
    pub(super) database: bool,
    /// There is no account yet.
    pub(super) account: bool,
}

pub(super) fn started(config: &Config, first: &First) {
    if telemetry::on_terminal() {
        // There is nobody left to tell when standard error is closed.
        let _ = std::io::stderr().write_all(banner(config, first).as_bytes());
    } else {
        events(config, first);
    }
    for remark in config.warnings.iter().chain(&surroundings(config)) {
        tracing::warn!("{remark}");
    }
}

fn events(config: &Config, first: &First) {
    let url = config.local_url();
    let mode = mode(config);
    let docs = config.api_docs.then(|| format!("{url}/docs"));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), mode, api = url, docs, "listening");
    tracing::info!(database = database(config), created = first.database, "data");
    if let Some(folder) = &config.new_folder {
        tracing::warn!(folder = %folder.display(), "a folder for the data was created: check DATABASE_URL if it was meant to exist");
    }
    if let KeyOrigin::Created(path) = &config.key_origin {
        tracing::info!(file = %path.display(), "created a signing key");
    }
    tracing::info!(to = mail_goes_to(config), "mail");
    if first.account {
        tracing::info!(next = next_step(config), "there is no account yet");
    }
}

fn banner(config: &Config, first: &First) -> String {
    let url = config.local_url();
    let mut text = format!("\n  TaskFlow {} · {}\n\n", env!("CARGO_PKG_VERSION"), mode(config));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    line("API", format!("{url}/api"));
    if config.api_docs {
        line("Docs", format!("{url}/docs"));
    }
    line("Data", format!("{}{}", database(config), if first.database { " (created)" } else { "" }));
    if let Some(folder) = &config.new_folder {
        line("Folder", format!("{} (created)", folder.display()));
    }
    let key = match &config.key_origin {
        KeyOrigin::Created(path) => Some(format!("{} (created; keep it secret)", path.display())),
        KeyOrigin::Ephemeral => Some("for this run only; everybody must sign in again after a restart".to_owned()),
        KeyOrigin::Given | KeyOrigin::Kept(_) => None,
    };
    if let Some(key) = key {
        line("Key", key);
    }
    line("Mail", mail_goes_to(config));
    if first.account {
        line("Accounts", format!("none yet; create one: {}", next_step(config)));
    }
    text.push_str("\n  Ctrl-C stops.\n\n");
    text
}

fn mode(config: &Config) -> &'static str {
    if config.debug { "development" } else { "production" }
}

fn database(config: &Config) -> String {
    match &config.database {
        Database::Memory => "memory, lost when the process ends".to_owned(),
        database @ (Database::Sqlite(_) | Database::Postgres(_)) => database.place(),
    }
}

fn mail_goes_to(config: &Config) -> String {
    let to = match &config.smtp {
        Some(smtp) => mail::route(smtp),
        None => format!("{}/mailbox (nothing leaves this machine)", config.local_url()),
    };
    if config.hold_mail { format!("held back by HOLD_MAIL; otherwise to {to}") } else { to }
}

fn next_step(config: &Config) -> String {
    match config.database {
        Database::Sqlite(_) | Database::Postgres(_) => {
            "taskflow user create --admin --username YOU --email YOU@EXAMPLE.ORG".to_owned()
        }
        Database::Memory => format!(
            "curl {}/api/auth/register -H 'Content-Type: application/json' -d \
             '{{\"username\": \"YOU\", \"email\": \"YOU@EXAMPLE.ORG\", \"password\": \"…\"}}'",
            config.local_url()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources};

    fn config(variables: &str) -> Config {
        let sources = Sources::none().with_dot_env(&format!("DATABASE_URL=memory:\n{variables}"));
        Config::load(sources, Need::Serve).expect("valid").listening_on(8123)
    }

    #[test]
    fn the_banner_names_addresses_mail_and_the_next_step() {
        let text = banner(&config(""), &First { database: true, account: true });
        for part in [
            "http://127.0.0.1:8123/api",
            "http://127.0.0.1:8123/docs",
            "(created)",
            "http://127.0.0.1:8123/mailbox (nothing leaves this machine)",
            "none yet; create one: curl http://127.0.0.1:8123/api/auth/register",
            "development",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_relay_is_named_with_its_protection_and_held_mail_as_held() {
        let text = banner(
            &config("SMTP_SERVER=localhost\nSMTP_PORT=2525\nHOLD_MAIL=true"),
            &First { database: false, account: false },
        );
        assert!(text.contains("held back by HOLD_MAIL; otherwise to localhost:2525 (not encrypted)"), "{text}");
        assert!(!text.contains("none yet"));
    }
}
