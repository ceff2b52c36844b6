use super::*;

const NOW: Timestamp = Timestamp::MIN;

fn later() -> Timestamp {
    NOW + std::time::Duration::from_secs(5)
}

fn task(new: NewTask) -> Result<Task, FieldError> {
    let id = TaskId::from_uuid(uuid::Uuid::nil());
    Task::new(id, UserId::from_uuid(uuid::Uuid::nil()), new, NOW)
}

fn plain() -> Task {
    task(NewTask::titled("x".parse().expect("a title"))).expect("a task")
}

#[test]
fn completed_at_is_set_exactly_while_completed() {
    let done = plain().complete(later()).expect("legal");
    assert_eq!((done.completed_at, done.version), (Some(later()), 2));
    let again = done.complete(Timestamp::MAX).expect("legal");
    assert_eq!(again, done);
    let reopened = done.apply(TaskChange { status: Some(TaskStatus::Pending), ..TaskChange::default() }, later());
    assert_eq!(reopened.expect("legal").completed_at, None);
}

#[test]
fn a_reminder_needs_a_due_time_and_leaves_with_it() {
    let minutes = ReminderMinutes::new(5).expect("fits");
    let lone = NewTask { reminder_minutes: Some(minutes), ..NewTask::titled("x".parse().expect("a title")) };
    assert_eq!(task(lone.clone()).expect_err("nothing to remind of").field, "reminder_minutes");
    let both = task(NewTask { due_at: Some(later()), ..lone }).expect("a task");
    let cleared = both.apply(TaskChange { due_at: Some(None), ..TaskChange::default() }, later()).expect("legal");
    assert_eq!((cleared.due_at, cleared.reminder_minutes), (None, None));
}

#[test]
fn a_day_is_due_until_it_is_over_where_its_owner_lives() {
    let (berlin, utc): (Zone, Zone) = ("Europe/Berlin".parse().expect("a zone"), Zone::utc());
    let day: NaiveDate = "2026-11-30".parse().expect("a date");
    let new = NewTask { due_on: Some(day), ..NewTask::titled("x".parse().expect("a title")) };
    assert_eq!(task(new.clone()).expect_err("no zone").field, "due_on");
    let due = task(new.clone().resolved(&berlin).expect("a day")).expect("a task");
    let midnight: Timestamp = "2026-11-30T23:00:00Z".parse().expect("a time");
    assert_eq!((due.due_on, due.due_at), (Some(day), Some(midnight - Duration::from_micros(1))));
    assert!(due.is_overdue(midnight) && !due.is_overdue(midnight - Duration::from_secs(1)));
    let moved = due.in_zone(&utc, later());
    assert_eq!((moved.due_on, moved.version), (Some(day), 2));
    assert_eq!(moved.due_at, Some(midnight + Duration::from_hours(1) - Duration::from_micros(1)));
    assert_eq!(plain().in_zone(&utc, later()), plain());
    let both = NewTask { due_at: Some(NOW), ..new };
    assert_eq!(both.resolved(&utc).expect_err("both").field, "due_on");
}

#[test]
fn a_day_and_a_time_take_each_others_place() {
    let (utc, day) = (Zone::utc(), "2026-11-30".parse::<NaiveDate>().expect("a date"));
    let apply = |task: &Task, due_on, due_at| {
        let change = TaskChange { due_on, due_at, ..TaskChange::default() }.resolved(&utc).expect("one of them");
        let after = task.apply(change, later()).expect("legal");
        (after.due_on, after.due_at.is_some(), after)
    };
    let (on, at, due) = apply(&plain(), Some(Some(day)), Some(None));
    assert_eq!((on, at), (Some(day), true));
    let (on, at, timed) = apply(&due, None, Some(Some(later())));
    assert_eq!((on, at), (None, true));
    assert!(apply(&timed, Some(None), None).1, "there was no day to clear");
    assert_eq!((apply(&due, Some(None), None).0, apply(&due, Some(None), None).1), (None, false));
    assert_eq!((apply(&due, None, Some(None)).0, apply(&due, None, Some(None)).1), (None, false));
    assert_eq!(apply(&due, None, None).2, due);
    let both = TaskChange { due_on: Some(Some(day)), due_at: Some(Some(NOW)), ..TaskChange::default() };
    assert!(both.resolved(&utc).is_err());
}

#[test]
fn trash_and_back_leaves_everything_but_the_version() {
    let trashed = plain().trash(later());
    assert!(!trashed.is_open());
    let back = trashed.restore(later());
    assert_eq!(Task { version: 1, updated_at: NOW, ..back }, plain());
}

#[test]
fn only_open_tasks_are_overdue() {
    let due = task(NewTask { due_at: Some(NOW), ..NewTask::titled("x".parse().expect("a title")) }).expect("a task");
    assert!(due.is_overdue(later()) && !due.is_overdue(NOW));
    assert!(!due.complete(later()).expect("legal").is_overdue(later()));
}

#[test]
fn words_and_ranks_round_trip() {
    for status in TaskStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(status));
    }
    for priority in TaskPriority::ALL {
        assert_eq!(priority.as_str().parse(), Ok(priority));
        assert_eq!(TaskPriority::from_rank(priority.rank()), Some(priority));
    }
    assert_eq!(TaskPriority::from_rank(0), None);
}
