//! Reports that come back, as relays and mailbox providers write them.

use std::fmt::Write;

use proptest::prelude::*;
use taskflow_core::ports::Bounces;
use taskflow_core::{BounceKind, BounceReport, ReturnedMail};
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

fn short(message: &str) -> Vec<(String, BounceKind, String)> {
    let reports = read(message).unwrap();
    reports
        .into_iter()
        .map(|r| (r.email.map_or_else(String::new, |email| email.to_string()), r.kind, r.detail))
        .collect()
}

#[test]
fn a_report_of_delivery_names_whom_mail_did_not_reach_and_why() {
    let ada = "550 5.1.1 <ada.l@reader.example>: Recipient address rejected: User unknown";
    let bob = "4.4.1 connect to mail.reader.example: Connection timed out";
    let expected = [
        ("ada@reader.example", BounceKind::Hard, ada),
        ("bob@reader.example", BounceKind::Delayed, bob),
        ("carol@reader.example", BounceKind::Delivered, "2.0.0"),
    ];
    let expected = expected.map(|(email, kind, why)| (email.to_owned(), kind, why.to_owned()));
    assert_eq!(short(POSTFIX), expected);
    assert_eq!(short(&POSTFIX.replace("\r\n", "\n")), expected);
}

#[test]
fn only_what_is_refused_for_good_is_for_good() {
    for (status, kind) in [
        ("5.2.1", BounceKind::Hard),
        ("4.2.2", BounceKind::Soft),
        ("5.2.2", BounceKind::Soft),
        ("5.7.1", BounceKind::Soft),
        ("5.7.26", BounceKind::Soft),
        ("5.1.1 (no such user)", BounceKind::Hard),
        ("5.0.0", BounceKind::Hard),
        ("", BounceKind::Hard),
    ] {
        let message = POSTFIX.replace("Status: 5.1.1", &format!("Status: {status}"));
        assert_eq!(short(&message)[0].1, kind, "{status}");
    }
    let message = POSTFIX.replace("Status: 5.1.1\r\n", "").replace("smtp; 550 5.1.1", "smtp; 450 4.2.0");
    assert_eq!(short(&message)[0].1, BounceKind::Soft);
    let message = POSTFIX.replace("Status: 5.1.1", "Status: 5.0.0").replace("smtp; 550 5.1.1", "smtp; 550 5.7.1");
    assert_eq!(short(&message)[0].1, BounceKind::Soft);
}

const DELIVERY: &str = "01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f";

fn ours(to: Option<&str>) -> Option<ReturnedMail> {
    Some(ReturnedMail { delivery: DELIVERY.parse().unwrap(), to: to.map(|to| to.parse().unwrap()) })
}

#[test]
fn a_mail_of_ours_is_known_by_its_message_id() {
    let headers = format!("From: tasks@sender.example\r\nMessage-ID: <{DELIVERY}@sender.example>");
    let returned = POSTFIX.replace("From: tasks@sender.example", &headers);
    assert_eq!(POSTFIX.matches("From: tasks@sender.example").count(), 1);
    let mail = |message: &str| read(message).unwrap()[0].mail.clone();
    assert_eq!(mail(POSTFIX), None);
    assert_eq!(mail(&returned), ours(Some("ada@reader.example")));
    let complaint =
        COMPLAINT.replace("Subject: Your tasks\r\n\r\nhello", &format!("Message-ID:\r\n <{DELIVERY}@x>\r\n\r\nhello"));
    assert_eq!(mail(&complaint), ours(Some("bob@mailbox.example")));
    let hidden = complaint
        .replace("Original-Rcpt-To: <ada@mailbox.example>\r\n", "")
        .replace("To: \"Bob, once\" <bob@mailbox.example>\r\n", "");
    let report = &read(&hidden).unwrap()[0];
    assert_eq!((&report.email, &report.mail, report.kind), (&None, &ours(None), BounceKind::Complaint));
    // Where Gmail and Exchange name it.
    let status = "Reporting-MTA: dns; mx.example\r\n";
    let named = POSTFIX.replace(status, &format!("{status}X-Original-Message-ID: <{DELIVERY}@sender.example>\r\n"));
    assert_eq!(mail(&named), ours(Some("ada@reader.example")));
    let answered = format!("In-Reply-To: <{DELIVERY}@sender.example>\r\n{POSTFIX}");
    assert_eq!(mail(&answered), ours(Some("ada@reader.example")));
    let headers_only = returned.replace("message/rfc822", "text/rfc822-headers");
    assert_eq!(mail(&headers_only), ours(Some("ada@reader.example")));
}

