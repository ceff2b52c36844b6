//! Reports that come back, as relays and mailbox providers write them.

use std::fmt::Write;

use proptest::prelude::*;
use taskflow_core::ports::Bounces;
use taskflow_core::{BounceReport, SuppressionCause};
use taskflow_mail::BounceReports;

/// As Postfix writes it.
const POSTFIX: &str = "From: MAILER-DAEMON@mx.example (Mail Delivery System)\r\n\
    Subject: Undelivered Mail Returned to Sender\r\n\
    To: tasks@sender.example\r\n\
    Auto-Submitted: auto-replied\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=delivery-status;\r\n\
    \tboundary=\"4Wx/mx.example\"\r\n\
    \r\n\
    This is a MIME-encapsulated message.\r\n\
    \r\n\
    --4Wx/mx.example\r\n\
    Content-Description: Notification\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\
    \r\n\
    I'm sorry to have to inform you that your message could not\r\n\
    be delivered to one or more recipients.\r\n\
    \r\n\
    --4Wx/mx.example\r\n\
    Content-Description: Delivery report\r\n\
    Content-Type: message/delivery-status\r\n\
    \r\n\
    Reporting-MTA: dns; mx.example\r\n\
    X-Postfix-Queue-ID: 4Wx\r\n\
    Arrival-Date: Mon, 23 Nov 2026 01:00:00 +0000 (UTC)\r\n\
    \r\n\
    Final-Recipient: rfc822; ada.l@reader.example\r\n\
    Original-Recipient: rfc822;ada@reader.example\r\n\
    Action: failed\r\n\
    Status: 5.1.1\r\n\
    Remote-MTA: dns; mail.reader.example\r\n\
    Diagnostic-Code: smtp; 550 5.1.1 <ada.l@reader.example>: Recipient address\r\n\
    \x20   rejected: User unknown\r\n\
    \r\n\
    Final-Recipient: rfc822; bob@reader.example\r\n\
    Action: delayed\r\n\
    Status: 4.4.1\r\n\
    Diagnostic-Code: X-Postfix; connect to mail.reader.example: Connection timed out\r\n\
    \r\n\
    Final-Recipient: rfc822; carol@reader.example\r\n\
    Action: delivered\r\n\
    Status: 2.0.0\r\n\
    \r\n\
    --4Wx/mx.example\r\n\
    Content-Type: message/rfc822\r\n\
    \r\n\
    From: tasks@sender.example\r\n\
    To: ada@reader.example\r\n\
    Subject: hello\r\n\
    \r\n\
    Action: failed\r\n\
    --4Wx/mx.example--\r\n";

/// As in RFC 5965, appendix B.
const COMPLAINT: &str = "From: <abusedesk@mailbox.example>\r\n\
    To: <abuse@sender.example>\r\n\
    Subject: FW: Your tasks\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=feedback-report;\r\n\
    \x20    boundary=\"part1\"\r\n\
    \r\n\
    --part1\r\n\
    Content-Type: text/plain; charset=\"US-ASCII\"\r\n\
    \r\n\
    This is an email abuse report.\r\n\
    --part1\r\n\
    Content-Type: message/feedback-report\r\n\
    \r\n\
    Feedback-Type: abuse\r\n\
    User-Agent: SomeGenerator/1.0\r\n\
    Version: 1\r\n\
    Original-Mail-From: <tasks@sender.example>\r\n\
    Original-Rcpt-To: <ada@mailbox.example>\r\n\
    \r\n\
    --part1\r\n\
    Content-Type: message/rfc822\r\n\
    \r\n\
    From: <tasks@sender.example>\r\n\
    To: \"Bob, once\" <bob@mailbox.example>\r\n\
    Subject: Your tasks\r\n\
    \r\n\
    hello\r\n\
    --part1--\r\n";

fn read(message: &str) -> Result<Vec<BounceReport>, String> {
    BounceReports.read(message.as_bytes()).map_err(|error| error.to_string())
}

fn short(message: &str) -> Vec<(String, bool, SuppressionCause, String)> {
    let reports = read(message).unwrap();
    reports.into_iter().map(|r| (r.email.to_string(), r.permanent, r.cause, r.detail)).collect()
}

#[test]
fn a_report_of_delivery_names_whom_mail_did_not_reach_and_why() {
    let ada = "550 5.1.1 <ada.l@reader.example>: Recipient address rejected: User unknown";
    let bob = "4.4.1 connect to mail.reader.example: Connection timed out";
    let expected = [("ada@reader.example", true, ada), ("bob@reader.example", false, bob)];
    let expected =
        expected.map(|(email, gone, why)| (email.to_owned(), gone, SuppressionCause::Bounce, why.to_owned()));
    assert_eq!(short(POSTFIX), expected);
    assert_eq!(short(&POSTFIX.replace("\r\n", "\n")), expected);
}

