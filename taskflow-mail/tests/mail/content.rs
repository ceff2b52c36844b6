//! What leaves, read by somebody else's parser.

use mail_parser::{HeaderValue, Message as Parsed, MessageParser, MimeHeaders};
use taskflow_core::notice::{
    PasswordChangedNotice, PasswordResetContent, TaskDueContent, VerifyEmailContent, WelcomeContent,
};
use taskflow_core::ports::{Mailer, Renderer};
use taskflow_core::{Content, Locale, MailLinks, NewTask, NoticeContent, NoticeKind, RenderInput, Task, TaskPriority};
use taskflow_mail::{Message, Templates};

use crate::support::{Rig, from, mail, noon, permanent};

fn input(content: Box<dyn NoticeContent>, public_url: Option<&str>) -> RenderInput {
    RenderInput {
        name: "Ada <ada>".to_owned(),
        locale: Locale::en(),
        zone: "America/New_York".parse().unwrap(),
        date: noon(),
        public_url: public_url.map(ToOwned::to_owned),
        unsubscribe_url: None,
        links: public_url.map(|url| MailLinks::sample(&*content, url)).unwrap_or_default(),
        content,
    }
}

fn task_due(title: &str) -> Box<dyn NoticeContent> {
    let due_at = "2026-11-23T14:30:00Z".parse().unwrap();
    let new = NewTask {
        description: Some(".\n..two dots\n<b>bold</b>".parse().unwrap()),
        priority: TaskPriority::High,
        due_at: Some(due_at),
        ..NewTask::titled(title.parse().unwrap())
    };
    let id = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
    let owner = "0198c0de-0000-7000-8000-000000000002".parse().unwrap();
    let task = Task::new(id, owner, new, noon()).unwrap();
    Box::new(TaskDueContent { task, due_at, others: Vec::new() })
}

fn contents() -> Vec<Box<dyn NoticeContent>> {
    vec![
        Box::new(WelcomeContent { verify_url: None }),
        Box::new(PasswordChangedNotice { at: noon() }),
        task_due("Water the plants"),
    ]
}

/// Something of every kind that has an HTML form of ours.
fn samples() -> impl Iterator<Item = Box<dyn NoticeContent>> {
    let kinds = NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Letter);
    kinds.filter_map(|kind| kind.sample(noon()))
}

/// Sends `content` over a socket and returns the bytes that arrived.
async fn sent(content: Content) -> Vec<u8> {
    let rig = Rig::plain().await;
    let mut mail = mail(1);
    mail.content = content;
    rig.mailer.send(&mail).await.unwrap();
    rig.server.mails().remove(0).data
}

fn parse(data: &[u8]) -> Parsed<'_> {
    MessageParser::default().parse(data).expect("a mail")
}

fn assert_no_bare_line_ends(data: &[u8]) {
    let text = std::str::from_utf8(data).expect("ASCII");
    assert!(text.is_ascii());
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
}

#[tokio::test]
async fn every_notice_arrives_as_text_and_html_with_the_headers_it_needs() {
    for sample in samples() {
        let content = Templates::new().render(&input(sample, Some("https://tasks.example.org"))).unwrap();
        let data = sent(content.clone()).await;
        assert_no_bare_line_ends(&data);
        let parsed = parse(&data);
        assert_eq!(parsed.subject(), Some(content.subject.as_str()));
        assert_eq!(parsed.message_id(), Some("0198c0de-0000-7000-8000-000000000001@sender.example"));
        assert_eq!(parsed.date().unwrap().to_rfc3339(), "2026-11-22T12:00:00Z");
        assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some("tasks@sender.example"));
        assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some("Ada"));
        let automatic = parsed.header("Auto-Submitted").and_then(HeaderValue::as_text);
        assert_eq!(automatic, Some("auto-generated"));
        let kind = parsed.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
        assert_eq!((parsed.text_body_count(), parsed.html_body_count()), (1, 1));
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), content.text);
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n"), content.html.unwrap());
        for part in parsed.parts.iter().skip(1) {
            assert_eq!(part.content_type().unwrap().attribute("charset"), Some("utf-8"));
        }
    }
}

#[test]
fn times_are_told_in_the_readers_zone() {
    let content = Templates::new().render(&input(task_due("x"), None)).unwrap();
    let told = "Monday, 23 November 2026 at 09:30 EST (America/New_York)";
    assert!(content.text.contains(told), "{}", content.text);
    assert!(content.html.unwrap().contains("America&#x2f;New_York"));
}

#[test]
fn without_an_address_of_the_service_there_are_no_links_and_never_remote_content() {
    for (without, with) in contents().into_iter().zip(contents()) {
        let content = Templates::new().render(&input(without, None)).unwrap();
        let html = content.html.unwrap();
        assert!(!html.contains("href") && !html.contains("http") && !content.text.contains("http"));
        let content = Templates::new().render(&input(with, Some("https://tasks.example.org"))).unwrap();
        assert!(content.text.contains(": https://tasks.example.org"));
        let html = content.html.unwrap();
        assert!(html.contains("href"));
        for remote in ["src=", "url(", "<link", "<img", "<script", "@import"] {
            assert!(!html.contains(remote), "{remote}");
        }
    }
}

