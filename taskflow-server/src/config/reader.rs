//! Takes typed values out of what was given and collects what is wrong with them.

use std::collections::BTreeMap;

use super::error::{ConfigError, ConfigErrors};
use super::settings::{SETTINGS, Setting};
use super::sources::{Origin, RawSettings};

/// The given settings, and the problems found so far.
pub(super) struct Reader {
    given: RawSettings,
}

impl Reader {
    pub(super) fn new(given: RawSettings) -> Self {
        Self { given }
    }

    /// The text as it was given, without spaces around it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given.values.get(name).map(|(text, _)| text.trim())
    }

    /// Returns whether the setting is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.values.contains_key(name)
    }

    /// A secret, byte for byte; it never shows in a problem.
    pub(super) fn secret(&self, name: &str) -> Option<&str> {
        self.given.values.get(name).map(|(text, _)| text.as_str())
    }

    /// A setting with a default. `right` says what would be right when it cannot be read.
    pub(super) fn value<T>(&mut self, name: &'static str, right: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        self.optional(name, right, &parse).unwrap_or_else(|| {
            let default = setting(name).default.and_then(parse);
            default.expect("a setting that is read as a value has a default that can be read")
        })
    }

    /// A setting that may be unset; also `None` when it cannot be read, which is a problem then.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        right: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text);
        if value.is_none() {
            let secret = setting(name).secret || may_hold_login(text);
            let wrong = if secret { "cannot be used".to_owned() } else { format!("is {text:?}") };
            self.problem(name, wrong, right);
        }
        value
    }

    /// Something is wrong with a setting.
    pub(super) fn problem(&mut self, name: &'static str, wrong: impl Into<String>, right: impl Into<String>) {
        let from = self.given.values.get(name).map(|(_, origin)| origin.to_string());
        self.given.problems.push(ConfigError { setting: name.into(), from, wrong: wrong.into(), right: right.into() });
    }

    /// Returns the number of problems found so far.
    pub(super) fn problems(&self) -> usize {
        self.given.problems.len()
    }

    /// Names in `.env` that are no settings.
    pub(super) fn ignored(&self) -> &[String] {
        &self.given.ignored
    }

    /// The variables of the environment that are no settings.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.given.environment
    }

    /// Returns the origin of each given setting.
    ///
    /// # Errors
    ///
    /// The problems, if there are any: those of files first, then in the order of the settings.
    pub(super) fn finish(self) -> Result<BTreeMap<&'static str, Origin>, ConfigErrors> {
        let RawSettings { values, mut problems, .. } = self.given;
        if problems.is_empty() {
            return Ok(values.into_iter().map(|(name, (_, origin))| (name, origin)).collect());
        }
        let place = |problem: &ConfigError| SETTINGS.iter().position(|setting| setting.name == problem.setting);
        problems.sort_by_key(place);
        Err(ConfigErrors(problems))
    }
}

/// Returns whether a text may hold a password. Without this check, a login in the wrong setting would be logged.
fn may_hold_login(text: &str) -> bool {
    let behind_scheme = text.split_once("//").map_or("", |(_, rest)| rest);
    let authority = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    text.contains('@') && text.contains(':') || !port.bytes().all(|byte| byte.is_ascii_digit())
}

fn setting(name: &str) -> &'static Setting {
    Setting::named(name).expect("settings are read by a name from their list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_password_is_not_repeated() {
        for text in ["smtp://user:hunter2", "https://u:p@ss/w", "user:hunter2@relay", "postgres://u:hunter2/db"] {
            assert!(may_hold_login(text), "{text}");
        }
        for text in ["https://host:8080/path", "local 08:00,x", "host:80", "ftp://host", "//x"] {
            assert!(!may_hold_login(text), "{text}");
        }
    }
}
