//! The words of mail, from templates.

mod builder;
mod catalogue;
mod known;
mod links;
mod meeting;
mod pages;
mod plain;
mod reader;
mod shipped;
mod variables;

use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind, Value};
use taskflow_core::ports::{PlainRenderer, RenderError, Renderer};
use taskflow_core::{Content, CustomEmail, Locale, MailLinks, NoticeContent, NoticeKind, RenderInput, Timestamp, Zone};

use crate::message::one_line;
pub use builder::{TemplateError, TemplatesBuilder};
use catalogue::Catalogues;
use known::{Known, clock, link, speaker};
pub use pages::{PageWords, Pages};
use reader::Reader;
use shipped::SHIPPED;

/// Renders mail from templates (minijinja): `{kind of notice}/subject.txt`, `body.txt` and `body.html`, the bodies
/// inside `layout.txt` and `layout.html`. A custom email is used as it is; if it is HTML only, its text is the HTML
/// without the tags.
///
/// # Words
///
/// Templates are the same for all languages; their words come from catalogues, `locales/{language tag}.toml`: `{{
/// say("welcome.subject", name=name) }}`. Mail is in the reader's language, otherwise in the next wider one (`de-CH`:
/// `de`), otherwise in English. Shipped are `en`, `en-US` (which differs in the format of times) and `de`.
///
/// # What templates know
///
/// User input is escaped in every template whose name ends in `.html`. All templates know `name`, `locale` (the tag of
/// the words), `public_url` and `unsubscribe_url`; bodies also know `subject`. `public_url` may be none, and then
/// templates write no links; it is none for guests, who cannot sign in. `unsubscribe_url` may be none. `links` contains
/// the signed links, each of which may be none: `open` (the subject of the mail), `accept`, `maybe` and `decline` (a
/// response that is left to confirm), and for the task of a reminder `done`, `snooze_hour` and `snooze_tomorrow`. The
/// filter `wrap` breaks long lines. Times are shown in the reader's zone, with its name.
///
/// The other variables of a notice are documented with its content in [`taskflow_core::notice`], for example
/// [`TaskDueContent`](taskflow_core::notice::TaskDueContent). A notice of a host
/// ([`CustomNotice`](taskflow_core::notice::CustomNotice)) has its fields and its own variables, and `time(field)`
/// formats a time in one of its fields (RFC 3339).
///
/// The pieces in `parts/` are included by several of them; those of `parts/kit.html` are known in every block of
/// `layout.html`, which imports them.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    catalogues: Catalogues,
}

