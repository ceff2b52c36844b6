use std::fmt;

use async_trait::async_trait;

use crate::Mail;

/// The relay took the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What it answered, for the ledger.
    pub reply: String,
}

/// What a relay answered (RFC 5321 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// For example 450; `None`: the connection was lost before it answered.
    pub code: Option<u16>,
    /// The text of the answer, on one line.
    pub text: String,
}

impl Reply {
    /// Whether the relay says that there is no such mailbox, or none any more: by the status code of RFC 3463 §3.2 where
    /// there is one (550 alone stands for policy as well), else by the words that relays use.
    #[must_use]
    pub fn concerns_the_mailbox(&self) -> bool {
        if !matches!(self.code, Some(550..=559)) {
            return false;
        }
        let text = self.text.trim_start();
        match text.split_whitespace().next().filter(|word| word.starts_with("5.") && word.matches('.').count() == 2) {
            Some(status) => matches!(status, "5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1"),
            None => {
                let text = text.to_ascii_lowercase();
                ["no such user", "user unknown", "unknown user", "does not exist", "no mailbox", "mailbox not found"]
                    .iter()
                    .any(|words| text.contains(words))
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Why a mail was not sent, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The relay refused this mail for now (4yz), or fell silent after it was offered: try it again later.
    #[error("the relay refused the mail for now: {0}")]
    Transient(Reply),
    /// The relay refused this mail for good (5yz), or it cannot be written as a mail: never try it again.
    #[error("the relay refused the mail for good: {0}")]
    Permanent(Reply),
    /// The relay cannot be used (connect, TLS, sign-in, 421): that says nothing about this mail and uses no attempt.
    #[error("the relay is unavailable: {0}")]
    Unavailable(String),
}

/// Sends mail.
///
/// # Contract
///
/// * `Ok` means that somebody else took responsibility for exactly this mail: for SMTP a 2xx answer to its own DATA.
/// * In doubt it is an error, and the mail may be sent again with the same Message-ID.
/// * Calls run side by side and do not wait for each other; a call ends by itself within the adapter's time limit.
/// * A dropped call never makes another mail count as sent.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail.
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError>;

    /// How many connections are worth using at the moment, when that changes as it does with a rate: the sender keeps to it
    /// where it is less than [`Sending::connections`](crate::Sending::connections). `None`: as many as there are.
    fn room(&self) -> Option<usize> {
        None
    }
}
