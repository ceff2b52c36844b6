//! Addresses that get no mail any more, because mail to them came back or was complained about.

mod wording;

use std::fmt;
use std::str::FromStr;

pub use wording::{bounce_is_for_good, refuses_the_mailbox, says_there_is_no_mailbox};
pub(crate) use wording::{speaks_of_us, status_in, status_of};

use crate::notice::Overrides;
use crate::{DeliveryId, EmailAddress, InvalidValue, Notice, Timestamp};

/// The cause of a suppression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionCause {
    /// The relay refused the mailbox for good.
    Refused,
    /// A report that mail could not be delivered came back.
    Bounce,
    /// The reader reported mail as unwanted.
    Complaint,
    /// An administrator suppressed the address.
    Admin,
}

impl SuppressionCause {
    /// Every cause.
    pub const ALL: [Self; 4] = [Self::Refused, Self::Bounce, Self::Complaint, Self::Admin];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for SuppressionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SuppressionCause {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|cause| cause.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be refused, bounce, complaint or admin"))
    }
}

/// A suppressed address, which gets no mail, in any case of its letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The suppressed address.
    pub email: EmailAddress,
    /// The cause.
    pub cause: SuppressionCause,
    /// The words of the relay or the report.
    pub detail: String,
    /// The time at which it was suppressed.
    pub at: Timestamp,
    /// Number of mails sent to it since, because its reader requested them.
    pub overrides: u32,
}

impl Suppression {
    /// Maximum number of mails that its reader can request after a bounce. A provider may have said wrongly that there
    /// is no such mailbox; using a link in one of them proves it, and removes the suppression.
    pub const MOST_OVERRIDES: u32 = 3;

    /// Creates a new suppression.
    #[must_use]
    pub fn new(email: EmailAddress, cause: SuppressionCause, detail: String, at: Timestamp) -> Self {
        Self { email, cause, detail, at, overrides: 0 }
    }

    /// Returns whether a mail is sent all the same. A reader who complained about mail still gets mail that they
    /// request and mail that protects their account. A mailbox that bounced gets a few requested links. A suppression
    /// by an administrator has no exceptions.
    #[must_use]
    pub fn admits(&self, notice: &Notice) -> bool {
        let overrides = notice.overrides();
        let asked_for = overrides == Overrides::Bounce;
        match self.cause {
            SuppressionCause::Complaint => overrides != Overrides::Nothing,
            SuppressionCause::Refused | SuppressionCause::Bounce => asked_for && self.overrides < Self::MOST_OVERRIDES,
            SuppressionCause::Admin => false,
        }
    }

    /// Returns whether it ends when its reader uses a link that was mailed to the address, which shows that mail
    /// arrives.
    #[must_use]
    pub fn is_disproved_by_a_link(&self) -> bool {
        matches!(self.cause, SuppressionCause::Refused | SuppressionCause::Bounce)
    }
}

/// A report that came back about a mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BounceReport {
    /// The address that the report names, which a forwarder may have put in place of the one that was written to; `None`
    /// when it names none.
    pub email: Option<EmailAddress>,
    /// The mail, by the Message-ID in the returned copy.
    pub mail: Option<ReturnedMail>,
    /// The kind of the report.
    pub kind: BounceKind,
    /// The words of the relay or the report, on one line.
    pub detail: String,
}

/// A mail of ours, as far as it came back with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedMail {
    /// The delivery in its Message-ID.
    pub delivery: DeliveryId,
    /// The address in its `To`, where that came back.
    pub to: Option<EmailAddress>,
}

/// The outcome of a mail by a report, in the order of its consequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BounceKind {
    /// The mail arrived, or was passed on.
    Delivered,
    /// The mail is still being tried.
    Delayed,
    /// The mail did not arrive, but the next one may: the mailbox was full, or policy refused it.
    Soft,
    /// The address gets no mail any more: there is no such mailbox (see [`bounce_is_for_good`]).
    Hard,
    /// Its reader reported it as unwanted.
    Complaint,
}

impl BounceKind {
    /// Returns the cause for which the address is suppressed, if this kind suppresses it.
    #[must_use]
    pub fn suppresses(self) -> Option<SuppressionCause> {
        match self {
            Self::Delivered | Self::Delayed | Self::Soft => None,
            Self::Hard => Some(SuppressionCause::Bounce),
            Self::Complaint => Some(SuppressionCause::Complaint),
        }
    }
}

/// A write of a suppression.
#[derive(Debug, Clone, PartialEq)]
pub enum SuppressionWrite {
    /// Suppresses mail to an address; a suppression that exists stays as it is.
    Add(Suppression),
    /// Counts a mail that is sent to a suppressed address nevertheless ([`Suppression::overrides`]); does nothing when the
    /// address is not suppressed.
    Override(EmailAddress),
    /// Allows mail to an address again.
    Remove(EmailAddress),
}
