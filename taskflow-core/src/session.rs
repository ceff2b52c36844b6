//! A sign-in that lasts: opened with a password, kept alive by refresh tokens that are each good for once.

use std::time::Duration;

use crate::{SessionId, Timestamp, UserId};

/// Time after a refresh during which the use of the replaced token is no sign of theft: a response may have been lost,
/// or two windows of one browser refresh at once. The token gets its successor once more; after that it is merely
/// refused.
const GRACE: Duration = Duration::from_secs(60);

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
    /// Takes the output of the host's hash function (SHA-256 is enough for a random token), as text.
    #[must_use]
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// Returns the form in which stores keep it.
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

/// A sign-in of a user on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The id; never changes. Access tokens and refresh tokens contain it.
    pub id: SessionId,
    /// The owner of the session.
    pub user_id: UserId,
    /// The refresh token that counts.
    pub token: TokenHash,
    /// The token that it replaced.
    pub previous: Option<TokenHash>,
    /// Whether the replaced token was presented again and got the same successor.
    pub repeated: bool,
    /// The device or program that the user signed in with, in its own words.
    pub device: Option<String>,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time of the last refresh.
    pub used_at: Timestamp,
    /// The time at which it expires unless it is refreshed.
    pub expires_at: Timestamp,
    /// The time at which it was ended.
    pub ended_at: Option<Timestamp>,
    /// The time at which its owner last confirmed their identity within it; `None` if not since it was created.
    pub confirmed_at: Option<Timestamp>,
    /// Grows by one with each refresh (optimistic lock).
    pub version: u64,
}

/// The reason a refresh token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The session is over.
    Over,
    /// The token was just replaced, and its successor was handed out already.
    JustUsed,
    /// The token was used before: it was copied, and the session must end (RFC 9700 §4.14.2).
    Reused,
}

impl Session {
    /// Creates a new session.
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
            repeated: false,
            device,
            created_at: now,
            used_at: now,
            expires_at: now + lifetime,
            ended_at: None,
            confirmed_at: None,
            version: 1,
        }
    }

    /// Returns whether the session is still valid.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// Returns when its owner last proved who they are; refreshing proves nothing.
    #[must_use]
    pub fn authenticated_at(&self) -> Timestamp {
        self.confirmed_at.map_or(self.created_at, |at| at.max(self.created_at))
    }

    /// Returns the session after its owner has proved once more who they are.
    #[must_use]
    pub fn confirmed(&self, now: Timestamp) -> Self {
        Self { confirmed_at: Some(now), version: self.version + 1, ..self.clone() }
    }

    /// Exchanges the shown token for its successor.
    ///
    /// `successors` are derived by the host from the presented token, under its present key first and then under
    /// previous ones; the first replaces the token. A token that was replaced within the grace time gets the same
    /// successor once more, as long as that was not used itself: the host finds it among `successors` by the session's
    /// token.
    ///
    /// # Errors
    ///
    /// [`Refusal::Over`] when the session has ended, [`Refusal::JustUsed`] when a replaced token is shown a third time or
    /// its successor cannot be derived any more, [`Refusal::Reused`] for any other token.
    pub fn refresh(
        &self,
        shown: &TokenHash,
        successors: &[TokenHash],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, Refusal> {
        if !self.is_open(now) {
            return Err(Refusal::Over);
        }
        if *shown != self.token {
            if self.previous.as_ref() != Some(shown) || now.since(self.used_at) > GRACE {
                return Err(Refusal::Reused);
            }
            if self.repeated || !successors.contains(&self.token) {
                return Err(Refusal::JustUsed);
            }
            // The grace still counts from the exchange.
            return Ok(Self { repeated: true, version: self.version + 1, ..self.clone() });
        }
        let next = successors.first().ok_or(Refusal::Over)?;
        Ok(Self {
            token: next.clone(),
            previous: Some(self.token.clone()),
            repeated: false,
            used_at: now,
            expires_at: now + lifetime,
            version: self.version + 1,
            ..self.clone()
        })
    }
}

