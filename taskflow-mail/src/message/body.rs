//! The body of a mail: its forms and their transfer encodings.
//!
//! A form is sent as it is (7bit) if it is ASCII in lines that nothing on the way changes. Otherwise it is sent as
//! quoted-printable, or as base64 if that is shorter (RFC 2045 §6). 8BITMIME (RFC 6152) is not used, even if a relay
//! offers it, for three reasons. A mail has the same bytes for every relay, so that a retry repeats exactly what was
//! sent before, even if the other node, or the relay behind the same name, offers less. No later relay has to choose
//! between rewriting it, which breaks its signature (RFC 6376 §5.3), and sending it back. And it is written before its
//! connection is known. The cost is a few octets for each letter with an accent.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use taskflow_core::{CalendarMethod, DeliveryId, Mail};

use super::LONGEST_LINE;
use super::header::Header;

/// Longest line of quoted-printable and of base64 (RFC 2045 §6.7, §6.8).
const LINE: usize = 76;

/// Number of octets that fill a line of base64.
const OCTETS: usize = LINE / 4 * 3;

/// One form of the content of a mail.
pub(super) struct Part<'a> {
    kind: Kind,
    text: Cow<'a, str>,
    encoding: Encoding,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Html,
    Calendar(CalendarMethod),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    SevenBit,
    QuotedPrintable,
    Base64,
}

impl<'a> Part<'a> {
    /// Returns the forms of `mail`, the richest one last (RFC 2046 §5.1.4): programs that know calendars prefer those,
    /// others skip them.
    ///
    /// The calendar object is one more form of the same mail, and nowhere else, as Exchange documents it ([MS-OXCMAIL]
    /// §2.1.3.3.8). A second copy as a file would be a second invitation to programs that read both.
    pub(super) fn all_of(mail: &'a Mail) -> Vec<Self> {
        let mut parts = Vec::with_capacity(3);
        parts.push(Self::new(Kind::Plain, &mail.content.text));
        parts.extend(mail.content.html.as_ref().map(|html| Self::new(Kind::Html, html)));
        parts.extend(mail.calendar.as_ref().map(|object| Self::new(Kind::Calendar(object.method), &object.text)));
        parts
    }

    fn new(kind: Kind, text: &'a str) -> Self {
        let mut found = Found::in_text(text);
        let mut text = Cow::Borrowed(text);
        if found.strange {
            text = Cow::Owned(without_controls(&text));
            found = Found::in_text(&text);
        }
        Self { kind, encoding: found.encoding(text.len()), text }
    }

    /// Returns enough octets for the part in its encoding, mostly a little more than it needs.
    pub(super) fn room(&self) -> usize {
        match self.encoding {
            Encoding::SevenBit => self.text.len() + self.text.len() / 16 + 256,
            Encoding::QuotedPrintable => self.text.len() + self.text.len() / 3 + 256,
            Encoding::Base64 => self.text.len() * 3 / 2 + 256,
        }
    }

    /// Writes its headers and itself.
    pub(super) fn write(&self, source: &mut Vec<u8>) {
        let kind = Header::new(source, "Content-Type");
        match self.kind {
            Kind::Plain => kind.word("text/plain; charset=utf-8").end(),
            Kind::Html => kind.word("text/html; charset=utf-8").end(),
            // It names the method, or it would be a file and no invitation (RFC 6047 §2.4).
            Kind::Calendar(method) => kind.word("text/calendar; charset=utf-8; method=").word(method.as_str()).end(),
        }
        Header::new(source, "Content-Transfer-Encoding").word(self.encoding.name()).end();
        source.extend_from_slice(b"\r\n");
        match self.encoding {
            Encoding::SevenBit => as_it_is(source, &self.text),
            Encoding::QuotedPrintable => lines(&self.text).for_each(|(line, end)| {
                quoted_printable(source, line);
                source.extend_from_slice(end);
            }),
            Encoding::Base64 => base64(source, &self.text),
        }
    }
}

