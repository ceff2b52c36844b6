//! Classifies replies of the relay: the only place that decides what a reply means for a mail and its connection.

use std::io;
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::response::Response;
use taskflow_core::ports::{Asked, MailError, Reply};

use crate::message::one_line;
use crate::secrets::Secrets;

/// Longest reply of a relay that is kept, in characters.
const LONGEST_TEXT: usize = 500;

/// The reason a mail was not accepted, by what that means for the connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A proper refusal: after RSET the connection can be used as before.
    Refused(MailError),
    /// A proper refusal because of too much mail. The connection can be used as before.
    Throttled(Reply),
    /// 421 after MAIL was accepted: this mail was refused, and the connection ends.
    HungUp(Reply),
    /// The relay closed the connection, or said that it will, before it answered to MAIL: it has nothing of this mail.
    Gone(String),
    /// The same, and it fell silent.
    Silent(String),
    /// Anything else: the connection must not be used again.
    Broken(MailError),
}

/// A reply of the relay (RFC 5321 §4.2), positive or negative.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) text: String,
}

/// A missing reply.
pub(super) enum NoAnswer {
    /// No reply in time.
    Silence(Duration),
    /// The connection was lost.
    Lost(String),
    /// The received bytes are no reply, or came before one was asked for.
    Nonsense(String),
}

impl Refusal {
    /// Returns the same refusal after a failure of the connection.
    pub(super) fn and_broken(self, cause: &NoAnswer) -> Self {
        match self {
            Self::Refused(error) => Self::Broken(error),
            Self::Throttled(reply) if reply.to == Asked::Sender => {
                Self::Broken(MailError::Unavailable(format!("{reply} ({cause})")))
            }
            Self::Throttled(reply) => Self::Broken(MailError::Transient(reply)),
            Self::HungUp(_) | Self::Gone(_) | Self::Silent(_) | Self::Broken(_) => self,
        }
    }

    /// Returns whether the dialogue can go on.
    pub(crate) fn is_clean(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Throttled(_))
    }
}

/// Classifies the reply to MAIL, the first of a dialogue: nothing was offered before it. A relay that replies with
/// nonsense has received the envelope, so that it costs an attempt.
pub(super) fn to_mail(answer: Result<Answer, NoAnswer>) -> Result<(), Refusal> {
    match answer {
        Ok(answer) if answer.code == 421 => Err(Refusal::Gone(answer.to_string())),
        Ok(Answer { code: 250, .. }) => Ok(()),
        Ok(answer) => Err(refused(answer, Asked::Sender)),
        Err(NoAnswer::Lost(cause)) => Err(Refusal::Gone(cause)),
        Err(none @ NoAnswer::Nonsense(_)) => Err(in_doubt(&none, "to MAIL")),
        Err(none @ NoAnswer::Silence(_)) => Err(Refusal::Silent(format!("{none} to MAIL"))),
    }
}

/// Classifies the reply to RCPT: 250 and 251 are positive (RFC 5321 §4.3.2).
pub(super) fn to_rcpt(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        250 | 251 => Ok(()),
        _ => Err(refused(answer, Asked::Recipient)),
    }
}

/// Classifies the reply to the mail itself: only 250 is positive (RFC 5321 §4.3.2); 221, for example, ends the session.
pub(super) fn to_content(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        250 => Ok(()),
        _ => Err(refused(answer, Asked::Content)),
    }
}

/// Classifies the reply to DATA: only 354 is positive.
pub(super) fn to_data(answer: Answer) -> Result<(), Refusal> {
    match answer.code {
        354 => Ok(()),
        _ => Err(refused(answer, Asked::Content)),
    }
}

/// Classifies a negative or unexpected reply about a mail.
fn refused(answer: Answer, asked: Asked) -> Refusal {
    let throttling = answer.is_throttling() || answer.code == 454 && asked == Asked::Sender;
    let reply = Reply::new(asked, answer.code, &answer.text[..]);
    match answer.code {
        421 => Refusal::HungUp(reply),
        // It wants another sign-in (RFC 4954 §6), which is not about this mail.
        530 | 534 | 535 | 538 => Refusal::Broken(MailError::Unavailable(answer.to_string())),
        400..=499 if throttling => Refusal::Throttled(reply),
        400..=499 => Refusal::Refused(MailError::Transient(reply)),
        500..=599 => Refusal::Refused(MailError::Permanent(reply)),
        // An answer to something else: nobody knows what became of the mail.
        _ => Refusal::Broken(doubtful(format!("unexpected answer: {answer}"))),
    }
}

