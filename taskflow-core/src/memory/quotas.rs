use std::time::Duration;

use super::State;
use super::commit::{MemoryWrite, WriteCheck};
use crate::error::StoreError;
use crate::{Quota, QuotaSubject, QuotaWrite, Timestamp, UserId};

/// The use of a quota, until its counting period ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuotaRow {
    used: u64,
    until: Timestamp,
}

impl MemoryWrite for QuotaWrite {
    fn check(&self, check: &WriteCheck<'_>) -> Result<(), StoreError> {
        match self {
            Self::Take { subject, amount, limit, .. } => {
                if let Some(user) = subject.user() {
                    check.require_user(user)?;
                }
                let row = check.state.quota(self);
                if row.used.saturating_add(*amount) > *limit {
                    return Err(StoreError::OverQuota { over: self.refused(row.used, row.until), write: check.index });
                }
                Ok(())
            }
        }
    }

    fn apply(&self, state: &mut State, _at: Duration) {
        match self {
            Self::Take { subject, quota, amount, .. } => {
                let QuotaRow { used, until } = state.quota(self);
                let row = QuotaRow { used: used.saturating_add(*amount), until };
                state.quotas.insert((subject.clone(), *quota), row);
            }
        }
    }
}

impl State {
    /// Returns the use of a quota before a write.
    fn quota(&self, write: &QuotaWrite) -> QuotaRow {
        let QuotaWrite::Take { subject, quota, amount, limit, at, until } = write;
        let stored = self.quotas.get(&(subject.clone(), *quota)).copied().filter(|row| row.until > *at);
        match stored {
            Some(row) if row.used.saturating_add(*amount) <= *limit => row,
            Some(row) if !quota.counts_rows() => row,
            _ => QuotaRow {
                used: subject.user().map_or(0, |user| self.count_rows(*quota, user, *at)),
                until: stored.map_or(*until, |row| row.until),
            },
        }
    }

    fn count_rows(&self, quota: Quota, user: UserId, now: Timestamp) -> u64 {
        let tasks = || self.tasks.values().filter(|task| task.user_id == user);
        let count = match quota {
            Quota::Tasks => tasks().filter(|task| task.deleted_at.is_none()).count(),
            Quota::StoredTasks => tasks().count(),
            Quota::Meetings => {
                let ahead = |meeting: &&crate::Meeting| {
                    meeting.created_by == Some(user) && meeting.is_on() && meeting.starts_at > now
                };
                self.meetings.values().filter(ahead).count()
            }
            Quota::Invitations | Quota::Strangers | Quota::StrangersUnverified | Quota::Reminders => 0,
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    pub(super) fn forget_quotas(&mut self, user: UserId) {
        self.quotas.retain(|(subject, _), _| *subject != QuotaSubject::User(user));
    }
}