/// A write of sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionWrite {
    /// Inserts a session; `Stale` when its owner is gone.
    Open(Session),
    /// Replaces a session after a refresh; `Stale` unless the stored version is one less and it has not ended.
    Update(Session),
    /// Ends the open sessions of a user, or one of them. The rows stay, so that every node learns of it.
    End {
        /// The owner of the sessions.
        user_id: UserId,
        /// The only session to end; `None` ends all of them.
        only: Option<SessionId>,
        /// The time at which they end.
        at: Timestamp,
    },
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

    fn refreshed(session: &Session, shown: &str, next: &str, at: Timestamp) -> Result<Session, Refusal> {
        session.refresh(&hash(shown), &[hash(next)], at, DAY)
    }

    #[test]
    fn each_token_refreshes_once_and_moves_the_end() {
        let next = refreshed(&session(), "one", "two", later(60)).expect("the right token");
        assert_eq!((next.expires_at, next.version, next.token.clone()), (later(60) + DAY, 2, hash("two")));
        assert!(refreshed(&next, "two", "three", later(61)).is_ok());
    }

    #[test]
    fn a_lost_answer_is_given_once_more_within_the_grace() {
        let next = refreshed(&session(), "one", "two", later(60)).expect("the right token");
        let again = refreshed(&next, "one", "two", later(120)).expect("the same successor");
        let expected = Session { repeated: true, version: 3, ..next.clone() };
        assert_eq!(again, expected);
        assert_eq!(refreshed(&again, "one", "two", later(120)).expect_err("a third time"), Refusal::JustUsed);
        assert_eq!(refreshed(&again, "one", "two", later(121)).expect_err("too late"), Refusal::Reused);
        assert_eq!(refreshed(&next, "one", "two", later(121)).expect_err("too late"), Refusal::Reused);
        let used = refreshed(&again, "two", "three", later(61)).expect("the successor counts");
        assert_eq!(refreshed(&used, "one", "two", later(62)).expect_err("its successor was used"), Refusal::Reused);
        assert!(!used.repeated && refreshed(&used, "two", "three", later(62)).is_ok());
    }

    #[test]
    fn a_successor_is_found_under_a_previous_key_and_none_is_invented() {
        let next = refreshed(&session(), "one", "two", later(60)).expect("the right token");
        let rotated = [hash("other key"), hash("two")];
        let again = next.refresh(&hash("one"), &rotated, later(61), DAY).expect("derived with the previous key");
        assert_eq!(again.token, hash("two"));
        assert_eq!(refreshed(&next, "one", "x", later(61)).expect_err("no successor"), Refusal::JustUsed);
        assert_eq!(refreshed(&next, "zero", "two", later(61)).expect_err("never ours"), Refusal::Reused);
    }

    #[test]
    fn a_proof_is_renewed_by_confirming_and_not_by_refreshing() {
        let next = refreshed(&session(), "one", "two", later(60)).expect("the right token");
        assert_eq!(next.authenticated_at(), later(0));
        let confirmed = next.confirmed(later(90));
        assert_eq!((confirmed.authenticated_at(), confirmed.version), (later(90), 3));
        let again = refreshed(&confirmed, "two", "three", later(120)).expect("the right token");
        assert_eq!(again.authenticated_at(), later(90));
    }

    #[test]
    fn nothing_refreshes_a_session_that_is_over() {
        let at_the_end = refreshed(&session(), "one", "two", Timestamp::from_micros(0) + DAY);
        assert_eq!(at_the_end.expect_err("expired"), Refusal::Over);
        let ended = Session { ended_at: Some(later(1)), ..session() };
        assert_eq!(refreshed(&ended, "one", "two", later(2)).expect_err("ended"), Refusal::Over);
    }
}
