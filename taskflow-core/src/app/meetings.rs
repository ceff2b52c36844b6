//! Meetings: call, look, change, cancel and restore.

mod answers;
mod changes;
mod merges;
mod people;
mod problems;
mod quotas;
mod reminders;
mod repair;

pub use answers::{LinkedInvitation, ReplyTaken};
pub use people::ParticipantUseCases;
pub use reminders::Reminded;
pub use repair::RepairReport;

use std::collections::HashMap;

use super::App;
use super::retry::Attempt;
use crate::error::{Error, FieldError};
use crate::meeting::{MeetingDetails, keep_what_stands, versions_in_question};
use crate::ports::{CalendarEntry, Lookup};
use crate::{
    Actor, CalendarMethod, CalendarPart, Idempotency, Idempotent, Mailbox, Meeting, MeetingChange, MeetingId,
    MeetingQuery, NewMeeting, Page, Participant, ParticipantId, Precondition, Scope, Timestamp, User, Viewer,
};

use_cases! {
    /// Use cases of meetings: the organizer calls, changes and cancels them, and everybody who takes part reads them and chooses reminders.
    MeetingUseCases,
    /// Returns the use cases of meetings.
    meetings
}

impl MeetingUseCases<'_> {
    /// Creates a meeting: invites everybody and plans their reminders, in one commit.
    ///
    /// An invitee whose address is the verified address of an account becomes a participant with an account, any other
    /// a guest. At most [`MOST_PARTICIPANTS`](App::MOST_PARTICIPANTS).
    pub async fn create(self, actor: Actor, new: NewMeeting) -> Result<MeetingDetails, Error> {
        self.app.new_meeting(actor.scope()?, new, None).await
    }

    /// Calls a meeting once, however often the request is repeated.
    pub async fn create_once(
        self,
        actor: Actor,
        new: NewMeeting,
        idempotency: Idempotency<'_, MeetingDetails>,
    ) -> Result<Idempotent<MeetingDetails>, Error> {
        let scope = actor.scope()?;
        let idempotency = Some(&idempotency);
        self.app.idempotent(scope.person(), idempotency, self.app.new_meeting(scope, new, idempotency)).await
    }

    /// Returns a meeting in which the actor participates, with its participants; also a cancelled one.
    pub async fn get(self, actor: Actor, id: MeetingId) -> Result<MeetingDetails, Error> {
        let details = self.app.meeting_details(Viewer::Person(actor.scope()?.reading()), id).await?;
        Ok(active_participants(details))
    }

    /// Returns a page of the meetings in which the actor participates, with their participants.
    pub async fn list(self, actor: Actor, query: &MeetingQuery) -> Result<Page<MeetingDetails>, Error> {
        let page = self.app.store.meetings(actor.scope()?.reading(), query, self.app.clock.now()).await?;
        let ids: Vec<_> = page.items.iter().map(|meeting| meeting.id).collect();
        let mut people: HashMap<MeetingId, Vec<Participant>> = HashMap::new();
        if !ids.is_empty() {
            for participant in self.app.store.participants(&ids).await? {
                people.entry(participant.meeting_id).or_default().push(participant);
            }
        }
        let with_people = |meeting: Meeting| {
            let participants = people.remove(&meeting.id).unwrap_or_default();
            active_participants(MeetingDetails { meeting, participants })
        };
        let items = page.items.into_iter().map(with_people).collect();
        Ok(Page { items, total: page.total, request: page.request })
    }

    /// Changes a meeting of the actor and plans its reminders anew. Participants are notified after the debounce
    /// window.
    pub async fn update(
        self,
        actor: Actor,
        id: MeetingId,
        change: MeetingChange,
        expect: Precondition,
    ) -> Result<MeetingDetails, Error> {
        self.app
            .change_meeting(actor, id, expect, |before, now| {
                let meeting = before.meeting.apply(change.clone(), now, self.app.change_quiet)?;
                Ok(MeetingDetails { meeting, participants: before.participants.clone() })
            })
            .await
    }

    /// Cancels a meeting of the actor; all participants are notified at once. A cancelled one stays as it is.
    pub async fn cancel(self, actor: Actor, id: MeetingId, expect: Precondition) -> Result<MeetingDetails, Error> {
        self.app
            .change_meeting(actor, id, expect, |before, now| {
                Ok(MeetingDetails { meeting: before.meeting.cancel(now), participants: before.participants.clone() })
            })
            .await
    }

    /// Restores a cancelled meeting of the actor, as long as it lies ahead. Participants who were notified of the
    /// cancellation are invited again.
    pub async fn restore(self, actor: Actor, id: MeetingId) -> Result<MeetingDetails, Error> {
        self.app
            .change_meeting(actor, id, Precondition::Any, |before, now| {
                Ok(MeetingDetails { meeting: before.meeting.restore(now)?, participants: before.participants.clone() })
            })
            .await
    }

    /// Returns a meeting in which the actor participates as a calendar object. Also fails with `NotFound` if the host
    /// has set no [`Calendar`](crate::ports::Calendar).
    pub async fn calendar(self, actor: Actor, id: MeetingId) -> Result<CalendarPart, Error> {
        let scope = actor.scope()?;
        let MeetingDetails { meeting, mut participants } = self.get(actor, id).await?;
        if let Some(mine) = participants.iter_mut().find(|one| one.user_id == Some(scope.person())) {
            self.app.name_by_present_address(mine).await?;
        }
        let calendar = self.app.calendar.as_ref().ok_or(Error::NotFound("calendar"))?;
        let method = CalendarMethod::Publish;
        Ok(calendar.write(&CalendarEntry { method, meeting: &meeting, attendees: &participants }))
    }
}

