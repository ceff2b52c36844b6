//! What a mail costs before it leaves: finding its words, and writing it out. Each kind of notice in English and German,
//! beside its yardstick in the same group:
//!
//! * words: minijinja alone, on a template that says the same with everything in it that is the same for all readers,
//!   every text between two marks filled in and escaped, and nothing looked up. It is what templates cannot go below;
//! * writing: lettre's own builder, for the same headers and forms.
//!
//! `cargo bench --features smtp --bench mail` takes about two minutes; with `-- --quick` a few seconds, with `-- --test`
//! each runs once. At the end a line of JSON per kind says how many allocations there were.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{MultiPart, SinglePart};
use minijinja::{AutoEscape, Environment, Value, context};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use taskflow_core::ports::{Calendar, CalendarEntry, Renderer};
use taskflow_core::{
    CalendarPart, Content, Headers, Mail, MailLinks, Mailbox, NoticeContent, NoticeKind, RenderInput, Timestamp,
};
use taskflow_mail::{ICalendar, Message, Templates};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SERVICE: &str = "https://tasks.example.org";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let templates = Templates::new();
    let sender = Mailbox { name: Some("TaskFlow".to_owned()), address: "tasks@sender.example".parse()? };
    let mut samples = Vec::new();
    for kind in NoticeKind::ALL {
        for locale in ["en", "de"] {
            samples.extend(Sample::new(&templates, kind, locale)?);
        }
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20)
        .configure_from_args();
    let mut words = criterion.benchmark_group("words");
    for sample in &samples {
        words.bench_function(BenchmarkId::new("taskflow", &sample.name), |b| {
            b.iter(|| templates.render(&sample.input));
        });
        if let Some(bare) = &sample.bare {
            words.bench_function(BenchmarkId::new("minijinja", &sample.name), |b| b.iter(|| bare.render()));
        }
    }
    words.finish();
    let mut written = criterion.benchmark_group("written");
    for sample in &samples {
        let length = Message::write(&sender, &sample.mail)?.source.len();
        written.throughput(Throughput::Bytes(length as u64));
        let ours = |b: &mut criterion::Bencher<'_>| b.iter(|| Message::write(&sender, &sample.mail));
        written.bench_function(BenchmarkId::new("taskflow", &sample.name), ours);
        let theirs = |b: &mut criterion::Bencher<'_>| b.iter(|| by_lettre(&sender, &sample.mail));
        written.bench_function(BenchmarkId::new("lettre", &sample.name), theirs);
    }
    written.finish();
    criterion.final_summary();
    for sample in &samples {
        let words = allocations(|| templates.render(&sample.input));
        let bare = sample.bare.as_ref().map_or(0, |bare| allocations(|| bare.render()));
        let written = allocations(|| Message::write(&sender, &sample.mail));
        let lettre = allocations(|| by_lettre(&sender, &sample.mail));
        println!(
            "{{\"bench\": \"allocations\", \"notice\": \"{}\", \"words\": {words}, \"minijinja\": {bare}, \"written\": \
             {written}, \"lettre\": {lettre}}}",
            sample.name
        );
    }
    Ok(())
}

/// How often one run asks for memory; the first one, which may fill caches, does not count.
fn allocations<T>(run: impl Fn() -> T) -> usize {
    black_box(run());
    let region = Region::new(ALLOCATOR);
    black_box(run());
    let change = region.change();
    change.allocations + change.reallocations
}

/// A notice before and after it got its words.
struct Sample {
    name: String,
    input: RenderInput,
    mail: Mail,
    /// `None` for a mail that somebody wrote by hand.
    bare: Option<Bare>,
}

impl Sample {
    fn new(templates: &Templates, kind: NoticeKind, locale: &str) -> Result<Option<Self>, Failure> {
        // A Monday in winter.
        let now: Timestamp = "2026-11-23T08:30:00Z".parse()?;
        let Some(sample) = kind.sample(now) else { return Ok(None) };
        let input = RenderInput {
            name: "Ada".to_owned(),
            locale: locale.parse()?,
            zone: "Europe/Berlin".parse()?,
            date: now,
            public_url: Some(SERVICE.to_owned()),
            unsubscribe_url: Some(format!("{SERVICE}/u/sample")).filter(|_| kind.is_recurring()),
            links: MailLinks::sample(&*sample, SERVICE),
            content: sample,
        };
        let content = templates.render(&input)?;
        let bare = (kind != NoticeKind::Letter).then(|| Bare::new(&content)).transpose()?;
        let headers = Headers {
            unsubscribe_url: input.unsubscribe_url.clone(),
            thread: Some("task-0198c0de-0000-7000-8000-0000000000aa".to_owned()),
            ..Headers::default()
        };
        let to = Mailbox { name: Some("Ada".to_owned()), address: "ada@reader.example".parse()? };
        let calendar = calendar(&*input.content);
        let mail =
            Mail { id: "0198c0de-0000-7000-8000-000000000001".parse()?, date: now, to, content, calendar, headers };
        Ok(Some(Self { name: format!("{kind}/{locale}"), input, mail, bare }))
    }
}

