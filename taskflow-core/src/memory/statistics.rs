use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::StatisticsWrite;
use crate::error::StoreError;

impl MemoryWrite for StatisticsWrite {
    fn check(&self, _check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Set(_) => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Set(counted) => {
                if state.users.contains_key(&counted.user_id) {
                    state.statistics.insert(counted.user_id, counted.clone());
                }
            }
        }
    }
}
