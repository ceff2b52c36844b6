//! The calendar replies in a mail (RFC 6047).

use mail_parser::{Address, HeaderName, Message, MessageParser, MimeHeaders};
use taskflow_core::ports::{CalendarReply, UnreadableReply};
use taskflow_core::{EmailAddress, Timestamp};

use super::reply::{self, Envelope};
use super::{text, unreadable};
use crate::foreign::{octets, parts};

/// Maximum depth of nested multiparts; calendar replies have at most two.
const DEEPEST: usize = 10;

/// Maximum number of calendar objects that are examined in one mail.
const MOST_OBJECTS: usize = 20;

/// A calendar object in a mail.
struct Found {
    text: String,
    method: Option<String>,
}

/// Returns the replies in a mail, with its sender and date.
pub(super) fn read(message: &[u8]) -> Result<Vec<CalendarReply>, UnreadableReply> {
    let head = MessageParser::default().parse_headers(message);
    let head = head.ok_or_else(|| unreadable("it is no mail and no calendar"))?;
    let mut objects = Vec::new();
    collect(message, DEEPEST, &mut objects);
    if objects.is_empty() {
        return Err(unreadable("it has no calendar in it"));
    }
    let sender = sender(&head)?;
    let date = head.date().filter(|date| date.is_valid()).and_then(|date| date.to_rfc3339().parse::<Timestamp>().ok());
    let mut read = Err(unreadable("it has no calendar in it"));
    for Found { text, method } in objects {
        // Some send the same answer twice, to be read here and to be saved as a file.
        read = reply::read(&text, &Envelope { method: method.as_deref(), sender: Some(&sender), date });
        if read.is_ok() {
            break;
        }
    }
    read
}

/// Collects the calendar objects of a mail or of one of its parts, but not of mails that were attached to it.
fn collect(part: &[u8], deeper: usize, objects: &mut Vec<Found>) {
    let Some(head) = MessageParser::default().parse_headers(part) else { return };
    let kind = head.content_type();
    let is = |c: &str, s: &str| {
        kind.is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case(c) && kind.subtype().unwrap_or_default().eq_ignore_ascii_case(s)
        })
    };
    if kind.is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("multipart")) {
        let boundary = kind.and_then(|kind| kind.attribute("boundary"));
        let Some((deeper, boundary)) = deeper.checked_sub(1).zip(boundary) else { return };
        for part in parts(part, boundary) {
            collect(part, deeper, objects);
        }
        return;
    }
    let forwarded = kind.is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("message"));
    let calendar = is("text", "calendar") || is("application", "ics") || is("text", "x-vcalendar");
    if objects.len() >= MOST_OBJECTS || forwarded || !(calendar || is_calendar_file(&head)) {
        return;
    }
    if let Some(octets) = octets(part) {
        let attribute = |name| kind.and_then(|kind| kind.attribute(name));
        let method = attribute("method").map(str::to_owned);
        objects.push(Found { text: text(&octets, attribute("charset")), method });
    }
}

/// Returns whether the part is a file whose name ends in `.ics`, whatever its other headers say.
fn is_calendar_file(head: &Message<'_>) -> bool {
    let names = [
        head.content_disposition().and_then(|kind| kind.attribute("filename")),
        head.content_type().and_then(|kind| kind.attribute("name")),
    ];
    let ends = |name: &str| name.trim().to_ascii_lowercase().ends_with(".ics");
    names.into_iter().flatten().any(ends)
}

/// Returns the only author of a mail. A mail without a definite author is refused: its reply would count for whomever
/// it names. A name with a comma that should have been quoted is no author.
fn sender(head: &Message<'_>) -> Result<EmailAddress, UnreadableReply> {
    let refused = || unreadable("it has no From with exactly one address");
    let mut from = head.headers().iter().filter(|header| header.name == HeaderName::From);
    let (Some(header), None) = (from.next(), from.next()) else { return Err(refused()) };
    let Some(Address::List(list)) = header.value.as_address() else { return Err(refused()) };
    let mut addresses = list.iter().filter_map(|one| one.address()).filter(|address| address.contains('@'));
    match (addresses.next(), addresses.next()) {
        (Some(only), None) => only.parse().map_err(|_| refused()),
        _ => Err(refused()),
    }
}
