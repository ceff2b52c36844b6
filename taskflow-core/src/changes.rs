//! The one way to write: a value that a store applies, all or nothing.

use crate::{
    AccessWrite, CredentialWrite, DeliveryWrite, FeedEvent, JobWrite, MailboxWrite, MeetingWrite, NewDelivery,
    ParticipantWrite, QuotaWrite, ResponseWrite, SessionWrite, StatisticsWrite, SuppressionWrite, TaskWrite,
    TokenWrite, UnsubscribeWrite, UserId, UserWrite,
};

/// All changes of one decision: rows, the mail they cause, and the events that followers are notified of.
///
/// A change without its mail cannot be written by accident: [`Store::commit`](crate::ports::Store::commit) is the only
/// write path and applies all of it or nothing (transactional outbox).
///
/// Its writes have no order and touch each row at most once.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "changes do nothing until they are committed"]
pub struct Changes {
    /// Rows to write.
    pub writes: Vec<Write>,
    /// Mail to plan: an upsert on the key, see [`Store::commit`](crate::ports::Store::commit).
    pub deliveries: Vec<NewDelivery>,
    /// Events to append to the feeds.
    pub events: Vec<FeedEvent>,
}

/// Declares [`Write`], and that every noun's writes turn into it.
macro_rules! writes {
    ($($(#[$doc:meta])* $noun:ident($write:ident),)+) => {
        /// One row to write: an enum for each noun, which lives in the noun's file.
        ///
        /// Not `non_exhaustive`: a store that does not know a write must not compile.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Write {
            $($(#[$doc])* $noun($write),)+
        }

        $(impl From<$write> for Write {
            fn from(write: $write) -> Self {
                Self::$noun(write)
            }
        })+
    };
}

writes! {
    /// A precondition on who may write.
    Access(AccessWrite),
    /// A figure that a quota limits.
    Quota(QuotaWrite),
    /// An account.
    User(UserWrite),
    /// The credential of an account.
    Credential(CredentialWrite),
    /// A session of an account.
    Session(SessionWrite),
    /// A token behind a mailed link.
    Token(TokenWrite),
    /// A stored response.
    Response(ResponseWrite),
    /// A task.
    Task(TaskWrite),
    /// A meeting or one of its revisions.
    Meeting(MeetingWrite),
    /// A participant of a meeting.
    Participant(ParticipantWrite),
    /// A delivery that was planned before.
    Delivery(DeliveryWrite),
    /// A suppressed address.
    Suppression(SuppressionWrite),
    /// A kind of mail that an address without an account does not get.
    Unsubscribe(UnsubscribeWrite),
    /// A job or one of its runs.
    Job(JobWrite),
    /// The statistics of a user.
    Statistics(StatisticsWrite),
    /// A mail in the dev mailbox.
    Mailbox(MailboxWrite),
}

impl Changes {
    /// Returns empty changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write.
    pub fn write(mut self, write: impl Into<Write>) -> Self {
        self.writes.push(write.into());
        self
    }

    /// Adds deliveries.
    pub fn deliver(mut self, deliveries: impl IntoIterator<Item = NewDelivery>) -> Self {
        self.deliveries.extend(deliveries);
        self
    }

    /// Counts the deliveries that nobody has caused so far for this account, if there is one.
    pub fn caused_by(mut self, causer: Option<UserId>) -> Self {
        for delivery in &mut self.deliveries {
            delivery.causer = delivery.causer.or(causer);
        }
        self
    }

    /// Adds an event.
    pub fn announce(mut self, announcement: FeedEvent) -> Self {
        self.events.push(announcement);
        self
    }

    /// Adds all of `other`.
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.deliveries.extend(other.deliveries);
        self.events.extend(other.events);
        self
    }

    /// Returns whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.deliveries.is_empty() && self.events.is_empty()
    }
}

/// The version of a row that a caller requires for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any version: the last write wins.
    #[default]
    Any,
    /// Only this version (`If-Match`).
    Version(u64),
    /// Only one of these versions; no version if the list is empty.
    OneOf(Vec<u64>),
}
