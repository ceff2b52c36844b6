//! The answer in a mail (RFC 6047).
//!
//! The parser is given headers and single parts only, never a mail as a whole: it takes a piece of the stack for each
//! mail inside a mail when it lets go of them, and thousands, which fit into a few kilobytes of base64, overflow it.

use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders, PartType};
use taskflow_core::EmailAddress;
use taskflow_core::ports::{CalendarReply, UnreadableReply};

use super::{reply, unreadable};

/// How deep multiparts are followed; answers have two of them at most.
const DEEPEST: usize = 10;

/// The answer in a mail, with who sent it.
pub(super) fn read(message: &[u8]) -> Result<CalendarReply, UnreadableReply> {
    let head = MessageParser::default().parse_headers(message);
    let head = head.ok_or_else(|| unreadable("it is no mail and no calendar"))?;
    let mut objects = Vec::new();
    collect(message, DEEPEST, &mut objects);
    let mut read = Err(unreadable("it has no calendar in it"));
    for object in objects {
        // Some send the same answer twice, to be read here and to be saved as a file.
        read = reply::read(&object);
        if read.is_ok() {
            break;
        }
    }
    let reply = read?;
    Ok(CalendarReply { sender: Some(sender(&head)?), ..reply })
}

/// The calendar objects of a mail or of one of its parts; not of mails that were attached to it.
fn collect(part: &[u8], deeper: usize, objects: &mut Vec<String>) {
    let Some(head) = MessageParser::default().parse_headers(part) else { return };
    let Some(kind) = head.content_type() else { return };
    let subtype = kind.subtype().unwrap_or_default();
    let is = |c: &str, s: &str| kind.ctype().eq_ignore_ascii_case(c) && subtype.eq_ignore_ascii_case(s);
    if is("text", "calendar") || is("application", "ics") {
        objects.extend(decoded(part));
    } else if kind.ctype().eq_ignore_ascii_case("multipart")
        && let (Some(deeper), Some(boundary)) = (deeper.checked_sub(1), kind.attribute("boundary"))
    {
        for part in parts(part, boundary) {
            collect(part, deeper, objects);
        }
    }
}

/// The parts of a multipart: what stands between the lines that begin with its boundary (RFC 2046 §5.1.1).
fn parts<'a>(multipart: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    for line in multipart.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary.as_bytes())) {
            let (ends, rest) = rest.strip_prefix(b"--").map_or((false, rest), |rest| (true, rest));
            if rest.trim_ascii().is_empty() {
                parts.extend(begun.map(|begun| &multipart[begun..at]));
                begun = Some(at + line.len());
                if ends {
                    return parts;
                }
            }
        }
        at += line.len();
    }
    // Cut off on the way: the last part is what there is of it.
    parts.extend(begun.map(|begun| &multipart[begun..]));
    parts
}

/// A part without its transfer encoding, as text.
fn decoded(part: &[u8]) -> Option<String> {
    match MessageParser::default().parse(part)?.parts.into_iter().next()?.body {
        PartType::Text(text) | PartType::Html(text) => Some(text.into_owned()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

/// Its only author. A mail of which that cannot be said is refused: its answer would count for whomever it names.
fn sender(head: &Message<'_>) -> Result<EmailAddress, UnreadableReply> {
    let refused = || unreadable("it has no From with exactly one address");
    let mut from = head.headers().iter().filter(|header| header.name == HeaderName::From);
    let (Some(header), None) = (from.next(), from.next()) else { return Err(refused()) };
    match header.value.as_address() {
        Some(Address::List(list)) if list.len() == 1 => {
            list[0].address().and_then(|address| address.parse().ok()).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}
