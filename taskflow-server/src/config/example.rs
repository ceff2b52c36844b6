//! `env.example`, written from the list of settings.

use super::settings::{SETTINGS, Setting};

/// Columns of a comment.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Settings of TaskFlow. Copy this file to .env and change what you need; every line may be left out.
# Flags (--port 9000) and environment variables override this file; this file overrides taskflow.toml (port = 9000).
# An empty value means not set. Durations are written 500ms, 30s, 5m or 1h. `taskflow config` shows the values in force.
";

/// A file for `.env` that names every setting with its default and its meaning.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for setting in SETTINGS.iter() {
        if setting.section() != section {
            section = setting.section();
            text.push_str(&format!("\n# {:-<1$}\n", format!("--- {section} "), WIDTH - 2));
        }
        text.push_str(&entry(setting));
    }
    text
}

fn entry(setting: &Setting) -> String {
    let comment = wrapped(setting.meaning, WIDTH - 2).join("\n# ");
    format!("\n# {comment}\n{}={}\n", setting.name, setting.default.unwrap_or_default())
}

/// The words of a text in lines of at most `width` columns; a longer word has a line of its own.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("extraordinary a", 3), ["extraordinary", "a"]);
        assert!(wrapped("", 3).is_empty());
    }
}
