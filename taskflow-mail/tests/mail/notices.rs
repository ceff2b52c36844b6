//! What notices say, in whose language, and how an embedder changes that.

use std::fs;
use std::time::Duration;

use mail_parser::MessageParser;
use taskflow_core::notice::{
    CustomKind, CustomNotice, DailySummaryContent, NoticePolicy, NoticeType, ServerAlertNotice, TaskDueContent,
    TaskReminderContent, TaskStatusContent,
};
use taskflow_core::ports::Renderer;
use taskflow_core::{
    Content, Digest, Excerpt, Headers, Locale, Mail, MailLinks, Mailbox, NoticeContent, NoticeKind, Priority,
    RenderInput, ReplyTo, Task, TaskId, TaskLinks, Timestamp, Variable, Variables,
};
use taskflow_mail::{Message, Templates};

use crate::support::{self, noon, sample_of};

const SERVICE: &str = "https://tasks.example.org";

fn input(locale: &str, content: Box<dyn NoticeContent>) -> RenderInput {
    RenderInput {
        name: "Ada".to_owned(),
        locale: locale.parse().unwrap(),
        zone: "Europe/Berlin".parse().unwrap(),
        date: noon(),
        public_url: Some(SERVICE.to_owned()),
        unsubscribe_url: Some(format!("{SERVICE}/u/token")),
        links: MailLinks::sample(&*content, SERVICE),
        content,
    }
}

fn render(locale: &str, content: Box<dyn NoticeContent>) -> Content {
    Templates::new().render(&input(locale, content)).unwrap()
}

fn sample(kind: NoticeKind) -> Box<dyn NoticeContent> {
    kind.sample(noon()).unwrap()
}

fn reminder(digest: Digest) -> Box<dyn NoticeContent> {
    Box::new(TaskReminderContent(digest))
}

#[test]
fn a_reader_of_german_is_written_to_in_german() {
    let content = render("de-CH", sample(NoticeKind::TaskDue));
    assert_eq!(content.subject, "Fällig in 15 Minuten: Water the plants");
    let expected = "Guten Tag Ada,

„Water the plants“ ist in 15 Minuten fällig.

Fällig: Sonntag, 22. November 2026 um 13:15 Uhr MEZ (Europe/Berlin)
Priorität: mittel

Erledigt: https://tasks.example.org/t/sample-done
In 1 Stunde erinnern: https://tasks.example.org/t/sample-hour
Morgen um 09:00 Uhr erinnern: https://tasks.example.org/t/sample-tomorrow

Details anzeigen: https://tasks.example.org/t/sample

-- 
Sie erhalten diese E-Mail, weil Sie für diese Aufgabe eine Erinnerung
eingestellt haben.
E-Mails dieser Art abbestellen: https://tasks.example.org/u/token
";
    assert_eq!(content.text, expected);
    assert!(content.html.unwrap().contains("<html lang=\"de\">"));
}

#[test]
fn a_language_that_is_not_there_is_english() {
    assert_eq!(render("fr-CA", sample(NoticeKind::TaskDue)), render("en", sample(NoticeKind::TaskDue)));
    let american = render("en-US", sample(NoticeKind::TaskDue)).text;
    assert!(american.contains("Due: Sunday, November 22, 2026 at 1:15 PM CET (Europe/Berlin)"), "{american}");
}

