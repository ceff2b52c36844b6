//! Sources of settings: flags > environment > `.env` > `taskflow.toml`. The first value that is not empty wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;

use super::dotenv;
use super::error::ConfigError;
use super::settings::{SETTINGS, Setting};

/// The file of settings in the working directory.
const TOML_FILE: &str = "taskflow.toml";
/// The file of environment variables in the working directory.
const DOTENV_FILE: &str = ".env";

/// The source of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag(String),
    /// In the environment of the process.
    Environment,
    /// In `.env`, on that line.
    DotEnv(usize),
    /// In `taskflow.toml`.
    Toml,
    /// Nowhere: it has its default, or follows from other settings.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment => f.write_str("the environment"),
            Self::DotEnv(line) => write!(f, "{DOTENV_FILE}, line {line}"),
            Self::Toml => f.write_str(TOML_FILE),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// The texts that settings may be in, before anything is understood.
#[derive(Clone, Default)]
pub struct Sources {
    flags: Vec<(&'static Setting, String)>,
    environment: BTreeMap<OsString, OsString>,
    dot_env: Option<Result<String, String>>,
    toml: Option<Result<String, String>>,
}

/// Settings that were given, each from its strongest source.
#[derive(Default)]
pub(super) struct RawSettings {
    pub(super) values: BTreeMap<&'static str, (String, Origin)>,
    pub(super) problems: Vec<ConfigError>,
    /// Names in `.env` that are no settings.
    pub(super) ignored: Vec<String>,
    /// Variables of the environment that are no settings.
    pub(super) environment: Vec<(String, String)>,
}

impl Sources {
    /// No setting at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The environment of this process and the files in its working directory.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            flags: Vec::new(),
            environment: std::env::vars_os().collect(),
            dot_env: file(DOTENV_FILE),
            toml: file(TOML_FILE),
        }
    }

    /// With these from the command line.
    #[must_use]
    pub fn with_flags(mut self, flags: Vec<(&'static Setting, String)>) -> Self {
        self.flags = flags;
        self
    }

    /// With these instead of the environment.
    #[must_use]
    pub fn with_environment<const N: usize>(mut self, variables: [(&str, &str); N]) -> Self {
        self.environment = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// With this instead of `.env`.
    #[must_use]
    pub fn with_dot_env(mut self, text: &str) -> Self {
        self.dot_env = Some(Ok(text.to_owned()));
        self
    }

    /// With this instead of `taskflow.toml`.
    #[must_use]
    pub fn with_toml(mut self, text: &str) -> Self {
        self.toml = Some(Ok(text.to_owned()));
        self
    }

    /// Layers the sources, the weakest first so that stronger ones replace it. Empty values count as not given.
    pub(super) fn read(self) -> RawSettings {
        let mut given = RawSettings::default();
        given.read_toml(self.toml);
        given.read_dot_env(self.dot_env);
        given.read_environment(&self.environment);
        for (setting, value) in self.flags {
            given.put(setting, value, Origin::Flag(setting.flag()));
        }
        given
    }
}

impl RawSettings {
    fn put(&mut self, setting: &'static Setting, value: String, origin: Origin) {
        if !value.trim().is_empty() {
            self.values.insert(setting.name, (value, origin));
        }
    }

    fn problem(&mut self, setting: &str, from: Option<String>, wrong: impl Into<String>, right: impl Into<String>) {
        self.problems.push(ConfigError { setting: setting.to_owned(), from, wrong: wrong.into(), right: right.into() });
    }

    fn read_toml(&mut self, text: Option<Result<String, String>>) {
        let text = match text {
            None => return,
            Some(Err(reason)) => return self.problem(TOML_FILE, None, reason, "make it readable or move it away"),
            Some(Ok(text)) => text,
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Not `Display`: that quotes the line, and the line may hold a secret.
                let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                let wrong = format!("cannot be read at line {line}: {}", error.message());
                return self.problem(TOML_FILE, None, wrong, "write lines such as port = 8000 or host = \"127.0.0.1\"");
            }
        };
        for (name, value) in table {
            let Some(setting) = Setting::named(&name) else {
                let right = match nearest(&name) {
                    Some(setting) => format!("did you mean {}?", setting.name.to_ascii_lowercase()),
                    None => "remove it; taskflow config --help lists all settings".to_owned(),
                };
                self.problem(&name, Some(Origin::Toml.to_string()), "is not a setting", right);
                continue;
            };
            match plain(&value) {
                Some(value) => self.put(setting, value, Origin::Toml),
                None => {
                    let wrong = format!("is a {}", value.type_str());
                    let from = Some(Origin::Toml.to_string());
                    self.problem(
                        setting.name,
                        from,
                        wrong,
                        "use a string, a number, true, false or an array of strings",
                    );
                }
            }
        }
    }

    fn read_dot_env(&mut self, text: Option<Result<String, String>>) {
        let text = match text {
            None => return,
            Some(Err(reason)) => return self.problem(DOTENV_FILE, None, reason, "make it readable or move it away"),
            Some(Ok(text)) => text,
        };
        for entry in dotenv::parse(&text) {
            match entry {
                Ok(entry) => match SETTINGS.iter().find(|setting| setting.name == entry.name) {
                    Some(setting) => self.put(setting, entry.value, Origin::DotEnv(entry.line)),
                    // A line that is no name may be half of a secret.
                    None if entry.name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                        let meant = nearest(&entry.name).map(|meant| format!(" (did you mean {}?)", meant.name));
                        self.ignored.push(entry.name + &meant.unwrap_or_default());
                    }
                    None => self.ignored.push(format!("line {}", entry.line)),
                },
                Err(bad) => {
                    let name = format!("{DOTENV_FILE}, line {},", bad.line);
                    self.problem(&name, None, bad.reason, "write NAME=value, and begin comments with #");
                }
            }
        }
    }

    fn read_environment(&mut self, variables: &BTreeMap<OsString, OsString>) {
        let named = variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        let others = named.filter(|(name, _)| SETTINGS.iter().all(|setting| setting.name != *name));
        self.environment = others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for setting in SETTINGS.iter() {
            let Some(value) = variables.get(&OsString::from(setting.name)) else { continue };
            match value.to_str() {
                Some(value) => self.put(setting, value.to_owned(), Origin::Environment),
                None => {
                    let from = Some(Origin::Environment.to_string());
                    self.problem(setting.name, from, "is not valid UTF-8", "set it again");
                }
            }
        }
    }
}

