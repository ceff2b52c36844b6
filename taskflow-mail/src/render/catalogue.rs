//! The words of the languages, and which language a reader is written to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use taskflow_core::Locale;
use taskflow_core::ports::RenderError;
use toml::de::{DeTable, DeValue};

use super::TemplateError;

/// The language whose words replace those that another lacks.
const LAST_RESORT: &str = "en";

/// The placeholder that every entry may contain: the name of the service.
const BRAND: &str = "brand";

/// Room for most texts, in octets.
const USUAL_LENGTH: usize = 64;

/// The placeholders that the patterns of dates may contain.
const DATE_SLOTS: [&str; 11] =
    ["weekday", "weekday_short", "day", "month", "month_short", "year", "hour", "hour12", "half", "minute", "zone"];

/// Writes the value of the placeholder with that name; `None` if there is none.
pub(super) type Slot<'a> = &'a dyn Fn(&mut String, &str) -> Result<Option<()>, RenderError>;

/// The words of one language.
#[derive(Debug, Clone)]
pub(super) struct Catalogue {
    tag: String,
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Always(Pattern),
    /// Forms chosen by the number in the placeholder `count`.
    Counted {
        one: Pattern,
        other: Pattern,
    },
}

/// A text with placeholders.
#[derive(Debug, Clone)]
struct Pattern(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Slot(String),
}

impl Catalogue {
    /// Returns its language tag, from the name of its source.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the words with the key `key`, with their placeholders filled in.
    ///
    /// # Errors
    ///
    /// Fails if there are no such words, or if `slots` lacks a placeholder.
    pub(super) fn say(&self, key: &str, slots: &[(&str, &str)]) -> Result<String, RenderError> {
        let mut said = String::with_capacity(USUAL_LENGTH);
        let is_one = slots.iter().find(|(name, _)| *name == "count").map(|(_, count)| *count == "1");
        self.fill(&mut said, key, is_one, &|said, slot| {
            let found = slots.iter().find(|(name, _)| *name == slot);
            Ok(found.map(|(_, value)| said.push_str(value)))
        })?;
        Ok(said)
    }

    /// Appends the words with the key `key` to `said`. `is_one` decides between forms that depend on a count. `slot`
    /// writes each placeholder and returns `None` for an unknown one, so that only used placeholders are computed.
    ///
    /// # Errors
    ///
    /// Fails if there are no such words, or if `slot` does not know a placeholder.
    pub(super) fn fill(
        &self,
        said: &mut String,
        key: &str,
        is_one: Option<bool>,
        slot: Slot<'_>,
    ) -> Result<(), RenderError> {
        let entry = self.entries.get(key).ok_or_else(|| self.wrong(key, "there are no such words"))?;
        let pattern = match (entry, is_one) {
            (Entry::Always(pattern), _) => pattern,
            (Entry::Counted { one, .. }, Some(true)) => one,
            (Entry::Counted { other, .. }, Some(false)) => other,
            (Entry::Counted { .. }, None) => return Err(self.wrong(key, "they go by a count, and there is none")),
        };
        for piece in &pattern.0 {
            match piece {
                Piece::Text(text) => said.push_str(text),
                Piece::Slot(name) => match slot(said, name)? {
                    Some(()) => {}
                    None if name == BRAND && key != BRAND => self.fill(said, BRAND, None, &|_, _| Ok(None))?,
                    None => return Err(self.wrong(key, &format!("nothing is there to fill in {{{name}}}"))),
                },
            }
        }
        Ok(())
    }

    /// Returns whether there are words with that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    fn wrong(&self, key: &str, why: &str) -> RenderError {
        RenderError(format!("the words {key} of {}: {why}", self.tag))
    }
}

/// The words of all languages.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogues {
    /// Catalogues by their tags in lower case.
    by_tag: BTreeMap<String, Arc<Catalogue>>,
}

