//! Changes of the participants of a meeting: invite, remove, leave.

use std::collections::{HashMap, HashSet};

use super::super::App;
use super::super::retry::Attempt;
use super::active_participants;
use super::changes::people;
use crate::error::{Error, FieldError};
use crate::meeting::MeetingDetails;
use crate::notice::MeetingLeftNotice;
use crate::{
    Actor, Changes, DedupeKey, FeedEvent, Idempotency, Idempotent, Invitee, MeetingId, MeetingRole, MeetingWrite,
    Notice, Participant, ParticipantId, ParticipantWrite, Precondition, Recipient, Scope, Timestamp, UserId, Viewer,
};

use_cases! {
    /// Use cases of the participants of a meeting: invitations, roles and responses.
    ParticipantUseCases,
    /// Returns the use cases of the participants of a meeting.
    participants
}

impl ParticipantUseCases<'_> {
    /// Invites more participants to a meeting of the actor. Present participants stay as they are; those who were
    /// removed or left are invited again.
    pub async fn add(
        self,
        actor: Actor,
        id: MeetingId,
        invitees: Vec<Invitee>,
        expect: Precondition,
    ) -> Result<MeetingDetails, Error> {
        self.app.invite_more(actor.scope()?, id, invitees, expect, None).await
    }

    /// Does the same, but only once for an idempotency key.
    pub async fn add_once(
        self,
        actor: Actor,
        id: MeetingId,
        invitees: Vec<Invitee>,
        expect: Precondition,
        idempotency: Idempotency<'_, MeetingDetails>,
    ) -> Result<Idempotent<MeetingDetails>, Error> {
        let (scope, idempotency) = (actor.scope()?, Some(&idempotency));
        self.app
            .idempotent(scope.person(), idempotency, self.app.invite_more(scope, id, invitees, expect, idempotency))
            .await
    }

    /// Removes a participant from a meeting of the actor and notifies them. If the participant is the actor, lets them
    /// leave and notifies the organizer.
    pub async fn remove(
        self,
        actor: Actor,
        id: MeetingId,
        participant: ParticipantId,
        expect: Precondition,
    ) -> Result<(), Error> {
        let scope = actor.scope()?;
        let details = self.app.meetings().get(actor, id).await?;
        let who = details.participants.iter().find(|one| one.id == participant);
        let who = who.ok_or(Error::NotFound("participant"))?;
        if who.is_organizer() {
            let message = "is the organizer, who can only cancel the meeting";
            return Err(FieldError::new("participant_id", message).into());
        }
        if who.user_id == Some(scope.person()) {
            return self.app.leave_meeting(scope, id, participant).await;
        }
        self.app.change_participant(actor, id, participant, expect, |who, now| Ok(who.remove(now))).await.map(drop)
    }

    /// Gives a participant of a meeting of the actor another role, except that of the organizer.
    pub async fn change_role(
        self,
        actor: Actor,
        id: MeetingId,
        participant: ParticipantId,
        role: MeetingRole,
        expect: Precondition,
    ) -> Result<Participant, Error> {
        self.app
            .change_participant(actor, id, participant, expect, |who, _| {
                if (who.role == MeetingRole::Organizer) != (role == MeetingRole::Organizer) {
                    return Err(FieldError::new("role", "must be attendee or optional; a meeting keeps its organizer"));
                }
                Ok(who.with_role(role))
            })
            .await
    }
}

impl App {
    /// Maximum number of participants of a meeting, including the organizer.
    pub const MOST_PARTICIPANTS: usize = 500;

    async fn invite_more(
        &self,
        scope: Scope,
        id: MeetingId,
        invitees: Vec<Invitee>,
        expect: Precondition,
        idempotency: Option<&Idempotency<'_, MeetingDetails>>,
    ) -> Result<MeetingDetails, Error> {
        self.retry(id.as_uuid(), || async {
            let before = self.meeting_details(Viewer::Person(scope), id).await?;
            expect.check(before.meeting.version)?;
            let now = self.clock.now();
            still_on(&before, now)?;
            let mut after = self.with_invitees(&before, invitees.clone(), now).await?;
            if after == before {
                return Ok(Attempt::Unchanged(active_participants(before)));
            }
            after.meeting = before.meeting.touched(now);
            let after = self.keep_what_stands(&before, after).await?;
            let actor = Actor::User(scope.person());
            let changes = self.meeting_changes(actor, Some(&before), &after, now);
            let changes = changes.and(self.quota_changes(actor, Some(&before), &after, now).await?);
            let after = active_participants(after);
            Ok(Attempt::Commit(changes.respond(scope.person(), idempotency, &after, now).under(scope), after))
        })
        .await
    }

