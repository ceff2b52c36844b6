//! A sign-in that lasts: opened with a password, kept alive by refresh tokens that are each good for once.

use std::time::Duration;

use crate::{SessionId, Timestamp, UserId};

/// How long after a refresh the token before it is met with a mere no: two windows of one browser, or an answer that was
/// lost. Later it is taken for theft.
const GRACE: Duration = Duration::from_secs(10);

/// The hash of a refresh token; the token itself is nowhere but with its holder.
#[derive(Clone, Eq)]
pub struct TokenHash(String);

/// Takes the same time wherever two hashes of one length differ.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        self.0.len() == other.0.len() && pairs.fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

impl TokenHash {
    /// Takes over what the host's hash function gave (SHA-256 is enough for a random token), as text.
    #[must_use]
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// As stores keep it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A sign-in of one person on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Never changes; access tokens and refresh tokens carry it.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The refresh token that counts.
    pub token: TokenHash,
    /// The one before it.
    pub previous: Option<TokenHash>,
    /// What the person signed in with, in their own device's words.
    pub device: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub used_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Grows by one with each refresh (optimistic lock).
    pub version: u64,
}

/// Why a refresh token does not refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The session is over.
    Over,
    /// The token was just replaced: whoever asked at the same time has the new one.
    JustUsed,
    /// The token was used before: somebody has a copy of it, and the session must end (RFC 9700 §4.14.2).
    Reused,
}

impl Session {
    /// A new session.
    #[must_use]
    pub fn open(
        id: SessionId,
        user_id: UserId,
        token: TokenHash,
        device: Option<String>,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self {
            id,
            user_id,
            token,
            previous: None,
            device,
            created_at: now,
            used_at: now,
            expires_at: now + lifetime,
            ended_at: None,
            version: 1,
        }
    }

    /// Whether it still counts.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// The session with `next` in place of the token that was shown.
    pub fn refresh(
        &self,
        shown: &TokenHash,
        next: TokenHash,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, Refusal> {
        if !self.is_open(now) {
            return Err(Refusal::Over);
        }
        if *shown != self.token {
            let just_used = self.previous.as_ref() == Some(shown) && now.since(self.used_at) <= GRACE;
            return Err(if just_used { Refusal::JustUsed } else { Refusal::Reused });
        }
        Ok(Self {
            token: next,
            previous: Some(self.token.clone()),
            used_at: now,
            expires_at: now + lifetime,
            version: self.version + 1,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn hash(text: &str) -> TokenHash {
        TokenHash::new(text)
    }

    fn session() -> Session {
        let id = uuid::Uuid::nil();
        let now = Timestamp::from_micros(0);
        Session::open(SessionId::from_uuid(id), UserId::from_uuid(id), hash("one"), None, now, DAY)
    }

    fn later(seconds: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn each_token_refreshes_once_and_moves_the_end() {
        let next = session().refresh(&hash("one"), hash("two"), later(60), DAY).expect("the right token");
        assert_eq!((next.expires_at, next.version), (later(60) + DAY, 2));
        assert!(next.refresh(&hash("two"), hash("three"), later(61), DAY).is_ok());
    }

    #[test]
    fn a_token_shown_twice_at_once_is_refused_and_later_taken_for_theft() {
        let next = session().refresh(&hash("one"), hash("two"), later(60), DAY).expect("the right token");
        let again = |at| next.refresh(&hash("one"), hash("x"), at, DAY).expect_err("used");
        assert_eq!(again(later(70)), Refusal::JustUsed);
        assert_eq!(again(later(71)), Refusal::Reused);
        assert_eq!(next.refresh(&hash("zero"), hash("x"), later(61), DAY).expect_err("older"), Refusal::Reused);
    }

    #[test]
    fn nothing_refreshes_a_session_that_is_over() {
        let at_the_end = session().refresh(&hash("one"), hash("two"), Timestamp::from_micros(0) + DAY, DAY);
        assert_eq!(at_the_end.expect_err("expired"), Refusal::Over);
        let ended = Session { ended_at: Some(later(1)), ..session() };
        assert_eq!(ended.refresh(&hash("one"), hash("two"), later(2), DAY).expect_err("ended"), Refusal::Over);
    }
}
