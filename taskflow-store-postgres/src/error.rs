//! Errors of the database by what the caller can do, and reading columns that may hold bad data.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgDatabaseError, PgSeverity, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};
use taskflow_core::{CorruptRow, StoreError, Timestamp};

use crate::options::URL_PARAMETERS;

/// An error that this store reports itself, rather than PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PgStoreError {
    #[error("this build of the store does not know how to write {0}")]
    Unknown(&'static str),
    #[error("no answer from the database within {0:?}")]
    NoAnswer(Duration),
    #[error("connection refused: nothing listens at {0}")]
    Refused(String),
    #[error("there is no socket {0}, so no server listens there")]
    NoSocket(String),
    #[error("the host {host:?} cannot be resolved: {source}")]
    UnknownHost { host: String, source: std::io::Error },
    #[error("{place} cannot be reached: {source}")]
    Unreachable { place: String, source: std::io::Error },
    #[error("no answer from {place} within {limit:?}")]
    Silent { place: String, limit: Duration },
    #[error("the server at {0} does not offer TLS, which sslmode requires")]
    NoTls(String),
    #[error("a transaction of the host's is needed, and there is none")]
    NoTransaction,
    #[error("PostgreSQL 15 or later is needed, and this is {0}")]
    TooOld(u32),
    #[error("database {database:?} has the encoding {encoding}, and only UTF8 can store every text")]
    Encoding { database: String, encoding: String },
    #[error("its schema is older than this release: migrations are pending ({0})")]
    Pending(usize),
    #[error("it needs a newer release, one that knows migration {needs:04}; this one knows those up to {knows:04}")]
    TooNew { needs: i64, knows: i64 },
    #[error("the database only reads: it is a hot standby, or default_transaction_read_only is on")]
    ReadOnly,
    #[error("role {role:?} lacks rights: {lacks}")]
    Rights { role: String, lacks: String },
    #[error("the URL has a parameter that is not known here{}; known are {}", named(.0), URL_PARAMETERS.join(", "))]
    Parameter(String),
    #[error("the disk of the database server is full")]
    Full,
    #[error("a write ended abnormally")]
    Aborted(#[source] tokio::task::JoinError),
}

/// The name of a parameter, as far as it is surely no part of a password.
fn named(name: &str) -> String {
    let is_plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
    if is_plain { format!(", {name:?}") } else { String::new() }
}

impl From<PgStoreError> for StoreError {
    fn from(error: PgStoreError) -> Self {
        match &error {
            PgStoreError::NoAnswer(_)
            | PgStoreError::Refused(_)
            | PgStoreError::NoSocket(_)
            | PgStoreError::UnknownHost { .. }
            | PgStoreError::Unreachable { .. }
            | PgStoreError::Silent { .. }
            | PgStoreError::NoTls(_)
            | PgStoreError::ReadOnly
            | PgStoreError::Rights { .. }
            | PgStoreError::Full => Self::Unavailable(error.into()),
            // A task ends abnormally by a panic, or because the runtime is shutting down.
            PgStoreError::Aborted(join) if join.is_cancelled() => Self::Unavailable(error.into()),
            PgStoreError::Aborted(_)
            | PgStoreError::Unknown(_)
            | PgStoreError::NoTransaction
            | PgStoreError::Parameter(_)
            | PgStoreError::Encoding { .. }
            | PgStoreError::Pending(_)
            | PgStoreError::TooNew { .. }
            | PgStoreError::TooOld(_) => Self::Internal(error.into()),
        }
    }
}

/// Sorts an error of the database by what the caller can do: try again later, or look for the bug.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let passing = is_lost(&error) || code(&error).is_some_and(|code| PASSING.contains(&code));
    if passing { StoreError::Unavailable(error.into()) } else { StoreError::Internal(error.into()) }
}

