//! A mail as it goes over the wire.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{MultiPart, SinglePart};
use taskflow_core::ports::{MailError, Reply};
use taskflow_core::{CalendarPart, EmailAddress, Mail, Mailbox};

/// Longest line of a mail, without its CRLF (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 998;

/// A mail written out (RFC 5322), with the envelope it travels in (RFC 5321 §2.3.1).
///
/// The source is ASCII, its lines end in CRLF, no line is too long for SMTP: every relay can take it, with or without
/// 8BITMIME. The same mail gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where reports of failure go, and who signs as author.
    pub from: EmailAddress,
    /// Where it goes.
    pub to: EmailAddress,
    /// Headers and body.
    pub source: String,
}

impl Message {
    /// Writes `mail` as a letter of `from`.
    ///
    /// # Errors
    ///
    /// [`MailError::Permanent`] without a code when it cannot be written as a mail that every relay takes.
    pub fn write(from: &Mailbox, mail: &Mail) -> Result<Self, MailError> {
        let subject = one_line(&mail.content.subject);
        // A title may look like an encoded word (RFC 2047 §2); readers would decode what nobody encoded.
        let subject = subject.replace("=?", "= ?");
        let builder = lettre::Message::builder()
            .from(named(from)?)
            .to(named(&mail.to)?)
            .date(date(mail))
            .message_id(Some(format!("<{}@{}>", mail.id, from.address.domain())))
            .subject(subject)
            // RFC 3834 §5: no vacation notices in return.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let text = part(ContentType::TEXT_PLAIN, &mail.content.text);
        let html = mail.content.html.as_ref().map(|html| part(ContentType::TEXT_HTML, html));
        // The richest form comes last (RFC 2046 §5.1.4): programs that know calendars prefer it, others pass over it.
        let others = html.into_iter().chain(mail.calendar.as_ref().map(calendar).transpose()?).collect::<Vec<_>>();
        let written = if others.is_empty() {
            builder.singlepart(text)
        } else {
            // Quoted-printable never contains "=_" (RFC 2045 §6.7): no body can hold this boundary.
            let parts = MultiPart::alternative().boundary(format!("=_{}", mail.id)).singlepart(text);
            builder.multipart(others.into_iter().fold(parts, MultiPart::singlepart))
        };
        let written = written.map_err(|error| unsendable(&error.to_string()))?;
        let source = checked(written.formatted())?;
        Ok(Self { from: from.address.clone(), to: mail.to.address.clone(), source })
    }

    /// The source as it follows DATA: leading dots doubled, a lone dot at the end (RFC 5321 §4.5.2).
    pub(crate) fn dot_stuffed(&self) -> String {
        let mut stuffed = String::with_capacity(self.source.len() + 16);
        for line in self.source.split_inclusive("\r\n") {
            if line.starts_with('.') {
                stuffed.push('.');
            }
            stuffed.push_str(line);
        }
        stuffed.push_str(".\r\n");
        stuffed
    }
}

/// `text` without line breaks and other control characters, single spaces instead of them.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn named(mailbox: &Mailbox) -> Result<lettre::message::Mailbox, MailError> {
    let address = mailbox.address.as_str().parse().map_err(|_| unsendable("an address that SMTP cannot carry"))?;
    let name = mailbox.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    Ok(lettre::message::Mailbox::new(name, address))
}

/// Its Date; the header cannot tell times before 1970.
fn date(mail: &Mail) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(mail.date.as_micros()).unwrap_or(0))
}

fn part(content_type: ContentType, body: &str) -> SinglePart {
    let lines = body.replace("\r\n", "\n").replace('\r', "\n");
    let lines: String = lines.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    SinglePart::builder().header(content_type).header(ContentTransferEncoding::QuotedPrintable).body(lines)
}

/// The calendar object as one more form of the same letter, and nowhere else: so Exchange documents it ([MS-OXCMAIL]
/// §2.1.3.3.8), and a second copy as a file would be a second invitation to programs that read both. Its type names
/// the method, or it would be a file and no invitation (RFC 6047 §2.4).
fn calendar(object: &CalendarPart) -> Result<SinglePart, MailError> {
    let kind = format!("text/calendar; charset=utf-8; method={}", object.method.as_str());
    let kind = ContentType::parse(&kind).map_err(|error| unsendable(&error.to_string()))?;
    Ok(part(kind, &object.text))
}

/// The last look at the bytes: whatever a library did before, nothing that could break the dialogue leaves.
fn checked(source: Vec<u8>) -> Result<String, MailError> {
    let source = String::from_utf8(source).map_err(|_| unsendable("it is not text"))?;
    if !source.bytes().all(|b| matches!(b, b'\t' | b'\r' | b'\n' | b' '..=b'~')) {
        return Err(unsendable("it has characters that SMTP cannot carry"));
    }
    if !source.ends_with("\r\n") {
        return Err(unsendable("its last line does not end"));
    }
    for line in source.split_terminator("\r\n") {
        if line.contains(['\r', '\n']) {
            return Err(unsendable("a line ends in a bare CR or LF"));
        }
        if line.len() > LONGEST_LINE {
            return Err(unsendable("a line has more than 998 characters"));
        }
    }
    Ok(source)
}

fn unsendable(why: &str) -> MailError {
    MailError::Permanent(Reply { code: None, text: format!("the mail cannot be written: {why}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_ends_long_lines_and_foreign_bytes_never_leave() {
        for bad in ["a\nb\r\n", "a\rb\r\n", "a\r\n\nb\r\n", "a\r\n\r", "a", "\u{e9}\r\n", "a\0\r\n"] {
            assert!(checked(bad.as_bytes().to_vec()).is_err(), "{bad:?}");
        }
        assert!(checked(format!("{}\r\n", "x".repeat(999)).into_bytes()).is_err());
        assert!(checked(format!("{}\r\n", "x".repeat(998)).into_bytes()).is_ok());
    }

    #[test]
    fn leading_dots_are_doubled() {
        let from: EmailAddress = "a@b.example".parse().expect("an address");
        let message = Message { to: from.clone(), from, source: ".\r\na.\r\n..b\r\n".to_owned() };
        assert_eq!(message.dot_stuffed(), "..\r\na.\r\n...b\r\n.\r\n");
    }
}
