//! The pages that links in mail lead to, in the same words and the same design.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use taskflow_core::ports::RenderError;
use taskflow_core::{FieldError, Locale, Meeting, MeetingFacts, Task, Timestamp, Zone};

use super::catalogue::Catalogues;
use super::known::speaker;
use super::meeting::{self, Place};
use super::reader::Reader;
use super::shipped::WORDS;
use super::variables;

/// Name and source of each template.
const TEMPLATES: &[(&str, &str)] = &[
    ("pages/layout.html", include_str!("../../templates/pages/layout.html")),
    ("pages/message.html", include_str!("../../templates/pages/message.html")),
    ("pages/confirm.html", include_str!("../../templates/pages/confirm.html")),
    ("pages/password.html", include_str!("../../templates/pages/password.html")),
    ("pages/meeting.html", include_str!("../../templates/pages/meeting.html")),
    ("pages/task.html", include_str!("../../templates/pages/task.html")),
    ("pages/day.html", include_str!("../../templates/pages/day.html")),
    ("pages/mailbox.html", include_str!("../../templates/pages/mailbox.html")),
    ("pages/mail.html", include_str!("../../templates/pages/mail.html")),
];

/// Words that only pages say, by language.
const PAGE_WORDS: &[(&str, &str)] = &[
    ("en", include_str!("../../templates/pages/locales/en.toml")),
    ("en-US", include_str!("../../templates/pages/locales/en-US.toml")),
    ("de", include_str!("../../templates/pages/locales/de.toml")),
];

/// Renders pages from templates and the words of a language. User input is escaped; no page loads anything but its
/// icon, and none has a script.
#[derive(Debug)]
pub struct Pages {
    environment: Environment<'static>,
    catalogues: Catalogues,
}

/// The words of pages for one reader.
#[derive(Debug)]
pub struct PageWords<'a> {
    pages: &'a Pages,
    words: &'a std::sync::Arc<super::catalogue::Catalogue>,
    zone: &'a Zone,
    now: Timestamp,
}

impl Pages {
    /// The style of every page, for a hash in its Content-Security-Policy.
    pub const STYLE: &'static str = include_str!("../../templates/pages/style.css");

    /// Returns the shipped pages.
    #[must_use]
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).expect("a test renders every page that is shipped");
        }
        // One source per language, since what pages say follows what mail says.
        let sources: Vec<_> = WORDS
            .iter()
            .map(|(tag, words)| {
                let own = PAGE_WORDS.iter().find(|(own, _)| own == tag).map_or("", |(_, words)| words);
                (*tag, format!("{words}\n{own}"))
            })
            .collect();
        let sources = sources.iter().map(|(tag, words)| (*tag, *tag, words.as_str()));
        let catalogues = Catalogues::read(sources).expect("a test reads all words that are shipped");
        Self { environment, catalogues }
    }

    /// Returns the words for a reader of `locale` in `zone` at `now`; English if there are none of that language.
    #[must_use]
    pub fn words<'a>(&'a self, locale: &Locale, zone: &'a Zone, now: Timestamp) -> PageWords<'a> {
        let words = self.catalogues.closest(locale).expect("there are English words at least");
        PageWords { pages: self, words, zone, now }
    }

    /// Returns whether there are words of the language of `locale`.
    #[must_use]
    pub fn speaks(&self, locale: &Locale) -> bool {
        let language = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        self.catalogues.iter().any(|words| language(words.tag()) == language(locale.as_str()))
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

impl PageWords<'_> {
    /// Renders a page: `template` (without `pages/` and `.html`) filled with `values`.
    ///
    /// # Errors
    ///
    /// The fault of a template.
    pub fn render(&self, template: &str, title: &str, values: &Value) -> Result<String, RenderError> {
        let name = format!("pages/{template}.html");
        let known = context! {
            locale => self.words.tag(),
            title,
            style => Pages::STYLE,
            say => speaker(self.words),
            ..values.clone()
        };
        let filled = self.pages.environment.get_template(&name).and_then(|template| template.render(known));
        // Slashes need no escape between tags and inside quotes, and addresses are read by people as well.
        let filled = filled.map(|page| page.replace("&#x2f;", "/"));
        // The detail of an error may quote what a person typed; the kind never does.
        filled.map_err(|error| RenderError(format!("{name}, line {}: {}", error.line().unwrap_or(0), error.kind())))
    }

    /// Words with their gaps filled in.
    ///
    /// # Errors
    ///
    /// There are no such words, or a gap stays empty.
    pub fn say(&self, key: &str, gaps: &[(&str, &str)]) -> Result<String, RenderError> {
        self.words.say(key, gaps)
    }

    /// Formats a time, for example `Sunday, 22 November 2026 at 10:30 CET (Europe/Berlin)`.
    ///
    /// # Errors
    ///
    /// As for [`say`](Self::say); likewise below.
    pub fn long(&self, at: Timestamp) -> Result<String, RenderError> {
        self.reader().long(at)
    }

    /// Formats a day by itself, for example `Sunday, 22 November`.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn day(&self, day: chrono::NaiveDate) -> Result<String, RenderError> {
        self.reader().day(day)
    }

    /// Formats a period, for example `Sunday, 22 November 2026, 10:30 – 11:30 CET (Europe/Berlin)`.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn period(&self, starts_at: Timestamp, ends_at: Timestamp) -> Result<String, RenderError> {
        self.reader().period(starts_at, ends_at)
    }

    /// Formats a time with the year, for example `Sun 22 Nov 2026, 10:30 CET`.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn short(&self, at: Timestamp) -> Result<String, RenderError> {
        self.reader().short(at)
    }

    /// Returns the facts of a meeting, as a list of `{label, value, was, url}`; `was` is the value that the reader
    /// knows, if it differs.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn meeting(&self, meeting: &Meeting, was: Option<&MeetingFacts>) -> Result<Value, RenderError> {
        Ok(Value::from(meeting::rows(meeting, was, Place::Page, &self.reader())?))
    }

    /// Returns when a task in a list is due, and its priority if it is not the usual one.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn about_task(&self, task: &Task) -> Result<Option<String>, RenderError> {
        variables::about_task(task, &self.reader())
    }

    /// Returns when and where a meeting of today is.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn about_meeting(&self, meeting: &Meeting) -> Result<String, RenderError> {
        variables::about_meeting(meeting, &self.reader())
    }

    /// Returns the error text for a field of a form that accepts at least `least` and at most `most` characters.
    ///
    /// # Errors
    ///
    /// See [`long`](Self::long).
    pub fn refusal(&self, error: &FieldError, (least, most): (usize, usize)) -> Result<String, RenderError> {
        let code = error.code.as_str();
        let exact = format!("page.refused.{}_{code}", error.field);
        let field = format!("page.refused.{}", error.field);
        let key = [exact, field].into_iter().find(|key| self.words.has(key));
        let (least, most) = (least.to_string(), most.to_string());
        self.words.say(key.as_deref().unwrap_or("page.refused.other"), &[("least", &least), ("most", &most)])
    }

    fn reader(&self) -> Reader<'_> {
        Reader { words: self.words, zone: self.zone, date: self.now }
    }
}

