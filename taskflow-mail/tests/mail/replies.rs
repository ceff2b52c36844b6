//! Answers of calendars, read.

use std::time::Duration;

use proptest::prelude::*;
use taskflow_core::ports::{Calendar, CalendarReply, Counter, ProposedStart, ReplyAttendee};
use taskflow_core::{Comment, MeetingResponse};
use taskflow_mail::ICalendar;

use crate::support::MEETING;

const REPLY: &str = "BEGIN:VCALENDAR\r\nPRODID:-//Example//Calendar//EN\r\nVERSION:2.0\r\nMETHOD:REPLY\r\n\
BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\n\
TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
BEGIN:VEVENT\r\nUID:0198c0de-0000-7000-8000-0000000000aa\r\nDTSTAMP:20261122T130405Z\r\n\
DTSTART;TZID=Europe/Berlin:20261123T150000\r\nSEQUENCE:3\r\nORGANIZER;CN=Ada:mailto:ada@reader.example\r\n\
ATTENDEE;CN=\"Bob; B: \";PARTSTAT=ACCEPTED;X-NUM-GUESTS=0:MAILTO:bob+x%3Dy@\r\n guest.example\r\n\
COMMENT:With pleasure\\, and\\ncake \u{1F600}\r\n\
BEGIN:VALARM\r\nATTENDEE:mailto:eve@evil.example\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn read(message: impl AsRef<[u8]>) -> CalendarReply {
    let mut replies = ICalendar.read_reply(message.as_ref(), None).unwrap();
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

fn refused(message: impl AsRef<[u8]>) -> String {
    ICalendar.read_reply(message.as_ref(), None).unwrap_err().to_string()
}

fn attendee(email: &str, response: MeetingResponse) -> ReplyAttendee {
    ReplyAttendee { email: email.parse().unwrap(), sent_by: None, response }
}

fn expected() -> CalendarReply {
    CalendarReply {
        meeting: MEETING.parse().unwrap(),
        sequence: 3,
        at: Some("2026-11-22T13:04:05Z".parse().unwrap()),
        attendees: vec![attendee("bob+x=y@guest.example", MeetingResponse::Accepted)],
        sender: None,
        comment: Some("With pleasure, and\ncake \u{1F600}".to_owned()),
        counter: None,
    }
}

#[test]
fn an_answer_by_itself_is_read_however_its_lines_end() {
    assert_eq!(read(REPLY), expected());
    assert_eq!(read(REPLY.replace("\r\n", "\n")), expected());
    assert_eq!(read(format!("\u{feff}\r\n {REPLY}").replace("METHOD:REPLY", "method:reply")), expected());
}

fn with_sender() -> CalendarReply {
    CalendarReply { sender: Some("bob@home.example".parse().unwrap()), ..expected() }
}

/// A mail of Bob's with one part.
fn mail(headers: &str, body: &str) -> String {
    format!(
        "From: \"Bob, B\" <bob@home.example>\r\nSubject: Accepted: Plans\r\nMIME-Version: 1.0\r\n{headers}\r\n\r\n{body}"
    )
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let of = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..4)
            .map(|i| if i > chunk.len() { '=' } else { char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]) })
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(of).collect()
}

#[test]
fn an_answer_is_found_in_a_mail_in_any_encoding() {
    let plain = "Content-Type: text/calendar; charset=utf-8; method=REPLY";
    assert_eq!(read(mail(plain, REPLY)), with_sender());
    let encoded = format!("{plain}\r\nContent-Transfer-Encoding: base64");
    assert_eq!(read(mail(&encoded, &base64(REPLY))), with_sender());
    let file = "Content-Type: application/ics; name=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\
                Content-Disposition: attachment; filename=\"invite.ics\"";
    assert_eq!(read(mail(file, &base64(REPLY))), with_sender());
    let quoted = REPLY.replace('=', "=3D").replace("\u{1F600}", "=F0=9F=98=80");
    let encoded = format!("{plain}\r\nContent-Transfer-Encoding: quoted-printable");
    assert_eq!(read(mail(&encoded, &quoted)), with_sender());
}

