//! Comparing and searching texts: one rule for every store, because the notions of case and accents in SQL differ.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns the form in which names and addresses are compared: equal for texts that differ only in case or Unicode form
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

/// Returns the form in which words are searched: [folded](fold), without accents, vowel points and invisible
/// characters. `cafe` finds `Café`, `istanbul` finds `İstanbul`, `strasse` finds `Straße`, `שלום` finds `שָׁלוֹם`.
///
/// Marks that make other letters stay: `か` is not `が`. Letters that Unicode does not decompose are replaced by their
/// usual spelling: `ø` by `o`, `ł` by `l`, `æ` by `ae`.
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
        // On a sign that is no letter a mark makes another sign: `≠` is not `=`.
        if is_invisible(c) || c == TATWEEL || (on_letter && is_optional_mark(c)) {
            continue;
        }
        on_letter = c.is_alphabetic();
        match plain(c) {
            Some(plain) => key.push_str(plain),
            None => key.push(c),
        }
    }
    key
}

/// Returns whether a text is invisible: it consists only of spaces and characters without a visible form.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    let is_mark = |c: char| c.general_category() == GeneralCategory::NonspacingMark;
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c) || is_mark(c))
}

/// Returns whether a character never shows: the Unicode property `Default_Ignorable_Code_Point`, format characters
/// (`Cf`), the blank Braille pattern and the musical symbol for a note without a head.
pub(super) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    c.general_category() == GeneralCategory::Format
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a folded character is a mark that words are also written and looked for without: accents, and the
/// vowel points and signs of Arabic, Hebrew and Syriac.
///
/// Nonspacing marks (`Mn`) stay where they make another letter or stand for a vowel that is always written: in Japanese,
/// in Thaana, and in the scripts of India and South-East Asia.
fn is_optional_mark(c: char) -> bool {
    let is_letter = matches!(c, '\u{7a6}'..='\u{7b0}' | '\u{900}'..='\u{109f}' | '\u{1700}'..='\u{17ff}'
        | '\u{1900}'..='\u{1aaf}' | '\u{1b00}'..='\u{1cff}' | '\u{302a}'..='\u{302f}' | '\u{3099}' | '\u{309a}'
        | '\u{a800}'..='\u{abff}' | '\u{10a00}'..='\u{10a3f}' | '\u{11000}'..='\u{11fff}');
    c >= '\u{300}' && !is_letter && c.general_category() == GeneralCategory::NonspacingMark
}

/// Lengthens a word in print and belongs to no spelling.
const TATWEEL: char = '\u{640}';

/// Returns the plain spelling of a folded letter that has no decomposition.
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
    fn a_search_ignores_accents_and_vowel_points() {
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
            ("مُحَمَّد", "محمد"),
            ("مـحـمـد", "محمد"),
            ("أحمد", "احمد"),
            ("القُرْآن", "القران"),
            ("שָׁלוֹם", "שלום"),
            ("\u{fb2a}לום", "שלום"),
            ("בְּרֵאשִׁית", "בראשית"),
            ("ܫܠܳܡܳܐ", "ܫܠܡܐ"),
            ("Հա\u{301}յ", "Հայ"),
        ] {
            assert_eq!(search_key(text), search_key(word), "{text}");
            assert_eq!(search_key(&search_key(text)), search_key(text), "{text}");
        }
    }

    #[test]
    fn marks_that_make_another_letter_count() {
        for (one, other) in [
            ("か", "が"),
            ("は", "ぱ"),
            ("कि", "क"),
            ("कु", "क"),
            ("क्", "क"),
            ("क़", "क"),
            ("≠", "="),
            ("ก่", "ก"),
            ("ދި", "ދ"),
            ("က်", "က"),
            ("ក្", "ក"),
        ] {
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
        for text in
            ["\u{fff9}\u{fffa}\u{fffb}", "\u{301}", " \u{5b0}\u{64b}", "\u{13430}", "\u{2028}\u{2029}", "\u{1d159}"]
        {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["e\u{301}", "x\u{200b}", "\u{1f468}\u{200d}\u{1f469}", "·", "한"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