    /// Lets the actor leave a meeting that takes place; the organizer is notified.
    async fn leave_meeting(&self, scope: Scope, id: MeetingId, participant: ParticipantId) -> Result<(), Error> {
        self.retry(id.as_uuid(), || async {
            let before = self.meeting_details(Viewer::Person(scope.reading()), id).await?;
            let mine = |one: &&Participant| one.id == participant && one.user_id == Some(scope.person()) && one.is_in();
            let who = before.participants.iter().find(mine);
            let who = who.ok_or(Error::NotFound("participant"))?.clone();
            let now = self.clock.now();
            let changes = self.departure(scope.person(), &before, who, now).under(scope.reading());
            Ok(Attempt::Commit(changes, ()))
        })
        .await
    }

    /// Returns the changes by which a participant leaves a meeting.
    pub(in super::super) fn departure(
        &self,
        person: UserId,
        before: &MeetingDetails,
        who: Participant,
        now: Timestamp,
    ) -> Changes {
        let gone = who.leave(now);
        let (meeting, id, participant) = (&before.meeting, before.meeting.id, who.id);
        let audience = people(&before.participants);
        let told = FeedEvent::response(self.event_id(now), Actor::User(person), &who, &gone, now, audience);
        let left = meeting.created_by.filter(|_| meeting.is_on()).map(|organizer| {
            self.new_delivery(
                DedupeKey::new(format!("meeting-left/{id}/{participant}/{}", gone.version)),
                Notice::MeetingLeft(MeetingLeftNotice { meeting: id, participant }),
                Recipient::User(organizer),
                now,
            )
            .because("a participant left")
        });
        let was = MeetingDetails { meeting: meeting.clone(), participants: vec![who] };
        let is = MeetingDetails { meeting: meeting.clone(), participants: vec![gone.clone()] };
        self.reminder_changes(Some(&was), &is, now)
            .write(ParticipantWrite::Update(gone))
            .write(MeetingWrite::ExpectVersion { id, version: meeting.version })
            .deliver(left)
            .announce(told)
    }

    async fn change_participant(
        &self,
        actor: Actor,
        id: MeetingId,
        participant: ParticipantId,
        expect: Precondition,
        decide: impl Fn(&Participant, Timestamp) -> Result<Participant, FieldError> + Send,
    ) -> Result<Participant, Error> {
        let scope = actor.scope()?;
        self.retry(id.as_uuid(), || async {
            let before = self.meeting_details(Viewer::Person(scope), id).await?;
            expect.check(before.meeting.version)?;
            let now = self.clock.now();
            let mut after = before.clone();
            let who = after.participants.iter_mut().find(|one| one.id == participant && one.is_in());
            let who = who.ok_or(Error::NotFound("participant"))?;
            *who = decide(who, now)?;
            let changed = who.clone();
            if after == before {
                return Ok(Attempt::Unchanged(changed));
            }
            after.meeting = before.meeting.touched(now);
            Ok(Attempt::Commit(self.meeting_changes(actor, Some(&before), &after, now).under(scope), changed))
        })
        .await
    }