#[test]
fn an_answer_is_found_where_google_outlook_and_apple_put_it() {
    let nested = format!(
        "--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n\
         --inner\r\nContent-Type: text/plain\r\n\r\nBob has accepted.\r\n\
         --inner\r\nContent-Type: text/calendar; charset=UTF-8; method=REPLY\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --inner--\r\n\r\n\
         --outer\r\nContent-Type: application/ics; name=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --outer--\r\n",
        base64(REPLY),
        base64(REPLY),
    );
    assert_eq!(read(mail("Content-Type: multipart/mixed; boundary=\"outer\"", &nested)), with_sender());
}

#[test]
fn a_mail_inside_a_mail_is_no_answer_of_who_forwards_it() {
    let inner = mail("Content-Type: text/calendar; method=REPLY", REPLY);
    let outer = format!("--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n");
    assert_eq!(refused(mail("Content-Type: multipart/mixed; boundary=b", &outer)), "it has no calendar in it");
}

#[test]
fn a_mail_has_exactly_one_author() {
    let mail = mail("Content-Type: text/calendar", REPLY);
    for from in [
        "X: y",
        "From: bob",
        "From: bob@home.example, eve@evil.example",
        "From: bob@home.example\r\nFrom: eve@evil.example",
        "From: Friends: bob@home.example;",
    ] {
        let message = mail.replace("From: \"Bob, B\" <bob@home.example>", from);
        assert_eq!(refused(message), "it has no From with exactly one address", "{from}");
    }
}

#[test]
fn every_answer_is_told_from_every_other() {
    for (word, response) in [
        ("NEEDS-ACTION", MeetingResponse::Pending),
        ("declined", MeetingResponse::Declined),
        ("TENTATIVE", MeetingResponse::Tentative),
    ] {
        assert_eq!(read(REPLY.replace("=ACCEPTED", &format!("={word}"))).attendees[0].response, response);
    }
    assert_eq!(read(REPLY.replace(";PARTSTAT=ACCEPTED", "")).attendees[0].response, MeetingResponse::Pending);
    assert!(refused(REPLY.replace("=ACCEPTED", "=DELEGATED")).contains("delegates"));
    assert!(refused(REPLY.replace("=ACCEPTED", "=COMPLETED")).contains("PARTSTAT"));
}

#[test]
fn what_is_left_out_or_strange_but_harmless_is_understood() {
    assert_eq!(read(REPLY.replace("SEQUENCE:3\r\n", "")).sequence, 0);
    assert_eq!(read(REPLY.replace("COMMENT:", "COMMENT: \\n\r\nX-COMMENT:")).comment, None);
    let raw = REPLY.replace("bob+x%3Dy@\r\n guest.example", "bob%zz%@guest.example?subject=x");
    assert_eq!(read(raw).attendees[0].email.as_str(), "bob%zz%@guest.example");
    let other = REPLY
        .replace("MAILTO:bob+x%3Dy@\r\n guest.example", "urn:uuid:1")
        .replace("X-NUM-GUESTS=0", "EMAIL=b@g.example");
    assert_eq!(read(other).attendees[0].email.as_str(), "b@g.example");
    let shout = "\u{1F600}\\n".repeat(5_000);
    let comment = read(REPLY.replace("With pleasure", &format!("\u{7} {shout}"))).comment.unwrap();
    assert!(comment.chars().count() <= Comment::MAX_LENGTH && comment.parse::<Comment>().is_ok());
}

