//! Errors of the database by what the caller can do, and reading columns that may hold bad data.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::migrate::MigrateError;
use taskflow_core::{CorruptRow, StoreError, Timestamp};

/// An error that this store reports itself, rather than SQLite.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqliteStoreError {
    #[error("cannot create {}", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no database {}", absolute(.0))]
    Missing(PathBuf),
    #[error("another file has taken the place of {}; it is being opened", absolute(.0))]
    Replaced(PathBuf),
    #[error("{} is no database of TaskFlow", absolute(.0))]
    Foreign(PathBuf),
    #[error("{} is damaged: {damage}", absolute(path))]
    Damaged { path: PathBuf, damage: String },
    #[error("{} exists already", absolute(.0))]
    Exists(PathBuf),
    #[error("{} is a folder", absolute(.0))]
    IsFolder(PathBuf),
    #[error("there is no folder {}", absolute(.0))]
    NoFolder(PathBuf),
    #[error("there is no file {}", absolute(.0))]
    NoFile(PathBuf),
    #[error("{} is not a SQLite database", absolute(.0))]
    NotSqlite(PathBuf),
    #[error("cannot read {}", absolute(path))]
    Unreadable {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("{} is the database itself", absolute(.0))]
    IsDatabase(PathBuf),
    #[error("{} belongs to another database: SQLite would take it for part of this one", absolute(.0))]
    LeftLog(PathBuf),
    #[error("a server or another program has {} open", absolute(.0))]
    InUse(PathBuf),
    #[error("its schema is older than this release: migrations are pending ({0})")]
    Pending(usize),
    #[error("it needs a newer release, one that knows migration {needs:04}; this one knows those up to {knows:04}")]
    TooNew { needs: i64, knows: i64 },
    #[error("the database could not be written a moment ago")]
    Unwritable,
    #[error("this build of the store does not know how to write {0}")]
    Unknown(&'static str),
    #[error("a write ended abnormally")]
    Aborted(#[source] tokio::task::JoinError),
}

impl From<SqliteStoreError> for StoreError {
    fn from(error: SqliteStoreError) -> Self {
        match &error {
            SqliteStoreError::Create { .. }
            | SqliteStoreError::Missing(_)
            | SqliteStoreError::Replaced(_)
            | SqliteStoreError::Foreign(_)
            | SqliteStoreError::Damaged { .. }
            | SqliteStoreError::Exists(_)
            | SqliteStoreError::IsFolder(_)
            | SqliteStoreError::NoFolder(_)
            | SqliteStoreError::NoFile(_)
            | SqliteStoreError::NotSqlite(_)
            | SqliteStoreError::Unreadable { .. }
            | SqliteStoreError::IsDatabase(_)
            | SqliteStoreError::LeftLog(_)
            | SqliteStoreError::InUse(_)
            | SqliteStoreError::Unwritable => Self::Unavailable(error.into()),
            // A task ends abnormally by a panic, or because the runtime is shutting down.
            SqliteStoreError::Aborted(join) if join.is_cancelled() => Self::Unavailable(error.into()),
            SqliteStoreError::Aborted(_)
            | SqliteStoreError::Unknown(_)
            | SqliteStoreError::Pending(_)
            | SqliteStoreError::TooNew { .. } => Self::Internal(error.into()),
        }
    }
}

/// Sorts an error of the database by what the caller can do: try again later, or look for the bug.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let passing = match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(_) => primary_code(&error).is_some_and(|code| PASSING.contains(&code)),
        _ => false,
    };
    if passing { StoreError::Unavailable(error.into()) } else { StoreError::Internal(error.into()) }
}

/// The same for migrations.
pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
        other => StoreError::Internal(other.into()),
    }
}

/// The result codes after which the same call may succeed later, most of them once an operator has done something. Each is
/// provoked by a test (`tests/store/passing.rs`); a code that no test provokes does not belong here.
const PASSING: [u32; 8] = [BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB];

pub(crate) const BUSY: u32 = 5;
const LOCKED: u32 = 6;
pub(crate) const READONLY: u32 = 8;
pub(crate) const IOERR: u32 = 10;
/// The file was overwritten while it was open, or is damaged: it takes another file, not another program.
pub(crate) const CORRUPT: u32 = 11;
pub(crate) const FULL: u32 = 13;
pub(crate) const CANTOPEN: u32 = 14;
pub(crate) const NOTADB: u32 = 26;

/// Returns whether an error of a write shows that the database is not writable for now.
pub(crate) fn cannot_be_written(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let code = source.downcast_ref().and_then(primary_code);
    code.is_some_and(|code| [READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB].contains(&code))
}

/// Returns whether another connection held the lock for longer than the wait.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(BUSY)
}

/// The result code of SQLite without its extension, which sits in the higher bytes.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// A path from the root, for people.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// An error and everything beneath it, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A table whose columns are read into values of core. Errors name table and column, never the value.
pub(crate) struct Table(pub(crate) &'static str);

impl Table {
    /// A text that is the stored form of a value.
    pub(crate) fn value<T>(&self, column: &'static str, text: &str) -> Result<T, CorruptRow>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|error: T::Err| self.bad(column, error.to_string()))
    }

    /// A text that may be absent.
    pub(crate) fn optional<T>(&self, column: &'static str, text: Option<&str>) -> Result<Option<T>, CorruptRow>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.map(|text| self.value(column, text)).transpose()
    }

    /// Microseconds since 1970.
    pub(crate) fn instant(&self, column: &'static str, micros: i64) -> Result<Timestamp, CorruptRow> {
        let at = Timestamp::from_micros(micros);
        if at.as_micros() == micros { Ok(at) } else { Err(self.bad(column, "must be an instant from year 1 to 9999")) }
    }

    /// Microseconds that may be absent.
    pub(crate) fn optional_instant(
        &self,
        column: &'static str,
        micros: Option<i64>,
    ) -> Result<Option<Timestamp>, CorruptRow> {
        micros.map(|micros| self.instant(column, micros)).transpose()
    }

    /// A number of a narrower type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str, number: i64) -> Result<T, CorruptRow> {
        T::try_from(number).map_err(|_| self.bad(column, "is out of range"))
    }

    /// Says what is wrong with a column.
    pub(crate) fn bad(&self, column: &'static str, message: impl Into<String>) -> CorruptRow {
        CorruptRow { table: self.0, column, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_the_rest_is_internal() {
        assert!(matches!(store_error(sqlx::Error::PoolTimedOut), StoreError::Unavailable(_)));
        assert!(matches!(store_error(sqlx::Error::PoolClosed), StoreError::Unavailable(_)));
        assert!(matches!(store_error(sqlx::Error::RowNotFound), StoreError::Internal(_)));
    }

    #[test]
    fn bad_data_is_named_by_table_and_column_without_its_value() {
        let bad = Table("taskflow_users").value::<taskflow_core::Zone>("time_zone", "Mars/Olympus").unwrap_err();
        assert!(bad.to_string().starts_with("bad data in taskflow_users.time_zone: "), "{bad}");
        assert!(!bad.to_string().contains("Mars"), "{bad}");
        let bad = Table("taskflow_users").instant("created_at", i64::MAX).unwrap_err();
        assert!(bad.to_string().contains("taskflow_users.created_at"), "{bad}");
    }
}
