//! The list of all settings, from which flags, `env.example`, help and messages are made.

use std::sync::LazyLock;

use taskflow_core::{Job, shipped_jobs};

/// A setting of the server.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name in the environment and in `.env`; in `taskflow.toml` and as a flag it is written in lower case.
    pub name: &'static str,
    /// The value of an unset setting; `None`: it is derived from other settings, see `meaning`.
    pub default: Option<&'static str>,
    /// Its value is shown as `***`. It has no flag, because other users of a machine can read command lines.
    pub secret: bool,
    /// Its value is `true` or `false`; its flag alone means `true`.
    pub switch: bool,
    /// Description with unit, limits, derived default and consequence: full sentences without a line break.
    pub meaning: &'static str,
}

impl Setting {
    /// The flag that sets it, without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.to_ascii_lowercase().replace('_', "-")
    }

    /// The heading it is listed under.
    #[must_use]
    pub fn section(&self) -> &'static str {
        let place = |name: &str| SETTINGS.iter().position(|setting| setting.name == name);
        let begun = SECTIONS.iter().rev().find(|(_, first)| place(first) <= place(self.name));
        begun.map_or(SECTIONS[0].0, |(heading, _)| heading)
    }

    /// The values it may have, or the usual ones, for shells to offer; empty: there are too many.
    #[must_use]
    pub fn values(&self) -> &'static [&'static str] {
        match self.name {
            _ if self.switch => &["true", "false"],
            "REGISTRATION" => &["open", "closed"],
            "PASSWORD_POLICY" => &["basic", "strict"],
            "ALGORITHM" => &["HS256"],
            "RATE_LIMITS" => &["on", "off"],
            "FORWARDED_HEADER" => &["X-Forwarded-For", "Forwarded"],
            "SMTP_PORT" => &["465", "587"],
            "LOG" => &["off", "error", "warn", "info", "debug", "trace"],
            _ => &[],
        }
    }

    /// The setting of that name, in upper or lower case.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: Some(default), secret: false, switch: false, meaning }
}

const fn derived(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: None, secret: false, switch: false, meaning }
}

const fn switch(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Setting {
    Setting { name, default, secret: false, switch: true, meaning }
}

const fn secret(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: None, secret: true, switch: false, meaning }
}

/// Every setting, in the order in which people read about them.
pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let (before, after) = FIXED.split_at(FIXED.iter().position(|setting| setting.name == "JOB_TICK").unwrap_or(0) + 1);
    let schedule = |(place, (name, job)): (usize, &(&'static str, &'static dyn Job))| {
        let written: &str = job.written_plan(&job.default_plan()).leak();
        setting(name, written, meaning(*job, place == 0).leak())
    };
    [before, &JOB_SETTINGS.iter().enumerate().map(schedule).collect::<Vec<_>>(), after].concat()
});

/// The setting that has the schedule of each shipped job: `JOB_` and its name.
pub(super) static JOB_SETTINGS: LazyLock<Vec<(&'static str, &'static dyn Job)>> = LazyLock::new(|| {
    let name = |job: &dyn Job| -> &'static str { format!("JOB_{}", job.name()).to_ascii_uppercase().leak() };
    shipped_jobs().iter().map(|job| (name(*job), *job)).collect()
});

fn meaning(job: &dyn Job, is_first: bool) -> String {
    let missed =
        if is_first { " Append skip, latest or all to choose which missed times are made up for." } else { "" };
    format!("Schedule of the job that {}: {}, or off.{missed}", job.summary(), job.accepts().forms())
}

