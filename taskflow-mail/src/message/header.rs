//! Writing a header of a mail: folded (RFC 5322 §2.2.3), and encoded where its text is not ASCII (RFC 2047).

use std::fmt::Display;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Length after which a line is folded where that is possible (RFC 5322 §2.1.1).
const LINE: usize = 78;

/// The same for a line with an encoded word in it (RFC 2047 §2).
const ENCODED_LINE: usize = 76;

/// Start and end of an encoded word.
const ENCODED: (&str, &str) = ("=?utf-8?b?", "?=");

/// Minimum room for an encoded word, in octets; with less room it begins on the next line.
const LEAST: usize = 12;

/// A longer name is encoded, so that it can be folded anywhere.
const LONGEST_QUOTED: usize = 60;

/// A header as it is written to the end of a mail.
#[must_use = "a header without its end runs into the next one"]
pub(super) struct Header<'a> {
    source: &'a mut Vec<u8>,
    /// The index at which its last line begins.
    line: usize,
    /// Whether that line has content after which it may be folded.
    begun: bool,
}

impl<'a> Header<'a> {
    /// Begins the header with the name `name`.
    pub(super) fn new(source: &'a mut Vec<u8>, name: &str) -> Self {
        let line = source.len();
        source.extend_from_slice(name.as_bytes());
        source.push(b':');
        source.push(b' ');
        Self { source, line, begun: false }
    }

    /// Writes ASCII text as it is, on the present line.
    pub(super) fn word(self, word: &str) -> Self {
        self.source.extend_from_slice(word.as_bytes());
        Self { begun: true, ..self }
    }

    /// Writes a message id (RFC 5322 §3.6.4).
    pub(super) fn id(self, left: impl Display, right: &str) -> Self {
        // Writing to memory does not fail.
        let _ = write!(self.source, "<{left}@{right}>");
        Self { begun: true, ..self }
    }

    /// Writes text for readers: one line, with single spaces between its words.
    pub(super) fn text(mut self, text: &str) -> Self {
        if !is_printable(text) {
            return self.encoded(text);
        }
        for word in text.split(' ') {
            self.separate(word.len(), LINE);
            self.source.extend_from_slice(word.as_bytes());
            self.begun = true;
        }
        self
    }

    /// Writes the display name before an address (RFC 5322 §3.4); nothing if `name` is empty.
    pub(super) fn phrase(mut self, name: &str) -> Self {
        // More could stand in quotes. Not every reader takes quotes seriously, and a comma or a `<` that counts makes two
        // addresses of one.
        let is_quotable = |b: u8| b.is_ascii_alphanumeric() || b" !#$%&'*+-./?^_{|}~".contains(&b);
        if name.is_empty() {
            self
        } else if name.len() > LONGEST_QUOTED || !name.bytes().all(is_quotable) {
            self.encoded(name)
        } else if name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.separate(name.len(), LINE);
            self.word(name)
        } else {
            self.separate(name.len() + 2, LINE);
            self.word("\"").word(name).word("\"")
        }
    }

    /// Writes an address, and the separator from the next one.
    pub(super) fn address(mut self, address: &str, end: &str) -> Self {
        self.separate(address.len() + 2 + end.len(), LINE);
        self.word("<").word(address).word(">").word(end)
    }

    /// Ends its last line.
    pub(super) fn end(self) {
        self.source.extend_from_slice(b"\r\n");
    }

    /// Writes the whole of `text` as encoded words. Readers drop the spaces between two of them (RFC 2047 §6.2), so
    /// that nothing is left to misunderstand.
    fn encoded(mut self, text: &str) -> Self {
        let mut rest = text;
        while !rest.is_empty() {
            let around = ENCODED.0.len() + ENCODED.1.len();
            self.separate(around + LEAST.min(rest.len()).div_ceil(3) * 4, ENCODED_LINE);
            let room = ENCODED_LINE.saturating_sub(self.length() + around) / 4 * 3;
            let (word, after) = rest.split_at(rest.floor_char_boundary(room.max(LEAST).min(rest.len())));
            self.source.extend_from_slice(ENCODED.0.as_bytes());
            let begin = self.source.len();
            self.source.resize(begin + word.len().div_ceil(3) * 4, b'=');
            STANDARD.encode_slice(word, &mut self.source[begin..]).expect("four octets for three, begun ones included");
            self.source.extend_from_slice(ENCODED.1.as_bytes());
            (rest, self.begun) = (after, true);
        }
        self
    }

    /// Writes a space before the next text, or a new line if it would be too long for this one.
    fn separate(&mut self, length: usize, line: usize) {
        if !self.begun {
            return;
        }
        if self.length() + 1 + length > line {
            self.source.extend_from_slice(b"\r\n");
            self.line = self.source.len();
        }
        self.source.push(b' ');
    }

    fn length(&self) -> usize {
        self.source.len() - self.line
    }
}

