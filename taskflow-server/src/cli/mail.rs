//! `taskflow mail`.

mod advice;
mod bulk;
mod ledger;
mod outbox;
mod preview;
mod why;

use std::sync::Arc;

use serde::Serialize;
use taskflow_core::ports::{Ids, MailError, RandomIds};
use taskflow_core::{Actor, Content, DeliveryId, EmailAddress, Headers, Mail, Mailbox};

use self::bulk::{Action, Selected};
use self::outbox::Outbox;
use self::preview::Preview;
use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::config::{Config, Smtp, SmtpSecurity};
use crate::wiring::{self, Opened};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Show the outbox and what was sent, the last planned first, with counts per state
    Outbox(Outbox),
    /// Explain why mail did or did not reach somebody, and what to do
    Why {
        /// E-mail address, or name of an account
        #[arg(value_name = "ADDRESS|NAME")]
        who: String,
    },
    /// Send mail again that was discarded, cancelled or expired: one, or all that match
    #[command(override_usage = "taskflow mail retry <ID>\n       taskflow mail retry [OPTIONS]")]
    Retry(Selected),
    /// Cancel mail that has not left: one, or all that match
    #[command(override_usage = "taskflow mail cancel <ID>\n       taskflow mail cancel [OPTIONS]")]
    Cancel(Selected),
    /// Remove the suppression of an address, so that it gets mail again
    Unsuppress {
        /// The address
        #[arg(value_name = "ADDRESS", value_parser = address)]
        address: EmailAddress,
    },
    /// Send a test mail now, past the outbox, and print what the relay answered
    Test {
        /// Where to send it
        #[arg(value_name = "ADDRESS", value_parser = address)]
        to: EmailAddress,
    },
    /// Write a notice with made-up content to a file, to see what it looks like
    Preview(Preview),
}

/// A test mail that the relay accepted.
#[derive(Debug, Serialize)]
struct Tested {
    relay: String,
    /// Greeting of the relay, before the mail was sent.
    greeting: Option<String>,
    /// Its answer to the mail.
    reply: String,
    from: String,
    to: String,
}

impl Report for Tested {
    fn text(&self) -> String {
        format!("sent from {} to {}; if it does not arrive, look into the spam folder", self.from, self.to)
    }
}

/// An address that gets mail again.
#[derive(Debug, Serialize)]
struct Unsuppressed {
    address: String,
}

impl Report for Unsuppressed {
    fn text(&self) -> String {
        let Self { address } = self;
        format!("{address} gets mail again; what was cancelled meanwhile is sent by taskflow mail retry ID only")
    }
}

fn delivery(text: &str) -> Result<DeliveryId, String> {
    text.parse().map_err(|_| "must be the id of a delivery, a UUID".to_owned())
}

fn address(text: &str) -> Result<EmailAddress, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) async fn run(command: Command, config: &Arc<Config>, format: Format) -> Result<(), Failure> {
    match &command {
        Command::Test { to } => return test(to.clone(), config, format).await,
        Command::Preview(preview) => return preview::run(preview, config, format),
        Command::Outbox(_)
        | Command::Why { .. }
        | Command::Retry(_)
        | Command::Cancel(_)
        | Command::Unsuppress { .. } => {}
    }
    let opened = wiring::open(config).await?;
    let result = match &command {
        Command::Outbox(query) => outbox::run(query, &opened, format).await,
        Command::Why { who } => why::run(who, config, &opened, format).await,
        Command::Retry(selected) => bulk::run(selected, Action::Retry, &opened, format).await,
        Command::Cancel(selected) => bulk::run(selected, Action::Cancel, &opened, format).await,
        Command::Unsuppress { address } => unsuppress(address, &opened, format).await,
        Command::Test { .. } | Command::Preview(_) => Ok(()),
    };
    opened.close().await;
    result
}

async fn unsuppress(address: &EmailAddress, opened: &Opened, format: Format) -> Result<(), Failure> {
    match opened.app.suppressions().remove(Actor::System, address).await {
        Err(taskflow_core::Error::NotFound(_)) => Err(Failure::new(format!("{address} is not suppressed"))
            .advise(format!("see why mail does not reach it with: taskflow mail why {address}"))
            .because(Reason::NotFound)),
        result => {
            result.map_err(|error| Failure::of("cannot remove the suppression", &error))?;
            format.print(&Unsuppressed { address: address.to_string() })
        }
    }
}

async fn test(to: EmailAddress, config: &Config, format: Format) -> Result<(), Failure> {
    let Some(smtp) = &config.smtp else {
        let mail = if config.mailbox {
            "stays on the page /mailbox of the running server"
        } else {
            "waits in the outbox until there is one"
        };
        return Err(Failure::new(format!("there is no relay: mail {mail}"))
            .advise("set SMTP_SERVER, SMTP_PORT and, if the relay asks for it, SMTP_USERNAME and SMTP_PASSWORD")
            .because(Reason::Settings));
    };
    let (mail, clock) = wiring::relay(config)?;
    // People see how far it came while a slow relay keeps them waiting.
    let say = |text: String| if format == Format::Text { output::line(&text) } else { Ok(()) };
    say(format!("relay    {}", route(smtp)))?;
    let found = match mail.check().await {
        Some(checked) => Some(checked.map_err(|error| failure(&error, smtp))?),
        None => None,
    };
    if let Some(found) = &found {
        say(format!("found    {found}"))?;
    }
    let now = clock.now();
    let letter = Mail {
        id: DeliveryId::from_uuid(RandomIds::new().next(now)),
        date: now,
        to: Mailbox { name: None, address: to.clone() },
        content: Content {
            subject: "TaskFlow can send mail".to_owned(),
            text: "This is the test you asked for with `taskflow mail test`. It works.\n".to_owned(),
            html: None,
        },
        calendar: None,
        headers: Headers::default(),
    };
    let accepted = mail.mailer.send(&letter).await.map_err(|error| failure(&error, smtp))?;
    say(format!("answered {}", accepted.reply))?;
    format.print(&Tested {
        relay: route(smtp),
        greeting: found,
        reply: accepted.reply,
        from: config.mail_from.address.to_string(),
        to: to.to_string(),
    })
}

/// The relay as people name it.
pub(super) fn route(smtp: &Smtp) -> String {
    let protection = match smtp.security {
        SmtpSecurity::Implicit => "TLS",
        SmtpSecurity::StartTls => "STARTTLS",
        SmtpSecurity::Plain => "not encrypted",
    };
    format!("{}:{} ({protection})", smtp.server, smtp.port)
}

fn failure(error: &MailError, smtp: &Smtp) -> Failure {
    let failure = Failure::new(error.to_string()).advise(advice::advice(error, smtp));
    match error {
        MailError::Unavailable(_) | MailError::Transient(_) => failure.because(Reason::Unavailable),
        MailError::Permanent(_) => failure.because(Reason::Refused),
    }
}