#[test]
fn what_calendars_write_carelessly_is_understood() {
    let bob = vec![attendee("bob@guest.example", MeetingResponse::Accepted)];
    let written = |attendee: &str| REPLY.replace("MAILTO:bob+x%3Dy@\r\n guest.example", attendee);
    for attendee in [
        "bob@guest.example",
        "mailto:bob@guest.example",
        "MailTo: bob@guest.example ",
        "\"mailto:bob@guest.example\"",
        "mailto:<bob@guest.example>",
        "mailto:Bob%20<bob@guest.example>",
        "mailto:%22bob%22@guest.example",
        "mailto:\"bob\"@guest.example",
        "mailto:bob%40guest.example",
        "\tMAILTO:bob@guest.example;",
    ] {
        assert_eq!(read(written(attendee)).attendees, bob, "{attendee}");
    }
    let unquoted = written("mailto:bob@guest.example").replace("\"Bob; B: \"", "Bob: B");
    assert_eq!(read(unquoted).attendees[0].email.as_str(), "bob@guest.example");
    for name in
        ["Bob: B", "Bob; B", "Bob; Great; ", "Bob; B: C; D", ": Bob", "Bob\"; B", "Bob; x@y.example", "mailto:bob"]
    {
        let reply = written("mailto:bob@guest.example").replace("\"Bob; B: \"", name);
        assert_eq!(read(reply).attendees, bob, "{name}");
        // Without a scheme only a colon ends the parameters.
        if !name.contains(':') && !name.contains('"') {
            let bare = written("bob@guest.example").replace("\"Bob; B: \"", name);
            assert_eq!(read(bare).attendees, bob, "{name}");
        }
    }
    let open = written("mailto:bob@guest.example").replace("\"Bob; B: \"", "\"Bob");
    assert_eq!(read(open).attendees, bob);
    // The order, the case and the folding of properties do not matter, nor do strange ones.
    assert_eq!(read(REPLY.replace("@\r\n guest", "@\r\n\tguest")), expected());
    assert_eq!(read(REPLY.replace("UID:", "X-WR:\r\nuid:").replace("DTSTAMP", "dtstamp")), expected());
    assert_eq!(read(REPLY.replace("\r\n", "\r\r\n").replace("\r\r\n guest", "guest")), expected());
    assert_eq!(read(REPLY.replace("SEQUENCE:3", "SEQUENCE:-3")).sequence, 0);
    assert_eq!(read(REPLY.replace("END:VALARM\r\n", "")), expected());
    assert_eq!(read(REPLY.replace("END:VCALENDAR\r\n", "")), expected());
    let beside = REPLY.replace("COMMENT:", "X-COMMENT:").replace("X-NUM-GUESTS=0", "X-RESPONSE-COMMENT=\"Gladly\"");
    assert_eq!(read(beside).comment.as_deref(), Some("Gladly"));
}

#[test]
fn a_stamp_in_no_zone_says_nothing_and_the_date_of_the_mail_counts() {
    for stamp in ["DTSTAMP:20261122T130405", "DTSTAMP:20261322T130405Z", "DTSTAMP:", "X-DTSTAMP:x"] {
        let reply = REPLY.replace("DTSTAMP:20261122T130405Z", stamp);
        assert_eq!(read(&reply).at, None, "{stamp}");
        let dated = "Date: Sun, 22 Nov 2026 15:00:00 +0100\r\nContent-Type: text/calendar";
        assert_eq!(read(mail(dated, &reply)).at, Some("2026-11-22T14:00:00Z".parse().unwrap()), "{stamp}");
    }
    let zoned = REPLY.replace("DTSTAMP:20261122T130405Z", "DTSTAMP;TZID=Europe/Berlin:20261122T140405");
    assert_eq!(read(zoned).at, expected().at);
}

#[test]
fn several_attendees_and_events_are_read() {
    let two = REPLY
        .replace("COMMENT:", "ATTENDEE;PARTSTAT=DECLINED;SENT-BY=\"MAILTO:pa@h.example\":ada@h.example\r\nCOMMENT:");
    let read_two = read(two.replace("CN=\"Bob; B: \";PARTSTAT=ACCEPTED", "PARTSTAT=DELEGATED"));
    let sent_by = Some("pa@h.example".parse().unwrap());
    assert_eq!(read_two.attendees, [ReplyAttendee { sent_by, ..attendee("ada@h.example", MeetingResponse::Declined) }]);
    assert_eq!(read(two).attendees.len(), 2);
    let event = &REPLY[REPLY.find("BEGIN:VEVENT").unwrap()..REPLY.find("END:VCALENDAR").unwrap()];
    let foreign = event.replace("UID:", "UID:foreign-");
    let occurrence = event.replace("UID:", "RECURRENCE-ID:20261123T140000Z\r\nUID:");
    for more in [format!("{foreign}{event}"), format!("{event}{foreign}"), format!("{occurrence}{event}")] {
        assert_eq!(read(REPLY.replace(event, &more)), expected());
    }
    assert_eq!(ICalendar.read_reply(REPLY.replace(event, &event.repeat(2)).as_bytes(), None).unwrap().len(), 2);
    assert_eq!(ICalendar.read_reply(REPLY.repeat(3).as_bytes(), None).unwrap(), vec![expected(); 3]);
}