/// Returns whether `text` consists of printable ASCII characters.
fn is_printable(text: &str) -> bool {
    text.bytes().fold(true, |fine, b| fine & matches!(b, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, write: impl FnOnce(Header<'_>) -> Header<'_>) -> String {
        let mut source = Vec::new();
        write(Header::new(&mut source, name)).end();
        String::from_utf8(source).expect("ASCII")
    }

    #[test]
    fn text_is_folded_between_words_and_left_alone_where_there_are_none() {
        assert_eq!(written("Subject", |header| header.text("Your day")), "Subject: Your day\r\n");
        assert_eq!(written("Subject", |header| header.text("")), "Subject: \r\n");
        let long = written("Subject", |header| header.text("word ".repeat(40).trim_end()));
        assert!(long.split("\r\n").all(|line| line.len() <= LINE), "{long}");
        assert_eq!(long.replace("\r\n ", " "), format!("Subject: {}\r\n", "word ".repeat(40).trim_end()));
        let word = "x".repeat(200);
        assert_eq!(written("Subject", |header| header.text(&word)), format!("Subject: {word}\r\n"));
    }

    #[test]
    fn other_text_becomes_encoded_words_of_whole_characters() {
        assert_eq!(written("Subject", |header| header.text("gr\u{fc}n")), "Subject: =?utf-8?b?Z3LDvG4=?=\r\n");
        for n in 0..70 {
            let text = format!("{}{}", "x".repeat(n), "\u{1F600} \u{e9}".repeat(20));
            let header = written("Subject", |header| header.text(&text));
            assert!(header.split("\r\n").all(|line| line.len() <= ENCODED_LINE), "{header}");
            let words = header.trim_start_matches("Subject: ").split_ascii_whitespace();
            let decoded: String = words
                .map(|word| {
                    assert!(word.len() <= 75, "{word}");
                    let word = word.strip_prefix(ENCODED.0).and_then(|word| word.strip_suffix(ENCODED.1));
                    String::from_utf8(STANDARD.decode(word.expect("encoded")).expect("base64")).expect("characters")
                })
                .collect();
            assert_eq!(decoded, text);
        }
    }

    #[test]
    fn names_are_written_so_that_no_reader_can_take_them_for_addresses() {
        let named = |name: &str| written("To", |header| header.phrase(name).address("a@b.example", ""));
        assert_eq!(named(""), "To: <a@b.example>\r\n");
        assert_eq!(named("Ada"), "To: Ada <a@b.example>\r\n");
        assert_eq!(named("Ada L. O'Hara"), "To: \"Ada L. O'Hara\" <a@b.example>\r\n");
        for hostile in ["Ada, Bob", "\"Ada\"", "<x@y.example>", "x@y.example", "a\\", "(a)", "a;b:c", "\u{e9}"] {
            assert!(named(hostile).starts_with("To: =?utf-8?b?"), "{hostile}");
        }
    }
}
