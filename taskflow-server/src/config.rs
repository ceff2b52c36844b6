//! The settings: read from flags, environment, `.env` and `taskflow.toml`, checked together, every problem at once.

mod database;
mod dotenv;
mod duration;
mod error;
mod example;
mod key;
mod limits;
mod reader;
mod rules;
mod settings;
mod smtp;
mod sources;
mod unknown;
mod values;
mod warnings;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use taskflow_core::{EmailAddress, JobName, JobPlan, Limits, Mailbox, NodeId, Quotas, RetentionPolicy};

use crate::limits::LimitSettings;

pub use database::Database;
#[cfg(test)]
pub(crate) use database::POSTGRES_PARAMETERS;
pub use error::{ConfigError, ConfigErrors};
pub use example::{example, wrapped};
pub use key::KeyOrigin;
pub use settings::{SETTINGS, Setting};
pub use smtp::{Smtp, SmtpLogin, SmtpSecurity};
pub use sources::{Origin, Sources, nearest_word};
pub(crate) use values::is_loopback;
pub use warnings::surroundings;

/// The command that the settings are read for. Not every command needs all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To serve: everything that must be set is demanded, and a key is there afterwards.
    Serve,
    /// To serve, but only to find out whether that would work: the same demands, and no key file is made.
    Check,
    /// To manage accounts and the database: what is set must be right, but nothing else is demanded, and no key file is
    /// made.
    Manage,
}

/// The users who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Nobody; whoever runs the service makes the accounts.
    Closed,
}

/// The requirements for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPolicy {
    /// 8 to 128 characters.
    Basic,
    /// The same, and not easy to guess.
    Strict,
}

/// Settings of mail delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Sending {
    /// Connections to the relay at most.
    pub connections: usize,
    /// Mails that may begin per second, from all processes on one database together; 0: as many as the relay takes.
    pub rate: f64,
    /// Mails claimed at once at most.
    pub batch: usize,
    /// Delay before the next claim after one that found mail.
    pub batch_delay: Duration,
    /// Maximum time for one mail.
    pub mail_timeout: Duration,
    /// After how long the mails of a dead node are taken over.
    pub lease: Duration,
    /// Retries of a mail that was refused for now.
    pub max_retries: u32,
    /// The waits before them; never empty.
    pub retry_waits: Vec<Duration>,
}

/// Connections to PostgreSQL beside those that requests share: the reserved one, and the two by which nodes tell each
/// other.
const OTHER_CONNECTIONS: u32 = 3;
/// Connections that read a SQLite file for requests.
const SQLITE_READERS: u32 = 6;

/// The settings, checked. `Debug` shows secrets as `***`.
#[derive(Clone)]
pub struct Config {
    /// `DATABASE_URL` as it was given.
    pub database_url: SecretString,
    /// Database that `DATABASE_URL` names.
    pub database: Database,
    /// Maximum time to wait for a database connection.
    pub db_acquire_timeout: Duration,
    /// Most connections to PostgreSQL.
    pub db_max_connections: u32,
    /// The outermost folder above a SQLite file that did not exist when the settings were read, from the root.
    pub new_folder: Option<std::path::PathBuf>,
    /// Whether the server creates the database and migrates its schema at start.
    pub auto_migrate: bool,
    /// Address or name to listen on, without brackets.
    pub host: String,
    /// Port to listen on; 0: any.
    pub port: u16,
    /// Development instead of production.
    pub debug: bool,
    /// Base of every link in mail, without a slash at the end; `None`: mail has no links.
    pub public_url: Option<String>,
    /// Further names in `Host` that are accepted.
    pub allowed_hosts: Vec<String>,
    /// Whether the documents of the API are served.
    pub api_docs: bool,
    /// Signs sign-ins: 32 bytes or more.
    pub secret_key: SecretString,
    /// Signed sign-ins before; what they signed is accepted until it expires.
    pub previous_keys: Vec<SecretString>,
    /// Source of the key.
    pub key_origin: KeyOrigin,
    /// Lifetime of an access token, in minutes.
    pub access_token_expire_minutes: u32,
    /// Time for which a user who does not come back stays signed in, in days.
    pub refresh_token_expire_days: u32,
    /// The time after which a session has no fresh proof of the password any more.
    pub reauthenticate_after: Duration,
    /// Users who may register.
    pub registration: Registration,
    /// Requirements for passwords.
    pub password_policy: PasswordPolicy,
    /// Rate limits of requests, and the proxies trusted to name the client.
    pub limits: LimitSettings,
    /// Origins (scheme, host, port) of pages that may call the API.
    pub allowed_origins: Vec<String>,
    /// Whether the development mailbox is served.
    pub mailbox: bool,
    /// The relay; `None`: mail goes to the dev mailbox.
    pub smtp: Option<Smtp>,
    /// The sender of all mail.
    pub mail_from: Mailbox,
    /// Settings of mail delivery.
    pub sending: Sending,
    /// Debounce window: time without a further change before participants are notified of a changed meeting.
    pub change_quiet: Duration,
    /// Limits on what one account may store and cause.
    pub quotas: Quotas,
    /// How long an organizer waits before they can remind somebody by hand again.
    pub reminder_cooldown: Duration,
    /// Whether accounts get mail only at an address that they have verified.
    pub require_verified_email: bool,
    /// Where alerts about the service go; `None`: nowhere.
    pub admin_email: Option<EmailAddress>,
    /// Limits beyond which they are sent.
    pub monitoring: Limits,
    /// Secret with which a mail gateway reports replies of calendars and bounces; `None` if no gateway can.
    pub inbound_secret: Option<SecretString>,
    /// Plan mail, send none.
    pub hold_mail: bool,
    /// Maximum interval between two checks for due mail.
    pub job_tick: Duration,
    /// Schedules of the jobs; a job that is off is absent.
    pub jobs: BTreeMap<JobName, JobPlan>,
    /// Retention periods of stored data.
    pub keeping: RetentionPolicy,
    /// Name of this process in logs and among those on the same database.
    pub node_id: NodeId,
    /// The difference to the database's clock from which on this node's counts as wrong; zero: none.
    pub max_clock_skew: Duration,
    /// Filter of log events.
    pub log: String,
    /// Warnings for the log about settings that are allowed but probably not intended; full sentences.
    pub warnings: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Config {
    /// Reads and checks everything. For [`Need::Serve`] in development it also finds or makes the key file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of [`SETTINGS`].
    pub fn load(sources: Sources, need: Need) -> Result<Self, ConfigErrors> {
        rules::read(sources.read(), need)
    }

    /// Returns how many connections to the database requests share.
    #[must_use]
    pub fn request_connections(&self) -> u32 {
        match self.database {
            Database::Postgres(_) => self.db_max_connections.saturating_sub(OTHER_CONNECTIONS).max(1),
            Database::Sqlite(_) => SQLITE_READERS,
            Database::Memory => self.db_max_connections,
        }
    }

    /// The settings of development, without any source and with a store in memory.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let sources = Sources::none().with_environment([("DATABASE_URL", "memory:"), ("PORT", "0")]);
        Self::load(sources, Need::Serve).expect("the defaults are valid")
    }

