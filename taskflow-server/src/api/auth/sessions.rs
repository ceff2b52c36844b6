//! Sessions as JSON.

use poem_openapi::Object;
use taskflow_core::{Session, SessionId, Timestamp};

use crate::api::Val;

/// Maximum number of sessions in a list.
const MOST: usize = 100;

/// A session: one sign-in on one device.
#[derive(Debug, Object)]
#[oai(rename = "Session", skip_serializing_if_is_none)]
struct SessionBody {
    /// Identifier; never changes.
    id: Val<SessionId>,
    /// The device, in its own words (`User-Agent`).
    device: Option<String>,
    /// When the session was opened.
    created_at: Val<Timestamp>,
    /// When the session was last refreshed.
    used_at: Val<Timestamp>,
    /// When the session ends unless it is refreshed.
    expires_at: Val<Timestamp>,
    /// Whether this request belongs to it.
    current: bool,
}

/// The open sessions of the account.
#[derive(Debug, Object)]
#[oai(rename = "Sessions")]
pub(super) struct SessionsBody {
    /// The sessions, the most recently used first.
    items: Vec<SessionBody>,
}

impl SessionsBody {
    pub(super) fn new(sessions: Vec<Session>, current: SessionId) -> Self {
        let body = |session: Session| SessionBody {
            id: Val(session.id),
            device: session.device,
            created_at: Val(session.created_at),
            used_at: Val(session.used_at),
            expires_at: Val(session.expires_at),
            current: session.id == current,
        };
        Self { items: sessions.into_iter().take(MOST).map(body).collect() }
    }
}
