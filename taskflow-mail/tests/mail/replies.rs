//! Answers of calendars, read.

use std::time::Duration;

use proptest::prelude::*;
use taskflow_core::ports::{Calendar, CalendarReply};
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
    ICalendar.read_reply(message.as_ref()).unwrap()
}

fn refused(message: impl AsRef<[u8]>) -> String {
    ICalendar.read_reply(message.as_ref()).unwrap_err().to_string()
}

fn expected() -> CalendarReply {
    CalendarReply {
        meeting: MEETING.parse().unwrap(),
        sequence: 3,
        at: "2026-11-22T13:04:05Z".parse().unwrap(),
        attendee: "bob+x=y@guest.example".parse().unwrap(),
        sender: None,
        response: MeetingResponse::Accepted,
        comment: Some("With pleasure, and\ncake \u{1F600}".to_owned()),
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
        assert_eq!(read(REPLY.replace("=ACCEPTED", &format!("={word}"))).response, response);
    }
    assert_eq!(read(REPLY.replace(";PARTSTAT=ACCEPTED", "")).response, MeetingResponse::Pending);
    assert!(refused(REPLY.replace("=ACCEPTED", "=DELEGATED")).contains("delegates"));
    assert!(refused(REPLY.replace("=ACCEPTED", "=COMPLETED")).contains("PARTSTAT"));
}

#[test]
fn what_is_left_out_or_strange_but_harmless_is_understood() {
    assert_eq!(read(REPLY.replace("SEQUENCE:3\r\n", "")).sequence, 0);
    assert_eq!(read(REPLY.replace("COMMENT:", "COMMENT: \\n\r\nX-COMMENT:")).comment, None);
    let raw = REPLY.replace("bob+x%3Dy@\r\n guest.example", "bob%zz%@guest.example?subject=x");
    assert_eq!(read(raw).attendee.as_str(), "bob%zz%@guest.example");
    let other = REPLY
        .replace("MAILTO:bob+x%3Dy@\r\n guest.example", "urn:uuid:1")
        .replace("X-NUM-GUESTS=0", "EMAIL=b@g.example");
    assert_eq!(read(other).attendee.as_str(), "b@g.example");
    let shout = "\u{1F600}\\n".repeat(5_000);
    let comment = read(REPLY.replace("With pleasure", &format!("\u{7} {shout}"))).comment.unwrap();
    assert!(comment.chars().count() <= Comment::MAX_LENGTH && comment.parse::<Comment>().is_ok());
}

#[test]
fn what_is_no_answer_is_refused_with_the_reason() {
    let event = &REPLY[REPLY.find("BEGIN:VEVENT").unwrap()..REPLY.find("END:VCALENDAR").unwrap()];
    for (message, reason) in [
        (String::new(), "it is no mail and no calendar"),
        ("hello".to_owned(), "it has no calendar in it"),
        (mail("Content-Type: text/plain", REPLY), "it has no calendar in it"),
        (REPLY.replace("METHOD:REPLY", "METHOD:REQUEST"), "its METHOD is not REPLY"),
        (REPLY.replace("METHOD:REPLY\r\n", ""), "it has no METHOD"),
        (REPLY.replace("UID:", "X-UID:"), "it has no UID"),
        (REPLY.replace("UID:", "UID:x"), "its UID is that of no meeting here"),
        (REPLY.replace("UID:", "UID:x\r\nUID:"), "it has more than one UID"),
        (REPLY.replace("SEQUENCE:3", "SEQUENCE:-3"), "its SEQUENCE is no whole number"),
        (REPLY.replace("DTSTAMP:20261122T130405Z", "DTSTAMP:20261122T130405"), "its DTSTAMP is no time in UTC"),
        (REPLY.replace("DTSTAMP:20261122T130405Z", "DTSTAMP:20261322T130405Z"), "its DTSTAMP is no time in UTC"),
        (REPLY.replace("DTSTAMP:", "X-DTSTAMP:"), "it has no DTSTAMP"),
        (REPLY.replace("MAILTO:bob", "MAILTO:@bob"), "its ATTENDEE has no e-mail address"),
        (REPLY.replace("COMMENT:", "ATTENDEE:"), "it has more than one ATTENDEE"),
        (
            REPLY.replace("COMMENT:", "RECURRENCE-ID:"),
            "it answers to one of several occurrences, and the meetings here have one",
        ),
        (REPLY.replace(event, ""), "it must hold exactly one VEVENT"),
        (REPLY.replace(event, &event.repeat(2)), "it must hold exactly one VEVENT"),
        (REPLY.repeat(2), "it must hold exactly one VCALENDAR"),
        (REPLY.replace("END:VALARM\r\n", ""), "its components do not end where they should"),
        (REPLY.replace("END:VCALENDAR\r\n", ""), "its components do not end where they should"),
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
        let _ = ICalendar.read_reply(message.as_bytes());
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}: {}", start.elapsed(), &message[..60]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = ICalendar.read_reply(&bytes);
        let _ = ICalendar.read_reply(&[b"BEGIN:VCALENDAR\r\n".as_slice(), &bytes].concat());
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
        if let Ok(reply) = ICalendar.read_reply(&bytes) {
            prop_assert!(reply.comment.is_none_or(|comment| comment.parse::<Comment>().is_ok()));
        }
    }
}
