//! Tokens behind links in mail that permit one action, once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{EmailAddress, InvalidValue, Timestamp, TokenId, UserId};

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenPurpose {
    /// Showing that an address is one's own.
    VerifyEmail,
    /// Setting a password without knowing the old one.
    ResetPassword,
}

impl TokenPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::VerifyEmail, Self::ResetPassword];

    /// Returns its name in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// Returns how long a token is valid: a week to verify an address, an hour to reset a password.
    #[must_use]
    pub fn lifetime(self) -> Duration {
        match self {
            Self::VerifyEmail => Duration::from_hours(7 * 24),
            Self::ResetPassword => Duration::from_hours(1),
        }
    }
}

impl fmt::Display for TokenPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenPurpose {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a purpose of a token"))
    }
}

/// The token behind a link in a mail. It contains no secret: the link is a MAC over its id, made when the mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id; never changes.
    pub id: TokenId,
    /// The purpose.
    pub purpose: TokenPurpose,
    /// The account that the token is about.
    pub user_id: UserId,
    /// The address it was sent to.
    pub email: EmailAddress,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time at which it expires.
    pub expires_at: Timestamp,
    /// The time at which it was used; it can be used once.
    pub used_at: Option<Timestamp>,
}

impl Token {
    /// Creates a token for the address of an account.
    #[must_use]
    pub fn new(id: TokenId, purpose: TokenPurpose, user_id: UserId, email: EmailAddress, now: Timestamp) -> Self {
        Self { id, purpose, user_id, email, created_at: now, expires_at: now + purpose.lifetime(), used_at: None }
    }

    /// Returns whether the token can still be used.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && now < self.expires_at
    }
}

/// A write of tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenWrite {
    /// Inserts the token behind a link that is mailed; `Stale` when its owner is gone.
    Insert(Token),
    /// Uses a token; `Stale` when it is gone or was used before.
    Use {
        /// The token.
        id: TokenId,
        /// The time of use.
        at: Timestamp,
    },
    /// Uses up every unused token of a user for a purpose, so that no mailed link works any more.
    Revoke {
        /// The owner of the tokens.
        user_id: UserId,
        /// The purpose of the tokens.
        purpose: TokenPurpose,
        /// The time at which they count as used.
        at: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once_and_for_a_while() {
        let id = uuid::Uuid::nil();
        let now = Timestamp::from_micros(0);
        let email = "ada@example.org".parse().expect("an address");
        let token = Token::new(TokenId::from_uuid(id), TokenPurpose::ResetPassword, UserId::from_uuid(id), email, now);
        assert!(token.is_good(now) && !token.is_good(now + Duration::from_hours(1)));
        assert!(!Token { used_at: Some(now), ..token }.is_good(now));
    }

    #[test]
    fn every_purpose_is_read_by_its_word() {
        for purpose in TokenPurpose::ALL {
            assert_eq!(purpose.as_str().parse(), Ok(purpose));
        }
    }
}
