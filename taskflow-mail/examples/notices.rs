//! Writes every notice in every language into a folder, with made-up content and with content that nobody would send in
//! good faith, each as a mail and as what must be found in it: `notices FOLDER [TEMPLATES]`, where TEMPLATES is a directory of
//! templates that take the place of the shipped ones. See tests/notices.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use taskflow_core::ports::{Calendar, CalendarEntry, Renderer};
use taskflow_core::{
    CalendarMethod, Content, Digest, Headers, Invitation, Letter, LetterLinks, Locale, Mail, Mailbox, NoticeContent,
    NoticeKind, Task, TaskId, TaskPriority, Timestamp, Title, Zone,
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
            let Some(topic) = NoticeContent::sample(kind, now) else { continue };
            let written = letter("Ada", topic, &locale, &zone, now);
            write(&folder, &format!("{kind}.{tag}.sample"), &templates, &written, None, now)?;
            if let Some(topic) = several(kind, now)? {
                let written = letter("Ada", topic, &locale, &zone, now);
                write(&folder, &format!("{kind}_several.{tag}.sample"), &templates, &written, None, now)?;
            }
            for (n, text) in HOSTILE.iter().enumerate() {
                let Some(topic) = NoticeContent::sample(kind, now) else { continue };
                let written = letter(text, with(topic, text)?, &locale, &zone, now);
                write(&folder, &format!("{kind}.{tag}.hostile{n}"), &templates, &written, Some(text), now)?;
            }
        }
    }
    Ok(())
}

/// The reminder of several tasks, of which one is overdue and one has no more than a day.
fn several(kind: NoticeKind, now: Timestamp) -> Result<Option<NoticeContent>, Box<dyn Error>> {
    let Some(NoticeContent::TaskDue { task, due_at, .. }) = NoticeContent::sample(kind, now) else { return Ok(None) };
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
    Ok(Some(NoticeContent::TaskDue { task, due_at, others }))
}

fn letter(name: &str, topic: NoticeContent, locale: &Locale, zone: &Zone, date: Timestamp) -> Letter {
    let unsubscribe_url = Some(format!("{SERVICE}/u/sample")).filter(|_| topic.kind().is_recurring());
    Letter {
        name: name.to_owned(),
        locale: locale.clone(),
        zone: zone.clone(),
        date,
        public_url: Some(SERVICE.to_owned()),
        unsubscribe_url,
        links: LetterLinks::sample(&topic, SERVICE),
        topic,
    }
}

fn write(
    folder: &Path,
    name: &str,
    templates: &Templates,
    letter: &Letter,
    typed: Option<&str>,
    now: Timestamp,
) -> Result<(), Box<dyn Error>> {
    let content = templates.render(letter)?;
    let mail = mail(letter, content, now)?;
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

fn mail(letter: &Letter, content: Content, now: Timestamp) -> Result<Mail, Box<dyn Error>> {
    let invitation = match &letter.topic {
        NoticeContent::MeetingInvite(invitation) => Some((CalendarMethod::Request, invitation)),
        NoticeContent::MeetingChange { invitation, .. } => Some((CalendarMethod::Request, invitation)),
        NoticeContent::MeetingCancel(invitation) => Some((CalendarMethod::Cancel, invitation)),
        _ => None,
    };
    let calendar = invitation.map(|(method, invitation)| {
        let attendees = std::slice::from_ref(&invitation.participant);
        ICalendar.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees })
    });
    let organizer = invitation.map(|(_, invitation)| invitation.meeting.organizer.clone());
    let headers = Headers {
        unsubscribe_url: letter.unsubscribe_url.clone(),
        thread: calendar.as_ref().map(|_| "meeting-0198c0de-0000-7000-8000-0000000000aa".to_owned()),
        reply_to: organizer,
        ..Headers::default()
    };
    let to = Mailbox { name: Some(letter.name.clone()), address: "ada@example.org".parse()? };
    Ok(Mail { id: "0198c0de-0000-7000-8000-000000000001".parse()?, date: now, to, content, calendar, headers })
}

fn from() -> Result<taskflow_core::EmailAddress, taskflow_core::InvalidValue> {
    "tasks@example.org".parse()
}

/// The same topic, in which every text that people can type is `text`.
fn with(mut topic: NoticeContent, text: &str) -> Result<NoticeContent, Box<dyn Error>> {
    let title: Title = text.parse()?;
    let tasks = |tasks: &mut Vec<Task>| {
        for task in tasks {
            (task.title, task.description) = (title.clone(), text.parse().ok());
        }
    };
    let day = |Digest { done, overdue, today, week, later, meetings, .. }: &mut Digest| {
        for part in [done, overdue, today, week, later] {
            part.total += 7;
            tasks(&mut part.items);
        }
        for meeting in &mut meetings.items {
            meeting.location = text.parse().ok();
            if let Ok(title) = text.parse() {
                meeting.title = title;
            }
        }
    };
    match &mut topic {
        NoticeContent::TaskDue { task, .. } | NoticeContent::TaskStatus { task, .. } => {
            (task.title, task.description) = (title.clone(), text.parse().ok());
        }
        NoticeContent::TaskReminder(digest) | NoticeContent::DailySummary(digest) => day(digest),
        NoticeContent::ServerAlert { problems, .. } | NoticeContent::ServerRecovery { problems, .. } => {
            *problems = vec![text.to_owned()];
        }
        NoticeContent::Letter(letter) => letter.subject = text.to_owned(),
        NoticeContent::MeetingChange { invitation, was } => {
            invite(invitation, text)?;
            (was.title, was.location) = (format!("{text}!"), Some(format!("{text}!")));
        }
        NoticeContent::MeetingProposal { invitation, .. } => {
            invite(invitation, text)?;
            invitation.participant.comment = text.parse().ok();
        }
        NoticeContent::MeetingReminder { invitation, message } => {
            invite(invitation, text)?;
            *message = Some(text.to_owned());
        }
        NoticeContent::MeetingInvite(invitation)
        | NoticeContent::MeetingCancel(invitation)
        | NoticeContent::MeetingLeft(invitation)
        | NoticeContent::MeetingUndelivered(invitation) => {
            invite(invitation, text)?;
        }
        _ => {}
    }
    Ok(topic)
}

fn invite(invitation: &mut Invitation, text: &str) -> Result<(), Box<dyn Error>> {
    let Invitation { meeting, participant, .. } = invitation;
    (meeting.title, meeting.location, meeting.description) = (text.parse()?, text.parse().ok(), text.parse().ok());
    meeting.organizer.name = Some(text.to_owned());
    participant.name = text.parse().ok();
    Ok(())
}