#[test]
fn of_several_lines_about_one_person_that_which_answers_counts() {
    let line = |answer: &str| format!("ATTENDEE;PARTSTAT={answer}:mailto:Bob+X=y@guest.example\r\n");
    let begin = "ATTENDEE;CN=\"Bob";
    let before = REPLY.replace(begin, &format!("{}{begin}", line("NEEDS-ACTION")));
    let after = REPLY.replace("COMMENT:", &format!("{}COMMENT:", line("NEEDS-ACTION")));
    let different = REPLY.replace("COMMENT:", &format!("{}COMMENT:", line("DECLINED")));
    for reply in [before, after, different] {
        let found = read(reply).attendees;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].email.key(), found[0].response),
            ("bob+x=y@guest.example".to_owned(), MeetingResponse::Accepted)
        );
    }
}

#[test]
fn the_method_may_stand_in_the_media_type_alone() {
    let without = REPLY.replace("METHOD:REPLY\r\n", "");
    assert_eq!(read(mail("Content-Type: text/calendar; method=reply", &without)), with_sender());
    assert_eq!(refused(mail("Content-Type: text/calendar", &without)), "it has no METHOD");
    let typed = |kind| ICalendar.read_reply(without.as_bytes(), Some(kind));
    assert_eq!(typed("text/calendar; charset=utf-8; method=REPLY").unwrap(), [expected()]);
    assert!(typed("text/calendar").is_err() && typed("text/calendar; method=REQUEST").is_err());
}

#[test]
fn a_file_by_that_name_is_a_calendar_whatever_else_is_said_about_it() {
    for kind in [
        "Content-Type: application/octet-stream; name=\"reply.ics\"",
        "Content-Type: text/plain; name=INVITE.ICS",
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"a b.ics\"",
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=utf-8''r%C3%A9p.ics",
        "Content-Disposition: attachment; filename=invite.ics",
        "Content-Type: application/ics",
    ] {
        assert_eq!(read(mail(kind, REPLY)), with_sender(), "{kind}");
        let encoded = format!("{kind}\r\nContent-Transfer-Encoding: base64");
        assert_eq!(read(mail(&encoded, &base64(REPLY))), with_sender(), "{kind}");
    }
}

#[test]
fn octets_are_unfolded_before_characters_are_decoded() {
    let said = "Grüße aus Köln \u{1F600}";
    let line = format!("COMMENT:{said}");
    for cut in 8..line.len() {
        let folded = [&line.as_bytes()[..cut], b"\r\n ", &line.as_bytes()[cut..]].concat();
        let at = REPLY.find("COMMENT:").unwrap();
        let end = at + REPLY[at..].find("\r\n").unwrap();
        let object = [&REPLY.as_bytes()[..at], &folded, &REPLY.as_bytes()[end..]].concat();
        assert_eq!(read(&object).comment.as_deref(), Some(said), "{cut}");
        let head = mail("Content-Type: text/calendar; charset=utf-8", "").into_bytes();
        assert_eq!(read([head, object].concat()).comment.as_deref(), Some(said), "{cut}");
    }
}

#[test]
fn other_charsets_are_decoded() {
    let latin: Vec<u8> =
        REPLY.replace("pleasure\\, and\\ncake \u{1F600}", "gr\u{fc}\u{df}en").chars().map(|c| c as u8).collect();
    let said = Some("With gr\u{fc}\u{df}en");
    for kind in ["text/calendar; charset=ISO-8859-1", "text/calendar", "text/calendar; charset=us-ascii"] {
        let head = mail(&format!("Content-Type: {kind}"), "").into_bytes();
        assert_eq!(read([head, latin.clone()].concat()).comment.as_deref(), said, "{kind}");
        assert_eq!(ICalendar.read_reply(&latin, Some(kind)).unwrap()[0].comment.as_deref(), said, "{kind}");
    }
    let utf16: Vec<u8> =
        "\u{feff}".chars().chain(REPLY.chars()).collect::<String>().encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16), expected());
}

#[test]
fn a_name_with_a_comma_is_no_author_and_a_second_address_is_one() {
    let from = |from: &str| mail("Content-Type: text/calendar", REPLY).replace("\"Bob, B\" <bob@home.example>", from);
    for one in ["B, Bob <bob@home.example>", "Bob (B, C) <bob@home.example>", "=?utf-8?q?B=2C_Bob?= <bob@home.example>"]
    {
        assert_eq!(read(from(one)), with_sender(), "{one}");
    }
    for several in ["eve@evil.example, Bob <bob@home.example>", "\"Bob\" <bob@home.example>, eve@evil.example"] {
        assert_eq!(refused(from(several)), "it has no From with exactly one address", "{several}");
    }
}