    /// Returns a meeting with more invitees: each address once, and never that of the organizer.
    pub(super) async fn with_invitees(
        &self,
        before: &MeetingDetails,
        invitees: Vec<Invitee>,
        now: Timestamp,
    ) -> Result<MeetingDetails, Error> {
        if let Some(invitee) = invitees.iter().find(|invitee| invitee.role == MeetingRole::Organizer) {
            let message = format!("cannot be organizer ({}): a meeting has one, who calls it", invitee.email);
            return Err(FieldError::new("role", message).into());
        }
        let addresses: Vec<_> = invitees.iter().map(|invitee| invitee.email.clone()).collect();
        let known = if addresses.is_empty() { Vec::new() } else { self.store.users_by_email(&addresses).await? };
        let known: HashMap<_, _> = known.iter().map(|user| (user.email.key(), user.id)).collect();
        let mut after = before.clone();
        self.give_up_addresses(&mut after, &known).await?;
        // Folding an address takes a while, and each is compared with all the others.
        let mut keys: Vec<_> = after.participants.iter().map(|one| one.email.key()).collect();
        for invitee in invitees {
            let key = invitee.email.key();
            // An address that is nobody's now may have been somebody's when they were invited by it, or turned out to be the
            // other address of somebody.
            let place = keys.iter().position(|theirs| *theirs == key);
            let row = place.map(|place| &after.participants[place]);
            let user_id = known.get(&key).copied().or(row.and_then(|row| row.user_id));
            let merged = row.and_then(|row| row.merged_into);
            let same = |one: &Participant| {
                row.is_some_and(|row| row.id == one.id)
                    || (user_id.is_some() && one.user_id == user_id)
                    || merged == Some(one.id)
            };
            if after.participants.iter().any(|one| one.is_in() && same(one)) {
                continue;
            }
            let merged = merged.and_then(|id| after.participants.iter().position(|one| one.id == id));
            match merged.or(place) {
                Some(place) => {
                    after.participants[place] =
                        after.participants[place].invite_again(invitee, user_id.or(after.participants[place].user_id));
                }
                None => {
                    let id = ParticipantId::from_uuid(self.ids.next(now));
                    after.participants.push(Participant::invited(id, before.meeting.id, invitee, user_id));
                    keys.push(key);
                }
            }
        }
        if after.participants.iter().filter(|one| one.is_in()).count() > Self::MOST_PARTICIPANTS {
            let message = format!("must be at most {} people with the organizer", Self::MOST_PARTICIPANTS);
            return Err(FieldError::new("participants", message).into());
        }
        // Whatever was changed about somebody is one change.
        for one in &mut after.participants {
            if let Some(was) = before.participants.iter().find(|was| was.id == one.id) {
                one.version = one.version.min(was.version + 1);
            }
        }
        Ok(after)
    }
}

impl App {
    /// Updates participants who were invited by an address that belongs to another account by now: they get their
    /// present address, because the old one stands for its owner.
    async fn give_up_addresses(
        &self,
        details: &mut MeetingDetails,
        owners: &HashMap<String, UserId>,
    ) -> Result<(), Error> {
        let is_anothers = |one: &Participant| {
            let owner = owners.get(&one.email.key());
            one.user_id.zip(owner.copied()).is_some_and(|(theirs, owner)| theirs != owner)
        };
        let ids: Vec<_> =
            details.participants.iter().filter(|one| is_anothers(one)).filter_map(|one| one.user_id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let users = self.store.users(&ids).await?;
        let taken: HashSet<String> = details.participants.iter().map(|one| one.email.key()).collect();
        for one in details.participants.iter_mut().filter(|one| is_anothers(one)) {
            let user = one.user_id.and_then(|id| users.get(&id)?.as_ref().ok());
            match user.filter(|user| !taken.contains(&user.email.key())) {
                Some(user) => *one = one.with_email(user.email.clone()),
                None => {
                    let message = format!("cannot be {}: somebody is in the meeting by this former address", one.email);
                    return Err(FieldError::new("participants", message).into());
                }
            }
        }
        Ok(())
    }
}

/// Fails if the meeting is cancelled or over, because it can no longer be changed.
pub(super) fn still_on(details: &MeetingDetails, now: Timestamp) -> Result<(), FieldError> {
    match details.meeting.status(now) {
        crate::MeetingStatus::Cancelled => Err(FieldError::new("status", "is cancelled; restore the meeting first")),
        crate::MeetingStatus::Completed => Err(FieldError::new("status", "is completed: the meeting is over")),
        crate::MeetingStatus::Scheduled | crate::MeetingStatus::InProgress => Ok(()),
    }
}
