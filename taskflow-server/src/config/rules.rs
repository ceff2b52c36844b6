//! The rules between settings. Nothing here stops at the first problem.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use taskflow_core::{DebounceWindow, Job, JobName, JobPlan, Limits, NodeId, Quotas, RetentionPolicy};

use super::database::Database;
use super::error::ConfigErrors;
use super::key::{self, KeyOrigin};
use super::reader::Reader;
use super::settings::JOB_SETTINGS;
use super::sources::RawSettings;
use super::{Config, Need, PasswordPolicy, Registration, Sending, smtp, values, warnings};

const SECONDS: &str = "use a number of seconds, or a duration such as 500ms, 30s, 5m or 1h";
const TRUTH: &str = "use true or false";

pub(super) fn read(given: RawSettings, need: Need) -> Result<Config, ConfigErrors> {
    let mut reader = Reader::new(given);
    let r = &mut reader;
    let mut noted = Vec::new();
    let serve = need != Need::Manage;

    let database = database(r);
    let before = r.problems();
    let host = r.value("HOST", "use an address such as 127.0.0.1, or a host name of this machine", values::host);
    let host_understood = r.problems() == before;
    let port = r.value("PORT", "use a number from 0 to 65535; 0 picks a free port", values::number(0..=u16::MAX));
    // What cannot be understood counts as production, so that the stricter problems are named too.
    let asked = r.optional("DEBUG", TRUTH, values::truth);
    let public = r.text("PUBLIC_URL").is_some_and(is_https);
    if public && asked == Some(true) {
        let wrong = "is true although PUBLIC_URL is an https address, at which others reach the service";
        r.problem("DEBUG", wrong, "remove it: a service that others reach runs in production mode");
    }
    let debug = asked.unwrap_or(!r.has("DEBUG") && host_understood && values::is_loopback(&host) && !public);
    let (smtp, mail_from) = smtp::read(r, debug, &mut noted);
    let relay = r.has("SMTP_SERVER");
    let mailbox = mailbox(r, debug, relay, serve);
    let public_url = public_url(r, debug, serve && (relay || !mailbox), &host, port);
    let policy = r.optional("PASSWORD_POLICY", "use basic or strict", policy);
    let sending = sending(r);
    algorithm(r);
    let secret_key = given_key(r, !debug && serve);
    let previous_keys = previous_keys(r);
    let (access_token_expire_minutes, refresh_token_expire_days) = lifetimes(r);

    let limits = super::limits::read(r);

    let config = Config {
        database_url: r.value("DATABASE_URL", "", |text| Some(SecretString::from(text))),
        database: database.clone().unwrap_or(Database::Memory),
        db_max_connections: r.value("DB_MAX_CONNECTIONS", "use a number from 4 to 1000", values::number(4..=1000)),
        db_acquire_timeout: span(
            r,
            "DB_ACQUIRE_TIMEOUT",
            "use a duration from 1ms to 5m",
            values::span(Duration::from_millis(1)..=Duration::from_mins(5)),
        ),
        // Before the key is kept there.
        new_folder: database.as_ref().and_then(Database::file).and_then(missing_folder),
        auto_migrate: r.value("AUTO_MIGRATE", TRUTH, values::truth),
        debug,
        public_url,
        key_origin: if secret_key.is_some() { KeyOrigin::Given } else { KeyOrigin::Ephemeral },
        allowed_hosts: r
            .optional(
                "ALLOWED_HOSTS",
                "list host names without scheme and port, separated by commas, as in tasks.example.org,.example.net",
                values::hosts,
            )
            .unwrap_or_default(),
        api_docs: r.optional("API_DOCS", TRUTH, values::truth).unwrap_or(debug),
        secret_key: secret_key.unwrap_or_else(key::random),
        previous_keys,
        access_token_expire_minutes,
        refresh_token_expire_days,
        reauthenticate_after: span(
            r,
            "REAUTHENTICATE_AFTER",
            "use a duration from 1s to 24h",
            values::span(Duration::from_secs(1)..=Duration::from_hours(24)),
        ),
        registration: registration(r),
        password_policy: policy.unwrap_or(if debug { PasswordPolicy::Basic } else { PasswordPolicy::Strict }),
        quotas: quotas(r, limits.enabled),
        reminder_cooldown: reminder_cooldown(r, limits.enabled),
        require_verified_email: r.optional("REQUIRE_VERIFIED_EMAIL", TRUTH, values::truth).unwrap_or(!debug),
        limits,
        allowed_origins: r
            .optional(
                "ALLOWED_ORIGINS",
                "list origins such as https://app.example.org, separated by commas; * is not supported",
                values::origins,
            )
            .unwrap_or_default(),
        mailbox,
        smtp,
        mail_from,
        sending,
        change_quiet: r.value(
            "CHANGE_QUIET_SECONDS",
            "use a number of seconds from 0 to 300, or a duration from 0s to 5m",
            values::seconds(Duration::ZERO..=DebounceWindow::LONGEST),
        ),
        admin_email: r
            .optional("ADMIN_EMAIL", "use one e-mail address, as in admin@example.org", |text| text.parse().ok()),
        monitoring: monitoring(r),
        inbound_secret: r.secret("INBOUND_SECRET").map(SecretString::from),
        hold_mail: r.value("HOLD_MAIL", TRUTH, values::truth),
        job_tick: span(
            r,
            "JOB_TICK",
            "use a duration from 10ms to 1h",
            values::span(Duration::from_millis(10)..=Duration::from_hours(1)),
        ),
        jobs: jobs(r),
        keeping: keeping(r),
        node_id: r
            .optional("NODE_ID", "use up to 64 letters, digits, '.', '_' or '-'", values::node_id)
            .unwrap_or_else(random_node_id),
        max_clock_skew: span(
            r,
            "MAX_CLOCK_SKEW",
            "use a duration from 0s to 1h",
            values::span(Duration::ZERO..=Duration::from_hours(1)),
        ),
        log: r.value(
            "LOG",
            "use off, error, warn, info, debug, trace, or target=level pairs separated by commas",
            log_filter,
        ),
        warnings: Vec::new(),
        origins: std::collections::BTreeMap::new(),
        host,
        port,
    };
    noted.extend(warnings::about(&config, r));
    let config = Config { warnings: noted, ..config };
    // The file of the key is only touched when everything else is right.
    let key_file = database.as_ref().and_then(key::path_for);
    let config = match (reader.problems(), need, &config.key_origin, key_file) {
        (0, Need::Serve, KeyOrigin::Ephemeral, Some(file)) => with_kept_key(&mut reader, config, &file),
        _ => config,
    };
    Ok(Config { origins: reader.finish()?, ..config })
}