impl Catalogues {
    /// Reads the sources of each language: its tag, the name of the source in errors, and its text. Of several sources
    /// of a language the later ones win. Words that a language lacks come from the wider one (`de-CH`: `de`), else from
    /// English.
    pub(super) fn read<'a>(
        sources: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> Result<Self, TemplateError> {
        let mut sources: Vec<_> = sources.into_iter().collect();
        // English first, since it says what words there are; wider languages before narrower ones. The sort is stable.
        sources.sort_by_key(|(tag, _, _)| (!tag.eq_ignore_ascii_case(LAST_RESORT), tag.matches('-').count()));
        let mut catalogues = Self::default();
        for (tag, place, text) in sources {
            let known = catalogues.by_tag.get(LAST_RESORT).cloned();
            let read = entries(place, text, known.as_deref())?;
            let mut catalogue = match tag.parse() {
                Ok(locale) => catalogues.closest(&locale).map_or_else(HashMap::new, |wider| wider.entries.clone()),
                Err(_) => return Err(TemplateError::new(place, None, format!("{tag} is not a language tag"))),
            };
            catalogue.extend(read);
            let catalogue = Catalogue { tag: tag.to_owned(), entries: catalogue };
            catalogues.by_tag.insert(tag.to_ascii_lowercase(), Arc::new(catalogue));
        }
        Ok(catalogues)
    }

    /// Returns all of them, in the order of their tags.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Catalogue>> {
        self.by_tag.values()
    }

    /// Returns the language to write in: the reader's own (RFC 4647 §3.4, lookup), otherwise English; `None` if there
    /// is none.
    pub(super) fn closest(&self, locale: &Locale) -> Option<&Arc<Catalogue>> {
        let tag = locale.as_str().to_ascii_lowercase();
        let mut tag = tag.as_str();
        loop {
            match (self.by_tag.get(tag), tag.rsplit_once('-')) {
                (Some(found), _) => return Some(found),
                (None, Some((wider, _))) => tag = wider,
                (None, None) => return self.by_tag.get(LAST_RESORT),
            }
        }
    }
}

/// Returns the entries of a source (TOML); `known` limits the permitted ones, `None` permits any.
fn entries(place: &str, text: &str, known: Option<&Catalogue>) -> Result<HashMap<String, Entry>, TemplateError> {
    let line = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
    let table = DeTable::parse(text).map_err(|error| {
        TemplateError::new(place, error.span().and_then(|span| line(span.start)), error.message().to_owned())
    })?;
    let mut found = Vec::new();
    flatten(String::new(), table.get_ref(), &mut found);
    let mut entries = HashMap::new();
    for (key, value, at) in found {
        let wrong = |why: String| TemplateError::new(place, line(at), format!("{key}: {why}"));
        let entry = entry(value).map_err(wrong)?;
        if let Some(known) = known {
            let slots = known.slots(&key).ok_or_else(|| wrong("there are no such words to say".to_owned()))?;
            if let Some(slots) = slots
                && let Some(strange) = entry.slots().find(|slot| !slots.contains(slot))
            {
                return Err(wrong(format!("{{{strange}}} is never filled in here")));
            }
        }
        entries.insert(key, entry);
    }
    Ok(entries)
}

/// Collects every entry of a table under its full name, with its position.
fn flatten<'t>(name: String, table: &'t DeTable<'_>, found: &mut Vec<(String, &'t DeValue<'t>, usize)>) {
    for (key, value) in table {
        let key = if name.is_empty() { key.get_ref().to_string() } else { format!("{name}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if !is_counted(inner) => flatten(key, inner, found),
            DeValue::Array(items) => {
                let numbered = items.iter().enumerate();
                found.extend(numbered.map(|(n, item)| (format!("{key}.{}", n + 1), item.get_ref(), item.span().start)));
            }
            other => found.push((key, other, value.span().start)),
        }
    }
}

