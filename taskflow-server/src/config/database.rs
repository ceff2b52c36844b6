//! The meaning of `DATABASE_URL`.

use std::path::{Path, PathBuf};

use super::sources::nearest_word;

/// The location of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In the memory of this process; gone when it ends.
    Memory,
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In PostgreSQL, at this place: the URL without password and options, fit to be shown.
    Postgres(String),
}

/// The parameters that the URL of a PostgreSQL database may have, beside `options[NAME]`; the same as its store knows.
pub(crate) const POSTGRES_PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The reason why a `DATABASE_URL` is refused: what is wrong, and what would be right.
pub(super) type Refusal = (String, String);

const FORMS: &str = "write sqlite://taskflow.db, postgres://user:password@host/database or memory:";

impl Database {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Memory | Self::Postgres(_) => None,
            Self::Sqlite(path) => Some(path),
        }
    }

    /// Returns the location of the database, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(place) => place.clone(),
        }
    }

    /// Never repeats the text: it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, Refusal> {
        let refuse = |wrong: &str, right: &str| Err((wrong.to_owned(), right.to_owned()));
        if matches!(url, "memory:" | "memory://" | "memory") {
            return Ok(Self::Memory);
        }
        let Some((scheme, rest)) = url.split_once(':') else {
            return refuse("has no scheme such as sqlite:", FORMS);
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "postgres" || scheme == "postgresql" {
            let rest = rest.strip_prefix("//").unwrap_or_default();
            if !login_is_encoded(rest) {
                return refuse(
                    "has a user or password with characters that must be encoded",
                    "in them write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and % as %25",
                );
            }
            if let Some(unknown) = unknown_parameter(rest) {
                return Err(unknown);
            }
            return postgres_place(rest).map(Self::Postgres).ok_or_else(|| {
                (
                    "names no host and database".to_owned(),
                    "write postgres://user:password@host:5432/database".to_owned(),
                )
            });
        }
        if scheme.starts_with("postgresql+") || scheme.starts_with("postgres+") {
            return refuse("names a driver of another language after the '+'", "write postgres:// and then the same");
        }
        if scheme != "sqlite" {
            let plain = scheme.len() <= 16 && scheme.bytes().all(|b| b.is_ascii_alphabetic());
            let scheme = if plain { format!("{scheme:?}") } else { "something else".to_owned() };
            return refuse(&format!("begins with {scheme}, and there is no such store"), FORMS);
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.starts_with(":memory:") {
            return refuse("names a SQLite database in memory", "write memory:");
        }
        if path.contains(['?', '#', '%']) {
            return refuse("has a '?', '#' or '%' in its path", "write the path of a file, without options");
        }
        if path.is_empty() || path.ends_with('/') {
            return refuse("names no file", FORMS);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// Returns whether it is clear where user and password end. Otherwise a part of a password could be taken for a host, a
/// port or a database, and be tried and shown there.
fn login_is_encoded(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (login, hosts) = authority.split_once('@').unwrap_or(("", authority));
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let is_host = |host: &str| match host.rsplit_once(':') {
        // An address of IPv6 stands in brackets.
        _ if host.ends_with(']') => true,
        Some((address, port)) => address.ends_with(']') || !address.contains(':') && is_port(port),
        None => true,
    };
    let plain = |text: &str| !text.contains('@');
    plain(hosts)
        && plain(behind)
        && hosts.split(',').all(is_host)
        && login.matches(':').count() <= 1
        && is_percent_encoded(login)
}

/// Says which parameter behind the `?` is not known; never its value, nor a name that may be one.
fn unknown_parameter(rest: &str) -> Option<Refusal> {
    let parameters = rest.split('#').next()?.split_once('?')?.1;
    let names =
        parameters.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
    let is_known =
        |name: &&str| POSTGRES_PARAMETERS.contains(name) || name.starts_with("options[") && name.ends_with(']');
    let unknown = names.into_iter().find(|name| !is_known(name))?;
    let is_plain = unknown.len() <= 40 && unknown.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
    let known = POSTGRES_PARAMETERS.join(", ");
    let candidates = POSTGRES_PARAMETERS.map(str::to_owned);
    let meant = if is_plain { nearest_word(unknown, candidates) } else { None };
    let wrong =
        if is_plain { format!("has the unknown parameter {unknown}") } else { "has an unknown parameter".to_owned() };
    let right = match meant {
        Some(meant) => format!("did you mean {meant}? Known are {known} and options[NAME]"),
        None => format!("known are {known} and options[NAME]"),
    };
    Some((wrong, right))
}

/// Returns whether each `%` is followed by two hexadecimal digits.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|part| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

/// `user:password@host:port/database?options` without password and options.
fn postgres_place(rest: &str) -> Option<String> {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (login.split(':').next().unwrap_or_default(), host),
        None => ("", authority),
    };
    if host.is_empty() && database.is_empty() {
        return None;
    }
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };
    Some(format!("postgres://{user}{host}/{database}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(url: &str) -> String {
        Database::parse(url).expect_err(url).0
    }

    #[test]
    fn files_and_memory_are_understood() {
        for (url, path) in [
            ("sqlite://taskflow.db", "taskflow.db"),
            ("sqlite:taskflow.db", "taskflow.db"),
            ("sqlite://data/x.db", "data/x.db"),
            ("sqlite:///var/x.db", "/var/x.db"),
            ("SQLITE://x.db", "x.db"),
        ] {
            assert_eq!(Database::parse(url), Ok(Database::Sqlite(path.into())), "{url}");
        }
        assert_eq!(Database::parse("memory:"), Ok(Database::Memory));
    }

    #[test]
    fn postgresql_is_shown_without_its_password() {
        for (url, place) in [
            ("postgres://u:hunter2@h:5433/d?sslmode=require", "postgres://u@h:5433/d"),
            ("postgresql://u:hun%2Fter2@h/d", "postgres://u@h/d"),
            ("postgres:///d?host=/tmp", "postgres:///d"),
            ("postgres://u:p%40ss@[::1]:5432/d", "postgres://u@[::1]:5432/d"),
            ("postgres://u@a:5432,b/d", "postgres://u@a:5432,b/d"),
        ] {
            assert_eq!(Database::parse(url).expect(url).place(), place);
        }
        assert!(wrong("postgres://").contains("names no host"));
        assert!(wrong("postgresql+asyncpg://u:hunter2@h/d").contains("driver"));
        assert!(!wrong("postgresql+asyncpg://u:hunter2@h/d").contains("hunter2"));
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_nearest_and_without_its_value() {
        for (parameters, named, meant) in [
            ("sslmod=hunter2", "sslmod", "did you mean sslmode?"),
            ("sslmode=require&pasword=hunter2", "pasword", "did you mean password?"),
            ("channel_binding=hunter2", "channel_binding", "known are"),
            ("hunter2", "an unknown parameter", "known are"),
            ("HUNTER=hunter2#x", "an unknown parameter", "known are"),
        ] {
            let (wrong, right) = Database::parse(&format!("postgres://u:p@h/d?{parameters}")).expect_err(parameters);
            assert!(
                wrong.contains(named) && right.contains(meant) && right.contains("application_name"),
                "{wrong}: {right}"
            );
            assert!(!format!("{wrong}{right}").to_lowercase().contains("hunter"), "{wrong}: {right}");
        }
        assert!(Database::parse("postgres://u@h/d?options[search_path]=x&host=/tmp").is_ok());
    }

    #[test]
    fn a_password_that_is_not_encoded_is_refused_and_no_part_of_it_is_repeated() {
        let passwords = [
            "zq@xk/vj",
            "zq@xk",
            "zq/xk",
            "zq?xk",
            "zq#xk",
            "zq:xk",
            "7373/xk",
            "7373?zq=xk",
            "zq%",
            "%zq",
            "zq@xk:vj/wq?xj#",
        ];
        for password in passwords {
            for rest in ["host/db", "host:5432/db?sslmode=require"] {
                let url = format!("postgres://u:{password}@{rest}");
                let (wrong, right) = Database::parse(&url).expect_err(&url);
                assert!(wrong.contains("must be encoded") && right.contains("%40") && right.contains("%2F"), "{url}");
                for part in ["zq", "xk", "vj", "wq", "xj", "7373"] {
                    assert!(!wrong.contains(part) && !right.contains(part), "{url}: {wrong}: {right}");
                }
            }
        }
    }

    #[test]
    fn everything_else_is_refused_without_being_repeated() {
        assert!(wrong("mysql://u:hunter2@h").contains("\"mysql\""));
        assert!(wrong("taskflow.db").contains("no scheme"));
        assert!(wrong("sqlite://").contains("names no file"));
        assert!(wrong("sqlite::memory:").contains("in memory"));
        assert!(wrong("sqlite://x.db?mode=ro").contains("'?'"));
    }
}
