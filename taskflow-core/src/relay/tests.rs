use super::*;

fn concern(asked: Asked, answer: &str) -> Concern {
    reply(asked, answer).concern()
}

fn reply(asked: Asked, answer: &str) -> Reply {
    let (code, text) = answer.split_once(' ').expect("a code and a text");
    Reply::new(asked, code.parse().expect("a code"), text)
}

fn id(n: u128) -> DeliveryId {
    DeliveryId::from_uuid(uuid::Uuid::from_u128(n))
}

fn judge(watch: &mut RelayWatch, n: u128, asked: Asked, answer: &str) -> SendError {
    let to = format!("reader-{n}@reader.example");
    let reply = reply(asked, &answer.replace("READER", &to));
    let is_for_good = reply.code.is_some_and(|code| code >= 500);
    let error = if is_for_good { MailError::Permanent(reply) } else { MailError::Transient(reply) };
    watch.judge(id(n), &to.parse().expect("an address"), error)
}

#[test]
fn an_answer_about_the_mailbox_is_told_from_one_about_us() {
    use Asked::{Content, Recipient, Sender};
    for (asked, answer, expected) in [
        (Recipient, "550 5.1.1 <ada@reader.example>: user unknown", Concern::Mailbox),
        (Recipient, "550 no such user here", Concern::Mailbox),
        (Recipient, "552 5.2.2 mailbox full", Concern::Mailbox),
        (Recipient, "452 4.2.2 mailbox full", Concern::Mailbox),
        (Content, "552 5.2.2 the recipient's mailbox is over quota", Concern::Mailbox),
        (Recipient, "552 5.2.2 quota exceeded", Concern::Unclear),
        (Content, "552 quota exceeded", Concern::Unclear),
        (Content, "552 5.2.2 over quota", Concern::Unclear),
        (Content, "552 exceeded storage allocation", Concern::Unclear),
        (Content, "552 message size exceeds fixed limit", Concern::Message),
        (Sender, "552 quota exceeded", Concern::Relay),
        (Recipient, "450 4.2.1 mailbox busy", Concern::Mailbox),
        (Recipient, "450 mailbox unavailable", Concern::Mailbox),
        (Content, "552 5.3.4 message too big", Concern::Message),
        (Sender, "552 5.3.4 message size exceeds the fixed limit", Concern::Message),
        (Content, "554 5.6.0 malformed", Concern::Message),
        (Sender, "550 5.1.8 bad sender", Concern::Relay),
        (Sender, "553 5.7.1 sender address rejected: not owned by user", Concern::Relay),
        (Sender, "550 5.1.1 no such user", Concern::Relay),
        (Sender, "552 5.2.2 quota of the sender exceeded", Concern::Relay),
        (Sender, "451 4.3.0 try later", Concern::Relay),
        (Recipient, "451 4.7.1 greylisted", Concern::Relay),
        (Recipient, "450 greylisted, come back later", Concern::Relay),
        (Recipient, "451 local error in processing", Concern::Relay),
        (Recipient, "452 4.3.1 insufficient system storage", Concern::Relay),
        (Recipient, "452 4.5.3 too many recipients", Concern::Relay),
        (Recipient, "450 4.2.2 sender quota exceeded", Concern::Relay),
        (Recipient, "550 5.7.1 relay access denied", Concern::Relay),
        (Recipient, "554 5.7.26 unauthenticated mail", Concern::Relay),
        (Recipient, "554 5.7.1 client host blocked", Concern::Relay),
        (Recipient, "550 5.4.5 daily sending quota exceeded", Concern::Relay),
        (Content, "550 5.7.1 your reputation is too low", Concern::Relay),
        (Content, "451 4.3.2 system is shutting down", Concern::Relay),
        (Content, "503 bad sequence of commands", Concern::Relay),
        (Recipient, "530 5.7.0 authentication required", Concern::Relay),
        (Recipient, "421 4.7.0 closing", Concern::Relay),
        (Recipient, "550 5.7.1 not from you", Concern::Unclear),
        (Recipient, "550 no", Concern::Unclear),
        (Content, "554 transaction failed", Concern::Unclear),
    ] {
        assert_eq!(concern(asked, answer), expected, "{asked:?} {answer}");
    }
}

#[test]
fn a_refusal_whose_reason_is_unclear_ends_a_mail_only_when_others_were_taken_meanwhile() {
    let mut watch = RelayWatch::default();
    let unclear = |watch: &mut RelayWatch| judge(watch, 1, Asked::Recipient, "550 5.7.1 not from you");
    assert!(matches!(unclear(&mut watch), SendError::Deferred(_)));
    assert!(matches!(unclear(&mut watch), SendError::Deferred(_)), "nothing was taken");
    watch.accepted(id(2));
    assert!(matches!(unclear(&mut watch), SendError::Permanent { is_gone: false, .. }));
}

#[test]
fn equal_refusals_in_a_row_are_about_the_relay_whatever_they_say() {
    for (asked, answer, most) in [
        (Asked::Sender, "550 5.7.1 not you", 0),
        (Asked::Recipient, "554 5.7.1 READER: service refused (id 8A7F)", 0),
        (Asked::Recipient, "550 5.1.1 <READER>: user unknown", 2),
        (Asked::Recipient, "450 4.2.0 READER: greylisted", 5),
        (Asked::Content, "552 5.2.2 quota exceeded", 0),
        (Asked::Content, "450 4.7.1 rate limit", 0),
    ] {
        let mut watch = RelayWatch::default();
        let results: Vec<_> = (0..100).map(|n| judge(&mut watch, n, asked, answer)).collect();
        let counted = |one: &&SendError| matches!(one, SendError::Permanent { .. } | SendError::Transient(_));
        assert_eq!(results.iter().filter(counted).count(), most, "{answer}");
        assert!(results[30..].iter().all(|one| matches!(one, SendError::Unavailable(_))), "{answer}");
        watch.accepted(id(200));
        let gone = judge(&mut watch, 201, Asked::Recipient, "550 5.1.1 gone");
        assert!(matches!(gone, SendError::Permanent { is_gone: true, .. }), "it works again");
    }
}

#[test]
fn refusals_of_mailboxes_in_a_row_need_to_be_confirmed_whatever_they_say() {
    let answers = ["550 5.1.1 unknown", "550 no such user", "550 5.1.10 READER is gone", "553 5.1.3 bad address"];
    let mut watch = RelayWatch::default();
    let refused = |watch: &mut RelayWatch, n: u128| judge(watch, n, Asked::Recipient, answers[n as usize % 4]);
    // Two mails to one reader are one.
    for n in [0, 0, 1, 1] {
        assert!(matches!(refused(&mut watch, n), SendError::Permanent { is_gone: true, .. }), "{n}");
    }
    for n in 2..50 {
        assert!(matches!(refused(&mut watch, n), SendError::Deferred(_)), "{n}");
    }
    watch.accepted(id(100));
    for n in 2..50 {
        assert!(matches!(refused(&mut watch, n), SendError::Permanent { is_gone: true, .. }), "{n} meets it again");
    }
}
