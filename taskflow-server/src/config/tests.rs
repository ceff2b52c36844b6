use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Settings that are required in production; `memory:` keeps the tests off the disk.
const PRODUCTION: [(&str, &str); 6] = [
    ("DATABASE_URL", "memory:"),
    ("HOST", "0.0.0.0"),
    ("SECRET_KEY", KEY),
    ("PUBLIC_URL", "https://tasks.example.org"),
    ("SMTP_SERVER", "smtp.example.org"),
    ("SMTP_FROM_EMAIL", "taskflow@example.org"),
];

fn dot_env(base: &[(&str, &str)], changes: &[(&str, &str)]) -> Sources {
    let lines: Vec<String> = base.iter().chain(changes).map(|(name, value)| format!("{name}='{value}'")).collect();
    // A later line replaces an earlier one only when it is not empty, so empty changes take the line away.
    let gone =
        |line: &&String| changes.iter().any(|(name, value)| value.is_empty() && line.starts_with(&format!("{name}=")));
    Sources::none().with_dot_env(&lines.iter().filter(|line| !gone(line)).cloned().collect::<Vec<_>>().join("\n"))
}

fn development(changes: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(dot_env(&[("DATABASE_URL", "memory:")], changes), Need::Serve)
}

fn production(changes: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(dot_env(&PRODUCTION, changes), Need::Serve)
}

/// The only problem there is, as (setting, what is wrong).
fn problem(result: Result<Config, ConfigErrors>) -> (String, String) {
    let ConfigErrors(mut problems) = result.expect_err("a problem");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.remove(0);
    assert!(!problem.right.is_empty());
    (problem.setting, problem.wrong)
}

fn names(result: Result<Config, ConfigErrors>) -> Vec<String> {
    result.expect_err("problems").0.into_iter().map(|problem| problem.setting).collect()
}

#[test]
fn nothing_set_is_development_on_this_machine_with_the_dev_mailbox() {
    let config = development(&[]).expect("valid");
    assert!(config.debug && config.mailbox && config.smtp.is_none() && config.warnings.is_empty());
    assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 8000));
    assert_eq!(config.public_url.as_deref(), Some("http://127.0.0.1:8000"));
    assert_eq!(config.password_policy, PasswordPolicy::Basic);
    assert_eq!(config.registration, Registration::Open);
    assert_eq!(config.key_origin, KeyOrigin::Ephemeral);
    assert_eq!(config.sending.retry_waits, [1, 5, 30, 120, 360, 720].map(Duration::from_mins));
}

#[test]
fn the_default_database_is_a_file_in_the_working_directory() {
    let config = Config::load(Sources::none(), Need::Manage).expect("valid");
    assert_eq!(config.database, Database::Sqlite("taskflow.db".into()));
}

#[test]
fn another_host_than_loopback_is_production() {
    let config = production(&[]).expect("valid");
    assert!(!config.debug && !config.mailbox);
    assert_eq!(config.password_policy, PasswordPolicy::Strict);
}

#[test]
fn debug_decides_over_the_host() {
    assert!(production(&[("DEBUG", "true"), ("PUBLIC_URL", "http://localhost")]).expect("valid").debug);
    assert!(!production(&[("HOST", "127.0.0.1"), ("DEBUG", "false")]).expect("valid").debug);
}

#[test]
fn an_https_public_url_is_production_on_loopback_too() {
    let behind_a_proxy = [("HOST", "127.0.0.1"), ("PUBLIC_URL", "HTTPS://tasks.example.org")];
    let config = production(&behind_a_proxy).expect("valid");
    assert!(!config.debug && !config.mailbox && !config.api_docs);
    assert!(production(&[("API_DOCS", "true")]).expect("valid").api_docs);
    assert_eq!(names(development(&behind_a_proxy)), ["SECRET_KEY", "SMTP_SERVER"]);
    assert_eq!(problem(production(&[("DEBUG", "true")])).0, "DEBUG");
}

