//! `taskflow mail`.

mod advice;
mod preview;

use std::sync::Arc;

use taskflow_core::ports::{Ids, MailError, RandomIds};
use taskflow_core::{Content, DeliveryId, EmailAddress, Headers, Mail, Mailbox};

use self::preview::Preview;
use super::failure::Failure;
use super::output;
use crate::config::{Config, Smtp, SmtpSecurity};
use crate::wiring;

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Sends a test mail now, not by the outbox, and tells what the relay answered.
    Test {
        /// Where to send it.
        #[arg(value_name = "ADDRESS", value_parser = address)]
        to: EmailAddress,
    },
    /// Writes what a notice looks like, with made-up content, into a file.
    Preview(Preview),
}

fn address(text: &str) -> Result<EmailAddress, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) async fn run(command: Command, config: &Arc<Config>) -> Result<(), Failure> {
    match command {
        Command::Test { to } => test(to, config).await,
        Command::Preview(preview) => preview::run(&preview, config),
    }
}

async fn test(to: EmailAddress, config: &Config) -> Result<(), Failure> {
    let Some(smtp) = &config.smtp else {
        let mail = if config.mailbox {
            "stays on the page /mailbox of the running server"
        } else {
            "waits in the outbox until there is one"
        };
        return Err(Failure::new(format!("there is no relay: mail {mail}"))
            .advise("set SMTP_SERVER, SMTP_PORT and, if the relay asks for it, SMTP_USERNAME and SMTP_PASSWORD"));
    };
    let (mail, clock) = wiring::relay(config)?;
    output::line(&format!("relay    {}", route(smtp)))?;
    if let Some(checked) = mail.check().await {
        output::line(&format!("found    {}", checked.map_err(|error| failure(&error, smtp))?))?;
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
    output::line(&format!("answered {}", accepted.reply))?;
    output::line(&format!(
        "sent from {} to {to}; if it does not arrive, look into the spam folder",
        config.mail_from.address
    ))
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
    Failure::new(error.to_string()).advise(advice::advice(error, smtp))
}
