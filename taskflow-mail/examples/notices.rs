//! Writes every notice in every language into a folder, with made-up content and with content that nobody would send in
//! good faith, each as a mail and as what must be found in it: `notices FOLDER [TEMPLATES]`, where TEMPLATES is a directory of
//! templates that take the place of the shipped ones. See tests/notices.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use taskflow_core::notice::TaskDueContent;
use taskflow_core::ports::{Calendar, CalendarEntry, Renderer};
use taskflow_core::{
    Content, Headers, Locale, Mail, MailLinks, Mailbox, NoticeContent, NoticeKind, RenderInput, Task, TaskId,
    TaskPriority, Timestamp, Zone,
};
use taskflow_mail::{ICalendar, Message, Templates};

const SERVICE: &str = "https://tasks.example.org";

/// What people type, or paste, or try.
const HOSTILE: [&str; 4] = [
    "</p></td></title><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} {% include 'x' %}",
    "\"><a href='javascript:alert(1)'>x</a><style>*{display:none}</style> =?utf-8?q?=0D=0ABcc:?= %0D%0ABcc: x",
    "Donaudampfschifffahrtsgesellschaftskapit\u{e4}nsm\u{fc}tzenabzeichenverleihungsurkundenentwurfspr\u{fc}fung\u{1F600}",
    "gnp.exe \u{5d0}\u{5d1}\u{5d2} \u{65e5}\u{672c}\u{8a9e} \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("where to? notices FOLDER [TEMPLATES]")?;
    let templates = arguments.fold(Templates::builder(), taskflow_mail::TemplatesBuilder::directory).build()?;
    // A Monday in winter.
    let now: Timestamp = "2026-11-23T08:30:00Z".parse()?;
    let zone: Zone = "Europe/Berlin".parse()?;
    for tag in templates.locales() {
        let locale: Locale = tag.parse()?;
        for kind in NoticeKind::ALL {
            let Some(content) = kind.sample(now) else { continue };
            let written = input("Ada", content, &locale, &zone, now);
            write(&folder, &format!("{kind}.{tag}.sample"), &templates, &written, None, now)?;
            if let Some(content) = several(&*written.content, now)? {
                let written = input("Ada", content, &locale, &zone, now);
                write(&folder, &format!("{kind}_several.{tag}.sample"), &templates, &written, None, now)?;
            }
            for (n, text) in HOSTILE.iter().enumerate() {
                let content = kind.sample_typed(text, now).ok_or("there is no sample of what was typed")?;
                let written = input(text, content, &locale, &zone, now);
                write(&folder, &format!("{kind}.{tag}.hostile{n}"), &templates, &written, Some(text), now)?;
            }
        }
    }
    Ok(())
}

/// The reminder of several tasks, of which one is overdue and one has no more than a day.
fn several(content: &dyn NoticeContent, now: Timestamp) -> Result<Option<Box<dyn NoticeContent>>, Box<dyn Error>> {
    let Some(TaskDueContent { task, due_at, .. }) = content.downcast_ref() else { return Ok(None) };
    let other = |n: u32, title: &str, hours: i64, priority| {
        let due_at = Timestamp::from_micros(now.as_micros() + hours * 3_600_000_000);
        let id: TaskId = format!("0198c0de-0000-7000-8000-{n:012}").parse()?;
        Ok::<_, Box<dyn Error>>(Task { id, title: title.parse()?, due_at: Some(due_at), priority, ..task.clone() })
    };
    let mut others = vec![
        other(1, "Send the figures of the third quarter to the auditors", 48, TaskPriority::High)?,
        other(2, "Pay the invoice", -2, TaskPriority::Medium)?,
        other(3, "Renew the certificate", 15, TaskPriority::Low)?,
    ];
    others[2].due_on = Some("2026-11-23".parse()?);
    Ok(Some(Box::new(TaskDueContent { task: task.clone(), due_at: *due_at, others })))
}

fn input(name: &str, content: Box<dyn NoticeContent>, locale: &Locale, zone: &Zone, date: Timestamp) -> RenderInput {
    let unsubscribe_url = Some(format!("{SERVICE}/u/sample")).filter(|_| content.kind().is_recurring());
    RenderInput {
        name: name.to_owned(),
        locale: locale.clone(),
        zone: zone.clone(),
        date,
        public_url: Some(SERVICE.to_owned()),
        unsubscribe_url,
        links: MailLinks::sample(&*content, SERVICE),
        content,
    }
}

fn write(
    folder: &Path,
    name: &str,
    templates: &Templates,
    input: &RenderInput,
    typed: Option<&str>,
    now: Timestamp,
) -> Result<(), Box<dyn Error>> {
    let content = templates.render(input)?;
    let mail = mail(input, content, now)?;
    let message = Message::write(&Mailbox { name: Some("TaskFlow".to_owned()), address: from()? }, &mail)?;
    fs::write(folder.join(format!("{name}.eml")), message.source)?;
    if let Some(html) = &mail.content.html {
        fs::write(folder.join(format!("{name}.html")), html)?;
    }
    let expected = json!({
        "subject": mail.content.subject,
        "text": mail.content.text,
        "html": mail.content.html,
        "calendar": mail.calendar.map(|part| part.text),
        "unsubscribe_url": mail.headers.unsubscribe_url,
        "reply_to": mail.headers.reply_to.map(|mailbox| mailbox.address.to_string()),
        "thread": mail.headers.thread,
        "typed": typed,
    });
    fs::write(folder.join(format!("{name}.json")), expected.to_string())?;
    Ok(())
}

fn mail(input: &RenderInput, content: Content, now: Timestamp) -> Result<Mail, Box<dyn Error>> {
    let invitation = input.content.calendar();
    let calendar = invitation.map(|(method, invitation)| {
        let attendees = std::slice::from_ref(&invitation.participant);
        ICalendar.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees })
    });
    let organizer = invitation.map(|(_, invitation)| invitation.meeting.organizer.clone());
    let headers = Headers {
        unsubscribe_url: input.unsubscribe_url.clone(),
        thread: calendar.as_ref().map(|_| "meeting-0198c0de-0000-7000-8000-0000000000aa".to_owned()),
        reply_to: organizer,
        ..Headers::default()
    };
    let to = Mailbox { name: Some(input.name.clone()), address: "ada@example.org".parse()? };
    Ok(Mail { id: "0198c0de-0000-7000-8000-000000000001".parse()?, date: now, to, content, calendar, headers })
}

fn from() -> Result<taskflow_core::EmailAddress, taskflow_core::InvalidValue> {
    "tasks@example.org".parse()
}
