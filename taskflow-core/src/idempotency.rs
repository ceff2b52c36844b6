//! Responses that are stored for a day, so that a request that is sent twice is done once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{InvalidValue, Timestamp, UserId};

/// The time for which a response is kept; afterwards its key is free again.
pub const RESPONSE_LIFETIME: Duration = Duration::from_hours(24);

/// The key by which a client identifies a request, so that it can repeat the request safely (`Idempotency-Key`): 1 to
/// 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Longest key, in characters.
    pub const MAX_LENGTH: usize = 255;

    /// Returns the text of the key.
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

/// A response to a request, as the host encoded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The user who sent the request.
    pub owner: UserId,
    /// The key of the request.
    pub key: IdempotencyKey,
    /// The host's hash of the request: the same key with another request is an error.
    pub fingerprint: String,
    /// The response in the host's own encoding. Never a secret.
    pub body: String,
    /// The time at which it was stored.
    pub created_at: Timestamp,
}

impl StoredResponse {
    /// Returns whether it is still valid for its key.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        now.since(self.created_at) < RESPONSE_LIFETIME
    }
}

/// The request of a use case that may be repeated, and the form in which its response is stored.
pub struct Idempotency<'a, T: ?Sized> {
    /// The key by which the client identifies the request.
    pub key: IdempotencyKey,
    /// A hash of the request.
    pub fingerprint: String,
    /// Encodes the response; it is stored in the same commit as the result.
    pub encode: &'a (dyn Fn(&T) -> String + Send + Sync),
}

impl<T: ?Sized> fmt::Debug for Idempotency<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The result of a request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotent<T> {
    /// The request was carried out now.
    Done(T),
    /// The request had been carried out before; this is its stored response.
    Replayed(String),
}

/// A write of a response that is stored for a repeated request.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseWrite {
    /// Stores a response under its key; `Taken` while another one is [kept](StoredResponse::is_kept), `Stale` when its owner is
    /// gone.
    Store(StoredResponse),
}
