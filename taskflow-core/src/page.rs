//! Pages of lists, and how a list of tasks is narrowed and sorted.

use std::fmt;
use std::str::FromStr;

use crate::{InvalidValue, MeetingStatus, TaskPriority, TaskStatus, Timestamp};

/// The requested page of a list: counted from 1, with 1 to 100 items each.
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

    /// Checks the bounds; the error names the value that is out of them.
    pub fn new(page: u32, size: u32) -> Result<Self, InvalidValue> {
        if !(1..=Self::MAX_PAGE).contains(&page) {
            return Err(InvalidValue::new(format!("page must be from 1 to {}", Self::MAX_PAGE)));
        }
        if !(1..=Self::MAX_SIZE).contains(&size) {
            return Err(InvalidValue::new(format!("size must be from 1 to {}", Self::MAX_SIZE)));
        }
        Ok(Self { page, size })
    }

    /// Returns the number of the page, counted from 1.
    #[must_use]
    pub fn page(self) -> u32 {
        self.page
    }

    /// Items on a page.
    #[must_use]
    pub fn size(self) -> u32 {
        self.size
    }

    /// Returns the number of items before this page.
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
    /// The items of the page.
    pub items: Vec<T>,
    /// Number of items on all pages together.
    pub total: u64,
    /// The requested page.
    pub request: PageRequest,
}

/// A query for tasks of a user: filters, order and page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// The trash instead of the tasks.
    pub trash: bool,
    /// Only with one of these statuses; empty: any status.
    pub status: Vec<TaskStatus>,
    /// Only with one of these priorities; empty: any priority.
    pub priority: Vec<TaskPriority>,
    /// Only tasks due before this time (exclusive).
    pub due_before: Option<Timestamp>,
    /// Only tasks due at or after this time (inclusive).
    pub due_after: Option<Timestamp>,
    /// Only tasks due on a day; `false` excludes them.
    pub whole_day: Option<bool>,
    /// Only overdue tasks; `false` excludes them.
    pub overdue: Option<bool>,
    /// Only with all these words in title or description; [folded](crate::search_key), in no order.
    pub words: Vec<String>,
    /// First criterion first; ties are broken by id, descending.
    pub sort: Vec<TaskSort>,
    /// The requested page.
    pub page: PageRequest,
}

impl TaskQuery {
    /// Most words a search may have; further ones are dropped.
    pub const MAX_WORDS: usize = 20;

    /// Returns the words of a search text, folded.
    #[must_use]
    pub fn words(text: &str) -> Vec<String> {
        let words = text.split_whitespace().map(crate::search_key).filter(|word| !word.is_empty());
        words.take(Self::MAX_WORDS).collect()
    }
}

/// A query for meetings of a user: filters, order and page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingQuery {
    /// Only with one of these statuses; empty: all but cancelled meetings.
    pub status: Vec<MeetingStatus>,
    /// Only meetings that begin before this time (exclusive).
    pub starts_before: Option<Timestamp>,
    /// Only meetings that begin at or after this time (inclusive).
    pub starts_after: Option<Timestamp>,
    /// Only with all these words in title, description or location; [folded](crate::search_key), in no order.
    pub words: Vec<String>,
    /// First criterion first; ties are broken by id, descending.
    pub sort: Vec<MeetingSort>,
    /// The requested page.
    pub page: PageRequest,
}

/// One criterion of an order of meetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingSort {
    /// The sort key.
    pub by: MeetingSortKey,
    /// Whether to sort from high to low.
    pub descending: bool,
}

/// A key by which meetings can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingSortKey {
    /// The start of the meeting.
    MeetingDate,
    /// The time at which the meeting was created.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The title, case folded.
    Title,
}

impl MeetingSortKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::MeetingDate, Self::CreatedAt, Self::UpdatedAt, Self::Title];

    /// Returns its name on the wire.
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
    /// The sort key.
    pub by: TaskSortKey,
    /// Whether to sort from high to low.
    pub descending: bool,
}

/// A key by which tasks can be sorted. Tasks without a due time come last in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSortKey {
    /// The time at which the task was created.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The due time.
    DueAt,
    /// The priority.
    Priority,
    /// The status, in the order of work.
    Status,
    /// The title, case folded.
    Title,
}

impl TaskSortKey {
    /// Every key.
    pub const ALL: [Self; 6] =
        [Self::CreatedAt, Self::UpdatedAt, Self::DueAt, Self::Priority, Self::Status, Self::Title];

    /// Returns its name on the wire.
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
