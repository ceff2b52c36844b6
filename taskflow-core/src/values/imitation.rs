//! Names that imitate others: a name that is chosen must not pass for somebody else's.

use unicode_normalization::char::is_combining_mark;
use unicode_security::{MixedScript, RestrictionLevel, RestrictionLevelDetection, skeleton};

use super::{InvalidValue, Username, fold};

/// The most combining marks on one letter. No language needs more once letters are composed (NFC).
const MOST_MARKS: usize = 3;

impl Username {
    /// Checks that a name that is chosen now can be told apart from others: it begins with a letter or a digit, ends with no
    /// dot and has no two in a row, has marks on letters only, and is of one script, or of one beside which Latin is usual
    /// (UTS #39 section 5.2, "highly restrictive"). Stored names need not pass: earlier releases allowed others.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the rule that it breaks.
    pub fn ensure_distinct(&self) -> Result<(), InvalidValue> {
        let name = self.as_str();
        if !name.starts_with(char::is_alphanumeric) || name.ends_with('.') || name.contains("..") {
            let rule = "must begin with a letter or a digit, and must not end with a dot or have two dots in a row";
            return Err(InvalidValue::new(rule));
        }
        let mut marks = None;
        for c in name.chars() {
            marks = match marks {
                _ if c.is_alphabetic() && !is_combining_mark(c) => Some(0),
                Some(on_letter) if is_combining_mark(c) && on_letter < MOST_MARKS => Some(on_letter + 1),
                _ if is_combining_mark(c) => {
                    return Err(InvalidValue::new(format!(
                        "must have marks on letters only, at most {MOST_MARKS} on each"
                    )));
                }
                _ => None,
            };
        }
        if !name.is_single_script() && !name.check_restriction_level(RestrictionLevel::HighlyRestrictive) {
            return Err(InvalidValue::new("must not mix letters of different scripts"));
        }
        Ok(())
    }

    /// Returns the [key](Self::key) of the name of ASCII characters that this one looks like, if it is another name:
    /// `сосо` in Cyrillic letters looks like `coco`.
    #[must_use]
    pub fn looks_like(&self) -> Option<String> {
        let mut plain = String::with_capacity(self.as_str().len());
        for c in self.as_str().chars() {
            if c.is_ascii() { plain.push(c) } else { plain.extend(skeleton(c.encode_utf8(&mut [0; 4]))) }
        }
        let key = fold(&plain);
        (key.is_ascii() && key != self.key()).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        text.parse().expect(text)
    }

    #[test]
    fn names_that_pass_for_others_are_refused() {
        for bad in [
            "...",
            ".ada",
            "ada.",
            "a..da",
            "---",
            "_ada",
            "\u{301}ada",
            "ad.\u{301}a",
            "ad1\u{301}",
            // Marks upon marks that no letter is composed with.
            "q\u{301}\u{301}\u{301}\u{301}da",
            // Cyrillic, Greek and Armenian letters among Latin ones.
            "\u{430}da",
            "p\u{430}ypal",
            "\u{3bf}skar",
            "ad\u{561}",
        ] {
            assert!(name(bad).ensure_distinct().is_err(), "{bad:?}");
        }
        for good in [
            "ada",
            "ada.lovelace",
            "a-d_a9",
            "1ada",
            "Jos\u{e9}",
            "Ng\u{1ecd}c",
            "\u{430}\u{434}\u{430}",
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            "\u{5e9}\u{5b8}\u{5c1}\u{5dc}\u{5d5}\u{5b9}\u{5dd}",
            "\u{e2a}\u{e21}\u{e0a}\u{e32}\u{e22}",
            "\u{5c71}\u{7530}ken",
            "\u{3042}\u{30a2}\u{4e9c}",
            "\u{ae40}\u{cca0}\u{c218}",
            "unreadable-0123456789abcdef",
        ] {
            assert!(name(good).ensure_distinct().is_ok(), "{good:?}: {:?}", name(good).ensure_distinct());
        }
    }

    #[test]
    fn a_name_in_other_letters_looks_like_one_in_ascii() {
        assert_eq!(name("\u{441}\u{43e}\u{441}\u{43e}").looks_like().as_deref(), Some("coco"));
        assert_eq!(name("m\u{430}rc").looks_like().as_deref(), Some("marc"));
        for other in ["coco", "Jos\u{e9}", "\u{430}\u{434}\u{430}", "\u{5c71}\u{7530}\u{592a}"] {
            assert_eq!(name(other).looks_like(), None, "{other}");
        }
    }
}