impl Encoding {
    /// Returns the name of the encoding in a header (RFC 2045 §6.1).
    fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// Writes the forms of one mail, between lines that no form can contain. Forms that are sent as they are have no line
/// that begins with `--`, and the others have no `=_` (RFC 2045 §6.7, §6.8).
pub(super) fn alternatives(source: &mut Vec<u8>, id: DeliveryId, parts: &[Part<'_>]) {
    let boundary = format!("=_{id}");
    let kind = Header::new(source, "Content-Type");
    kind.word("multipart/alternative; boundary=\"").word(&boundary).word("\"").end();
    for part in parts {
        for piece in ["\r\n--", &boundary, "\r\n"] {
            source.extend_from_slice(piece.as_bytes());
        }
        part.write(source);
    }
    for piece in ["\r\n--", &boundary, "--\r\n"] {
        source.extend_from_slice(piece.as_bytes());
    }
}

/// The properties of a text that decide its transfer encoding.
#[derive(Default)]
struct Found {
    /// Control characters, or line ends that are neither LF nor CRLF.
    strange: bool,
    /// Octets that are not ASCII.
    high: usize,
    /// A line that is too long, or that something on the way may change: mail is kept in files where `From ` begins the
    /// next one, relays take blanks from the end of lines, and some lose a dot at their begin. Or `--`, as boundaries begin.
    touched: bool,
}

impl Found {
    fn in_text(text: &str) -> Self {
        let mut found = Self::default();
        for (line, _) in lines(text) {
            // Every byte is looked at, so that the compiler can look at many at once.
            let odd = line.iter().fold(false, |odd, b| odd | ((*b < b' ' && *b != b'\t') | (*b == 0x7f)));
            found.strange |= odd;
            found.touched |= line.len() > LONGEST_LINE
                || matches!(line, [.., b' ' | b'\t'] | [b'.', ..] | [b'-', b'-', ..])
                || line.starts_with(b"From ");
            found.high += if line.is_ascii() { 0 } else { line.iter().map(|b| usize::from(*b >> 7)).sum() };
        }
        // The control characters of Latin-1, in UTF-8.
        if found.high > 0 {
            let pairs = text.as_bytes().iter().zip(text.as_bytes().get(1..).unwrap_or_default());
            found.strange |= pairs.fold(false, |odd, (a, b)| odd | ((*a == 0xc2) & (*b < 0xa0)));
        }
        found
    }

    fn encoding(&self, length: usize) -> Encoding {
        match self.high {
            0 if !self.touched => Encoding::SevenBit,
            // Two octets more for each, against a third more for all.
            high if high * 6 > length => Encoding::Base64,
            _ => Encoding::QuotedPrintable,
        }
    }
}

/// Returns the lines of a text, whose ends are LF or CRLF, each with the end that it has in a mail. The last one may
/// have none.
fn lines(text: &str) -> impl Iterator<Item = (&[u8], &'static [u8])> {
    let bytes = text.as_bytes();
    let last = (!bytes.is_empty() && !bytes.ends_with(b"\n")).then_some(bytes.len());
    memchr::memchr_iter(b'\n', bytes).chain(last).scan(0, |begin, end| {
        let (line, ending) = (&bytes[*begin..end], if end < bytes.len() { b"\r\n".as_slice() } else { b"" });
        *begin = end + 1;
        Some((line.strip_suffix(b"\r").unwrap_or(line), ending))
    })
}

/// Returns `text` with LF at the end of every line, and without control characters other than tabs.
fn without_controls(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn as_it_is(source: &mut Vec<u8>, text: &str) {
    for (line, end) in lines(text) {
        source.extend_from_slice(line);
        source.extend_from_slice(end);
    }
}

/// Whether each octet stands for itself in quoted-printable, at any position.
const LITERAL: [bool; 256] = {
    let mut literal = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        literal[byte as usize] = byte != b'=';
        byte += 1;
    }
    literal[b'\t' as usize] = true;
    literal
};

const DIGITS: [u8; 16] = *b"0123456789ABCDEF";

/// Writes a line without its end as quoted-printable (RFC 2045 §6.7). Blanks at its end, dots at its begin and `From `
/// are encoded, too (RFC 2049 §3): nothing on the way touches those then.
fn quoted_printable(source: &mut Vec<u8>, line: &[u8]) {
    let mut rest = line;
    // How much of the line that is being written is left, less the `=` at its end.
    let mut room = LINE - 1;
    while let Some(&first) = rest.first() {
        let begins = room == LINE - 1 && (first == b'.' || rest.starts_with(b"From "));
        let ends = rest.len() == 1 && matches!(first, b' ' | b'\t');
        if begins || ends || !LITERAL[usize::from(first)] {
            if room < 3 {
                source.extend_from_slice(b"=\r\n");
                room = LINE - 1;
                continue;
            }
            source.extend_from_slice(&[b'=', DIGITS[usize::from(first >> 4)], DIGITS[usize::from(first & 15)]]);
            (rest, room) = (&rest[1..], room - 3);
            continue;
        }
        if room == 0 {
            source.extend_from_slice(b"=\r\n");
            room = LINE - 1;
            continue;
        }
        // The last octet is looked at by itself.
        let most = room.min(rest.len() - 1).max(1);
        let run = rest[..most].iter().position(|b| !LITERAL[usize::from(*b)]).unwrap_or(most);
        let (literal, after) = rest.split_at(run);
        source.extend_from_slice(literal);
        (rest, room) = (after, room - run);
    }
}

/// Writes a text as base64 (RFC 2045 §6.8); its lines end in CRLF inside, as they do in the other encodings.
fn base64(source: &mut Vec<u8>, text: &str) {
    let mut plain = Vec::with_capacity(text.len() + text.len() / 16 + 2);
    as_it_is(&mut plain, text);
    for octets in plain.chunks(OCTETS) {
        let begin = source.len();
        source.resize(begin + octets.len().div_ceil(3) * 4, b'=');
        STANDARD.encode_slice(octets, &mut source[begin..]).expect("four octets for three, begun ones included");
        source.extend_from_slice(b"\r\n");
    }
}