    /// Tells which port it was when any was asked for.
    #[must_use]
    pub fn listening_on(mut self, port: u16) -> Self {
        self.port = port;
        if self.public_url.is_none() && self.debug {
            self.public_url = Some(values::local_url(&self.host, port));
        }
        self
    }

    /// Returns the URL of the service for a browser on this machine.
    #[must_use]
    pub fn local_url(&self) -> String {
        values::local_url(&self.host, self.port)
    }

    /// Name, value as it would be written and origin of each setting; secrets are `***`, unset ones empty. An unset key
    /// says in parentheses what becomes of it.
    #[must_use]
    pub fn effective(&self) -> Vec<(&'static str, String, Origin)> {
        let origin = |name| self.origins.get(name).cloned().unwrap_or(Origin::Default);
        SETTINGS.iter().map(|setting| (setting.name, self.shown(setting.name), origin(setting.name))).collect()
    }

    fn shown(&self, name: &str) -> String {
        let smtp = self.smtp.as_ref();
        let login = smtp.and_then(|smtp| smtp.login.as_ref());
        match name {
            "DATABASE_URL" => match &self.database {
                Database::Postgres(place) => place.clone(),
                Database::Memory | Database::Sqlite(_) => self.database_url.expose_secret().to_owned(),
            },
            "DB_MAX_CONNECTIONS" => self.db_max_connections.to_string(),
            "DB_ACQUIRE_TIMEOUT" => duration::show(self.db_acquire_timeout),
            "AUTO_MIGRATE" => self.auto_migrate.to_string(),
            "HOST" => self.host.clone(),
            "PORT" => self.port.to_string(),
            "DEBUG" => self.debug.to_string(),
            "PUBLIC_URL" => self.public_url.clone().unwrap_or_default(),
            "ALLOWED_HOSTS" => self.allowed_hosts.join(","),
            "API_DOCS" => self.api_docs.to_string(),
            "SECRET_KEY" => match (&self.key_origin, self.debug) {
                (KeyOrigin::Ephemeral, true) => "(made at first start)",
                (KeyOrigin::Ephemeral, false) => "(missing)",
                (KeyOrigin::Given | KeyOrigin::Created(_) | KeyOrigin::Kept(_), _) => "***",
            }
            .to_owned(),
            "SECRET_KEY_PREVIOUS" => self.previous_keys.first().map(|_| "***".to_owned()).unwrap_or_default(),
            "ALGORITHM" => "HS256".to_owned(),
            "ACCESS_TOKEN_EXPIRE_MINUTES" => self.access_token_expire_minutes.to_string(),
            "REAUTHENTICATE_AFTER" => duration::show(self.reauthenticate_after),
            "REFRESH_TOKEN_EXPIRE_DAYS" => self.refresh_token_expire_days.to_string(),
            "REGISTRATION" => self.registration.as_str().to_owned(),
            "PASSWORD_POLICY" => self.password_policy.as_str().to_owned(),
            "ALLOWED_ORIGINS" => self.allowed_origins.join(","),
            "SMTP_SERVER" => smtp.map(|smtp| smtp.server.clone()).unwrap_or_default(),
            "SMTP_PORT" => match smtp {
                Some(smtp) => smtp.port.to_string(),
                None if self.origins.contains_key(name) => String::new(),
                None => Setting::named(name).and_then(|setting| setting.default).unwrap_or_default().to_owned(),
            },
            "SMTP_USERNAME" => login.map(|login| login.username.clone()).unwrap_or_default(),
            "SMTP_PASSWORD" => login.map(|_| "***".to_owned()).unwrap_or_default(),
            "SMTP_USE_TLS" => smtp.map(|smtp| smtp.security.is_tls().to_string()).unwrap_or_default(),
            "SMTP_HELLO" => smtp.and_then(|smtp| smtp.hello.clone()).unwrap_or_default(),
            "SMTP_FROM_EMAIL" => self.mail_from.address.to_string(),
            "SMTP_FROM_NAME" => self.mail_from.name.clone().unwrap_or_default(),
            "SMTP_CONNECTIONS" => self.sending.connections.to_string(),
            "EMAIL_TIMEOUT" => duration::show(self.sending.mail_timeout),
            "EMAIL_RATE_PER_SECOND" => self.sending.rate.to_string(),
            "BATCH_DELAY" => duration::show(self.sending.batch_delay),
            "ALERT_EXPIRED_MAILS" => self.monitoring.expired_mails.to_string(),
            "ALERT_DISCARDED_MAILS" => self.monitoring.discarded_mails.to_string(),
            "ALERT_REFUSED_REQUESTS" => self.monitoring.refused_requests.to_string(),
            "ADMIN_EMAIL" => self.admin_email.as_ref().map(ToString::to_string).unwrap_or_default(),
            "BATCH_SIZE" => self.sending.batch.to_string(),
            "MAX_RETRIES" => self.sending.max_retries.to_string(),
            "RETRY_SCHEDULE" => {
                self.sending.retry_waits.iter().copied().map(duration::show).collect::<Vec<_>>().join(",")
            }
            "LEASE_SECONDS" => duration::show(self.sending.lease),
            "CHANGE_QUIET_SECONDS" => duration::show(self.change_quiet),
            "QUOTA_TASKS" => self.quotas.tasks.to_string(),
            "QUOTA_MEETINGS" => self.quotas.meetings.to_string(),
            "QUOTA_INVITATIONS" => self.quotas.invitations.to_string(),
            "QUOTA_STRANGERS" => self.quotas.strangers.to_string(),
            "QUOTA_STRANGERS_UNVERIFIED" => self.quotas.strangers_unverified.to_string(),
            "REMINDER_COOLDOWN" => duration::show(self.reminder_cooldown),
            "REQUIRE_VERIFIED_EMAIL" => self.require_verified_email.to_string(),
            "INBOUND_SECRET" => self.inbound_secret.as_ref().map(|_| "***".to_owned()).unwrap_or_default(),
            "HOLD_MAIL" => self.hold_mail.to_string(),
            "MAILBOX" => self.mailbox.to_string(),
            "JOB_TICK" => duration::show(self.job_tick),
            "SERVER_MONITORING_ENABLED" => self.jobs.contains_key(&JobName::SERVER_MONITORING).to_string(),
            "COMPLETED_DAYS" => days(self.keeping.completed),
            "TRASH_DAYS" => days(self.keeping.trash),
            "LEDGER_DAYS" => days(self.keeping.ledger),
            "FEED_RETENTION_DAYS" => days(self.keeping.feed),
            "NODE_ID" => self.node_id.to_string(),
            "MAX_CLOCK_SKEW" => duration::show(self.max_clock_skew),
            "LOG" => self.log.clone(),
            name => limits::shown(&self.limits, name).or_else(|| shown_job(&self.jobs, name)).unwrap_or_default(),
        }
    }
}

/// The schedule of the job whose setting it is.
fn shown_job(jobs: &BTreeMap<JobName, JobPlan>, setting: &str) -> Option<String> {
    let job = rules::job_of(setting)?;
    Some(jobs.get(&job.name()).map_or("off".to_owned(), |plan| job.written_plan(plan)))
}

fn days(span: Duration) -> String {
    (span.as_secs() / (24 * 3600)).to_string()
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Config");
        for (name, value, _) in self.effective() {
            shown.field(name, &value);
        }
        shown.finish()
    }
}

impl Registration {
    /// Its word in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl PasswordPolicy {
    /// Its word in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Strict => "strict",
        }
    }
}

#[cfg(test)]
mod tests;