/// The settings that do not follow from a list of other things.
const FIXED: &[Setting] = &[
    setting(
        "DATABASE_URL",
        "sqlite://taskflow.db",
        "Where data is stored: sqlite://FILE, postgres://USER:PASSWORD@HOST/DATABASE (PostgreSQL 15 or newer), or memory: \
         (lost when the process ends).",
    ),
    setting(
        "DB_MAX_CONNECTIONS",
        "16",
        "Maximum PostgreSQL connections (4 to 1000; three are reserved for inter-node notifications). Ignored for SQLite.",
    ),
    setting(
        "DB_ACQUIRE_TIMEOUT",
        "5s",
        "Maximum time a request waits for a database connection (1ms to 5m). After that it is answered with 503.",
    ),
    switch(
        "AUTO_MIGRATE",
        Some("true"),
        "true: taskflow serve creates the database and brings its schema up to date. false: it refuses to start when \
         migrations are pending; run taskflow db migrate first. A current schema needs no right to create anything.",
    ),
    setting(
        "HOST",
        "127.0.0.1",
        "Address or host name to listen on; 0.0.0.0 for all IPv4 addresses, :: for all addresses.",
    ),
    setting("PORT", "8000", "Port to listen on (0 to 65535); 0 picks a free port."),
    switch(
        "DEBUG",
        None,
        "Development mode: key, passwords and mail need no settings. Default: true if HOST is a loopback address and \
         PUBLIC_URL is not https, otherwise false. true together with an https PUBLIC_URL is refused.",
    ),
    derived(
        "PUBLIC_URL",
        "Base of every link in mail, for example https://tasks.example.org. One-click unsubscribe needs https. Default in \
         development: http://HOST:PORT. Required in production when mail is sent.",
    ),
    setting(
        "ALLOWED_HOSTS",
        "",
        "Further host names under which requests are accepted, comma-separated; .example.org stands for a domain with all \
         names below it, * for every name. Addresses, loopback names, HOST and the host of PUBLIC_URL are always accepted; \
         other names are answered with 421, except at /health.",
    ),
    switch(
        "API_DOCS",
        None,
        "Whether /docs and /openapi.json are served. Default: true in development, otherwise false.",
    ),
    secret(
        "SECRET_KEY",
        "Key that signs access tokens and links (at least 32 bytes). Required in production. In development it is generated \
         once and stored next to the data.",
    ),
    secret(
        "SECRET_KEY_PREVIOUS",
        "Earlier values of SECRET_KEY, comma-separated. What they signed stays valid until it expires.",
    ),
    setting("ALGORITHM", "HS256", "Signature algorithm of access tokens. Only HS256 is supported."),
    setting("ACCESS_TOKEN_EXPIRE_MINUTES", "30", "Lifetime of an access token in minutes (1 to 43200)."),
    setting("REFRESH_TOKEN_EXPIRE_DAYS", "30", "Days after which an unused session ends (1 to 365)."),
    setting(
        "REAUTHENTICATE_AFTER",
        "10m",
        "Time after the last sign-in or confirmation of a session after which deleting the account needs the password again \
         (1s to 24h).",
    ),
    setting("REGISTRATION", "open", "Who may register: open (everyone) or closed (nobody; use taskflow user create)."),
    derived(
        "PASSWORD_POLICY",
        "Which passwords are accepted: basic (8 to 128 characters) or strict (also hard to guess). Default: basic in \
         development, strict in production.",
    ),
    setting(
        "ALLOWED_ORIGINS",
        "",
        "Origins of web pages that may call the API (CORS), comma-separated, for example https://app.example.org. Default: \
         none.",
    ),
    setting(
        "RATE_LIMITS",
        "on",
        "Whether requests are limited: on or off. A limit such as 30/1h admits 30 requests at once and as many again, evenly \
         spread, within each hour; what exceeds it is answered with 429. Turn limits off only for development.",
    ),
    setting(
        "TRUSTED_PROXIES",
        "",
        "Addresses or networks of the reverse proxies in front, comma-separated, for example 127.0.0.1,10.0.0.0/8. Only they \
         are believed about the address of a client. Default: none, so that everybody behind a proxy counts as one address.",
    ),
    setting(
        "FORWARDED_HEADER",
        "X-Forwarded-For",
        "Header in which the trusted proxies name the client: X-Forwarded-For or Forwarded (RFC 7239). The other one is \
         ignored.",
    ),
    setting(
        "MIN_TRANSFER_RATE",
        "1000",
        "Fewest bytes a second at which clients must send the body of a request, after the first 5 seconds, and read answers, \
         after the first 20 (0 to 1000000). Connections of slower ones are closed. 0: no minimum.",
    ),
    setting(
        "LIMIT_REQUESTS_ADDRESS",
        "600/1m",
        "Requests without a valid token from one address (one network of 64 bits in IPv6), per node.",
    ),
    setting("LIMIT_REQUESTS", "1200/1m", "Requests of one account, per node."),
    setting(
        "LIMIT_SIGN_IN",
        "5/5m",
        "Failed sign-ins by one name from one address. All nodes count together, here and below.",
    ),
    setting(
        "LIMIT_SIGN_IN_NAME",
        "30/1h",
        "Failed sign-ins by one name from all addresses. A device from which the account was signed in to before is not \
         affected.",
    ),
    setting("LIMIT_SIGN_IN_ADDRESS", "60/20m", "Failed sign-ins from one address, whatever the name."),
    setting(
        "LIMIT_SIGN_IN_NAMES",
        "40/1h",
        "Different names in failed sign-ins from one address; the same name counts once in that time.",
    ),
    setting(
        "LIMIT_SIGN_IN_DEVICE",
        "10/10m",
        "Failed sign-ins from a device from which the account was signed in to before.",
    ),
    setting("LIMIT_REGISTER", "20/1h", "Registrations from one address."),
    setting("LIMIT_MAIL", "3/1h", "Requests for a password reset or another verification mail, for one account."),
    setting(
        "LIMIT_MAIL_ADDRESS",
        "20/1h",
        "Requests for a password reset or another verification mail from one address.",
    ),
    setting(
        "QUOTA_TASKS",
        "10000",
        "Tasks that an account may have; with those in its trash it may have twice as many. 0: no limit.",
    ),
    setting("QUOTA_MEETINGS", "2000", "Meetings that lie ahead which an account may organize. 0: no limit."),
    setting(
        "QUOTA_INVITATIONS",
        "2000",
        "People whom an account may invite to meetings per UTC day, counted each time they are invited. 0: no limit.",
    ),
    setting(
        "QUOTA_STRANGERS",
        "300",
        "Of these, people who have never accepted an invitation of the account. 0: no limit, which is also the default with \
         RATE_LIMITS=off.",
    ),
    setting(
        "QUOTA_STRANGERS_UNVERIFIED",
        "5",
        "The same for an account whose email address is not verified (1 to 5). With RATE_LIMITS=off the default is no limit.",
    ),
    setting(
        "REMINDER_COOLDOWN",
        "10m",
        "Time after which an organizer can remind the same person of the same meeting by hand again (0s to 24h). With \
         RATE_LIMITS=off the default is 0s.",
    ),
    switch(
        "REQUIRE_VERIFIED_EMAIL",
        None,
        "Whether an account gets mail only at an address that it has verified; until then only mail for the security of the \
         account is sent, such as the one to verify it. Default: false in development, otherwise true.",
    ),
    derived(
        "SMTP_SERVER",
        "Host name of the SMTP relay. Without it mail goes to the page /mailbox; production then also needs MAILBOX=true.",
    ),
    setting(
        "SMTP_PORT",
        "587",
        "Port of the relay: 465 uses TLS from the start, 587 requires STARTTLS; for other ports see SMTP_USE_TLS.",
    ),
    derived("SMTP_USERNAME", "User name for the relay. Without it TaskFlow does not authenticate."),
    secret("SMTP_PASSWORD", "Password for the relay. Required with SMTP_USERNAME."),
    switch(
        "SMTP_USE_TLS",
        None,
        "Whether ports other than 465 and 587 require STARTTLS. Default: false for a relay on a loopback address, \
         otherwise true.",
    ),
    derived(
        "SMTP_FROM_EMAIL",
        "Sender address of all mail. Default: SMTP_USERNAME if that is an address. Otherwise required, except in \
         development without a relay or with a relay on a loopback address.",
    ),
    derived(
        "SMTP_HELLO",
        "Name for EHLO: a host name such as mail.example.org or an address such as [192.0.2.1]. Default: the name of this \
         machine if it has a dot, otherwise the local address of each connection.",
    ),
    setting("SMTP_FROM_NAME", "TaskFlow", "Sender name of all mail (up to 100 characters)."),
    setting("SMTP_CONNECTIONS", "16", "Maximum connections to the relay (1 to 1000)."),
    setting("EMAIL_TIMEOUT", "30s", "Maximum time to send one mail (1ms to 10m)."),
    setting(
        "EMAIL_RATE_PER_SECOND",
        "0",
        "Maximum mails per second, shared by all nodes on one database; fractions are allowed. 0 means no limit.",
    ),
    setting("BATCH_SIZE", "500", "Maximum mails claimed from the database at once (1 to 10000)."),
    setting("BATCH_DELAY", "0s", "Pause between two claims of mail (0s to 30s)."),
    setting(
        "MAX_RETRIES",
        "7",
        "Retries of a mail whose mailbox the relay refuses temporarily (0 to 100). After the last one the mail is discarded. \
         Refusals that concern the sender or the relay do not count: mail waits until it is of no use any more.",
    ),
    setting(
        "RETRY_SCHEDULE",
        "1m,5m,30m,2h,6h,12h",
        "Delays before the retries, comma-separated; the last one repeats. Each varies by up to 20 %.",
    ),
    setting(
        "LEASE_SECONDS",
        "120",
        "Time after which the mails of a node that died are taken over (seconds, or a duration such as 2m). At least 1.5 \
         times EMAIL_TIMEOUT.",
    ),
    setting(
        "CHANGE_QUIET_SECONDS",
        "60",
        "Quiet time after the last change of a meeting before participants are notified (0 to 300 seconds). They never wait \
         longer than 5 minutes.",
    ),
    derived("ADMIN_EMAIL", "Address that receives alerts about the service. Default: none, and no alerts are sent."),
    setting(
        "ALERT_EXPIRED_MAILS",
        "10",
        "Mails that may expire within an hour because they were not sent in time before ADMIN_EMAIL is alerted. 0: no alert.",
    ),
    setting(
        "ALERT_DISCARDED_MAILS",
        "100",
        "Mails that may be given up within an hour before ADMIN_EMAIL is alerted. 0: no alert.",
    ),
    setting(
        "ALERT_REFUSED_REQUESTS",
        "1000",
        "Requests that limits may refuse within an hour before ADMIN_EMAIL is alerted. 0: no alert.",
    ),
    secret(
        "INBOUND_SECRET",
        "Bearer token with which a mail gateway delivers calendar replies (/api/inbound/itip) and bounces \
         (/api/inbound/bounce). Without it both are turned off.",
    ),
    switch("HOLD_MAIL", Some("false"), "true: queue mail but do not send it; it is sent after a restart with false."),
    switch(
        "MAILBOX",
        None,
        "Whether captured mail is shown at /mailbox. Default: true in development without SMTP_SERVER, otherwise false.",
    ),
    setting("JOB_TICK", "1s", "Maximum interval between checks for due mail and due jobs (10ms to 1h)."),
    switch("SERVER_MONITORING_ENABLED", Some("true"), "false has the same effect as JOB_SERVER_MONITORING=off."),
    setting("COMPLETED_DAYS", "30", "Days after which a completed task is moved to the trash (0 to 36500)."),
    setting("TRASH_DAYS", "30", "Days after which tasks in the trash and cancelled meetings are deleted (0 to 36500)."),
    setting("LEDGER_DAYS", "30", "Days after which settled deliveries and finished job runs are deleted (0 to 36500)."),
    setting("FEED_RETENTION_DAYS", "14", "Days after which entries of the change feed are deleted (0 to 36500)."),
    derived(
        "NODE_ID",
        "Name of this process in logs and at /api/nodes, unique on one database. Default: random at every start.",
    ),
    setting(
        "MAX_CLOCK_SKEW",
        "5s",
        "Difference to PostgreSQL's clock from which on a node neither sends nor issues tokens (0s to 1h; 0s: never).",
    ),
    setting(
        "LOG",
        "info",
        "What to log: off, error, warn, info, debug, trace, or levels per target as in info,taskflow_mail=debug.",
    ),
];

/// The heading over each group of [`SETTINGS`] and the setting that a group begins with.
const SECTIONS: [(&str, &str); 8] = [
    ("Database", "DATABASE_URL"),
    ("Web server", "HOST"),
    ("Sign-in", "SECRET_KEY"),
    ("Limits", "RATE_LIMITS"),
    ("Mail", "SMTP_SERVER"),
    ("Jobs", "JOB_TICK"),
    ("Retention", "COMPLETED_DAYS"),
    ("Process", "NODE_ID"),
];

#[cfg(test)]
mod tests;