impl App {
    /// Names a participant by the present, verified address of their account, by which their calendar finds itself. The
    /// organizer stays as calendars know them.
    pub(super) async fn name_by_present_address(&self, participant: &mut Participant) -> Result<(), Error> {
        let Some(id) = participant.user_id.filter(|_| !participant.is_organizer()) else { return Ok(()) };
        if let Some(user) = self.store.user(id).await?.filter(|user| user.email_verified) {
            participant.email = user.email;
        }
        Ok(())
    }

    /// Returns how an organizer is named in invitations and calendars. An address that is not verified may be anybody's, and
    /// the service's stands for it: answers arrive there as well.
    fn mailbox_of(&self, organizer: &User) -> Mailbox {
        let service = self.service_address.as_ref().filter(|_| !organizer.email_verified);
        let address = service.unwrap_or(&organizer.email).clone();
        Mailbox { name: Some(organizer.username.to_string()), address }
    }

    async fn new_meeting(
        &self,
        scope: Scope,
        new: NewMeeting,
        idempotency: Option<&Idempotency<'_, MeetingDetails>>,
    ) -> Result<MeetingDetails, Error> {
        self.retry(scope.owner().as_uuid(), || async {
            let organizer = self.store.user(scope.owner()).await?.ok_or(Error::NotFound("user"))?;
            let now = self.clock.now();
            let id = MeetingId::from_uuid(self.ids.next(now));
            let mailbox = self.mailbox_of(&organizer);
            let meeting = Meeting::new(id, scope.owner(), mailbox, &organizer.time_zone, new.clone(), now)?;
            let me = Participant::organizer(ParticipantId::from_uuid(self.ids.next(now)), id, &organizer, now);
            let before = MeetingDetails { meeting, participants: vec![me] };
            let details = self.with_invitees(&before, new.invitees.clone(), now).await?;
            let actor = Actor::User(scope.person());
            let changes = self.meeting_changes(actor, None, &details, now);
            let changes = changes.and(self.quota_changes(actor, None, &details, now).await?);
            Ok(Attempt::Commit(changes.respond(scope.person(), idempotency, &details, now).under(scope), details))
        })
        .await
    }

    /// Reads, decides and commits, and retries after a concurrent change; for the organizer. Returns the meeting with
    /// its participants.
    async fn change_meeting(
        &self,
        actor: Actor,
        id: MeetingId,
        expect: Precondition,
        decide: impl Fn(&MeetingDetails, Timestamp) -> Result<MeetingDetails, FieldError> + Send,
    ) -> Result<MeetingDetails, Error> {
        let viewer = actor.user_id().map_or(Viewer::Service, |person| Viewer::Person(Scope::own(person)));
        self.retry(id.as_uuid(), || async {
            let before = self.meeting_details(viewer, id).await?;
            expect.check(before.meeting.version)?;
            let now = self.clock.now();
            let after = self.keep_what_stands(&before, decide(&before, now)?).await?;
            if after == before {
                return Ok(Attempt::Unchanged(active_participants(before)));
            }
            let changes = self.meeting_changes(actor, Some(&before), &after, now).under(viewer);
            let changes = changes.and(self.quota_changes(actor, Some(&before), &after, now).await?);
            Ok(Attempt::Commit(changes, active_participants(after)))
        })
        .await
    }

    /// Returns `after` with the responses that stay valid when `before` becomes it; all others are asked for again.
    pub(super) async fn keep_what_stands(
        &self,
        before: &MeetingDetails,
        after: MeetingDetails,
    ) -> Result<MeetingDetails, Error> {
        let id = before.meeting.id;
        let wanted: Vec<_> = versions_in_question(before, &after).into_iter().map(|version| (id, version)).collect();
        let found = if wanted.is_empty() { Lookup::new() } else { self.store.revisions(&wanted).await? };
        let facts_at = |version| found.get(&(id, version))?.as_ref().ok().map(|revision| &revision.facts);
        Ok(keep_what_stands(before, &after, facts_at))
    }

    /// Returns a meeting with everybody who was ever invited to it.
    pub(super) async fn meeting_details(&self, viewer: Viewer, id: MeetingId) -> Result<MeetingDetails, Error> {
        let found = self.store.meetings_by_id(&[id], viewer).await?.remove(&id);
        let meeting = found.ok_or(Error::NotFound("meeting"))?.map_err(|bad| Error::Internal(bad.into()))?;
        Ok(MeetingDetails { meeting, participants: self.store.participants(&[id]).await? })
    }
}

fn active_participants(mut details: MeetingDetails) -> MeetingDetails {
    details.participants.retain(Participant::is_in);
    details
}
