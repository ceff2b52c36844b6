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
    /// Whether the address is to get no mail any more: there is no such mailbox (see [`bounce_is_for_good`]), or its reader
    /// complained. Anything else changes nothing.
    pub permanent: bool,
    /// `Bounce` or `Complaint`.
    pub cause: SuppressionCause,
    /// What the report said, on one line.
    pub detail: String,
}

/// Whether a status (RFC 3463 §3.2, §3.3) says that there is no such mailbox, or none any more. A full mailbox (5.2.2), policy
/// (5.7.z), a sender that is refused (5.1.8) or a network that gave up (5.4.7) are no fault of the address.
#[must_use]
pub fn says_there_is_no_mailbox(status: &str) -> bool {
    matches!(status, "5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1")
}

/// Whether a relay that was asked for a recipient says that there is no such mailbox: by the status in its answer where there
/// is one (550 alone stands for policy as well), else by the words that relays use.
#[must_use]
pub fn refuses_the_mailbox(code: u16, text: &str) -> bool {
    const WORDS: [&str; 6] =
        ["no such user", "user unknown", "unknown user", "does not exist", "no mailbox", "mailbox not found"];
    if !matches!(code, 550..=559) {
        return false;
    }
    match status_of(text) {
        Some(status) => says_there_is_no_mailbox(status),
        None => {
            let text = text.to_ascii_lowercase();
            WORDS.iter().any(|words| text.contains(words))
        }
    }
}

/// Whether a bounce with this status (RFC 3463), or code of an answer, and these words of the relay's means that the address
/// gets no mail any more. The rule is that of a relay that refuses a recipient: 5.0.0 or a bare code leave it to the words,
/// as in `550 5.1.1 no such user`.
#[must_use]
pub fn bounce_is_for_good(status: &str, said: &str) -> bool {
    if status.contains('.') && !matches!(status, "5.0.0") {
        return says_there_is_no_mailbox(status);
    }
    let said = said.trim_start();
    let (code, text) = match said.split_at_checked(3).and_then(|(code, text)| Some((code.parse().ok()?, text))) {
        Some(answer) => answer,
        None => (status.parse().unwrap_or(550), said),
    };
    refuses_the_mailbox(code, text.trim_start_matches(['-', ' ']))
}

/// The status of a permanent failure at the beginning of an answer's text (RFC 2034 §4).
pub(crate) fn status_of(text: &str) -> Option<&str> {
    text.split_whitespace().next().filter(|word| word.starts_with("5.") && word.matches('.').count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mailbox_that_is_gone_ends_the_mail_to_an_address() {
        for (status, said) in [
            ("5.1.1", ""),
            ("5.1.10", ""),
            ("5.2.1", "552 5.2.2 full"),
            ("550", "5.1.1 gone"),
            ("550", "No such user here"),
            ("5.0.0", "550 5.1.1 gone"),
            ("", "550-user unknown"),
        ] {
            assert!(bounce_is_for_good(status, said), "{status} {said}");
        }
        for (status, said) in [
            ("5.2.2", ""),
            ("5.7.1", "550 5.1.1 gone"),
            ("5.7.26", ""),
            ("5.1.8", ""),
            ("5.4.7", ""),
            ("552", ""),
            ("554", "go away"),
            ("550", "5.7.1 user unknown to our policy"),
            ("5.0.0", ""),
            ("5.0.0", "\u{20ac}\u{20ac}"),
            ("4.4.7", "user unknown"),
            ("451", "user unknown"),
            ("", ""),
            ("2.0.0", ""),
        ] {
            assert!(!bounce_is_for_good(status, said), "{status} {said}");
        }
    }
}
