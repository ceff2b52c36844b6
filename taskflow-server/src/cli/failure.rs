//! How a command ends that could not do what was asked: what happened, why, and what to do next.

use std::error::Error;
use std::io::Write;

use taskflow_core::StoreError;

use crate::config::Problems;
use crate::wiring::OpenError;

/// Settings that cannot be used (EX_CONFIG of sysexits).
const CONFIG: u8 = 78;
/// Everything else.
const FAILED: u8 = 1;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    advice: Option<String>,
    pub(super) code: u8,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, code: FAILED }
    }

    /// Says what to do next.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Says which settings are wrong.
    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub(super) fn settings(problems: Problems) -> Self {
        Self { message: problems.to_string(), advice: None, code: CONFIG }
    }

    /// Says what went wrong in a use case.
    pub(super) fn of(doing: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(format!("{doing}: {}", chain(error)))
    }

    /// Prints it to standard error.
    pub(super) fn print(&self) {
        let mut text = format!("taskflow: {}\n", self.message);
        if let Some(advice) = &self.advice {
            text.push_str(&format!("    → {advice}\n"));
        }
        // There is nobody left to tell when standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let failure = Self::new(chain(&error));
        match error {
            OpenError::Database(place, StoreError::Unavailable(_)) if place.starts_with("postgres:") => failure.advise(
                "check that the server runs there, that the database exists and that user and password are right",
            ),
            OpenError::Database(path, StoreError::Unavailable(_)) => failure.advise(format!(
                "check that {path} and its folder can be written by this user and that the disk has room, or set DATABASE_URL",
            )),
            OpenError::Database(place, _) => failure.advise(format!(
                "check that {place} is a database of this or an older version of taskflow, or set DATABASE_URL",
            )),
            OpenError::Mail(_) => Self { code: CONFIG, ..failure }.advise("see the SMTP_ settings in env.example"),
        }
    }
}

/// An error and its causes, without saying the same twice.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_each() {
        let io = std::io::Error::other("disk is full");
        let store = StoreError::Unavailable(Box::new(io));
        let failure = Failure::from(OpenError::Database("x.db".into(), store));
        assert_eq!(failure.message, "cannot open the database x.db: storage is unavailable: disk is full");
        assert!(failure.advice.is_some_and(|advice| advice.contains("x.db")));
    }

    #[test]
    fn wrong_settings_have_an_exit_code_of_their_own() {
        assert_eq!(Failure::settings(Problems(Vec::new())).code, CONFIG);
        assert_eq!(Failure::new("anything else").code, FAILED);
    }
}