#[cfg(test)]
mod tests {
    use taskflow_core::FieldCode;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn period(locale: &str, zone: &str, from: &str, until: &str) -> String {
        let (pages, zone) = (Pages::new(), zone.parse().expect("a zone"));
        let words = pages.words(&locale.parse().expect("a tag"), &zone, at(from));
        words.period(at(from), at(until)).expect("words").replace('\u{a0}', " ").replace('\u{2060}', "")
    }

    #[test]
    fn a_period_names_the_day_once_and_the_zone_always() {
        for (locale, expected) in [
            ("en", "Wednesday, 1 July 2099, 09:00 – 10:00 CEST (Europe/Berlin)"),
            ("en-US", "Wednesday, July 1, 2099, 9:00 AM – 10:00 AM CEST (Europe/Berlin)"),
            ("de", "Mittwoch, 1. Juli 2099, 09:00 – 10:00 Uhr MESZ (Europe/Berlin)"),
            ("fr", "Wednesday, 1 July 2099, 09:00 – 10:00 CEST (Europe/Berlin)"),
        ] {
            assert_eq!(period(locale, "Europe/Berlin", "2099-07-01T07:00:00Z", "2099-07-01T08:00:00Z"), expected);
        }
        let long = period("en", "Europe/Berlin", "2027-03-27T22:30:00Z", "2027-03-27T23:30:00Z");
        assert_eq!(long, "Saturday, 27 March 2027, 23:30 – Sunday, 28 March 2027, 00:30 CET (Europe/Berlin)");
        let changing = period("en", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
        assert_eq!(changing, "Sunday, 25 October 2026, 02:30 CEST – 02:30 CET (Europe/Berlin)");
    }

    #[test]
    fn every_page_has_words_in_every_language() {
        let pages = Pages::new();
        for catalogue in pages.catalogues.iter() {
            let locale = catalogue.tag().parse().expect("a tag");
            let zone = Zone::utc();
            let words = pages.words(&locale, &zone, at("2026-11-23T08:30:00Z"));
            for (name, _) in TEMPLATES.iter().filter(|(name, _)| !name.ends_with("layout.html")) {
                let name = name.trim_start_matches("pages/").trim_end_matches(".html");
                let values = context! {
                    name => "ada", form => context! {}, people => vec![context! {}], counts => "1", rows => vec![context! {}],
                    calendar_url => "x", is_done => true,
                };
                let page = words.render(name, "</title><script>", &values).expect("a page");
                assert!(!page.contains("<script") && page.contains("<h1"), "{page}");
            }
        }
        assert!(pages.speaks(&"de-CH".parse().expect("a tag")) && !pages.speaks(&"fr".parse().expect("a tag")));
    }

    #[test]
    fn what_is_wrong_with_a_field_is_said_in_the_language_of_the_page() {
        let (pages, zone) = (Pages::new(), Zone::utc());
        let words = pages.words(&"de".parse().expect("a tag"), &zone, at("2026-11-23T08:30:00Z"));
        for (field, code, expected) in [
            ("comment", FieldCode::TooLong, "Der Kommentar ist zu lang"),
            ("password", FieldCode::TooShort, "Das Passwort ist zu kurz"),
            ("password", FieldCode::Invalid, "Das Passwort ist zu leicht zu erraten"),
            ("response", FieldCode::Required, "Bitte wählen Sie eine Antwort"),
            ("version", FieldCode::InvalidType, "Das Formular"),
        ] {
            let said = words.refusal(&FieldError::new(field, "is wrong").with_code(code), (8, 128)).expect("words");
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn german_says_everything_itself() {
        let keys = |text: &str| {
            let table: toml::Table = text.parse().expect("TOML");
            let mut found = Vec::new();
            collect("", &table, &mut found);
            found
        };
        assert_eq!(keys(PAGE_WORDS[2].1), keys(PAGE_WORDS[0].1));
    }

    fn collect(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
        for (key, value) in table {
            let key = format!("{prefix}.{key}");
            match value.as_table() {
                Some(inner) => collect(&key, inner, found),
                None => found.push(key),
            }
        }
    }
}
