//! Decides which reminders are due and when. Pure: state in, deliveries out.

use std::collections::HashSet;
use std::time::Duration;

use crate::notice::{MeetingReminderNotice, TaskDueNotice};
use crate::{
    DedupeKey, Meeting, MeetingDetails, MeetingResponse, Notice, Participant, ParticipantId, QuietHours, Recipient,
    ReminderMinutes, Task, Timestamp, Zone,
};

/// A reminder as a task asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReminder {
    /// The key that makes it unique: the task, its due time and the minutes before it.
    pub key: DedupeKey,
    /// The time at which it is due.
    pub due_at: Timestamp,
    /// The notice to send.
    pub notice: Notice,
}

/// Returns the reminder that an open task with a due time asks for.
#[must_use]
pub fn task_reminder(task: &Task) -> Option<TaskReminder> {
    let (due_at, minutes) = task.due_at.zip(task.reminder_minutes).filter(|_| task.is_open())?;
    Some(TaskReminder {
        key: DedupeKey::new(format!("task-due/{}/{}/{}", task.id, due_at.as_micros(), minutes.get())),
        due_at: due_at - minutes.duration(),
        notice: Notice::TaskDue(TaskDueNotice { task: task.id, due_at }),
    })
}

/// Time before the start of quiet hours at which a reminder is sent that would come too late after them.
const BEFORE_QUIET: Duration = Duration::from_mins(1);

/// Returns the time at which a reminder due at `due_at` is sent, for a task due at `task_due_at`. If both lie in quiet
/// hours, the reminder is sent before them, because after them it would be too late. Otherwise, or if the quiet hours
/// have begun by `now`, it is sent at `due_at`.
#[must_use]
pub(crate) fn leaves_at(
    due_at: Timestamp,
    task_due_at: Timestamp,
    quiet: Option<(QuietHours, &Zone)>,
    now: Timestamp,
) -> Timestamp {
    let around = quiet.and_then(|(quiet, zone)| quiet.around(zone, due_at));
    let before = around.filter(|(_, end)| task_due_at <= *end).map(|(begin, _)| begin - BEFORE_QUIET);
    before.filter(|before| *before > now).unwrap_or(due_at)
}

/// The effect of a change of a task on its reminder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskReminderPlan {
    /// No longer wanted.
    pub cancel: Option<DedupeKey>,
    /// Newly wanted. A minute that has passed already means at once, as long as the task is not due yet.
    pub deliver: Option<TaskReminder>,
}

/// Compares the reminder that a task asked for with the one that it asks for now.
#[must_use]
pub fn plan_task_reminder(before: Option<&Task>, after: &Task, now: Timestamp) -> TaskReminderPlan {
    let was = before.and_then(task_reminder);
    let is = task_reminder(after);
    if was == is {
        return TaskReminderPlan::default();
    }
    TaskReminderPlan { cancel: was.map(|was| was.key), deliver: is.filter(|_| after.due_at.is_some_and(|at| at > now)) }
}

/// A reminder as a participant of a meeting asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingReminder {
    /// The key that makes it unique: the meeting, its start, the participant and the minutes before the start.
    pub key: DedupeKey,
    /// The participant who is reminded.
    pub participant: ParticipantId,
    /// The recipient of the mail.
    pub recipient: Recipient,
    /// The time at which it is due.
    pub due_at: Timestamp,
    /// The notice to send.
    pub notice: Notice,
}

/// Returns the unique key of the reminder of a participant. SQL stores build the same key to find unplanned reminders.
#[must_use]
pub fn meeting_reminder_key(meeting: &Meeting, participant: ParticipantId, minutes: ReminderMinutes) -> DedupeKey {
    let starts_at = meeting.starts_at.as_micros();
    DedupeKey::new(format!("meeting-reminder/{}/{starts_at}/{participant}/{}", meeting.id, minutes.get()))
}

/// Returns the minutes before a meeting at which a participant wants to be reminded: none after they declined or left.
#[must_use]
pub fn reminder_minutes<'a>(meeting: &'a Meeting, participant: &'a Participant) -> &'a [ReminderMinutes] {
    match &participant.reminders {
        _ if !participant.is_in() || participant.response == MeetingResponse::Declined => &[],
        Some(own) => own.minutes(),
        None => std::slice::from_ref(&meeting.reminder_minutes),
    }
}

/// Returns every reminder that a meeting asks for, one per participant and offset; none if it is cancelled or was ended
/// early.
#[must_use]
pub fn meeting_reminders(MeetingDetails { meeting, participants }: &MeetingDetails) -> Vec<MeetingReminder> {
    if !meeting.is_on() {
        return Vec::new();
    }
    let of = |participant: &Participant| {
        let reminders = reminder_minutes(meeting, participant).iter().map(|minutes| MeetingReminder {
            key: meeting_reminder_key(meeting, participant.id, *minutes),
            participant: participant.id,
            recipient: participant.recipient(),
            due_at: meeting.starts_at - minutes.duration(),
            notice: Notice::MeetingReminder(MeetingReminderNotice {
                meeting: meeting.id,
                participant: participant.id,
                starts_at: meeting.starts_at,
                minutes: Some(minutes.get()),
                message: None,
            }),
        });
        reminders.collect::<Vec<_>>()
    };
    participants.iter().flat_map(of).collect()
}

