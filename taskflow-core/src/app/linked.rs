//! Pages behind signed links in mail: a task, a meeting, a day or an account, shown and changed without signing in.
//!
//! Showing a page never changes anything, because mail scanners follow links before readers do.

mod language;

use super::App;
use crate::error::Error;
use crate::ports::{CalendarEntry, DigestQuery, Link, LinkPurpose};
use crate::snooze::{SnoozePlan, plan_snooze, plan_unsnooze, reminder_prefix, snoozed_until};
use crate::{
    Actor, CalendarMethod, CalendarPart, Changes, Day, DeliveryWrite, Digest, Locale, MailLinks, Meeting, MeetingFacts,
    MeetingResponse, Participant, ParticipantId, Precondition, Recipient, Snooze, Task, TaskAction, TaskChange, TaskId,
    TaskLinks, TaskStatus, Timestamp, TokenPurpose, User, UserId, Viewer, Zone,
};

/// The reason a link cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLink {
    /// The link was not made here: it is incomplete, or signed with a key that is no longer known.
    Unknown,
    /// The link has expired.
    Expired,
    /// The link was used, or replaced by a newer one.
    Used,
    /// Its subject was deleted, or its reader's account was deleted or locked.
    Gone,
    /// Its reader is no longer a participant of the meeting.
    Removed,
}

/// The reason a page behind a link cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The link leads nowhere.
    #[error("the link leads nowhere: {0:?}")]
    Dead(DeadLink),
    /// The requested operation failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<crate::StoreError> for LinkError {
    fn from(error: crate::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A task behind a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedTask {
    /// The task as it is now.
    pub task: Task,
    /// The action that the link offers first.
    pub action: TaskAction,
    /// The time at which a postponed reminder is sent, if one waits.
    pub snoozed_until: Option<Timestamp>,
    /// The language of the owner.
    pub locale: Locale,
    /// The zone of the owner.
    pub time_zone: Zone,
}

/// The amount of detail about participants that a reader sees behind a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantsShown {
    /// Names, addresses, responses and comments: to the organizer.
    Everything,
    /// Names and responses: to users with an account.
    Answers,
    /// Only the number of participants per response: to guests, who do not learn who else is invited.
    Counts,
}

/// A meeting behind a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedMeeting {
    /// The meeting as it is now.
    pub meeting: Meeting,
    /// The reader.
    pub participant: Participant,
    /// All participants of the meeting.
    pub participants: Vec<Participant>,
    /// The detail about participants that the reader may see.
    pub shown: ParticipantsShown,
    /// The response that the link offers first.
    pub chosen: Option<MeetingResponse>,
    /// The meeting as the mail showed it, if its time or place has changed since.
    pub was: Option<MeetingFacts>,
    /// The language of the reader.
    pub locale: Locale,
    /// The zone of the reader.
    pub time_zone: Zone,
}

/// A day behind a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedDay {
    /// The user whose day it is.
    pub user: User,
    /// The content of the day, as of now.
    pub digest: Digest,
    /// Links to its tasks and meetings.
    pub links: MailLinks,
}

use_cases! {
    /// Use cases of links in mail, which work without signing in.
    LinkUseCases,
    /// Returns the use cases of links in mail.
    links
}

