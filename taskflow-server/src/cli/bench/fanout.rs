//! `taskflow bench fanout`: one mail to each of many people, by the way every mail goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::crowd::Crowd;
use super::place::Place;
use super::plan::plan;
use super::progress::Progress;
use super::report::{Report, peak_rss_mb, per_second, seconds};
use super::sink::Sink;
use crate::cli::failure::Failure;
use crate::cli::flags::Flags;
use crate::cli::output;
use crate::cli::serve::Signals;
use crate::config::{Config, Need, Setting, Sources};
use crate::telemetry;
use crate::wiring::Opened;

/// People who are made in one commit.
const PAGE: u64 = 1_000;

/// How often a bar moves.
const BEAT: Duration = Duration::from_millis(200);

/// How long to wait for mail that the relay could not take when it was offered. Refused mail waits longer before it is
/// tried again, and is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// After so many steps in a row in which the relay took nothing it is given up.
const MOST_FAILURES: u32 = 5;

/// How long closing the database may take.
const CLOSING: Duration = Duration::from_secs(10);

/// How many people, on what, and where to.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Fanout {
    /// How many people get a mail.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    users: u64,
    /// The relay; one in this process that throws everything away when left out.
    #[arg(long, value_name = "HOST:PORT", value_parser = relay)]
    smtp: Option<Relay>,
    /// An empty database of PostgreSQL, postgres://…; a temporary SQLite file when left out.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Prints the figures as one line of JSON.
    #[arg(long)]
    json: bool,
    /// How many connections to the relay.
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
}

/// Where the relay is.
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

/// Runs it, cleans up in every outcome, and fails unless everything arrived.
pub(super) async fn run(fanout: &Fanout, flags: Flags) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let place = Place::new(fanout.database.as_deref())?;
    let sink = match fanout.smtp {
        Some(_) => None,
        None => Some(Sink::start().map_err(|error| Failure::of("cannot start the built-in relay", &error))?),
    };
    let config = Arc::new(fanout.config(flags, &place, sink.as_ref())?);
    telemetry::start(&config.log, &config.node_id);
    telemetry::log_panics();
    let measured = tokio::select! {
        measured = fanout.on(&place, &config, sink.as_ref()) => measured,
        signal = signals.next() => Err(Failure::new(format!("stopped by {signal}; nothing was measured"))),
    };
    drop(sink);
    place.remove()?;
    let report = measured?;
    output::line(&if fanout.json { report.json()? } else { report.text() })?;
    match report.shortfall() {
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
        ];
        let sources = Sources::none().with_environment(defaults).with_flags(flags);
        Config::load(sources, Need::Manage).map_err(Failure::settings)
    }

    async fn on(&self, place: &Place, config: &Arc<Config>, sink: Option<&Sink>) -> Result<Report, Failure> {
        let opened = place.open(config).await?;
        let measured = self.measure(&opened, sink).await;
        // It may hang when the database is gone; what it holds then ends with the process.
        timeout(CLOSING, opened.close()).await.ok();
        let database = match place {
            Place::Temporary(_) => "sqlite",
            Place::Postgres(_) => "postgres",
        };
        measured.map(|report| Report { database, ..report })
    }

    async fn measure(&self, opened: &Opened, sink: Option<&Sink>) -> Result<Report, Failure> {
        let clock = opened.clock.as_ref();
        let crowd = Crowd::new(clock.now())?;
        let began = clock.monotonic();
        self.seed(&crowd, opened).await?;
        let seeded = clock.monotonic();

        let progress = Progress::of("planning", self.users);
        let planned = plan(opened.store().as_ref(), clock, |count| progress.at(count)).await;
        let planned = planned.map_err(|error| Failure::of("cannot plan mail", &error))?;
        drop(progress);
        let all_planned = clock.monotonic();

        let progress = Progress::of("sending", planned);
        tokio::select! {
            sent = send(opened) => sent?,
            never = watch(opened, &crowd, &progress), if Progress::is_seen() => match never {},
        }
        drop(progress);
        let all_sent = clock.monotonic();

        let ledger = opened.app.ledger().await.map_err(|error| Failure::of("cannot read the ledger", &error))?;
        Ok(Report {
            users: self.users,
            planned,
            planned_per_s: per_second(planned, all_planned - seeded),
            sent: ledger.delivered,
            sent_per_s: per_second(ledger.delivered, all_sent - all_planned),
            wall_s: seconds(all_sent - seeded),
            peak_rss_mb: peak_rss_mb(),
            ledger: ledger.into(),
            database: "",
            connections: self.connections.into(),
            sink: self.smtp.as_ref().map_or_else(|| "built-in".to_owned(), |at| format!("{}:{}", at.host, at.port)),
            taken: sink.map(|sink| sink.counts().mails()),
            mail_octets: sink.and_then(|sink| sink.counts().mean_octets()),
            seeded_s: seconds(seeded - began),
        })
    }

    /// Makes the people, a page at a time.
    async fn seed(&self, crowd: &Crowd, opened: &Opened) -> Result<(), Failure> {
        let progress = Progress::of("seeding", self.users);
        let mut next = 0;
        while next < self.users {
            let end = self.users.min(next + PAGE);
            let committed = opened.store().commit(&crowd.page(next..end)?).await;
            committed.map_err(|error| Failure::of("cannot make people", &error))?;
            next = end;
            progress.at(next);
        }
        Ok(())
    }
}

/// Takes the delivery step until nothing is left that leaves soon.
async fn send(opened: &Opened) -> Result<(), Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::of("cannot send", error);
    let mut failures = 0;
    loop {
        // In a task of its own, as the loop of a server does, and not beside the threads that it needs.
        let app = Arc::clone(&opened.app);
        let step = AbortOnDropHandle::new(tokio::spawn(async move { app.deliver_due().await }));
        let report = step.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        failures = if report.relay.is_some() && report.delivered == 0 { failures + 1 } else { 0 };
        if let Some(cause) = report.relay.filter(|_| failures == MOST_FAILURES) {
            return Err(Failure::new(format!("the relay takes no mail: {cause}")));
        }
        let backlog = opened.app.backlog().await.map_err(|error| failed(&error))?;
        let Some(next_at) = backlog.next_at else { return Ok(()) };
        let wait = next_at.since(opened.clock.now());
        if wait > PATIENCE {
            return Ok(());
        }
        sleep(wait.max(Duration::from_millis(10))).await;
    }
}

/// Moves the bar to the oldest mail that still waits: they leave in the order in which they came due.
async fn watch(opened: &Opened, crowd: &Crowd, progress: &Progress) -> std::convert::Infallible {
    loop {
        sleep(BEAT).await;
        if let Ok(backlog) = opened.app.backlog().await
            && let Some(oldest) = backlog.oldest_due_at
        {
            progress.at(crowd.reached(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