#[test]
fn keys_that_are_long_and_can_be_guessed_are_remarked() {
    let warnings = |key: &str| production(&[("SECRET_KEY", key)]).expect("valid").warnings.len();
    for key in ["a".repeat(40), "abc".repeat(20), "my-very-secret-key-of-this-service".into(), "1234567890".repeat(4)] {
        assert_eq!(warnings(&key), 1, "{key}");
    }
    for key in ["Zk3h0xq9VbX7uYwT1rPsLmNaQeDfGj2c", key::random().expose_secret()] {
        assert_eq!(warnings(key), 0, "{key}");
    }
}

#[test]
fn a_misspelled_variable_of_the_environment_is_remarked() {
    let given = [("DATABASE_URL", "memory:"), ("SMTP_SERVR", "hunter2"), ("HOME", "/"), ("TASKFLOW_PORT", "1")];
    let warnings = Config::load(Sources::none().with_environment(given), Need::Manage).expect("valid").warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let text = warnings.join("\n");
    assert!(text.contains("SMTP_SERVER") && text.contains("did you mean PORT?") && !text.contains("hunter2"), "{text}");
}

#[test]
fn production_demands_key_public_url_relay_and_sender() {
    let without = [("SECRET_KEY", ""), ("PUBLIC_URL", ""), ("SMTP_FROM_EMAIL", "")];
    assert_eq!(names(production(&without)), ["PUBLIC_URL", "SECRET_KEY", "SMTP_FROM_EMAIL"]);
    let bare =
        Config::load(Sources::none().with_environment([("HOST", "::"), ("DATABASE_URL", "memory:")]), Need::Serve);
    assert_eq!(names(bare), ["PUBLIC_URL", "SECRET_KEY", "SMTP_SERVER"]);
}

#[test]
fn a_host_that_cannot_be_understood_counts_as_production() {
    let odd = dot_env(&[("DATABASE_URL", "memory:")], &[("HOST", "ban ana")]);
    assert_eq!(names(Config::load(odd, Need::Serve)), ["HOST", "PUBLIC_URL", "SECRET_KEY", "SMTP_SERVER"]);
}

#[test]
fn a_relay_elsewhere_needs_a_sender_in_development_too() {
    let (name, wrong) = problem(development(&[("SMTP_SERVER", "smtp.example.org")]));
    assert!(name == "SMTP_FROM_EMAIL" && wrong.contains("is missing"));
    let login = [("SMTP_SERVER", "smtp.example.org"), ("SMTP_USERNAME", "me@example.org"), ("SMTP_PASSWORD", "p")];
    assert_eq!(development(&login).expect("valid").mail_from.address.as_str(), "me@example.org");
}

#[test]
fn unset_settings_show_what_becomes_of_them() {
    let shown = |host, name| {
        let sources = dot_env(&[("DATABASE_URL", "memory:"), ("HOST", host)], &[]);
        let effective = Config::load(sources, Need::Manage).expect("valid").effective();
        effective.into_iter().find(|(own, ..)| *own == name).map(|(_, value, _)| value)
    };
    assert_eq!(shown("127.0.0.1", "SECRET_KEY").as_deref(), Some("(made at first start)"));
    assert_eq!(shown("0.0.0.0", "SECRET_KEY").as_deref(), Some("(missing)"));
    assert_eq!(shown("0.0.0.0", "SMTP_PORT").as_deref(), Some("587"));
}

#[test]
fn production_without_relay_starts_when_mail_is_to_stay_in_the_mailbox() {
    let config = production(&[("SMTP_SERVER", ""), ("PUBLIC_URL", ""), ("MAILBOX", "true")]).expect("valid");
    assert!(config.mailbox && config.smtp.is_none() && config.public_url.is_none());
    assert!(config.warnings[0].contains("every administrator can read all captured mail"));
}

