//! One ledger for everything that is sent: a delivery is one notice to one recipient on one channel, with a due time.

mod bulk;
mod channel;
mod ledger;
mod settle;
mod turn;

use std::fmt;
use std::str::FromStr;

use crate::{DeliveryId, EmailAddress, InvalidValue, Notice, NoticeKind, Timestamp, UserId};

pub use bulk::{BulkAction, BulkSelection, ReplyCode};
pub use channel::ChannelKind;
pub use ledger::Ledger;
pub use settle::{Effect, Outcome, OutcomeColumns, Settlement};
pub use turn::{DeliveryClass, Rank, Turn, TurnGroup, Turns};

/// The unique key of a delivery: planning the same key twice is planning it once.
///
/// It contains ids, never addresses. Its leading parts keep keys of the same time close together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupeKey(String);

impl DedupeKey {
    /// Takes over a key; its parts are separated by `/`.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Returns the key of the same notice on a channel, so that a user can be notified once on each. A mail key stays
    /// as it is. The key on another channel begins with the mail key, so that one prefix finds both.
    #[must_use]
    pub fn on(self, channel: ChannelKind) -> Self {
        if channel.is_mail() { self } else { Self(format!("{self}@{channel}")) }
    }

    /// Returns whether it is the key of a meeting reminder that the organizer sent by hand.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.0.starts_with("meeting-reminder-by-hand/")
    }

    /// Returns the key in the form in which stores keep it.
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

/// The recipient of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A user, at the address of the account when the delivery is sent.
    User(UserId),
    /// A fixed address.
    Address(EmailAddress),
}

impl Recipient {
    /// Returns whether this is the same account, or the same address in any case of its letters.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one.key() == other.key(),
            (one, other) => one == other,
        }
    }
}

/// A delivery to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id, unless the key exists already.
    pub id: DeliveryId,
    /// The key that makes it unique.
    pub dedupe_key: DedupeKey,
    /// The notice to send.
    pub notice: Notice,
    /// The recipient.
    pub recipient: Recipient,
    /// The time at which it was planned.
    pub planned_at: Timestamp,
    /// The time at which it is due.
    pub due_at: Timestamp,
    /// The reason it was planned, for readers of the ledger.
    pub reason: String,
    /// The channel on which it is sent.
    pub channel: ChannelKind,
    /// The account whose act planned it, which decides its [turn](Turns) among what others cause. `None`: the service itself.
    pub causer: Option<UserId>,
}

impl NewDelivery {
    /// Returns the class by which it leaves among what is due on its channel.
    #[must_use]
    pub fn class(&self) -> DeliveryClass {
        let kind = self.notice.kind();
        DeliveryClass::of(kind.priority(), !kind.is_recurring() || self.dedupe_key.is_by_hand())
    }

    /// Returns the deliveries among which it takes turns, if an account caused it. What nobody is known to have caused by hand
    /// counts for its reader.
    #[must_use]
    pub fn turn_group(&self) -> Option<TurnGroup> {
        let class = self.class();
        let causer = match (self.causer, &self.recipient, class) {
            (Some(causer), ..) => causer,
            (None, Recipient::User(reader), DeliveryClass::Security | DeliveryClass::ByHand) => *reader,
            (None, ..) => return None,
        };
        Some(TurnGroup::new(causer, self.channel, class, self.due_at))
    }

    /// Returns the rank by which it leaves, in this turn of its group, if it has one.
    #[must_use]
    pub fn rank(&self, turn: Option<Turn>) -> Rank {
        Rank::new(self.channel, self.class(), turn)
    }

    /// Counts it for the account that caused it.
    #[must_use]
    pub fn caused_by(mut self, causer: UserId) -> Self {
        self.causer = Some(causer);
        self
    }

    /// Creates a delivery by mail that is planned at `now` and due at once, without a reason.
    #[must_use]
    pub fn new(id: DeliveryId, dedupe_key: DedupeKey, notice: Notice, recipient: Recipient, now: Timestamp) -> Self {
        Self {
            id,
            dedupe_key,
            notice,
            recipient,
            planned_at: now,
            due_at: now,
            reason: String::new(),
            channel: ChannelKind::MAIL,
            causer: None,
        }
    }

