//! What can go wrong, by what the caller can do about it.

use std::error::Error as StdError;

/// An error of an adapter, kept for the log; its text never reaches a client.
pub type Source = Box<dyn StdError + Send + Sync>;

/// What a use case answers when it cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not exist, or belongs to somebody else: the two look the same.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Some of several operations that were to happen together cannot; nothing was done. Which, counted from 0, and why.
    #[error("{} of the operations cannot be done", .0.len())]
    Items(Vec<(usize, Error)>),
    /// Some fields do not fit; all of them are named.
    #[error("invalid input")]
    Invalid(Vec<FieldError>),
    /// Somebody else has that name or address.
    #[error("{0} is already taken")]
    Taken(UniqueField),
    /// It is no longer what the caller saw (`If-Match`), or three attempts in a row lost a race.
    #[error("it has changed meanwhile")]
    Stale,
    /// The answer is to the meeting as it was before; nothing was recorded.
    #[error("the meeting has changed since it was shown")]
    Outdated(Box<crate::OutdatedAnswer>),
    /// The store cannot be reached; the same call may succeed later.
    #[error("storage is unavailable")]
    Unavailable(#[source] Source),
    /// A bug or damaged data; the source is for the log.
    #[error("internal error")]
    Internal(#[source] Source),
}

/// What a store answers; see the contract of [`Store`](crate::ports::Store).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row has another version than the write expects, or is gone.
    #[error("write {write} is stale")]
    Stale {
        /// Index into [`Changes::writes`](crate::Changes::writes).
        write: usize,
    },
    /// A unique value exists already.
    #[error("{field} of write {write} is already taken")]
    Taken {
        /// What must be unique.
        field: UniqueField,
        /// Index into [`Changes::writes`](crate::Changes::writes).
        write: usize,
    },
    /// The store cannot be reached or is overloaded: nothing was written, the same call may succeed later.
    #[error("storage is unavailable")]
    Unavailable(#[source] Source),
    /// A bug or damaged data.
    #[error("internal storage error")]
    Internal(#[source] Source),
}

/// What must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UniqueField {
    /// The name a person signs in with.
    Username,
    /// Their address.
    Email,
    /// What a client named a request by.
    IdempotencyKey,
    /// The instant that a run of a job is for.
    Slot,
}

impl UniqueField {
    /// The field as the service names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::IdempotencyKey => "Idempotency-Key",
            Self::Slot => "at",
        }
    }
}

impl std::fmt::Display for UniqueField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct FieldError {
    /// The field as the service names it.
    pub field: String,
    /// What would be right; reads on from the field's name.
    pub message: String,
}

impl FieldError {
    /// Says what is wrong with `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A stored row that cannot be read: names table and column, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad data in {table}.{column}: {message}")]
pub struct BadRow {
    /// The table as the store names it.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<BadRow> for StoreError {
    fn from(error: BadRow) -> Self {
        Self::Internal(error.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale { .. } => Self::Stale,
            StoreError::Taken { field, .. } => Self::Taken(field),
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::Internal(source) => Self::Internal(source),
        }
    }
}
