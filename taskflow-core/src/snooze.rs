//! Postponing a reminder. Pure rules, no input or output.

use std::time::Duration;

use chrono::{Days, NaiveTime};

use crate::notice::TaskDueNotice;
use crate::reminder::{TaskReminder, task_reminder};
use crate::{DedupeKey, Delivery, DeliveryState, Notice, Task, TaskId, Timestamp, Zone};

/// The time for which a reminder is postponed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Snooze {
    /// One hour from now.
    OneHour,
    /// Until 09:00 of the next day where the reader is.
    TomorrowMorning,
}

impl Snooze {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::OneHour, Self::TomorrowMorning];

    /// Returns its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneHour => "hour",
            Self::TomorrowMorning => "tomorrow",
        }
    }

    /// Returns the time of the next reminder if this is chosen at `now` by a user in `zone`.
    #[must_use]
    pub fn until(self, now: Timestamp, zone: &Zone) -> Timestamp {
        match self {
            Self::OneHour => now + Duration::from_hours(1),
            Self::TomorrowMorning => {
                let today = zone.wall_clock(now).at.date();
                let morning = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
                today.checked_add_days(Days::new(1)).map_or(now, |tomorrow| zone.instant(tomorrow.and_time(morning)))
            }
        }
    }
}

/// The changes in the ledger when a reminder is postponed, or no longer is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SnoozePlan {
    /// Reminders of the task that no longer leave when they were planned.
    pub(crate) cancel: Vec<DedupeKey>,
    /// The reminder that is sent instead.
    pub(crate) deliver: Option<TaskReminder>,
}

/// Returns the common prefix of the keys of all reminders of a task.
#[must_use]
pub(crate) fn reminder_prefix(task: TaskId) -> String {
    format!("task-due/{task}/")
}

/// Postpones the reminder of `task` until `until`. `planned` are the deliveries with its [prefix](reminder_prefix).
///
/// Whatever else is planned for the task is cancelled, so that of several postponements the last one counts. The due time
/// stays as it is. Nothing changes for a task that is not open or has no due time, and when the same minute is asked for
/// again.
#[must_use]
pub(crate) fn plan_snooze(task: &Task, planned: &[Delivery], until: Timestamp, now: Timestamp) -> SnoozePlan {
    let Some(due_at) = task.due_at.filter(|_| task.is_open() && until > now) else { return SnoozePlan::default() };
    // Whoever presses twice means it once.
    let same = |at: Timestamp| until.since(at) < Duration::from_mins(1) && at <= until;
    if snoozed_until(task, planned).is_some_and(same) {
        return SnoozePlan::default();
    }
    let key = DedupeKey::new(format!("{}{}", snooze_prefix(task.id, due_at), until.as_micros()));
    let cancel = waiting(planned).map(|delivery| delivery.dedupe_key.clone()).filter(|waits| *waits != key).collect();
    let notice = Notice::TaskDue(TaskDueNotice { task: task.id, due_at });
    SnoozePlan { cancel, deliver: Some(TaskReminder { key, due_at: until, notice }) }
}

/// Undoes a postponement: the reminder is sent when the task asks for it, as long as that lies ahead.
#[must_use]
pub(crate) fn plan_unsnooze(task: &Task, planned: &[Delivery], now: Timestamp) -> SnoozePlan {
    if snoozed_until(task, planned).is_none() {
        return SnoozePlan::default();
    }
    let deliver = task_reminder(task).filter(|reminder| reminder.due_at > now);
    let cancel = waiting(planned).map(|delivery| delivery.dedupe_key.clone());
    let cancel = cancel.filter(|waits| deliver.as_ref().is_none_or(|reminder| reminder.key != *waits)).collect();
    SnoozePlan { cancel, deliver }
}

/// Returns the time at which the postponed reminder of `task` is sent, if one of `planned` is one.
#[must_use]
pub(crate) fn snoozed_until(task: &Task, planned: &[Delivery]) -> Option<Timestamp> {
    let prefix = snooze_prefix(task.id, task.due_at.filter(|_| task.is_open())?);
    let snoozed = waiting(planned).filter(|delivery| delivery.dedupe_key.as_str().starts_with(&prefix));
    snoozed.map(|delivery| delivery.due_at).max()
}

fn snooze_prefix(task: TaskId, due_at: Timestamp) -> String {
    format!("{}{}/until-", reminder_prefix(task), due_at.as_micros())
}

fn waiting(planned: &[Delivery]) -> impl Iterator<Item = &Delivery> {
    planned.iter().filter(|delivery| delivery.state == DeliveryState::Scheduled && !delivery.cancel_requested)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(snooze: Snooze, now: &str, zone: &str) -> String {
        snooze.until(now.parse().expect("a time"), &zone.parse().expect("a zone")).to_string()
    }

    #[test]
    fn an_hour_is_an_hour_also_when_clocks_change() {
        assert_eq!(until(Snooze::OneHour, "2026-10-25T00:30:00Z", "Europe/Berlin"), "2026-10-25T01:30:00.000000Z");
    }

    #[test]
    fn tomorrow_morning_is_nine_where_the_reader_is() {
        for (now, zone, expected) in [
            ("2026-11-23T08:30:00Z", "Europe/Berlin", "2026-11-24T08:00:00.000000Z"),
            ("2026-11-23T23:30:00Z", "Europe/Berlin", "2026-11-25T08:00:00.000000Z"),
            ("2026-11-23T23:30:00Z", "America/New_York", "2026-11-24T14:00:00.000000Z"),
            ("2026-10-24T10:00:00Z", "Europe/Berlin", "2026-10-25T08:00:00.000000Z"),
        ] {
            assert_eq!(until(Snooze::TomorrowMorning, now, zone), expected, "{now} {zone}");
        }
    }
}
