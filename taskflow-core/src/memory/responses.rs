use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::ResponseWrite;
use crate::error::{StoreError, UniqueField};

impl MemoryWrite for ResponseWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Store(response) => {
                check.require_user(response.owner)?;
                let stored = check.state.responses.get(&(response.owner, response.key.clone()));
                let taken = stored.is_some_and(|stored| stored.is_kept(response.created_at));
                check.require_free(UniqueField::IdempotencyKey, taken)
            }
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Store(response) => state.responses.insert((response.owner, response.key.clone()), response.clone()),
        };
    }
}