#[test]
fn links_that_open_an_account_are_told_with_when_they_end() {
    let url = "https://tasks.example.org/verify?token=a&b".to_owned();
    let expires_at = noon();
    let contents: [Box<dyn NoticeContent>; 3] = [
        Box::new(VerifyEmailContent { url: url.clone(), expires_at }),
        Box::new(PasswordResetContent { url: url.clone(), expires_at }),
        Box::new(WelcomeContent { verify_url: Some(url.clone()) }),
    ];
    for content in contents {
        let welcomes = content.kind() == NoticeKind::Welcome;
        let content = Templates::new().render(&input(content, None)).unwrap();
        let html = content.html.unwrap();
        assert!(content.text.contains(&url), "{}", content.text);
        assert!(html.contains("href=\"https:&#x2f;&#x2f;tasks.example.org&#x2f;verify?token=a&amp;b\""), "{html}");
        let text = content.text.replace('\n', " ");
        let until = text.contains("expires on Sunday, 22 November 2026 at 07:00 EST (America/New_York)");
        assert!(until || welcomes, "{}", content.text);
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let render = || Templates::new().render(&input(task_due("x"), None)).unwrap();
    assert_eq!(render(), render());
}

#[tokio::test]
async fn a_hostile_title_is_text_and_nothing_else() {
    let hostile = [
        "</p><script>alert(1)</script>\u{1F600} {{ 7*7 }} {% include 'x' %}".to_owned(),
        "\u{1F600}".repeat(200),
        "x".repeat(200),
        ". leading dot".to_owned(),
        "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=".to_owned(),
        "caf\u{e9} gnp.exe  =?".to_owned(),
    ];
    for title in hostile {
        let content = Templates::new().render(&input(task_due(&title), None)).unwrap();
        let html = content.html.clone().unwrap();
        assert!(!html.contains("<script") && !html.contains("<b>bold") && !html.contains("Ada <ada>"), "{html}");
        assert!(html.contains("&lt;b&gt;bold"));
        let data = sent(content.clone()).await;
        assert_no_bare_line_ends(&data);
        let parsed = parse(&data);
        assert_eq!(parsed.subject(), Some(content.subject.replace("=?", "= ?").as_str()));
        assert!(parsed.bcc().is_none());
        let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
        assert_eq!(text, content.text);
        assert!(text.contains(&title) && text.contains("\n.\n..two dots\n<b>bold</b>"), "{text}");
    }
}

#[tokio::test]
async fn no_field_can_add_a_header_or_a_command() {
    let rig = Rig::plain().await;
    let mut mail = mail(1);
    mail.to.name = Some("Ada\r\nBcc: eve@evil.example\r\n\r\nbody".to_owned());
    mail.content.subject = "one\r\nBcc: eve@evil.example\u{2028}\0two\ttabs".to_owned();
    mail.content.text = "a\r\n.\r\nMAIL FROM:<eve@evil.example>\n.\n\r.\r\nlone\rCR \0\u{7f}".to_owned();
    mail.content.html = Some(".\r\n.\r.\n".to_owned());
    rig.mailer.send(&mail).await.unwrap();
    let received = rig.server.mails();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].to, ["ada@reader.example"]);
    assert_no_bare_line_ends(&received[0].data);
    let parsed = parse(&received[0].data);
    assert!(parsed.bcc().is_none());
    assert_eq!(parsed.subject(), Some("one Bcc: eve@evil.example two tabs"));
    assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("ada@reader.example"));
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text, "a\n.\nMAIL FROM:<eve@evil.example>\n.\n\n.\nlone\nCR ");
}

#[tokio::test]
async fn the_same_mail_twice_is_the_same_bytes() {
    let rig = Rig::plain().await;
    for _ in 0..2 {
        rig.mailer.send(&mail(7)).await.unwrap();
    }
    let received = rig.server.mails();
    assert_eq!(received[0].data, received[1].data);
    assert_eq!(received[0].data, Message::write(&from(), &mail(7)).unwrap().source.into_bytes());
}

#[tokio::test]
async fn a_mail_without_html_is_plain_text() {
    let content = Content { subject: "x".to_owned(), text: "gr\u{fc}n\n".to_owned(), html: None };
    let data = sent(content).await;
    let parsed = parse(&data);
    assert_eq!(parsed.content_type().unwrap().subtype(), Some("plain"));
    assert_eq!(parsed.body_text(0).unwrap().trim_end(), "gr\u{fc}n");
}

#[tokio::test]
async fn a_mail_that_no_relay_could_take_is_refused_for_good_without_asking_one() {
    let rig = Rig::plain().await;
    let mut mail = mail(1);
    mail.content.subject = "x".repeat(2000);
    assert_eq!(permanent(rig.mailer.send(&mail).await).code, None);
    assert_eq!(rig.server.connections(), 0);
}
