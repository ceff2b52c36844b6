//! The answer in a mail (RFC 6047).

use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders};
use taskflow_core::EmailAddress;
use taskflow_core::ports::{CalendarReply, UnreadableReply};

use super::{reply, unreadable};
use crate::foreign::{decoded, parts};

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
