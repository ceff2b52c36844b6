//! `taskflow mail`.

mod advice;
mod preview;

use std::sync::Arc;

use serde::Serialize;
use taskflow_core::ports::{Ids, MailError, RandomIds};
use taskflow_core::{Content, DeliveryId, EmailAddress, Headers, Mail, Mailbox};

use self::preview::Preview;
use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::config::{Config, Smtp, SmtpSecurity};
use crate::wiring;

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
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
    /// What the relay said before the mail was sent.
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

fn address(text: &str) -> Result<EmailAddress, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) async fn run(command: Command, config: &Arc<Config>, format: Format) -> Result<(), Failure> {
    match command {
        Command::Test { to } => test(to, config, format).await,
        Command::Preview(preview) => preview::run(&preview, config, format),
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