fn monitoring(r: &mut Reader) -> Limits {
    let mut figure = |name| r.value(name, "use a number from 0 to 1000000000", values::number(0..=1_000_000_000));
    Limits {
        expired_mails: figure("ALERT_EXPIRED_MAILS"),
        discarded_mails: figure("ALERT_DISCARDED_MAILS"),
        refused_requests: figure("ALERT_REFUSED_REQUESTS"),
        ..Limits::default()
    }
}

fn quotas(r: &mut Reader, limited: bool) -> Quotas {
    // Of who develops and tests without limits, at most what they set themselves is asked.
    let (is_limited, is_limited_unverified) =
        (limited || r.has("QUOTA_STRANGERS"), limited || r.has("QUOTA_STRANGERS_UNVERIFIED"));
    let unverified = r.value("QUOTA_STRANGERS_UNVERIFIED", "use a number from 1 to 5", values::number(1..=5));
    let mut figure = |name| r.value(name, "use a number from 0 to 1000000000", values::number(0..=1_000_000_000));
    Quotas {
        tasks: figure("QUOTA_TASKS"),
        meetings: figure("QUOTA_MEETINGS"),
        invitations: figure("QUOTA_INVITATIONS"),
        strangers: Some(figure("QUOTA_STRANGERS")).filter(|_| is_limited).unwrap_or_default(),
        strangers_unverified: if is_limited_unverified { unverified } else { 0 },
    }
}

fn reminder_cooldown(r: &mut Reader, limited: bool) -> Duration {
    let is_limited = limited || r.has("REMINDER_COOLDOWN");
    let range = Duration::ZERO..=Duration::from_hours(24);
    let cooldown = span(r, "REMINDER_COOLDOWN", "use a duration from 0s to 24h", values::span(range));
    if is_limited { cooldown } else { Duration::ZERO }
}

/// Returns whether a base of links is one that others reach.
fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn database(r: &mut Reader) -> Option<Database> {
    let url = r.value("DATABASE_URL", "", |text| Some(text.to_owned()));
    match Database::parse(&url) {
        Ok(database) => {
            if database.file().is_some_and(std::path::Path::is_dir) {
                r.problem("DATABASE_URL", "is a directory", "add the name of a file, for example taskflow.db");
            }
            Some(database)
        }
        Err((wrong, right)) => {
            r.problem("DATABASE_URL", wrong, right);
            None
        }
    }
}

