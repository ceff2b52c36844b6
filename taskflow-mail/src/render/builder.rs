//! Templates and words that are not the shipped ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use taskflow_core::notice::{CustomKind, CustomNotice};
use taskflow_core::{NoticeKind, Timestamp, Zone};

use super::catalogue::Catalogues;
use super::shipped::{SHIPPED, WORDS};
use super::{Fault, Templates, plain, sample};

/// The error of a template or of words that cannot be used, with its file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {problem}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The path of the file, or the name it was given in code.
    pub place: String,
    /// The line, counted from 1, where the problem has one.
    pub line: Option<usize>,
    /// The problem.
    pub problem: String,
}

impl TemplateError {
    pub(super) fn new(place: &str, line: Option<usize>, problem: String) -> Self {
        Self { place: place.to_owned(), line, problem }
    }
}

/// Replaces shipped templates and words; see [`Templates`] for their names and variables.
///
/// Later additions win. Names below `own/` and words below `own.` are free for an embedder's own pieces, which other
/// templates and words can use. Any other name that is not shipped is refused, so that a typing mistake does not
/// silently leave the mail unchanged.
///
/// ```
/// use taskflow_mail::Templates;
///
/// let templates = Templates::builder()
///     .template("welcome/subject.txt", "Good to see you, {{ name }}")
///     .words("en", "brand = 'Acme Tasks'")
///     .words("fr", "hello = 'Bonjour {name},'")
///     .build()?;
/// assert_eq!(templates.locales().collect::<Vec<_>>(), ["de", "en", "en-US", "fr"]);
///
/// let error = Templates::builder().words("en", "\nhelo = 'Hi'").build().unwrap_err();
/// assert_eq!(error.to_string(), "locales/en.toml, line 2: helo: there are no such words to say");
///
/// let error = Templates::builder().template("task_due/body.txt", "{{ titel }}").build().unwrap_err();
/// assert_eq!(error.to_string(), "task_due/body.txt, line 1: undefined value (task_due in de)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct TemplatesBuilder {
    sources: Vec<Source>,
    notices: Vec<NoticeKind>,
}

#[derive(Debug, Clone)]
enum Source {
    Directory(PathBuf),
    File(File),
}

/// A template or a catalogue of words, by its name among the shipped ones.
#[derive(Debug, Clone)]
struct File {
    name: String,
    /// The name that errors use for it.
    place: String,
    text: String,
}

impl TemplatesBuilder {
    /// Adds every `.txt`, `.html` and `.toml` file of a directory that is named like a shipped one, for example
    /// `welcome/body.html` or `locales/de.toml`. It is read once, by [`build`](Self::build); hidden files and files of
    /// other kinds are ignored.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Directory(path.into()));
        self
    }

    /// Adds one template, for example `welcome/subject.txt`.
    pub fn template(self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.file(name.into(), source.into())
    }

    /// Adds words of one language (TOML, see `templates/locales/en.toml`): any that differ from the shipped ones, or
    /// those of a language that is not shipped.
    pub fn words(self, locale: impl AsRef<str>, source: impl Into<String>) -> Self {
        self.file(format!("locales/{}.toml", locale.as_ref()), source.into())
    }

    /// Lets templates of a notice of the host be added: `subject.txt`, `body.txt` and `body.html` in the folder with the name
    /// of its kind. They know the fields of the notice. Without a subject its mail is plain text, and without `body.html` it
    /// has no HTML.
    pub fn notice<N: CustomNotice>(mut self) -> Self {
        self.notices.push(CustomKind::register::<N>().into());
        self
    }

    fn file(mut self, name: String, text: String) -> Self {
        self.sources.push(Source::File(File { place: name.clone(), name, text }));
        self
    }

    /// Reads everything, and tries every notice in every language with made-up content, so that mistakes are found now
    /// and not in a sent mail.
    ///
    /// # Errors
    ///
    /// The first fault: a file that cannot be read or has a name that means nothing, a template that does not parse or
    /// names what does not exist, words that are never said.
    pub fn build(self) -> Result<Templates, TemplateError> {
        let mut files = Vec::new();
        for source in self.sources {
            match source {
                Source::Directory(path) => read_directory(&path, &mut files)?,
                Source::File(file) => files.push(file),
            }
        }
        let (words, templates): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.tag().is_some());
        let shipped = WORDS.iter().map(|(tag, text)| (*tag, *tag, *text));
        let own = words.iter().filter_map(|file| Some((file.tag()?, file.place.as_str(), file.text.as_str())));
        let catalogues = Catalogues::read(shipped.chain(own))?;
        let environment = environment(&templates, &self.notices)?;
        let own: Vec<_> = words.into_iter().chain(templates).collect();
        let templates = Templates { environment, catalogues };
        if !own.is_empty() {
            try_everything(&templates, &own, &self.notices)?;
        }
        Ok(templates)
    }
}

