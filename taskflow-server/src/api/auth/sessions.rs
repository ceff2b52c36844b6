//! Sessions as JSON.

use poem_openapi::Object;
use taskflow_core::{Session, SessionId, Timestamp};

use crate::api::Val;

/// How many sessions are listed at most.
const MOST: usize = 100;

/// Where somebody is signed in.
#[derive(Debug, Object)]
#[oai(rename = "Session", skip_serializing_if_is_none)]
struct SessionBody {
    /// Never changes.
    id: Val<SessionId>,
    /// What they signed in with, in its own words (`User-Agent`).
    device: Option<String>,
    /// When they signed in.
    created_at: Val<Timestamp>,
    /// When it was last refreshed.
    used_at: Val<Timestamp>,
    /// When it ends unless it is refreshed.
    expires_at: Val<Timestamp>,
    /// Whether this request belongs to it.
    current: bool,
}

/// Where somebody is signed in.
#[derive(Debug, Object)]
#[oai(rename = "Sessions")]
pub(super) struct SessionsBody {
    /// The one used last first.
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
