//! The command line: `taskflow [OPTIONS] [COMMAND]`; without a command it serves.

mod bench;
mod completions;
mod database;
mod failure;
mod flags;
mod job;
mod mail;
mod output;
mod serve;
mod settings;
mod user;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Need, Origin, Sources};
use crate::{api, telemetry};
use failure::{Failure, Reason};
use flags::Flags;
use output::Format;

/// Tasks, meetings, reminders and the mail they cause
#[derive(Debug, Parser)]
#[command(name = "taskflow", version, max_term_width = 100)]
#[command(after_help = "Without a command, taskflow runs the server. Every setting is also a flag of every command: \
                        taskflow config --help lists them.")]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// Print the result as JSON on standard output, and an error as JSON on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C
    #[command(after_long_help = flags::secrets())]
    Serve,
    /// Create, show and change accounts
    #[command(subcommand)]
    User(user::Command),
    /// Create, migrate and inspect the database
    #[command(subcommand)]
    Db(database::Command),
    /// Inspect mail and test its delivery
    #[command(subcommand)]
    Mail(mail::Command),
    /// Show and run scheduled jobs
    #[command(subcommand)]
    Job(job::Command),
    /// Show the settings in force and where each comes from; --help lists all settings
    #[command(after_long_help = flags::listing())]
    Config {
        #[command(subcommand)]
        command: Option<settings::Command>,
    },
    /// Measure how fast mail is sent
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Print a completion script for a shell
    #[command(after_help = completions::HELP)]
    Completions {
        /// The shell that runs it
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the versions of taskflow, SQLite and the time zone database
    Version,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = flags::joined(std::env::args_os());
    let format = Format::of(arguments.iter());
    // Two libraries that each bring a TLS provider would otherwise panic at the first handshake. An error means that
    // there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match parse(arguments) {
        Ok(Cli { command, flags, .. }) => run(command.unwrap_or(Command::Serve), flags, format),
        Err(error) if error.kind() == ErrorKind::DisplayVersion => version::run(format),
        Err(error) if format == Format::Json && error.use_stderr() => Err(misunderstood(&error)),
        Err(error) => error.exit(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(format);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The commands and their options.
fn command_line() -> clap::Command {
    flags::arranged(Cli::command())
}

fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command_line = command_line();
    let matches = command_line.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command_line))
}

/// Converts an error of clap about a command line, without its usage.
fn misunderstood(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut parts = text.trim().split("\n\n").filter(|part| !part.starts_with("Usage:"));
    let message = parts.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let advice: Vec<&str> = parts.map(str::trim).collect();
    Failure::new(message).advise(advice.join("; ")).because(Reason::Usage)
}

/// Runs a command that needs neither settings nor a runtime; others are given back.
fn run_alone(command: Command, flags: Flags, format: Format) -> Result<Option<(Command, Flags)>, Failure> {
    match command {
        Command::Openapi => {
            let document = serde_json::to_string_pretty(&api::openapi());
            output::line(&document.map_err(|error| Failure::of("cannot write the document", &error))?)?;
        }
        Command::Completions { shell } => completions::run(shell)?,
        Command::Version => version::run(format)?,
        Command::Config { command: Some(settings::Command::Example) } => settings::print_example()?,
        Command::Bench(command) => bench::run(command, flags, format)?,
        command => return Ok(Some((command, flags))),
    }
    Ok(None)
}

fn run(command: Command, flags: Flags, format: Format) -> Result<(), Failure> {
    let Some((command, flags)) = run_alone(command, flags, format)? else { return Ok(()) };
    let need = match command {
        Command::Serve => Need::Serve,
        Command::Config { command: Some(settings::Command::Check) } => Need::Check,
        _ => Need::Manage,
    };
    let config = Config::load(Sources::of_process().with_flags(flags.0), need).map_err(Failure::settings)?;
    let asked = config.effective().into_iter().any(|(name, _, from)| name == "LOG" && from != Origin::Default);
    let filter = if need == Need::Serve || asked { config.log.as_str() } else { "error" };
    telemetry::start(filter, &config.node_id);
    telemetry::log_panics();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start the runtime", &error))?;
    let config = Arc::new(config);
    let result = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::User(command) => user::run(command, &config, format).await,
            Command::Db(command) => database::run(command, &config, format).await,
            Command::Mail(command) => mail::run(command, &config, format).await,
            Command::Job(command) => job::run(command, &config, format).await,
            Command::Config { command } => settings::run(command, &config, format),
            Command::Openapi | Command::Bench(_) | Command::Completions { .. } | Command::Version => Ok(()),
        }
    });
    // Not longer: what still runs on a thread of its own, such as the hash of a password, has nobody left to tell.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    result
}

#[cfg(test)]
mod tests;
