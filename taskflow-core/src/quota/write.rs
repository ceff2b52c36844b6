use std::fmt;

use super::{OverQuota, Quota};
use crate::{Timestamp, UserId};

/// The subject that a quota is counted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaSubject {
    /// An account.
    User(UserId),
}

impl QuotaSubject {
    /// Returns the account, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
        }
    }
}

/// The stored form.
impl fmt::Display for QuotaSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
        }
    }
}

/// A write of quotas.
#[derive(Debug, Clone, PartialEq)]
pub enum QuotaWrite {
    /// Counts more of a quota: [`OverQuota`](crate::StoreError::OverQuota) when that makes more than its limit, and
    /// `Stale` when it is counted for an account that is gone.
    ///
    /// Of commits at the same time those that fit succeed. One commit counts a quota of a subject once.
    Take {
        /// The subject that the quota is counted for.
        subject: QuotaSubject,
        /// The quota.
        quota: Quota,
        /// The amount to add.
        amount: u64,
        /// The most that may be used afterwards.
        limit: u64,
        /// The time of the decision.
        at: Timestamp,
        /// The end of the counting period, if this write begins a new one.
        until: Timestamp,
    },
}

impl QuotaWrite {
    /// Returns the error of a write that does not fit: `used` is used until `until`.
    #[must_use]
    pub fn refused(&self, used: u64, until: Timestamp) -> OverQuota {
        match self {
            Self::Take { quota, limit, .. } => {
                OverQuota { quota: *quota, limit: *limit, used, until: Some(until).filter(|_| !quota.counts_rows()) }
            }
        }
    }
}