/// The effect of a change of a meeting or of its participants on its reminders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingReminderPlan {
    /// No longer wanted.
    pub cancel: Vec<MeetingReminder>,
    /// Newly wanted. A minute that has passed already means at once, as long as the meeting has not begun.
    pub deliver: Vec<MeetingReminder>,
}

/// Compares the reminders that a meeting asked for with those that it asks for now.
#[must_use]
pub fn plan_meeting_reminders(
    before: Option<&MeetingDetails>,
    after: &MeetingDetails,
    now: Timestamp,
) -> MeetingReminderPlan {
    let was: Vec<_> = before.map(meeting_reminders).unwrap_or_default();
    let is = meeting_reminders(after);
    let asked: HashSet<_> = was.iter().map(|reminder| &reminder.key).collect();
    let asks: HashSet<_> = is.iter().map(|reminder| &reminder.key).collect();
    let cancel = was.iter().filter(|reminder| !asks.contains(&reminder.key)).cloned().collect();
    let lies_ahead = after.meeting.starts_at > now;
    let deliver = is.iter().filter(|reminder| lies_ahead && !asked.contains(&reminder.key)).cloned().collect();
    MeetingReminderPlan { cancel, deliver }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewTask, ReminderMinutes, TaskChange, TaskId, UserId};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn task() -> Task {
        let new = NewTask {
            due_at: Some(at("2026-05-01T10:00:00Z")),
            reminder_minutes: Some(ReminderMinutes::new(15).expect("fits")),
            ..NewTask::titled("x".parse().expect("a title"))
        };
        let id = uuid::Uuid::nil();
        Task::new(TaskId::from_uuid(id), UserId::from_uuid(id), new, at("2026-04-01T00:00:00Z")).expect("a task")
    }

    #[test]
    fn the_reminder_leaves_its_minutes_before_the_task_is_due() {
        let plan = plan_task_reminder(None, &task(), at("2026-04-01T00:00:00Z"));
        assert_eq!(plan.cancel, None);
        assert_eq!(plan.deliver.expect("a reminder").due_at, at("2026-05-01T09:45:00Z"));
    }

    #[test]
    fn what_would_come_too_late_after_quiet_hours_leaves_before_them() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let night = QuietHours::new("22:00".parse().expect("a minute"), "07:00".parse().expect("a minute"));
        let night = night.expect("quiet hours");
        let leaves = |due: &str, task: &str, now: &str| {
            leaves_at(at(due), at(task), Some((night, &berlin)), at(now)).to_string()[..16].to_owned()
        };
        let noon = "2026-05-01T10:00:00Z";
        // In summer the night lasts from 20:00 to 05:00 in UTC.
        assert_eq!(leaves("2026-05-01T23:45:00Z", "2026-05-02T00:00:00Z", noon), "2026-05-01T19:59");
        assert_eq!(leaves("2026-05-02T04:45:00Z", "2026-05-02T05:00:00Z", noon), "2026-05-01T19:59");
        assert_eq!(leaves("2026-05-01T20:00:00Z", "2026-05-01T20:00:00Z", noon), "2026-05-01T19:59");
        // It is of use afterwards, or leaves before in any case.
        assert_eq!(leaves("2026-05-02T04:45:00Z", "2026-05-02T05:00:01Z", noon), "2026-05-02T04:45");
        assert_eq!(leaves("2026-05-01T19:45:00Z", "2026-05-01T23:00:00Z", noon), "2026-05-01T19:45");
        // It is night already.
        assert_eq!(leaves("2026-05-01T23:45:00Z", "2026-05-02T00:00:00Z", "2026-05-01T21:00:00Z"), "2026-05-01T23:45");
        let noon = at(noon);
        assert_eq!(leaves_at(noon, noon, None, noon), noon);
    }

    #[test]
    fn a_passed_minute_means_at_once_unless_the_task_is_due_already() {
        assert!(plan_task_reminder(None, &task(), at("2026-05-01T09:59:59Z")).deliver.is_some());
        assert!(plan_task_reminder(None, &task(), at("2026-05-01T10:00:00Z")).deliver.is_none());
    }

    #[test]
    fn moving_cancels_the_old_reminder_and_moving_back_asks_for_the_same_again() {
        let now = at("2026-04-01T00:00:00Z");
        let moved = TaskChange { due_at: Some(Some(at("2026-06-01T10:00:00Z"))), ..TaskChange::default() };
        let after = task().apply(moved, now).expect("legal");
        let plan = plan_task_reminder(Some(&task()), &after, now);
        let first = task_reminder(&task()).expect("a reminder").key;
        assert_eq!(plan.cancel, Some(first.clone()));
        let back = plan_task_reminder(Some(&after), &task(), now);
        assert_eq!(back.deliver.expect("a reminder").key, first);
    }

    #[test]
    fn done_and_trashed_tasks_ask_for_nothing() {
        let now = at("2026-04-01T00:00:00Z");
        for after in [task().complete(now).expect("legal"), task().trash(now)] {
            let plan = plan_task_reminder(Some(&task()), &after, now);
            assert!(plan.cancel.is_some() && plan.deliver.is_none());
        }
    }

    #[test]
    fn what_does_not_touch_the_reminder_leaves_it_alone() {
        let now = at("2026-04-01T00:00:00Z");
        let renamed = TaskChange { title: Some("y".parse().expect("a title")), ..TaskChange::default() };
        let after = task().apply(renamed, now).expect("legal");
        assert_eq!(plan_task_reminder(Some(&task()), &after, now), TaskReminderPlan::default());
    }
}