/// The SQLSTATEs of statements after which the same call may succeed later. Each is provoked by a test
/// (`tests/store/passing.rs`); a code that no test provokes does not belong here.
///
/// SQLSTATE codes of errors that may pass without a change to the program.
///
/// Errors that end a session need no entry: the connection is [lost](is_lost), whatever the code. They have severity
/// `FATAL` or `PANIC`: a shutdown by an administrator, a crash, a connection limit, a server that is starting, a
/// database that is being restored, or a changed role or password.
const PASSING: [&str; 10] = [
    READ_ONLY,
    SERIALIZATION_FAILURE,
    DEADLOCK_DETECTED,
    "42501", // insufficient_privilege: a right was taken away, or not granted yet
    "42P01", // undefined_table: a dump is being restored
    DISK_FULL,
    "53200", // out_of_memory: also of shared memory for locks
    "55P03", // lock_not_available: lock_timeout
    "57014", // query_canceled: statement_timeout, or an administrator
    "58030", // io_error
];

/// `read_only_sql_transaction`: the server is a hot standby, or `default_transaction_read_only` is on.
const READ_ONLY: &str = "25006";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";
const DISK_FULL: &str = "53100";

/// Returns whether the connection that returned this error is unusable: the session has ended, or (class 25) it is in
/// an open transaction or is read-only.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => true,
        sqlx::Error::AnyDriverError(error) => matches!(error.downcast_ref(), Some(PgStoreError::ReadOnly)),
        sqlx::Error::Database(_) => {
            let ended = |error: &PgDatabaseError| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
            database(error).is_some_and(|error| ended(error) || error.code().starts_with("25"))
        }
        _ => false,
    }
}

/// Returns whether the server's disk is full.
pub(crate) fn is_full(error: &StoreError) -> bool {
    database_error(error).and_then(code) == Some(DISK_FULL)
}

/// The error of the database inside, if it is one.
pub(crate) fn database_error(error: &StoreError) -> Option<&sqlx::Error> {
    let (StoreError::Unavailable(source) | StoreError::Internal(source)) = error else { return None };
    source.downcast_ref()
}

/// Returns whether the database reports that it rolled the transaction back. Running the transaction again is then safe
/// and may help.
pub(crate) fn is_rolled_back(error: &StoreError) -> bool {
    let code = database_error(error).and_then(code);
    code.is_some_and(|code| code == SERIALIZATION_FAILURE || code == DEADLOCK_DETECTED)
}

/// The same for migrations.
pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
        other => StoreError::Internal(other.into()),
    }
}

/// SQLSTATE.
fn code(error: &sqlx::Error) -> Option<&str> {
    database(error).map(PgDatabaseError::code)
}

/// Returns the error that the server reported, if the error came from the server.
pub(crate) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// An error and everything beneath it, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A `timestamptz` as microseconds since 1970, whatever it is: PostgreSQL knows instants that nobody else can write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(i64);

impl Instant {
    /// 2000-01-01T00:00:00Z, from which PostgreSQL counts.
    const EPOCH: i64 = 946_684_800_000_000;
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self(at.as_micros())
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        // `timestamptz`, the same in every database.
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(Self(micros.saturating_add(Self::EPOCH)))
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<Postgres>>::encode(self.0.saturating_sub(Self::EPOCH), buffer)
    }
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

    /// An instant.
    pub(crate) fn instant(&self, column: &'static str, at: Instant) -> Result<Timestamp, CorruptRow> {
        let found = Timestamp::from_micros(at.0);
        if found.as_micros() == at.0 {
            Ok(found)
        } else {
            Err(self.bad(column, "must be an instant from year 1 to 9999"))
        }
    }

    /// An instant that may be absent.
    pub(crate) fn optional_instant(
        &self,
        column: &'static str,
        at: Option<Instant>,
    ) -> Result<Option<Timestamp>, CorruptRow> {
        at.map(|at| self.instant(column, at)).transpose()
    }

    /// A number of another type.
    pub(crate) fn number<T, N: TryInto<T>>(&self, column: &'static str, number: N) -> Result<T, CorruptRow> {
        number.try_into().map_err(|_| self.bad(column, "is out of range"))
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
        let bad = Table("taskflow.users").value::<taskflow_core::Zone>("time_zone", "Mars/Olympus").unwrap_err();
        assert!(bad.to_string().starts_with("bad data in taskflow.users.time_zone: "), "{bad}");
        assert!(!bad.to_string().contains("Mars"), "{bad}");
        for infinity in [i64::MIN, i64::MAX] {
            let bad = Table("taskflow.users").instant("created_at", Instant(infinity)).unwrap_err();
            assert!(bad.to_string().contains("taskflow.users.created_at"), "{bad}");
        }
    }
}
