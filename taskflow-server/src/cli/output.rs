//! Output of commands.

use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;

use super::failure::Failure;

/// The format in which a command prints its result or failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Text,
    /// As one JSON object, for programs (`--json`).
    Json,
}

/// The result of a command.
pub(super) trait Report: Serialize {
    /// The result for people, without a line break at its end.
    fn text(&self) -> String;
}

impl Format {
    /// The format that these arguments ask for.
    pub(super) fn of<'a>(mut arguments: impl Iterator<Item = &'a std::ffi::OsString>) -> Self {
        if arguments.any(|argument| argument == "--json") { Self::Json } else { Self::Text }
    }

    /// Prints a result to standard output.
    pub(super) fn print(self, report: &impl Report) -> Result<(), Failure> {
        match self {
            Self::Text => line(&report.text()),
            Self::Json => line(&json(report)?),
        }
    }
}

/// A value as JSON with indentation.
fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::of("cannot write the result as JSON", &error))
}

/// Prints lines to standard output. A reader that has seen enough (`| head`) is no failure.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file that a command was told to write; one that is there is replaced, unless it is a database.
pub(super) fn file(path: &Path, text: &str) -> Result<(), Failure> {
    // <https://www.sqlite.org/fileformat2.html#the_database_header>
    const SQLITE: &[u8; 16] = b"SQLite format 3\0";
    let mut start = [0; SQLITE.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    let advised =
        |why: String| Failure::new(format!("cannot write {}: {why}", path.display())).advise("name another file");
    if read.is_ok() && start == *SQLITE {
        return Err(advised("it is a SQLite database".to_owned()));
    }
    std::fs::write(path, text).map_err(|error| advised(error.to_string()))
}

/// Lays rows out in columns under their headings.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let row = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Lays names and values out in two columns.
pub(super) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<_> = fields.into_iter().collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let (page, database) = (folder.path().join("a.html"), folder.path().join("a.db"));
        std::fs::write(&database, b"SQLite format 3\0 and more").expect("a file");
        for text in ["once", "again"] {
            file(&page, text).expect("written");
        }
        assert_eq!(std::fs::read(&page).expect("a file"), b"again");
        assert!(format!("{:?}", file(&database, "x").expect_err("a database")).contains("is a SQLite database"));
        assert!(std::fs::read(&database).expect("a file").len() > 16);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["ada", "36"], ["zoë-marie", "7"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["NAME", "AGE"], rows), "NAME       AGE\nada        36\nzoë-marie  7");
        assert_eq!(fields([("Name", "ada".to_owned()), ("E-mail", String::new())]), "Name    ada\nE-mail");
    }

    #[test]
    fn json_is_asked_for_by_a_flag_anywhere() {
        let format = |line: &str| Format::of(line.split(' ').map(Into::into).collect::<Vec<_>>().iter());
        assert_eq!(format("taskflow user list --json"), Format::Json);
        assert_eq!(format("taskflow user list --jsonx"), Format::Text);
    }
}
