//! Values of meetings and their participants.

use std::fmt;
use std::str::FromStr;

use super::{InvalidValue, bounded, checked, many_lines, one_line, what_fits};

macro_rules! lines {
    ($($(#[$doc:meta])* $name:ident($least:literal, $most:literal, $allowed:ident);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The most it may have, in characters.
            pub const MAX_LENGTH: usize = $most;

            /// Reads a stored text. Unlike one that is entered now, it may be invisible: earlier releases allowed that.
            ///
            /// # Errors
            ///
            /// [`InvalidValue`] when its length or characters are out of bounds.
            pub fn from_stored(text: &str) -> Result<Self, InvalidValue> {
                bounded(text, $least, $most, $allowed)?;
                Ok(Self(text.to_owned()))
            }

            /// Returns what fits of a stored text that [`from_stored`](Self::from_stored) refuses.
            #[must_use]
            pub fn from_unreadable(text: &str) -> Self {
                Self(what_fits(text, $least, $most, $allowed))
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                let text = text.trim();
                checked(text, $least, $most, $allowed)?;
                Ok(Self(text.to_owned()))
            }
        }
    )+};
}

lines! {
    /// The title of a meeting: 1 to 255 characters on one line; surrounding spaces are removed.
    MeetingTitle(1, 255, one_line);
    /// The place of a meeting: 1 to 255 characters on one line; surrounding spaces are removed.
    Location(1, 255, one_line);
    /// The name of a person without an account: 1 to 100 characters on one line; surrounding spaces are removed.
    PersonName(1, 100, one_line);
    /// A comment on a response or a reminder: 1 to 1,000 characters; surrounding spaces are removed.
    Comment(1, 1000, many_lines);
}

/// The URL of an online meeting: an absolute URL of `http` or `https` with a host, at most 500 characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MeetingUrl(String);

impl MeetingUrl {
    /// Longest URL, in characters.
    pub const MAX_LENGTH: usize = 500;

    /// Returns a URL that leads nowhere, for a stored one that cannot be read.
    #[must_use]
    pub fn unreadable() -> Self {
        Self("https://unreadable.invalid/".to_owned())
    }
}

impl FromStr for MeetingUrl {
    type Err = InvalidValue;

    /// Keeps the normal form of the URL standard, in which nothing but printable ASCII is left.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new("must be an http or https address such as https://meet.example.org/room");
        let url = url::Url::parse(text).map_err(|_| refused())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(refused());
        }
        let url = String::from(url);
        checked(&url, 1, Self::MAX_LENGTH, one_line)?;
        Ok(Self(url))
    }
}

/// The duration of a meeting: 1 to 1,440 minutes (a day).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMinutes(u32);

impl DurationMinutes {
    /// A day.
    pub const MAX: u32 = 1440;

    /// Checks the bounds.
    pub fn new(minutes: u32) -> Result<Self, InvalidValue> {
        if (1..=Self::MAX).contains(&minutes) {
            Ok(Self(minutes))
        } else {
            Err(InvalidValue::new(format!("must be a whole number from 1 to {}", Self::MAX)))
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

impl Default for DurationMinutes {
    /// Returns one hour.
    fn default() -> Self {
        Self(60)
    }
}

lines! {
    /// The reason mail does not reach a participant, in the words of a relay or a report: 1 to 500 characters on one
    /// line.
    DeliveryProblem(1, 500, one_line);
}

impl DeliveryProblem {
    /// Returns the words of a relay as one line of at most 500 characters; `None` if none of it can be shown.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let shown: String = text.chars().map(|c| if one_line(c) { c } else { ' ' }).collect();
        let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(Self::MAX_LENGTH).collect::<String>().parse().ok()
    }
}

texts!(MeetingTitle, Location, PersonName, Comment, MeetingUrl, DeliveryProblem);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute_and_of_the_web() {
        for bad in
            ["", "example.org", "ftp://example.org", "javascript:alert(1)", "http://", "https:// x", "//x.example"]
        {
            assert!(bad.parse::<MeetingUrl>().is_err(), "{bad:?}");
        }
        let url = "https://meet.example.org/a b?q=\u{e9}\"".parse::<MeetingUrl>().expect("a URL");
        assert_eq!(url.as_str(), "https://meet.example.org/a%20b?q=%C3%A9%22");
        assert!(format!("https://x.example/{}", "x".repeat(500)).parse::<MeetingUrl>().is_err());
    }

    #[test]
    fn lines_are_trimmed_and_bounded() {
        assert_eq!(" Board ".parse::<MeetingTitle>().expect("fits").as_str(), "Board");
        assert!("a\r\nb".parse::<MeetingTitle>().is_err() && "".parse::<Location>().is_err());
        assert!("\u{feff}".parse::<PersonName>().is_err() && PersonName::from_stored("\u{feff}").is_ok());
        assert!("a\nb".parse::<Comment>().is_ok() && "x".repeat(256).parse::<MeetingTitle>().is_err());
    }

    #[test]
    fn a_meeting_takes_from_a_minute_to_a_day() {
        assert!(DurationMinutes::new(0).is_err() && DurationMinutes::new(1441).is_err());
        assert_eq!(DurationMinutes::new(1440).expect("fits").duration(), std::time::Duration::from_hours(24));
    }
}