impl File {
    /// Returns the language of its words.
    fn tag(&self) -> Option<&str> {
        self.name.strip_prefix("locales/")?.strip_suffix(".toml")
    }
}

fn environment(files: &[File], notices: &[NoticeKind]) -> Result<Environment<'static>, TemplateError> {
    let mut environment = Environment::new();
    // A variable that does not exist is the fault of the template, not an empty word in somebody's mail.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(
        |name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        },
    );
    environment.add_filter("wrap", |text: &str| plain::wrapped(text));
    // By name, so that a later one takes the place of an earlier one.
    let mut sources: BTreeMap<_, _> = SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*name, *text))).collect();
    for file in files {
        let is_own = file.name.starts_with("own/") && (file.name.ends_with(".txt") || file.name.ends_with(".html"));
        let is_own = is_own || is_of_a_notice(&file.name, notices);
        if !is_own && !sources.contains_key(&file.name) {
            let problem = format!("there is no template {}; a piece of your own is called own/…", file.name);
            return Err(TemplateError::new(&file.place, None, problem));
        }
        sources.insert(file.name.clone(), (&file.place, &file.text));
    }
    for (name, (place, text)) in sources {
        environment.add_template_owned(name, text.to_owned()).map_err(|error| {
            let problem = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
            TemplateError::new(place, error.line(), problem)
        })?;
    }
    Ok(environment)
}

/// Returns whether a template is one of a notice of the host.
fn is_of_a_notice(name: &str, notices: &[NoticeKind]) -> bool {
    name.split_once('/').is_some_and(|(folder, file)| {
        ["subject.txt", "body.txt", "body.html"].contains(&file) && notices.iter().any(|kind| kind.as_str() == folder)
    })
}

/// Renders a sample of every notice in every language, with and without the links that a service may lack.
fn try_everything(templates: &Templates, own: &[File], notices: &[NoticeKind]) -> Result<(), TemplateError> {
    // A day in February of a leap year, as good as any.
    let some_day = Timestamp::from_micros(1_835_429_400_000_000);
    for catalogue in templates.catalogues.iter() {
        let Ok(locale) = catalogue.tag().parse() else { continue };
        for kind in NoticeKind::ALL.iter().chain(notices).copied() {
            for public_url in [Some("https://tasks.example.org"), None] {
                let Some(input) = sample(kind, &locale, &Zone::utc(), public_url, some_day) else { continue };
                templates.words_of(&input).map_err(|fault| located(fault, own, kind, catalogue.tag()))?;
            }
        }
    }
    Ok(())
}

/// Locates a fault. The content is made up, so all of it may be shown.
fn located(fault: Fault, own: &[File], kind: NoticeKind, locale: &str) -> TemplateError {
    match fault {
        Fault::Template { name, error } => {
            let name = error.name().unwrap_or(&name);
            let place = own.iter().rev().find(|file| file.name == name).map_or(name, |file| &file.place);
            let problem = match error.detail() {
                Some(detail) => format!("{}: {detail} ({kind} in {locale})", error.kind()),
                None => format!("{} ({kind} in {locale})", error.kind()),
            };
            TemplateError::new(place, error.line(), problem)
        }
        Fault::Other(error) => TemplateError::new(kind.as_str(), None, format!("{} (in {locale})", error.0)),
    }
}

/// Adds every template and catalogue below `root`.
fn read_directory(root: &Path, files: &mut Vec<File>) -> Result<(), TemplateError> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        TemplateError::new(&path.display().to_string(), None, format!("cannot be read: {error}"))
    };
    let mut waiting = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
            else {
                continue;
            };
            let name = format!("{prefix}{name}");
            // Follows links, since that is how clusters mount files.
            let kind = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            if kind.is_dir() && prefix.is_empty() {
                waiting.push((path, format!("{name}/")));
            } else if kind.is_file() && [".txt", ".html", ".toml"].iter().any(|end| name.ends_with(end)) {
                let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                files.push(File { name, place: path.display().to_string(), text });
            }
        }
    }
    Ok(())
}
