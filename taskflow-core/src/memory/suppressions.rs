use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;

use super::commit::{MemoryWrite, WriteCheck};
use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::Suppressions;
use crate::{EmailAddress, NoticeKind, Suppression, SuppressionWrite, UnsubscribeWrite};

impl MemoryWrite for SuppressionWrite {
    fn check(&self, _check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Add(_) | Self::Override(_) | Self::Remove(_) => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Add(new) => {
                state.suppressions.entry(new.email.key()).or_insert_with(|| new.clone());
            }
            Self::Override(email) => {
                if let Some(suppression) = state.suppressions.get_mut(&email.key()) {
                    suppression.overrides += 1;
                }
            }
            Self::Remove(email) => {
                state.suppressions.remove(&email.key());
            }
        }
    }
}

impl MemoryWrite for UnsubscribeWrite {
    fn check(&self, _check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Add { .. } | Self::Remove { .. } => Ok(()),
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Add { email, kind, .. } => state.unsubscribed.insert((email.key(), *kind)),
            Self::Remove { email, kind } => state.unsubscribed.remove(&(email.key(), *kind)),
        };
    }
}

#[async_trait]
impl Suppressions for MemoryStore {
    async fn suppressed(&self, addresses: &[EmailAddress]) -> Result<HashMap<String, Suppression>, StoreError> {
        let state = self.state();
        let found = addresses.iter().map(EmailAddress::key);
        Ok(found.filter_map(|key| Some((key.clone(), state.suppressions.get(&key)?.clone()))).collect())
    }

    async fn unsubscribed(&self, addresses: &[EmailAddress]) -> Result<HashSet<(String, NoticeKind)>, StoreError> {
        let state = self.state();
        let keys: HashSet<_> = addresses.iter().map(EmailAddress::key).collect();
        Ok(state.unsubscribed.iter().filter(|(key, _)| keys.contains(key)).cloned().collect())
    }

    async fn suppressions_after(&self, after: Option<&str>, size: u32) -> Result<Vec<Suppression>, StoreError> {
        let state = self.state();
        let later = state.suppressions.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(later.take(size as usize).map(|(_, suppression)| suppression.clone()).collect())
    }
}