fn mailbox(r: &mut Reader, debug: bool, relay: bool, serve: bool) -> bool {
    let asked = r.optional("MAILBOX", TRUTH, values::truth);
    if !relay && serve {
        let right = "set SMTP_SERVER, or MAILBOX=true to show mail at /mailbox instead of sending it";
        match asked {
            Some(false) => {
                r.problem("MAILBOX", "is false and SMTP_SERVER is missing, so mail has nowhere to go", right);
            }
            None if !debug && !r.has("MAILBOX") => {
                r.problem("SMTP_SERVER", "is missing: production needs a relay to send mail", right);
            }
            Some(true) | None => {}
        }
    }
    asked.unwrap_or(debug && !relay)
}

fn public_url(r: &mut Reader, debug: bool, sends: bool, host: &str, port: u16) -> Option<String> {
    let right = "use the address at which people reach the service, as in https://tasks.example.org";
    let url = r.optional("PUBLIC_URL", right, values::base_url);
    if sends && !debug && !r.has("PUBLIC_URL") {
        r.problem("PUBLIC_URL", "is missing: links in mail need it", right);
    }
    // Port 0 becomes known when it is bound.
    url.or_else(|| (debug && port != 0).then(|| values::local_url(host, port)))
}

fn sending(r: &mut Reader) -> Sending {
    let timeout = Duration::from_millis(1)..=Duration::from_mins(10);
    let delay = Duration::ZERO..=Duration::from_secs(30);
    let sending = Sending {
        connections: r.value("SMTP_CONNECTIONS", "use a number from 1 to 1000", values::number(1..=1000)),
        rate: r.value("EMAIL_RATE_PER_SECOND", "use a number from 0.001 to 100000, or 0 for no limit", values::rate),
        batch_delay: span(r, "BATCH_DELAY", "use a duration from 0s to 30s", values::span(delay)),
        batch: r.value("BATCH_SIZE", "use a number from 1 to 10000", values::number(1..=10_000)),
        mail_timeout: span(r, "EMAIL_TIMEOUT", "use a duration from 1ms to 10m", values::span(timeout)),
        lease: r.value("LEASE_SECONDS", SECONDS, values::seconds(Duration::from_millis(1)..=Duration::from_hours(24))),
        max_retries: r.value("MAX_RETRIES", "use a number from 0 to 100", values::number(0..=100)),
        retry_waits: span(r, "RETRY_SCHEDULE", "use durations separated by commas, as in 1m,5m,30m", values::spans),
    };
    let timeout = super::duration::show(sending.mail_timeout);
    // No mail starts that could outlive its lease: with less there is no time to start one.
    if sending.lease < sending.mail_timeout * 3 / 2 {
        r.problem(
            "LEASE_SECONDS",
            format!("is less than 1.5 times EMAIL_TIMEOUT ({timeout}), so no mail could be started under a lease"),
            "use several times EMAIL_TIMEOUT",
        );
    } else if sending.lease <= sending.mail_timeout + sending.batch_delay * 2 {
        // A claim that waits for its turn is already counted against its lease.
        let wrong =
            format!("leaves too little of a lease ({}) for a mail ({timeout})", super::duration::show(sending.lease));
        r.problem("BATCH_DELAY", wrong, "make it shorter, or LEASE_SECONDS longer");
    }
    sending
}

/// Reads a setting that is a duration, or several. A number without a unit is refused with what may be meant.
fn span<T>(r: &mut Reader, name: &'static str, right: &str, parse: impl Fn(&str) -> Option<T>) -> T {
    let meant = r.text(name).and_then(super::duration::with_units);
    let right = meant.map_or_else(|| right.to_owned(), |meant| format!("add the unit, as in {meant}; {right}"));
    r.value(name, &right, parse)
}

/// The shipped job whose schedule a setting is.
pub(super) fn job_of(setting: &str) -> Option<&'static dyn Job> {
    JOB_SETTINGS.iter().find(|(name, _)| *name == setting).map(|(_, job)| *job)
}

fn jobs(r: &mut Reader) -> BTreeMap<JobName, JobPlan> {
    let mut plans = BTreeMap::new();
    for (setting, job) in JOB_SETTINGS.iter() {
        let examples = job.accepts().examples();
        let right = format!("use a schedule such as {examples}, optionally followed by skip, latest or all, or off");
        plans.extend(r.value(setting, &right, |text| job.parse_plan(text).ok()).map(|plan| (job.name(), plan)));
    }
    if !r.value("SERVER_MONITORING_ENABLED", TRUTH, values::truth) {
        plans.remove(&JobName::SERVER_MONITORING);
    }
    plans
}