fn is_counted(table: &DeTable<'_>) -> bool {
    !table.is_empty() && table.keys().all(|key| matches!(key.get_ref().as_ref(), "one" | "other"))
}

fn entry(value: &DeValue<'_>) -> Result<Entry, String> {
    let text = |value: Option<&DeValue<'_>>| match value.and_then(DeValue::as_str) {
        Some(text) => Pattern::read(text),
        None => Err("must be a text, or a table of the two texts `one` and `other`".to_owned()),
    };
    match value {
        DeValue::Table(counted) => {
            let form = |name: &str| text(counted.get(name).map(toml::Spanned::get_ref));
            Ok(Entry::Counted { one: form("one")?, other: form("other")? })
        }
        other => Ok(Entry::Always(text(Some(other))?)),
    }
}

impl Catalogue {
    /// Returns the placeholders that the words with that key may contain. `Some(None)` permits any placeholder; `None`
    /// means that there are no such words.
    fn slots(&self, key: &str) -> Option<Option<BTreeSet<&str>>> {
        // What an embedder's own templates say is theirs, and zones are called differently everywhere.
        if key.starts_with("own.") || key.starts_with("zones.") {
            return Some(None);
        }
        let mut slots: BTreeSet<_> = self.entries.get(key)?.slots().collect();
        if key.starts_with("dates.") || key == "page.date" {
            slots.extend(DATE_SLOTS);
        }
        slots.insert(BRAND);
        Some(Some(slots))
    }
}

