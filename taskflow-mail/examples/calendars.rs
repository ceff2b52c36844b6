//! Writes calendar objects of meetings that nobody would call into a folder, each with what a reader must find in it:
//! `calendars FOLDER`. See tests/calendars.

use std::error::Error;
use std::path::PathBuf;

use serde_json::json;
use taskflow_core::ports::{Calendar, CalendarEntry};
use taskflow_core::{
    CalendarMethod, Invitee, Mailbox, Meeting, MeetingResponse, MeetingRole, NewMeeting, Participant, PersonName,
    StartsAt, Timestamp,
};
use taskflow_mail::ICalendar;

/// What people type, or paste, or try.
const TEXTS: [&str; 18] = [
    "Plans",
    "a;b,c:d\\e\"f\"",
    "\\n \\N \\, \\; \\\\ \\",
    "END:VEVENT",
    "\" : ; , ^ ^^ ^' ^n \"",
    "\"quoted\"",
    "\";ROLE=CHAIR;X=\"",
    "=?utf-8?q?=0D=0ABcc:?= & <b> %0D%0A %s ${x} {{ x }}",
    "caf\u{e9} cafe\u{301} \u{df}\u{17f}\u{130}\u{131}",
    "\u{1F600}\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{1F1E9}\u{1F1EA}",
    "gnp.exe x \u{200f}\u{5d0}\u{5d1}",
    "\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{4f1a}\u{8b70}",
    "a  two  spaces   three",
    "\u{a0}\u{3000}\u{2003}x\u{2003}y",
    "\u{feff}x\u{fffd}\u{fffe}",
    "mailto:a@b.example",
    "DTSTART:19700101T000000Z",
    "\u{10ffff}\u{e000}",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("where to? calendars FOLDER")?);
    let mut texts: Vec<String> = TEXTS.iter().map(ToString::to_string).collect();
    texts.extend(TEXTS.iter().map(|text| text.chars().cycle().take(255).collect()));
    texts.extend((0..80).map(jumble));
    let mut count = 0;
    for (n, text) in texts.iter().enumerate() {
        for method in [CalendarMethod::Request, CalendarMethod::Cancel, CalendarMethod::Publish] {
            // A title neither begins nor ends in spaces, a jumble may.
            let Ok(title) = text.parse() else { continue };
            let (meeting, participant) = invited(NewMeeting::titled(title, starts_at(n)), text, n)?;
            let part = ICalendar.write(&CalendarEntry {
                method,
                meeting: &meeting,
                attendees: std::slice::from_ref(&participant),
            });
            let attendee = participant.name.as_ref().map_or(participant.email.as_str(), PersonName::as_str);
            let expected = json!({
                "method": method.as_str(),
                "uid": meeting.id.to_string(),
                "sequence": meeting.sequence,
                "starts_at": seconds(meeting.starts_at),
                "ends_at": seconds(meeting.ends_at()),
                "summary": meeting.title.as_str(),
                "description": meeting.description.as_ref().map(|text| one_kind_of_line_end(text.as_str())),
                "location": meeting.location.as_ref().map(ToString::to_string),
                "organizer": meeting.organizer.name,
                "attendee": attendee,
            });
            std::fs::write(folder.join(format!("{count:04}.ics")), part.text)?;
            std::fs::write(folder.join(format!("{count:04}.json")), expected.to_string())?;
            count += 1;
        }
    }
    Ok(())
}

/// A meeting in which every text that people can type is `text`, and one who is invited to it.
fn invited(new: NewMeeting, text: &str, n: usize) -> Result<(Meeting, Participant), Box<dyn Error>> {
    let description: String = [text, "\r\n", text, "\r", text, "\n\n\t", text, "\u{2028}"].concat();
    let description =
        if n.is_multiple_of(3) { description.chars().cycle().take(10_000).collect() } else { description };
    let new = NewMeeting {
        description: Some(description.parse()?).filter(|_| n % 4 != 3),
        location: Some(text.parse()?).filter(|_| n.is_multiple_of(2)),
        ..new
    };
    let now: Timestamp = "2026-11-22T12:00:00.987654Z".parse()?;
    let organizer = Mailbox { name: Some(text.trim().to_owned()), address: "ada@example.org".parse()? };
    let id = format!("0198c0de-0000-7000-8000-{n:012}");
    let mut meeting = Meeting::new(id.parse()?, id.parse()?, organizer, &"Europe/Berlin".parse()?, new, now)?;
    meeting.sequence = u32::try_from(n)?;
    let cut: String = text.chars().take(PersonName::MAX_LENGTH).collect();
    let role = if n.is_multiple_of(2) { MeetingRole::Attendee } else { MeetingRole::Optional };
    let invitee = Invitee { name: cut.parse().ok(), role, ..Invitee::new("bob.o'hara+x=y/z@example.org".parse()?) };
    let invited = Participant::invited(id.parse()?, meeting.id, invitee, None);
    let answers = MeetingResponse::ALL;
    Ok((meeting, invited.respond(answers[n % answers.len()], None, now)))
}

/// Leap days, ends of years and of known time among others.
fn starts_at(n: usize) -> StartsAt {
    let known = ["2028-02-29T23:30:00Z", "2026-12-31T23:59:59Z", "9998-12-31T23:00:00Z", "2027-03-28T00:59:59.999999Z"];
    let at: Timestamp = known[n % known.len()].parse().unwrap_or(Timestamp::MAX);
    StartsAt::Instant(at)
}

/// Characters of all lengths in an order that has no order, but is the same each time.
fn jumble(n: u64) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let characters = std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = u32::try_from(state >> 40).unwrap_or_default();
        let code = match bits & 3 {
            0 => 0x20 + (bits >> 2) % 0x5f,
            1 => u32::from(b";:,\\\"^ \tn"[(bits >> 2) as usize % 9]),
            2 => 0xa0 + (bits >> 2) % 0x3000,
            _ => 0x1f300 + (bits >> 2) % 0x600,
        };
        char::from_u32(code).filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}'))
    });
    let text: String = characters.flatten().take(1 + n as usize * 3).collect();
    text.trim().to_owned()
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

fn one_kind_of_line_end(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n")
}
