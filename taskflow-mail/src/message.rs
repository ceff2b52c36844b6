//! A mail as it goes over the wire.

mod body;
mod header;

use std::slice;

use taskflow_core::ports::{MailError, Reply};
use taskflow_core::{EmailAddress, Headers, Mail, Mailbox};

use self::body::Part;
use self::header::Header;

/// Longest line of a mail, without its CRLF (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 998;

/// Room for the headers of most mail, in octets; more is asked for where it is too little.
const HEADERS: usize = 2048;

/// A mail written out (RFC 5322), with the envelope it travels in (RFC 5321 §2.3.1).
///
/// The source is ASCII, its lines end in CRLF, no line is too long for SMTP: every relay can take it, with or without
/// 8BITMIME. The same mail gives the same bytes. Addresses that would need SMTPUTF8 (RFC 6531) cannot be written: an
/// [`EmailAddress`] is of ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The author of the mail, and the address for reports of failure.
    pub from: EmailAddress,
    /// The recipient.
    pub to: EmailAddress,
    /// Headers and body.
    pub source: String,
}

impl Message {
    /// Writes `mail` as a message from `from`: in one pass, into one buffer.
    ///
    /// # Errors
    ///
    /// [`MailError::Permanent`] without a code when it cannot be written as a mail that every relay takes.
    pub fn write(from: &Mailbox, mail: &Mail) -> Result<Self, MailError> {
        let parts = Part::all_of(mail);
        let room = parts.iter().map(Part::room).sum::<usize>() + HEADERS;
        let mut source = Vec::with_capacity(room);
        addressed(&mut source, from, mail);
        identified(&mut source, from, mail);
        threaded(&mut source, from, mail.headers.thread.as_deref())?;
        unsubscribable(&mut source, mail.headers.unsubscribe_url.as_deref())?;
        // RFC 3834 §5: no vacation notices in return.
        Header::new(&mut source, "Auto-Submitted").word("auto-generated").end();
        Header::new(&mut source, "MIME-Version").word("1.0").end();
        match parts.as_slice() {
            [part] => {
                part.write(&mut source);
                // The last line of a mail has an end, whatever the text has.
                if !source.ends_with(b"\r\n") {
                    source.extend_from_slice(b"\r\n");
                }
            }
            parts => body::alternatives(&mut source, mail.id, parts),
        }
        let source = checked(source)?;
        Ok(Self { from: from.address.clone(), to: mail.to.address.clone(), source })
    }

    /// Returns the source in the form that follows DATA: leading dots doubled, a lone dot at the end (RFC 5321 §4.5.2).
    /// It has room for the envelope of another mail. A source written by [`write`](Self::write) has no leading dots.
    pub(crate) fn dot_stuffed(&self) -> String {
        let mut stuffed = String::with_capacity(self.source.len() + 1024);
        let mut rest = self.source.as_str();
        if rest.starts_with('.') {
            stuffed.push('.');
        }
        while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\n.") {
            let (line, after) = rest.split_at(at + 1);
            stuffed.push_str(line);
            stuffed.push('.');
            rest = after;
        }
        stuffed.push_str(rest);
        stuffed.push_str(".\r\n");
        stuffed
    }
}

/// Returns `text` without line breaks and other control characters, which become single spaces.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Returns one line that readers do not decode: a title may look like an encoded word (RFC 2047 §2) that nobody
/// encoded.
fn unencoded(text: &str) -> String {
    let line = one_line(text);
    if line.contains("=?") { line.replace("=?", "= ?") } else { line }
}

/// Writes the author, the recipients that the mail shows, those who get a copy, and the reply address. The actual
/// recipient is in the envelope, so that nobody learns of the others (RFC 5322 §3.6.3, Bcc).
fn addressed(source: &mut Vec<u8>, from: &Mailbox, mail: &Mail) {
    let Headers { shown_to, cc, reply_to, .. } = &mail.headers;
    let to = if shown_to.is_empty() { slice::from_ref(&mail.to) } else { shown_to };
    let reply_to = reply_to.as_ref().map_or(&[][..], slice::from_ref);
    for (name, mailboxes) in [("From", slice::from_ref(from)), ("To", to), ("Cc", cc), ("Reply-To", reply_to)] {
        if mailboxes.is_empty() {
            continue;
        }
        let mut header = Header::new(source, name);
        for (n, mailbox) in mailboxes.iter().enumerate() {
            let name = mailbox.name.as_deref().map(unencoded).unwrap_or_default();
            let end = if n + 1 < mailboxes.len() { "," } else { "" };
            header = header.phrase(&name).address(mailbox.address.as_str(), end);
        }
        header.end();
    }
}

/// Writes the headers `Date`, `Message-ID` and `Subject`.
fn identified(source: &mut Vec<u8>, from: &Mailbox, mail: &Mail) {
    Header::new(source, "Date").text(&mail.date.to_chrono().to_rfc2822()).end();
    Header::new(source, "Message-ID").id(mail.id, from.address.domain()).end();
    Header::new(source, "Subject").text(&unencoded(&mail.content.subject)).end();
}

/// Writes the headers of a thread. All mail of a thread replies to the same message, which nobody sent: so it is
/// grouped whichever of it arrives, and in whatever order (RFC 5322 §3.6.4).
fn threaded(source: &mut Vec<u8>, from: &Mailbox, thread: Option<&str>) -> Result<(), MailError> {
    let Some(thread) = thread else { return Ok(()) };
    if thread.is_empty() || thread.len() > 200 || !thread.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(unsendable("its thread has a name that is not of letters, digits and -"));
    }
    for name in ["In-Reply-To", "References"] {
        Header::new(source, name).id(thread, from.address.domain()).end();
    }
    Ok(())
}

/// Writes the headers by which the reader can unsubscribe from mail of this kind: a page, and a single request to it
/// that unsubscribes without a question (RFC 8058 §3.1).
fn unsubscribable(source: &mut Vec<u8>, url: Option<&str>) -> Result<(), MailError> {
    let Some(url) = url else { return Ok(()) };
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b'"'));
    if !is_plain || !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(unsendable("the address at which to end it is none of the web"));
    }
    Header::new(source, "List-Unsubscribe").word("<").word(url).word(">").end();
    Header::new(source, "List-Unsubscribe-Post").word("List-Unsubscribe=One-Click").end();
    Ok(())
}

/// Checks the final bytes: whoever wrote them, nothing that could break the dialogue is sent.
pub(crate) fn checked(source: Vec<u8>) -> Result<String, MailError> {
    let source = String::from_utf8(source).map_err(|_| unsendable("it is not text"))?;
    if !source.ends_with("\r\n") {
        return Err(unsendable("its last line does not end"));
    }
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', source.as_bytes()) {
        let line = &source.as_bytes()[begin..end];
        begin = end + 1;
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(unsendable("a line ends in a bare CR or LF"));
        };
        if line.len() > LONGEST_LINE {
            return Err(unsendable("a line has more than 998 characters"));
        }
        // Every byte is looked at, so that the compiler can look at many at once.
        if !line.iter().fold(true, |fine, b| fine & matches!(b, b'\t' | b' '..=b'~')) {
            return Err(unsendable("it has characters that SMTP cannot carry"));
        }
    }
    Ok(source)
}

fn unsendable(why: &str) -> MailError {
    MailError::Permanent(Reply::none(format!("the mail cannot be written: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_ends_long_lines_and_foreign_bytes_never_leave() {
        for bad in ["a\nb\r\n", "a\rb\r\n", "a\r\n\nb\r\n", "a\r\n\r", "a", "", "a\n", "\u{e9}\r\n", "a\0\r\n"] {
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
