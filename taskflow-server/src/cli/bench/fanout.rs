//! `taskflow bench fanout`: one mail to each of many people, by the way every mail goes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::machine::Made;
use super::measure::Run;
use super::page;
use super::place::Place;
use super::report::Report;
use super::sink::Sink;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::cli::output::{self, Format};
use crate::cli::serve::Signals;
use crate::config::{Config, Need, Setting, Sources};
use crate::telemetry;

/// Maximum time for closing the database.
const CLOSING: Duration = Duration::from_secs(10);

/// How many people, on what, and where to.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Fanout {
    /// Number of users that get a mail; several numbers are several runs
    #[arg(long, value_name = "N[,N…]", default_value = "10000", value_delimiter = ',',
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    users: Vec<u64>,
    /// The relay; by default a built-in one that discards everything
    #[arg(long, value_name = "HOST:PORT", value_parser = relay)]
    smtp: Option<Relay>,
    /// An empty PostgreSQL database for each run, postgres://…; by default a temporary SQLite file
    #[arg(long, value_name = "URL")]
    database: Vec<String>,
    /// Also write an HTML page with figures and charts of all runs
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Connections to the relay
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Mails per second that another sender reached with the same relay, for comparison
    #[arg(long, value_name = "RATE", value_parser = rate)]
    yardstick: Option<f64>,
    /// A remark that is kept with the figures
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// The address of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Relay {
    host: String,
    port: u16,
}

fn relay(text: &str) -> Result<Relay, String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() && port > 0 => {
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Ok(Relay { host, port })
        }
        Some(_) | None => Err("write the relay and its port, as in 127.0.0.1:2525".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "write mails a second, as in 12900".to_owned())
}

/// Makes the runs, cleans up after each in every outcome, and fails unless everything arrived.
pub(super) async fn run(fanout: &Fanout, flags: Flags, format: Format) -> Result<(), Failure> {
    let databases = fanout.databases()?;
    let mut signals = Signals::new()?;
    let sink = match fanout.smtp {
        Some(_) => None,
        None => Some(Sink::start().map_err(|error| Failure::of("cannot start the built-in relay", &error))?),
    };
    let mut reports: Vec<Report> = Vec::new();
    for (users, database) in fanout.users.iter().zip(databases) {
        let made = Made::here(fanout.command(*users), fanout.note.clone());
        let place = Place::new(database)?;
        let config = Arc::new(fanout.config(flags.clone(), &place, sink.as_ref())?);
        if reports.is_empty() {
            telemetry::start(&config.log, &config.node_id);
            telemetry::log_panics();
        }
        let measured = tokio::select! {
            measured = fanout.on(&place, &config, sink.as_ref(), *users, made) => measured,
            signal = signals.next() => Err(Failure::new(format!("stopped by {signal}; that run was not measured"))),
        };
        place.remove()?;
        let report = measured?;
        output::line(&if format == Format::Json { report.json()? } else { report.text() })?;
        reports.push(report);
    }
    if let Some(file) = &fanout.report {
        output::file(file, &page::html(&reports))?;
    }
    match reports.iter().find_map(Report::shortfall) {
        Some(shortfall) => Err(Failure::new(shortfall)),
        None => Ok(()),
    }
}

impl Fanout {
    /// The settings of a server that sends there; whatever was given as a flag holds, but for what has a flag of its own
    /// here.
    fn config(&self, Flags(mut flags): Flags, place: &Place, sink: Option<&Sink>) -> Result<Config, Failure> {
        let relay = match (&self.smtp, sink) {
            (Some(relay), _) => relay.clone(),
            (None, sink) => Relay { host: "127.0.0.1".to_owned(), port: sink.map_or(0, Sink::port) },
        };
        let ours = [
            ("DATABASE_URL", "--database", place.url()),
            ("SMTP_SERVER", "--smtp", relay.host),
            ("SMTP_PORT", "--smtp", relay.port.to_string()),
            ("SMTP_CONNECTIONS", "--connections", self.connections.to_string()),
        ];
        for (name, instead, value) in ours {
            if let Some((given, _)) = flags.iter().find(|(given, _)| given.name == name) {
                return Err(Failure::new(format!("--{} has no effect here", given.flag()))
                    .advise(format!("use {instead} instead")));
            }
            flags.extend(Setting::named(name).map(|setting| (setting, value)));
        }
        // What a server needs to know besides, unless it was said.
        let defaults = [
            ("PUBLIC_URL", "https://tasks.fanout.example"),
            ("SMTP_FROM_EMAIL", "tasks@fanout.example"),
            ("LOG", "error"),
            // Whatever the time of day is, nobody gets a second mail or none.
            ("JOB_DAILY_SUMMARIES", "off"),
        ];
        let sources = Sources::none().with_environment(defaults).with_flags(flags);
        Config::load(sources, Need::Manage).map_err(Failure::settings)
    }

    /// The database of each run; `None`: a temporary file.
    fn databases(&self) -> Result<Vec<Option<&str>>, Failure> {
        match self.database.len() {
            0 => Ok(vec![None; self.users.len()]),
            named if named == self.users.len() => Ok(self.database.iter().map(|url| Some(url.as_str())).collect()),
            named => Err(Failure::new(format!("{} runs and {named} databases do not fit", self.users.len()))
                .advise("name an empty database for each run, each behind a --database of its own")),
        }
    }

    /// Returns the command line for one of the runs, without parts that may hold a password.
    fn command(&self, users: u64) -> String {
        let mut command = format!("taskflow bench fanout --users {users}");
        if let Some(Relay { host, port }) = &self.smtp {
            command += &format!(" --smtp {host}:{port}");
        }
        if !self.database.is_empty() {
            command += " --database postgres://…";
        }
        if self.connections != 16 {
            command += &format!(" --connections {}", self.connections);
        }
        command
    }

    async fn on(
        &self,
        place: &Place,
        config: &Arc<Config>,
        sink: Option<&Sink>,
        users: u64,
        made: Made,
    ) -> Result<Report, Failure> {
        let opened = place.open(config).await?;
        let run = Run {
            users,
            database: match place {
                Place::Temporary(_) => "sqlite",
                Place::Postgres(_) => "postgres",
            },
            connections: self.connections.into(),
            sink,
            relay: self.smtp.as_ref().map_or_else(|| "built-in".to_owned(), |at| format!("{}:{}", at.host, at.port)),
            yardstick: self.yardstick,
            made,
        };
        let measured = run.measure(&opened).await;
        // It may hang when the database is gone; what it holds then ends with the process.
        timeout(CLOSING, opened.close()).await.ok();
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yardstick_is_a_rate() {
        assert_eq!(rate("12900.5"), Ok(12_900.5));
        for wrong in ["", "0", "-1", "inf", "NaN", "much"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relay_is_a_host_and_a_port() {
        let at = |host: &str, port| Ok(Relay { host: host.to_owned(), port });
        assert_eq!(relay("127.0.0.1:2525"), at("127.0.0.1", 2525));
        assert_eq!(relay("[::1]:25"), at("::1", 25));
        for wrong in ["localhost", ":25", "localhost:", "localhost:0", "localhost:smtp", "localhost:99999"] {
            assert!(relay(wrong).is_err(), "{wrong}");
        }
    }
}