#[test]
fn mail_must_have_somewhere_to_go() {
    assert_eq!(problem(development(&[("MAILBOX", "false")])).0, "MAILBOX");
    assert!(!development(&[("MAILBOX", "false"), ("SMTP_SERVER", "localhost")]).expect("valid").mailbox);
}

#[test]
fn managing_demands_nothing_but_checks_what_is_set() {
    let bare = dot_env(&[("HOST", "0.0.0.0"), ("DATABASE_URL", "memory:")], &[]);
    assert!(Config::load(bare, Need::Manage).is_ok());
    let wrong = dot_env(&[("DATABASE_URL", "memory:"), ("PORT", "x")], &[]);
    assert_eq!(problem(Config::load(wrong, Need::Manage)).0, "PORT");
}

#[test]
fn short_and_sample_keys_are_refused_everywhere() {
    assert!(problem(production(&[("SECRET_KEY", "short")])).1.contains("5 bytes"));
    let sample = [("SECRET_KEY", "your-super-secret-key-change-this-in-production")];
    assert!(problem(development(&sample)).1.contains("sample"));
    assert!(problem(production(&sample)).1.contains("sample"));
}

#[test]
fn in_development_the_key_is_kept_beside_the_data() {
    use secrecy::ExposeSecret;
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}/x.db", dir.path().display());
    let load = |need| Config::load(dot_env(&[("DATABASE_URL", &url)], &[]), need).expect("valid");
    assert_eq!(load(Need::Manage).key_origin, KeyOrigin::Ephemeral);
    let file = dir.path().join("x.db.key");
    assert!(!file.exists(), "managing makes no key file");
    let (first, second) = (load(Need::Serve), load(Need::Serve));
    assert_eq!((&first.key_origin, &second.key_origin), (&KeyOrigin::Created(file.clone()), &KeyOrigin::Kept(file)));
    assert_eq!(first.secret_key.expose_secret(), second.secret_key.expose_secret());
}

#[test]
fn no_key_file_is_made_while_anything_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}/x.db", dir.path().display());
    problem(Config::load(dot_env(&[("DATABASE_URL", &url), ("PORT", "x")], &[]), Need::Serve));
    assert_eq!(std::fs::read_dir(dir.path()).expect("the directory").count(), 0);
}

#[test]
fn a_key_that_cannot_be_kept_is_named_with_what_helps() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let url = format!("sqlite://{}/x.db", file.path().display());
    let result = development(&[("DATABASE_URL", &url)]);
    let text = result.as_ref().expect_err("a problem").to_string();
    assert!(text.contains("set SECRET_KEY"), "{text}");
    assert!(problem(result).1.contains("cannot be"));
}

