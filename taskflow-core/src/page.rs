//! Pages of lists, and how a list of tasks is narrowed and sorted.

use std::fmt;
use std::str::FromStr;

use crate::{InvalidValue, MeetingStatus, TaskPriority, TaskStatus, Timestamp};

/// Which page of a list: counted from 1, with 1 to 100 items each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    page: u32,
    size: u32,
}

impl PageRequest {
    /// Highest page.
    pub const MAX_PAGE: u32 = 1_000_000;
    /// Most items on a page.
    pub const MAX_SIZE: u32 = 100;

    /// Checks the bounds and says which of the two is out of them.
    pub fn new(page: u32, size: u32) -> Result<Self, InvalidValue> {
        if !(1..=Self::MAX_PAGE).contains(&page) {
            return Err(InvalidValue::new(format!("page must be from 1 to {}", Self::MAX_PAGE)));
        }
        if !(1..=Self::MAX_SIZE).contains(&size) {
            return Err(InvalidValue::new(format!("size must be from 1 to {}", Self::MAX_SIZE)));
        }
        Ok(Self { page, size })
    }

    /// The page, counted from 1.
    #[must_use]
    pub fn page(self) -> u32 {
        self.page
    }

    /// Items on a page.
    #[must_use]
    pub fn size(self) -> u32 {
        self.size
    }

    /// How many items come before this page.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.size)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { page: 1, size: 50 }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many items all pages have together.
    pub total: u64,
    /// Which page it is.
    pub request: PageRequest,
}

/// Which tasks of a person, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// The trash instead of the tasks.
    pub trash: bool,
    /// Only with one of these statuses; empty: any status.
    pub status: Vec<TaskStatus>,
    /// Only with one of these priorities; empty: any priority.
    pub priority: Vec<TaskPriority>,
    /// Only due before (exclusive).
    pub due_before: Option<Timestamp>,
    /// Only due at or after (inclusive).
    pub due_after: Option<Timestamp>,
    /// Only due on a day, or (`false`) only the others.
    pub whole_day: Option<bool>,
    /// Only what is open although due, or (`false`) only the others.
    pub overdue: Option<bool>,
    /// Only with all these words in title or description; [folded](crate::search_key), in no order.
    pub words: Vec<String>,
    /// First criterion first; ties are broken by id, descending.
    pub sort: Vec<TaskSort>,
    /// Which page.
    pub page: PageRequest,
}

impl TaskQuery {
    /// Most words a search may have; further ones are dropped.
    pub const MAX_WORDS: usize = 20;

    /// The words of a search text, folded.
    #[must_use]
    pub fn words(text: &str) -> Vec<String> {
        let words = text.split_whitespace().map(crate::search_key).filter(|word| !word.is_empty());
        words.take(Self::MAX_WORDS).collect()
    }
}

/// Which meetings of a person, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingQuery {
    /// Only with one of these statuses; empty: all but cancelled meetings.
    pub status: Vec<MeetingStatus>,
    /// Only those that begin before (exclusive).
    pub starts_before: Option<Timestamp>,
    /// Only those that begin at or after (inclusive).
    pub starts_after: Option<Timestamp>,
    /// Only with all these words in title, description or location; [folded](crate::search_key), in no order.
    pub words: Vec<String>,
    /// First criterion first; ties are broken by id, descending.
    pub sort: Vec<MeetingSort>,
    /// Which page.
    pub page: PageRequest,
}

/// One criterion of an order of meetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingSort {
    /// By what.
    pub by: MeetingSortKey,
    /// From high to low.
    pub descending: bool,
}

/// What meetings can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingSortKey {
    /// When it begins.
    MeetingDate,
    /// When it was called.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// What it is called, case folded.
    Title,
}

impl MeetingSortKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::MeetingDate, Self::CreatedAt, Self::UpdatedAt, Self::Title];

    /// Its word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeetingDate => "meeting_date",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Title => "title",
        }
    }
}

impl FromStr for MeetingSort {
    type Err = InvalidValue;

    /// Reads `meeting_date` (low to high) or `-meeting_date` (high to low).
    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let (descending, key) = direction(word);
        let by = MeetingSortKey::ALL.into_iter().find(|by| by.as_str() == key);
        by.map(|by| Self { by, descending }).ok_or_else(|| no_sort(&MeetingSortKey::ALL.map(MeetingSortKey::as_str)))
    }
}

impl fmt::Display for MeetingSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.by.as_str())
    }
}

fn direction(word: &str) -> (bool, &str) {
    word.strip_prefix('-').map_or((false, word), |key| (true, key))
}

fn no_sort(keys: &[&str]) -> InvalidValue {
    InvalidValue::new(format!("must be a comma-separated list of {}, each with or without '-'", keys.join(", ")))
}

/// One criterion of an order of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskSort {
    /// By what.
    pub by: TaskSortKey,
    /// From high to low.
    pub descending: bool,
}

/// What tasks can be sorted by. Tasks without a due time come last in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSortKey {
    /// When it was made.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// When it should be done.
    DueAt,
    /// How urgent it is.
    Priority,
    /// How far it is, in the order of work.
    Status,
    /// What it is called, case folded.
    Title,
}

impl TaskSortKey {
    /// Every key.
    pub const ALL: [Self; 6] =
        [Self::CreatedAt, Self::UpdatedAt, Self::DueAt, Self::Priority, Self::Status, Self::Title];

    /// Its word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::DueAt => "due_at",
            Self::Priority => "priority",
            Self::Status => "status",
            Self::Title => "title",
        }
    }
}

impl FromStr for TaskSort {
    type Err = InvalidValue;

    /// Reads `due_at` (low to high) or `-due_at` (high to low).
    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let (descending, key) = direction(word);
        let by = TaskSortKey::ALL.into_iter().find(|by| by.as_str() == key);
        by.map(|by| Self { by, descending }).ok_or_else(|| no_sort(&TaskSortKey::ALL.map(TaskSortKey::as_str)))
    }
}

impl fmt::Display for TaskSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.by.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded() {
        assert_eq!(PageRequest::new(3, 20).expect("fits").offset(), 40);
        assert!(
            PageRequest::new(0, 1).is_err() && PageRequest::new(1, 101).is_err() && PageRequest::new(1, 0).is_err()
        );
        assert!(PageRequest::new(u32::MAX, 100).is_err());
    }

    #[test]
    fn sorts_are_read_as_they_are_written() {
        for word in ["created_at", "-priority", "title"] {
            assert_eq!(word.parse::<TaskSort>().expect("a sort").to_string(), word);
        }
        assert!("--title".parse::<TaskSort>().is_err() && "".parse::<TaskSort>().is_err());
    }
}
