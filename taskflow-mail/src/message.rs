//! A mail as it goes over the wire.

use std::slice;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{MessageBuilder, MultiPart, SinglePart};
use taskflow_core::ports::{MailError, Reply};
use taskflow_core::{CalendarPart, EmailAddress, Headers, Mail, Mailbox};

/// Longest line of a mail, without its CRLF (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 998;

/// A mail written out (RFC 5322), with the envelope it travels in (RFC 5321 §2.3.1).
///
/// The source is ASCII, its lines end in CRLF, no line is too long for SMTP: every relay can take it, with or without
/// 8BITMIME. The same mail gives the same bytes. Addresses that would need SMTPUTF8 (RFC 6531) cannot be written: an
/// [`EmailAddress`] is of ASCII characters.
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
        let builder = addressed(from, mail)?
            .date(date(mail))
            .message_id(Some(format!("<{}@{}>", mail.id, from.address.domain())))
            .subject(unencoded(&mail.content.subject))
            // RFC 3834 §5: no vacation notices in return.
            .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
        let builder = threaded(builder, from, mail.headers.thread.as_deref())?;
        let builder = unsubscribable(builder, mail.headers.unsubscribe_url.as_deref())?;
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

/// One line of it that readers do not decode: a title may look like an encoded word (RFC 2047 §2) that nobody encoded.
fn unencoded(text: &str) -> String {
    one_line(text).replace("=?", "= ?")
}

/// Whom it is from, whom it says it is to, who reads a copy, where answers go. Whom it really goes to is in the envelope:
/// nobody learns of the others (RFC 5322 §3.6.3, Bcc).
fn addressed(from: &Mailbox, mail: &Mail) -> Result<MessageBuilder, MailError> {
    let Headers { shown_to, cc, reply_to, .. } = &mail.headers;
    let to = if shown_to.is_empty() { slice::from_ref(&mail.to) } else { shown_to };
    let mut builder = lettre::Message::builder().from(named(from)?);
    for mailbox in to {
        builder = builder.to(named(mailbox)?);
    }
    for mailbox in cc {
        builder = builder.cc(named(mailbox)?);
    }
    if let Some(mailbox) = reply_to {
        builder = builder.reply_to(named(mailbox)?);
    }
    Ok(builder)
}

/// Mail of one thread answers to the same letter, which nobody sent: so it stands together whichever of it arrives, and in
/// whatever order (RFC 5322 §3.6.4).
fn threaded(builder: MessageBuilder, from: &Mailbox, thread: Option<&str>) -> Result<MessageBuilder, MailError> {
    let Some(thread) = thread else { return Ok(builder) };
    if thread.is_empty() || thread.len() > 200 || !thread.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(unsendable("its thread has a name that is not of letters, digits and -"));
    }
    let root = format!("<{thread}@{}>", from.address.domain());
    Ok(builder.in_reply_to(root.clone()).references(root))
}

/// How to end mail of this kind: a page, which one request without a question ends it at (RFC 8058 §3.1).
fn unsubscribable(builder: MessageBuilder, url: Option<&str>) -> Result<MessageBuilder, MailError> {
    let Some(url) = url else { return Ok(builder) };
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b'"'));
    if !is_plain || !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(unsendable("the address at which to end it is none of the web"));
    }
    let post = raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned());
    Ok(builder.raw_header(raw("List-Unsubscribe", format!("<{url}>"))).raw_header(post))
}

/// A header whose name is ours.
fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

fn named(mailbox: &Mailbox) -> Result<lettre::message::Mailbox, MailError> {
    let address = mailbox.address.as_str().parse().map_err(|_| unsendable("an address that SMTP cannot carry"))?;
    let name = mailbox.name.as_deref().map(unencoded).filter(|name| !name.is_empty());
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
pub(crate) fn checked(source: Vec<u8>) -> Result<String, MailError> {
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
