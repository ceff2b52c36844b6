//! `taskflow config`.

use serde::Serialize;

use super::failure::Failure;
use super::output::{self, Format, Report};
use crate::config::{Config, Origin, Setting, example};

#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(super) enum Command {
    /// Check the settings as serve does, without starting anything
    #[command(
        after_help = "The exit code is 0 when serve would accept the settings and 78 when it would not. Nothing is \
                            created or changed; whether the database and the relay answer is not tested."
    )]
    Check,
    /// Print a file for .env with every setting, its default and its meaning
    Example,
}

/// The settings in force.
#[derive(Debug, Serialize)]
struct Effective {
    settings: Vec<Shown>,
    /// Warnings about settings that are allowed but probably not intended.
    notes: Vec<String>,
}

/// One setting in force.
#[derive(Debug, Serialize)]
struct Shown {
    name: &'static str,
    /// Absent when unset; `***` stands for a secret.
    value: Option<String>,
    /// `flag`, `environment`, `.env`, `taskflow.toml` or `default`.
    origin: &'static str,
    /// The line in `.env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip)]
    row: [String; 3],
}

/// The settings would be accepted.
#[derive(Debug, Serialize)]
struct Checked {
    valid: bool,
    notes: Vec<String>,
}

impl Shown {
    fn new((name, value, from): (&'static str, String, Origin)) -> Self {
        let (origin, line) = match &from {
            Origin::Flag(_) => ("flag", None),
            Origin::Environment => ("environment", None),
            Origin::DotEnv(line) => (".env", Some(*line)),
            Origin::Toml => ("taskflow.toml", None),
            Origin::Default => ("default", None),
        };
        let row = [name.to_owned(), value.clone(), from.to_string()];
        // Of a secret that is not set, people read in parentheses what becomes of it.
        let is_secret = Setting::named(name).is_some_and(|setting| setting.secret);
        let value = Some(value).filter(|value| !value.is_empty() && (!is_secret || value == "***"));
        Self { name, value, origin, line, row }
    }
}

impl Report for Effective {
    fn text(&self) -> String {
        let table = output::table(["SETTING", "VALUE", "FROM"], self.settings.iter().map(|shown| shown.row.clone()));
        table + &noted(&self.notes)
    }
}

impl Report for Checked {
    fn text(&self) -> String {
        format!("the settings are valid{}", noted(&self.notes))
    }
}

fn noted(notes: &[String]) -> String {
    notes.iter().map(|note| format!("\n\nnote: {note}")).collect()
}

/// Prints the settings in force, or that they are valid.
pub(super) fn run(command: Option<Command>, config: &Config, format: Format) -> Result<(), Failure> {
    let notes = config.warnings.clone();
    match command {
        None => format.print(&Effective { settings: config.effective().into_iter().map(Shown::new).collect(), notes }),
        Some(Command::Check) => format.print(&Checked { valid: true, notes }),
        Some(Command::Example) => print_example(),
    }
}

/// Prints the file for `.env`.
pub(super) fn print_example() -> Result<(), Failure> {
    output::line(example().trim_end())
}
