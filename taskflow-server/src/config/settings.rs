//! Every setting there is, as data: flags, `env.example`, help and messages all come from this one list.

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the environment and in `.env`; in `taskflow.toml` and as a flag it is spelled in lower case.
    pub name: &'static str,
    /// What it is when nobody sets it; `None`: it follows from other settings, see `meaning`.
    pub default: Option<&'static str>,
    /// Its value is shown as `***` and it has no flag, because everybody on a machine can read command lines.
    pub secret: bool,
    /// It is `true` or `false`, and its flag may stand alone.
    pub switch: bool,
    /// One line for people.
    pub meaning: &'static str,
}

impl Setting {
    /// The flag that sets it, without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.to_ascii_lowercase().replace('_', "-")
    }

    /// The setting of that name in any spelling of case.
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
pub const SETTINGS: &[Setting] = &[
    setting(
        "DATABASE_URL",
        "sqlite://taskflow.db",
        "where data is kept: sqlite://FILE, postgres://USER:PASSWORD@HOST/DATABASE (15 or newer) or memory: (gone at the end)",
    ),
    setting(
        "DB_MAX_CONNECTIONS",
        "16",
        "most connections to PostgreSQL, at least 4: three of them are for hearing of other nodes; SQLite needs no such limit",
    ),
    setting("DB_ACQUIRE_TIMEOUT", "5s", "how long a request waits for a database connection before it is told 503"),
    setting("HOST", "127.0.0.1", "address to listen on; 0.0.0.0 for all of IPv4, :: for all"),
    setting("PORT", "8000", "port to listen on; 0 takes any free one"),
    switch("DEBUG", None, "development instead of production; when empty: true if HOST is loopback"),
    derived(
        "PUBLIC_URL",
        "base of every link in mail; mail programs unsubscribe by one click at https only; when empty in development: \
         http://HOST:PORT",
    ),
    secret(
        "SECRET_KEY",
        "signs sign-ins, 32 bytes or more; when empty in development: made once, kept beside the data",
    ),
    secret(
        "SECRET_KEY_PREVIOUS",
        "keys before SECRET_KEY, comma-separated: what they signed stays good until it expires",
    ),
    setting("ALGORITHM", "HS256", "how sign-ins are signed; there is no other"),
    setting("ACCESS_TOKEN_EXPIRE_MINUTES", "30", "how long an access token is good for, in minutes (1 to 43200)"),
    setting(
        "REFRESH_TOKEN_EXPIRE_DAYS",
        "30",
        "how long somebody stays signed in without coming back, in days (1 to 365)",
    ),
    setting("REGISTRATION", "open", "who may register: open (everybody) or closed (nobody: taskflow user create)"),
    derived("PASSWORD_POLICY", "basic or strict; when empty: basic in development, strict in production"),
    setting(
        "ALLOWED_ORIGINS",
        "",
        "web pages that may call the API, for example https://app.example.org; comma-separated",
    ),
    derived("SMTP_SERVER", "the relay that takes mail; when empty, mail goes to the page /mailbox (development)"),
    setting("SMTP_PORT", "587", "465: TLS from the start; 587: STARTTLS; any other: see SMTP_USE_TLS"),
    derived("SMTP_USERNAME", "name to sign in to the relay with; when empty: no sign-in"),
    secret("SMTP_PASSWORD", "password to sign in to the relay with"),
    switch(
        "SMTP_USE_TLS",
        None,
        "for ports other than 465 and 587: STARTTLS or plain; when empty: plain on loopback only",
    ),
    derived(
        "SMTP_FROM_EMAIL",
        "sender of all mail; may be empty if SMTP_USERNAME is an address, in development also with a relay on loopback",
    ),
    setting("SMTP_FROM_NAME", "TaskFlow", "name of the sender of all mail"),
    setting("SMTP_CONNECTIONS", "16", "how many connections to the relay at most (1 to 1000)"),
    setting("EMAIL_TIMEOUT", "30s", "how long one mail may take"),
    setting(
        "EMAIL_RATE_PER_SECOND",
        "0",
        "how many mails may begin per second, from all processes on one database together; fractions are fine; 0: as many as the relay takes",
    ),
    setting("BATCH_SIZE", "500", "how many mails are claimed from the database at once at most (1 to 10000)"),
    setting("BATCH_DELAY", "0s", "how long to wait before mails are claimed again after some were (0s to 30s)"),
    setting("MAX_RETRIES", "3", "how often a mail that was refused for now is tried again (0 to 100)"),
    setting("RETRY_SCHEDULE", "1m,5m,30m", "waits before the retries, each up to 20 % shorter or longer"),
    setting(
        "LEASE_SECONDS",
        "120",
        "after how long the mails of a node that died are taken over; at least one and a half times EMAIL_TIMEOUT",
    ),
    setting(
        "CHANGE_QUIET_SECONDS",
        "60",
        "how long a changed meeting must be quiet before people are told, at most 300; they never wait longer than that",
    ),
    derived("ADMIN_EMAIL", "where alerts about the service go; when empty: nowhere"),
    secret(
        "INBOUND_SECRET",
        "what a mail gateway shows (Bearer) to bring answers of calendars (/api/inbound/itip) and what came back \
         (/api/inbound/bounce); when empty: nobody can",
    ),
    switch("HOLD_MAIL", Some("false"), "true: mail is planned and kept, and none is sent until it is started without"),
    switch("MAILBOX", None, "serve the page /mailbox; when empty: in development without SMTP_SERVER"),
    setting("JOB_TICK", "1s", "how often to look for mail and jobs that are due, at least"),
    setting(
        "JOB_TASK_REMINDERS",
        "local 08:00,20:00",
        "when people are told of open tasks: local TIMES (by their own clocks), every SPAN, daily TIME ZONE, or off; behind \
         a schedule may stand what becomes of missed slots: skip, latest or all",
    ),
    setting(
        "JOB_DAILY_SUMMARIES",
        "own",
        "when people are told of their day: own (the time each has chosen, 09:00 at first), local TIMES, daily TIME ZONE, or off",
    ),
    setting("JOB_MEETING_REMINDERS", "every 5m", "when reminders are looked for that were not planned, or off"),
    setting("JOB_SERVER_MONITORING", "every 5m", "when the service looks after itself, or off"),
    switch("SERVER_MONITORING_ENABLED", Some("true"), "false: the same as JOB_SERVER_MONITORING=off"),
    setting("JOB_DATA_CLEANUP", "daily 02:00 UTC", "when what has served its time is removed, or off"),
    setting("JOB_STATISTICS", "every 1h", "when statistics are counted, or off"),
    setting("COMPLETED_DAYS", "30", "after how many days a completed task goes to the trash (0 to 36500)"),
    setting(
        "TRASH_DAYS",
        "30",
        "after how many days tasks in the trash and cancelled meetings are removed (0 to 36500)",
    ),
    setting("LEDGER_DAYS", "30", "after how many days settled deliveries and finished runs are removed (0 to 36500)"),
    setting("FEED_RETENTION_DAYS", "14", "after how many days feed entries are removed (0 to 36500)"),
    derived(
        "NODE_ID",
        "name of this process in logs and on /api/nodes, no other's on the same database; when empty: random at each start",
    ),
    setting(
        "LOG",
        "info",
        "what to log: error, warn, info, debug, trace, or per target as in info,taskflow_mail=debug",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_have_one_line_of_meaning() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..index].iter().all(|other| other.name != setting.name), "{}", setting.name);
            assert!(!setting.meaning.contains('\n') && !setting.meaning.is_empty(), "{}", setting.name);
        }
    }

    #[test]
    fn a_setting_is_found_in_either_case_and_has_a_flag() {
        assert_eq!(Setting::named("smtp_server").map(Setting::flag).as_deref(), Some("smtp-server"));
        assert!(Setting::named("SMTP_SERVR").is_none());
    }

    #[test]
    fn secrets_are_marked() {
        let secrets: Vec<_> = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name).collect();
        assert_eq!(secrets, ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "SMTP_PASSWORD", "INBOUND_SECRET"]);
    }
}
