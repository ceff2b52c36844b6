use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::error::StoreError;
use crate::{Token, TokenWrite};

impl MemoryWrite for TokenWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Insert(token) => check.require_user(token.user_id),
            Self::Use { id, .. } => {
                check.require(check.state.tokens.get(id).is_some_and(|token| token.used_at.is_none()))
            }
            Self::Revoke { .. } => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Insert(token) => {
                state.tokens.insert(token.id, token.clone());
            }
            Self::Use { id, at } => {
                if let Some(token) = state.tokens.get_mut(id) {
                    token.used_at = Some(*at);
                }
            }
            Self::Revoke { user_id, purpose, at } => {
                let unused = |token: &&mut Token| {
                    token.user_id == *user_id && token.purpose == *purpose && token.used_at.is_none()
                };
                state.tokens.values_mut().filter(unused).for_each(|token| token.used_at = Some(*at));
            }
        }
    }
}
