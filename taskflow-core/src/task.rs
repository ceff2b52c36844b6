//! A task of one user: its state and its legal transitions. No input or output here.

mod write;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::error::FieldError;
pub use write::TaskWrite;

use crate::{Day, Description, InvalidValue, ReminderMinutes, TaskId, Timestamp, Title, UserId, Zone};

/// The status of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Begun.
    InProgress,
    /// Done.
    Completed,
}

/// The priority of a task; orders from low to high.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskPriority {
    /// Low priority: when there is time.
    Low,
    /// Normal priority.
    #[default]
    Medium,
    /// High priority: before the others.
    High,
}

impl TaskStatus {
    /// Every status, in the order of work.
    pub const ALL: [Self; 3] = [Self::Pending, Self::InProgress, Self::Completed];

    /// Returns its name on the wire and in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

impl TaskPriority {
    /// Every priority, low to high.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Returns the rank in stores, by which they sort: 1 low, 2 medium, 3 high.
    #[must_use]
    pub fn rank(self) -> i16 {
        self as i16 + 1
    }

    /// Returns the priority of a rank.
    #[must_use]
    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.rank() == rank)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TaskPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be pending, in_progress or completed"))
    }
}

impl FromStr for TaskPriority {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|priority| priority.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("must be low, medium or high"))
    }
}

/// A task of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The id; never changes.
    pub id: TaskId,
    /// The owner; never changes.
    pub user_id: UserId,
    /// The title: what is to be done.
    pub title: Title,
    /// Optional description.
    pub description: Option<Description>,
    /// The status.
    pub status: TaskStatus,
    /// The priority.
    pub priority: TaskPriority,
    /// The day on which it should be done, where its owner lives; only together with `due_at`.
    pub due_on: Option<NaiveDate>,
    /// The due time: the given instant, or the last instant of `due_on` in the zone of the owner.
    pub due_at: Option<Timestamp>,
    /// The reminder time in minutes before `due_at`; only together with it.
    pub reminder_minutes: Option<ReminderMinutes>,
    /// The time at which it was completed: set exactly while the status is `completed`.
    pub completed_at: Option<Timestamp>,
    /// The time at which it was moved to the trash; a trashed task is in no list but the trash.
    pub deleted_at: Option<Timestamp>,
    /// Version for optimistic locking; grows by one with each change.
    pub version: u64,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// The data of a new task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The title: what is to be done.
    pub title: Title,
    /// Optional description.
    pub description: Option<Description>,
    /// The status; default `pending`.
    pub status: TaskStatus,
    /// The priority; default `medium`.
    pub priority: TaskPriority,
    /// The day on which it should be done, where its owner lives; not together with `due_at`.
    pub due_on: Option<NaiveDate>,
    /// The due time.
    pub due_at: Option<Timestamp>,
    /// The reminder time in minutes before the task is due; needs `due_at` or `due_on`. A day is due at its end.
    pub reminder_minutes: Option<ReminderMinutes>,
}

impl NewTask {
    /// Returns a pending task of medium priority with only a title.
    #[must_use]
    pub fn titled(title: Title) -> Self {
        Self {
            title,
            description: None,
            status: TaskStatus::default(),
            priority: TaskPriority::default(),
            due_on: None,
            due_at: None,
            reminder_minutes: None,
        }
    }
}

/// A change of a task. The outer `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskChange {
    /// The new title.
    pub title: Option<Title>,
    /// The new description; `Some(None)` removes it.
    pub description: Option<Option<Description>>,
    /// The new status.
    pub status: Option<TaskStatus>,
    /// The new priority.
    pub priority: Option<TaskPriority>,
    /// The new due day; `Some(None)` removes it. It replaces a due time.
    pub due_on: Option<Option<NaiveDate>>,
    /// The new due time; `Some(None)` removes it. It replaces a due day. Without either, the reminder is removed as
    /// well.
    pub due_at: Option<Option<Timestamp>>,
    /// The new reminder time; `Some(None)` removes it.
    pub reminder_minutes: Option<Option<ReminderMinutes>>,
}

/// Returns the last instant of a day in a zone: the task is due until the day is over.
fn end_of_day(day: NaiveDate, zone: &Zone) -> Timestamp {
    Day::of(day, zone).today.1 - Duration::from_micros(1)
}

/// Returns the error for a day whose end is not known: [`NewTask::resolved`] and [`TaskChange::resolved`] find it.
fn unresolved() -> FieldError {
    FieldError::new("due_on", "needs the time zone of its owner")
}

fn day_or_time() -> FieldError {
    FieldError::new("due_on", "must not come with due_at: a task is due on a day or at a time")
}

impl NewTask {
    /// Finds when a due day ends in the zone of the owner.
    ///
    /// # Errors
    ///
    /// Fails if both a day and a time are given.
    pub fn resolved(self, zone: &Zone) -> Result<Self, FieldError> {
        match (self.due_on, self.due_at) {
            (Some(_), Some(_)) => Err(day_or_time()),
            (Some(day), None) => Ok(Self { due_at: Some(end_of_day(day, zone)), ..self }),
            (None, _) => Ok(self),
        }
    }
}

