//! Made-up things for the samples of notices.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    Digest, Excerpt, Invitation, Invitee, Mailbox, Meeting, MeetingId, NewMeeting, NewTask, Participant, ParticipantId,
    StartsAt, Task, TaskId, TaskPriority, Timestamp, UserId, Zone,
};

pub(super) fn link() -> String {
    "https://tasks.example.org/sample".to_owned()
}

pub(super) fn problems() -> Vec<String> {
    vec!["The oldest email has been waiting for 14 minutes".to_owned()]
}

pub(super) fn open_tasks(now: Timestamp) -> Option<Digest> {
    Some(Digest {
        overdue: vec![Task {
            due_at: Some(now - Duration::from_hours(20)),
            ..task("Pay the invoice", TaskPriority::High, now, 0)?
        }]
        .into(),
        today: vec![task("Prepare the board meeting", TaskPriority::High, now, 5)?].into(),
        week: vec![
            task("Answer the customs office", TaskPriority::Medium, now, 30)?,
            task("Tidy up the shared folder", TaskPriority::Low, now, 150)?,
        ]
        .into(),
        later: Excerpt { items: Vec::new(), total: 3 },
        ..Digest::of(Zone::utc().wall_clock(now).at.date())
    })
}

/// A task that is due in so many hours.
pub(super) fn task(title: &str, priority: TaskPriority, now: Timestamp, hours: u64) -> Option<Task> {
    let due_at = Some(now + Duration::from_hours(hours));
    let new = NewTask { priority, due_at, ..NewTask::titled(title.parse().ok()?) };
    Task::new(TaskId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()), new, now).ok()
}

pub(super) fn invitation(now: Timestamp) -> Option<Box<Invitation>> {
    let id = MeetingId::from_uuid(Uuid::nil());
    let organizer = Mailbox { name: Some("Grace Hopper".to_owned()), address: "grace@example.org".parse().ok()? };
    let starts_at = StartsAt::Instant(now + Duration::from_hours(26));
    let new = NewMeeting {
        location: "Room 4, second floor".parse().ok(),
        meeting_url: "https://meet.example.org/quarterly".parse().ok(),
        description: "The figures of the last quarter, and what follows from them.".parse().ok(),
        ..NewMeeting::titled("Quarterly review".parse().ok()?, starts_at)
    };
    let meeting = Meeting::new(id, UserId::from_uuid(Uuid::nil()), organizer, &Zone::utc(), new, now).ok()?;
    let invitee = Invitee { name: "Ada Lovelace".parse().ok(), ..Invitee::new("ada@example.org".parse().ok()?) };
    let participant = Participant::invited(ParticipantId::from_uuid(Uuid::nil()), id, invitee, None);
    let respond_url = Some("https://tasks.example.org/r/sample".to_owned());
    Some(Box::new(Invitation { meeting, participant, respond_url }))
}
