use std::fmt;
use std::str::FromStr;

use crate::InvalidValue;
use crate::values::Word;

/// The name of a channel to users in stores: 1 to 24 lower-case ASCII letters, digits or underscores, beginning with a
/// letter.
///
/// A name does not imply that this process has a channel of that name: deliveries of a channel that it lacks wait for a
/// process that has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKind(Word<{ ChannelKind::MAX_LENGTH }>);

impl ChannelKind {
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = 24;

    /// Mail, the channel of every delivery that names none.
    pub const MAIL: Self = Self::new("mail");

    /// Makes a name of a word that is known when the program is written.
    ///
    /// # Panics
    ///
    /// If the word is not a name; in a constant that is a compile error. Words that come from outside are parsed.
    #[must_use]
    pub const fn new(word: &str) -> Self {
        match Word::checked(word.as_bytes()) {
            Some(word) => Self(word),
            None => panic!("a channel's name is a word of lower-case letters, digits and underscores"),
        }
    }

    /// Returns the word itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns whether this is mail.
    #[must_use]
    pub fn is_mail(self) -> bool {
        self == Self::MAIL
    }

    /// Returns what stores keep as the priority of a delivery on this channel: that of mail, or a place behind all of mail.
    pub(super) fn rank(self, priority: i16) -> i16 {
        const BEHIND_MAIL: i16 = 4;
        if self.is_mail() { priority } else { BEHIND_MAIL + priority }
    }
}

impl Default for ChannelKind {
    fn default() -> Self {
        Self::MAIL
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for ChannelKind {
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
    fn a_channel_is_named_by_a_bounded_word() {
        for word in ["mail", "push", "chat_2"] {
            assert_eq!(word.parse::<ChannelKind>().expect("a name").to_string(), word);
        }
        for word in ["", "Push", "push@home", "2nd", "a_name_that_is_far_too_long"] {
            assert!(word.parse::<ChannelKind>().is_err(), "{word:?}");
        }
    }
}
