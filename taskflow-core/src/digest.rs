//! What a person is told of their day and of what is open: the content of summaries and task reminders.

use std::cmp::Reverse;

use chrono::{Days, NaiveDate, NaiveTime};

use crate::{Meeting, Task, Timestamp, Zone};

/// The first of many things, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt<T> {
    /// The first ones.
    pub items: Vec<T>,
    /// How many there are, these included.
    pub total: u64,
}

impl<T> Excerpt<T> {
    /// Most that one mail shows of a kind.
    pub const MOST: usize = 20;

    /// How many are not shown.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.total.saturating_sub(self.items.len() as u64)
    }
}

impl<T> Default for Excerpt<T> {
    fn default() -> Self {
        Self { items: Vec::new(), total: 0 }
    }
}

impl<T> From<Vec<T>> for Excerpt<T> {
    /// All of them, as far as one mail shows them.
    fn from(mut items: Vec<T>) -> Self {
        let total = items.len() as u64;
        items.truncate(Self::MOST);
        Self { items, total }
    }
}

/// A day as the clocks of a zone have it, and the one before. Beginnings belong to them, ends do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// When the day before begins and ends.
    pub yesterday: (Timestamp, Timestamp),
    /// When it begins and ends.
    pub today: (Timestamp, Timestamp),
}

impl Day {
    /// That date in that zone.
    #[must_use]
    pub fn of(date: NaiveDate, zone: &Zone) -> Self {
        let midnight = |date: Option<NaiveDate>| zone.instant(date.unwrap_or_default().and_time(NaiveTime::MIN));
        let begins = midnight(Some(date));
        Self {
            yesterday: (midnight(date.checked_sub_days(Days::new(1))), begins),
            today: (begins, midnight(date.checked_add_days(Days::new(1)))),
        }
    }
}

/// A day of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Which day, where they are.
    pub date: NaiveDate,
    /// Tasks done the day before.
    pub done: Excerpt<Task>,
    /// Open tasks whose time has passed, the longest overdue first.
    pub overdue: Excerpt<Task>,
    /// Other open tasks, the most urgent first.
    pub open: Excerpt<Task>,
    /// Meetings of the day, in the order of their start.
    pub meetings: Excerpt<Meeting>,
}

impl Digest {
    /// A day of which nothing is known yet.
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        Self {
            date,
            done: Excerpt::default(),
            overdue: Excerpt::default(),
            open: Excerpt::default(),
            meetings: Excerpt::default(),
        }
    }

    /// Puts what each list holds into the order that [`Sweeps::digests`](crate::ports::Sweeps::digests) promises, for stores
    /// whose databases pick the first ones and return them in any.
    pub fn put_in_order(&mut self) {
        self.done.items.sort_by_key(|task| (Reverse(task.completed_at), task.id));
        self.overdue.items.sort_by_key(|task| (task.due_at, task.id));
        self.open.items.sort_by_key(|task| {
            let due = (task.due_at.is_none(), task.due_at);
            (Reverse(task.priority.rank()), due, task.created_at, task.id)
        });
        self.meetings.items.sort_by_key(|meeting| (meeting.starts_at, meeting.id));
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.done.total + self.overdue.total + self.open.total + self.meetings.total == 0
    }
}
