//! The content of summaries and task reminders: a user's day and their open tasks.

use std::cmp::Reverse;

use chrono::{Days, NaiveDate, NaiveTime};

use crate::{Meeting, Task, Timestamp, Zone};

/// The first of many things, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt<T> {
    /// The first ones.
    pub items: Vec<T>,
    /// Number of items in total, including those shown.
    pub total: u64,
}

impl<T> Excerpt<T> {
    /// Most that one mail shows of a kind.
    pub const MOST: usize = 20;

    /// Returns the number of items that are not shown.
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
    /// Returns as many of the items as one mail shows, and the total.
    fn from(mut items: Vec<T>) -> Self {
        let total = items.len() as u64;
        items.truncate(Self::MOST);
        Self { items, total }
    }
}

/// A day as the clocks of a zone have it, the one before and the seven after. Beginnings belong to them, ends do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Start and end of the day before. If the zone skipped that whole day, the day before it.
    pub yesterday: (Timestamp, Timestamp),
    /// Start and end of the day.
    pub today: (Timestamp, Timestamp),
    /// Start and end of the seven days after it.
    pub week: (Timestamp, Timestamp),
}

impl Day {
    /// Returns the day of a date in a zone.
    #[must_use]
    pub fn of(date: NaiveDate, zone: &Zone) -> Self {
        let midnight = |date: Option<NaiveDate>| zone.instant(date.unwrap_or_default().and_time(NaiveTime::MIN));
        let (begins, ends) = (midnight(Some(date)), midnight(date.checked_add_days(Days::new(1))));
        let mut earlier = (1..=2).filter_map(|back| date.checked_sub_days(Days::new(back)));
        let before = earlier.clone().find(|date| zone.has_date(*date)).or_else(|| earlier.next_back());
        Self {
            yesterday: (midnight(before), begins),
            today: (begins, ends),
            week: (ends, midnight(date.checked_add_days(Days::new(8)))),
        }
    }
}

/// A day of a user, in reading order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The date of the day in the user's time zone.
    pub date: NaiveDate,
    /// Open tasks whose due time has passed, the longest overdue first.
    pub overdue: Excerpt<Task>,
    /// Open tasks due later on the day, by time and then by priority.
    pub today: Excerpt<Task>,
    /// Meetings of the day, in the order of their start.
    pub meetings: Excerpt<Meeting>,
    /// Open tasks due within the next seven days, by time and then by priority.
    pub week: Excerpt<Task>,
    /// The other open tasks, the highest priority first. Only counted (without items) unless there is nothing else to list.
    pub later: Excerpt<Task>,
    /// Tasks done the day before, the last one first.
    pub done: Excerpt<Task>,
}

impl Digest {
    /// Returns an empty digest of a date.
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        Self {
            date,
            overdue: Excerpt::default(),
            today: Excerpt::default(),
            meetings: Excerpt::default(),
            week: Excerpt::default(),
            later: Excerpt::default(),
            done: Excerpt::default(),
        }
    }

    /// Sorts each list into the order that [`CohortScan::digests`](crate::ports::CohortScan::digests) promises, for
    /// stores whose databases pick the first items and return them in any order. Reduces [`later`](Self::later) to its
    /// number if there is anything else to list.
    pub fn put_in_order(&mut self) {
        if self.overdue.total + self.today.total + self.meetings.total + self.week.total > 0 {
            self.later.items.clear();
        }
        self.done.items.sort_by_key(|task| (Reverse(task.completed_at), task.id));
        self.overdue.items.sort_by_key(|task| (task.due_at, task.id));
        for soon in [&mut self.today, &mut self.week] {
            soon.items.sort_by_key(|task| (task.due_at, Reverse(task.priority.rank()), task.id));
        }
        self.later.items.sort_by_key(|task| {
            let due = (task.due_at.is_none(), task.due_at);
            (Reverse(task.priority.rank()), due, task.created_at, task.id)
        });
        self.meetings.items.sort_by_key(|meeting| (meeting.starts_at, meeting.id));
    }

    /// Returns the number of open tasks.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.overdue.total + self.today.total + self.week.total + self.later.total
    }

    /// Returns the tasks that it names, in the order in which they are read.
    #[must_use]
    pub fn tasks(&self) -> Vec<&Task> {
        let lists = [&self.overdue, &self.today, &self.week, &self.later, &self.done];
        lists.into_iter().flat_map(|list| &list.items).collect()
    }

    /// Returns the open task to name first, if there is any.
    #[must_use]
    pub fn first_task(&self) -> Option<&Task> {
        self.tasks().into_iter().next().filter(|task| task.is_open())
    }

    /// Returns whether the digest is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open() + self.done.total + self.meetings.total == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterday_is_a_day_that_there_was() {
        let apia: Zone = "Pacific/Apia".parse().expect("a zone");
        let after = Day::of("2011-12-31".parse().expect("a date"), &apia);
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        // There was no 30 December: the 29th, ten hours west of Greenwich, was followed by the 31st.
        assert_eq!(after.yesterday, (at("2011-12-29T10:00:00Z"), at("2011-12-30T10:00:00Z")));
        assert_eq!(after.today, (at("2011-12-30T10:00:00Z"), at("2011-12-31T10:00:00Z")));
        let before = Day::of("2011-12-29".parse().expect("a date"), &apia);
        assert_eq!(before.today.1, after.today.0);
    }
}
