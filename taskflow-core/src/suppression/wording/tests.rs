use super::*;

#[test]
fn only_a_mailbox_that_is_gone_ends_the_mail_to_an_address() {
    for (status, said) in [
        ("5.1.1", ""),
        ("5.1.10", ""),
        ("5.2.1", "552 5.2.2 full"),
        ("550", "5.1.1 gone"),
        ("550", "No such user here"),
        ("5.0.0", "550 5.1.1 gone"),
        ("", "550-user unknown"),
        ("5.1.2", "DNS Error: DNS type 'mx' lookup of nowhere.example responded with code NXDOMAIN"),
    ] {
        assert!(bounce_is_for_good(status, said), "{status} {said}");
    }
    for (status, said) in [
        ("5.2.2", ""),
        ("5.7.1", "550 5.1.1 gone"),
        ("5.7.26", ""),
        ("5.1.8", ""),
        ("5.4.7", ""),
        ("552", ""),
        ("554", "go away"),
        ("550", "5.7.1 user unknown to our policy"),
        ("5.0.0", ""),
        ("5.0.0", "\u{20ac}\u{20ac}"),
        ("4.4.7", "user unknown"),
        ("451", "user unknown"),
        ("", ""),
        ("2.0.0", ""),
    ] {
        assert!(!bounce_is_for_good(status, said), "{status} {said}");
    }
}

/// As providers and servers write it, with the status of their report.
#[test]
fn the_words_of_large_providers_are_understood() {
    for (status, said) in [
        (
            "5.0.0",
            "554 delivery error: dd This user doesn't have an example.org account (a@example.org) [0] - mta7.example.org",
        ),
        ("5.0.0", "554 delivery error: dd This user doesn\u{2019}t have a yahoo.com account (a@yahoo.com) [-20]"),
        ("5.0.0", "554 30 Sorry, your message to a@yahoo.com cannot be delivered. This mailbox is disabled (554.30)."),
        ("5.0.0", "552 1 Requested mail action aborted, mailbox not found"),
        ("5.0.0", "550 5.2.1 The email account that you tried to reach is disabled."),
        (
            "5.0.0",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the address",
        ),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [edge.example.net]"),
        ("5.4.1", "550 5.4.1 [gone@example.com]: Recipient address rejected: Access denied"),
        ("5.1.351", "Remote server returned unknown recipient or mailbox unavailable"),
        ("5.4.310", "DNS domain nowhere.example does not exist [Message=InfoDomainNonexistent]"),
        ("5.0.0", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        ("5.1.0", "550 5.1.0 <a@example.org>... Unknown user"),
        ("5.0.0", "550 <a@icloud.com>: user does not exist"),
        ("5.1.0", "550 unknown or illegal alias: a@example.org"),
        (
            "5.4.4",
            "Host or domain name not found. Name service error for name=nowhere.example type=AAAA: Host not found",
        ),
        ("5.4.4", "Host or domain name not found. Name service error for name=nowhere.example type=A: Host not found"),
        ("5.0.0", "550 Unrouteable address"),
        ("", "all relevant MX records point to non-existent hosts"),
        ("5.0.0", "550 Host unknown (Name server: nowhere.example.: host not found)"),
        ("", "Sorry, no mailbox here by that name. (#5.1.1)"),
        ("", "Sorry, I couldn't find any host named nowhere.example. (#5.1.2)"),
        ("", "Remote host said: 550 5.1.1 no such user"),
        (
            "",
            "Remote host said: 550 <a@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
        ),
        ("5.0.0", "SMTP error from remote mail server after RCPT TO:<a@example.org>: 550 No Such User Here"),
        ("5.0.0", "554 5.0.0 User a (a@example.org) not listed in Domino Directory"),
        ("5.4.4", "Domain example.org does not accept mail (nullMX)"),
        ("5.0.0", "550 Requested action not taken: mailbox unavailable"),
    ] {
        assert!(bounce_is_for_good(status, said), "{status} {said}");
    }
}

#[test]
fn what_is_about_us_or_about_today_ends_nothing() {
    for (status, said) in [
        ("5.0.0", "552 5.2.2 The email account that you tried to reach is over quota"),
        ("5.0.0", "554 delivery error: dd Sorry, the mailbox is full, user unknown to have space"),
        ("5.0.0", "552-5.2.2 The recipient's inbox is out of storage space"),
        (
            "5.2.1",
            "550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
        ),
        ("5.0.0", "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional"),
        ("5.0.0", "451 4.7.1 Greylisting in action, please come back later"),
        ("5.0.0", "550 Greylisted, user unknown until then, try again later"),
        ("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated"),
        ("5.7.1", "550 5.7.1 Recipient address rejected: Access denied"),
        ("5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"),
        ("5.0.0", "550 Access denied"),
        ("5.4.1", "550 5.4.1 No answer from host"),
        ("5.4.1", "connect to mx.example.org: Connection timed out"),
        (
            "5.4.4",
            "Host or domain name not found. Name service error for name=a.example type=MX: Host not found, try again",
        ),
        ("5.4.4", ""),
        ("5.4.6", "Routing loop detected, user unknown"),
        ("5.0.0", "550 The sender's mailbox does not exist"),
        ("5.0.0", "550 Sender address rejected: Domain not found"),
        ("5.0.0", "550 SMTP error from remote mail server after MAIL FROM:<t@example.com>: 550 no such user"),
        ("5.1.8", "550 5.1.8 Sender address rejected: Domain not found"),
        ("5.1.7", "550 5.1.7 no such user"),
        ("5.0.0", "554 Message rejected as spam, the mailbox does not exist for you"),
        ("5.0.0", "550 mailbox unavailable, see our policy at https://policy.example.org"),
        ("5.0.0", "550 JunkMail rejected, no such user"),
        ("5.0.0", "554 5.7.9 Message not accepted for policy reasons"),
        ("5.0.0", "550 relay not permitted, unrouteable address"),
        ("5.3.4", "552 message too large, user unknown"),
        ("4.2.2", "452 4.2.2 The email account that you tried to reach is over quota"),
        ("5.0.0", "421 4.7.0 no such user"),
        ("5.0.0", "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Your network is on our block list"),
    ] {
        assert!(!bounce_is_for_good(status, said), "{status} {said}");
    }
    // A name of a host or an address says nothing.
    assert!(bounce_is_for_good("5.0.0", "550 <spam@policy.example>: user unknown at relay.blocked.example"));
}

proptest::proptest! {
    #[test]
    fn no_words_panic(status in "[0-9.]{0,8}", said in "\\PC{0,80}") {
        let _ = bounce_is_for_good(&status, &said);
        let _ = refuses_the_mailbox(550, &said);
    }
}