#[test]
fn an_only_attendee_without_an_address_is_who_sent_the_mail() {
    let odd = REPLY.replace("MAILTO:bob+x%3Dy@\r\n guest.example", "MAILTO:/o=Org/cn=Recipients/cn=bob");
    let reply = read(mail("Content-Type: text/calendar", &odd));
    assert_eq!(reply.attendees, [attendee("bob@home.example", MeetingResponse::Accepted)]);
}

#[test]
fn a_proposal_of_another_time_is_read() {
    let counter = REPLY.replace("METHOD:REPLY", "METHOD:COUNTER");
    let start = |start: &str| {
        let counter = counter.replace("DTSTART;TZID=Europe/Berlin:20261123T150000", start);
        read(counter).counter.expect("a proposal").starts_at
    };
    let at = |text: &str| Some(ProposedStart::At(text.parse().unwrap()));
    assert_eq!(read(&counter).counter, Some(Counter { starts_at: at("2026-11-23T14:00:00Z") }));
    assert_eq!(start("DTSTART:20300301T110000Z"), at("2030-03-01T11:00:00Z"));
    assert_eq!(
        start("DTSTART;TZID=/mozilla.org/20050126_1/America/New_York:20300301T110000"),
        at("2030-03-01T16:00:00Z")
    );
    let local = ProposedStart::Local("2030-03-01T11:00:00".parse().unwrap());
    assert_eq!(start("DTSTART:20300301T110000"), Some(local));
    // A zone that nobody knows is not the meeting's.
    assert_eq!(start("DTSTART;TZID=Nowhere:20300301T110000"), None);
    assert_eq!(start("DTSTART;TZID=:20300301T110000"), Some(local));
    for (zone, utc) in [
        ("W. Europe Standard Time", "2030-03-01T10:00:00Z"),
        ("\"W. Europe Standard Time\"", "2030-03-01T10:00:00Z"),
        ("Eastern Standard Time", "2030-03-01T16:00:00Z"),
        ("India Standard Time", "2030-03-01T05:30:00Z"),
        ("UTC", "2030-03-01T11:00:00Z"),
    ] {
        assert_eq!(start(&format!("DTSTART;TZID={zone}:20300301T110000")), at(utc), "{zone}");
    }
    let nowhere = counter.replace("TZID=Europe/Berlin:2026", "TZID=Nowhere:2026");
    assert_eq!(read(nowhere), CalendarReply { counter: Some(Counter { starts_at: None }), ..expected() });
    assert_eq!(start("DTSTART;VALUE=DATE:20300301"), None);
    assert_eq!(start("X-DTSTART:1"), None);
}

#[test]
fn a_time_zone_that_comes_along_counts_where_its_name_is_not_known() {
    let zone = "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n\
        TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n\
        BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
        RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n";
    let counter = REPLY.replace("METHOD:REPLY", "METHOD:COUNTER").replace("BEGIN:VEVENT\r\n", zone);
    for (local, utc) in [
        ("20300301T110000", "2030-03-01T10:00:00Z"),
        ("20300401T110000", "2030-04-01T09:00:00Z"),
        ("20301101T110000", "2030-11-01T10:00:00Z"),
        ("20301026T110000", "2030-10-26T09:00:00Z"),
    ] {
        let start = format!("DTSTART;TZID=\"W. Europe Standard Time\":{local}");
        let counter = counter.replace("DTSTART;TZID=Europe/Berlin:20261123T150000", &start);
        let starts_at = Some(ProposedStart::At(utc.parse().unwrap()));
        assert_eq!(read(counter).counter, Some(Counter { starts_at }), "{local}");
    }
}

