//! Answers that are kept for a day, so that a request that was sent twice is done once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{InvalidValue, Timestamp, UserId};

/// How long an answer is kept; afterwards its key is free again.
pub const ANSWER_LIFETIME: Duration = Duration::from_hours(24);

/// What a client names a request by, so that it can repeat it safely (`Idempotency-Key`): 1 to 255 printable ASCII
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Longest key, in characters.
    pub const MAX_LENGTH: usize = 255;

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new(format!("must have 1 to {} printable ASCII characters", Self::MAX_LENGTH)))
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that was given, as the host encoded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub owner: UserId,
    /// What they named the request by.
    pub key: IdempotencyKey,
    /// What was asked, as a hash by the host: the same key for another request is a mistake.
    pub fingerprint: String,
    /// What was answered, in the host's own encoding. Never a secret.
    pub body: String,
    /// When.
    pub created_at: Timestamp,
}

impl Answer {
    /// Whether it still stands for its key.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        now.since(self.created_at) < ANSWER_LIFETIME
    }
}

/// How a use case whose request may be repeated remembers its answer.
pub struct Idempotency<'a, T: ?Sized> {
    /// What the client named the request by.
    pub key: IdempotencyKey,
    /// A hash of the request.
    pub fingerprint: String,
    /// Writes down the answer, in the same commit as what it answers.
    pub encode: &'a (dyn Fn(&T) -> String + Send + Sync),
}

impl<T: ?Sized> fmt::Debug for Idempotency<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What came of a request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered<T> {
    /// It was done now.
    Now(T),
    /// It had been done before; this was the answer.
    Before(String),
}