#[test]
fn all_problems_are_named_at_once_in_the_order_of_the_settings() {
    let result = production(&[
        ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/d"),
        ("PORT", "80000"),
        ("DEBUG", "maybe"),
        ("PUBLIC_URL", "tasks.example.org"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("API_DOCS", "2"),
        ("SECRET_KEY", "hunter2"),
        ("SECRET_KEY_PREVIOUS", "hunter2"),
        ("ALGORITHM", "none"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "0"),
        ("REGISTRATION", "verified"),
        ("PASSWORD_POLICY", "lax"),
        ("ALLOWED_ORIGINS", "*"),
        ("RATE_LIMITS", "2"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("FORWARDED_HEADER", "Via"),
        ("MIN_TRANSFER_RATE", "-1"),
        ("LIMIT_REQUESTS_ADDRESS", "0/1h"),
        ("LIMIT_REQUESTS", "many"),
        ("LIMIT_SIGN_IN", "5"),
        ("LIMIT_SIGN_IN_NAME", "5/0s"),
        ("LIMIT_SIGN_IN_ADDRESS", "5/2d"),
        ("LIMIT_SIGN_IN_NAMES", "5/1x"),
        ("LIMIT_SIGN_IN_DEVICE", "-1/1h"),
        ("LIMIT_REGISTER", "1.5/1h"),
        ("LIMIT_MAIL", "5 per hour"),
        ("LIMIT_MAIL_ADDRESS", "/1h"),
        ("REAUTHENTICATE_AFTER", "0s"),
        ("QUOTA_TASKS", "-1"),
        ("QUOTA_MEETINGS", "many"),
        ("QUOTA_INVITATIONS", "1.5"),
        ("QUOTA_STRANGERS", "few"),
        ("QUOTA_STRANGERS_UNVERIFIED", "6"),
        ("REMINDER_COOLDOWN", "2d"),
        ("REQUIRE_VERIFIED_EMAIL", "2"),
        ("SMTP_PORT", "0"),
        ("SMTP_PASSWORD", "hunter2"),
        ("SMTP_USE_TLS", "ssl"),
        ("SMTP_FROM_EMAIL", "nobody"),
        ("SMTP_HELLO", "a b"),
        ("SMTP_CONNECTIONS", "0"),
        ("EMAIL_TIMEOUT", "1d"),
        ("EMAIL_RATE_PER_SECOND", "-1"),
        ("BATCH_SIZE", "-1"),
        ("BATCH_DELAY", "1h"),
        ("MAX_RETRIES", "x"),
        ("RETRY_SCHEDULE", "1m,,2m"),
        ("LEASE_SECONDS", "30"),
        ("CHANGE_QUIET_SECONDS", "6m"),
        ("ADMIN_EMAIL", "nobody"),
        ("ALERT_EXPIRED_MAILS", "few"),
        ("ALERT_DISCARDED_MAILS", "-1"),
        ("ALERT_REFUSED_REQUESTS", "1.5"),
        ("HOLD_MAIL", "2"),
        ("AUTO_MIGRATE", "2"),
        ("MAILBOX", "2"),
        ("JOB_TICK", "0"),
        ("JOB_TASK_REMINDERS", "own"),
        ("JOB_DAILY_SUMMARIES", "hourly"),
        ("JOB_MEETING_REMINDERS", "every 0m"),
        ("JOB_SERVER_MONITORING", "local 08:00"),
        ("SERVER_MONITORING_ENABLED", "yes please"),
        ("JOB_DATA_CLEANUP", "daily 25:00"),
        ("JOB_STATISTICS", "never"),
        ("JOB_ACCOUNT_DELETION", "never"),
        ("COMPLETED_DAYS", "-1"),
        ("TRASH_DAYS", "36501"),
        ("LEDGER_DAYS", "a month"),
        ("FEED_RETENTION_DAYS", "1.5"),
        ("NODE_ID", "a b"),
        ("MAX_CLOCK_SKEW", "2h"),
        ("LOG", "loud"),
        ("DB_ACQUIRE_TIMEOUT", "0"),
        ("DB_MAX_CONNECTIONS", "3"),
        ("HOST", "300.0.0.1"),
    ]);
    let text = result.as_ref().expect_err("problems").to_string();
    assert!(!text.contains("hunter2"), "{text}");
    let expected: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let fine = ["SMTP_SERVER", "SMTP_FROM_NAME", "SMTP_PASSWORD", "INBOUND_SECRET"];
    assert_eq!(names(result), expected.into_iter().filter(|name| !fine.contains(name)).collect::<Vec<_>>());
}

#[test]
fn each_problem_says_where_the_value_came_from() {
    let sources =
        Sources::none().with_toml("host = \"a b\"").with_dot_env("\nPORT=x").with_environment([("DEBUG", "x")]);
    let text = Config::load(sources, Need::Manage).expect_err("problems").to_string();
    for place in ["HOST (from taskflow.toml)", "PORT (from .env, line 2)", "DEBUG (from the environment)"] {
        assert!(text.contains(place), "{text}");
    }
}

#[test]
fn the_configuration_of_the_original_is_understood_and_named_where_it_cannot_be_used() {
    let original = "\
# Database
DATABASE_URL=postgresql://username:password@localhost:5432/task_dashboard

# JWT Authentication
SECRET_KEY=your-super-secret-key-change-this-in-production
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=30

# Email Configuration
SMTP_SERVER=smtp.gmail.com
SMTP_PORT=465
SMTP_USERNAME=your-email@gmail.com
SMTP_PASSWORD=your-app-password
SMTP_FROM_EMAIL=your-email@gmail.com
SMTP_FROM_NAME=Task Management Dashboard

# Server Monitoring
ADMIN_EMAIL=admin@yourcompany.com
SERVER_MONITORING_ENABLED=true

# Application
DEBUG=true
HOST=0.0.0.0
PORT=8000
";
    let result = Config::load(Sources::none().with_dot_env(original), Need::Serve);
    assert_eq!(names(result), ["SECRET_KEY"]);
    let mended = original
        .replace("DATABASE_URL=postgresql://username:password@localhost:5432/task_dashboard", "DATABASE_URL=memory:");
    let mended = mended.replace("SECRET_KEY=your-super-secret-key-change-this-in-production", "");
    let config = Config::load(Sources::none().with_dot_env(&mended), Need::Serve).expect("valid");
    let smtp = config.smtp.clone().expect("a relay");
    assert_eq!((smtp.port, smtp.security), (465, SmtpSecurity::Implicit));
    assert_eq!(config.mail_from.name.as_deref(), Some("Task Management Dashboard"));
    assert_eq!(config.public_url.as_deref(), Some("http://localhost:8000"));
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
}

#[test]
fn only_hs256_signs() {
    assert!(development(&[("ALGORITHM", "HS256")]).is_ok());
    let (name, wrong) = problem(development(&[("ALGORITHM", "RS256")]));
    assert!(name == "ALGORITHM" && wrong.contains("only signed with HS256"));
}

#[test]
fn registration_with_verification_is_not_there_yet() {
    assert!(problem(development(&[("REGISTRATION", "verified")])).1.contains("does not support yet"));
    assert_eq!(development(&[("REGISTRATION", "closed")]).expect("valid").registration, Registration::Closed);
}

#[test]
fn a_duration_needs_its_unit_unless_the_name_of_the_setting_has_it() {
    for (name, value, meant) in [
        ("RETRY_SCHEDULE", "1,5", "1s,5s or 1m,5m"),
        ("RETRY_SCHEDULE", "1m,5", "1m,5s or 1m,5m"),
        ("BATCH_DELAY", "5", "5s or 5m"),
        ("EMAIL_TIMEOUT", "30", "30s or 30m"),
        ("DB_ACQUIRE_TIMEOUT", "5", "5s or 5m"),
        ("JOB_TICK", "1", "1s or 1m"),
    ] {
        let text = development(&[(name, value)]).expect_err("a problem").to_string();
        assert!(text.contains(&format!("{name} (from .env")) && text.contains(meant), "{text}");
    }
    let seconds = [("LEASE_SECONDS", "120"), ("CHANGE_QUIET_SECONDS", "90"), ("BATCH_DELAY", "0")];
    let config = development(&seconds).expect("valid");
    assert_eq!((config.sending.lease, config.change_quiet), (Duration::from_secs(120), Duration::from_secs(90)));
}

#[test]
fn the_lease_must_outlast_a_mail() {
    assert!(problem(development(&[("LEASE_SECONDS", "30")])).1.contains("EMAIL_TIMEOUT (30s)"));
    assert_eq!(problem(development(&[("LEASE_SECONDS", "44")])).0, "LEASE_SECONDS");
    assert!(development(&[("LEASE_SECONDS", "300ms"), ("EMAIL_TIMEOUT", "200ms")]).is_ok());
}

#[test]
fn the_port_decides_how_mail_is_protected() {
    let security = |changes: &[(&str, &str)]| production(changes).map(|config| config.smtp.expect("a relay").security);
    assert_eq!(security(&[]), Ok(SmtpSecurity::StartTls));
    assert_eq!(security(&[("SMTP_PORT", "465")]), Ok(SmtpSecurity::Implicit));
    assert_eq!(security(&[("SMTP_PORT", "2525")]), Ok(SmtpSecurity::StartTls));
    assert_eq!(security(&[("SMTP_PORT", "2525"), ("SMTP_USE_TLS", "false")]), Ok(SmtpSecurity::Plain));
    assert_eq!(security(&[("SMTP_PORT", "25"), ("SMTP_SERVER", "127.0.0.1")]), Ok(SmtpSecurity::Plain));
    let tls = [("SMTP_PORT", "25"), ("SMTP_SERVER", "127.0.0.1"), ("SMTP_USE_TLS", "true")];
    assert_eq!(security(&tls), Ok(SmtpSecurity::StartTls));
}

#[test]
fn a_tls_port_without_tls_is_a_contradiction() {
    assert_eq!(problem(production(&[("SMTP_USE_TLS", "false")])).0, "SMTP_USE_TLS");
}

#[test]
fn a_password_never_travels_in_the_clear() {
    let plain = [("SMTP_PORT", "25"), ("SMTP_USE_TLS", "false"), ("SMTP_USERNAME", "u"), ("SMTP_PASSWORD", "p")];
    assert!(problem(production(&plain)).1.contains("in the clear"));
}

#[test]
fn name_and_password_for_the_relay_come_together() {
    assert_eq!(problem(production(&[("SMTP_USERNAME", "u")])).0, "SMTP_PASSWORD");
    assert_eq!(problem(production(&[("SMTP_PASSWORD", "p")])).0, "SMTP_USERNAME");
}

#[test]
fn a_sign_in_name_that_is_an_address_is_the_sender() {
    let login = [("SMTP_FROM_EMAIL", ""), ("SMTP_USERNAME", "me@example.org"), ("SMTP_PASSWORD", "p")];
    let config = production(&login).expect("valid");
    assert_eq!(config.mail_from.address.as_str(), "me@example.org");
}

#[test]
fn development_needs_nothing_but_a_relay_to_send() {
    let smtp =
        development(&[("SMTP_SERVER", "localhost"), ("SMTP_PORT", "1025")]).expect("valid").smtp.expect("a relay");
    assert_eq!((smtp.security, smtp.login.is_none()), (SmtpSecurity::Plain, true));
}

#[test]
fn settings_without_effect_are_remarked() {
    let config = development(&[("SMTP_USERNAME", "u"), ("SMTP_PASSWORD", "p"), ("HOST", "0.0.0.0"), ("DEBUG", "1")]);
    let warnings = config.expect("valid").warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn a_port_of_zero_becomes_known_when_it_is_bound() {
    let config = Config::for_tests();
    assert_eq!(config.public_url, None);
    let config = config.listening_on(4321);
    assert_eq!((config.port, config.public_url.as_deref()), (4321, Some("http://127.0.0.1:4321")));
}

#[test]
fn keys_before_the_present_one_are_held_to_the_same_rules() {
    let config = production(&[("SECRET_KEY_PREVIOUS", &format!("{KEY}, {KEY}x"))]).expect("valid");
    assert_eq!(config.previous_keys.len(), 2);
    assert!(!format!("{config:?}").contains(KEY));
    assert_eq!(names(production(&[("SECRET_KEY_PREVIOUS", &format!("{KEY},short"))])), ["SECRET_KEY_PREVIOUS"]);
}

#[test]
fn an_access_token_does_not_outlive_its_session() {
    let days = |minutes| production(&[("REFRESH_TOKEN_EXPIRE_DAYS", "1"), ("ACCESS_TOKEN_EXPIRE_MINUTES", minutes)]);
    assert!(days("1440").is_ok());
    assert_eq!(names(days("1441")), ["ACCESS_TOKEN_EXPIRE_MINUTES"]);
}

#[test]
fn a_guessable_secret_for_the_gateway_is_remarked_in_production() {
    let warnings = |secret| production(&[("INBOUND_SECRET", secret)]).expect("valid").warnings;
    assert!(warnings("short").iter().any(|remark| remark.contains("INBOUND_SECRET")));
    assert!(warnings(KEY).is_empty(), "{:?}", warnings(KEY));
}

#[test]
fn secrets_show_as_stars() {
    let login = [("SMTP_USERNAME", "u"), ("SMTP_PASSWORD", "hunter2hunter2")];
    let config = production(&login).expect("valid");
    let shown = format!("{config:?} {:?} {:?}", config.smtp, config.effective());
    assert!(!shown.contains("hunter2") && !shown.contains(KEY) && shown.contains("***"), "{shown}");
}

#[test]
fn the_effective_settings_name_value_and_origin_and_can_be_read_back() {
    let config = production(&[("PORT", "80")]).expect("valid");
    let effective = config.effective();
    assert!(effective.contains(&("PORT", "80".into(), Origin::DotEnv(7))));
    assert!(effective.contains(&("JOB_TICK", "1s".into(), Origin::Default)));
    let lines: Vec<_> = effective.iter().map(|(name, value, _)| (*name, value.as_str())).collect();
    let secrets = [("SECRET_KEY", KEY), ("SMTP_PASSWORD", "")];
    let again = Config::load(dot_env(&lines, &secrets), Need::Serve).expect("valid");
    let values =
        |config: &Config| config.effective().into_iter().map(|(name, value, _)| (name, value)).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&config));
}

#[test]
fn a_pause_between_claims_leaves_a_lease_time_for_its_mails() {
    assert!(development(&[("BATCH_DELAY", "30s")]).is_ok());
    let (setting, _) = problem(development(&[("BATCH_DELAY", "30s"), ("LEASE_SECONDS", "60")]));
    assert_eq!(setting, "BATCH_DELAY");
}

#[test]
fn every_setting_has_a_shown_value_when_all_are_set() {
    let all = [
        ("SMTP_USERNAME", "u"),
        ("SMTP_PASSWORD", "p"),
        ("SMTP_HELLO", "mail.example.org"),
        ("ALLOWED_ORIGINS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("SECRET_KEY_PREVIOUS", KEY),
        ("INBOUND_SECRET", KEY),
        ("ADMIN_EMAIL", "root@example.org"),
    ];
    for (name, value, _) in production(&all).expect("valid").effective() {
        assert!(!value.is_empty(), "{name}");
    }
}

#[test]
fn the_example_file_names_every_setting_once_with_its_default_and_starts() {
    let text = include_str!("../../../env.example");
    let entries: Vec<_> = dotenv::parse(text).into_iter().map(|entry| entry.expect("a good line")).collect();
    let given: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect();
    let expected: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, setting.default.unwrap_or(""))).collect();
    assert_eq!(given, expected);
    let words = |text: &str| text.replace('#', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for Setting { name, meaning, .. } in SETTINGS.iter() {
        assert!(words(text).contains(&format!("{} {name}=", words(meaning))), "{name}");
    }
    assert!(Config::load(Sources::none().with_dot_env(text), Need::Manage).expect("valid").debug);
}

#[test]
fn the_example_file_is_the_one_that_is_printed() {
    let text = include_str!("../../../env.example");
    assert_eq!(text, example(), "write it anew: cargo run --features server -- config example > env.example");
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn a_check_demands_what_serving_demands_and_makes_no_key_file() {
    let bare = dot_env(&[("HOST", "0.0.0.0"), ("DATABASE_URL", "memory:")], &[]);
    assert_eq!(names(Config::load(bare, Need::Check)), ["PUBLIC_URL", "SECRET_KEY", "SMTP_SERVER"]);
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}/x.db", dir.path().display());
    Config::load(dot_env(&[("DATABASE_URL", &url)], &[]), Need::Check).expect("valid");
    assert_eq!(std::fs::read_dir(dir.path()).expect("the directory").count(), 0);
}
