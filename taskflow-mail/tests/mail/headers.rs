//! Who reads a mail, where answers go, what it belongs to and how it is ended.

use mail_parser::{Address, HeaderValue, Message as Parsed, MessageParser};
use taskflow_core::ports::{MailError, Mailer};
use taskflow_core::{EmailAddress, Headers, Mail, Mailbox};
use taskflow_mail::Message;

use crate::support::{Rig, from, mail, permanent};

const HOSTILE: [&str; 8] = [
    "Eve\r\nBcc: eve@evil.example\r\n\r\nbody",
    "Eve\nBcc: eve@evil.example",
    "\"Eve\" <eve@evil.example>,",
    "Eve\u{2028}Bcc: eve@evil.example\0",
    "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=",
    "Eve\\\", <eve@evil.example>, \"",
    "\u{1F600}\u{202e}\u{e9}",
    "; x=y, (comment) [x] : <>",
];

fn mailbox(name: Option<&str>, address: &str) -> Mailbox {
    Mailbox { name: name.map(ToOwned::to_owned), address: address.parse().unwrap() }
}

fn with(headers: Headers) -> Mail {
    Mail { headers, ..mail(1) }
}

fn written(headers: Headers) -> String {
    Message::write(&from(), &with(headers)).unwrap().source
}

fn parse(source: &str) -> Parsed<'_> {
    MessageParser::default().parse(source.as_bytes()).expect("a mail")
}

fn addresses(list: Option<&Address<'_>>) -> Vec<String> {
    list.map(|list| list.iter().filter_map(|one| one.address().map(ToOwned::to_owned)).collect()).unwrap_or_default()
}

fn refused(headers: Headers) -> String {
    match Message::write(&from(), &with(headers)) {
        Err(MailError::Permanent(reply)) => reply.text,
        other => panic!("{other:?} is not refused"),
    }
}

#[tokio::test]
async fn a_mail_shows_whom_it_is_to_and_travels_to_one() {
    let rig = Rig::plain().await;
    let shown_to = vec![mailbox(Some("Ada"), "ada@reader.example"), mailbox(None, "bob@reader.example")];
    let cc = vec![mailbox(Some("Eva"), "eva@reader.example")];
    let reply_to = Some(mailbox(None, "desk@sender.example"));
    let mut hidden = with(Headers { shown_to, cc, reply_to, ..Headers::default() });
    hidden.to = mailbox(None, "hidden@reader.example");
    rig.mailer.send(&hidden).await.unwrap();
    let received = rig.server.mails().remove(0);
    assert_eq!(received.to, ["hidden@reader.example"]);
    let source = String::from_utf8(received.data).unwrap();
    assert!(!source.contains("hidden"), "{source}");
    let parsed = parse(&source);
    assert_eq!(addresses(parsed.to()), ["ada@reader.example", "bob@reader.example"]);
    assert_eq!(addresses(parsed.cc()), ["eva@reader.example"]);
    assert_eq!(addresses(parsed.reply_to()), ["desk@sender.example"]);
}

#[test]
fn a_hundred_names_are_folded_into_lines_that_smtp_can_carry() {
    let shown_to: Vec<_> =
        (0..100).map(|n| mailbox(Some("M\u{fc}ller, Jos\u{e9}"), &format!("p{n}@reader.example"))).collect();
    let source = written(Headers { shown_to, ..Headers::default() });
    assert!(source.lines().all(|line| line.len() <= 998));
    assert_eq!(addresses(parse(&source).to()).len(), 100);
    assert!(parse(&source).to().unwrap().iter().all(|one| one.name() == Some("M\u{fc}ller, Jos\u{e9}")), "{source}");
}