impl Templates {
    /// Returns the shipped templates.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build().expect("a test renders everything that is shipped")
    }

    /// Returns a builder for templates and words that differ from the shipped ones.
    pub fn builder() -> TemplatesBuilder {
        TemplatesBuilder::default()
    }

    /// Returns the names of all templates that may be replaced.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Returns the tags of the languages with words, in their order.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.catalogues.iter().map(|catalogue| catalogue.tag())
    }

    /// Renders a notice with made-up content as of `now`; the same for the same arguments. `None` where there is
    /// nothing to make up ([`NoticeKind::sample`]).
    ///
    /// # Errors
    ///
    /// The fault of a template.
    pub fn preview(
        &self,
        kind: NoticeKind,
        locale: &Locale,
        zone: &Zone,
        public_url: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Content>, RenderError> {
        sample(kind, locale, zone, public_url, now).map(|input| self.render(&input)).transpose()
    }

    fn words_of(&self, input: &RenderInput) -> Result<Content, Fault> {
        let content = &*input.content;
        if let Some(written) = content.written() {
            return Ok(as_written(written)?);
        }
        let kind = content.kind();
        let is_custom = matches!(kind, NoticeKind::Custom(_));
        if is_custom && !self.has(&format!("{kind}/subject.txt")) {
            return Ok(PlainRenderer.render(input)?);
        }
        let words = self.catalogues.closest(&input.locale).ok_or(RenderError("there are no words".to_owned()))?;
        let reader = Reader { words, zone: &input.zone, date: input.date };
        let known = Known {
            name: Value::from(input.name.as_str()),
            locale: Value::from(words.tag()),
            public_url: link(input.public_url.as_ref().filter(|_| !goes_to_a_guest(content))),
            unsubscribe_url: link(input.unsubscribe_url.as_ref()),
            links: links::of(&input.links),
            say: speaker(words),
            subject: None,
            variables: Arc::new(variables::values(content.variables(input), &reader)?),
            time: is_custom.then(|| clock(words, &input.zone, input.date)),
        };
        // No-break spaces are for HTML: subjects would have to be encoded for them, and text is wrapped here.
        let plain = |text: String| text.replace('\u{a0}', " ");
        let subject = plain(one_line(&self.fill(format!("{kind}/subject.txt"), known.clone())?));
        if subject.is_empty() {
            return Err(RenderError(format!("{kind}/subject.txt: the subject is empty")).into());
        }
        let known = Known { subject: Some(Value::from(subject.as_str())), ..known };
        let text = plain(self.fill(format!("{kind}/body.txt"), known.clone())?) + "\n";
        // Only a host may leave it out: all that are shipped are there.
        let html = format!("{kind}/body.html");
        let html = if self.has(&html) { Some(self.fill(html, known)? + "\n") } else { None };
        Ok(Content { subject, text, html })
    }

    fn has(&self, template: &str) -> bool {
        self.environment.get_template(template).is_ok()
    }

    fn fill(&self, name: String, known: Known) -> Result<String, Fault> {
        let known = Value::from_object(known);
        let filled = self.environment.get_template(&name).and_then(|template| template.render(known));
        filled.map_err(|error| Fault::Template { name, error })
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer for Templates {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        self.words_of(input).map_err(|fault| match fault {
            // The detail of an error may quote what a person typed; the kind never does.
            Fault::Template { name, error } => RenderError(format!("{}: {}", place(&name, &error), error.kind())),
            Fault::Other(error) => error,
        })
    }
}

/// The reason why a mail has no words.
enum Fault {
    Template { name: String, error: Error },
    Other(RenderError),
}

impl From<RenderError> for Fault {
    fn from(error: RenderError) -> Self {
        Self::Other(error)
    }
}

/// Returns the words of a custom email.
fn as_written(email: &CustomEmail) -> Result<Content, RenderError> {
    let subject = one_line(&email.subject);
    let text = match (&email.text, &email.html) {
        (Some(text), _) => text.clone(),
        (None, Some(html)) => plain::from_html(html),
        (None, None) => return Err(RenderError("the letter has neither text nor HTML".to_owned())),
    };
    if subject.is_empty() {
        return Err(RenderError("the subject of the letter is empty".to_owned()));
    }
    Ok(Content { subject, text, html: email.html.clone() })
}

/// Returns a mail with made-up content.
fn sample(
    kind: NoticeKind,
    locale: &Locale,
    zone: &Zone,
    public_url: Option<&str>,
    now: Timestamp,
) -> Option<RenderInput> {
    let unsubscribe_url = public_url.filter(|_| kind.is_recurring()).map(|url| format!("{url}/u/sample"));
    let content = kind.sample(now)?;
    Some(RenderInput {
        name: "Ada".to_owned(),
        locale: locale.clone(),
        zone: zone.clone(),
        date: now,
        public_url: public_url.map(ToOwned::to_owned),
        unsubscribe_url,
        links: public_url.map(|url| MailLinks::sample(&*content, url)).unwrap_or_default(),
        content,
    })
}

/// Returns whether the reader is a participant without an account.
fn goes_to_a_guest(content: &dyn NoticeContent) -> bool {
    content.invitation().is_some_and(|invitation| invitation.participant.user_id.is_none())
}

fn place(name: &str, error: &Error) -> String {
    let name = error.name().filter(|_| error.kind() != ErrorKind::TemplateNotFound).unwrap_or(name);
    match error.line() {
        Some(line) => format!("template {name}, line {line}"),
        None => format!("template {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_can_be_rendered_in_every_language() {
        let templates = Templates::new();
        let (zone, now) = (Zone::utc(), Timestamp::from_micros(0));
        for locale in templates.locales() {
            let locale = locale.parse().expect("a tag");
            for kind in NoticeKind::ALL {
                for public_url in [Some("https://tasks.example.org"), None] {
                    let content = templates.preview(kind, &locale, &zone, public_url, now);
                    let content = content.unwrap_or_else(|error| panic!("{kind} in {locale}: {error}"));
                    assert_eq!(content.is_none(), kind == NoticeKind::Sample, "{kind}");
                }
            }
        }
    }

    #[test]
    fn faults_at_the_time_of_sending_do_not_quote_what_people_typed() {
        let mut templates = Templates::new();
        let broken = "{{ say(name) }}";
        templates.environment.add_template("welcome/body.txt", broken).expect("it parses");
        let input = sample(NoticeKind::Welcome, &Locale::en(), &Zone::utc(), None, Timestamp::from_micros(0));
        let error = templates.render(&input.expect("a sample")).expect_err("no words are called Ada").to_string();
        assert!(error.contains("welcome/body.txt, line 1") && !error.contains("Ada"), "{error}");
    }

    #[test]
    fn a_mail_by_hand_is_taken_as_it_is() {
        let written = |text: Option<&str>, html: Option<&str>| {
            as_written(&CustomEmail {
                subject: "a\r\nb".to_owned(),
                text: text.map(ToOwned::to_owned),
                html: html.map(ToOwned::to_owned),
                to: Vec::new(),
                cc: Vec::new(),
                reply_to: None,
            })
        };
        let content = written(Some("{{ x }}\n"), None).expect("text will do");
        assert_eq!((content.subject.as_str(), content.text.as_str(), content.html), ("a b", "{{ x }}\n", None));
        let content = written(None, Some("<p>a &lt; b</p>")).expect("HTML will do");
        assert_eq!((content.text.as_str(), content.html.as_deref()), ("a < b\n", Some("<p>a &lt; b</p>")));
        assert!(written(None, None).is_err());
    }
}
