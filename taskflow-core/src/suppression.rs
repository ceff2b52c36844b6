//! Addresses that get no mail any more, because mail to them came back or was complained about.

use std::fmt;
use std::str::FromStr;

use crate::{EmailAddress, InvalidValue, Timestamp};

/// How it became known that an address takes no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionCause {
    /// The relay refused the mailbox for good.
    Refused,
    /// A report that mail could not be delivered came back.
    Bounce,
    /// The reader reported mail as unwanted.
    Complaint,
    /// Whoever runs the service decided so.
    Admin,
}

impl SuppressionCause {
    /// Every cause.
    pub const ALL: [Self; 4] = [Self::Refused, Self::Bounce, Self::Complaint, Self::Admin];

    /// Its word on the wire and in stores.
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

/// An address that gets no mail any more, in any case of its letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Which.
    pub email: EmailAddress,
    /// How it became known.
    pub cause: SuppressionCause,
    /// What the relay or the report said.
    pub detail: String,
    /// Since when.
    pub at: Timestamp,
}

/// What came back about mail to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BounceReport {
    /// To which.
    pub email: EmailAddress,
    /// Whether it is for good (5.y.z, or a complaint); what is for now changes nothing.
    pub permanent: bool,
    /// `Bounce` or `Complaint`.
    pub cause: SuppressionCause,
    /// What the report said, on one line.
    pub detail: String,
}