#[test]
fn what_is_no_answer_is_refused_with_the_reason() {
    let event = &REPLY[REPLY.find("BEGIN:VEVENT").unwrap()..REPLY.find("END:VCALENDAR").unwrap()];
    for (message, reason) in [
        (String::new(), "it is no mail and no calendar"),
        ("hello".to_owned(), "it has no calendar in it"),
        (mail("Content-Type: text/plain", REPLY), "it has no calendar in it"),
        (REPLY.replace("METHOD:REPLY", "METHOD:REQUEST"), "its METHOD is neither REPLY nor COUNTER"),
        (REPLY.replace("METHOD:REPLY", "METHOD:DECLINECOUNTER"), "its METHOD is neither REPLY nor COUNTER"),
        (REPLY.replace("METHOD:REPLY", "METHOD:REPLY\r\nMETHOD:REQUEST"), "it has more than one METHOD"),
        (REPLY.replace("METHOD:REPLY\r\n", ""), "it has no METHOD"),
        (REPLY.replace("UID:", "X-UID:"), "it has no UID"),
        (REPLY.replace("UID:", "UID:x"), "its UID is that of no meeting here"),
        (REPLY.replace("UID:", "UID:x\r\nUID:"), "it has more than one UID"),
        (REPLY.replace("MAILTO:bob", "MAILTO:@bob"), "its ATTENDEE has no e-mail address"),
        (REPLY.replace("ATTENDEE;", "X-ATTENDEE;"), "it has no ATTENDEE"),
        (
            REPLY.replace("COMMENT:", "RECURRENCE-ID:"),
            "it answers to one of several occurrences, and the meetings here have one",
        ),
        (REPLY.replace(event, ""), "it holds no VEVENT"),
        (REPLY.replace("END:VEVENT\r\nEND:VCALENDAR\r\n", ""), "it holds no VCALENDAR"),
        ("x".repeat(2 << 20), "it is longer than 1 MiB"),
    ] {
        assert_eq!(refused(message), reason);
    }
}

/// Messages made to keep a reader busy, or to bring it down.
#[test]
fn a_message_of_the_longest_size_is_read_in_no_time_whatever_is_in_it() {
    const MOST: usize = 1 << 20;
    let fill = |start: &str, piece: &str| {
        let mut message = start.to_owned();
        message.extend(std::iter::repeat_n(piece, (MOST - start.len()) / piece.len()));
        message
    };
    let parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for message in [
        fill("BEGIN:VCALENDAR\r\n", "\r\n x"),
        fill("BEGIN:VCALENDAR\r\n", "BEGIN:VEVENT\r\n"),
        fill("BEGIN:VCALENDAR\r\n", "A;B=\"x\r\n"),
        fill("BEGIN:VCALENDAR\r\nA", ";B=x"),
        fill("BEGIN:VCALENDAR\r\nA:", "\\n^^"),
        fill("", "Content-Type: message/rfc822\r\n\r\n"),
        fill("", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"),
        fill("", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"),
        fill(parts, "--b\r\n\r\n"),
        fill(parts, "--b"),
        fill("Content-Type: text/calendar", ";\r\n a*0*=utf-8'en'%20"),
        fill("From: ", "a@b.example,"),
        fill("From: ", "=?utf-8?q?a?= "),
        fill("From: ", "(("),
        fill("", "From: a@b.example\r\n"),
        fill("", "Con tent-Type: message/rfc822\r\n\r\n"),
        mail(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64",
            &base64(&"Content-Type: message/rfc822\r\n\r\n".repeat(20_000)),
        ),
        mail(
            "Content-Type: text/calendar\r\nContent-Type: message/rfc822",
            &"Content-Type: message/rfc822\r\n\r\n".repeat(20_000),
        ),
        mail(
            "Content-Type: message/rfc822\r\nContent-Type: text/calendar",
            &"Content-Type: message/rfc822\r\n\r\n".repeat(20_000),
        ),
    ] {
        #[expect(clippy::disallowed_methods, reason = "a measured time-out")]
        let start = std::time::Instant::now();
        let _ = ICalendar.read_reply(message.as_bytes(), None);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}: {}", start.elapsed(), &message[..60]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let content_type = String::from_utf8_lossy(&bytes);
        let _ = ICalendar.read_reply(&bytes, None);
        let _ = ICalendar.read_reply(&[b"BEGIN:VCALENDAR\r\n".as_slice(), &bytes].concat(), Some(&content_type));
    }

    #[test]
    fn no_mutation_of_an_answer_panics(
        whole in any::<bool>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..40_usize, ".{0,12}|[\\\\;:,=\"^\r\n \t%]{1,6}"), 1..8),
    ) {
        let mut bytes = if whole { mail("Content-Type: text/calendar", REPLY) } else { REPLY.to_owned() }.into_bytes();
        for (at, cut, insert) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, insert.into_bytes());
        }
        for reply in ICalendar.read_reply(&bytes, None).into_iter().flatten() {
            prop_assert!(!reply.attendees.is_empty());
            prop_assert!(reply.comment.is_none_or(|comment| comment.parse::<Comment>().is_ok()));
        }
    }
}
