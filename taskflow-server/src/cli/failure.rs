//! Failures of a command: what happened, why, what to do next, and the exit code.

use std::error::Error;
use std::io::Write;

use serde_json::{Value, json};
use taskflow_core::StoreError;

use super::output::Format;
use crate::config::ConfigErrors;
use crate::wiring::OpenError;

/// The reason why a command failed, as scripts distinguish it. The exit codes are part of the interface: see
/// `docs/cli.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Everything without a code of its own.
    Failed,
    /// The command line could not be understood.
    Usage,
    /// Input was invalid or conflicts with existing data (EX_DATAERR of sysexits).
    Refused,
    /// The named account, address or run does not exist (EX_NOUSER).
    NotFound,
    /// The database or the relay cannot be reached (EX_UNAVAILABLE).
    Unavailable,
    /// Settings cannot be used (EX_CONFIG).
    Settings,
}

impl Reason {
    /// Its exit code.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 65,
            Self::NotFound => 67,
            Self::Unavailable => 69,
            Self::Settings => 78,
        }
    }

    /// Its word in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::Settings => "settings",
        }
    }
}

/// The failure of a command.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    advice: Option<String>,
    problems: Vec<Value>,
    reason: Reason,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, problems: Vec::new(), reason: Reason::Failed }
    }

    /// Adds what to do next.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Gives it another exit code.
    pub(super) fn because(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// The settings cannot be used.
    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub(super) fn settings(problems: ConfigErrors) -> Self {
        let named = problems.0.iter().map(|problem| {
            json!({
                "setting": problem.setting, "from": problem.from, "wrong": problem.wrong, "right": problem.right,
            })
        });
        Self { problems: named.collect(), ..Self::new(problems.to_string()).because(Reason::Settings) }
    }

    /// An error while `doing` something, for example `cannot read the jobs`.
    pub(super) fn of(doing: &str, error: &(dyn Error + 'static)) -> Self {
        let reason = match error.downcast_ref::<taskflow_core::Error>() {
            Some(taskflow_core::Error::NotFound(_)) => Reason::NotFound,
            Some(taskflow_core::Error::Invalid(_) | taskflow_core::Error::Taken(_)) => Reason::Refused,
            Some(taskflow_core::Error::Unavailable(_)) => Reason::Unavailable,
            _ => Reason::Failed,
        };
        let message = match error.downcast_ref::<taskflow_core::Error>() {
            Some(taskflow_core::Error::Invalid(fields)) => {
                fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            _ => chain(error),
        };
        Self::new(format!("{doing}: {message}")).because(reason)
    }

    /// The exit code of the process.
    pub(super) fn exit_code(&self) -> u8 {
        self.reason.exit_code()
    }

    /// Prints it to standard error.
    pub(super) fn print(&self, format: Format) {
        let text = match format {
            Format::Text => self.text(),
            Format::Json => format!("{:#}\n", self.json()),
        };
        // There is nobody left to tell when standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn text(&self) -> String {
        let mut text = format!("taskflow: {}\n", self.message);
        if let Some(advice) = &self.advice {
            text.push_str(&format!("    → {advice}\n"));
        }
        text
    }

    fn json(&self) -> Value {
        let mut error = json!({
            "reason": self.reason.as_str(),
            "exit_code": self.reason.exit_code(),
            "message": self.message,
            "advice": self.advice,
        });
        if !self.problems.is_empty() {
            error["problems"] = self.problems.clone().into();
        }
        json!({ "error": error })
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        if let (Some((cause, advice)), OpenError::Database(_, source) | OpenError::Backup(_, source)) =
            (error.explanation(), &error)
        {
            let reason = match source {
                StoreError::Unavailable(_) => Reason::Unavailable,
                _ => Reason::Failed,
            };
            return Self::new(format!("{error}: {cause}")).because(reason).advise(advice);
        }
        let failure = Self::new(chain(&error));
        match error {
            OpenError::Database(place, StoreError::Unavailable(_)) => failure
                .because(Reason::Unavailable)
                .advise(format!("check that {place} can be reached and written, or set DATABASE_URL")),
            OpenError::Database(place, _) => failure.advise(format!(
                "check that {place} is a database of this or an older version of taskflow, or set DATABASE_URL",
            )),
            OpenError::Backup(..) => failure.because(Reason::Unavailable),
            OpenError::Mail(_) => failure.because(Reason::Settings).advise("see the SMTP_ settings in env.example"),
        }
    }
}

/// An error and its causes, each once.
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
    fn each_cause_is_named_once() {
        let io = std::io::Error::other("disk is full");
        let store = StoreError::Unavailable(Box::new(io));
        let failure = Failure::from(OpenError::Database("x.db".into(), store));
        assert_eq!(failure.message, "cannot open the database x.db: storage is unavailable: disk is full");
        assert!(failure.advice.is_some_and(|advice| advice.contains("x.db")));
    }

    #[test]
    fn wrong_settings_have_an_exit_code_of_their_own() {
        assert_eq!(Failure::settings(ConfigErrors(Vec::new())).exit_code(), 78);
        assert_eq!(Failure::new("anything else").exit_code(), 1);
    }

    #[test]
    fn errors_of_use_cases_have_their_exit_codes() {
        use taskflow_core::{Error, FieldError};
        let code = |error: Error| Failure::of("cannot do it", &error).exit_code();
        assert_eq!(code(Error::NotFound("user")), 67);
        assert_eq!(code(Error::Unavailable(std::io::Error::other("x").into())), 69);
        let invalid = Error::from(FieldError::new("at", "must not lie ahead"));
        let invalid = Failure::of("cannot run the job", &invalid);
        assert_eq!((invalid.message.as_str(), invalid.exit_code()), ("cannot run the job: at must not lie ahead", 65));
    }

    #[test]
    fn a_failure_is_one_object_in_json() {
        let json = Failure::new("no account").advise("create one").because(Reason::NotFound).json();
        assert_eq!(json["error"]["reason"], "not_found");
        assert_eq!((&json["error"]["exit_code"], &json["error"]["advice"]), (&67.into(), &"create one".into()));
    }
}
