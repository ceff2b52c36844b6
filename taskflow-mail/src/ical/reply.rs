//! The answer in a calendar object (RFC 5546 §3.2.3).

use taskflow_core::ports::{CalendarReply, UnreadableReply};
use taskflow_core::{Comment, EmailAddress, MeetingResponse, Timestamp};

use super::line::{Property, properties, unescaped};
use super::unreadable;

const BEGINS: &[u8] = b"BEGIN:VCALENDAR";

/// Whether a message is a calendar object by itself.
pub(super) fn is_object(message: &[u8]) -> bool {
    let message = message.strip_prefix("\u{feff}".as_bytes()).unwrap_or(message).trim_ascii_start();
    message.get(..BEGINS.len()).is_some_and(|start| start.eq_ignore_ascii_case(BEGINS))
}

/// The answer in an object; nobody is known to have sent it.
pub(super) fn read(object: &str) -> Result<CalendarReply, UnreadableReply> {
    let Object { calendar, event } = parse(object)?;
    if !one(&calendar, "METHOD")?.value.trim().eq_ignore_ascii_case("REPLY") {
        return Err(unreadable("its METHOD is not REPLY"));
    }
    let uid = one(&event, "UID")?;
    let attendee = one(&event, "ATTENDEE")?;
    let sequence = match at_most_one(&event, "SEQUENCE")? {
        Some(sequence) => sequence.value.trim().parse().map_err(|_| unreadable("its SEQUENCE is no whole number"))?,
        None => 0,
    };
    if at_most_one(&event, "RECURRENCE-ID")?.is_some() {
        return Err(unreadable("it answers to one of several occurrences, and the meetings here have one"));
    }
    Ok(CalendarReply {
        meeting: uid.value.trim().parse().map_err(|_| unreadable("its UID is that of no meeting here"))?,
        sequence,
        at: utc(one(&event, "DTSTAMP")?.value.trim()).ok_or_else(|| unreadable("its DTSTAMP is no time in UTC"))?,
        attendee: address(attendee).ok_or_else(|| unreadable("its ATTENDEE has no e-mail address"))?,
        sender: None,
        response: response(attendee)?,
        comment: event.iter().filter(|property| property.name == "COMMENT").find_map(comment),
    })
}

/// The properties that belong to the object itself and to its only event.
struct Object {
    calendar: Vec<Property>,
    event: Vec<Property>,
}

fn parse(object: &str) -> Result<Object, UnreadableReply> {
    let (mut calendar, mut event) = (Vec::new(), Vec::new());
    let (mut calendars, mut events) = (0_usize, 0_usize);
    let mut open: Vec<String> = Vec::new();
    for property in properties(object.trim_start_matches('\u{feff}')) {
        match property.name.as_str() {
            "BEGIN" => {
                open.push(property.value.trim().to_ascii_uppercase());
                calendars += usize::from(is(&open, &["VCALENDAR"]));
                events += usize::from(is(&open, &["VCALENDAR", "VEVENT"]));
            }
            "END" => {
                let ends = property.value.trim().to_ascii_uppercase();
                open.pop_if(|last| *last == ends).ok_or_else(not_nested)?;
            }
            _ if is(&open, &["VCALENDAR"]) => calendar.push(property),
            _ if is(&open, &["VCALENDAR", "VEVENT"]) => event.push(property),
            _ => {}
        }
    }
    match (open.is_empty(), calendars, events) {
        (false, ..) => Err(not_nested()),
        (true, 1, 1) => Ok(Object { calendar, event }),
        (true, 1, _) => Err(unreadable("it must hold exactly one VEVENT")),
        (true, ..) => Err(unreadable("it must hold exactly one VCALENDAR")),
    }
}

fn not_nested() -> UnreadableReply {
    unreadable("its components do not end where they should")
}

fn is(open: &[String], path: &[&str]) -> bool {
    open.iter().map(String::as_str).eq(path.iter().copied())
}

fn at_most_one<'a>(properties: &'a [Property], name: &str) -> Result<Option<&'a Property>, UnreadableReply> {
    let mut found = properties.iter().filter(|property| property.name == name);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(unreadable(format!("it has more than one {name}"))),
    }
}

fn one<'a>(properties: &'a [Property], name: &str) -> Result<&'a Property, UnreadableReply> {
    at_most_one(properties, name)?.ok_or_else(|| unreadable(format!("it has no {name}")))
}

/// A participant who says nothing has not answered yet (RFC 5545 §3.2.12).
fn response(attendee: &Property) -> Result<MeetingResponse, UnreadableReply> {
    match attendee.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase().as_str() {
        "NEEDS-ACTION" => Ok(MeetingResponse::Pending),
        "ACCEPTED" => Ok(MeetingResponse::Accepted),
        "DECLINED" => Ok(MeetingResponse::Declined),
        "TENTATIVE" => Ok(MeetingResponse::Tentative),
        "DELEGATED" => Err(unreadable("it delegates, and an invitation here is to one person")),
        _ => Err(unreadable("its PARTSTAT is no answer to a meeting")),
    }
}

/// The address in a `mailto:` URI, else that beside a URI of another kind (RFC 7986 §6.2).
fn address(attendee: &Property) -> Option<EmailAddress> {
    const SCHEME: &str = "mailto:";
    let uri = attendee.value.trim();
    let scheme = uri.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
    let address = match scheme {
        Some(scheme) => percent_decoded(uri[scheme.len()..].split('?').next().unwrap_or_default()),
        None => attendee.parameter("EMAIL")?.to_owned(),
    };
    address.trim().parse().ok()
}

/// A percent sign that begins no escape stands for itself: not every calendar encodes.
fn percent_decoded(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let decoded = escape.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((byte, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads `20260329T063000Z`; a DTSTAMP is always in UTC (RFC 5545 §3.8.7.2).
fn utc(value: &str) -> Option<Timestamp> {
    let (date, time) = value.strip_suffix(['Z', 'z'])?.split_once(['T', 't'])?;
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(date, 8) || !digits(time, 6) {
        return None;
    }
    let (date, time) =
        ([&date[..4], &date[4..6], &date[6..]].join("-"), [&time[..2], &time[2..4], &time[4..]].join(":"));
    format!("{date}T{time}Z").parse().ok()
}

/// What a [`Comment`] may hold of it; `None` when that is nothing.
fn comment(property: &Property) -> Option<String> {
    let text: String =
        unescaped(&property.value).chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let cut: String = text.trim().chars().take(Comment::MAX_LENGTH).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}
