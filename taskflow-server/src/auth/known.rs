//! The sessions that this node has found in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskflow_core::ports::Accounts;
use taskflow_core::{SessionId, StoreError, Timestamp, UserId};
use taskflow_runtime::live::SessionClaims;

/// The most sessions that are remembered; whoever comes beyond that costs a read again.
const MOST: usize = 100_000;
/// The time for which the absence of a session is cached.
const ABSENT_FOR: Duration = Duration::from_secs(1);

/// Refuses tokens of sessions that are not in the store, such as one that a restored backup does not have, or one that
/// somebody signed who got hold of the key.
///
/// The first request with a session reads its row; later ones read nothing until the token expires. What this node has
/// issued itself is not read at all. A session whose row is removed by hand is therefore refused at the latest when the
/// access token of that time has expired; what ends in the service is refused at once by the
/// [`RevocationList`](super::RevocationList).
pub struct KnownSessions {
    accounts: Arc<dyn Accounts>,
    known: Mutex<HashMap<SessionId, Known>>,
}

struct Known {
    /// Whose session it is; `None`: there is none of this id.
    user: Option<UserId>,
    until: Timestamp,
}

impl KnownSessions {
    /// Knows no session yet.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>) -> Self {
        Self { accounts, known: Mutex::default() }
    }

    /// Records a session for which this node issues a token.
    pub(super) fn issued(&self, session: SessionId, user: UserId, expires_at: Timestamp, now: Timestamp) {
        self.remember(session, Known { user: Some(user), until: expires_at }, now);
    }

    /// Returns whether the session of a token is in the store and belongs to its person.
    ///
    /// # Errors
    ///
    /// As the store fails.
    pub async fn has(&self, claims: &SessionClaims, now: Timestamp) -> Result<bool, StoreError> {
        if let Some(known) = self.lock().get(&claims.session).filter(|known| now < known.until) {
            return Ok(known.user == Some(claims.user));
        }
        let user = self.accounts.session(claims.session).await?.map(|session| session.user_id);
        let until = if user.is_some() { claims.expires_at } else { now + ABSENT_FOR };
        self.remember(claims.session, Known { user, until }, now);
        Ok(user == Some(claims.user))
    }

    fn remember(&self, session: SessionId, new: Known, now: Timestamp) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.retain(|_, known| now < known.until);
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(session, new);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for KnownSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownSessions").field("known", &self.lock().len()).finish_non_exhaustive()
    }
}
