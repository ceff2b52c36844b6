//! The only place where an answer of the relay becomes a verdict on a mail and on its connection.

use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::response::Response;
use taskflow_core::ports::{MailError, Reply};

use crate::message::one_line;

/// Longest answer of a relay that is kept, in characters.
const LONGEST_TEXT: usize = 500;

/// Why a mail was not taken, by what that means for the connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A clean no: after RSET the connection is as good as before.
    Refused(MailError),
    /// A clean no to everything: mail comes too fast. The connection is as good as before.
    Throttled(String),
    /// 421 after MAIL was accepted: this mail was not taken, and the connection ends.
    HungUp(Reply),
    /// The relay closed the connection, said that it will, or fell silent, before it answered to MAIL: it has nothing of
    /// this mail.
    Gone(String),
    /// Anything else: the connection must not be used again.
    Broken(MailError),
}

/// What the relay answered (RFC 5321 §4.2), whether yes or no.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) text: String,
}

/// There was no answer.
pub(super) enum NoAnswer {
    /// Not in time.
    Silence(Duration),
    /// The connection is gone, or what came is no answer.
    Lost(String),
}

impl Refusal {
    /// The same, after something went wrong on the connection.
    pub(super) fn and_broken(self, cause: &NoAnswer) -> Self {
        match self {
            Self::Refused(error) => Self::Broken(error),
            Self::Throttled(text) => Self::Broken(MailError::Unavailable(format!("{text} ({cause})"))),
            Self::HungUp(_) | Self::Gone(_) | Self::Broken(_) => self,
        }
    }

    /// Whether the dialogue can go on.
    pub(crate) fn is_clean(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Throttled(_))
    }
}

/// The answer to MAIL, the first of a dialogue: before it nothing was offered.
pub(super) fn to_mail(answer: Result<Answer, NoAnswer>) -> Result<(), Refusal> {
    match answer {
        Ok(answer) if answer.code == 421 => Err(Refusal::Gone(answer.to_string())),
        Ok(answer) => accepted(answer),
        Err(NoAnswer::Lost(cause)) => Err(Refusal::Gone(cause)),
        Err(none @ NoAnswer::Silence(_)) => Err(Refusal::Gone(format!("{none} to MAIL"))),
    }
}

/// The answer to RCPT, or to the mail itself: 2yz is yes.
pub(super) fn accepted(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        200..=299 => Ok(()),
        _ => Err(refused(answer)),
    }
}

/// The answer to DATA: only 354 is yes.
pub(super) fn to_data(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        354 => Ok(()),
        _ => Err(refused(answer)),
    }
}

/// What an answer other than the one hoped for says about a mail.
fn refused(answer: Answer) -> Refusal {
    match answer.code {
        421 => Refusal::HungUp(Reply { code: Some(421), text: answer.text }),
        // It wants another sign-in (RFC 4954 §6), which is not about this mail.
        530 | 534 | 535 | 538 => Refusal::Broken(MailError::Unavailable(answer.to_string())),
        400..=499 if answer.is_throttling() => Refusal::Throttled(answer.to_string()),
        400..=499 => Refusal::Refused(MailError::Transient(Reply { code: Some(answer.code), text: answer.text })),
        500..=599 => Refusal::Refused(MailError::Permanent(Reply { code: Some(answer.code), text: answer.text })),
        // An answer to something else: nobody knows what became of the mail.
        _ => Refusal::Broken(doubtful(format!("unexpected answer: {answer}"))),
    }
}

/// There was no answer where there should be one, so that nobody knows what became of the mail.
pub(super) fn in_doubt(none: &NoAnswer, place: &str) -> Refusal {
    Refusal::Broken(doubtful(format!("{none} {place}")))
}

fn doubtful(text: String) -> MailError {
    MailError::Transient(Reply { code: None, text })
}

impl Answer {
    /// Whether the relay wants less of everything: by the words that relays use, unless the status code (RFC 3463) says
    /// that it is about the address (4.1.z) or its mailbox (4.2.z). 454 has other meanings for other commands only.
    fn is_throttling(&self) -> bool {
        const WORDS: [&str; 6] =
            ["throttl", "rate limit", "rate exceeded", "too many messages", "too many connections", "too much mail"];
        if self.text.starts_with("4.1.") || self.text.starts_with("4.2.") {
            return false;
        }
        let text = self.text.to_ascii_lowercase();
        self.code == 454 || WORDS.iter().any(|words| text.contains(words))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silence(limit) => write!(f, "no answer within {:.1} s", limit.as_secs_f32()),
            Self::Lost(cause) => f.write_str(cause),
        }
    }
}

/// What lettre read; a refusal is an answer like any other.
pub(super) fn answer(result: Result<Response, smtp::Error>) -> Result<Answer, NoAnswer> {
    match result {
        Ok(response) => {
            let text = response.message().collect::<Vec<_>>().join(" ");
            Ok(Answer { code: response.code().into(), text: shortened(&text) })
        }
        Err(error) => match error.status() {
            Some(code) => Ok(Answer { code: code.into(), text: shortened(&root_cause(&error)) }),
            None => Err(NoAnswer::Lost(format!("the connection was lost ({})", root_cause(&error)))),
        },
    }
}

/// An error in words: the relay's answer if there was one.
pub(super) fn said(error: &smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("{code} {}", shortened(&root_cause(error))),
        None => shortened(&root_cause(error)),
    }
}

/// The innermost error says it best; for an answer of the relay that is its text.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

pub(super) fn shortened(text: &str) -> String {
    one_line(text).chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_told_from_a_mailbox_that_is_busy() {
        let throttling = |code, text: &str| Answer { code, text: text.to_owned() }.is_throttling();
        for (code, text) in [
            (454, "Throttling failure: Maximum sending rate exceeded."),
            (450, "4.7.1 Error: too much mail from 192.0.2.1"),
            (452, "4.5.3 Too many messages in this session"),
            (451, "4.7.650 The mail server has been temporarily rate limited"),
        ] {
            assert!(throttling(code, text), "{code} {text}");
        }
        for (code, text) in [
            (450, "4.2.1 The user is receiving mail at a rate that; rate limit"),
            (450, "4.2.0 greylisted, try again later"),
            (452, "4.2.2 mailbox full"),
            (451, "4.3.0 local error in processing"),
        ] {
            assert!(!throttling(code, text), "{code} {text}");
        }
    }
}
