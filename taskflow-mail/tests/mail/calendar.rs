//! Meetings as calendar objects, by themselves and in a mail.

use mail_parser::{MessageParser, MimeHeaders, PartType};
use taskflow_core::ports::{Calendar, CalendarEntry, Mailer};
use taskflow_core::{CalendarMethod, Content, Meeting, MeetingResponse, MeetingRole, Participant};
use taskflow_mail::{ICalendar, Message};

use crate::support::{MEETING, Rig, from, guest, mail, meeting, noon};

fn write(method: CalendarMethod, meeting: &Meeting, attendees: &[Participant]) -> String {
    let part = ICalendar.write(&CalendarEntry { method, meeting, attendees });
    assert_eq!(part.method, method);
    assert!(part.text.ends_with("\r\n") && !part.text.replace("\r\n", "").contains(['\r', '\n']));
    assert!(part.text.split("\r\n").all(|line| line.len() <= 75), "{}", part.text);
    part.text.replace("\r\n ", "")
}

#[test]
fn an_invitation_is_a_request_to_one_attendee() {
    let expected = format!(
        "BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//TaskFlow//TaskFlow//EN
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
UID:{MEETING}
DTSTAMP:20261122T120000Z
SEQUENCE:0
DTSTART:20261123T140000Z
DTEND:20261123T150000Z
CREATED:20261122T120000Z
LAST-MODIFIED:20261122T120000Z
TRANSP:OPAQUE
SUMMARY:Plans\\, \\;\\\\
DESCRIPTION:Bring\\, if you can:\\n* cake\\; tea\\n\\nJoin: https://meet.example.org/room?a=1&b=2
LOCATION:Room 1\\, first floor
URL:https://meet.example.org/room?a=1&b=2
STATUS:CONFIRMED
ORGANIZER;CN=\"Ada ^'A^' <x>\":mailto:ada@reader.example
ATTENDEE;CN=\"Bob ^'B^'; ROLE=CHAIR:^^x\";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:\
mailto:bob+x%3Dy@guest.example
END:VEVENT
END:VCALENDAR
"
    );
    let written = write(CalendarMethod::Request, &meeting("Plans, ;\\"), &[guest()]);
    assert_eq!(written.replace("\r\n", "\n"), expected);
}

#[test]
fn only_whoever_has_not_answered_is_asked_to() {
    for (response, word) in [
        (MeetingResponse::Accepted, "ACCEPTED"),
        (MeetingResponse::Declined, "DECLINED"),
        (MeetingResponse::Tentative, "TENTATIVE"),
    ] {
        let written = write(CalendarMethod::Request, &meeting("x"), &[guest().respond(response, None, noon())]);
        assert!(written.contains(&format!(";PARTSTAT={word}:mailto:")), "{written}");
    }
    let chair = write(CalendarMethod::Request, &meeting("x"), &[guest().with_role(MeetingRole::Organizer)]);
    assert!(chair.contains("ROLE=CHAIR;PARTSTAT=NEEDS-ACTION:"), "{chair}");
    let optional = write(CalendarMethod::Request, &meeting("x"), &[guest().with_role(MeetingRole::Optional)]);
    assert!(optional.contains("ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:"), "{optional}");
}

#[test]
fn a_meeting_that_is_off_is_cancelled_and_one_that_goes_on_without_its_reader_is_not() {
    let off = meeting("x").cancel(noon());
    let written = write(CalendarMethod::Cancel, &off, &[guest()]);
    assert!(written.contains("METHOD:CANCEL\r\n") && written.contains("STATUS:CANCELLED\r\n"), "{written}");
    assert!(written.contains("SEQUENCE:1\r\n") && !written.contains("RSVP"), "{written}");
    let written = write(CalendarMethod::Cancel, &meeting("x"), &[guest().remove(noon())]);
    assert!(!written.contains("STATUS") && written.contains("ATTENDEE"), "{written}");
}

#[test]
fn a_copy_names_no_attendees_and_brings_an_alarm() {
    let written = write(CalendarMethod::Publish, &meeting("x"), &[guest()]);
    assert!(!written.contains("ATTENDEE"), "{written}");
    let alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT";
    assert!(written.contains(alarm), "{written}");
    for method in [CalendarMethod::Request, CalendarMethod::Cancel] {
        assert!(!write(method, &meeting("x"), &[guest()]).contains("VALARM"));
    }
}

#[test]
fn who_has_no_name_is_called_by_their_address_and_a_link_stands_for_the_place() {
    let mut meeting = meeting("x");
    (meeting.organizer.name, meeting.location, meeting.description) = (None, None, None);
    let written = write(CalendarMethod::Request, &meeting, &[Participant { name: None, ..guest() }]);
    assert!(written.contains("ORGANIZER;CN=\"ada@reader.example\":mailto:"), "{written}");
    assert!(written.contains("ATTENDEE;CN=\"bob+x=y@guest.example\";"), "{written}");
    assert!(written.contains("\r\nDESCRIPTION:Join: https://meet.example.org/room?a=1&b=2\r\n"), "{written}");
    assert!(written.contains("\r\nLOCATION:https://meet.example.org/room?a=1&b=2\r\n"), "{written}");
}

#[tokio::test]
async fn an_invitation_travels_as_the_last_form_of_its_letter() {
    let rig = Rig::plain().await;
    let meeting = meeting("\u{1F600}".repeat(255).as_str());
    for method in [CalendarMethod::Request, CalendarMethod::Cancel] {
        let part = ICalendar.write(&CalendarEntry { method, meeting: &meeting, attendees: &[guest()] });
        let mut mail = mail(1);
        mail.calendar = Some(part.clone());
        rig.mailer.send(&mail).await.unwrap();
        let data = rig.server.mails().pop().unwrap().data;
        assert_eq!(data, Message::write(&from(), &mail).unwrap().source.into_bytes());
        let parsed = MessageParser::default().parse(&data).unwrap();
        let kind = parsed.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
        let kinds: Vec<_> = parsed.parts[1..].iter().map(|part| part.content_type().unwrap().subtype()).collect();
        assert_eq!(kinds, [Some("plain"), Some("html"), Some("calendar")]);
        let kind = parsed.parts[3].content_type().unwrap();
        assert_eq!(kind.attribute("charset"), Some("utf-8"));
        assert_eq!(kind.attribute("method"), Some(method.as_str()));
        let PartType::Text(text) = &parsed.parts[3].body else { panic!("no text") };
        assert_eq!(*text, part.text);
    }
}

#[test]
fn a_letter_without_html_still_takes_its_calendar_along() {
    let meeting = meeting("x");
    let mut mail = mail(1);
    mail.content = Content { html: None, ..mail.content };
    mail.calendar =
        Some(ICalendar.write(&CalendarEntry { method: CalendarMethod::Request, meeting: &meeting, attendees: &[] }));
    let message = Message::write(&from(), &mail).unwrap();
    let parsed = MessageParser::default().parse(message.source.as_bytes()).unwrap();
    let kinds: Vec<_> = parsed.parts.iter().map(|part| part.content_type().unwrap().subtype()).collect();
    assert_eq!(kinds, [Some("alternative"), Some("plain"), Some("calendar")]);
}