#[test]
fn mail_of_a_thread_answers_to_the_same_letter_and_other_mail_to_none() {
    let headers =
        || Headers { thread: Some("task-0198c0de-0000-7000-8000-000000000001".to_owned()), ..Headers::default() };
    let root = "task-0198c0de-0000-7000-8000-000000000001@sender.example";
    let mut later = with(headers());
    later.id = mail(2).id;
    for source in [written(headers()), Message::write(&from(), &later).unwrap().source] {
        let parsed = parse(&source);
        assert_eq!(parsed.in_reply_to().as_text(), Some(root));
        assert_eq!(parsed.references().as_text(), Some(root));
        assert_ne!(parsed.message_id(), Some(root));
    }
    let source = written(Headers::default());
    assert!(!source.contains("References") && !source.contains("In-Reply-To"), "{source}");
    for bad in ["", "a b", "a>", "a\r\nBcc: x", "\u{e9}", &"x".repeat(201)] {
        assert!(refused(Headers { thread: Some(bad.to_owned()), ..Headers::default() }).contains("thread"), "{bad:?}");
    }
}

#[test]
fn one_click_ends_mail_of_a_kind() {
    let url = format!("https://tasks.example.org/u/{}", "x".repeat(400));
    let source = written(Headers { unsubscribe_url: Some(url.clone()), ..Headers::default() });
    let unfolded = source.replace("\r\n ", " ");
    assert!(unfolded.contains(&format!("\r\nList-Unsubscribe: <{url}>\r\n")), "{unfolded}");
    assert!(unfolded.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{unfolded}");
    assert!(!written(Headers::default()).contains("List-Unsubscribe"));
    for bad in [
        "",
        "javascript:x",
        "https://x.example/>, <https://y.example",
        "https://x.example/\r\nBcc: x",
        "https://x.example/\u{e9}",
    ] {
        let headers = Headers { unsubscribe_url: Some(bad.to_owned()), ..Headers::default() };
        assert!(refused(headers).contains("the address at which to end it"), "{bad:?}");
    }
}

#[test]
fn no_name_can_add_a_header_or_a_reader() {
    for name in HOSTILE {
        let someone = || mailbox(Some(name), "ada@reader.example");
        let mut mail = with(Headers {
            shown_to: vec![someone()],
            cc: vec![someone()],
            reply_to: Some(someone()),
            ..Headers::default()
        });
        mail.to.name = Some(name.to_owned());
        let source = Message::write(&someone(), &mail).unwrap().source;
        assert_eq!(source, Message::write(&someone(), &mail).unwrap().source);
        let parsed = parse(&source);
        for list in [parsed.from(), parsed.to(), parsed.cc(), parsed.reply_to()] {
            assert_eq!(addresses(list), ["ada@reader.example"], "{name:?}: {source}");
        }
        assert!(parsed.bcc().is_none() && parsed.header("Bcc").is_none(), "{source}");
        assert_eq!(parsed.header("Auto-Submitted").and_then(HeaderValue::as_text), Some("auto-generated"));
        assert!(!source.contains("=?utf-8?q?=0D"), "{source}");
    }
}

#[tokio::test]
async fn an_address_that_needs_smtputf8_is_no_address_here() {
    for address in ["\u{e9}va@reader.example", "\u{5d0}@reader.example"] {
        assert!(address.parse::<EmailAddress>().unwrap_err().to_string().contains("ASCII"), "{address}");
    }
    let rig = Rig::plain().await;
    let mut mail = mail(1);
    // A domain has a form in ASCII (RFC 5890), which needs no extension of the relay.
    mail.to.address = "eva@r\u{e9}ader.example".parse().unwrap();
    assert_eq!(mail.to.address.as_str(), "eva@xn--rader-bsa.example");
    rig.mailer.send(&mail).await.unwrap();
    assert_eq!(rig.server.mails().len(), 1);
    mail.headers.unsubscribe_url = Some("ftp://x.example".to_owned());
    assert!(permanent(rig.mailer.send(&mail).await).text.contains("none of the web"));
    assert_eq!(rig.server.mails().len(), 1);
}