impl Entry {
    fn slots(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Always(pattern) => (pattern, None),
            Self::Counted { one, other } => (other, Some(one)),
        };
        let pieces = first.0.iter().chain(second.into_iter().flat_map(|pattern| &pattern.0));
        pieces.filter_map(|piece| match piece {
            Piece::Slot(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

impl Pattern {
    fn read(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a { without its }")?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
                return Err(format!("{{{name}}} is no name of anything"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Slot(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

#[cfg(test)]
mod tests {
    use super::super::shipped::WORDS;
    use super::*;

    fn shipped() -> Catalogues {
        Catalogues::read(WORDS.iter().map(|(tag, text)| (*tag, *tag, *text))).expect("shipped words can be read")
    }

    fn with(tag: &str, text: &str) -> Result<Catalogues, TemplateError> {
        let shipped = WORDS.iter().map(|(tag, text)| (*tag, *tag, *text));
        Catalogues::read(shipped.chain([(tag, "words.toml", text)]))
    }

    fn closest(catalogues: &Catalogues, locale: &str) -> String {
        let locale = locale.parse().expect("a language tag");
        catalogues.closest(&locale).expect("English at least").tag().to_owned()
    }

    #[test]
    fn every_word_is_there_in_every_language_and_filled_in_alike() {
        let english = WORDS.iter().find(|(tag, _)| *tag == LAST_RESORT).expect("English");
        let english = entries("en", english.1, None).expect("it can be read");
        for (tag, text) in WORDS.iter().filter(|(tag, _)| !tag.contains('-')) {
            let own = entries(tag, text, None).expect("it can be read");
            let missing: Vec<_> = english.keys().filter(|key| !own.contains_key(*key)).collect();
            let strange: Vec<_> =
                own.keys().filter(|key| !english.contains_key(*key) && !key.starts_with("zones.")).collect();
            assert!(missing.is_empty() && strange.is_empty(), "{tag}: missing {missing:?}, strange {strange:?}");
            for (key, entry) in own.iter().filter(|(key, _)| english.contains_key(*key) && !key.starts_with("dates.")) {
                let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) =
                    (english[key].slots().collect(), entry.slots().collect());
                assert_eq!(ours, theirs, "{tag}: {key}");
            }
        }
    }

    #[test]
    fn every_word_is_said_somewhere() {
        let sources: String = super::super::shipped::SHIPPED.iter().map(|(_, text)| *text).collect();
        let mut code = [include_str!("variables.rs"), include_str!("meeting.rs"), include_str!("reader.rs")].concat();
        // Each notice names its words in its own file.
        let notices = concat!(env!("CARGO_MANIFEST_DIR"), "/../taskflow-core/src/notice");
        for file in std::fs::read_dir(notices).expect("the notices") {
            code += &std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        }
        let english = WORDS.iter().find(|(tag, _)| *tag == LAST_RESORT).expect("English");
        for key in entries("en", english.1, None).expect("it can be read").keys() {
            let (family, _) = key.rsplit_once('.').unwrap_or((key, ""));
            let said = |text: &str| text.contains(&format!("\"{key}\"")) || text.contains(&format!("\"{family}.\""));
            let family = [format!("\"{family}\""), format!("\"{family}.{{")];
            let said = said(&sources) || said(&code) || family.iter().any(|family| code.contains(family));
            // The page that ends mail of a kind names it.
            let mut recurring = taskflow_core::NoticeKind::ALL.into_iter().filter(|kind| kind.is_recurring());
            let names = recurring.any(|kind| *key == format!("{kind}.plural"));
            assert!(said || names, "{key} is never said");
        }
    }

    #[test]
    fn a_reader_is_written_to_in_their_language_or_the_next_wider_or_english() {
        let catalogues = shipped();
        for (locale, tag) in [
            ("de", "de"),
            ("de-CH", "de"),
            ("DE-ch-1996", "de"),
            ("en-GB", "en"),
            ("en-us", "en-US"),
            ("fr-CA", "en"),
            ("zh-Hans", "en"),
        ] {
            assert_eq!(closest(&catalogues, locale), tag, "{locale}");
        }
    }

    #[test]
    fn a_new_language_may_begin_with_a_few_words() {
        let catalogues = with("fr", "hello = 'Bonjour {name},'\n[own]\nmotto = '{anything}'").expect("it can be read");
        let french = catalogues.closest(&"fr-CA".parse().expect("a tag")).expect("there it is");
        assert_eq!(french.say("hello", &[("name", "Ada")]).expect("said"), "Bonjour Ada,");
        assert_eq!(french.say("open", &[]).expect("said"), "Open TaskFlow");
    }

    #[test]
    fn the_name_of_the_service_is_said_everywhere() {
        let catalogues = with("en", "brand = 'Acme'").expect("it can be read");
        for locale in ["en", "en-US"] {
            let words = catalogues.closest(&locale.parse().expect("a tag")).expect("there it is");
            assert_eq!(words.say("open", &[]).expect("said"), "Open Acme", "{locale}");
        }
    }

    #[test]
    fn faults_are_told_with_file_and_line() {
        for (text, expected) in [
            ("hello = 'x'\nhello", "words.toml, line 2: "),
            ("\n\nhelo = 'x'", "words.toml, line 3: helo: there are no such words to say"),
            ("hello = 'x {nam}'", "words.toml, line 1: hello: {nam} is never filled in here"),
            ("hello = 'x {name'", "words.toml, line 1: hello: a { without its }"),
            ("hello = 'x {}'", "words.toml, line 1: hello: {} is no name of anything"),
            ("hello = 1", "words.toml, line 1: hello: must be a text"),
            ("more = { one = 'x' }", "words.toml, line 1: more: must be a text"),
        ] {
            let error = with("en", text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(with("x", "").expect_err("no tag").to_string().contains("x is not a language tag"));
    }

    #[test]
    fn one_is_told_from_many() {
        let catalogues = shipped();
        let german = catalogues.closest(&"de".parse().expect("a tag")).expect("German");
        let said = ["0", "1", "2"].map(|count| german.say("units.hours", &[("count", count)]).expect("said"));
        assert_eq!(said, ["0 Stunden", "1 Stunde", "2 Stunden"]);
        assert!(german.say("units.hours", &[]).is_err() && german.say("hello", &[]).is_err());
    }
}
