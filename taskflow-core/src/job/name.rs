use std::fmt;
use std::str::FromStr;

use crate::InvalidValue;
use crate::values::Word;

/// The name of a job on the wire, in stores and in settings: 1 to 40 lower-case ASCII letters, digits or underscores,
/// beginning with a letter.
///
/// A name does not imply that this binary has a job of that name: another release may have stored it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Word<{ JobName::MAX_LENGTH }>);

impl JobName {
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = 40;

    /// Makes a name of a word that is known when the program is written.
    ///
    /// ```
    /// use taskflow_core::JobName;
    ///
    /// const INVOICES: JobName = JobName::new("overdue_invoices");
    /// assert_eq!("overdue_invoices".parse(), Ok(INVOICES));
    /// ```
    ///
    /// # Panics
    ///
    /// If the word is not a name; in a constant that is a compile error. Words that come from outside are parsed.
    #[must_use]
    pub const fn new(word: &str) -> Self {
        match Word::checked(word.as_bytes()) {
            Some(word) => Self(word),
            None => panic!("a job's name is a word of lower-case letters, digits and underscores"),
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for JobName {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let most = Self::MAX_LENGTH;
        Word::checked(word.as_bytes()).map(Self).ok_or_else(|| {
            InvalidValue::new(format!(
                "must be 1 to {most} lower-case letters, digits or underscores, beginning with a letter"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_bounded_word_in_lower_snake_case() {
        let longest = "a".repeat(JobName::MAX_LENGTH);
        for word in ["a", "daily_summaries", "sync_2", longest.as_str()] {
            let name: JobName = word.parse().expect("a name");
            assert_eq!((name.as_str(), name.to_string().as_str()), (word, word));
        }
        let too_long = "a".repeat(JobName::MAX_LENGTH + 1);
        for word in ["", "Daily", "daily-summaries", "2nd", "_a", "a b", "a\0", "ä", too_long.as_str()] {
            assert!(word.parse::<JobName>().is_err(), "{word:?}");
        }
    }

    #[test]
    fn names_are_ordered_as_their_words() {
        let mut names: Vec<JobName> = ["b", "a_b", "ab", "a"].into_iter().map(JobName::new).collect();
        names.sort();
        assert_eq!(names.iter().map(JobName::as_str).collect::<Vec<_>>(), ["a", "a_b", "ab", "b"]);
    }
}
