//! Reads `.env` files: `NAME=value` lines, comments, `export`, and both kinds of quotes.
//!
//! A `$` is a `$`: nothing is substituted, so that a password is what stands there.

/// One `NAME=value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// A line that cannot be read. It may hold a secret, so it is named by its number only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

/// Reads all lines; later entries of a name follow earlier ones.
pub(super) fn parse(text: &str) -> Vec<Result<Entry, BadLine>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().filter_map(|(index, line)| entry(index + 1, line).transpose()).collect()
}

fn entry(number: usize, line: &str) -> Result<Option<Entry>, BadLine> {
    let bad = |reason| BadLine { line: number, reason };
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, rest) = line.split_once('=').ok_or(bad("has no '='"))?;
    let name = name.trim_end();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(bad("has no proper name before '='"));
    }
    let value = value(rest.trim_start()).map_err(bad)?;
    Ok(Some(Entry { line: number, name: name.to_owned(), value }))
}

fn value(text: &str) -> Result<String, &'static str> {
    let (value, rest) = match text.chars().next() {
        Some('\'') => {
            let (value, rest) = text[1..].split_once('\'').ok_or("has no closing quote")?;
            (value.to_owned(), rest)
        }
        Some('"') => double_quoted(&text[1..])?,
        // Unquoted, a comment begins at a '#' after a space: `p#ss` is a value.
        _ if text.starts_with('#') => (String::new(), ""),
        _ => {
            let end = text.find(" #").or(text.find("\t#")).unwrap_or(text.len());
            return Ok(text[..end].trim_end().to_owned());
        }
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') { Ok(value) } else { Err("has text after the closing quote") }
}

fn double_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('"' | '\\' | '$' | '`'))) => value.push(c),
                // Anything else is meant as it stands, as in a Windows path.
                Some((_, c)) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("has no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, String)> {
        let mut entries = parse(line);
        assert!(entries.len() <= 1);
        entries.pop().map(|entry| entry.map(|entry| (entry.name, entry.value)).expect(line))
    }

    fn value_of(line: &str) -> String {
        read(line).expect(line).1
    }

    #[test]
    fn plain_values_end_at_a_comment_or_the_line() {
        assert_eq!(value_of("A=b c  # comment"), "b c");
        assert_eq!(value_of("A=p#ss"), "p#ss");
        assert_eq!(value_of("A= # comment"), "");
        assert_eq!(value_of("A=#comment"), "");
        assert_eq!(value_of("  A = b  \r"), "b");
        assert_eq!(value_of("A=b=c=="), "b=c==");
    }

    #[test]
    fn single_quotes_keep_everything() {
        assert_eq!(value_of(r#"A='$x #1 \n "q"'  # comment"#), r#"$x #1 \n "q""#);
    }

    #[test]
    fn double_quotes_know_a_few_escapes_and_no_substitution() {
        assert_eq!(value_of(r#"A="$HOME \$x \"q\" \\ \n \d" # c"#), "$HOME $x \"q\" \\ \n \\d");
    }

    #[test]
    fn comments_blank_lines_export_and_a_byte_order_mark_are_fine() {
        assert_eq!(parse("\n# comment\n   \n"), []);
        assert_eq!(read("export A=1"), Some(("A".into(), "1".into())));
        assert_eq!(read("\u{feff}A=1"), Some(("A".into(), "1".into())));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_the_others_are_read() {
        let entries = parse("A=1\nnonsense\nB='open\nC=\"x\" y\n =5\nD=2");
        let bad: Vec<_> = entries.iter().filter_map(|entry| entry.as_ref().err().map(|bad| bad.line)).collect();
        assert_eq!(bad, [2, 3, 4, 5]);
        assert_eq!(entries.iter().filter(|entry| entry.is_ok()).count(), 2);
    }
}