fn keeping(r: &mut Reader) -> RetentionPolicy {
    let mut days = |name| {
        let days: u64 = r.value(name, "use a number of days from 0 to 36500", values::number(0..=36_500));
        Duration::from_hours(24 * days)
    };
    RetentionPolicy {
        completed: days("COMPLETED_DAYS"),
        trash: days("TRASH_DAYS"),
        ledger: days("LEDGER_DAYS"),
        feed: days("FEED_RETENTION_DAYS"),
    }
}

fn algorithm(r: &mut Reader) {
    let given = r.text("ALGORITHM").map(str::to_owned);
    if let Some(other) = given.filter(|name| name != "HS256") {
        let wrong = format!("is {other:?}, but access tokens are only signed with HS256");
        r.problem("ALGORITHM", wrong, "remove it: one fixed algorithm leaves attackers no choice");
    }
}

fn registration(r: &mut Reader) -> Registration {
    if r.text("REGISTRATION") == Some("verified") {
        let wrong = "is verified, which this version does not support yet";
        r.problem("REGISTRATION", wrong, "use open, or use closed and create accounts with: taskflow user create");
        return Registration::Closed;
    }
    r.value("REGISTRATION", "use open or closed", |word| {
        [Registration::Open, Registration::Closed].into_iter().find(|kind| kind.as_str() == word)
    })
}

fn policy(word: &str) -> Option<PasswordPolicy> {
    [PasswordPolicy::Basic, PasswordPolicy::Strict].into_iter().find(|policy| policy.as_str() == word)
}

fn given_key(r: &mut Reader, required: bool) -> Option<SecretString> {
    let key = r.secret("SECRET_KEY").map(str::to_owned);
    match key.as_deref().map(key::check) {
        Some(Err((wrong, right))) => r.problem("SECRET_KEY", wrong, right),
        Some(Ok(())) => {}
        None if required => {
            let wrong = "is missing: production needs it, so that sessions survive a restart";
            r.problem("SECRET_KEY", wrong, "generate one with: openssl rand -base64 48");
        }
        None => {}
    }
    key.map(SecretString::from)
}

fn previous_keys(r: &mut Reader) -> Vec<SecretString> {
    let given = r.secret("SECRET_KEY_PREVIOUS").map(str::to_owned).unwrap_or_default();
    let keys: Vec<&str> = given.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
    if let Some((wrong, right)) = keys.iter().find_map(|key| key::check(key).err()) {
        r.problem("SECRET_KEY_PREVIOUS", format!("has a key that {wrong}"), right);
    }
    keys.into_iter().map(SecretString::from).collect()
}

/// Minutes of an access token and days of a session.
fn lifetimes(r: &mut Reader) -> (u32, u32) {
    let minutes =
        r.value("ACCESS_TOKEN_EXPIRE_MINUTES", "use a number of minutes from 1 to 43200", values::number(1..=43_200));
    let days = r.value("REFRESH_TOKEN_EXPIRE_DAYS", "use a number of days from 1 to 365", values::number(1..=365));
    if minutes > days * 24 * 60 {
        let wrong =
            format!("is longer than REFRESH_TOKEN_EXPIRE_DAYS ({days}), so an access token would outlive its session");
        r.problem("ACCESS_TOKEN_EXPIRE_MINUTES", wrong, "use fewer minutes; 5 to 60 are usual");
    }
    (minutes, days)
}

fn missing_folder(file: &std::path::Path) -> Option<std::path::PathBuf> {
    let file = std::path::absolute(file).ok()?;
    file.ancestors().skip(1).take_while(|folder| !folder.exists()).last().map(std::path::Path::to_owned)
}

fn with_kept_key(reader: &mut Reader, config: Config, path: &std::path::Path) -> Config {
    match key::find_or_make(path) {
        Ok((secret_key, key_origin)) => Config { secret_key, key_origin, ..config },
        Err((wrong, right)) => {
            reader.problem("SECRET_KEY", wrong, right);
            config
        }
    }
}

fn random_node_id() -> NodeId {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..8].parse().expect("eight hexadecimal digits are a name")
}

/// A word alone must be a level: the filter would take a misspelled one for a target, and log nothing else.
fn log_filter(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let levels_known = text.split(',').all(|part| part.contains(['=', '[']) || LEVELS.contains(&part.trim()));
    (levels_known && tracing_subscriber::EnvFilter::builder().parse(text).is_ok()).then(|| text.to_owned())
}
