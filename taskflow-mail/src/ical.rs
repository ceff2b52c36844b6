//! Calendar objects: invitations for calendars, and the replies of calendars.

mod line;
mod mail;
mod reply;
mod write;
mod zone;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{MessageParser, MimeHeaders};
use taskflow_core::CalendarPart;
use taskflow_core::ports::{Calendar, CalendarEntry, CalendarReply, UnreadableReply};

use self::reply::Envelope;

/// Maximum size of a message that is examined, in octets. Replies have a few thousand; those that contain the whole
/// conversation still fit.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Calendar objects as in RFC 5545, exchanged as in RFC 5546 and 6047.
///
/// # Written objects
///
/// An object has one VEVENT with the meeting's id as its UID. Its DTSTAMP follows from the version and `updated_at`, so
/// that the same meeting gives the same text and a later version sorts behind it. Times are in UTC: every calendar
/// shows them in its owner's zone, and none needs a VTIMEZONE whose rules may be out of date. `PUBLISH` names no
/// attendees (RFC 5546 §3.2.1), and a `CANCEL` of a meeting that takes place without its reader has no STATUS (§3.2.5).
///
/// Only `PUBLISH` contains an alarm, at the meeting's default, because its reader wants a complete copy of the meeting.
/// Participants get their reminders from TaskFlow, at the minutes each of them chose and not after they declined. An
/// alarm in the invitation would remind them twice, and each update would set it again.
///
/// # Supported replies
///
/// Replies (`METHOD:REPLY`) and proposals of another time (`METHOD:COUNTER`) are read, by themselves or anywhere in a
/// mail of up to 1 MiB: in any transfer encoding and charset, as `text/calendar`, `application/ics` or a file named
/// `*.ics`. A reply that was forwarded inside another mail does not come from the sender and is ignored.
///
/// Calendars are careless, so harmless deviations are accepted: several attendees and events, bare or quoted addresses,
/// a DTSTAMP that is missing or in no zone, components without an end. The author of a reply is never guessed: a mail
/// must have exactly one author.
///
/// # Errors
///
/// [`UnreadableReply`] names what is missing or wrong; it never quotes the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct ICalendar;

impl Calendar for ICalendar {
    fn write(&self, entry: &CalendarEntry<'_>) -> CalendarPart {
        CalendarPart { method: entry.method, text: write::object(entry) }
    }

    fn read_reply(&self, message: &[u8], content_type: Option<&str>) -> Result<Vec<CalendarReply>, UnreadableReply> {
        if message.len() > LONGEST_MESSAGE {
            return Err(unreadable("it is longer than 1 MiB"));
        }
        let head = content_type.map(|kind| kind.chars().filter(|c| !c.is_control()).collect::<String>());
        let head = head.map(|kind| format!("Content-Type: {kind}\r\n\r\n"));
        let head = head.as_ref().and_then(|head| MessageParser::default().parse_headers(head.as_bytes()));
        let attribute = |name| head.as_ref()?.content_type()?.attribute(name);
        let text = text(message, attribute("charset"));
        if reply::is_object(&text) {
            return reply::read(&text, &Envelope { method: attribute("method"), ..Envelope::default() });
        }
        mail::read(message)
    }
}

/// Returns a calendar object as text: unfolded, then decoded. Octets that are not UTF-8, without a declared charset,
/// are decoded in the usual charset of old mail.
fn text(octets: &[u8], charset: Option<&str>) -> String {
    const DEFAULT: &str = "windows-1252";
    let charset = charset.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let marked = match octets {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("utf-16".to_owned()),
        [0xef, 0xbb, 0xbf, ..] => Some("utf-8".to_owned()),
        _ => charset,
    };
    let decoded = |octets: &[u8], charset: &str| {
        let decode = charset_decoder(charset.as_bytes());
        decode.map_or_else(|| String::from_utf8_lossy(octets).into_owned(), |decode| decode(octets))
    };
    match marked.as_deref() {
        // Its line breaks have two octets themselves.
        Some(wide) if wide.starts_with("utf-16") || wide.starts_with("utf-32") => decoded(octets, wide),
        Some("utf-8" | "utf8") => String::from_utf8_lossy(&line::unfolded(octets)).into_owned(),
        None | Some("us-ascii" | "ascii") => match String::from_utf8(line::unfolded(octets)) {
            Ok(text) => text,
            Err(error) => decoded(error.as_bytes(), DEFAULT),
        },
        Some(other) => decoded(&line::unfolded(octets), other),
    }
}

fn unreadable(why: impl Into<String>) -> UnreadableReply {
    UnreadableReply(why.into())
}
