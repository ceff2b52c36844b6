//! Everything that is wrong with the settings.

use std::fmt;

/// A setting that is wrong: its name and source, what is wrong and what would be right.
///
/// It never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, or the file that cannot be read.
    pub setting: String,
    /// The source of its value; `None` if it has none.
    pub from: Option<String>,
    /// Description of the error, to be read after the name of the setting.
    pub wrong: String,
    /// Description of an accepted value, as a sentence without its full stop.
    pub right: String,
}

/// Everything that is wrong with the settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, from, wrong, right } = self;
        match from {
            Some(from) => write!(f, "{setting} (from {from}) {wrong}\n    → {right}"),
            None => write!(f, "{setting} {wrong}\n    → {right}"),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("one setting needs attention:")?,
            count => write!(f, "{count} settings need attention:")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n\n  {problem}"))
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_sentence_and_advice() {
        let problem = ConfigError {
            setting: "PORT".into(),
            from: Some(".env, line 3".into()),
            wrong: "is \"80000\"".into(),
            right: "take a number from 0 to 65535".into(),
        };
        assert_eq!(problem.to_string(), "PORT (from .env, line 3) is \"80000\"\n    → take a number from 0 to 65535");
        let all = ConfigErrors(vec![problem.clone(), ConfigError { from: None, ..problem }]).to_string();
        assert!(all.starts_with("2 settings need attention:\n\n  PORT (from"), "{all}");
    }
}