#[test]
fn the_original_recipient_is_in_xtext() {
    let message = POSTFIX.replace("Original-Recipient: rfc822;ada@", "Original-Recipient: rfc822;ada+2Btasks@");
    assert_eq!(short(&message)[0].0, "ada+tasks@reader.example");
}

#[test]
fn where_the_status_says_nothing_what_is_written_for_people_decides() {
    let exim = |words: &str| {
        format!(
            "From: Mail Delivery <mailer-daemon@mx.example>\r\nContent-Type: multipart/report; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nA message that you sent could not be delivered.\r\n\r\n\
             \x20 Gone@reader.example\r\n    {words}\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
             Action: failed\r\nFinal-Recipient: rfc822;gone@reader.example\r\nStatus: 5.0.0\r\n--b--\r\n"
        )
    };
    for (words, kind) in [
        ("SMTP error from remote mail server after RCPT TO: 550 5.1.1 User unknown", BounceKind::Hard),
        ("Unrouteable address", BounceKind::Hard),
        ("SMTP error from remote mail server after RCPT TO: 550 mailbox full", BounceKind::Soft),
        ("SMTP error from remote mail server after MAIL FROM: 550 no such user", BounceKind::Soft),
        ("SMTP error from remote mail server after RCPT TO: 550 5.7.1 no such user", BounceKind::Soft),
        ("retry timeout exceeded", BounceKind::Soft),
    ] {
        let found = short(&exim(words));
        assert_eq!((found[0].0.as_str(), found[0].1), ("gone@reader.example", kind), "{words}");
        assert!(found[0].2.contains(words), "{:?}", found[0].2);
    }
    // Of several recipients each has its own paragraph.
    let two = exim("mailbox full\r\n\r\n  other@reader.example\r\n    550 5.1.1 User unknown").replace(
        "Status: 5.0.0\r\n",
        "Status: 5.0.0\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;other@reader.example\r\nStatus: 5.0.0\r\n",
    );
    let kinds: Vec<_> = short(&two).into_iter().map(|(email, kind, _)| (email, kind)).collect();
    let expected = [("gone@reader.example", BounceKind::Soft), ("other@reader.example", BounceKind::Hard)];
    assert_eq!(kinds, expected.map(|(email, kind)| (email.to_owned(), kind)));
}

/// As qmail writes it (QSBMF).
const QMAIL: &str = "Return-Path: <>\r\nFrom: MAILER-DAEMON@q.example\r\nTo: tasks@sender.example\r\nSubject: failure notice\r\n\r\n\
    Hi. This is the qmail-send program at q.example.\r\n\
    I'm afraid I wasn't able to deliver your message to the following addresses.\r\n\
    This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n\
    <gone@reader.example>:\r\n192.0.2.1 does not like recipient.\r\nRemote host said: 550 5.1.1 no such user\r\n\
    Giving up on 192.0.2.1.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n\
    Return-Path: <tasks@sender.example>\r\nMessage-ID: <01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f@sender.example>\r\n\
    To: gone@reader.example\r\nSubject: hello\r\n\r\nhello\r\n";

#[test]
fn a_failure_notice_in_plain_text_is_read() {
    let report = &read(QMAIL).unwrap()[0];
    assert_eq!(report.email.as_ref().map(taskflow_core::EmailAddress::as_str), Some("gone@reader.example"));
    assert_eq!((report.kind, &report.mail), (BounceKind::Hard, &ours(Some("gone@reader.example"))));
    let kind = |message: &str| read(message).unwrap()[0].kind;
    assert_eq!(kind(&QMAIL.replace("\r\n", "\n")), BounceKind::Hard);
    assert_eq!(kind(&QMAIL.replace("550 5.1.1 no such user", "552 mailbox full")), BounceKind::Soft);
    assert_eq!(kind(&QMAIL.replace("550 5.1.1 no such user", "550 5.7.1 blocked")), BounceKind::Soft);
    assert_eq!(
        kind(&QMAIL.replace("Subject: failure notice", "Subject: Warning: message delayed 24 hours")),
        BounceKind::Delayed
    );
    assert_eq!(kind(&QMAIL.replace("This is a permanent error", "It has not yet been delivered")), BounceKind::Delayed);
    let exim = "X-Failed-Recipients: gone@reader.example\r\nAuto-Submitted: auto-replied\r\n\
        From: Mail Delivery System <Mailer-Daemon@mx.example>\r\nSubject: Mail delivery failed: returning message to sender\r\n\r\n\
        This message was created automatically by mail delivery software.\r\n\r\n\
        A message that you sent could not be delivered to one or more of its\r\nrecipients. This is a permanent error. \
        The following address(es) failed:\r\n\r\n  gone@reader.example\r\n    host mx.reader.example [192.0.2.1]\r\n\
        \x20   SMTP error from remote mail server after RCPT TO:<gone@reader.example>:\r\n    550 No such user here\r\n\r\n\
        ------ This is a copy of the message, including all the headers. ------\r\n\r\n\
        Message-ID: <01932f6e-1a2b-7c3d-8e4f-5a6b7c8d9e0f@sender.example>\r\n\r\nhello\r\n";
    let report = &read(exim).unwrap()[0];
    assert_eq!((report.kind, &report.mail), (BounceKind::Hard, &ours(None)));
}

