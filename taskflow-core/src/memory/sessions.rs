use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::error::StoreError;
use crate::{SessionId, SessionWrite, Timestamp, UserId};

impl MemoryWrite for SessionWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Open(session) => check.require_user(session.user_id),
            Self::Update(session) => {
                let stored = check.state.sessions.get(&session.id).filter(|stored| stored.ended_at.is_none());
                check.require_next(stored.map(|stored| stored.version), session.version)
            }
            Self::End { .. } => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Open(session) | Self::Update(session) => {
                state.sessions.insert(session.id, session.clone());
            }
            Self::End { user_id, only, at } => state.end_sessions(*user_id, *only, *at),
        }
    }
}

impl State {
    pub(super) fn end_sessions(&mut self, user: UserId, only: Option<SessionId>, at: Timestamp) {
        let open = self.sessions.values_mut().filter(|session| session.user_id == user && session.ended_at.is_none());
        open.filter(|session| only.is_none_or(|only| session.id == only))
            .for_each(|session| session.ended_at = Some(at));
    }
}