/// Returns the refusal for a missing reply after which the mail may or may not have arrived.
pub(super) fn in_doubt(none: &NoAnswer, place: &str) -> Refusal {
    Refusal::Broken(doubtful(format!("{none} {place}")))
}

/// Returns the refusal for a missing reply to the envelope: no mail was handed over yet.
pub(super) fn lost_envelope(none: &NoAnswer, place: &str) -> Refusal {
    match none {
        NoAnswer::Nonsense(_) => in_doubt(none, place),
        NoAnswer::Silence(_) | NoAnswer::Lost(_) => {
            Refusal::Broken(MailError::Transient(Reply::none_to_envelope(format!("{none} {place}"))))
        }
    }
}

/// Returns the refusal for a reply to something else than was asked.
pub(super) fn out_of_step(answer: &Answer) -> Refusal {
    Refusal::Broken(doubtful(format!("out of step: {answer}")))
}

fn doubtful(why: String) -> MailError {
    MailError::Transient(Reply::none(why))
}

impl Answer {
    /// Returns whether the relay asks for less mail. The words that relays use decide, unless the status code (RFC
    /// 3463) says that the reply is about the address (4.1.z) or its mailbox (4.2.z).
    fn is_throttling(&self) -> bool {
        const PARTS: [&str; 3] = ["throttl", "too many", "too much mail"];
        if self.text.starts_with("4.1.") || self.text.starts_with("4.2.") {
            return false;
        }
        let text = self.text.to_ascii_lowercase();
        let mut words = text.split(|c: char| !c.is_alphabetic());
        PARTS.iter().any(|part| text.contains(part)) || words.any(|word| matches!(word, "rate" | "rates"))
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
            Self::Lost(cause) | Self::Nonsense(cause) => f.write_str(cause),
        }
    }
}

/// Converts a result of lettre; a refusal is a reply like any other.
pub(super) fn answer(result: Result<Response, smtp::Error>, secrets: &Secrets) -> Result<Answer, NoAnswer> {
    match result {
        Ok(response) => {
            let text = response.message().collect::<Vec<_>>().join(" ");
            Ok(Answer { code: response.code().into(), text: told(&text, secrets) })
        }
        Err(error) => match error.status() {
            Some(code) => Ok(Answer { code: code.into(), text: told(&root_cause(&error), secrets) }),
            None => {
                let cause = told(&root_cause(&error), secrets);
                let lost = format!("the connection was lost ({cause})");
                Err(if is_nonsense(&error) { NoAnswer::Nonsense(lost) } else { NoAnswer::Lost(lost) })
            }
        },
    }
}

/// Returns an error in words: the relay's reply if there was one.
pub(super) fn said(error: &smtp::Error, secrets: &Secrets) -> String {
    let cause = told(&root_cause(error), secrets);
    match error.status() {
        Some(code) => format!("{code} {cause}"),
        None => cause,
    }
}

/// Returns whether the relay sent something that is no reply. A reply that breaks off is a lost connection instead.
fn is_nonsense(error: &smtp::Error) -> bool {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) => error.kind() == io::ErrorKind::InvalidData,
        None => error.is_response() && cause.to_string() != "incomplete response",
    }
}

/// Returns the text of the innermost error, which is the most specific; for a reply of the relay it is the reply.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Returns the part of a reply that may be shown. Secrets are hidden first, because half of one is still secret.
pub(super) fn told(text: &str, secrets: &Secrets) -> String {
    shortened(&secrets.hidden_in(text))
}

fn shortened(text: &str) -> String {
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
            (454, "4.7.1 relay access denied"),
            (450, "moderated"),
            (452, "4.2.2 mailbox full"),
            (451, "4.3.0 local error in processing"),
        ] {
            assert!(!throttling(code, text), "{code} {text}");
        }
    }
}
