//! The variables of templates, before they are written in the language and the zone of a reader.

use std::borrow::Cow;

use chrono::NaiveDate;

use crate::{Meeting, MeetingFacts, Task, Timestamp};

/// Variables of a template by their names. The first of a name counts.
///
/// ```
/// use taskflow_core::{Timestamp, Variable, Variables};
///
/// let variables = Variables::new().with("number", 17_u64).with("due", Timestamp::MAX).with("note", None::<&str>);
/// let names: Vec<_> = variables.into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["number", "due", "note"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables<'a>(Vec<(Cow<'static, str>, Variable<'a>)>);

/// The value of a variable. A [`Renderer`](crate::ports::Renderer) writes times and words as their reader reads them.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable<'a> {
    /// No value.
    None,
    /// A flag.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A text as a user typed it.
    Text(Cow<'a, str>),
    /// Words of the reader's language, by their key in the locales.
    Words(Cow<'static, str>),
    /// Words of the reader's language with one placeholder: their key, the name of the placeholder, and its value.
    WordsWith(&'static str, &'static str, Cow<'a, str>),
    /// Words about a number of things, by their key.
    Count(&'static str, u64),
    /// A date and time with its zone, for example `Sunday, 22 November 2026 at 10:30 CET (Europe/Berlin)`.
    Time(Timestamp),
    /// A time that is near, for example `Sun 22 Nov, 10:30 CET`.
    BriefTime(Timestamp),
    /// A time relative to the Date of the mail, for example `in 15 minutes` or `tomorrow at 09:00`.
    RelativeTime(Timestamp),
    /// `ahead`, `now` or `late`, relative to the Date of the mail.
    Timing(Timestamp),
    /// A day, for example `Sunday, 22 November`.
    Day(NaiveDate),
    /// A day in a sentence, for example `on Sunday, 22 November`.
    OnDay(NaiveDate),
    /// A span in minutes, for example `1 hour 30 minutes`.
    Minutes(u32),
    /// The due time of a task in a list, and its priority unless it is medium.
    TaskSummary(&'a Task),
    /// The time, length and place of a meeting in a list.
    MeetingSummary(&'a Meeting),
    /// The facts of a meeting as a list of `{label, value, was, url}`; `was` is the value that the reader knew, if it
    /// differs.
    MeetingFacts(&'a Meeting, Option<&'a MeetingFacts>),
    /// The facts of a meeting that differ from what the reader knew, as a list of `{what, was, is}`.
    MeetingChanges(&'a Meeting, Option<&'a MeetingFacts>),
    /// A value as JSON has it.
    Json(&'a serde_json::Value),
    /// A list.
    List(Vec<Variable<'a>>),
    /// Variables within a variable.
    Map(Variables<'a>),
}

impl<'a> Variables<'a> {
    /// Returns no variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Variable<'a>>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds all of `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl<'a> IntoIterator for Variables<'a> {
    type Item = (Cow<'static, str>, Variable<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> Variable<'a> {
    /// Returns the due time of a task: a day alone, or a time.
    #[must_use]
    pub fn due(task: &Task, due_at: Timestamp) -> Self {
        task.due_on.map_or(Self::Time(due_at), Self::Day)
    }

    /// Returns the due time of a task relative to the Date of the mail; a day alone is that day.
    #[must_use]
    pub fn relative_due(task: &Task, due_at: Timestamp) -> Self {
        task.due_on.map_or(Self::RelativeTime(due_at), Self::OnDay)
    }
}

impl<'a, T: Into<Variable<'a>>> From<Option<T>> for Variable<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl<'a, T: Into<Variable<'a>>> From<Vec<T>> for Variable<'a> {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

macro_rules! variable_from {
    ($($from:ty => $variant:ident,)*) => {
        $(impl<'a> From<$from> for Variable<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

variable_from! {
    bool => Flag,
    u32 => Number,
    u64 => Number,
    &'a str => Text,
    &'a String => Text,
    String => Text,
    Cow<'a, str> => Text,
    Timestamp => Time,
    NaiveDate => Day,
    Variables<'a> => Map,
}