impl LinkUseCases<'_> {
    /// Returns the task behind a link.
    pub async fn task(self, token: &str) -> Result<LinkedTask, LinkError> {
        let link = self.app.opened(token, TaskAction::ALL.map(LinkPurpose::Task))?;
        let LinkPurpose::Task(action) = link.purpose else { return Err(LinkError::Dead(DeadLink::Unknown)) };
        let id = TaskId::from_uuid(link.id);
        let found = self.app.store.tasks_by_id(&[id], Viewer::Service).await?.remove(&id);
        let task = found.transpose().map_err(|bad| Error::Internal(bad.into()))?;
        let task = task.filter(|task| task.deleted_at.is_none()).ok_or(LinkError::Dead(DeadLink::Gone))?;
        let owner = self.app.active_user(task.user_id).await?;
        let planned = self.app.store.deliveries_with_key(&reminder_prefix(task.id), REMINDERS_OF_A_TASK).await?;
        let snoozed_until = snoozed_until(&task, &planned);
        Ok(LinkedTask { task, action, snoozed_until, locale: owner.locale, time_zone: owner.time_zone })
    }

    /// Completes the task behind a link; one that is completed stays as it is.
    pub async fn complete(self, token: &str) -> Result<LinkedTask, LinkError> {
        let LinkedTask { task, .. } = self.task(token).await?;
        self.app.tasks().complete(Actor::User(task.user_id), task.id).await?;
        self.task(token).await
    }

    /// Opens the completed task behind a link again, with the status it had.
    pub async fn reopen(self, token: &str, status: TaskStatus) -> Result<LinkedTask, LinkError> {
        let LinkedTask { task, .. } = self.task(token).await?;
        if task.status == TaskStatus::Completed {
            let change = TaskChange { status: Some(status), ..TaskChange::default() };
            self.app.tasks().update(Actor::User(task.user_id), task.id, change, Precondition::Any).await?;
        }
        self.task(token).await
    }

    /// Postpones the reminder of the task behind a link; its due time stays. Of several postponements the last one counts.
    /// Leaves a task alone that is completed or has no due time.
    pub async fn snooze(self, token: &str, snooze: Snooze) -> Result<LinkedTask, LinkError> {
        let LinkedTask { task, time_zone, .. } = self.task(token).await?;
        let now = self.app.clock.now();
        let planned = self.app.store.deliveries_with_key(&reminder_prefix(task.id), REMINDERS_OF_A_TASK).await?;
        let plan = plan_snooze(&task, &planned, snooze.until(now, &time_zone), now);
        self.app.replan(&task, plan, "the reminder was postponed", now).await?;
        self.task(token).await
    }

    /// Undoes the postponement: the reminder is sent when the task asks for it, if that lies ahead.
    pub async fn unsnooze(self, token: &str) -> Result<LinkedTask, LinkError> {
        let LinkedTask { task, .. } = self.task(token).await?;
        let now = self.app.clock.now();
        let planned = self.app.store.deliveries_with_key(&reminder_prefix(task.id), REMINDERS_OF_A_TASK).await?;
        let plan = plan_unsnooze(&task, &planned, now);
        self.app.replan(&task, plan, "the reminder is no longer postponed", now).await?;
        self.task(token).await
    }

    /// Returns the meeting behind a link.
    pub async fn meeting(self, token: &str) -> Result<LinkedMeeting, LinkError> {
        let link = self.app.opened(token, meeting_purposes())?;
        let gone = || LinkError::Dead(DeadLink::Gone);
        let (meeting_id, chosen) = match link.purpose {
            LinkPurpose::OpenMeeting => (crate::MeetingId::from_uuid(link.id), None),
            purpose => {
                let participant =
                    self.app.participant_by_id(ParticipantId::from_uuid(link.id)).await?.ok_or_else(gone)?;
                let chosen = if let LinkPurpose::RespondWith(answer) = purpose { Some(answer) } else { None };
                (participant.meeting_id, chosen)
            }
        };
        let details = match self.app.meeting_details(Viewer::Service, meeting_id).await {
            Err(Error::NotFound(_)) => return Err(gone()),
            details => details?,
        };
        let reader = match link.purpose {
            LinkPurpose::OpenMeeting => details.participants.iter().find(|one| one.is_organizer()),
            _ => details.participants.iter().find(|one| one.id.as_uuid() == link.id).and_then(|one| {
                // Whoever turned out to be somebody else in the meeting answers as them.
                let same = one.merged_into.and_then(|same| details.participants.iter().find(|one| one.id == same));
                same.or(Some(one))
            }),
        };
        let participant = reader.cloned().ok_or_else(gone)?;
        if !participant.is_in() {
            return Err(LinkError::Dead(DeadLink::Removed));
        }
        let (locale, time_zone) = self.app.reads(&details.meeting, &participant).await?;
        let shown = match participant.user_id {
            _ if participant.is_organizer() => ParticipantsShown::Everything,
            Some(_) => ParticipantsShown::Answers,
            None => ParticipantsShown::Counts,
        };
        let was = match link.version {
            Some(version) => self.app.revision(meeting_id, version).await?.map(|revision| revision.facts),
            None => None,
        };
        let was = was.filter(|was| !was.same_time_and_place(&details.meeting.facts()));
        let participants = details.participants.into_iter().filter(Participant::is_in).collect();
        Ok(LinkedMeeting { meeting: details.meeting, participant, participants, shown, chosen, was, locale, time_zone })
    }

    /// Returns the meeting behind a link as a calendar object.
    pub async fn calendar(self, token: &str) -> Result<CalendarPart, LinkError> {
        let LinkedMeeting { meeting, mut participant, .. } = self.meeting(token).await?;
        self.app.name_by_present_address(&mut participant).await?;
        let calendar = self.app.calendar.as_ref().ok_or(LinkError::Dead(DeadLink::Gone))?;
        let method = CalendarMethod::Publish;
        let attendees = std::slice::from_ref(&participant);
        Ok(calendar.write(&CalendarEntry { method, meeting: &meeting, attendees }))
    }

    /// Returns today's digest for the reader behind a link.
    pub async fn day(self, token: &str) -> Result<LinkedDay, LinkError> {
        let link = self.app.opened(token, [LinkPurpose::OpenDay])?;
        let user = self.app.active_user(UserId::from_uuid(link.id)).await?;
        let now = self.app.clock.now();
        let date = user.time_zone.wall_clock(now).at.date();
        let day = Day::of(date, &user.time_zone);
        let query = DigestQuery { user_id: user.id, date, now, day, whole: true };
        let found = self.app.cohort_scan_port()?.digests(&[query]).await?.pop();
        let digest = found.ok_or(LinkError::Dead(DeadLink::Gone))?.map_err(|bad| Error::Internal(bad.into()))?;
        let attending = self.app.attending([&digest]).await?;
        let Some(links) = self.app.links.as_ref() else { return Err(LinkError::Dead(DeadLink::Unknown)) };
        let meetings = digest.meetings.items.iter().filter_map(|meeting| {
            let participant = attending.get(&(meeting.id, user.id))?;
            Some((meeting.id, links.url(&super::delivery::respond_link(meeting, participant))))
        });
        let meetings = meetings.collect();
        // Links that were followed lead no further than the one that led here.
        let tasks = digest.tasks().into_iter().map(|task| {
            let url = |action| {
                links.url(&Link {
                    purpose: LinkPurpose::Task(action),
                    id: task.id.as_uuid(),
                    expires_at: link.expires_at,
                    version: None,
                })
            };
            (task.id, TaskLinks::to_open(url))
        });
        let links = MailLinks { tasks: tasks.collect(), meetings, ..MailLinks::default() };
        Ok(LinkedDay { user, digest, links })
    }

    /// Returns the account that a link to verify an address or to set a password is about, as long as the link is
    /// valid.
    ///
    /// A link that verifies an address which is verified already is good.
    pub async fn account(self, purpose: TokenPurpose, token: &str) -> Result<User, LinkError> {
        let opened = self.app.opened(token, [super::verification::link_purpose(purpose)]);
        let found = match self.app.behind_link(purpose, token).await {
            Err(Error::NotFound(_)) => None,
            found => Some(found?),
        };
        match (opened, found) {
            (_, Some((_, user))) if purpose == TokenPurpose::VerifyEmail && user.email_verified => Ok(user),
            (Err(dead), _) => Err(dead),
            (Ok(_), Some((token, user))) if token.is_good(self.app.clock.now()) => Ok(user),
            (Ok(_), _) => Err(LinkError::Dead(DeadLink::Used)),
        }
    }
}

