//! Settings of the relay and of the connections to it.

use std::fmt;
use std::time::Duration;

use taskflow_core::Mailbox;

use super::hello::Hello;

/// Longest time limit that can be set.
const LONGEST_LIMIT: Duration = Duration::from_hours(1);

/// Most connections that can be set; relays allow far fewer.
const MOST_CONNECTIONS: usize = 10_000;

/// The protection of connections to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 §3.3), usually on port 465.
    ImplicitTls,
    /// TLS by STARTTLS (RFC 3207), usually on port 587. A relay that does not offer it gets nothing.
    StartTls,
    /// None; also a password would cross the network in clear. For relays on this machine.
    Plain,
}

/// Settings of the relay and of the connections to it.
///
/// ```
/// use std::sync::Arc;
/// use taskflow_core::{Mailbox, ports::SystemClock};
/// use taskflow_mail::{SmtpMailer, SmtpSettings};
///
/// let from = Mailbox { name: Some("TaskFlow".to_owned()), address: "tasks@example.org".parse()? };
/// let settings = SmtpSettings::new("smtp.example.org", 587, from).sign_in("tasks", "secret").connections(4);
/// let mailer = SmtpMailer::new(settings, Arc::new(SystemClock::new()))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) from: Mailbox,
    pub(crate) security: Security,
    pub(crate) login: Option<Login>,
    pub(crate) connections: usize,
    pub(crate) mail_limit: Duration,
    pub(crate) command_limit: Duration,
    pub(crate) mails_per_connection: u32,
    pub(crate) root_certificate: Option<Vec<u8>>,
    pub(crate) hello: Result<Hello, InvalidSettings>,
    pub(crate) rate: Option<f64>,
}

/// A name and a password that never shows itself.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("password", &"***").finish()
    }
}

impl SmtpSettings {
    /// Creates settings for the relay at `host`:`port` and mail from `from`: implicit TLS on port 465, otherwise
    /// STARTTLS, without signing in.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, from: Mailbox) -> Self {
        Self {
            host: host.into(),
            port,
            from,
            security: if port == 465 { Security::ImplicitTls } else { Security::StartTls },
            login: None,
            connections: 16,
            mail_limit: Duration::from_secs(30),
            command_limit: Duration::from_secs(10),
            mails_per_connection: 1000,
            root_certificate: None,
            hello: Ok(Hello::of_this_machine()),
            rate: None,
        }
    }

    /// Sets the protection of connections to the relay.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Signs in (AUTH PLAIN or LOGIN, whichever the relay offers; RFC 4954).
    #[must_use]
    pub fn sign_in(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some(Login { username: username.into(), password: password.into() });
        self
    }

    /// Sets the maximum number of open connections; default 16.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets the maximum time for one mail in total; default 30 seconds. A mail that has waited for half of it is not
    /// begun any more: the remaining time would be too little, and a mail cut off half-way may or may not have arrived.
    #[must_use]
    pub fn mail_limit(mut self, limit: Duration) -> Self {
        self.mail_limit = limit;
        self
    }

    /// Sets the maximum time for one command, for connecting or for a TLS handshake; default 10 seconds. Only the reply
    /// to the mail itself may take up to the limit of the whole mail.
    #[must_use]
    pub fn command_limit(mut self, limit: Duration) -> Self {
        self.command_limit = limit;
        self
    }

    /// Sets the number of mails after which a connection is replaced; default 1,000.
    #[must_use]
    pub fn mails_per_connection(mut self, mails: u32) -> Self {
        self.mails_per_connection = mails;
        self
    }

    /// Trusts these certificates (PEM) too, for relays with a private authority.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Sets the name for EHLO (RFC 5321 section 4.1.1.1): a host name or an address. The default is the name of this
    /// machine if it contains a dot, otherwise the local address of each connection, because relays refuse a bare name.
    #[must_use]
    pub fn hello(mut self, name: impl AsRef<str>) -> Self {
        self.hello = Hello::parse(name.as_ref());
        self
    }

    /// Sets the maximum number of mails that begin per second, over all connections, with a burst of a tenth of that.
    /// The default, 0, means no limit. Mails beyond the rate wait; see [`SmtpMailer::room`] for how many may.
    ///
    /// [`SmtpMailer::room`]: crate::SmtpMailer::room
    #[must_use]
    pub fn rate(mut self, mails_per_second: f64) -> Self {
        self.rate = (mails_per_second != 0.0).then_some(mails_per_second);
        self
    }

    pub(super) fn check(&self) -> Result<(), InvalidSettings> {
        let graphic = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !graphic(&self.host) {
            return Err(InvalidSettings("the host must be a name or an address".to_owned()));
        }
        self.hello.clone()?;
        if self.connections == 0 || self.connections > MOST_CONNECTIONS || self.mails_per_connection == 0 {
            return Err(InvalidSettings(
                "there must be room for one connection and one mail on it, and for no more than 10,000".to_owned(),
            ));
        }
        let fits = |limit: Duration| !limit.is_zero() && limit <= LONGEST_LIMIT;
        if !fits(self.mail_limit) || !fits(self.command_limit) {
            return Err(InvalidSettings("the time limits must be longer than nothing and at most an hour".to_owned()));
        }
        if self.rate.is_some_and(|rate| !is_rate(rate)) {
            return Err(InvalidSettings("the rate must be a number of mails per second, or 0 for no limit".to_owned()));
        }
        Ok(())
    }
}

/// Returns whether a rate of mails per second can be counted: at least one mail a day, so that waits stay finite.
pub(super) fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate >= 1.0 / 86_400.0
}

/// The error of settings that cannot work: the setting and the reason, never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid SMTP settings: {0}")]
pub struct InvalidSettings(pub(crate) String);
