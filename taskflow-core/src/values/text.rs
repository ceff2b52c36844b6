//! Comparing and searching texts: one rule for every store, because the notions of case and accents in SQL differ.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// The form in which names and addresses are compared: equal for texts that differ only in case or Unicode form
/// (compatibility caseless matching, Unicode section 3.13 D146). Accents count: see [`search_key`].
#[must_use]
pub fn fold(text: &str) -> String {
    // Piece by piece: a letter of ASCII decomposes into itself, and no mark is ever moved across one. So only what lies
    // between them needs the tables, which take thirty times as long.
    let (mut folded, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        let (ascii, others) = rest.split_at(rest.find(|c: char| !c.is_ascii()).unwrap_or(rest.len()));
        folded.extend(ascii.chars().map(|c| c.to_ascii_lowercase()));
        let (others, after) = others.split_at(others.find(|c: char| c.is_ascii()).unwrap_or(others.len()));
        folded.extend(others.nfd().default_case_fold().nfkd().default_case_fold().nfkd());
        rest = after;
    }
    folded
}

/// The form in which words are looked for: [folded](fold), without the accents of Latin, Greek and Cyrillic letters and
/// without characters that show nothing. `cafe` finds `Café`, `istanbul` finds `İstanbul`, `strasse` finds `Straße`.
///
/// Marks of other scripts stay, since they make other letters there: `か` is not `が`. Letters that Unicode does not
/// decompose are replaced by what people type for them: `ø` by `o`, `ł` by `l`, `æ` by `ae`.
///
/// Names are unique by [`fold`], in which accents count.
#[must_use]
pub fn search_key(text: &str) -> String {
    let folded = fold(text);
    if folded.is_ascii() {
        return folded;
    }
    let (mut key, mut on_letter) = (String::with_capacity(folded.len()), false);
    for c in folded.chars() {
        if is_invisible(c) || (on_letter && is_accent(c)) {
            continue;
        }
        on_letter = has_accents(c);
        match plain(c) {
            Some(plain) => key.push_str(plain),
            None => key.push(c),
        }
    }
    key
}

/// Whether a text shows nothing to its reader: it has only spaces and characters without a visible form.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Whether a character never shows: the Unicode property `Default_Ignorable_Code_Point`, and the blank Braille pattern.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a folded character is a letter of a script whose accents a search ignores: Latin, Greek or Cyrillic.
fn has_accents(c: char) -> bool {
    matches!(c, 'a'..='z' | '\u{df}'..='\u{2af}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}'
        | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{1fff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a640}'..='\u{a66e}'
        | '\u{a680}'..='\u{a69d}' | '\u{a722}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}')
}

/// Whether a character is one of the nonspacing marks that these scripts use (`Mn`).
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20dc}' | '\u{20e1}' | '\u{20e5}'..='\u{20f0}' | '\u{2de0}'..='\u{2dff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// What people type for a folded letter that has no decomposition.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'ŋ' => "n",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_unicode_form_are_the_same() {
        for (one, other) in
            [("Ada", "aDA"), ("Stra\u{df}e", "STRASSE"), ("Zo\u{e9}", "ZOE\u{301}"), ("\u{fb01}le", "FILE")]
        {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn folding_by_pieces_is_folding_the_whole() {
        let pieces = "A z· É e\u{301} \u{345}\u{301} ß ﬁ İ Σς \u{212a} q\u{323}\u{307} 한 ½ ϓ";
        let pieces: Vec<&str> = pieces.split(' ').collect();
        for first in &pieces {
            for second in &pieces {
                for third in &pieces {
                    let text = format!("{first}{second}{third}");
                    let whole: String = text.nfd().default_case_fold().nfkd().default_case_fold().nfkd().collect();
                    assert_eq!(fold(&text), whole, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_search_ignores_the_accents_of_latin_greek_and_cyrillic_letters() {
        for (text, word) in [
            ("Café", "cafe"),
            ("Cafe\u{301}", "CAFÉ"),
            ("naïve plan", "naive plan"),
            ("Müller", "muller"),
            ("İstanbul", "istanbul"),
            ("Istanbul", "ıstanbul"),
            ("Straße", "strasse"),
            ("København", "kobenhavn"),
            ("Łódź", "lodz"),
            ("Ærø", "aero"),
            ("Nguyễn Thị", "nguyen thi"),
            ("Αθήνα", "αθηνα"),
            ("Ёлка", "елка"),
            ("co\u{ad}operate", "cooperate"),
            ("zero\u{200b}width", "zerowidth"),
            ("ｃａｆé", "cafe"),
        ] {
            assert_eq!(search_key(text), search_key(word), "{text}");
            assert_eq!(search_key(&search_key(text)), search_key(text), "{text}");
        }
    }

    #[test]
    fn marks_that_make_another_letter_count() {
        for (one, other) in [("か", "が"), ("は", "ぱ"), ("कि", "क"), ("שׁ", "ש"), ("≠", "="), ("ก่", "ก")]
        {
            assert_ne!(search_key(one), search_key(other), "{one} {other}");
        }
    }

    #[test]
    fn accents_count_where_names_are_compared() {
        assert_ne!(fold("José"), fold("Jose"));
    }

    #[test]
    fn characters_without_a_visible_form_are_blank() {
        for text in
            ["", " ", "\u{200b}", "\u{feff}", "\u{2060}", "\u{ad}", "\u{115f}", "\u{3164}", "\u{ffa0}", "\u{fe0f}"]
        {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["\u{2800}", "\u{e0041}", "\u{180e}", "\u{200d}\u{200c}", "\u{a0}\u{3000}", "\u{61c}\u{200e}"] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["x\u{200b}", "\u{1f468}\u{200d}\u{1f469}", "·", "한"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
