//! Errors, classified by what the caller can do about them.

use std::error::Error as StdError;

use crate::OverQuota;

/// An error of an adapter, kept for the log; its text never reaches a client.
pub type Source = Box<dyn StdError + Send + Sync>;

/// An error of a use case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The entity does not exist, or belongs to another user: the two look the same.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Some of several operations that were to happen together cannot; nothing was done. Which, counted from 0, and why.
    #[error("{} of the operations cannot be done", .0.len())]
    Items(Vec<(usize, Error)>),
    /// Some fields do not fit; all of them are named.
    #[error("invalid input")]
    Invalid(Vec<FieldError>),
    /// Another account has that username or address.
    #[error("{0} is already taken")]
    Taken(UniqueField),
    /// A quota of the account would be exceeded; nothing was done.
    #[error(transparent)]
    OverQuota(OverQuota),
    /// The version is not the one that the caller requires (`If-Match`), or every attempt of ten seconds lost a race.
    #[error("it has changed meanwhile")]
    Stale,
    /// The response is to an earlier state of the meeting; nothing was recorded.
    #[error("the meeting has changed since it was shown")]
    Outdated(Box<crate::OutdatedAnswer>),
    /// The application was built without the port that the use case needs; see [`App::embed`](crate::App::embed).
    #[error("the application was built without the port `{0}`")]
    MissingPort(&'static str),
    /// The clock of this process differs too much from the store's ([`ClockCheck`](crate::ClockCheck)), and what was asked
    /// depends on the time; the same call may succeed later, or on another node.
    #[error("the clock of this node differs from the database's")]
    WrongClock,
    /// The store cannot be reached; the same call may succeed later.
    #[error("storage is unavailable")]
    Unavailable(#[source] Source),
    /// A bug or damaged data; the source is for the log.
    #[error("internal error")]
    Internal(#[source] Source),
}

/// An error of a store; see the contract of [`Store`](crate::ports::Store).
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
        /// The field that must be unique.
        field: UniqueField,
        /// Index into [`Changes::writes`](crate::Changes::writes).
        write: usize,
    },
    /// A quota would be exceeded.
    #[error("write {write} is over a quota: {over}")]
    OverQuota {
        /// The quota and its limit.
        over: OverQuota,
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

/// A field that must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UniqueField {
    /// The username.
    Username,
    /// Their address.
    Email,
    /// The key by which a client identifies a request.
    IdempotencyKey,
    /// The instant that a run of a job is for.
    Slot,
}

impl UniqueField {
    /// Returns the name of the field in the service.
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

/// The reason a field is refused, as a stable code that programs can translate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldCode {
    /// The field must be there.
    Required,
    /// The field must not be `null`.
    NotNullable,
    /// The value has another JSON type than it must have.
    InvalidType,
    /// The text has too few visible characters.
    TooShort,
    /// The text has too many characters.
    TooLong,
    /// The number is below its minimum.
    TooSmall,
    /// The number is above its maximum.
    TooLarge,
    /// The list has too few items.
    TooFew,
    /// The list has too many items.
    TooMany,
    /// The value is not one of those that the field knows.
    UnknownValue,
    /// The value has the right type, but not the form that it must have.
    InvalidFormat,
    /// The operation has no such query parameter.
    UnknownParameter,
    /// The value must be unique and is already in use.
    Taken,
    /// Another rule of the service refuses the value; the message states it.
    #[default]
    Invalid,
}

impl FieldCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::Required,
        Self::NotNullable,
        Self::InvalidType,
        Self::TooShort,
        Self::TooLong,
        Self::TooSmall,
        Self::TooLarge,
        Self::TooFew,
        Self::TooMany,
        Self::UnknownValue,
        Self::InvalidFormat,
        Self::UnknownParameter,
        Self::Taken,
        Self::Invalid,
    ];

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::NotNullable => "not_nullable",
            Self::InvalidType => "invalid_type",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::TooSmall => "too_small",
            Self::TooLarge => "too_large",
            Self::TooFew => "too_few",
            Self::TooMany => "too_many",
            Self::UnknownValue => "unknown_value",
            Self::InvalidFormat => "invalid_format",
            Self::UnknownParameter => "unknown_parameter",
            Self::Taken => "taken",
            Self::Invalid => "invalid",
        }
    }
}

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct FieldError {
    /// The field as the service names it.
    pub field: String,
    /// The reason it is refused, for programs.
    pub code: FieldCode,
    /// The requirement on the field, for people; continues the field's name.
    pub message: String,
}

impl FieldError {
    /// Creates the error of `field`: a rule of the service, unless [`with_code`](Self::with_code) sets another code.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: FieldCode::default(), message: message.into() }
    }

    /// Returns the same error with another code.
    #[must_use]
    pub fn with_code(self, code: FieldCode) -> Self {
        Self { code, ..self }
    }
}

/// A stored row that cannot be read: names table and column, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad data in {table}.{column}: {message}")]
pub struct CorruptRow {
    /// The table as the store names it.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The defect of the row.
    pub message: String,
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<CorruptRow> for StoreError {
    fn from(error: CorruptRow) -> Self {
        Self::Internal(error.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale { .. } => Self::Stale,
            StoreError::Taken { field, .. } => Self::Taken(field),
            StoreError::OverQuota { over, .. } => Self::OverQuota(over),
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::Internal(source) => Self::Internal(source),
        }
    }
}
