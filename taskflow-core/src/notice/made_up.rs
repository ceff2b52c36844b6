//! Made-up things for the samples of notices.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    Digest, Excerpt, Invitation, Invitee, Mailbox, Meeting, MeetingId, NewMeeting, NewTask, Participant, ParticipantId,
    StartsAt, Task, TaskId, TaskPriority, Timestamp, UserId, Zone,
};

/// Makes up the content of samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MadeUp<'a> {
    /// The present of the sample.
    pub(crate) now: Timestamp,
    /// The text that stands for all user input.
    pub(crate) typed: Option<&'a str>,
}

impl<'a> MadeUp<'a> {
    /// Returns a text as a user typed it.
    pub(super) fn text(self, usual: &'a str) -> &'a str {
        self.typed.unwrap_or(usual)
    }

    /// Returns the text before a user changed it.
    pub(super) fn earlier_text(self, usual: &str) -> String {
        self.typed.map_or_else(|| usual.to_owned(), |typed| format!("{typed}!"))
    }

    /// Returns an address of the service.
    pub(super) fn link(self) -> String {
        "https://tasks.example.org/sample".to_owned()
    }

    /// Returns the problems of a service.
    pub(super) fn problems(self) -> Vec<String> {
        vec![self.text("The oldest email has been waiting for 14 minutes").to_owned()]
    }

    /// Returns the open tasks of a user.
    pub(super) fn open_tasks(self) -> Option<Digest> {
        let now = self.now;
        let overdue = Task {
            due_at: Some(now - Duration::from_hours(20)),
            ..self.task("Pay the invoice", TaskPriority::High, 0)?
        };
        Some(Digest {
            overdue: self.excerpt(vec![overdue]),
            today: self.excerpt(vec![self.task("Prepare the board meeting", TaskPriority::High, 5)?]),
            week: self.excerpt(vec![
                self.task("Answer the customs office", TaskPriority::Medium, 30)?,
                self.task("Tidy up the shared folder", TaskPriority::Low, 150)?,
            ]),
            later: Excerpt { items: Vec::new(), total: 3 + self.hidden() },
            ..Digest::of(Zone::utc().wall_clock(now).at.date())
        })
    }

    /// Returns a list; one of user input is longer than what it shows.
    pub(super) fn excerpt<T>(self, items: Vec<T>) -> Excerpt<T> {
        let all = Excerpt::from(items);
        Excerpt { total: all.total + self.hidden(), ..all }
    }

    /// Returns how many things of a list are not shown.
    fn hidden(self) -> u64 {
        if self.typed.is_some() { 7 } else { 0 }
    }

    /// Returns a task that is due in so many hours.
    pub(super) fn task(self, title: &str, priority: TaskPriority, hours: u64) -> Option<Task> {
        let due_at = Some(self.now + Duration::from_hours(hours));
        let title = self.typed.unwrap_or(title).parse().ok()?;
        let description = self.typed.and_then(|typed| typed.parse().ok());
        let new = NewTask { description, priority, due_at, ..NewTask::titled(title) };
        Task::new(TaskId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()), new, self.now).ok()
    }

    /// Returns the invitation of a guest.
    pub(super) fn invitation(self) -> Option<Invitation> {
        let id = MeetingId::from_uuid(Uuid::nil());
        let organizer =
            Mailbox { name: Some(self.text("Grace Hopper").to_owned()), address: "grace@example.org".parse().ok()? };
        let starts_at = StartsAt::Instant(self.now + Duration::from_hours(26));
        let description = self.text("The figures of the last quarter, and what follows from them.");
        let new = NewMeeting {
            location: self.text("Room 4, second floor").parse().ok(),
            meeting_url: "https://meet.example.org/quarterly".parse().ok(),
            description: description.parse().ok(),
            ..NewMeeting::titled(self.text("Quarterly review").parse().ok()?, starts_at)
        };
        let owner = UserId::from_uuid(Uuid::nil());
        let meeting = Meeting::new(id, owner, organizer, &Zone::utc(), new, self.now).ok()?;
        let name = self.text("Ada Lovelace").parse().ok();
        let invitee = Invitee { name, ..Invitee::new("ada@example.org".parse().ok()?) };
        let participant = Participant::invited(ParticipantId::from_uuid(Uuid::nil()), id, invitee, None);
        let respond_url = Some("https://tasks.example.org/r/sample".to_owned());
        Some(Invitation { meeting, participant, respond_url })
    }
}
