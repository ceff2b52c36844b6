use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::error::StoreError;
use crate::ports::{BucketTake, SharedLimits, take_all};

impl State {
    fn debts(&self, takes: &[BucketTake], now: Duration) -> Vec<Duration> {
        let full_at = |take: &BucketTake| self.limits.get(&take.key).copied().unwrap_or_default();
        takes.iter().map(|take| full_at(take).saturating_sub(now)).collect()
    }

    /// Counts full buckets up to a limit, and removes them if `remove` is set.
    pub(super) fn purge_limits(&mut self, now: Duration, limit: usize, remove: bool) -> usize {
        let full = self.limits.iter().filter(|(_, full_at)| **full_at <= now);
        let keys: Vec<String> = full.map(|(key, _)| key.clone()).take(limit).collect();
        if remove {
            self.limits.retain(|key, _| !keys.contains(key));
        }
        keys.len()
    }
}

#[async_trait]
impl SharedLimits for MemoryStore {
    async fn take(&self, takes: &[BucketTake]) -> Result<Option<Duration>, StoreError> {
        let mut state = self.state();
        let now = self.started.elapsed();
        let debts = state.debts(takes, now);
        match take_all(takes, &debts) {
            Ok(after) => {
                let rows = takes.iter().zip(after).map(|(take, debt)| (take.key.clone(), now + debt));
                state.limits.extend(rows);
                Ok(None)
            }
            Err(wait) => Ok(Some(wait)),
        }
    }

    async fn give_back(&self, takes: &[BucketTake]) -> Result<(), StoreError> {
        let mut state = self.state();
        let now = self.started.elapsed();
        let debts = state.debts(takes, now);
        for (take, debt) in takes.iter().zip(debts) {
            if let Some(full_at) = state.limits.get_mut(&take.key) {
                *full_at = now + take.limit.give_back(debt);
            }
        }
        Ok(())
    }
}
