//! Content lines, the syntax below calendar objects (RFC 5545 §3.1), written and read.
//!
//! Not with the crate `icalendar` (0.17): it writes a quotation mark in a parameter as it is, so that a name could add
//! parameters, knows nothing of RFC 6868, and fills in the current time and random ids where it finds none. Its parser
//! builds whole calendars, of which an answer needs six properties.

/// Longest line, in octets, without its CRLF.
const LONGEST: usize = 75;

/// A content line being written.
pub(super) struct Line(String);

impl Line {
    pub(super) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Adds a parameter whose value is one of the words that the RFC defines.
    pub(super) fn word(mut self, parameter: &str, word: &str) -> Self {
        for piece in [";", parameter, "=", word] {
            self.0.push_str(piece);
        }
        self
    }

    /// Adds a parameter with user input. Quotation marks keep `:` `;` `,` inside it, carets encode what quotation marks
    /// cannot hold (RFC 6868 §3.1).
    pub(super) fn quoted(mut self, parameter: &str, value: &str) -> Self {
        for piece in [";", parameter, "=\""] {
            self.0.push_str(piece);
        }
        for c in value.chars() {
            match c {
                '^' => self.0.push_str("^^"),
                '"' => self.0.push_str("^'"),
                '\n' => self.0.push_str("^n"),
                c if c.is_control() => {}
                c => self.0.push(c),
            }
        }
        self.0.push('"');
        self
    }

    /// Ends the line with a value that is in its form already, and folds it into `object`. A fold never falls into a
    /// character.
    pub(super) fn value(mut self, value: &str, object: &mut String) {
        self.0.push(':');
        self.0.push_str(value);
        let mut room = LONGEST;
        for c in self.0.chars() {
            if c.len_utf8() > room {
                object.push_str("\r\n ");
                room = LONGEST - 1;
            }
            object.push(c);
            room -= c.len_utf8();
        }
        object.push_str("\r\n");
    }

    /// Ends the line with free text (RFC 5545 §3.3.11).
    pub(super) fn text(self, text: &str, object: &mut String) {
        self.value(&escaped(text), object);
    }
}

/// Escapes text: every kind of line end becomes the same one, and other control characters are removed.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => escaped.push_str("\\n"),
            '\t' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns free text as it was before it was escaped. A backslash before any other character stands for itself.
pub(super) fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some('n' | 'N')) => text.push('\n'),
            ('\\', Some(next @ ('\\' | ';' | ',' | ':' | '"'))) => text.push(next),
            _ => {
                text.push(c);
                continue;
            }
        }
        chars.next();
    }
    text
}

/// A content line that was read.
pub(super) struct Property {
    /// Name in upper case.
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    /// Value as it is on the line, see [`unescaped`].
    pub(super) value: String,
}

impl Property {
    /// Returns the first parameter of that name (in upper case).
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Parses a content line; `None` for any other line, which readers skip.
    fn parse(line: &str) -> Option<Self> {
        let (name, mut rest) = line.split_at(line.find([';', ':'])?);
        if !is_word(name) {
            return None;
        }
        let name = name.to_ascii_uppercase();
        // The value of these is an address, so that a colon before it is part of a name that should have been quoted.
        let mut value = None;
        if let Some(at) = address_begins(rest).filter(|_| matches!(name.as_str(), "ATTENDEE" | "ORGANIZER")) {
            value = Some(&rest[at + 1..]);
            rest = &rest[..at];
        }
        let ends: &[char] = if value.is_some() { &[';'] } else { &[';', ':'] };
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(list) = rest.strip_prefix(';') {
            let end = match end_of_parameter(list, ends) {
                None if value.is_some() => list.len(),
                end => end?,
            };
            let text = &list[..end];
            match text.split_once('=').filter(|(name, _)| is_word(name.trim())) {
                Some((name, value)) => parameters.push((name.trim().to_ascii_uppercase(), unquoted(value))),
                // What is no parameter belongs to the value before it, which should have been quoted.
                None => {
                    let (_, before) = parameters.last_mut()?;
                    before.push(';');
                    before.push_str(&unquoted(text));
                }
            }
            rest = &list[end..];
        }
        let value = match value {
            Some(value) => value,
            None => rest.strip_prefix(':')?,
        };
        Some(Self { name, parameters, value: value.to_owned() })
    }
}

/// Returns whether a text can be the name of a property or parameter (RFC 5545 §3.1).
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Returns the index of the colon before the address of a line; `None` if the address has no scheme or is inside
/// quotation marks.
fn address_begins(rest: &str) -> Option<usize> {
    let at = rest.to_ascii_lowercase().rfind(":mailto:")?;
    (rest[..at].matches('"').count().is_multiple_of(2)).then_some(at)
}

/// Returns the index at which a parameter ends. A quotation mark that is never closed counts as part of its value.
fn end_of_parameter(text: &str, ends: &[char]) -> Option<usize> {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        !quoted && ends.contains(&c)
    });
    if quoted { end.or_else(|| text.find(ends)) } else { end }
}

