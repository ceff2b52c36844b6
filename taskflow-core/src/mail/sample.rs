//! Made-up content for every kind of notice, to see what its mail looks like.

use std::time::Duration;

use uuid::Uuid;

use super::{Invitation, NoticeContent};
use crate::{
    CustomEmail, Digest, Excerpt, Mailbox, Meeting, MeetingFacts, MeetingId, NewMeeting, NewTask, NoticeKind,
    Participant, ParticipantId, ProblemArea, StartsAt, Task, TaskId, TaskPriority, TaskStatus, Timestamp, UserId, Zone,
};

impl NoticeContent {
    /// A topic of that kind as of `now`; the same for the same instant. `None` where there is nothing to make up.
    #[must_use]
    pub fn sample(kind: NoticeKind, now: Timestamp) -> Option<Self> {
        let link = "https://tasks.example.org/sample".to_owned();
        let invitation = || Some(Box::new(invitation(now)?));
        let problems = || vec!["The oldest email has been waiting for 14 minutes".to_owned()];
        Some(match kind {
            NoticeKind::Welcome => Self::Welcome { verify_url: Some(link) },
            NoticeKind::VerifyEmail => Self::VerifyEmail { url: link, expires_at: now + Duration::from_hours(168) },
            NoticeKind::PasswordReset => Self::PasswordReset { url: link, expires_at: now + Duration::from_hours(1) },
            NoticeKind::PasswordChanged => Self::PasswordChanged { at: now },
            NoticeKind::TaskStatus => {
                let task = task("Send the quarterly report", TaskPriority::High, now, 2)?.complete(now).ok()?;
                Self::TaskStatus { task, was: TaskStatus::InProgress, is: TaskStatus::Completed }
            }
            NoticeKind::TaskReminder => Self::TaskReminder(Box::new(open(now)?)),
            NoticeKind::DailySummary => Self::DailySummary(Box::new(Digest {
                done: vec![task("Book the train", TaskPriority::Low, now, 0)?].into(),
                meetings: vec![invitation()?.meeting].into(),
                ..open(now)?
            })),
            NoticeKind::ServerAlert => {
                Self::ServerAlert { since: now, problems: problems(), areas: vec![ProblemArea::MailQueue] }
            }
            NoticeKind::ServerRecovery => {
                Self::ServerRecovery { since: now - Duration::from_mins(25), until: now, problems: problems() }
            }
            NoticeKind::TaskDue => {
                let due_at = now + Duration::from_mins(15);
                let task = Task { due_at: Some(due_at), ..task("Water the plants", TaskPriority::Medium, now, 1)? };
                Self::TaskDue { task, due_at, others: Vec::new() }
            }
            NoticeKind::MeetingInvite => Self::MeetingInvite(invitation()?),
            NoticeKind::MeetingChange => {
                let invitation = invitation()?;
                let facts = invitation.meeting.facts();
                let starts_at = facts.starts_at - Duration::from_hours(2);
                let was = MeetingFacts { starts_at, location: Some("Room 2".to_owned()), ..facts };
                Self::MeetingChange { invitation, was }
            }
            NoticeKind::MeetingCancel => {
                let mut invitation = invitation()?;
                invitation.meeting = invitation.meeting.cancel(now);
                Self::MeetingCancel(invitation)
            }
            NoticeKind::MeetingReminder => {
                let message = Some("Please bring your figures.".to_owned());
                Self::MeetingReminder { invitation: invitation()?, message }
            }
            NoticeKind::MeetingLeft => Self::MeetingLeft(invitation()?),
            NoticeKind::MeetingProposal => {
                let mut invitation = invitation()?;
                let starts_at = Some(invitation.meeting.starts_at + Duration::from_hours(2));
                invitation.participant.comment = "Could we meet a little later?".parse().ok();
                Self::MeetingProposal { invitation, starts_at }
            }
            NoticeKind::MeetingUndelivered => {
                let mut invitation = invitation()?;
                invitation.participant.delivery_problem = "550 5.1.1 no such user".parse().ok();
                Self::MeetingUndelivered(invitation)
            }
            NoticeKind::Letter => Self::Letter(Box::new(CustomEmail {
                subject: "News of the week".to_owned(),
                text: Some("Good morning,\n\nthere is news.\n".to_owned()),
                html: None,
                to: vec!["ada@example.org".to_owned()],
                cc: Vec::new(),
                reply_to: None,
            })),
            NoticeKind::Sample => return None,
        })
    }
}

fn open(now: Timestamp) -> Option<Digest> {
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

fn task(title: &str, priority: TaskPriority, now: Timestamp, hours: u64) -> Option<Task> {
    let due_at = Some(now + Duration::from_hours(hours));
    let new = NewTask { priority, due_at, ..NewTask::titled(title.parse().ok()?) };
    Task::new(TaskId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()), new, now).ok()
}

fn invitation(now: Timestamp) -> Option<Invitation> {
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
    let invitee =
        crate::Invitee { name: "Ada Lovelace".parse().ok(), ..crate::Invitee::new("ada@example.org".parse().ok()?) };
    let participant = Participant::invited(ParticipantId::from_uuid(Uuid::nil()), id, invitee, None);
    Some(Invitation { meeting, participant, respond_url: Some("https://tasks.example.org/r/sample".to_owned()) })
}
