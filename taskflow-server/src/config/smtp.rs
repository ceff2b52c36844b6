//! The relay: where mail goes, how the way there is protected, and who it is from.

use std::fmt;

use secrecy::SecretString;
use taskflow_core::{EmailAddress, Mailbox};

use super::reader::Reader;
use super::values;

/// The relay that takes mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// Protection of the connection.
    pub security: SmtpSecurity,
    /// Credentials for signing in; `None` to send mail without signing in.
    pub login: Option<SmtpLogin>,
    /// The name for EHLO; `None`: the name of this machine, or the address of the connection.
    pub hello: Option<String>,
}

/// The protection of the connection to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte (RFC 8314 §3.3).
    Implicit,
    /// STARTTLS, and no mail without it (RFC 3207).
    StartTls,
    /// Not at all.
    Plain,
}

/// Name and password for the relay.
#[derive(Clone)]
pub struct SmtpLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl SmtpSecurity {
    /// Returns whether mail is encrypted on its way to the relay.
    #[must_use]
    pub fn is_tls(self) -> bool {
        self != Self::Plain
    }
}

impl fmt::Debug for SmtpLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.username)
    }
}

/// Values that stand in examples of configuration and open no relay.
const SAMPLES: [&str; 3] = ["your-email@gmail.com", "your-app-password", "your-sendgrid-api-key"];

/// Reads all `SMTP_*` settings: the relay, if there is one, and the sender of all mail, which the dev mailbox needs too.
/// Remarks are added to `warnings`.
pub(super) fn read(reader: &mut Reader, debug: bool, warnings: &mut Vec<String>) -> (Option<Smtp>, Mailbox) {
    let server =
        reader.optional("SMTP_SERVER", "use the host name of the relay alone, as in smtp.example.org", values::host);
    let port =
        reader.value("SMTP_PORT", "use a number from 1 to 65535, usually 465 or 587", values::number(1..=u16::MAX));
    let use_tls = reader.optional("SMTP_USE_TLS", "use true or false", values::truth);
    let hello = reader.optional(
        "SMTP_HELLO",
        "use a host name such as mail.example.org, or an address such as [192.0.2.1]",
        values::hello,
    );
    let login = login(reader);
    // A relay elsewhere sends on only what can be answered.
    let elsewhere = server.as_deref().is_some_and(|server| !values::is_loopback(server));
    let from = sender(reader, reader.has("SMTP_SERVER") && (elsewhere || !debug));

    for name in ["SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_HELLO"].into_iter().filter(|name| reader.has(name)) {
        if !reader.has("SMTP_SERVER") {
            warnings.push(format!("{name} has no effect without SMTP_SERVER"));
        } else if reader.secret(name).is_some_and(|text| SAMPLES.contains(&text)) {
            warnings.push(format!("{name} is a sample value, which the relay will not accept"));
        }
    }
    let smtp = server.map(|server| {
        let security = security(reader, &server, port, use_tls, login.is_some());
        Smtp { server, port, security, login, hello }
    });
    (smtp, from)
}

fn from_name(text: &str) -> Option<String> {
    (text.chars().count() <= 100 && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn login(reader: &mut Reader) -> Option<SmtpLogin> {
    let username = reader.text("SMTP_USERNAME").map(str::to_owned);
    let password = reader.secret("SMTP_PASSWORD").map(SecretString::from);
    match (username, password) {
        (Some(username), Some(password)) => Some(SmtpLogin { username, password }),
        (None, None) => None,
        (Some(_), None) => {
            reader.problem("SMTP_PASSWORD", "is missing although SMTP_USERNAME is set", "set both or neither");
            None
        }
        (None, Some(_)) => {
            reader.problem("SMTP_USERNAME", "is missing although SMTP_PASSWORD is set", "set both or neither");
            None
        }
    }
}

fn security(reader: &mut Reader, server: &str, port: u16, use_tls: Option<bool>, signs_in: bool) -> SmtpSecurity {
    let by_port = match port {
        465 => Some(SmtpSecurity::Implicit),
        587 => Some(SmtpSecurity::StartTls),
        _ => None,
    };
    let loopback = values::is_loopback(server);
    match (by_port, use_tls) {
        (Some(_), Some(false)) => {
            let wrong = format!("is false, but port {port} always uses TLS");
            reader.problem("SMTP_USE_TLS", wrong, "remove it, or set SMTP_PORT to the port without TLS");
        }
        (None, Some(false)) if signs_in && !loopback => {
            let wrong = "is false, so the password would be sent in the clear";
            reader.problem("SMTP_USE_TLS", wrong, "remove it, or remove SMTP_USERNAME and SMTP_PASSWORD");
        }
        (Some(_) | None, _) => {}
    }
    by_port.unwrap_or(if use_tls.unwrap_or(!loopback) { SmtpSecurity::StartTls } else { SmtpSecurity::Plain })
}

/// The sign-in name is usually the sender; where nothing leaves a developer's machine, a sender that nobody can answer
/// will do.
fn sender(reader: &mut Reader, needed: bool) -> Mailbox {
    let name = reader.value("SMTP_FROM_NAME", "use up to 100 characters on one line", from_name);
    let right = "use the address that mail is sent from, as in taskflow@example.org";
    let given: Option<EmailAddress> = reader.optional("SMTP_FROM_EMAIL", right, |text| text.parse().ok());
    let address = given.or_else(|| reader.text("SMTP_USERNAME").and_then(|name| name.parse().ok()));
    if address.is_none() && needed && !reader.has("SMTP_FROM_EMAIL") {
        reader.problem("SMTP_FROM_EMAIL", "is missing: mail needs a sender", right);
    }
    let nobody = || "taskflow@localhost.localdomain".parse().expect("it has the form of an address");
    Mailbox { name: Some(name), address: address.unwrap_or_else(nobody) }
}
