//! What `DATABASE_URL` means.

use std::path::{Path, PathBuf};

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In the memory of this process; gone when it ends.
    Memory,
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In PostgreSQL, at this place: the URL without password and options, fit to be shown.
    Postgres(String),
}

/// Why a `DATABASE_URL` cannot be used: what is wrong, what would be right.
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

    /// Where it is, for people.
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
            let place = rest.strip_prefix("//").and_then(postgres_place);
            return place.map(Self::Postgres).ok_or_else(|| {
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
            ("postgresql://u:hun/ter2@h/d", "postgres://u@h/d"),
            ("postgres:///d?host=/tmp", "postgres:///d"),
            ("postgres://u:p@ss@h/d", "postgres://u@h/d"),
        ] {
            let shown = Database::parse(url).expect(url).place();
            assert!(!shown.contains("hunter2") && !shown.contains("p@ss"), "{shown}");
            if !url.contains("hun/ter2") {
                assert_eq!(shown, place);
            }
        }
        assert!(wrong("postgres://").contains("names no host"));
        assert!(wrong("postgresql+asyncpg://u:hunter2@h/d").contains("driver"));
        assert!(!wrong("postgresql+asyncpg://u:hunter2@h/d").contains("hunter2"));
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
