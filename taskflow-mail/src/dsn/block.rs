//! Fields of reports and headers, as text.

use taskflow_core::EmailAddress;

/// Fields with their names in lower case, folded lines put together.
pub(super) struct Block(Vec<(String, String)>);

pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block> + '_ {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        lines.peek()?;
        let mut block = Block(Vec::new());
        while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
            block.add(line);
        }
        Some(block)
    })
}

impl Block {
    /// Returns the first block of a text.
    pub(super) fn read(text: &str) -> Self {
        blocks(text).next().unwrap_or(Self(Vec::new()))
    }

    fn add(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Addresses of other types (RFC 3464 §2.1.2), for example of X.400, are not for us.
    pub(super) fn recipient(&self) -> Option<EmailAddress> {
        RECIPIENTS.iter().find_map(|name| {
            let value = self.get(name)?;
            let kind = value.split_once(';').map_or_else(|| "rfc822".to_owned(), |(kind, _)| word(kind));
            let is_mail = ["rfc822", "utf-8"].iter().any(|known| kind.eq_ignore_ascii_case(known));
            let text = typed(value);
            let original = *name == RECIPIENTS[0];
            is_mail
                .then(|| {
                    original.then(|| address(&xtext(&without_comments(text))?)).flatten().or_else(|| address(text))
                })
                .flatten()
        })
    }

    /// Returns every name of its recipient, in lower case, as it may occur in a text.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let names = RECIPIENTS.iter().filter_map(|name| self.get(name));
        names
            .map(|name| without_comments(typed(name)).trim_matches(['<', '>', ' ']).to_ascii_lowercase())
            .filter(|name| name.contains('@'))
    }

    /// Returns the status, for example `5.1.1`; some relays add their own words.
    pub(super) fn status(&self) -> String {
        self.get("status").map(word).unwrap_or_default()
    }
}

const RECIPIENTS: [&str; 2] = ["original-recipient", "final-recipient"];

/// Returns the value after the type, as in `rfc822; ada@example.org` (RFC 3464 §2.1.2).
pub(super) fn typed(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, value)| value).trim()
}

/// Decodes the encoding in which SMTP carries addresses, as in `ada+2Btasks@example.org` (RFC 3461 §4). `None` if the
/// value is not encoded. A plus sign before anything but two hexadecimal digits in upper case stands for itself.
fn xtext(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut pieces = value.split('+');
    text.push_str(pieces.next()?);
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')));
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii_graphic);
        match decoded {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&piece[2..]);
            }
            None => {
                text.push('+');
                text.push_str(piece);
            }
        }
    }
    Some(text)
}

/// Returns the address in `<ada@example.org>`, with or without a name before it, or by itself.
pub(super) fn address(value: &str) -> Option<EmailAddress> {
    let value = without_comments(value);
    let angled = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let inside = angled.map_or(value.as_str(), |(inside, _)| inside);
    inside.trim().parse().ok()
}

/// Returns the first word of a value, in lower case.
pub(super) fn word(value: &str) -> String {
    without_comments(value).split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

/// Returns a value without its comments, as in `failed (gave up)` (RFC 5322 §3.2.2). Comments nest. A backslash takes
/// the special meaning from the next character, quotation marks take it from parentheses. A parenthesis that is never
/// closed stands for itself.
fn without_comments(value: &str) -> String {
    let (mut text, mut opened, mut depth, mut quoted) = (String::with_capacity(value.len()), 0, 0_usize, false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                if depth == 0 {
                    opened = text.len();
                }
                depth += 1;
            }
            ')' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    text.truncate(opened);
                    text.push(' ');
                    continue;
                }
            }
            _ => {}
        }
        text.push(c);
        if c == '\\' {
            text.extend(chars.next());
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out_where_they_are_comments() {
        for (value, text) in [
            ("failed (gave up)", "failed"),
            ("(was (once) here) failed(x)", "failed"),
            (r"(a \) b) failed", "failed"),
            (r#""Ada (at home)" <ada@example.org> (Gone)"#, r#""Ada (at home)" <ada@example.org>"#),
            (r#""a \" (b)" c"#, r#""a \" (b)" c"#),
            ("failed (gave up", "failed (gave up"),
            ("5.1.1)", "5.1.1)"),
            ("", ""),
        ] {
            assert_eq!(without_comments(value), text);
        }
    }

    #[test]
    fn xtext_is_decoded_and_a_plain_plus_stands_for_itself() {
        for (value, text) in [
            ("lea+2Btasks@example.org", "lea+tasks@example.org"),
            ("lea+tasks@example.org", "lea+tasks@example.org"),
            ("lea+2btasks@example.org", "lea+2btasks@example.org"),
            ("lea+20x@example.org", "lea+20x@example.org"),
            ("a+3Db+2B+2Bc@example.org", "a=b++c@example.org"),
            ("a+", "a+"),
            ("+", "+"),
        ] {
            assert_eq!(xtext(value).as_deref(), Some(text));
        }
    }
}
