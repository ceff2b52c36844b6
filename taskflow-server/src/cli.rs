//! The command line: `taskflow [COMMAND] [--SETTING VALUE]…`; without a command it serves.

mod bench;
mod database;
mod failure;
mod flags;
mod job;
mod mail;
mod output;
mod serve;
mod settings;
mod user;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::config::{Config, Need, Origin, Sources};
use crate::{api, telemetry};
use failure::Failure;
use flags::Flags;

/// Tasks, meetings, reminders and the mail they cause: a service in one program.
#[derive(Debug, Parser)]
#[command(name = "taskflow", version, max_term_width = 110)]
#[command(
    after_help = "Without a command it serves. --help lists every setting; each is also an environment variable, \
                        a line in .env, or a line in taskflow.toml."
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Answers requests and sends mail, until it is told to stop (SIGTERM, Ctrl-C).
    Serve,
    /// Makes, lists and changes accounts.
    #[command(subcommand)]
    User(user::Command),
    /// Looks after the database.
    #[command(subcommand)]
    Db(database::Command),
    /// Looks after mail.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Looks after the recurring duties.
    #[command(subcommand)]
    Job(job::Command),
    /// Measures how fast mail leaves here.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Prints the OpenAPI document of the API.
    Openapi,
    /// Prints the settings in force and where each comes from; secrets are ***.
    Config,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { flags, command } = Cli::parse_from(flags::joined(std::env::args_os()));
    let command = command.unwrap_or(Command::Serve);
    // Two libraries that each bring a TLS provider would otherwise panic at the first handshake. An error means that
    // there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(command, flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}

fn run(command: Command, flags: Flags) -> Result<(), Failure> {
    if matches!(command, Command::Openapi) {
        let document = serde_json::to_string_pretty(&api::openapi());
        return output::line(&document.map_err(|error| Failure::new(format!("cannot write the document: {error}")))?);
    }
    if let Command::Bench(command) = command {
        return bench::run(command, flags);
    }
    let need = if matches!(command, Command::Serve) { Need::Serve } else { Need::Manage };
    let config = Config::load(Sources::of_process().with_flags(flags.0), need).map_err(Failure::settings)?;
    let asked = config.effective().into_iter().any(|(name, _, from)| name == "LOG" && from != Origin::Default);
    let filter = if need == Need::Serve || asked { config.log.as_str() } else { "error" };
    telemetry::start(filter, &config.node_id);
    telemetry::log_panics();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let config = Arc::new(config);
    let result = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::User(command) => user::run(command, &config).await,
            Command::Db(command) => database::run(command, &config).await,
            Command::Mail(command) => mail::run(command, &config).await,
            Command::Job(command) => job::run(command, &config).await,
            Command::Config => settings::run(&config),
            Command::Openapi | Command::Bench(_) => Ok(()),
        }
    });
    // Not longer: what still runs on a thread of its own, such as the hash of a password, has nobody left to tell.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    result
}

#[cfg(test)]
mod tests;
