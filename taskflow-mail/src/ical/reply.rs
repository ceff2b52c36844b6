//! The replies in a calendar object (RFC 5546 §3.2.3, §3.2.7).

use chrono::{NaiveDate, NaiveDateTime};
use taskflow_core::ports::{CalendarReply, Counter, ProposedStart, ReplyAttendee, UnreadableReply};
use taskflow_core::{Comment, EmailAddress, MeetingResponse, Timestamp, Zone};
use windows_timezones::WindowsTimezone;

use super::line::{Property, properties, unescaped};
use super::unreadable;
use super::zone::Observances;

const BEGINS: &str = "BEGIN:VCALENDAR";

/// Maximum number of events that are examined in one object.
const MOST_EVENTS: usize = 50;

/// Maximum number of attendees that are read from one event.
const MOST_ATTENDEES: usize = 1000;

/// Maximum depth of nested components.
const DEEPEST: usize = 10;

/// The context of a calendar object: the facts about it that are outside of the object itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Envelope<'a> {
    /// The `method` parameter of its media type (RFC 6047 §2.4), which counts when the object has no METHOD.
    pub(super) method: Option<&'a str>,
    /// The only author of the mail it came in.
    pub(super) sender: Option<&'a EmailAddress>,
    /// The Date of that mail.
    pub(super) date: Option<Timestamp>,
}

/// Returns whether a text is a calendar object by itself.
pub(super) fn is_object(text: &str) -> bool {
    beginning(text).get(..BEGINS.len()).is_some_and(|start| start.eq_ignore_ascii_case(BEGINS))
}

