//! One ledger for every mail: a delivery is one notice to one recipient with a due time.

use std::fmt;
use std::str::FromStr;

use crate::{
    DeliveryId, EmailAddress, InvalidValue, LeaseToken, Notice, NoticeKind, ParticipantId, Timestamp, Told, UserId,
};

/// What makes a delivery the only one of its kind: planning the same key twice is planning it once.
///
/// It holds ids, never addresses, and begins with what makes it local in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupeKey(String);

impl DedupeKey {
    /// Takes over a key; its parts are separated by `/`.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Whether it is of a reminder of a meeting that its organizer sent by hand.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.0.starts_with("meeting-reminder-by-hand/")
    }

    /// The key as stores keep it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom a delivery goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A person with an account, at the address they have when it leaves.
    User(UserId),
    /// An address as it is.
    Address(EmailAddress),
}

/// A delivery to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id, unless the key exists already.
    pub id: DeliveryId,
    /// What makes it unique.
    pub dedupe_key: DedupeKey,
    /// What to tell.
    pub notice: Notice,
    /// Whom to tell.
    pub recipient: Recipient,
    /// When it was decided.
    pub planned_at: Timestamp,
    /// When it should leave.
    pub due_at: Timestamp,
    /// Why it was planned, for people who read the ledger.
    pub reason: String,
}

impl NewDelivery {
    /// Creates a delivery that is planned at `now` and due at once, without a reason.
    #[must_use]
    pub fn new(id: DeliveryId, dedupe_key: DedupeKey, notice: Notice, recipient: Recipient, now: Timestamp) -> Self {
        Self { id, dedupe_key, notice, recipient, planned_at: now, due_at: now, reason: String::new() }
    }

    /// Sets the due time.
    #[must_use]
    pub fn due(mut self, at: Timestamp) -> Self {
        self.due_at = at;
        self
    }

    /// Sets the reason that the ledger shows to people.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// Where a delivery is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// Waits for its time.
    Scheduled,
    /// Held by a sender under a lease.
    Claimed,
    /// The relay took it.
    Delivered,
    /// Given up: refused for good, out of attempts or unreadable.
    Discarded,
    /// No longer wanted.
    Cancelled,
    /// Too late, or nothing to say any more.
    Expired,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Claimed, Self::Delivered, Self::Discarded, Self::Cancelled, Self::Expired];

    /// Its word on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Claimed => "claimed",
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// The beginning of the reply to a delivery that left in the mail of another one.
const IN_THE_MAIL_OF: &str = "in the mail of ";

impl Delivery {
    /// The delivery whose id the `Message-ID` of the mail contains: its own, or another's that it left together with.
    #[must_use]
    pub fn mail_id(&self) -> DeliveryId {
        let other = self.reply.as_deref().and_then(|reply| reply.strip_prefix(IN_THE_MAIL_OF)?.split(':').next());
        other.and_then(|id| id.parse().ok()).map_or(self.id, DeliveryId::from_uuid)
    }
}

impl Outcome {
    /// Returns the outcome of a delivery that was sent in the mail of `first`, whose own outcome this is.
    #[must_use]
    pub(crate) fn in_the_mail_of(&self, first: DeliveryId) -> Self {
        match self {
            Self::Delivered { reply, .. } => {
                Self::Delivered { reply: format!("{IN_THE_MAIL_OF}{first}: {reply}"), told: None }
            }
            other => other.clone(),
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be a state of a delivery"))
    }
}

/// A delivery as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Never changes; every Message-ID carries it.
    pub id: DeliveryId,
    /// What makes it unique.
    pub dedupe_key: DedupeKey,
    /// Its kind.
    pub kind: NoticeKind,
    /// What to tell; the reason when the stored form cannot be read.
    pub notice: Result<Notice, String>,
    /// Whom to tell.
    pub recipient: Recipient,
    /// Where it is on its way.
    pub state: DeliveryState,
    /// When it was decided.
    pub planned_at: Timestamp,
    /// When it should leave; never moved by a retry or a hold.
    pub due_at: Timestamp,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// How often the relay refused it.
    pub attempts: u32,
    /// When it was first claimed: the Date of its mail.
    pub first_claimed_at: Option<Timestamp>,
    /// When it reached its last state; absent while it is open.
    pub settled_at: Option<Timestamp>,
    /// Somebody cancelled it while it was claimed: the settle decides.
    pub cancel_requested: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// What the relay answered when it took the mail. Of several deliveries that left as one mail it names, for the others
    /// than the first, the one whose id the `Message-ID` contains: `in the mail of ID: 250 ok`.
    pub reply: Option<String>,
    /// Why it was planned, or why it was cancelled or expired.
    pub reason: String,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Counted from 1.
    pub attempt: u32,
    /// When its result was known.
    pub at: Timestamp,
    /// The relay's answer, or what went wrong.
    pub error: String,
}

/// The outcome of one claim, fenced by the lease under which it was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which delivery.
    pub id: DeliveryId,
    /// The lease it was claimed under.
    pub lease: LeaseToken,
    /// When the outcome was known.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The relay took the mail with this answer.
    Delivered {
        /// The answer.
        reply: String,
        /// What a participant knows now.
        told: Option<(ParticipantId, Told)>,
    },
    /// The relay refused it for now: one attempt more, next try then.
    Retry {
        /// Next try.
        next_at: Timestamp,
        /// The relay's answer.
        error: String,
    },
    /// It was not offered to the relay, or the relay was not there: no attempt used, next try then.
    Released {
        /// Next try.
        next_at: Timestamp,
        /// What kept it, if anything did.
        error: Option<String>,
    },
    /// It waits for the end of its reader's quiet hours: no attempt used, and what kept it before is forgotten, since it
    /// is not late until then.
    Held {
        /// When they end.
        until: Timestamp,
    },
    /// Given up, one attempt more.
    Discarded {
        /// Why.
        error: String,
    },
    /// No longer wanted.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// Too late, or nothing to say any more.
    Expired {
        /// Why.
        reason: String,
    },
}

/// How many deliveries there ever were, and what became of them. `planned` equals the sum of the others, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// All of them.
    pub planned: u64,
    /// Taken by the relay.
    pub delivered: u64,
    /// No longer wanted.
    pub cancelled: u64,
    /// Too late or nothing to say.
    pub expired: u64,
    /// Given up.
    pub discarded: u64,
    /// Scheduled or claimed: still to come.
    pub due: u64,
}

impl Ledger {
    /// Whether everything planned is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.planned == self.delivered + self.cancelled + self.expired + self.discarded + self.due
    }
}

/// A write of a delivery that was planned before. New ones are [planned](crate::Changes::deliver).
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryWrite {
    /// Cancels the delivery with this key if it exists and is open. A claimed one is only marked: its settlement decides.
    Cancel {
        /// The key of the delivery.
        key: DedupeKey,
        /// The reason that the ledger shows to people.
        reason: String,
        /// The time at which it counts as settled.
        at: Timestamp,
    },
    /// Changes when a scheduled delivery is due and when it is tried next; one in any other state stays as it is.
    Reschedule {
        /// The key of the delivery.
        key: DedupeKey,
        /// The new due time.
        due_at: Timestamp,
        /// The time of the next attempt.
        next_at: Timestamp,
    },
    /// Schedules a delivery that was given up, cancelled or expired again, as if it were due now and had never been
    /// tried; `Stale` unless it is in one of those states.
    Retry {
        /// The delivery.
        id: DeliveryId,
        /// The time of the next attempt.
        at: Timestamp,
    },
}
