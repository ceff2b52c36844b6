//! Whatever is written into a mail, somebody else's parser reads it out of it again.

use mail_parser::{Message as Parsed, MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;
use taskflow_core::{CalendarMethod, CalendarPart, Content, Mail, Mailbox};
use taskflow_mail::Message;

use crate::support::{from, mail};

/// Pieces that break mail where it is written carelessly.
const PIECES: [&str; 26] = [
    "\r",
    "\n",
    "\r\n",
    "\n.\n",
    "\n..",
    ".",
    "\nFrom ",
    "From ",
    "\n--",
    "--=_",
    "=",
    "=\n",
    "=3D",
    "=?utf-8?q?x?=",
    " ",
    "  \n",
    "\t\n",
    "\t",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{e9}",
    "\u{1F468}\u{200D}\u{1F469}",
    "\u{5d0}\u{202e}",
    "\u{feff}",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&PIECES[..]).prop_map(ToOwned::to_owned),
        2 => "[ -~]{0,90}",
        1 => any::<String>(),
        1 => ("[a-z\u{e9}\u{4e00}\u{1F600}.=]", 1_usize..2_500).prop_map(|(c, n)| c.repeat(n)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

/// What people can put into one line of a header: nothing that is too long for a mail.
fn line() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        2 => proptest::sample::select(&PIECES[..]).prop_map(ToOwned::to_owned),
        2 => "[ -~]{0,30}",
        1 => any::<String>(),
    ];
    proptest::collection::vec(word, 1..8).prop_map(|words| words.concat())
}

/// What a reader may find of a text: other line ends, no control characters.
fn legible(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// What a reader may find of a line.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").replace("=?", "= ?")
}

fn parse(message: &Message) -> Parsed<'_> {
    MessageParser::default().parse(message.source.as_bytes()).expect("a mail")
}

/// How many empty lines end a form is nobody's business, and parsers differ.
fn without_end(text: &str) -> &str {
    text.trim_end_matches('\n')
}

/// The text of each part, without what is around them.
fn forms(parsed: &Parsed<'_>) -> Vec<String> {
    let text = |body: &PartType<'_>| match body {
        PartType::Text(text) | PartType::Html(text) => Some(text.replace("\r\n", "\n")),
        _ => None,
    };
    parsed.parts.iter().filter_map(|part| text(&part.body)).collect()
}

/// What every relay can take, and nothing on the way changes (RFC 5321 §4.5.3.1.6, RFC 2049 §3).
fn assert_travels(source: &str) {
    assert!(source.is_ascii() && source.ends_with("\r\n"), "{source}");
    for line in source.split_terminator("\r\n") {
        assert!(!line.contains(['\r', '\n']) && line.len() <= 998, "{line:?}");
        assert!(!line.starts_with('.') && !line.starts_with("From "), "{line:?}");
    }
    let (_, body) = source.split_once("\r\n\r\n").expect("headers end");
    let blank = |line: &str| line.ends_with([' ', '\t']);
    assert!(!body.split("\r\n").any(blank), "{body}");
}

fn hostile(text: String, html: String, calendar: Option<String>) -> Mail {
    let calendar = calendar.map(|text| CalendarPart { method: CalendarMethod::Request, text });
    Mail { content: Content { subject: "x".to_owned(), text, html: Some(html) }, calendar, ..mail(1) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_form_is_read_as_it_was_written(
        text in text(), html in text(), calendar in proptest::option::of(text())
    ) {
        let mail = hostile(text, html, calendar);
        let message = Message::write(&from(), &mail).unwrap();
        assert_travels(&message.source);
        prop_assert_eq!(&message, &Message::write(&from(), &mail).unwrap());
        let written = [Some(mail.content.text), mail.content.html, mail.calendar.map(|part| part.text)];
        let expected: Vec<_> = written.iter().flatten().map(|text| legible(text)).collect();
        let read = forms(&parse(&message));
        let both = (read.iter().map(|text| without_end(text)), expected.iter().map(|text| without_end(text)));
        prop_assert_eq!(both.0.collect::<Vec<_>>(), both.1.collect::<Vec<_>>());
    }

    #[test]
    fn a_letter_of_one_form_is_read_as_it_was_written(text in text()) {
        let mut mail = mail(1);
        (mail.content.text, mail.content.html) = (text, None);
        let message = Message::write(&from(), &mail).unwrap();
        assert_travels(&message.source);
        let read = forms(&parse(&message)).concat();
        let expected = legible(&mail.content.text);
        prop_assert_eq!(without_end(&read), without_end(&expected));
    }

    #[test]
    fn subjects_and_names_are_read_as_they_were_written(subject in line(), to in line(), sender in line()) {
        let mut mail = mail(1);
        mail.content.subject.clone_from(&subject);
        mail.to.name = Some(to.clone());
        let sender = Mailbox { name: Some(sender), ..from() };
        let message = Message::write(&sender, &mail).unwrap();
        assert_travels(&message.source);
        let parsed = parse(&message);
        prop_assert_eq!(parsed.subject().unwrap_or_default(), one_line(&subject), "{}", message.source);
        for (list, mailbox) in [(parsed.to(), &mail.to), (parsed.from(), &sender)] {
            let list: Vec<_> = list.expect("addresses").iter().collect();
            prop_assert_eq!(list.len(), 1, "{}", message.source);
            prop_assert_eq!(list[0].address(), Some(mailbox.address.as_str()));
            let name = one_line(mailbox.name.as_deref().unwrap_or_default());
            prop_assert_eq!(list[0].name().unwrap_or_default(), name, "{}", message.source);
        }
        let headers = message.source.split_once("\r\n\r\n").expect("headers end").0;
        let names: Vec<_> = headers.split("\r\n").filter(|line| !line.starts_with(' ')).collect();
        prop_assert_eq!(names.len(), 8, "{}", headers);
    }
}

#[test]
fn each_form_travels_the_shortest_way() {
    let encoding = |text: &str| {
        let message = Message::write(&from(), &hostile("x\n".to_owned(), text.to_owned(), None)).unwrap();
        let parsed = parse(&message);
        assert_eq!(parsed.parts[1].content_transfer_encoding(), Some("7bit"));
        parsed.parts[2].content_transfer_encoding().unwrap().to_owned()
    };
    for plain in ["<p>Hello</p>\n", "", "\tx\n\n\nx", &format!("{}\n", "x".repeat(998)), "a\0b\n"] {
        assert_eq!(encoding(plain), "7bit", "{plain}");
    }
    let accents = format!("{}gr\u{fc}n\n", "x".repeat(80));
    for touched in [&accents, "blank \n", "blank\t\n", ".\n", "a\nFrom b\n", "--=_x\n", &"x".repeat(999)] {
        assert_eq!(encoding(touched), "quoted-printable", "{touched}");
    }
    assert_eq!(encoding("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\n"), "base64");
}