fn beginning(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Returns the replies in an object. An event without a reply is skipped, unless all of them are.
pub(super) fn read(object: &str, envelope: &Envelope<'_>) -> Result<Vec<CalendarReply>, UnreadableReply> {
    let calendars = parse(object)?;
    if calendars.is_empty() {
        return Err(unreadable("it holds no VCALENDAR"));
    }
    let (mut replies, mut refused) = (Vec::new(), None);
    for calendar in &calendars {
        for event in &calendar.events {
            match reply(calendar, event, envelope) {
                Ok(reply) => replies.push(reply),
                Err(why) => {
                    refused.get_or_insert(why);
                }
            }
        }
    }
    match replies.is_empty() {
        false => Ok(replies),
        true => Err(refused.unwrap_or_else(|| unreadable("it holds no VEVENT"))),
    }
}

fn reply(calendar: &Object, event: &[Property], envelope: &Envelope<'_>) -> Result<CalendarReply, UnreadableReply> {
    let method = at_most_one(&calendar.properties, "METHOD")?.map(|method| method.value.as_str()).or(envelope.method);
    let method = method.ok_or_else(|| unreadable("it has no METHOD"))?.trim();
    let counters = method.eq_ignore_ascii_case("COUNTER");
    if !counters && !method.eq_ignore_ascii_case("REPLY") {
        return Err(unreadable("its METHOD is neither REPLY nor COUNTER"));
    }
    let uid = one(event, "UID")?;
    let meeting = uid.value.trim().parse().map_err(|_| unreadable("its UID is that of no meeting here"))?;
    if first(event, "RECURRENCE-ID").is_some() {
        return Err(unreadable("it answers to one of several occurrences, and the meetings here have one"));
    }
    let attendees = attendees(event, envelope.sender)?;
    let alone = attendees.len() == 1;
    let remarks = event.iter().filter(|property| property.name == "COMMENT").map(|property| property.value.as_str());
    // Exchange and Apple put it beside the attendee.
    let beside = || first(event, "ATTENDEE").filter(|_| alone)?.parameter("X-RESPONSE-COMMENT").and_then(comment);
    Ok(CalendarReply {
        meeting,
        // What cannot be read is taken for the oldest.
        sequence: first(event, "SEQUENCE").and_then(|sequence| sequence.value.trim().parse().ok()).unwrap_or(0),
        at: first(event, "DTSTAMP").and_then(|stamp| stamped(stamp, calendar)).or(envelope.date),
        attendees,
        sender: envelope.sender.cloned(),
        comment: remarks.filter_map(comment).next().or_else(beside),
        counter: counters
            .then(|| Counter { starts_at: first(event, "DTSTART").and_then(|start| proposed(start, calendar)) }),
    })
}

/// Returns all attendees whose response can be read, each once. Of several lines about one person, the one that
/// responds counts. An unreadable one is refused if it is the only one.
fn attendees(event: &[Property], sender: Option<&EmailAddress>) -> Result<Vec<ReplyAttendee>, UnreadableReply> {
    let named: Vec<_> = event.iter().filter(|property| property.name == "ATTENDEE").take(MOST_ATTENDEES).collect();
    // An only attendee without an address of mail (X.500, a number) is whoever sent the mail.
    let sender = sender.filter(|_| named.len() == 1);
    let (mut attendees, mut refused) = (Vec::new(), unreadable("it has no ATTENDEE"));
    for property in named {
        let email = address(&property.value)
            .or_else(|| address(property.parameter("EMAIL")?))
            .or_else(|| sender.cloned())
            .ok_or_else(|| unreadable("its ATTENDEE has no e-mail address"));
        let sent_by = property.parameter("SENT-BY").and_then(address);
        match email.and_then(|email| Ok(ReplyAttendee { email, sent_by, response: response(property)? })) {
            Ok(attendee) => add(&mut attendees, attendee),
            Err(why) => refused = why,
        }
    }
    if attendees.is_empty() { Err(refused) } else { Ok(attendees) }
}

fn add(attendees: &mut Vec<ReplyAttendee>, new: ReplyAttendee) {
    let key = new.email.key();
    match attendees.iter_mut().find(|known| known.email.key() == key) {
        Some(known) if known.response == MeetingResponse::Pending => *known = new,
        Some(_) => {}
        None => attendees.push(new),
    }
}

/// A calendar object: its own properties, those of its events, and its time zones.
#[derive(Default)]
struct Object {
    properties: Vec<Property>,
    events: Vec<Vec<Property>>,
    zones: Vec<Observances>,
}

/// Returns the calendar objects in a text (RFC 5545 §3.4). A component ends where it should or, at the latest, with the
/// one it is in. An event that was cut off does not count.
fn parse(text: &str) -> Result<Vec<Object>, UnreadableReply> {
    let (mut objects, mut object, mut event) = (Vec::new(), Object::default(), Vec::new());
    let mut open: Vec<String> = Vec::new();
    for property in properties(beginning(text)) {
        let path: Vec<&str> = open.iter().map(String::as_str).collect();
        match (property.name.as_str(), path.as_slice()) {
            ("BEGIN", _) => {
                let begins = property.value.trim().to_ascii_uppercase();
                match (path.as_slice(), begins.as_str()) {
                    (["VCALENDAR"], "VEVENT") => event = Vec::new(),
                    (["VCALENDAR"], "VTIMEZONE") => object.zones.push(Observances::default()),
                    (["VCALENDAR", "VTIMEZONE"], "STANDARD" | "DAYLIGHT") => {
                        if let Some(zone) = object.zones.last_mut() {
                            zone.begin();
                        }
                    }
                    _ => {}
                }
                open.push(begins);
                if open.len() > DEEPEST {
                    return Err(unreadable("its components lie too deep in each other"));
                }
            }
            ("END", _) => {
                let ends = property.value.trim().to_ascii_uppercase();
                let Some(at) = open.iter().rposition(|name| *name == ends) else { continue };
                let closes_event = open.get(1).is_some_and(|name| name == "VEVENT") && at <= 1;
                open.truncate(at);
                if closes_event && object.events.len() < MOST_EVENTS {
                    object.events.push(std::mem::take(&mut event));
                }
                if open.is_empty() {
                    objects.push(std::mem::take(&mut object));
                }
            }
            (_, ["VCALENDAR"]) => object.properties.push(property),
            (_, ["VCALENDAR", "VEVENT"]) => event.push(property),
            (_, ["VCALENDAR", "VTIMEZONE", ..]) => {
                if let Some(zone) = object.zones.last_mut() {
                    zone.add(property, path.len() > 2);
                }
            }
            _ => {}
        }
        if objects.len() >= MOST_EVENTS {
            break;
        }
    }
    // Only its end is missing.
    if !object.events.is_empty() {
        objects.push(object);
    }
    Ok(objects)
}

fn first<'a>(properties: &'a [Property], name: &str) -> Option<&'a Property> {
    properties.iter().find(|property| property.name == name)
}

fn at_most_one<'a>(properties: &'a [Property], name: &str) -> Result<Option<&'a Property>, UnreadableReply> {
    let mut found = properties.iter().filter(|property| property.name == name);
    let first = found.next();
    match found.all(|other| first.is_some_and(|first| first.value.trim() == other.value.trim())) {
        true => Ok(first),
        false => Err(unreadable(format!("it has more than one {name}"))),
    }
}

