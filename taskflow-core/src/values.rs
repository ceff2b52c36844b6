//! Values that are checked once, when they are created: their holder may rely on them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

/// The reason a text is not valid for a value: states what would be valid, beginning with a verb so that a field name
/// fits before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(String);

impl InvalidValue {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

macro_rules! texts {
    ($($name:ident),+) => {$(
        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )+};
}

mod email;
mod imitation;
mod meeting;
mod text;
mod unreadable;
mod word;

pub use email::{EmailAddress, NamedAddress};
pub use meeting::{Comment, DeliveryProblem, DurationMinutes, Location, MeetingTitle, MeetingUrl, PersonName};
pub use text::{fold, is_blank, search_key};
pub(crate) use word::Word;

use text::is_invisible;
use unreadable::{fingerprint, what_fits};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes over a UUID, usually of version 7 (RFC 9562 §5.7), so that ids sort by the time they were made.
            #[must_use]
            pub fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// Returns the bare UUID.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            /// Reads the hyphenated form only.
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 => Ok(Self(id)),
                    _ => Err(InvalidValue::new("must be a UUID")),
                }
            }
        }
    )+};
}

ids! {
    /// Names a [`User`](crate::User).
    UserId,
    /// Names a [`Task`](crate::Task).
    TaskId,
    /// Names a [`Meeting`](crate::Meeting); the UID of its calendar entry.
    MeetingId,
    /// Names a [`Participant`](crate::Participant).
    ParticipantId,
    /// Names a [`Delivery`](crate::Delivery); every Message-ID carries it.
    DeliveryId,
    /// Names an [`Event`](crate::Event).
    EventId,
    /// Names a [`Session`](crate::Session).
    SessionId,
    /// Names a [`Token`](crate::Token).
    TokenId,
    /// Names a [`JobRun`](crate::JobRun).
    RunId,
    /// Fences the results of one claim: a sender that no longer holds the lease cannot settle.
    LeaseToken,
}

/// Checks a text that a user enters. One that must not be empty must also be visible.
fn checked(text: &str, least: usize, most: usize, allowed: fn(char) -> bool) -> Result<(), InvalidValue> {
    if least > 0 && is_blank(text) {
        return Err(InvalidValue::new(format!("must have {least} to {most} characters, and not only invisible ones")));
    }
    bounded(text, least, most, allowed)
}

/// Checks the length and the characters of a text.
fn bounded(text: &str, least: usize, most: usize, allowed: fn(char) -> bool) -> Result<(), InvalidValue> {
    let length = text.chars().count();
    if length < least || length > most {
        return Err(InvalidValue::new(match least {
            0 => format!("must have at most {most} characters"),
            _ => format!("must have {least} to {most} characters"),
        }));
    }
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(InvalidValue::new(format!("must not contain the character U+{:04X}", c as u32))),
        None => Ok(()),
    }
}

/// Returns whether a character neither breaks the line nor turns the direction of the text after it (UAX #9): a subject
/// must not lie.
fn one_line(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn many_lines(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t')
}

/// The username with which a user signs in: 3 to 50 letters, digits and `.` `_` `-`.
///
/// It has no `@`, so that it is never mistaken for an address. Two names that differ only in case or Unicode form are
/// the same name ([`Username::key`]).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Shortest and longest name, in characters.
    pub const LENGTH: (usize, usize) = (3, 50);

    /// Returns the key by which the name is unique.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// Reads a stored name. Unlike one that is chosen now, it may imitate another: earlier releases allowed that.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] when its length or characters are out of bounds.
    pub fn from_stored(text: &str) -> Result<Self, InvalidValue> {
        let name: String = text.nfc().collect();
        let (least, most) = Self::LENGTH;
        let length = name.chars().count();
        let allowed = |c: char| (c.is_alphanumeric() || is_combining_mark(c) || "._-".contains(c)) && !is_invisible(c);
        if !(least..=most).contains(&length) || !name.chars().all(allowed) {
            return Err(InvalidValue::new(format!("must have {least} to {most} letters, digits, '.', '_' or '-'")));
        }
        Ok(Self(name))
    }

    /// Returns a name that stands for a stored one that [`from_stored`](Self::from_stored) refuses.
    #[must_use]
    pub fn from_unreadable(text: &str) -> Self {
        Self(format!("unreadable-{}", fingerprint(text)))
    }
}

impl FromStr for Username {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::from_stored(text)
    }
}

/// The title of a task: 1 to 200 characters on one line; surrounding spaces are removed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Title(String);

impl Title {
    /// Longest title, in characters.
    pub const MAX_LENGTH: usize = 200;