    /// Sends it on another channel than mail, under a [key](DedupeKey::on) of its own. Call it once.
    #[must_use]
    pub fn on(mut self, channel: ChannelKind) -> Self {
        self.dedupe_key = self.dedupe_key.on(channel);
        self.channel = channel;
        self
    }

    /// Returns whether several that are due in one minute leave together: mails of a kind that is
    /// [gathered](NoticeKind::is_gathered).
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.channel.is_mail() && self.notice.kind().is_gathered()
    }

    /// Sets the due time.
    #[must_use]
    pub fn due(mut self, at: Timestamp) -> Self {
        self.due_at = at;
        self
    }

    /// Sets the reason that the ledger shows.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// Waits until its next attempt is due.
    Scheduled,
    /// Held by a sender under a lease.
    Claimed,
    /// Accepted by the relay.
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

    /// Returns its name on the wire and in stores.
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
    /// Returns whether several that are due in one minute leave together: mails of a kind that is
    /// [gathered](NoticeKind::is_gathered).
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.channel.is_mail() && self.kind.is_gathered()
    }

    /// Returns the time at which a delivery expires that is put off again and again, if its notice sets no limit
    /// itself: a week after its due time. It can be retried by hand then.
    #[must_use]
    pub(crate) fn gives_up_at(&self) -> Option<Timestamp> {
        const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_hours(24 * 7);
        let expires = self.notice.as_ref().ok().and_then(|notice| notice.expires_at(self.due_at));
        expires.is_none().then(|| self.due_at + LONGEST_WAIT)
    }

    /// Returns the id of the delivery that the `Message-ID` of the mail contains: its own, or that of another delivery
    /// that it was sent together with.
    #[must_use]
    pub fn mail_id(&self) -> DeliveryId {
        let other = self.reply.as_deref().and_then(|reply| reply.strip_prefix(IN_THE_MAIL_OF)?.split(':').next());
        other.and_then(|id| id.parse().ok()).map_or(self.id, DeliveryId::from_uuid)
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
    /// The id; never changes. Every Message-ID contains it.
    pub id: DeliveryId,
    /// The key that makes it unique.
    pub dedupe_key: DedupeKey,
    /// Its kind.
    pub kind: NoticeKind,
    /// The notice to send, or the reason its stored form cannot be read.
    pub notice: Result<Notice, String>,
    /// The recipient.
    pub recipient: Recipient,
    /// The state of the delivery.
    pub state: DeliveryState,
    /// The time at which it was planned.
    pub planned_at: Timestamp,
    /// The time at which it is due; never moved by a retry or a hold.
    pub due_at: Timestamp,
    /// The time of the next attempt.
    pub next_at: Timestamp,
    /// Number of attempts that failed.
    pub attempts: u32,
    /// The time at which it was first claimed; also the `Date` of its mail.
    pub first_claimed_at: Option<Timestamp>,
    /// The time at which it reached its final state; `None` while it is open.
    pub settled_at: Option<Timestamp>,
    /// Whether it was cancelled while it was claimed: the settlement decides.
    pub cancel_requested: bool,
    /// The latest error, if there was one.
    pub last_error: Option<String>,
    /// The reply with which the relay accepted the mail. Several deliveries can be sent as one mail. For all of them
    /// but the first it names the delivery whose id the `Message-ID` contains: `in the mail of ID: 250 ok`.
    pub reply: Option<String>,
    /// The reason it was planned, cancelled or expired.
    pub reason: String,
    /// The channel on which it is sent.
    pub channel: ChannelKind,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Counted from 1.
    pub attempt: u32,
    /// The time at which its result was known.
    pub at: Timestamp,
    /// The relay's reply, or the error.
    pub error: String,
}

/// A write of a delivery that was planned before. New ones are [planned](crate::Changes::deliver).
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryWrite {
    /// Cancels the delivery with this key if it exists and is open. A claimed one is only marked: its settlement decides.
    Cancel {
        /// The key of the delivery.
        key: DedupeKey,
        /// The reason that the ledger shows.
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