fn one<'a>(properties: &'a [Property], name: &str) -> Result<&'a Property, UnreadableReply> {
    at_most_one(properties, name)?.ok_or_else(|| unreadable(format!("it has no {name}")))
}

/// Returns the response of an attendee. One without a PARTSTAT has not responded yet (RFC 5545 §3.2.12).
fn response(attendee: &Property) -> Result<MeetingResponse, UnreadableReply> {
    match attendee.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION").trim().to_ascii_uppercase().as_str() {
        "NEEDS-ACTION" => Ok(MeetingResponse::Pending),
        "ACCEPTED" => Ok(MeetingResponse::Accepted),
        "DECLINED" => Ok(MeetingResponse::Declined),
        "TENTATIVE" => Ok(MeetingResponse::Tentative),
        "DELEGATED" => Err(unreadable("it delegates, and an invitation here is to one person")),
        _ => Err(unreadable("its PARTSTAT is no answer to a meeting")),
    }
}

/// Returns the address in a `mailto:` URI (RFC 6068), in any case and quoted or encoded as calendars do it, or by
/// itself.
fn address(value: &str) -> Option<EmailAddress> {
    const SCHEME: &str = "mailto:";
    let value = value.trim().trim_matches(['"', '\'']);
    // What stands before the scheme is left over from a parameter that should have been quoted.
    let uri = value.to_ascii_lowercase().rfind(SCHEME).map(|at| &value[at + SCHEME.len()..]);
    let Some(uri) = uri else { return value.parse().ok() };
    let decoded = percent_decoded(uri.split('?').next().unwrap_or_default());
    let bare = decoded.trim().trim_start_matches("//");
    // A local part may be quoted without need (RFC 5321 §4.1.2).
    bare.parse().ok().or_else(|| bare.replace('"', "").parse().ok())
}

/// Decodes percent signs. One that begins no escape stands for itself, because not every calendar encodes.
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

/// Returns the instant of a DTSTAMP, which is in UTC (RFC 5545 §3.8.7.2). A local time without a zone says nothing.
fn stamped(stamp: &Property, calendar: &Object) -> Option<Timestamp> {
    match proposed(stamp, calendar)? {
        ProposedStart::At(at) => Some(at),
        ProposedStart::Local(_) => None,
    }
}

/// Reads `20260329T063000Z`, or a local time in the zone that its TZID names (RFC 5545 §3.3.5). In a zone that nobody
/// knows it is no time.
fn proposed(property: &Property, calendar: &Object) -> Option<ProposedStart> {
    let value = property.value.trim();
    let (text, utc) = value.strip_suffix(['Z', 'z']).map_or((value, false), |text| (text, true));
    let local = local_time(text)?;
    if utc {
        return Some(ProposedStart::At(Zone::utc().instant(local)));
    }
    match property.parameter("TZID").map(str::trim).filter(|zone| !zone.is_empty()) {
        Some(zone) => instant(local, zone, calendar).map(ProposedStart::At),
        None => Some(ProposedStart::Local(local)),
    }
}

fn instant(local: NaiveDateTime, tzid: &str, calendar: &Object) -> Option<Timestamp> {
    let defined = calendar.zones.iter().find(|zone| zone.is(tzid));
    // As in /mozilla.org/20050126_1/Europe/Berlin.
    let parts: Vec<&str> = tzid.trim_matches('/').split('/').collect();
    let mut names = (0..parts.len()).map(|at| parts[at..].join("/"));
    let known: Option<Zone> = names.find_map(|name| name.parse().ok());
    let known = known.or_else(|| defined?.location()?.parse().ok());
    match (known, defined) {
        (Some(zone), _) => Some(zone.instant(local)),
        (None, Some(defined)) => defined.instant(local),
        // As Windows names them, where the definition has been left out.
        (None, None) => {
            let zone: WindowsTimezone = tzid.parse().ok()?;
            Some(zone.tzdb_id().parse::<Zone>().ok()?.instant(local))
        }
    }
}

pub(super) fn local_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(['T', 't'])?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    if date.len() != 8 || time.len() != 6 || !text.is_ascii() {
        return None;
    }
    let year = i32::try_from(number(&date[..4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&date[4..6])?, number(&date[6..])?)?
        .and_hms_opt(number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?)
        .filter(|_| year > 0)
}

/// Returns the text of a COMMENT, cut to the maximum length of a [`Comment`]; `None` if nothing is left.
fn comment(text: &str) -> Option<String> {
    let text: String = unescaped(text).chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let cut: String = text.trim().chars().take(Comment::MAX_LENGTH).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}
