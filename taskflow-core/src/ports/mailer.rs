use std::fmt;

use async_trait::async_trait;

use crate::Mail;
use crate::suppression::{refuses_the_mailbox, says_there_is_no_mailbox, status_of};

/// The relay took the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The reply of the relay, for the ledger.
    pub reply: String,
}

/// The SMTP phase in which a relay replied (RFC 5321 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// No phase of this mail, or an unknown one.
    Nothing,
    /// MAIL: who sends.
    Sender,
    /// RCPT: who is to have it.
    Recipient,
    /// DATA, or the mail itself.
    Content,
}

/// A reply of a relay (RFC 5321 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The phase that it replies to: a reply about a sender is no fault of the recipient.
    pub to: Asked,
    /// The reply code, for example 450; `None` if the connection was lost before a reply.
    pub code: Option<u16>,
    /// The text of the reply, on one line.
    pub text: String,
}

impl Reply {
    /// Creates the reply `code` `text` to what was `asked`.
    #[must_use]
    pub fn new(asked: Asked, code: u16, text: impl Into<String>) -> Self {
        Self { to: asked, code: Some(code), text: text.into() }
    }

    /// Creates a reply for a missing reply to a command of the envelope: the mail cannot have arrived. `why` is the
    /// reason.
    #[must_use]
    pub fn none_to_envelope(why: impl Into<String>) -> Self {
        Self { to: Asked::Recipient, code: None, text: why.into() }
    }

    /// Creates a reply for a missing reply. `why` is the reason.
    #[must_use]
    pub fn none(why: impl Into<String>) -> Self {
        Self { to: Asked::Nothing, code: None, text: why.into() }
    }

    /// Returns whether the relay says that there is no such mailbox, or no longer. A reply to RCPT is judged by
    /// [`refuses_the_mailbox`]. A reply to the mail itself counts only if its status code is clear, because words about
    /// a content may mean anything. A reply to MAIL is about the sender.
    #[must_use]
    pub fn concerns_the_mailbox(&self) -> bool {
        let Some(code) = self.code else { return false };
        match self.to {
            Asked::Recipient => refuses_the_mailbox(code, &self.text),
            Asked::Content => matches!(code, 550..=559) && status_of(&self.text).is_some_and(says_there_is_no_mailbox),
            Asked::Sender | Asked::Nothing => false,
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

/// The reason a mail was not sent, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The relay refused this mail for now (4yz), or fell silent after it was offered: try it again later. The subject
    /// of the reply ([`Reply::concern`]) decides whether that uses an attempt.
    #[error("the relay refused the mail for now: {0}")]
    Transient(Reply),
    /// The relay refused this mail for good (5yz), or it cannot be written as a mail. It is never tried again if the
    /// reply is about the mailbox or the mail. If it is about the sender or the relay ([`Reply::concern`]), the mail
    /// waits.
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
/// * `Ok` means that another system took responsibility for exactly this mail: for SMTP a 2xx reply to its own DATA.
/// * An unclear result is an error, and the mail may be sent again with the same Message-ID.
/// * Calls run side by side and do not wait for each other; a call ends by itself within the adapter's time limit.
/// * A dropped call never makes another mail count as sent.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail.
    async fn send(&self, mail: &Mail) -> Result<Accepted, MailError>;

    /// Returns the number of connections worth using at the moment, if that changes, as it does with a rate. The sender
    /// uses at most this many if it is less than [`Sending::connections`](crate::Sending::connections). `None` means
    /// all connections.
    fn room(&self) -> Option<usize> {
        None
    }
}
