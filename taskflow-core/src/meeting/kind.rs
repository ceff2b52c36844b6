//! The words for how a meeting takes place and how far it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// The type of a meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeetingType {
    /// In person, in one place.
    #[default]
    InPerson,
    /// Online.
    Virtual,
    /// Both.
    Hybrid,
}

/// The status of a meeting. Only a cancellation and an early end are stored; the rest follows from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeetingStatus {
    /// Lies ahead.
    Scheduled,
    /// Goes on.
    InProgress,
    /// Is over.
    Completed,
    /// Does not take place.
    Cancelled,
}

impl MeetingType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::InPerson, Self::Virtual, Self::Hybrid];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InPerson => "in_person",
            Self::Virtual => "virtual",
            Self::Hybrid => "hybrid",
        }
    }
}

impl MeetingStatus {
    /// Every status, in the order of time.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::InProgress, Self::Completed, Self::Cancelled];

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for MeetingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for MeetingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MeetingType {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be in_person, virtual or hybrid"))
    }
}

impl FromStr for MeetingStatus {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be scheduled, in_progress, completed or cancelled"))
    }
}
