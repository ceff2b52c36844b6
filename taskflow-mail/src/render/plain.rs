//! Plain text: wrapping of our own words, and conversion from HTML.

use mail_parser::decoders::html::add_html_token;

use crate::message::one_line;

/// Most characters of a line of our own words; quoting twice still fits into 80 columns.
const LINE: usize = 76;

/// Returns `text` with line breaks between words where a line gets too long. Existing lines stay.
pub(super) fn wrapped(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len() + 8);
    for (n, line) in text.lines().enumerate() {
        if n > 0 {
            wrapped.push('\n');
        }
        let mut length = 0;
        for word in line.split(' ') {
            let more = word.chars().count();
            if length > 0 && length + 1 + more > LINE {
                wrapped.push('\n');
                length = 0;
            } else if length > 0 {
                wrapped.push(' ');
                length += 1;
            }
            wrapped.push_str(word);
            length += more;
        }
    }
    wrapped
}

/// Returns the text of an HTML document without its layout. Paragraphs become lines, links are written out, and content
/// that is not for reading is left out. Accepts any input, in time proportional to its length.
pub(super) fn from_html(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while let Some((text, mark)) = rest.split_once('<') {
        page.text(text);
        // A comment may hold anything; a `<` before no name is text.
        rest = if let Some(comment) = mark.strip_prefix("!--") {
            comment.split_once("-->").map_or("", |(_, after)| after)
        } else if mark.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            let (tag, after) = split_tag(mark);
            page.tag(tag);
            match silent(tag) {
                Some(name) => skip_to_end(after, name),
                None => after,
            }
        } else {
            page.text("<");
            mark
        };
    }
    page.text(rest);
    page.finish()
}

/// Splits a tag from the text after it; a `>` in quotes does not end it.
fn split_tag(mark: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in mark.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (&mark[..at], &mark[at + 1..]),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    // A quote that never ends was none.
    mark.split_once('>').unwrap_or((mark, ""))
}

/// Returns the name of the element that a tag begins, if its content is not for reading.
fn silent(tag: &str) -> Option<&'static str> {
    ["script", "style", "title", "template", "head", "noscript"].into_iter().find(|known| name(tag) == *known)
}

/// Returns the rest after the end of an element.
fn skip_to_end<'h>(mut rest: &'h str, element: &str) -> &'h str {
    while let Some((_, mark)) = rest.split_once("</") {
        if name(mark) == element {
            return split_tag(mark).1;
        }
        rest = mark;
    }
    ""
}

/// Returns the name of a tag in lower case, without its slash.
fn name(tag: &str) -> String {
    let tag = tag.trim_start_matches('/');
    tag.chars().take_while(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns the address of a link, if it can be followed from a text.
fn address(tag: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.match_indices("href").find(|(at, _)| lower[..*at].ends_with(|c: char| c.is_ascii_whitespace()))?.0;
    let value = tag[at + "href".len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_ascii_whitespace().next()?,
    };
    let address = one_line(&decoded(value));
    ["http://", "https://", "mailto:"].iter().any(|scheme| address.starts_with(scheme)).then_some(address)
}

/// Returns `text` with its character references (`&amp;`) as characters.
fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let end = after.bytes().take(32).position(|b| b == b';').filter(|end| *end > 0);
        match end {
            Some(end) => {
                add_html_token(&mut decoded, format!("&{}", &after[..=end]).as_bytes(), false);
                rest = &after[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// A text as it grows.
#[derive(Default)]
struct Page {
    text: String,
    /// Whether a space stood before the next text.
    space: bool,
    /// Number of line breaks owed before the next text.
    breaks: usize,
    /// The link that is open: where it leads, and where its words begin.
    link: Option<(String, usize)>,
}

impl Page {
    fn text(&mut self, html: &str) {
        for piece in decoded(html).split_inclusive(char::is_whitespace) {
            let word = piece.trim();
            if !word.is_empty() {
                self.begin();
                self.text.push_str(word);
            }
            self.space |= piece.ends_with(char::is_whitespace);
        }
    }

    /// Writes the owed line breaks and spaces.
    fn begin(&mut self) {
        if self.text.is_empty() {
            (self.breaks, self.space) = (0, false);
        }
        if self.breaks > 0 {
            self.text.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space {
            self.text.push(' ');
        }
        (self.breaks, self.space) = (0, false);
    }

    fn tag(&mut self, tag: &str) {
        let ends = tag.starts_with('/');
        match name(tag).as_str() {
            "br" => self.breaks = (self.breaks + 1).min(2),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "blockquote" | "pre" | "hr" | "table" => {
                self.breaks = 2;
            }
            "div" | "tr" | "section" | "article" | "header" | "footer" | "dt" | "dd" => {
                self.breaks = self.breaks.max(1);
            }
            "li" if !ends => {
                self.breaks = self.breaks.max(1);
                self.begin();
                self.text.push_str("* ");
            }
            "td" | "th" => self.space = true,
            "a" if ends => self.end_link(),
            "a" => self.link = address(tag).map(|address| (address, self.text.len())),
            _ => {}
        }
    }

    /// Tells where a link leads, unless its words did.
    fn end_link(&mut self) {
        let Some((address, from)) = self.link.take() else { return };
        let words = self.text[from..].trim();
        let told = address.strip_prefix("mailto:").unwrap_or(&address);
        if words.is_empty() {
            self.begin();
            self.text.push_str(told);
        } else if !words.contains(told) {
            let told = format!(" ({told})");
            self.text.push_str(&told);
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words() {
        let wrapped = wrapped(&format!("{} {}\nshort", "word ".repeat(30).trim(), "x".repeat(100)));
        let lines: Vec<_> = wrapped.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= LINE || !line.contains(' ')), "{wrapped}");
        assert_eq!(lines.last(), Some(&"short"));
        assert_eq!(wrapped.split_whitespace().count(), 32);
    }

    #[test]
    fn html_is_read_without_its_marks() {
        let html = "<!doctype html><html><head><title>x</title><style>p > a { }</style></head><body>
            <h1>News &amp; more</h1>
            <p>Dear <b>all</b>,<br>see <a href='https://x.example/a?b&amp;c'>the page</a>,
            <a href=\"https://y.example\">https://y.example</a> or <a href=mailto:a@b.example>a@b.example</a>.</p>
            <ul><li>one<li>two &lt;3</ul><script>alert('</p>')</script><!-- <p>no</p> --><p>a < b &euro; &#x41; &zz;</p>";
        let expected = "News & more\n\nDear all,\nsee the page (https://x.example/a?b&c), https://y.example or \
                        a@b.example.\n\n* one\n* two <3\n\na < b \u{20ac} A &zz;\n";
        assert_eq!(from_html(html), expected);
    }

    #[test]
    fn nothing_that_calls_itself_html_is_too_much() {
        for html in
            ["", "<", "<<", "<a", "<a href", "<a href=", "<a href='", "&", "&;", "&#xffffffff;", "<!--", "<p \"", "</"]
        {
            assert!(from_html(html).ends_with('\n'), "{html}");
        }
        assert_eq!(from_html("<a href='javascript:x'>y</a>\u{e9}&#0;"), "y\u{e9}\0\n");
        for many in ["<", "<script></", "<a href='x'>", "</", "<script>", "&", "<!--", "<p", "\"<\u{e9}"] {
            from_html(&many.repeat(100_000));
        }
    }
}