#[test]
fn a_reminder_lists_what_is_due_first_and_counts_the_rest() {
    let TaskReminderContent(digest) = sample_of(NoticeKind::TaskReminder);
    let content = render("en", reminder(digest.clone()));
    assert_eq!(content.subject, "7 open tasks, next: Pay the invoice");
    let in_order = [
        "1 task overdue\n\n* Pay the invoice\n",
        "1 task due today\n\n* Prepare the board meeting\n  Due: 18:00 CET · high priority\n  https://tasks.example.org/t/sample\n",
        "2 tasks due in the next 7 days\n\n* Answer the customs office\n",
        "* Tidy up the shared folder\n",
        "and 3 more open tasks, due later or at no set time\n",
    ];
    let places: Vec<_> = in_order.iter().map(|part| content.text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {}", content.text);
    let mut many = digest.clone();
    many.today.total = 18;
    let content = render("en", reminder(many.clone()));
    assert!(content.text.contains("* and 17 more\n") && content.html.unwrap().contains("and 17 more"));
    many.today.total = 2;
    assert!(render("de", reminder(many)).text.contains("* und 1 weitere\n"));
    assert!(!render("en", reminder(digest.clone())).text.contains("more\n*"), "nothing is left out");
    // Where nothing has a date that is near, the rest is all there is to say.
    let later = Excerpt::from(vec![digest.week.items[0].clone()]);
    let content = render("en", reminder(Digest { later, ..Digest::of(digest.date) }));
    assert_eq!(content.subject, "1 open task: Answer the customs office");
    assert!(content.text.contains("1 open task\n\n* Answer the customs office\n"), "{}", content.text);
    assert!(!content.text.contains("priority") && !content.text.contains("and "), "{}", content.text);
}

#[test]
fn each_of_several_due_tasks_has_links_of_its_own() {
    let TaskDueContent { task, due_at, .. } = sample_of(NoticeKind::TaskDue);
    let later = |n: u32, title: &str, hours: u64| Task {
        id: format!("0198c0de-0000-7000-8000-{n:012}").parse::<TaskId>().unwrap(),
        title: title.parse().unwrap(),
        due_at: Some(due_at + Duration::from_hours(hours)),
        ..task.clone()
    };
    let others = vec![later(1, "q4", 48), later(2, "q3", 2)];
    let mut input = input("en", Box::new(TaskDueContent { task: task.clone(), due_at, others }));
    for (id, links) in &mut input.links.tasks {
        *links = TaskLinks::with_actions(|action| format!("{SERVICE}/t/{id}-{action:?}"));
    }
    let content = Templates::new().render(&input).unwrap();
    assert_eq!(content.subject, "Reminders for 3 tasks, first: Water the plants");
    let html = content.html.unwrap().replace("&#x2f;", "/");
    for body in [&content.text, &html] {
        let titles: Vec<_> = ["Water the plants", "q3", "q4"].iter().map(|title| body.rfind(title)).collect();
        assert!(titles.iter().all(Option::is_some) && titles.is_sorted(), "{titles:?} {body}");
        for id in input.links.tasks.keys() {
            assert_eq!(body.matches(&format!("{SERVICE}/t/{id}-Open")).count(), 1, "{body}");
        }
        assert!(!body.contains("Show details") && !body.contains("are due"), "{body}");
    }
    for id in input.links.tasks.keys() {
        assert!(html.contains(&format!("href=\"{SERVICE}/t/{id}-Complete\"")), "{html}");
    }
    input.locale = "de".parse().unwrap();
    let german = Templates::new().render(&input).unwrap().subject;
    assert_eq!(german, "Erinnerungen an 3 Aufgaben, zuerst: Water the plants");
}

#[test]
fn a_summary_leads_to_its_tasks_and_meetings() {
    let content = render("en", sample(NoticeKind::DailySummary));
    for (title, page) in [("Prepare the board meeting", "t"), ("Quarterly review", "r")] {
        let url = format!("{SERVICE}/{page}/sample");
        let below = &content.text[content.text.find(title).unwrap()..];
        assert!(below.lines().take(3).any(|line| line.trim() == url), "{below}");
        let html = content.html.as_ref().unwrap().replace("&#x2f;", "/");
        let link = html.split("<a ").find(|link| link.contains(title)).unwrap();
        assert!(link.contains(&format!("href=\"{url}\"")), "{link}");
    }
}

#[test]
fn a_summary_says_nothing_of_what_there_is_none() {
    let DailySummaryContent(mut digest) = sample_of(NoticeKind::DailySummary);
    let content = render("en", Box::new(DailySummaryContent(digest.clone())));
    assert_eq!(content.subject, "Your day: Sunday, 22 November");
    let parts = [
        "1 task overdue",
        "1 task due today",
        "1 meeting today",
        "2 tasks due in the next 7 days",
        "3 more open tasks",
        "1 task done yesterday",
    ];
    for body in [&content.text, content.html.as_ref().unwrap()] {
        let places: Vec<_> = parts.iter().map(|part| body.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {body}");
    }
    (digest.overdue, digest.today, digest.done, digest.meetings) = Default::default();
    let text = render("de", Box::new(DailySummaryContent(digest))).text;
    assert!(text.contains("2 Aufgaben in den nächsten 7 Tagen fällig\n"), "{text}");
    assert!(!text.contains("überfällig") && !text.contains("gestern") && !text.contains("heute"), "{text}");
}

#[test]
fn an_alert_says_what_to_do_about_each_problem() {
    use taskflow_core::ProblemArea::{Disk, MailQueue, Unknown};
    let alert: ServerAlertNotice = sample_of(NoticeKind::ServerAlert);
    let of = |areas| Box::new(ServerAlertNotice { areas, ..alert.clone() });
    let content = render("en", of(vec![MailQueue, Disk]));
    for advice in ["`taskflow mail test ADDRESS`", "Free some space on the disk"] {
        assert!(content.text.contains(advice) && content.html.as_ref().unwrap().contains(advice), "{}", content.text);
    }
    assert!(render("de", of(vec![Unknown])).text.contains("Protokoll des Dienstes"));
    assert!(!render("en", of(Vec::new())).text.contains("disk"));
}

#[test]
fn who_has_no_name_is_greeted_without_one() {
    let nameless = RenderInput { name: String::new(), ..input("en", sample(NoticeKind::MeetingInvite)) };
    let content = Templates::new().render(&nameless).unwrap();
    assert!(content.text.starts_with("Hello,\n\nGrace Hopper has invited you"), "{}", content.text);
}

#[test]
fn every_status_has_its_subject() {
    use taskflow_core::TaskStatus::{Completed, InProgress, Pending};
    let TaskStatusContent { task, .. } = sample_of(NoticeKind::TaskStatus);
    for (was, is, subject) in [
        (Pending, InProgress, "Started: Send the quarterly report"),
        (InProgress, Completed, "Done: Send the quarterly report"),
        (Completed, Pending, "Reopened: Send the quarterly report"),
    ] {
        let content = render("en", Box::new(TaskStatusContent { task: task.clone(), was, is }));
        assert_eq!(content.subject, subject);
        assert_eq!(content.text.contains("Due: "), is != Completed, "{}", content.text);
    }
}

#[test]
fn mail_that_can_be_ended_says_where_and_other_mail_does_not() {
    let mut input = input("en", sample(NoticeKind::DailySummary));
    let with = Templates::new().render(&input).unwrap();
    assert!(
        with.text.ends_with("Unsubscribe from emails like this: https://tasks.example.org/u/token\n"),
        "{}",
        with.text
    );
    assert!(with.html.unwrap().contains("u&#x2f;token"));
    input.unsubscribe_url = None;
    let without = Templates::new().render(&input).unwrap();
    assert!(!without.text.contains("Unsubscribe") && !without.html.unwrap().contains("Unsubscribe"));
}

#[test]
fn previews_are_the_same_for_the_same_moment_and_there_for_every_kind_but_samples() {
    let templates = Templates::new();
    let zone = "Asia/Kolkata".parse().unwrap();
    for kind in NoticeKind::ALL {
        let preview = || templates.preview(kind, &Locale::en(), &zone, Some(SERVICE), noon()).unwrap();
        assert_eq!(preview(), preview());
        assert_eq!(preview().is_some(), kind != NoticeKind::Sample, "{kind}");
    }
    let summary = templates.preview(NoticeKind::DailySummary, &Locale::en(), &zone, Some(SERVICE), noon());
    assert!(summary.unwrap().unwrap().text.contains("IST"));
}

#[test]
fn a_directory_takes_the_place_of_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("welcome/subject.txt", "{{ say('own.greeting', who=name) }}{% include 'own/mark.txt' %}");
    write("own/mark.txt", "!");
    write("locales/de.toml", "[own]\ngreeting = 'Servus {who}'");
    write("locales/en.toml", "brand = 'Acme'\n[own]\ngreeting = 'Hi {who}'");
    write("README.md", "left alone");
    write(".hidden/x.txt", "left alone");
    let templates = Templates::builder().directory(folder.path()).build().unwrap();
    let subject = |locale: &str, kind| templates.render(&input(locale, sample(kind))).unwrap().subject;
    assert_eq!(subject("de", NoticeKind::Welcome), "Servus Ada!");
    assert_eq!(subject("en-US", NoticeKind::Welcome), "Hi Ada!");
    assert_eq!(subject("en", NoticeKind::ServerAlert), "Alert: Acme needs attention");
    // What is added later wins.
    let again = Templates::builder().directory(folder.path()).template("welcome/subject.txt", "Later");
    assert_eq!(again.build().unwrap().render(&input("en", sample(NoticeKind::Welcome))).unwrap().subject, "Later");

    let refused = || Templates::builder().directory(folder.path()).build().unwrap_err();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write("task_due/body.html", "<p>\n{% if %}\n");
    assert_eq!((refused().place, refused().line), (at("task_due/body.html"), Some(2)));
    write("task_due/body.html", "<p>\n\n{{ say('own.gretting') }}\n");
    assert_eq!((refused().place, refused().line), (at("task_due/body.html"), Some(3)));
    write("task_due/body.html", "<p>{{ title }}</p>");
    write("locales/de.toml", "\nhello = 'Tag {nme}'");
    assert_eq!((refused().place, refused().line), (at("locales/de.toml"), Some(2)));
    // What German lacks is said in English.
    write("locales/de.toml", "");
    let templates = Templates::builder().directory(folder.path()).build().unwrap();
    assert_eq!(templates.render(&input("de", sample(NoticeKind::Welcome))).unwrap().subject, "Hi Ada!");
    write("wellcome/subject.txt", "x");
    assert!(refused().to_string().contains("there is no template wellcome/subject.txt"), "{}", refused());
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let error = Templates::builder().directory("/nowhere/at/all").build().unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/at/all: cannot be read: "), "{error}");
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct InvoiceDue {
    number: u32,
    due_at: Timestamp,
}

impl NoticeType for InvoiceDue {
    const KIND: &'static str = "invoice_due";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Task);
}

impl CustomNotice for InvoiceDue {
    fn subject(&self) -> String {
        format!("Invoice {}", self.number)
    }

    fn text(&self) -> String {
        "It is due.".to_owned()
    }

    fn variables(&self) -> Variables<'_> {
        Variables::new().with("due", Variable::Day(noon_date())).with("number", format!("No. {}", self.number))
    }

    fn thread(&self) -> Option<String> {
        Some(self.number.to_string())
    }

    fn reply_to(&self) -> Option<Mailbox> {
        Some(accounting())
    }

    fn open_url(&self) -> Option<String> {
        Some(format!("https://shop.example.org/invoices/{}", self.number))
    }

    fn sample(now: Timestamp) -> Option<Self> {
        Some(Self { number: 17, due_at: now })
    }
}

fn noon_date() -> chrono::NaiveDate {
    "2026-11-22".parse().unwrap()
}

fn accounting() -> Mailbox {
    Mailbox { name: None, address: "accounting@shop.example.org".parse().unwrap() }
}

#[test]
fn a_notice_of_a_host_has_variables_a_thread_a_reply_address_and_a_page() {
    let kind = CustomKind::register::<InvoiceDue>().into();
    let content = sample(kind);
    assert_eq!(content.thread().as_deref(), Some("invoice-due-17"));
    assert_eq!(content.reply_to(), Some(ReplyTo::Mailbox(accounting())));
    let templates = Templates::builder()
        .notice::<InvoiceDue>()
        .template("invoice_due/subject.txt", "{{ number }} is due on {{ due }}")
        .template("invoice_due/body.txt", "Pay at {{ links.open }}");
    let content = templates.build().unwrap().render(&input("de", content)).unwrap();
    assert_eq!(content.subject, "No. 17 is due on Sonntag, 22. November");
    assert_eq!(content.text, "Pay at https://shop.example.org/invoices/17\n");
}

#[test]
fn a_notice_of_a_host_has_plain_words_or_templates_that_know_its_fields() {
    let kind = CustomKind::register::<InvoiceDue>().into();
    let plain = render("en", sample(kind));
    assert_eq!((plain.subject.as_str(), plain.text.as_str()), ("Invoice 17", "Hello Ada,\n\nIt is due.\n"));
    assert_eq!(plain.html, None);

    let own = Templates::builder()
        .notice::<InvoiceDue>()
        .template("invoice_due/subject.txt", "Invoice {{ number }} for {{ name }}")
        .template("invoice_due/body.txt", "Pay until {{ time(due_at) }}.");
    let content = own.clone().build().unwrap().render(&input("de", sample(kind))).unwrap();
    assert_eq!(content.subject, "Invoice No. 17 for Ada");
    assert!(content.text.starts_with("Pay until ") && content.text.contains("2026"), "{}", content.text);

    let error = own.template("invoice_due/body.html", "{{ amount }}").build().unwrap_err();
    assert_eq!(error.to_string(), "invoice_due/body.html, line 1: undefined value (invoice_due in de)");
    assert!(Templates::builder().template("invoice_due/subject.txt", "x").build().is_err(), "it is not declared");
}

/// The headers and the text part of a mail; what only tells its parts apart is left out.
fn headers_and_text(source: &str) -> String {
    let (headers, _) = source.split_once("\r\n\r\n").unwrap();
    let headers = headers.replace("\r\n", "\n");
    let boundary = headers.split_once("boundary=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
    let headers = boundary.map_or(headers.clone(), |boundary| headers.replace(boundary, "[boundary]"));
    let parsed = MessageParser::default().parse(source).unwrap();
    let text = parsed.text_bodies().next().and_then(|part| part.text_contents()).unwrap();
    format!("{headers}\n\n{}", text.replace("\r\n", "\n"))
}

#[test]
fn every_notice_reads_as_before_in_the_default_language() {
    for kind in NoticeKind::ALL {
        let Some(content) = kind.sample(noon()) else { continue };
        let mut input = input("en", content);
        input.unsubscribe_url = input.unsubscribe_url.filter(|_| kind.is_recurring());
        let headers = Headers { unsubscribe_url: input.unsubscribe_url.clone(), ..Headers::default() };
        let mail = Mail { content: Templates::new().render(&input).unwrap(), headers, ..support::mail(1) };
        let message = Message::write(&support::from(), &mail).unwrap();
        insta::assert_snapshot!(kind.as_str(), headers_and_text(&message.source));
    }
}