/// The calendar entry of the mail.
fn calendar(content: &dyn NoticeContent) -> Option<CalendarPart> {
    let (method, invitation) = content.calendar()?;
    let attendees = std::slice::from_ref(&invitation.participant);
    Some(ICalendar.write(&CalendarEntry { method, meeting: &invitation.meeting, attendees }))
}

/// A mail as flat templates, and what is filled into them.
struct Bare {
    environment: Environment<'static>,
    subject: String,
    lines: Vec<String>,
    texts: Vec<String>,
}

impl Bare {
    /// Every line of its text and every text between two marks of its HTML becomes a gap.
    fn new(content: &Content) -> Result<Self, Failure> {
        let lines: Vec<_> = content.text.lines().map(ToOwned::to_owned).collect();
        let text: String = (0..lines.len()).map(|n| format!("{{{{ lines[{n}] }}}}\n")).collect();
        let (mut html, mut texts) = (String::new(), Vec::new());
        let written = content.html.as_deref().ok_or("a mail without HTML")?;
        // The style is no text.
        let (head, body) = written.split_once("</head>").ok_or("a mail without a head")?;
        html.push_str(head);
        html.push_str("</head>");
        for piece in body.split_inclusive('>') {
            let (words, mark) = piece.split_at(piece.find('<').unwrap_or(piece.len()));
            if words.trim().is_empty() {
                html.push_str(words);
            } else {
                html.push_str(&format!("{{{{ texts[{}] }}}}", texts.len()));
                texts.push(unescaped(words));
            }
            html.push_str(mark);
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name {
            "html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        environment.add_template_owned("subject", "{{ subject }}".to_owned())?;
        environment.add_template_owned("text", text)?;
        environment.add_template_owned("html", html)?;
        let bare = Self { environment, subject: content.subject.clone(), lines, texts };
        // A yardstick that says something else measures something else.
        match bare.render()? {
            [subject, text, html] if subject == content.subject && text == content.text && html == written => Ok(bare),
            _ => Err("the flat template does not say the same".into()),
        }
    }

    fn render(&self) -> Result<[String; 3], minijinja::Error> {
        let known = context! { subject => &self.subject, lines => &self.lines, texts => &self.texts };
        let fill = |name: &str| self.environment.get_template(name)?.render(Value::clone(&known));
        Ok([fill("subject")?, fill("text")? + "\n", fill("html")? + "\n"])
    }
}

/// What minijinja's escaping makes of a text, back again.
fn unescaped(html: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    marks.iter().fold(html.to_owned(), |text, (escaped, mark)| text.replace(escaped, mark))
}

/// The same mail by lettre's builder, as its documentation does it.
fn by_lettre(sender: &Mailbox, mail: &Mail) -> Result<Vec<u8>, Failure> {
    let named = |mailbox: &Mailbox| {
        let address = mailbox.address.as_str().parse::<lettre::Address>();
        address.map(|address| lettre::message::Mailbox::new(mailbox.name.clone(), address))
    };
    let part = |kind: ContentType, text: &str| {
        SinglePart::builder().header(kind).header(ContentTransferEncoding::QuotedPrintable).body(text.to_owned())
    };
    let mut parts = MultiPart::alternative().singlepart(part(ContentType::TEXT_PLAIN, &mail.content.text));
    if let Some(html) = &mail.content.html {
        parts = parts.singlepart(part(ContentType::TEXT_HTML, html));
    }
    if let Some(object) = &mail.calendar {
        let kind = format!("text/calendar; charset=utf-8; method={}", object.method.as_str());
        parts = parts.singlepart(part(ContentType::parse(&kind)?, &object.text));
    }
    let message = lettre::Message::builder()
        .from(named(sender)?)
        .to(named(&mail.to)?)
        .date(mail.date.to_chrono().into())
        .message_id(Some(format!("<{}@sender.example>", mail.id)))
        .subject(&mail.content.subject)
        .multipart(parts)?;
    Ok(message.formatted())
}
