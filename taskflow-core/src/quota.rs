//! Quotas: how much one account may store and cause. They are counted in the commit that stores or causes it.

mod write;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use write::{QuotaSubject, QuotaWrite};

use crate::{InvalidValue, Timestamp};

const DAY: Duration = Duration::from_hours(24);

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quota {
    /// The tasks of an account that are not in the trash.
    Tasks,
    /// The tasks of an account with those in the trash.
    StoredTasks,
    /// The meetings of an organizer that lie ahead.
    Meetings,
    /// The invitations that an account sends in a UTC day.
    Invitations,
    /// The strangers among them: people who have never accepted an invitation of the account, also tentatively.
    Strangers,
    /// The same for an account whose own address is not verified.
    StrangersUnverified,
    /// The reminders that an organizer sends one person of a meeting by hand within the cool-down
    /// ([`AppBuilder::reminder_cooldown`](crate::AppBuilder::reminder_cooldown)). The deliveries themselves are counted.
    Reminders,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Self; 7] = [
        Self::Tasks,
        Self::StoredTasks,
        Self::Meetings,
        Self::Invitations,
        Self::Strangers,
        Self::StrangersUnverified,
        Self::Reminders,
    ];

    /// Returns its name in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::StoredTasks => "stored_tasks",
            Self::Meetings => "meetings",
            Self::Invitations => "invitations",
            Self::Strangers => "strangers",
            Self::StrangersUnverified => "strangers_unverified",
            Self::Reminders => "reminders",
        }
    }

    /// Returns whether the quota counts existing rows. The other quotas count events within a period.
    ///
    /// The stored figure of such a quota is never less than the number of rows. Nothing is written when rows are
    /// deleted: a write that does not fit the figure counts the rows again.
    #[must_use]
    pub fn counts_rows(self) -> bool {
        match self {
            Self::Tasks | Self::StoredTasks | Self::Meetings => true,
            Self::Invitations | Self::Strangers | Self::StrangersUnverified | Self::Reminders => false,
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Quota {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|quota| quota.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a quota"))
    }
}

/// A write that was refused because it is more than a quota allows. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// The quota.
    pub quota: Quota,
    /// The most that it allows.
    pub limit: u64,
    /// The used amount; at most `limit` unless the limit was lowered.
    pub used: u64,
    /// The time from which on more is allowed. `None` if that depends on the actions of the account.
    pub until: Option<Timestamp>,
}

impl std::error::Error for OverQuota {}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, limit, .. } = self;
        match quota {
            Quota::Tasks => write!(f, "an account may have {limit} tasks: delete some first"),
            Quota::StoredTasks => write!(
                f,
                "an account may store {limit} tasks with those in the trash: wait until the trash has been emptied, or restore \
                 tasks from it instead"
            ),
            Quota::Meetings => {
                write!(
                    f,
                    "an organizer may have {limit} meetings that lie ahead: cancel some, or wait until some are over"
                )
            }
            Quota::Invitations => write!(f, "an account may invite {limit} people a day"),
            Quota::Strangers => {
                write!(f, "an account may invite {limit} people a day who have never accepted an invitation from it")
            }
            Quota::StrangersUnverified => write!(
                f,
                "an account whose email address is not verified may invite {limit} people a day who have never accepted an \
                 invitation from it: verify your address to invite more"
            ),
            Quota::Reminders => f.write_str("everybody in the meeting was reminded by hand a short while ago"),
        }?;
        match self.until {
            Some(until) => write!(f, "; more is possible from {until} on"),
            None => Ok(()),
        }
    }
}

/// The quotas of an application; 0: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Tasks of an account that are not in its trash. With those in the trash there may be twice as many.
    pub tasks: u64,
    /// Meetings of an organizer that lie ahead.
    pub meetings: u64,
    /// Invitations to meetings that an account sends in a UTC day; a repeated invitation counts again.
    pub invitations: u64,
    /// The same for strangers: people who have never accepted an invitation of the account, also tentatively.
    pub strangers: u64,
    /// The same for strangers that an account invites whose own address is not verified.
    pub strangers_unverified: u64,
}

impl Quotas {
    /// Returns the most that a quota allows, unless it has no limit.
    #[must_use]
    pub fn limit(&self, quota: Quota) -> Option<u64> {
        let limit = match quota {
            Quota::Tasks => self.tasks,
            Quota::StoredTasks => self.tasks.saturating_mul(2),
            Quota::Meetings => self.meetings,
            Quota::Invitations => self.invitations,
            Quota::Strangers => self.strangers,
            Quota::StrangersUnverified => self.strangers_unverified,
            Quota::Reminders => return None,
        };
        Some(limit).filter(|limit| *limit > 0)
    }

    /// Returns the write that counts `amount` more of a quota of an account, unless there is nothing to count.
    pub(crate) fn take(&self, quota: Quota, user: crate::UserId, amount: u64, now: Timestamp) -> Option<QuotaWrite> {
        let limit = self.limit(quota).filter(|_| amount > 0)?;
        let until = next_utc_day(now);
        Some(QuotaWrite::Take { subject: QuotaSubject::User(user), quota, amount, limit, at: now, until })
    }
}

/// Returns the beginning of the next UTC day.
pub(crate) fn next_utc_day(now: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(day)) + DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quota_is_read_by_its_word() {
        for quota in Quota::ALL {
            assert_eq!(quota.as_str().parse(), Ok(quota));
        }
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let midnight = Timestamp::from_micros(86_400_000_000 * 20_000);
        assert_eq!(next_utc_day(midnight), midnight + DAY);
        assert_eq!(next_utc_day(midnight + Duration::from_secs(1)), midnight + DAY);
        assert_eq!(next_utc_day(Timestamp::from_micros(-1)), Timestamp::from_micros(0));
    }

    #[test]
    fn zero_is_no_limit() {
        let quotas = Quotas { tasks: 7, ..Quotas::default() };
        assert_eq!((quotas.limit(Quota::StoredTasks), quotas.limit(Quota::Meetings)), (Some(14), None));
    }
}