/// The text of a file of the working directory; `None`: there is none.
fn file(name: &str) -> Option<Result<String, String>> {
    match std::fs::read_to_string(name) {
        Ok(text) => Some(Ok(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(format!("cannot be read: {error}"))),
    }
}

/// The value as one would write it in the environment.
fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// The setting that was probably meant: at most two letters away.
fn nearest(name: &str) -> Option<&'static Setting> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    Setting::named(&nearest_word(&name, SETTINGS.iter().map(|setting| setting.name.to_owned()))?)
}

/// The candidate that was probably meant by a misspelled word: the nearest that is at most two letters away, and at most
/// a third of the word.
#[must_use]
pub fn nearest_word(word: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    let most = 2.min(word.chars().count() / 3);
    let near = candidates.into_iter().map(|candidate| (distance(word, &candidate), candidate));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// Returns the number of letters to change, insert or delete to turn one word into the other (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(given: &RawSettings, name: &str) -> Option<(String, Origin)> {
        given.values.get(name).cloned()
    }

    fn flag(name: &str, value: &str) -> Vec<(&'static Setting, String)> {
        vec![(Setting::named(name).expect("a setting"), value.to_owned())]
    }

    #[test]
    fn flags_win_over_environment_over_dot_env_over_toml() {
        let mut sources = Sources::none().with_toml("port = 1");
        let port = |sources: &Sources| value(&sources.clone().read(), "PORT").expect("a port");
        assert_eq!(port(&sources), ("1".into(), Origin::Toml));
        sources = sources.with_dot_env("# first\nPORT=2");
        assert_eq!(port(&sources), ("2".into(), Origin::DotEnv(2)));
        sources = sources.with_environment([("PORT", "3")]);
        assert_eq!(port(&sources), ("3".into(), Origin::Environment));
        sources = sources.with_flags(flag("PORT", "4"));
        assert_eq!(port(&sources), ("4".into(), Origin::Flag("port".into())));
    }

    #[test]
    fn an_empty_value_counts_as_not_given() {
        let given = Sources::none().with_toml("port = 1").with_environment([("PORT", " ")]).read();
        assert_eq!(value(&given, "PORT"), Some(("1".into(), Origin::Toml)));
    }

    #[test]
    fn secrets_that_look_like_numbers_stay_texts() {
        let given = Sources::none().with_environment([("SMTP_PASSWORD", "00123")]).read();
        assert_eq!(value(&given, "SMTP_PASSWORD"), Some(("00123".into(), Origin::Environment)));
    }

    #[test]
    fn toml_takes_texts_numbers_truths_and_lists_in_either_case() {
        let given = Sources::none().with_toml("PORT = 80\ndebug = true\nallowed_origins = [\"a\", \"b\"]").read();
        assert!(given.problems.is_empty());
        assert_eq!(value(&given, "PORT").map(|v| v.0).as_deref(), Some("80"));
        assert_eq!(value(&given, "DEBUG").map(|v| v.0).as_deref(), Some("true"));
        assert_eq!(value(&given, "ALLOWED_ORIGINS").map(|v| v.0).as_deref(), Some("a,b"));
    }

    #[test]
    fn unknown_settings_in_toml_are_named_with_what_was_probably_meant() {
        let given = Sources::none().with_toml("smtp_servr = \"x\"\nblurb = 1\n[smtp]\nport = 1").read();
        let named: Vec<_> = given.problems.iter().map(|p| (p.setting.as_str(), p.right.as_str())).collect();
        let unknown = "remove it; taskflow config --help lists all settings";
        assert_eq!(named, [("blurb", unknown), ("smtp", unknown), ("smtp_servr", "did you mean smtp_server?")]);
    }

    #[test]
    fn a_broken_toml_file_is_named_by_its_line_and_never_quoted() {
        let given = Sources::none().with_toml("port = 1\nsecret_key = hunter2hunter2\n").read();
        let text = given.problems[0].to_string();
        assert!(text.contains("taskflow.toml cannot be read at line 2") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn broken_lines_of_dot_env_are_named_and_foreign_names_are_remembered() {
        let given = Sources::none().with_dot_env("hunter2\nCOMPOSE_FILE=a.yaml\nPORT=1").read();
        assert_eq!(given.problems[0].setting, ".env, line 1,");
        assert!(!given.problems[0].to_string().contains("hunter2"));
        assert_eq!(given.ignored, ["COMPOSE_FILE"]);
    }

    #[cfg(unix)]
    #[test]
    fn an_environment_that_is_not_utf8_is_a_problem() {
        use std::os::unix::ffi::OsStringExt;
        let mut sources = Sources::none();
        sources.environment.insert("HOST".into(), OsString::from_vec(vec![0xff]));
        assert_eq!(sources.read().problems[0].setting, "HOST");
    }
}