impl App {
    async fn replan(&self, task: &Task, plan: SnoozePlan, reason: &str, now: Timestamp) -> Result<(), LinkError> {
        let cancelled =
            plan.cancel.into_iter().map(|key| DeliveryWrite::Cancel { key, reason: reason.to_owned(), at: now });
        let changes = cancelled.fold(Changes::new(), Changes::write);
        let changes = changes.deliver(plan.deliver.map(|reminder| {
            self.new_delivery(reminder.key, reminder.notice, Recipient::User(task.user_id), now)
                .due(reminder.due_at)
                .because(reason)
                .caused_by(task.user_id)
        }));
        Ok(self.commit(&changes).await?)
    }

    /// Returns the language and zone of a participant: those of their account, otherwise those given for the guest,
    /// otherwise the organizer's.
    async fn reads(&self, meeting: &Meeting, participant: &Participant) -> Result<(Locale, Zone), Error> {
        let account = match participant.user_id.or(meeting.created_by) {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        if let Some(user) = account.as_ref().filter(|_| participant.user_id.is_some()) {
            return Ok((user.locale.clone(), user.time_zone.clone()));
        }
        let locale = participant.locale.clone().or(account.map(|user| user.locale)).unwrap_or_else(Locale::en);
        Ok((locale, participant.time_zone.clone().unwrap_or_else(|| meeting.time_zone.clone())))
    }

    /// Returns the language and zone of a participant without an account.
    pub(super) async fn guest_reads(&self, guest: &Participant) -> Result<(Locale, Zone), Error> {
        let found = self.store.meetings_by_id(&[guest.meeting_id], Viewer::Service).await?.remove(&guest.meeting_id);
        let meeting = found.ok_or(Error::NotFound("meeting"))?.map_err(|bad| Error::Internal(bad.into()))?;
        self.reads(&meeting, guest).await
    }

    async fn active_user(&self, id: UserId) -> Result<User, LinkError> {
        let user = self.store.user(id).await?;
        user.filter(|user| user.is_active).ok_or(LinkError::Dead(DeadLink::Gone))
    }

    async fn participant_by_id(&self, id: ParticipantId) -> Result<Option<Participant>, LinkError> {
        let found = self.store.participants_by_id(&[id]).await?.remove(&id);
        Ok(found.transpose().map_err(|bad| Error::Internal(bad.into()))?)
    }

    /// Returns the content of a signed link, if its purpose is one of `purposes` and it has not expired.
    fn opened(&self, token: &str, purposes: impl IntoIterator<Item = LinkPurpose>) -> Result<Link, LinkError> {
        let links = self.links.as_ref().ok_or(LinkError::Dead(DeadLink::Unknown))?;
        self.ensure_clock()?;
        let link = purposes.into_iter().find_map(|purpose| links.open(purpose, token));
        let link = link.ok_or(LinkError::Dead(DeadLink::Unknown))?;
        if link.expires_at <= self.clock.now() {
            return Err(LinkError::Dead(DeadLink::Expired));
        }
        Ok(link)
    }
}

/// More reminders than a task ever has.
const REMINDERS_OF_A_TASK: u32 = 1_000;

/// Returns the purposes of links to a meeting.
fn meeting_purposes() -> impl Iterator<Item = LinkPurpose> {
    let answers = MeetingResponse::ALL.into_iter().map(LinkPurpose::RespondWith);
    [LinkPurpose::Respond, LinkPurpose::OpenMeeting].into_iter().chain(answers)
}