#[test]
fn a_failure_notice_in_parts_brings_the_mail_back_in_one_of_them() {
    let notice = |said: &str, kind: &str| {
        format!(
            "From: MAILER-DAEMON@q.example\r\nSubject: Undelivered\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nThe mail could not be delivered.\r\n\r\n{said}\r\n\
             --b\r\nContent-Type: {kind}\r\n\r\nMessage-ID: <{DELIVERY}@sender.example>\r\n\
             To: ada@reader.example\r\n\r\nhello\r\n--b--\r\n"
        )
    };
    for said in [
        "<private@else.example>: 550 5.1.1 User unknown",
        "private@else.example: 550 5.1.1 User unknown",
        "<private@else.example>:\r\n550 5.1.1 User unknown",
    ] {
        for kind in ["message/rfc822", "text/rfc822-headers"] {
            let reports = read(&notice(said, kind)).unwrap();
            let email = reports[0].email.as_ref().map(taskflow_core::EmailAddress::as_str);
            assert_eq!((reports.len(), email), (1, Some("private@else.example")), "{said}");
            assert_eq!((reports[0].kind, &reports[0].mail), (BounceKind::Hard, &ours(Some("ada@reader.example"))));
        }
    }
    // The address and the reason in one line, and nothing of the mail.
    let line = QMAIL.replace(">:\r\n192.0.2.1", ">: 192.0.2.1").split("--- Below").next().unwrap().to_owned();
    let report = &read(&line).unwrap()[0];
    assert_eq!(
        (short(&line)[0].0.as_str(), report.kind, &report.mail),
        ("gone@reader.example", BounceKind::Hard, &None)
    );
}

#[test]
fn comments_in_the_fields_of_a_status_say_nothing() {
    for (field, commented) in [
        ("Action: failed", "Action: failed (gave up)"),
        ("Action: failed", "Action: (after three days) Failed"),
        ("Status: 5.1.1", "Status: (really) 5.1.1 (no such user)"),
        ("rfc822;ada@reader.example", "rfc822 (mail);ada@reader.example (Ada (at home))"),
    ] {
        let found = &short(&POSTFIX.replacen(field, commented, 1))[0];
        assert_eq!((found.0.as_str(), found.1), ("ada@reader.example", BounceKind::Hard), "{commented}");
    }
    assert_eq!(short(&COMPLAINT.replace("Type: abuse", "Type: abuse (sic)"))[0].1, BounceKind::Complaint);
}

#[test]
fn an_automatic_answer_is_no_failure_notice() {
    let person = QMAIL.replace("MAILER-DAEMON@q.example", "Gone <gone@reader.example>");
    for message in [
        person.clone(),
        person.replace("failure notice", "Out of office: hello"),
        format!("Auto-Submitted: auto-replied\r\nIn-Reply-To: <{DELIVERY}@sender.example>\r\n{person}"),
    ] {
        assert!(read(&message).unwrap_err().contains("no delivery status"));
    }
    let receipt = format!(
        "From: gone@reader.example\r\nIn-Reply-To: <{DELIVERY}@sender.example>\r\n\
         Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; gone@reader.example\r\n\
         Disposition: automatic-action/MDN-sent-automatically; deleted\r\n--b--\r\n"
    );
    assert!(read(&receipt).is_err());
}

#[test]
fn a_complaint_is_about_whom_it_names_else_about_whom_the_mail_was_to() {
    let expected = |email: &str| vec![(email.to_owned(), BounceKind::Complaint, "reported as abuse".to_owned())];
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
        which in 0..3_usize, at in 0..1800_usize, cut in 0..40_usize, with in "(\r\n|--|;|:|<|>|\\PC| |\"){0,6}"
    ) {
        let mut message = [COMPLAINT, POSTFIX, QMAIL][which].as_bytes().to_vec();
        let at = at.min(message.len());
        let end = (at + cut).min(message.len());
        message.splice(at..end, with.into_bytes());
        let _ = BounceReports.read(&message);
    }
}