    /// Reads a stored title. Unlike one that is entered now, it may be invisible: earlier releases allowed that.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] when its length or characters are out of bounds.
    pub fn from_stored(text: &str) -> Result<Self, InvalidValue> {
        bounded(text, 1, Self::MAX_LENGTH, one_line)?;
        Ok(Self(text.to_owned()))
    }

    /// Returns what fits of a stored title that [`from_stored`](Self::from_stored) refuses.
    #[must_use]
    pub fn from_unreadable(text: &str) -> Self {
        Self(what_fits(text, 1, Self::MAX_LENGTH, one_line))
    }
}

impl FromStr for Title {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let title = text.trim();
        checked(title, 1, Self::MAX_LENGTH, one_line)?;
        Ok(Self(title.to_owned()))
    }
}

/// Free text of up to 10,000 characters; line breaks and tabs are the only control characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Description(String);

impl Description {
    /// Longest description, in characters.
    pub const MAX_LENGTH: usize = 10_000;

    /// Returns what fits of a stored description that cannot be read.
    #[must_use]
    pub fn from_unreadable(text: &str) -> Self {
        Self(what_fits(text, 0, Self::MAX_LENGTH, many_lines))
    }
}

impl FromStr for Description {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        checked(text, 0, Self::MAX_LENGTH, many_lines)?;
        Ok(Self(text.to_owned()))
    }
}

/// The language of a reader, a tag as in BCP 47: `en`, `de-CH`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Locale(String);

impl Locale {
    /// Returns English.
    #[must_use]
    pub fn en() -> Self {
        Self("en".to_owned())
    }
}

impl FromStr for Locale {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let language_fits = (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
        let rest_fits =
            parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if language_fits && rest_fits && text.len() <= 35 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new("must be a language tag such as en or de-CH"))
        }
    }
}

/// A reminder time in minutes ahead: 0 to 40,320 (four weeks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReminderMinutes(u32);

impl Default for ReminderMinutes {
    /// Returns a quarter of an hour.
    fn default() -> Self {
        Self(15)
    }
}

impl ReminderMinutes {
    /// Four weeks.
    pub const MAX: u32 = 40_320;

    /// Checks the bounds.
    pub fn new(minutes: u32) -> Result<Self, InvalidValue> {
        if minutes <= Self::MAX {
            Ok(Self(minutes))
        } else {
            Err(InvalidValue::new(format!("must be a whole number from 0 to {}", Self::MAX)))
        }
    }

    /// Returns the number of minutes.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// Returns the minutes as a duration.
    #[must_use]
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(u64::from(self.0) * 60)
    }
}

texts!(Username, Title, Description, Locale);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_look_like_addresses_or_carry_spaces() {
        for bad in ["ab", "a@b.example", "a b", "a\u{0}bc", "", "a\u{202e}bc", &"x".repeat(51)] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
        for bad in ["\u{3164}\u{3164}\u{3164}", "ab\u{fe0f}c", "a\u{200b}bc"] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
        for good in
            ["abc", "testuser", "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}", "Jos\u{e9}.m-2_x", &"x".repeat(50)]
        {
            assert!(good.parse::<Username>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn titles_are_trimmed_single_lines() {
        assert_eq!("  x ".parse::<Title>().expect("fits").as_str(), "x");
        for bad in ["", "   ", "a\nb", "a\u{0}", &"x".repeat(201), "\u{200b}", "\u{ad} \u{fe0f}"] {
            assert!(bad.parse::<Title>().is_err(), "{bad:?}");
        }
        assert!(Title::from_stored("\u{200b}").is_ok(), "what is stored stays readable");
        assert!("\u{1F600}".repeat(200).parse::<Title>().is_ok());
    }

    #[test]
    fn descriptions_keep_line_breaks_but_no_nul() {
        assert!("a\r\n\tb".parse::<Description>().is_ok());
        assert!("".parse::<Description>().is_ok());
        assert!("a\u{0}".parse::<Description>().is_err());
        assert!("x".repeat(10_001).parse::<Description>().is_err());
    }

    #[test]
    fn ids_are_read_in_hyphenated_form_only() {
        let text = "0198c0de-0000-7000-8000-000000000001";
        assert_eq!(text.parse::<TaskId>().expect("an id").to_string(), text);
        for bad in ["", "1", "0198c0de000070008000000000000001", "{0198c0de-0000-7000-8000-000000000001}"] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn locales_are_language_tags() {
        assert!("en".parse::<Locale>().is_ok() && "de-CH".parse::<Locale>().is_ok());
        assert!(
            "english please".parse::<Locale>().is_err()
                && "".parse::<Locale>().is_err()
                && "e".parse::<Locale>().is_err()
        );
    }
}
