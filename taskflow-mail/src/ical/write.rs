//! A meeting as a calendar object.

use std::time::Duration;

use taskflow_core::ports::CalendarEntry;
use taskflow_core::{CalendarMethod, EmailAddress, Meeting, MeetingResponse, MeetingRole, Participant, Timestamp};

use super::line::Line;

/// Names the software that wrote an object (RFC 5545 §3.7.3); calendars show it nowhere.
const PRODUCT: &str = "-//TaskFlow//TaskFlow//EN";

/// Returns the whole object.
pub(super) fn object(CalendarEntry { method, meeting, attendees }: &CalendarEntry<'_>) -> String {
    let mut object = String::with_capacity(1024);
    put(&mut object, "BEGIN", "VCALENDAR");
    put(&mut object, "VERSION", "2.0");
    put(&mut object, "PRODID", PRODUCT);
    put(&mut object, "CALSCALE", "GREGORIAN");
    put(&mut object, "METHOD", method.as_str());
    put(&mut object, "BEGIN", "VEVENT");
    facts(meeting, &mut object);
    if let Some(status) = status(*method, meeting) {
        put(&mut object, "STATUS", status);
    }
    let organizer = meeting.organizer.name.as_deref();
    named("ORGANIZER", organizer, &meeting.organizer.address).value(&mailto(&meeting.organizer.address), &mut object);
    if *method != CalendarMethod::Publish {
        for participant in *attendees {
            attendee(*method, participant, &mut object);
        }
    }
    if *method == CalendarMethod::Publish {
        alarm(meeting, &mut object);
    }
    put(&mut object, "END", "VEVENT");
    put(&mut object, "END", "VCALENDAR");
    object
}

/// Objects of one SEQUENCE are ordered by their DTSTAMP, which counts whole seconds (RFC 5546 §2.1.5): each version of a
/// meeting adds one, so that a later one has a later DTSTAMP also within the same second, and always the same.
fn stamp(meeting: &Meeting) -> Timestamp {
    meeting.updated_at + Duration::from_secs(meeting.version.saturating_sub(1))
}

fn facts(meeting: &Meeting, object: &mut String) {
    put(object, "UID", &meeting.id.to_string());
    put(object, "DTSTAMP", &utc(stamp(meeting)));
    put(object, "SEQUENCE", &meeting.sequence.to_string());
    put(object, "DTSTART", &utc(meeting.starts_at));
    put(object, "DTEND", &utc(meeting.ends_at()));
    put(object, "CREATED", &utc(meeting.created_at));
    put(object, "LAST-MODIFIED", &utc(meeting.updated_at));
    put(object, "TRANSP", "OPAQUE");
    Line::new("SUMMARY").text(meeting.title.as_str(), object);
    if let Some(description) = description(meeting) {
        Line::new("DESCRIPTION").text(&description, object);
    }
    let url = meeting.meeting_url.as_ref().map(ToString::to_string);
    // Calendars that show no URL show where to meet.
    let place = meeting.location.as_ref().map(ToString::to_string).or_else(|| url.clone());
    if let Some(place) = place {
        Line::new("LOCATION").text(&place, object);
    }
    if let Some(url) = url {
        put(object, "URL", &url);
    }
}

/// Returns the organizer's description and the URL of the online meeting, because few calendars show a URL by itself.
fn description(meeting: &Meeting) -> Option<String> {
    let written = meeting.description.as_ref().map(ToString::to_string).filter(|text| !text.trim().is_empty());
    let join = meeting.meeting_url.as_ref().map(|url| format!("Join: {url}"));
    match (written, join) {
        (Some(written), Some(join)) => Some(format!("{written}\n\n{join}")),
        (written, join) => written.or(join),
    }
}

/// Returns the STATUS. `CANCELLED` stands for the whole meeting: participants who are removed from a meeting that takes
/// place are notified by the method alone (RFC 5546 §3.2.5).
fn status(method: CalendarMethod, meeting: &Meeting) -> Option<&'static str> {
    match (meeting.cancelled_at, method) {
        (Some(_), _) => Some("CANCELLED"),
        (None, CalendarMethod::Cancel) => None,
        (None, CalendarMethod::Publish | CalendarMethod::Request) => Some("CONFIRMED"),
    }
}

fn attendee(method: CalendarMethod, participant: &Participant, object: &mut String) {
    let name = participant.name.as_ref().map(taskflow_core::PersonName::as_str);
    let role = match participant.role {
        MeetingRole::Organizer => "CHAIR",
        MeetingRole::Attendee => "REQ-PARTICIPANT",
        MeetingRole::Optional => "OPT-PARTICIPANT",
    };
    let answer = match participant.response {
        MeetingResponse::Pending => "NEEDS-ACTION",
        MeetingResponse::Accepted => "ACCEPTED",
        MeetingResponse::Declined => "DECLINED",
        MeetingResponse::Tentative => "TENTATIVE",
    };
    let mut line = named("ATTENDEE", name, &participant.email)
        .word("CUTYPE", "INDIVIDUAL")
        .word("ROLE", role)
        .word("PARTSTAT", answer);
    let open = participant.response == MeetingResponse::Pending && !participant.is_organizer();
    if open && method == CalendarMethod::Request {
        line = line.word("RSVP", "TRUE");
    }
    line.value(&mailto(&participant.email), object);
}

fn alarm(meeting: &Meeting, object: &mut String) {
    put(object, "BEGIN", "VALARM");
    put(object, "ACTION", "DISPLAY");
    put(object, "TRIGGER", &format!("-PT{}M", meeting.reminder_minutes.get()));
    Line::new("DESCRIPTION").text(meeting.title.as_str(), object);
    put(object, "END", "VALARM");
}

/// Returns the property with the name, or with the address if there is no name, because calendars always show
/// something.
fn named(property: &str, name: Option<&str>, address: &EmailAddress) -> Line {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    Line::new(property).quoted("CN", name.unwrap_or(address.as_str()))
}

fn put(object: &mut String, name: &str, value: &str) {
    Line::new(name).value(value, object);
}

/// Formats an instant, for example `20260329T063000Z`; calendars know nothing finer than a second.
fn utc(at: Timestamp) -> String {
    at.to_chrono().format("%Y%m%dT%H%M%SZ").to_string()
}

/// Returns the address as a URI. Characters that a URI cannot hold, or that have a meaning in it, are percent-encoded
/// (RFC 6068 §2).
fn mailto(address: &EmailAddress) -> String {
    let mut uri = "mailto:".to_owned();
    for c in address.as_str().chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '@' | '-' | '.' | '_' | '~' | '!' | '$' | '\'' | '*' | '+' => {
                uri.push(c);
            }
            // An address is ASCII.
            c => uri.push_str(&format!("%{:02X}", u32::from(c))),
        }
    }
    uri
}
