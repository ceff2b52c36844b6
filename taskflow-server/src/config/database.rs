//! What `DATABASE_URL` means.

use std::path::{Path, PathBuf};

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In the memory of this process; gone when it ends.
    Memory,
    /// In a SQLite file.
    Sqlite(PathBuf),
}

/// Why a `DATABASE_URL` cannot be used: what is wrong, what would be right.
pub(super) type Refusal = (String, String);

const FORMS: &str = "write sqlite://taskflow.db, sqlite:///var/lib/taskflow/taskflow.db or memory:";

impl Database {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::Sqlite(path) => Some(path),
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
        if scheme.starts_with("postgres") {
            return refuse(
                "names a PostgreSQL database, and this build has no PostgreSQL store yet",
                "remove it to use a SQLite file, or write sqlite://taskflow.db",
            );
        }
        if scheme != "sqlite" {
            return refuse(&format!("begins with {scheme:?}, and there is no such store"), FORMS);
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
    fn postgresql_is_named_as_not_there_yet_whatever_the_driver() {
        for url in ["postgres://u:hunter2@h/d", "postgresql://u:hunter2@h/d", "postgresql+asyncpg://u:hunter2@h/d"] {
            assert!(wrong(url).contains("no PostgreSQL store yet"), "{url}");
            assert!(!wrong(url).contains("hunter2"));
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
