use taskflow_core::{SessionId, Timestamp, UserId};

/// The content of a valid access token: the person behind a connection and the session it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionClaims {
    /// The person.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The time at which the token was issued, to the microsecond: ending all sessions of a person ends older tokens.
    pub issued_at: Timestamp,
    /// The time at which the token expires, in whole seconds.
    pub expires_at: Timestamp,
}

/// Decides whether sessions are still open.
///
/// # Contract
///
/// Neither method blocks: both are called for every connection before anything is handed to it.
pub trait SessionCheck: Send + Sync {
    /// Returns whether the session of these claims is still open.
    ///
    /// # Errors
    ///
    /// [`SessionsUnavailable`] while nobody can tell. The connection stays open and is handed nothing.
    fn is_open(&self, claims: &SessionClaims) -> Result<bool, SessionsUnavailable>;

    /// Returns whether [`is_open`](Self::is_open) can tell at present.
    fn is_available(&self) -> bool;
}

/// Nobody can tell at the moment whether a session is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended sessions have not been read for too long")]
pub struct SessionsUnavailable;

/// The reason for which the registry closes a connection or does not admit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// The process stops.
    GoingAway,
    /// The feed or the list of ended sessions cannot be read for now.
    Unavailable,
    /// The session was ended.
    SignedOut,
    /// The person has too many connections to this node.
    TooMany,
    /// This node has too many connections.
    Full,
}