#[test]
fn only_what_is_refused_for_good_is_for_good() {
    for (status, permanent) in [
        ("5.2.1", true),
        ("4.2.2", false),
        ("5.2.2", false),
        ("5.7.1", false),
        ("5.7.26", false),
        ("5.1.1 (no such user)", true),
        ("5.0.0", true),
        ("", true),
    ] {
        let message = POSTFIX.replace("Status: 5.1.1", &format!("Status: {status}"));
        assert_eq!(short(&message)[0].1, permanent, "{status}");
    }
    let message = POSTFIX.replace("Status: 5.1.1\r\n", "").replace("smtp; 550 5.1.1", "smtp; 450 4.2.0");
    assert!(!short(&message)[0].1);
    let message = POSTFIX.replace("Status: 5.1.1", "Status: 5.0.0").replace("smtp; 550 5.1.1", "smtp; 550 5.7.1");
    assert!(!short(&message)[0].1);
}

#[test]
fn a_complaint_is_about_whom_it_names_else_about_whom_the_mail_was_to() {
    let expected =
        |email: &str| vec![(email.to_owned(), true, SuppressionCause::Complaint, "reported as abuse".to_owned())];
    assert_eq!(short(COMPLAINT), expected("ada@mailbox.example"));
    let hidden = COMPLAINT.replace("Original-Rcpt-To: <ada@mailbox.example>\r\n", "");
    assert_eq!(short(&hidden), expected("bob@mailbox.example"));
    assert_eq!(short(&COMPLAINT.replace("Type: abuse", "Type: not-spam")), []);
}

#[test]
fn a_status_in_base64_and_a_report_inside_a_multipart_are_found() {
    let status = "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFkYUByZWFkZXIuZXhhbXBsZQ0KQWN0aW9uOiBmYWls\r\n\
        ZWQNClN0YXR1czogNS4xLjENCg==\r\n";
    let inner = format!("Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n{status}--b--\r\n");
    let outer = format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n{inner}--a--\r\n");
    for message in [&inner, &outer] {
        assert_eq!(short(message)[0].0, "ada@reader.example");
    }
}

#[test]
fn what_is_no_report_is_refused_with_the_reason_and_never_quoted() {
    for (message, why) in [
        ("", "no delivery status"),
        ("Subject: secret\r\n\r\nAction: failed\r\n", "no delivery status"),
        (&POSTFIX.replace("rfc822;", "x400;/"), "names no recipient"),
        (&COMPLAINT.replace("Feedback-Type: abuse", "Feedback-Type: secret"), "says nothing about an address"),
        (&COMPLAINT.replace("<ada@mailbox.example>", "redacted").replace("To: \"Bob", "Cc: \"Bob"), "names no address"),
        (&"x".repeat((16 << 20) + 1), "longer than 16 MiB"),
    ] {
        let error = read(message).unwrap_err();
        assert!(error.contains(why) && !error.contains("secret"), "{error}");
    }
    // Written about in a forwarded mail is not reported.
    let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{POSTFIX}");
    assert!(read(&forwarded).is_err());
}

#[test]
fn large_and_deep_reports_are_read_in_no_time() {
    let mut status = "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n".to_owned();
    for n in 0..100_000 {
        write!(status, "\r\nFinal-Recipient: rfc822; a{n}@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n").unwrap();
    }
    assert_eq!(read(&status).unwrap().len(), 1000);
    let mut deep = String::new();
    for n in 0..50_000 {
        write!(deep, "Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n").unwrap();
    }
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(200_000);
    let lines = format!("Content-Type: message/delivery-status\r\n\r\n{}", "Action: failed\r\n".repeat(500_000));
    let folded = format!("Content-Type: message/delivery-status\r\n\r\nAction:{}", "\r\n a".repeat(1_000_000));
    for message in [deep, nested, lines, folded] {
        assert!(read(&message).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = BounceReports.read(&bytes);
    }

    #[test]
    fn no_mutation_of_a_report_panics(
        complaint in any::<bool>(), at in 0..1800_usize, cut in 0..40_usize, with in "(\r\n|--|;|:|<|>|\\PC| |\"){0,6}"
    ) {
        let mut message = if complaint { COMPLAINT } else { POSTFIX }.as_bytes().to_vec();
        let at = at.min(message.len());
        let end = (at + cut).min(message.len());
        message.splice(at..end, with.into_bytes());
        let _ = BounceReports.read(&message);
    }
}