/// Returns a parameter's value without its quotation marks and carets (RFC 6868 §3.2).
fn unquoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().filter(|c| *c != '"').peekable();
    while let Some(c) = chars.next() {
        let meant = match (c, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            ('^', Some('^')) => '^',
            _ => {
                text.push(c);
                continue;
            }
        };
        text.push(meant);
        chars.next();
    }
    text
}

/// Returns octets without the line breaks that only fold lines. RFC 5545 §3.1 allows them between the octets of one
/// character, so that they must be removed before characters are decoded.
pub(super) fn unfolded(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        rest = match (octet, after) {
            (b'\r', [b'\n', b' ' | b'\t', after @ ..]) | (b'\n', [b' ' | b'\t', after @ ..]) => after,
            _ => {
                text.push(octet);
                after
            }
        };
    }
    text
}

/// Returns the content lines of an object, unfolded. Lines may end in LF only, because mail programs are careless about
/// it.
pub(super) fn properties(object: &str) -> Vec<Property> {
    let mut lines: Vec<String> = Vec::new();
    for line in object.split('\n') {
        let line = line.trim_end_matches('\r');
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.iter().filter_map(|line| Property::parse(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: impl FnOnce(&mut String)) -> String {
        let mut object = String::new();
        line(&mut object);
        object
    }

    #[test]
    fn what_somebody_typed_adds_no_parameter_and_no_line() {
        let name = "\"Ada\";ROLE=CHAIR:x,^n\r\nEND:VEVENT\u{7}";
        let line = written(|object| Line::new("ATTENDEE").quoted("CN", name).value("mailto:a@b.example", object));
        assert_eq!(
            line.replace("\r\n ", ""),
            "ATTENDEE;CN=\"^'Ada^';ROLE=CHAIR:x,^^n^nEND:VEVENT\":mailto:a@b.example\r\n"
        );
        let read = properties(&line);
        assert_eq!((read.len(), read[0].parameters.len()), (1, 1));
        assert_eq!(read[0].parameter("CN"), Some("\"Ada\";ROLE=CHAIR:x,^n\nEND:VEVENT"));
        assert_eq!(read[0].value, "mailto:a@b.example");
    }

    #[test]
    fn text_round_trips_and_every_line_end_is_the_same() {
        let text = "a;b,c\\d:\"e\"\r\nf\rg\nh\u{2028}i\tj \\n \u{1F600}\u{0}";
        let line = written(|object| Line::new("SUMMARY").text(text, object));
        let read = properties(&line);
        assert_eq!(unescaped(&read[0].value), "a;b,c\\d:\"e\"\nf\ng\nh\ni\tj \\n \u{1F600}");
    }

    #[test]
    fn lines_are_folded_at_75_octets_between_characters() {
        for text in ["x".repeat(10_000), "\u{1F600}".repeat(500), " ".repeat(200), format!("x{}", "\u{e9}".repeat(99))]
        {
            let line = written(|object| Line::new("SUMMARY").text(&text, object));
            assert!(line.split("\r\n").all(|line| line.len() <= LONGEST), "{line}");
            assert_eq!(properties(&line)[0].value, text);
        }
        let exact = written(|object| Line::new("X").value(&"x".repeat(73), object));
        assert_eq!(exact.len(), 77);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_read_again(typed in proptest::prelude::any::<String>()) {
            let typed: String = typed.chars().filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')).collect();
            let typed = format!("{typed}\n{typed}");
            let mut object = String::new();
            Line::new("X").quoted("CN", &typed).word("ROLE", "CHAIR").text(&typed, &mut object);
            proptest::prop_assert!(object.split("\r\n").all(|line| line.len() <= LONGEST));
            let read = properties(&object);
            proptest::prop_assert_eq!((read.len(), read[0].parameters.len()), (1, 2));
            proptest::prop_assert_eq!(read[0].parameter("CN"), Some(typed.as_str()));
            proptest::prop_assert_eq!(unescaped(&read[0].value), typed);
        }
    }

    #[test]
    fn what_is_no_content_line_is_passed_over() {
        for line in ["", "x", ":x", "A B:x", "A;B:x", "A;B=\"xy", ";A=b:c", "\u{e9}:x", "A;B"] {
            assert!(properties(line).is_empty(), "{line:?}");
        }
        let read = properties("begin:x\n y\r\n\tz\r\nUID;x=1;X=2:a:b");
        assert_eq!((read[0].name.as_str(), read[0].value.as_str()), ("BEGIN", "xyz"));
        assert_eq!((read[1].parameter("X"), read[1].value.as_str()), (Some("1"), "a:b"));
    }

    #[test]
    fn a_backslash_before_anything_else_stands_for_itself() {
        assert_eq!(unescaped("\\N\\x\\"), "\n\\x\\");
        assert_eq!(unquoted("a^xb^"), "a^xb^");
    }
}
