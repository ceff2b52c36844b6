//! Participants whom mail does not reach: their organizers are notified.

use super::super::App;
use super::super::retry::Attempt;
use crate::error::Error;
use crate::notice::MeetingUndeliveredNotice;
use crate::{
    Changes, DedupeKey, DeliveryProblem, EmailAddress, FeedEvent, MeetingId, MeetingQuery, MeetingWrite, Notice,
    Participant, ParticipantId, ParticipantWrite, Recipient, Scope, UserId, Viewer,
};

/// Maximum number of meetings that are examined when mail to an address comes back, or reaches it again.
const MOST_MEETINGS: u32 = 100;

impl App {
    /// Records that mail about a meeting that is not over did not reach a participant, and notifies the organizer once
    /// for each participant.
    pub(in super::super) async fn record_problem(&self, id: ParticipantId, said: &str) -> Result<(), Error> {
        let fallback = || DeliveryProblem::from_text("mail to the address could not be delivered");
        let problem = DeliveryProblem::from_text(said).or_else(fallback);
        self.set_problem(id, problem).await
    }

    /// Records that mail reaches a participant again.
    pub(in super::super) async fn clear_problem(&self, id: ParticipantId) -> Result<(), Error> {
        self.set_problem(id, None).await
    }

    async fn set_problem(&self, id: ParticipantId, problem: Option<DeliveryProblem>) -> Result<(), Error> {
        self.retry(id.as_uuid(), || async {
            let Some(Ok(before)) = self.store.participants_by_id(&[id]).await?.remove(&id) else {
                return Ok(Attempt::Unchanged(()));
            };
            let now = self.clock.now();
            // The first reason stays until mail arrives.
            if before.is_organizer() || before.delivery_problem.is_some() == problem.is_some() {
                return Ok(Attempt::Unchanged(()));
            }
            let after = before.with_problem(problem.clone());
            let details = match self.meeting_details(Viewer::Service, before.meeting_id).await {
                Err(Error::NotFound(_)) => return Ok(Attempt::Unchanged(())),
                details => details?,
            };
            let meeting = &details.meeting;
            let tells = problem.is_some() && meeting.ends_at() > now;
            let told = meeting.created_by.filter(|_| tells).map(|organizer| {
                self.new_delivery(
                    DedupeKey::new(format!("meeting-undelivered/{}/{id}", meeting.id)),
                    Notice::MeetingUndelivered(MeetingUndeliveredNotice { meeting: meeting.id, participant: id }),
                    Recipient::User(organizer),
                    now,
                )
                .because("mail to a participant could not be delivered")
            });
            let mut changes = Changes::new()
                .write(ParticipantWrite::Update(after))
                .write(MeetingWrite::ExpectVersion { id: meeting.id, version: meeting.version })
                .deliver(told);
            if let Some(organizer) = meeting.created_by {
                // Only the organizer sees the problem of a participant.
                changes = changes.announce(FeedEvent::changed_for(self.event_id(now), meeting.id, organizer, now));
            }
            Ok(Attempt::Commit(changes, ()))
        })
        .await
    }

    /// Returns the participants of meetings that are not over who get mail at this address: guests, and the account
    /// that has it.
    pub(in super::super) async fn participants_at(&self, email: &EmailAddress) -> Result<Vec<Participant>, Error> {
        let (key, now) = (email.key(), self.clock.now());
        let account = self.account_at(key.clone()).await?;
        let user = account.as_ref().map(|user| user.id);
        // Nobody has this id: of a guest's address every meeting is asked for.
        let nobody = UserId::from_uuid(uuid::Uuid::nil());
        let mut meetings: Vec<MeetingId> =
            self.store.guest_meetings(email, user.unwrap_or(nobody), MOST_MEETINGS).await?;
        if let Some(user) = user {
            let ahead = MeetingQuery { starts_after: Some(now), ..MeetingQuery::default() };
            meetings.extend(
                self.store.meetings(Scope::own(user), &ahead, now).await?.items.into_iter().map(|meeting| meeting.id),
            );
        }
        if meetings.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.store.meetings_by_id(&meetings, Viewer::Service).await?;
        let goes_on: Vec<_> =
            known.into_values().flatten().filter(|meeting| meeting.ends_at() > now).map(|meeting| meeting.id).collect();
        let people = self.store.participants(&goes_on).await?;
        let is_theirs = |one: &Participant| match one.user_id {
            None => one.email.key() == key,
            Some(id) => Some(id) == user,
        };
        Ok(people.into_iter().filter(|one| one.is_in() && !one.is_organizer() && is_theirs(one)).collect())
    }

    /// Records for everybody at an address that gets no mail any more that it does not reach them.
    pub(in super::super) async fn record_problem_at(&self, email: &EmailAddress, said: &str) -> Result<(), Error> {
        for participant in self.participants_at(email).await? {
            self.record_problem(participant.id, said).await?;
        }
        Ok(())
    }

    /// Records for everybody at an address that mail reaches them again.
    pub(in super::super) async fn clear_problem_at(&self, email: &EmailAddress) -> Result<(), Error> {
        for participant in self.participants_at(email).await? {
            self.clear_problem(participant.id).await?;
        }
        Ok(())
    }
}