impl TaskChange {
    /// Finds when a due day ends in the zone of the owner.
    ///
    /// # Errors
    ///
    /// Fails if both a day and a time are given.
    pub fn resolved(self, zone: &Zone) -> Result<Self, FieldError> {
        match (self.due_on, self.due_at) {
            (Some(Some(_)), Some(Some(_))) => Err(day_or_time()),
            (Some(Some(day)), None | Some(None)) => Ok(Self { due_at: Some(Some(end_of_day(day, zone))), ..self }),
            (None | Some(None), _) => Ok(self),
        }
    }
}

impl Task {
    /// Creates a task.
    pub fn new(id: TaskId, user_id: UserId, new: NewTask, now: Timestamp) -> Result<Self, FieldError> {
        Self {
            id,
            user_id,
            title: new.title,
            description: new.description,
            status: new.status,
            priority: new.priority,
            due_on: new.due_on,
            due_at: new.due_at,
            reminder_minutes: new.reminder_minutes,
            completed_at: (new.status == TaskStatus::Completed).then_some(now),
            deleted_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
        .checked()
    }

    /// Returns the task after `change`; the same version if nothing differs.
    pub fn apply(&self, change: TaskChange, now: Timestamp) -> Result<Self, FieldError> {
        let status = change.status.unwrap_or(self.status);
        let (due_on, due_at) = match (change.due_on, change.due_at) {
            (None, None) => (self.due_on, self.due_at),
            // A day comes with its last instant.
            (Some(Some(day)), Some(at)) => (Some(day), at),
            (Some(Some(_)), None) => return Err(unresolved()),
            (None | Some(None), Some(at)) => (None, at),
            // There was no day to clear.
            (Some(None), None) if self.due_on.is_none() => (None, self.due_at),
            (Some(None), None) => (None, None),
        };
        let kept_reminder = self.reminder_minutes.filter(|_| due_at.is_some());
        let after = Self {
            title: change.title.unwrap_or_else(|| self.title.clone()),
            description: change.description.unwrap_or_else(|| self.description.clone()),
            status,
            priority: change.priority.unwrap_or(self.priority),
            due_on,
            due_at,
            reminder_minutes: change.reminder_minutes.unwrap_or(kept_reminder),
            completed_at: match status {
                TaskStatus::Completed => self.completed_at.or(Some(now)),
                TaskStatus::Pending | TaskStatus::InProgress => None,
            },
            ..self.clone()
        }
        .checked()?;
        Ok(self.next_version(after, now))
    }

    /// Returns the task completed at `now`; a completed task stays as it is.
    pub fn complete(&self, now: Timestamp) -> Result<Self, FieldError> {
        self.apply(TaskChange { status: Some(TaskStatus::Completed), ..TaskChange::default() }, now)
    }

    /// Returns the task in the trash since `now`.
    #[must_use]
    pub fn trash(&self, now: Timestamp) -> Self {
        self.next_version(Self { deleted_at: self.deleted_at.or(Some(now)), ..self.clone() }, now)
    }

    /// Returns the task out of the trash, as it was.
    #[must_use]
    pub fn restore(&self, now: Timestamp) -> Self {
        self.next_version(Self { deleted_at: None, ..self.clone() }, now)
    }

    /// Returns whether the task is neither completed nor in the trash.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status != TaskStatus::Completed && self.deleted_at.is_none()
    }

    /// Returns whether the task is open although its due time has passed.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.is_open() && self.due_at.is_some_and(|due_at| due_at < now)
    }

    /// Returns the task with its due day in another zone; the same if it has no due day.
    #[must_use]
    pub fn in_zone(&self, zone: &Zone, now: Timestamp) -> Self {
        let Some(day) = self.due_on else { return self.clone() };
        self.next_version(Self { due_at: Some(end_of_day(day, zone)), ..self.clone() }, now)
    }

    fn checked(self) -> Result<Self, FieldError> {
        if self.due_on.is_some() && self.due_at.is_none() {
            return Err(unresolved());
        }
        if self.reminder_minutes.is_some() && self.due_at.is_none() {
            return Err(FieldError::new(
                "reminder_minutes",
                "needs due_at or due_on: there is nothing to remind of without them",
            ));
        }
        Ok(self)
    }

    fn next_version(&self, after: Self, now: Timestamp) -> Self {
        if after == *self { after } else { Self { version: self.version + 1, updated_at: now, ..after } }
    }
}

/// Number of a user's tasks by status, without the trash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskSummary {
    /// All of them.
    pub total: u64,
    /// Not begun.
    pub pending: u64,
    /// Begun.
    pub in_progress: u64,
    /// Done.
    pub completed: u64,
    /// Open although due.
    pub overdue: u64,
}

#[cfg(test)]
mod tests;
